//! Bits of words, and words of a few bits packed into bytes.

use crate::UnpackError;

/// Bit `i` of `x`, 0 or 1, for `i < 64`.
pub fn bit(x: u64, i: u32) -> u64 {
    x >> i & 1
}

/// The low `bits` bits of every value, the first value in the lowest bits, little-endian; the
/// last byte is padded with zeros. `ceil(n bits / 8)` bytes for `n` values.
///
/// `bits` is in `1..=63` and comes from the protocol, never from a peer: anything else panics.
pub fn pack(values: impl ExactSizeIterator<Item = u64>, bits: u8) -> Vec<u8> {
    let mut bytes = vec![];
    append(&mut bytes, values, bits);
    bytes
}

/// The same behind `bytes`: with what stands there they are one pack, if that is of a multiple of eight values of as many bits.
pub fn append(bytes: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u64>, bits: u8) {
    let mask = mask(bits);
    let bits = usize::from(bits);
    let length = bytes.len() + (values.len() * bits).div_ceil(8);
    // Whole words are written, so up to seven bytes too many before the end is cut.
    bytes.reserve(length + 8 - bytes.len());
    if bits == 32 {
        let from = bytes.len();
        bytes.resize(length, 0);
        let (halves, _) = bytes[from..].as_chunks_mut::<4>();
        halves.iter_mut().zip(values).for_each(|(half, value)| *half = (value as u32).to_le_bytes());
        return;
    }
    let (mut word, mut filled) = (0u64, 0);
    for value in values {
        let value = value & mask;
        word |= value << filled;
        filled += bits;
        if filled >= 64 {
            bytes.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            // What did not fit: `filled` high bits of the value, and filled < bits.
            word = value >> (bits - filled);
        }
    }
    bytes.extend_from_slice(&word.to_le_bytes());
    bytes.truncate(length);
}

/// The `count` values below `2^bits` that [`pack`] put into `bytes`.
///
/// `bits` is in `1..=63` and comes from the protocol, never from a peer: anything else panics.
///
/// # Errors
/// `bytes` is not `ceil(count bits / 8)` long, or its padding is not zero.
pub fn unpack(bytes: &[u8], bits: u8, count: usize) -> Result<Vec<u64>, UnpackError> {
    check(bytes, bits, count)?;
    let mut out = vec![0; count];
    read(bytes, bits, 0, &mut out);
    Ok(out)
}

/// Whether `bytes` are such that [`pack`] may have put `count` values below `2^bits` into them.
///
/// # Errors
/// As for [`unpack`].
pub fn check(bytes: &[u8], bits: u8, count: usize) -> Result<(), UnpackError> {
    UnpackError::check(bytes, count, bits)
}

/// Of the values that [`pack`] put into `bytes` those from place `at` on, a multiple of eight: as many as `out` has room for.
///
/// Panics beyond the end, and where `bits` is not in `1..=63`.
pub fn read(bytes: &[u8], bits: u8, at: usize, out: &mut [u64]) {
    let mask = mask(bits);
    let bits = usize::from(bits);
    assert!(at.is_multiple_of(8), "packed values are read from a multiple of eight on, not from {at}");
    let bytes = &bytes[at / 8 * bits..];
    if bits == 32 {
        let halves = &bytes.as_chunks::<4>().0[..out.len()];
        out.iter_mut().zip(halves).for_each(|(out, half)| *out = u32::from_le_bytes(*half).into());
        return;
    }
    // Eight values take as many bytes as one has bits, and begin where the last eight did. Where they have at most 57 bits, the word that
    // begins at a value's first byte has all of it; near the end there is no whole word.
    let starts: [(usize, u32); 8] = std::array::from_fn(|i| (i * bits / 8, (i * bits % 8) as u32));
    let groups = if bits <= 57 { (bytes.len().saturating_sub(8) / bits).min(out.len() / 8) } else { 0 };
    let (in_groups, others) = out.split_at_mut(8 * groups);
    for (i, out) in in_groups.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let group = &bytes[i * bits..][..bits + 8];
        for ((at, shift), out) in starts.iter().zip(out) {
            *out = group[*at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word) >> shift & mask);
        }
    }
    let value = |i: usize| {
        let start = i * bits;
        // At most 7 + 63 bits, so nine bytes hold the value.
        let near = &bytes[start / 8..];
        let mut low = [0; 8];
        match near.first_chunk::<8>() {
            Some(chunk) => low = *chunk,
            None => low[..near.len()].copy_from_slice(near),
        }
        let high = near.get(8).copied().unwrap_or(0);
        let wide = u128::from(u64::from_le_bytes(low)) | u128::from(high) << 64;
        (wide >> (start % 8)) as u64 & mask
    };
    others.iter_mut().enumerate().for_each(|(i, out)| *out = value(8 * groups + i));
}

fn mask(bits: u8) -> u64 {
    assert!((1..64).contains(&bits), "packed values have 1 to 63 bits, not {bits}");
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_value_is_lowest() {
        assert_eq!(pack([1, 0, 1, 1].into_iter(), 1), [0b1101]);
        assert_eq!(pack([0x123, 0x456].into_iter(), 12), [0x23, 0x61, 0x45]);
        assert_eq!(pack([u64::MAX; 2].into_iter(), 63), [[0xff; 15].as_slice(), &[0x3f]].concat());
        assert!(pack([].into_iter(), 5).is_empty());
        assert_eq!(unpack(&[], 5, 0), Ok(vec![]));
        assert_eq!([bit(5, 0), bit(5, 1), bit(1 << 63, 63)], [1, 0, 1]);
    }

    #[test]
    fn unpack_refuses_wrong_length_and_padding() {
        assert!(matches!(unpack(&[0; 3], 12, 1), Err(UnpackError::Length { expected: 2, .. })));
        assert!(matches!(unpack(&[0; 1], 12, 1), Err(UnpackError::Length { expected: 2, .. })));
        assert!(matches!(unpack(&[0; 1], 63, usize::MAX), Err(UnpackError::Length { .. })));
        let error = unpack(&[0, 0x30], 12, 1).unwrap_err();
        assert_eq!(error, UnpackError::Padding { found: 3, bits: 4 });
        assert_eq!(error.to_string(), "packed values: the 4 padding bits of the last byte are 0x3, expected 0");
    }

    proptest! {
        #[test]
        fn round_trip(values in proptest::collection::vec(any::<u64>(), 0..200), bits in 1u8..64) {
            let bytes = pack(values.iter().copied(), bits);
            prop_assert_eq!(bytes.len(), (values.len() * usize::from(bits)).div_ceil(8));
            let low: Vec<u64> = values.iter().map(|v| v & mask(bits)).collect();
            prop_assert_eq!(unpack(&bytes, bits, values.len()), Ok(low.clone()));
            // In pieces, written and read.
            let mut pieces = vec![];
            values.chunks(24).for_each(|piece| append(&mut pieces, piece.iter().copied(), bits));
            prop_assert_eq!(&pieces, &bytes);
            for (i, piece) in low.chunks(16).enumerate() {
                let mut out = vec![9; piece.len()];
                read(&bytes, bits, 16 * i, &mut out);
                prop_assert_eq!(&out, piece);
            }
        }
    }
}
