//! The Select of docs/verified.md, checked by counting on the function that the protocol calls. It is made of sums and products alone, so that modulo 2^K it is what it would be in a ring of
//! 2^K elements: over all masks that a server lacks it sees every value once, whatever bit and number are, and without any one of the masks it does not.

use trefoil_mpc::masked::verified::select::half;

const K: u32 = 3;
const ALL: u64 = 1 << K;

/// What P1 sees, A_1, B_1 and z_0, by how often. It knows m_b, m_x, l_b1 and l_x1, from which with bit and number the others follow. `gone`: which of A_0, B_0, r_0 is 0.
fn at_p1([b, x]: [u64; 2], [m_b, m_x, l_x1]: [u64; 3], gone: Option<usize>) -> Vec<u32> {
    let (l_b, l_x) = (m_b ^ b, m_x.wrapping_sub(x));
    let l_x0 = l_x.wrapping_sub(l_x1);
    let mut counts = vec![0; 1 << (3 * K)];
    for draws in 0..ALL * ALL * ALL {
        let mut masks = [draws % ALL, draws / ALL % ALL, draws / ALL / ALL];
        gone.into_iter().for_each(|gone| masks[gone] = 0);
        let [a_0, b_0, r_0] = masks;
        let view =
            [l_b.wrapping_sub(a_0), l_b.wrapping_mul(l_x).wrapping_sub(b_0), half(true, [m_b, m_x], l_x0, [a_0, b_0, r_0])];
        counts[view.iter().fold(0, |at, word| at << K | (word % ALL) as usize)] += 1;
    }
    counts
}

/// What P0 sees, z_1, where it has been dealt A_0 and B_0. It lacks r_1.
fn at_p0([b, x]: [u64; 2], [m_b, m_x, l_x0, a_0, b_0]: [u64; 5], gone: bool) -> Vec<u32> {
    let (l_b, l_x) = (m_b ^ b, m_x.wrapping_sub(x));
    let (a_1, b_1) = (l_b.wrapping_sub(a_0), l_b.wrapping_mul(l_x).wrapping_sub(b_0));
    let mut counts = vec![0; 1 << K];
    for r_1 in 0..ALL {
        let z_1 = half(false, [m_b, m_x], l_x.wrapping_sub(l_x0), [a_1, b_1, if gone { 0 } else { r_1 }]);
        counts[(z_1 % ALL) as usize] += 1;
    }
    counts
}

fn every(mut check: impl FnMut([u64; 2], [u64; 5])) {
    for b in [0, 1] {
        for x in 0..ALL {
            for known in [[0, 0, 0, 0, 0], [1, 5, 3, 2, 7], [0, 7, 6, 1, 4], [1, 2, 1, 6, 3]] {
                check([b, x], known);
            }
        }
    }
}

#[test]
fn every_view_of_a_select_occurs_once() {
    every(|secret, known| {
        let [m_b, m_x, l, ..] = known;
        assert!(at_p1(secret, [m_b, m_x, l], None).iter().all(|count| *count == 1), "P1 of {secret:?}");
        assert!(at_p0(secret, known, false).iter().all(|count| *count == 1), "P0 of {secret:?}");
    });
}

#[test]
fn every_mask_is_needed() {
    let known = [1, 5, 3, 2, 7];
    let of_p1 = |secret, gone| at_p1(secret, [1, 5, 3], Some(gone));
    for gone in 0..3 {
        assert_ne!(of_p1([0, 3], gone), of_p1([1, 6], gone), "P1 without mask {gone}");
    }
    assert_ne!(at_p0([0, 3], known, true), at_p0([1, 6], known, true), "P0 without r_1");
}
