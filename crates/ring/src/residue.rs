//! Z_67, the field of PrivateCompare, and its form on the wire: 7 bits a residue.
//!
//! 67 is the least prime above 65, the largest value that PrivateCompare must tell from zero.
//! Neither branches nor memory addresses depend on the values; only [`unpack`] stops at a value
//! that no honest peer sends.

use crate::UnpackError;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

/// The number of elements.
pub const P: u8 = 67;

/// Bits of a residue on the wire.
pub const BITS: u8 = 7;

/// An element of Z_67, always below 67. Secret material: `Debug` does not print the value.
#[derive(Copy, Clone, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Residue(u8);

impl Residue {
    /// The residue 0.
    pub const ZERO: Self = Self(0);
    /// The residue 1.
    pub const ONE: Self = Self(1);

    /// `v` itself, or `None` if it is not below 67.
    pub fn new(v: u8) -> Option<Self> {
        (v < P).then_some(Self(v))
    }

    /// `v` mod 67. Not a way to draw a residue: a uniform byte gives 0 to 54 more often.
    pub fn reduce(v: u8) -> Self {
        reduce(u16::from(v))
    }

    /// The lowest bit of `word` as a residue.
    pub fn from_bit(word: u64) -> Self {
        Self((word & 1) as u8)
    }

    /// The value, in `0..67`.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// `v` mod 67 for `v < 2^15`. The quotient `v * ceil(2^22 / 67) >> 22` is exact below 139,810.
fn reduce(v: u16) -> Residue {
    let quotient = (u32::from(v) * 62_602) >> 22;
    Residue((v - quotient as u16 * u16::from(P)) as u8)
}

/// `v` if it is not negative, `v + 67` if it is, for `-67 <= v < 67` in two's complement.
fn lift(v: u8) -> Residue {
    let negative = (v.cast_signed() >> 7).cast_unsigned();
    Residue(v.wrapping_add(negative & P))
}

impl Add for Residue {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        lift((self.0 + other.0).wrapping_sub(P))
    }
}

impl Sub for Residue {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        lift(self.0.wrapping_sub(other.0))
    }
}

impl Neg for Residue {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl Mul for Residue {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        reduce(u16::from(self.0) * u16::from(other.0))
    }
}

impl AddAssign for Residue {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Residue {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::fmt::Debug for Residue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Residue(..)")
    }
}

/// The residues at 7 bits each, the first in the lowest bits; the last byte is padded with zeros.
/// `ceil(7 n / 8)` bytes for `n` residues.
pub fn pack(values: &[Residue]) -> Vec<u8> {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut bytes = Vec::with_capacity((blocks.len() + 1) * 7);
    for block in blocks {
        bytes.extend_from_slice(&squeeze(block));
    }
    let mut last = [Residue::ZERO; 8];
    last[..rest.len()].copy_from_slice(rest);
    bytes.extend_from_slice(&squeeze(&last)[..rest.len()]);
    bytes
}

/// The `count` residues that [`pack`] put into `bytes`.
///
/// # Errors
/// `bytes` is not `ceil(7 count / 8)` long, its padding is not zero, or a value is 67 or more.
pub fn unpack(bytes: &[u8], count: usize) -> Result<Vec<Residue>, UnpackError> {
    UnpackError::check(bytes, count, BITS)?;
    let mut values = vec![Residue::ZERO; count];
    let (blocks, rest) = values.as_chunks_mut::<8>();
    let (packed, tail) = bytes.split_at(blocks.len() * 7);
    for (index, (block, packed)) in blocks.iter_mut().zip(packed.as_chunks::<7>().0).enumerate() {
        *block = spread(packed).map_err(|(lane, found)| value_error(index * 8 + lane, found))?;
    }
    let mut last = [0; 7];
    last[..tail.len()].copy_from_slice(tail);
    let last = spread(&last).map_err(|(lane, found)| value_error(blocks.len() * 8 + lane, found))?;
    rest.copy_from_slice(&last[..rest.len()]);
    Ok(values)
}

fn value_error(index: usize, found: u8) -> UnpackError {
    UnpackError::Value { index, found, bound: P }
}

/// Eight bytes of 7 bits to 56 bits: neighbours join into 14, 28, then 56 bits.
fn squeeze(values: &[Residue; 8]) -> [u8; 7] {
    let x = u64::from_le_bytes(values.map(Residue::get));
    let x = (x & 0x007f_007f_007f_007f) | (x & 0x7f00_7f00_7f00_7f00) >> 1;
    let x = (x & 0x0000_3fff_0000_3fff) | (x & 0x3fff_0000_3fff_0000) >> 2;
    let x = (x & 0x0fff_ffff) | (x & 0x0fff_ffff_0000_0000) >> 4;
    let [bytes @ .., _] = x.to_le_bytes();
    bytes
}

