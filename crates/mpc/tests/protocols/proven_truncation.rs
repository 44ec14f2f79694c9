//! The truncation of docs/verified.md, whose opening is whole, checked by counting on the functions that the protocol calls (`cut.rs`), at small widths: what comes out, and that what a
//! server sees is every value equally often, whatever the product is; and that without any one of the masks it is not.

use trefoil_mpc::cut::{Open, low};

/// Every product in the range.
fn products<const K: u8>(f: u8) -> std::ops::RangeInclusive<i64> {
    let most = (1 << (K - 3)) - (1 << (f - 1));
    -most..=most
}

/// An element of the ring as a signed number.
fn signed<const K: u8>(x: u64) -> i64 {
    (x << (64 - K)) as i64 >> (64 - K)
}

/// c of a product under the mask R.
fn c<const K: u8>(z: i64, mask: u64, f: u8, kappa: u64) -> u64 {
    low((z as u64).wrapping_add(mask).wrapping_add(Open::<K>::by(f).offset()).wrapping_add(kappa), K)
}

/// All masks and all products; shares of S and of a that add up to the same give the same, so one of each is enough.
fn near<const K: u8>(f: u8) {
    let (open, ring) = (Open::<K>::by(f), 0..1u64 << (K - 2));
    for z in products::<K>(f) {
        let mut total = 0;
        for (rho_0, rho_1) in ring.clone().flat_map(|rho_0| ring.clone().map(move |rho_1| (rho_0, rho_1))) {
            for (s, kappa) in (0..4).flat_map(|s| [(s, 0), (s, 1)]) {
                let (e, q, a) = (s & 1, s >> 1, (rho_0 ^ rho_1) & ((1 << f) - 1));
                let (m, w) = open.opened(c::<K>(z, Open::<K>::mask(rho_0 + rho_1, s), f, kappa));
                let d = open.lift(a, w, q);
                // The parts of e, q and a, as two servers would have them.
                let l = open.part(rho_0, 5, 3, 1).wrapping_add(open.part(
                    rho_1,
                    e.wrapping_sub(5),
                    q.wrapping_sub(3),
                    a.wrapping_sub(1),
                ));
                let y = signed::<K>(low(m.wrapping_add(open.top(d)).wrapping_sub(l), K));
                let error = (y << f) - z;
                assert!(2 * error.abs() < 3 << f, "{z} by 2^{f}: {y}");
                total += error;
            }
        }
        assert_eq!(total, 0, "{z} by 2^{f} has a bias");
    }
}

#[test]
fn results_are_within_one_and_a_half_units_and_without_bias() {
    near::<8>(1);
    near::<8>(2);
    near::<9>(3);
}

/// A mask that is gone.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Gone {
    None,
    Rho,
    S,
    A,
    V,
    E,
    Q,
}

/// What P0 sees of a product, by how often: it knows rho_0, S_0, its shares of e and q, and c_0. It lacks rho_1, S_1 and a_1.
fn at_p0<const K: u8>(z: i64, f: u8, [rho_0, s_0, kappa]: [u64; 3], gone: Gone) -> Vec<u32> {
    let open = Open::<K>::by(f);
    let mut counts = vec![0; 1 << (K + f)];
    for rho_1 in 0..1 << (K - 2) {
        for (s_1, a_1) in (0..4).flat_map(|s| (0..1 << f).map(move |a| (s, a))) {
            let [rho_1, s_1, a_1] =
                [(Gone::Rho, rho_1), (Gone::S, s_1), (Gone::A, a_1)].map(|(mask, x)| if gone == mask { 0 } else { x });
            let s = s_0 ^ s_1;
            let opened = c::<K>(z, Open::<K>::mask(rho_0 + rho_1, s), f, kappa);
            // P0's share of q is 1, say.
            let d_1 = open.lift(a_1, open.opened(opened).1, (s >> 1).wrapping_sub(1));
            counts[(opened << f | d_1) as usize] += 1;
        }
    }
    counts
}

/// What P1 sees: v_1, e_1, q_1, c_0 and d_0. It lacks v_0, rho_0, S_0, e_0, q_0 and a_0. `gamma` is what P2 makes of masks that nobody else knows, `known` P1's own part of c.
fn at_p1<const K: u8>(z: i64, f: u8, [rho_1, s_1, gamma, known]: [u64; 4], gone: Gone) -> Vec<u32> {
    let open = Open::<K>::by(f);
    let sizes = [(Gone::V, K), (Gone::Rho, K - 2), (Gone::S, 2), (Gone::E, f + 2), (Gone::Q, f + 1), (Gone::A, f)];
    let all: u8 = sizes.iter().map(|(_, bits)| bits).sum();
    let mut counts = vec![0; 1 << all];
    for draws in 0..1u64 << all {
        let mut left = draws;
        let [v_0, rho_0, s_0, e_0, q_0, a_0] = sizes.map(|(mask, bits)| {
            let draw = low(left, bits);
            left >>= bits;
            if gone == mask { 0 } else { draw }
        });
        let s = s_0 ^ s_1;
        let mask = Open::<K>::mask(rho_0 + rho_1, s);
        let v_1 = low((gamma + mask).wrapping_sub(v_0), K);
        let (e_1, q_1) = (low((s & 1).wrapping_sub(e_0), f + 2), low((s >> 1).wrapping_sub(q_0), f + 1));
        let opened = c::<K>(z, mask, f, 0);
        let c_0 = low(opened.wrapping_sub(known).wrapping_sub(v_1), K);
        let d_0 = open.lift(a_0, open.opened(opened).1, q_0);
        let view = [(v_1, K), (e_1, f + 2), (q_1, f + 1), (c_0, K), (d_0, f)];
        counts[view.iter().fold(0, |at, (value, bits)| at << bits | value) as usize] += 1;
    }
    counts
}

fn uniform(counts: &[u32]) -> bool {
    counts.iter().all(|count| *count == counts[0] && *count > 0)
}

#[test]
fn every_view_of_a_small_ring_is_uniform() {
    for z in products::<6>(1) {
        for known in [[0, 0, 0], [5, 1, 1], [15, 3, 0], [9, 2, 1]] {
            assert!(uniform(&at_p0::<6>(z, 1, known, Gone::None)), "P0 of {z}");
        }
    }
    for z in products::<5>(1) {
        for known in [[0, 0, 0, 0], [5, 1, 17, 30], [7, 2, 9, 4]] {
            assert!(uniform(&at_p1::<5>(z, 1, known, Gone::None)), "P1 of {z}");
        }
    }
}

/// And for two products the views differ, where one is gone: each is needed. v_0, e_0 and q_0 hide from P1 what P2 makes of masks.
#[test]
fn every_mask_is_needed() {
    for gone in [Gone::Rho, Gone::S, Gone::A] {
        let [a, b] = [3, -4].map(|z| at_p0::<6>(z, 1, [5, 1, 1], gone));
        assert!(!uniform(&a) && (a != b || gone == Gone::A), "P0 without {gone:?}");
        let [a, b] = [2, -1].map(|z| at_p1::<5>(z, 1, [5, 1, 17, 30], gone));
        assert!(!uniform(&a) && (a != b || gone == Gone::A), "P1 without {gone:?}");
    }
    for gone in [Gone::V, Gone::E, Gone::Q] {
        assert!(!uniform(&at_p1::<5>(2, 1, [5, 1, 17, 30], gone)), "P1 without {gone:?}");
    }
}
