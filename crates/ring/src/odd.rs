//! Z_(2^64 - 1), the odd ring of ShareConvert and ComputeMSB.
//!
//! An element is a word in `[0, 2^64 - 1)`; `u64::MAX` is not canonical. Operands must be
//! canonical and results are. Neither branches nor memory addresses depend on the values.

/// The number of elements, `2^64 - 1`.
pub const MODULUS: u64 = u64::MAX;

/// Whether `a` is an element.
pub fn is_canonical(a: u64) -> bool {
    a != MODULUS
}

/// `a` mod `2^64 - 1`, for any word.
pub fn from_word(a: u64) -> u64 {
    a.wrapping_add(u64::from(a == MODULUS))
}

/// `a + b`.
pub fn add(a: u64, b: u64) -> u64 {
    debug_assert!(is_canonical(a) && is_canonical(b), "operand outside Z_(2^64-1)");
    // 2^64 is 1 in this ring, so a carry is added back.
    let (sum, carry) = a.overflowing_add(b);
    from_word(sum.wrapping_add(u64::from(carry)))
}

/// `a - b`.
pub fn sub(a: u64, b: u64) -> u64 {
    debug_assert!(is_canonical(a) && is_canonical(b), "operand outside Z_(2^64-1)");
    let (difference, borrow) = a.overflowing_sub(b);
    difference.wrapping_sub(u64::from(borrow))
}

/// `-a`.
pub fn neg(a: u64) -> u64 {
    debug_assert!(is_canonical(a), "operand outside Z_(2^64-1)");
    from_word(!a)
}

/// Whether `a + b`, for any two words, overflows 2^64: the `wrap(a, b, L)` of the paper.
pub fn wrap(a: u64, b: u64) -> bool {
    a.overflowing_add(b).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N: u128 = MODULUS as u128;

    fn check(a: u64, b: u64) {
        let (wide_a, wide_b) = (u128::from(a), u128::from(b));
        assert_eq!(u128::from(add(a, b)), (wide_a + wide_b) % N);
        assert_eq!(u128::from(sub(a, b)), (wide_a + N - wide_b) % N);
        assert_eq!(u128::from(neg(a)), (N - wide_a) % N);
    }

    #[test]
    fn edges() {
        let edges = [0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, MODULUS - 2, MODULUS - 1];
        for a in edges {
            for b in edges {
                check(a, b);
            }
        }
        assert!(is_canonical(MODULUS - 1) && !is_canonical(MODULUS));
        assert_eq!([0, 1, MODULUS - 1, MODULUS].map(from_word), [0, 1, MODULUS - 1, 0]);
    }

    proptest! {
        #[test]
        fn agrees_with_wide_integers(a in 0..MODULUS, b in 0..MODULUS) {
            check(a, b);
            prop_assert_eq!(wrap(a, b), (u128::from(a) + u128::from(b)) >> 64 == 1);
        }
    }
}