/// The inverse of [`squeeze`], or the first lane that is 67 or more and its value.
fn spread(bytes: &[u8; 7]) -> Result<[Residue; 8], (usize, u8)> {
    let [a, b, c, d, e, f, g] = *bytes;
    let x = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
    let x = (x & 0x0fff_ffff) | (x << 4 & 0x0fff_ffff_0000_0000);
    let x = (x & 0x0000_3fff_0000_3fff) | (x << 2 & 0x3fff_0000_3fff_0000);
    let x = (x & 0x007f_007f_007f_007f) | (x << 1 & 0x7f00_7f00_7f00_7f00);
    // A lane is at most 127: adding 128 - 67 sets its top bit exactly if it is 67 or more.
    let large = (x + 0x0101_0101_0101_0101 * u64::from(128 - P)) & 0x8080_8080_8080_8080;
    let lanes = x.to_le_bytes();
    if large != 0 {
        let lane = large.trailing_zeros() as usize / 8;
        return Err((lane, lanes[lane]));
    }
    Ok(lanes.map(Residue))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residues(values: &[u8]) -> Vec<Residue> {
        values.iter().map(|&v| Residue::reduce(v)).collect()
    }

    #[test]
    fn arithmetic_agrees_with_integers_exhaustively() {
        let p = u16::from(P);
        for a in 0..P {
            let (x, wide_a) = (Residue::new(a).unwrap(), u16::from(a));
            assert_eq!(u16::from((-x).get()), (p - wide_a) % p);
            for b in 0..P {
                let (y, wide_b) = (Residue::new(b).unwrap(), u16::from(b));
                assert_eq!(u16::from((x + y).get()), (wide_a + wide_b) % p);
                assert_eq!(u16::from((x - y).get()), (wide_a + p - wide_b) % p);
                assert_eq!(u16::from((x * y).get()), wide_a * wide_b % p);
            }
        }
        for v in 0..=u8::MAX {
            assert_eq!(Residue::reduce(v).get(), v % P);
            assert_eq!(Residue::new(v).is_some(), v < P);
        }
        assert_eq!(format!("{:?}", Residue::ONE), "Residue(..)");
    }

    #[test]
    fn pack_is_seven_bits_little_endian() {
        assert_eq!(pack(&residues(&[1])), [1]);
        assert_eq!(pack(&residues(&[1, 1])), [0x81, 0]);
        assert_eq!(pack(&residues(&[0, 0, 0, 0, 0, 0, 0, 1])), [0, 0, 0, 0, 0, 0, 2]);
        assert!(pack(&[]).is_empty());
        assert_eq!(unpack(&[], 0), Ok(vec![]));
    }

    #[test]
    fn unpack_refuses_a_wrong_length() {
        let error = unpack(&[0; 2], 1).unwrap_err();
        assert_eq!(error, UnpackError::Length { found: 2, expected: 1, count: 1, bits: 7 });
        assert!(unpack(&[0; 6], 8).is_err());
        assert!(unpack(&[], usize::MAX).is_err());
    }

    #[test]
    fn unpack_refuses_padding() {
        assert_eq!(unpack(&[0x80], 1), Err(UnpackError::Padding { found: 1, bits: 1 }));
        assert_eq!(unpack(&[0, 0x40], 2), Err(UnpackError::Padding { found: 1, bits: 2 }));
    }

    #[test]
    fn unpack_names_the_first_value_that_is_no_residue() {
        for count in 1..20 {
            for index in 0..count {
                for found in P..128 {
                    let mut values = vec![66; count];
                    values[index] = u64::from(found);
                    let bytes = crate::bits::pack(values.iter().copied(), BITS);
                    let error = UnpackError::Value { index, found, bound: 67 };
                    assert_eq!(unpack(&bytes, count), Err(error));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn pack_round_trips(values in proptest::collection::vec(0..P, 0..100)) {
            let values = residues(&values);
            let bytes = pack(&values);
            prop_assert_eq!(bytes.len(), (values.len() * 7).div_ceil(8));
            prop_assert!(unpack(&bytes, values.len()).unwrap() == values);
            let words: Vec<u64> = values.iter().map(|v| v.get().into()).collect();
            prop_assert_eq!(bytes, crate::bits::pack(words.iter().copied(), BITS));
        }
    }
}
