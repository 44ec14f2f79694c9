//! The non-shared comparison: PrivateCompare's bit algorithm (SecureNN, Algorithm 3) on two public
//! numbers. The reference that tests hold the shared protocol to; it branches on its inputs.

use crate::bits::bit;
use crate::residue::Residue;

/// `beta XOR (x > r)`, decided as the helper decides it: 1 iff some `c_i` is 0 in Z_67.
pub fn greater(x: u64, r: u64, beta: bool) -> bool {
    terms(x, r, beta).contains(&Residue::ZERO)
}

/// The `c_i` of the paper, both servers' shares added, from bit 0 to bit 63.
///
/// With `beta` the question is `x <= r`, that is `x < t` for `t = r + 1`. For `r = 2^64 - 1`
/// there is no such `t` and the answer is always 1: one zero among ones.
pub fn terms(x: u64, r: u64, beta: bool) -> [Residue; 64] {
    if beta && r == u64::MAX {
        let mut c = [Residue::ONE; 64];
        c[0] = Residue::ZERO;
        return c;
    }
    let mut c = [Residue::ZERO; 64];
    let other = if beta { r + 1 } else { r };
    // The sum of w_k over the bits above i.
    let mut above = Residue::ZERO;
    for i in (0..64).rev() {
        let x_i = Residue::from_bit(bit(x, i));
        let o_i = Residue::from_bit(bit(other, i));
        let w = x_i + o_i - (o_i + o_i) * x_i;
        let difference = if beta { x_i - o_i } else { o_i - x_i };
        c[i as usize] = difference + Residue::ONE + above;
        above += w;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(x: u64, r: u64) {
        for beta in [false, true] {
            assert_eq!(greater(x, r, beta), beta ^ (x > r), "x = {x}, r = {r}, beta = {beta}");
            let zeros = terms(x, r, beta).iter().filter(|c| **c == Residue::ZERO).count();
            assert!(zeros <= 1, "the permutation hides one position, not {zeros}");
        }
    }

    #[test]
    fn edges() {
        let edges = [0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX - 1, u64::MAX];
        for x in edges {
            for r in edges {
                check(x, r);
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_comparison(x: u64, r: u64, flip in 0u32..64) {
            check(x, r);
            check(x, x);
            check(x, x ^ 1 << flip);
            check(x, x.wrapping_sub(1));
        }
    }
}
