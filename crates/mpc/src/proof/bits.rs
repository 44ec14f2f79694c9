//! Claims about bits, on the kernels of [`trefoil_ring::proof::binary`]: 64 of them stand side by side in a word, which is read as one element of GF(2^64), so that claim k is weighed by X^k.
//!
//! A sum of products of bits is an exclusive or of ANDs of words. Slots are words; a row of words becomes 64 elements once it is folded, one for each claim.

use super::{Element, Ring, Vector};
use std::ops::{Add, Mul, Range, Sub};
use trefoil_ring::proof::binary;

/// What claims about bits are proven in, 64 in a word. Rows have 2^6 words.
pub struct Bits;

impl Ring for Bits {
    type Element = Field;
    type Vector = Packed;
    const CLAIMS: usize = 64;
}

/// GF(2^64), an element in a word: X^64 + X^4 + X^3 + X + 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field([u64; 1]);

impl Element for Field {
    const BITS: u32 = 64;
    const DEGREE: usize = 1;
    const CHALLENGE: u32 = 64;
    const ZERO: Self = Field([0]);

    fn of(coefficients: &[u64]) -> Self {
        Field([coefficients.first().copied().unwrap_or_default()])
    }

    fn coefficients(&self) -> &[u64] {
        &self.0
    }

    /// The word is 64 bits that claims have side by side: an element.
    fn times(self, word: u64) -> Self {
        Field([binary::multiply(self.0[0], word)])
    }

    fn challenge(bits: u64) -> Self {
        Field([bits])
    }

    fn bits(&self) -> u64 {
        self.0[0]
    }
}

impl Add for Field {
    type Output = Self;
    #[allow(clippy::suspicious_arithmetic_impl)] // of bits
    fn add(self, other: Self) -> Self {
        Field([self.0[0] ^ other.0[0]])
    }
}

impl Sub for Field {
    type Output = Self;
    #[allow(clippy::suspicious_arithmetic_impl)] // as above
    fn sub(self, other: Self) -> Self {
        self + other
    }
}

impl Mul for Field {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.times(other.0[0])
    }
}

/// A vector of elements. It holds secrets, and has no `Debug`.
#[derive(Default)]
pub struct Packed(Vec<u64>);

impl Packed {
    /// Both halves, and what the second has not is 0.
    fn split(&self) -> (&[u64], &[u64]) {
        self.0.split_at(Field::half(self.0.len()))
    }

    /// high - low.
    fn differences(&self) -> Vec<u64> {
        let (low, high) = self.split();
        low.iter().enumerate().map(|(i, low)| low ^ high.get(i).copied().unwrap_or_default()).collect()
    }
}

impl Vector<Field> for Packed {
    fn weighed(weights: &[u64], rows: &[u64], columns: usize) -> Vec<Field> {
        binary::weighed(weights, rows, columns).into_iter().map(Field::challenge).collect()
    }

    /// Panics if rows have another length than the kernel's.
    fn sums(weights: &[u64], x: &[u64], y: &[u64], variables: u32, _: &[(Range<usize>, u8)]) -> Vec<Field> {
        assert_eq!(1 << variables, binary::BIT_SLOTS, "slots of a row of bits");
        binary::stage(weights, x, y).into_iter().map(Field::challenge).collect()
    }

    fn push_folded(&mut self, words: &[u64], eq: &[Field], weights: Option<&[u64]>, _: &[(Range<usize>, u8)]) {
        let eq: [u64; binary::BIT_SLOTS] = std::array::from_fn(|slot| eq[slot].bits());
        for (i, row) in words.as_chunks().0.iter().enumerate() {
            let folded = binary::fold(row, &eq);
            match weights.map(|weights| weights[i]) {
                // Claim k counts X^k times as much.
                Some(weight) => {
                    let mut weight = weight;
                    for folded in folded {
                        self.0.push(binary::multiply(weight, folded));
                        weight = binary::multiply(weight, 2);
                    }
                }
                None => self.0.extend(folded),
            }
        }
    }

    fn push(&mut self, element: Field) {
        self.0.push(element.bits());
    }

    fn first(&self) -> Field {
        Field([self.0.first().copied().unwrap_or_default()])
    }

    fn inner(&self, other: &Self) -> Field {
        Field([binary::inner(&self.0, &other.0)])
    }

    fn halves(&self, other: &Self) -> [Field; 2] {
        let low = binary::inner(self.split().0, other.split().0);
        [low, binary::inner(&self.differences(), &other.differences())].map(Field::challenge)
    }

    fn bind(&mut self, r: Field) {
        let mut more = self.differences();
        binary::scale(r.bits(), &mut more);
        self.0.truncate(more.len());
        self.0.iter_mut().zip(more).for_each(|(low, more)| *low ^= more);
    }
}
