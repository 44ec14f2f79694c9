//! Elements of a Galois ring: words are too few to be challenges.

use std::ops::{Add, Mul, Sub};

/// GR(2^BITS, DEGREE) = Z_(2^BITS)\[X\] / (X^DEGREE + the sum of X^e over the bits e of TAPS). With one bit it is the field of 2^DEGREE elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Galois<const BITS: u32, const DEGREE: usize, const TAPS: u64>([u64; DEGREE]);

/// What words are proven in: X^47 + X^5 + 1.
pub type OfWords = Galois<64, 47, 0b100001>;
/// What bits are proven in: X^64 + X^4 + X^3 + X + 1.
pub type OfBits = Galois<1, 64, 0b11011>;

/// An element of an extension of the ring whose words claims are about. The proof asks no more of it than this.
pub trait Element: Copy + PartialEq + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// Bits of a coefficient.
    const BITS: u32;
    /// Coefficients, at most 64.
    const DEGREE: usize;
    /// Bits of a weight or challenge.
    const CHALLENGE: u32 = Self::DEGREE as u32;
    /// 0.
    const ZERO: Self;

    /// The element with these coefficients, which are reduced; what is missing is 0.
    fn of(coefficients: &[u64]) -> Self;
    /// The coefficients, X^0 first.
    fn coefficients(&self) -> &[u64];
    /// This times a word of the base ring.
    fn times(self, word: u64) -> Self;

    /// A weight or challenge: coefficients 0 and 1, from the bits of a word. The difference of two is a unit.
    fn challenge(bits: u64) -> Self {
        Self::of(&std::array::from_fn::<u64, 64, _>(|c| bits >> c & 1)[..Self::DEGREE])
    }

    /// The word of a challenge.
    fn bits(&self) -> u64 {
        self.coefficients().iter().enumerate().fold(0, |bits, (c, coefficient)| bits | (coefficient & 1) << c)
    }

    /// How long the first half of a vector is, of which two halves are folded into one.
    fn half(len: usize) -> usize {
        len.div_ceil(2)
    }

    /// 1.
    fn one() -> Self {
        Self::challenge(1)
    }

    /// The sum of products.
    fn inner(x: &[Self], y: &[Self]) -> Self {
        x.iter().zip(y).fold(Self::ZERO, |sum, (x, y)| sum + *x * *y)
    }
}

impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Galois<BITS, DEGREE, TAPS> {
    const MASK: u64 = u64::MAX >> (64 - BITS);

    fn from(coefficient: impl Fn(usize) -> u64) -> Self {
        Galois(std::array::from_fn(|c| coefficient(c) & Self::MASK))
    }
}

impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Element for Galois<BITS, DEGREE, TAPS> {
    const BITS: u32 = BITS;
    const DEGREE: usize = DEGREE;
    const ZERO: Self = Galois([0; DEGREE]);

    fn of(coefficients: &[u64]) -> Self {
        Self::from(|c| coefficients.get(c).copied().unwrap_or_default())
    }

    fn coefficients(&self) -> &[u64] {
        &self.0
    }

    fn times(self, word: u64) -> Self {
        Self::from(|c| self.0[c].wrapping_mul(word))
    }

    /// Where there are kernels, as they lay vectors out.
    fn half(len: usize) -> usize {
        if DEGREE == trefoil_ring::proof::DEGREE { trefoil_ring::proof::half(len) } else { len.div_ceil(2) }
    }
}

impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Add for Galois<BITS, DEGREE, TAPS> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::from(|c| self.0[c].wrapping_add(other.0[c]))
    }
}

impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Sub for Galois<BITS, DEGREE, TAPS> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::from(|c| self.0[c].wrapping_sub(other.0[c]))
    }
}

impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Mul for Galois<BITS, DEGREE, TAPS> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let mut low = [0u64; DEGREE];
        let mut high = [0u64; DEGREE];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                let to = if i + j < DEGREE { &mut low[i + j] } else { &mut high[i + j - DEGREE] };
                *to = to.wrapping_add(a.wrapping_mul(*b));
            }
        }
        // X^DEGREE is minus the taps; from the top down, since a tap may lead to another power that is too high.
        for c in (0..DEGREE).rev() {
            for tap in (0..DEGREE).filter(|tap| TAPS >> tap & 1 == 1) {
                let top = high[c];
                let to = if c + tap < DEGREE { &mut low[c + tap] } else { &mut high[c + tap - DEGREE] };
                *to = to.wrapping_sub(top);
            }
        }
        Self::from(|c| low[c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element<E: Element>(seed: &[u64]) -> E {
        let word = |i: usize| (seed[i % seed.len()] ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        E::of(&(0..E::DEGREE).map(word).collect::<Vec<_>>())
    }

    /// The rules of a ring, and that the difference of two challenges has an inverse: modulo 2 a power of it is 1.
    fn is_a_ring<E: Element>(seeds: &[u64; 3]) -> bool {
        let [a, b, c]: [E; 3] = seeds.map(|seed| element(&[seed]));
        let distributes = a * (b + c) == a * b + a * c && (a * b) * c == a * (b * c) && a * b == b * a && a * E::one() == a;
        distributes && a - (a + b) + b == E::ZERO && a.times(seeds[0]) == a * E::of(&seeds[..1])
    }

    /// x^(2^DEGREE) - x is even for every x if the polynomial is irreducible: the residue field has 2^DEGREE elements.
    fn frobenius<E: Element>(x: E) -> bool {
        let power = (0..E::DEGREE).fold(x, |x, _| x * x);
        (power - x).coefficients().iter().all(|c| c % 2 == 0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn rings(seeds: [u64; 3]) {
            prop_assert!(is_a_ring::<OfWords>(&seeds) && is_a_ring::<OfBits>(&seeds) && is_a_ring::<Galois<2, 2, 3>>(&seeds));
            prop_assert!(frobenius::<OfWords>(element(&seeds)) && frobenius::<OfBits>(element(&seeds)));
        }

        /// Bits and the kernel of [`trefoil_ring::proof::binary`] have one field.
        #[test]
        fn the_field_of_the_kernel(a: u64, b: u64) {
            let product = OfBits::challenge(a) * OfBits::challenge(b);
            prop_assert!(product == OfBits::challenge(trefoil_ring::proof::binary::multiply(a, b)));
        }
    }
}
