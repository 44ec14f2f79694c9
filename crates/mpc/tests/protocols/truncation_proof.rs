//! The proof of docs/masked.md, checked by counting on the functions that the protocols call (`cut.rs`), at small widths: over all
//! randomness that a server does not know, what it sees of a truncation is equally often every value, whatever the secret is; and what
//! comes out is its floor or ceiling.
//!
//! The ring has 2^K elements in place of 2^64; products lie below 2^(K-3). The letters are those of product.rs and truncate.rs.

use trefoil_mpc::cut::{Cut, low};

/// Every product in the range.
fn products<const K: u8>() -> std::ops::Range<i64> {
    1 - (1 << (K - 3))..1 << (K - 3)
}

fn ring<const K: u8>() -> std::ops::Range<u64> {
    0..1 << K
}

/// Every pair of two numbers of f bits.
fn pairs(f: u8) -> impl Iterator<Item = (u64, u64)> {
    (0..1 << f).flat_map(move |a| (0..1 << f).map(move |q| (a, q)))
}

/// c_0 + c_1 for a product z under r.
fn c<const K: u8>(z: i64, r: u64) -> u64 {
    low((z as u64).wrapping_add(r).wrapping_add(Cut::<K>::OFFSET), K)
}

/// An element of the ring as a signed number.
fn signed<const K: u8>(x: u64) -> i64 {
    (x << (64 - K)) as i64 >> (64 - K)
}

fn floor_or_ceiling<const K: u8>(f: u8) {
    let cut = Cut::<K>::by(f);
    for z in products::<K>() {
        let (mut total, mut count) = (0, 0);
        for l in ring::<K>() {
            let (a, q) = cut.parts(l);
            for c_1 in ring::<K>() {
                let halves = cut.half(c::<K>(z, cut.mask(l)).wrapping_sub(c_1)) + cut.half(c_1);
                let (m, w) = cut.joined(halves);
                let y = signed::<K>(low(m.wrapping_add(cut.lift(a, w, q)).wrapping_sub(l), K));
                assert!(y == z >> f || y == -(-z >> f), "{z} by 2^{f}: {y}");
                total += (y << f) - z;
                count += 1;
            }
        }
        assert!(count > 0 && total == 0, "{z} by 2^{f}: mean error {total} / {count}");
    }
}

#[test]
fn products_are_floor_or_ceiling_without_bias() {
    floor_or_ceiling::<8>(1);
    floor_or_ceiling::<8>(3);
    floor_or_ceiling::<8>(5);
    floor_or_ceiling::<9>(2);
}

/// A truncation alone: from c = v + 2^(K-2) + r, with the mask of the result made of r.
fn floor_or_one_more<const K: u8>(f: u8) {
    let cut = Cut::<K>::by(f);
    for v in -(1i64 << (K - 2))..1 << (K - 2) {
        let (mut total, mut count) = (0, 0);
        for r in ring::<K>() {
            for a in 0..1 << f {
                let (m, w) = cut.quotient(low((v as u64).wrapping_add(1 << (K - 2)).wrapping_add(r), K));
                let e = cut.lift(a, w, Cut::<K>::top(r));
                let y = signed::<K>(low(m.wrapping_add(e).wrapping_sub(cut.shifted(r, a)), K));
                assert!(y == v >> f || y == (v >> f) + 1, "{v} by 2^{f}: {y}");
                total += (y << f) - v;
                count += 1;
            }
        }
        assert!(count > 0 && total == 0, "{v} by 2^{f}: mean error {total} / {count}");
    }
}

#[test]
fn truncations_are_floor_or_one_more_without_bias() {
    floor_or_one_more::<8>(1);
    floor_or_one_more::<8>(4);
    floor_or_one_more::<10>(3);
}

/// Whether each view occurs equally often.
fn uniform(counts: &[u32]) -> bool {
    counts.iter().all(|c| *c == counts[0]) && counts[0] > 0
}

/// P0 knows l'_0 and v_0 (and so c_0), is dealt a_0 and q_0, and sees the upper bits of c_1 and the f bits of e_1. It lacks l'_1, a_1 and q_1.
fn p0<const K: u8>(f: u8, l_0: u64, c_0: u64) {
    let cut = Cut::<K>::by(f);
    for z in products::<K>() {
        let mut counts = vec![0; 1 << (K + 2 * f)];
        for l_1 in ring::<K>() {
            let l = low(l_0 + l_1, K);
            let (a, q) = cut.parts(l);
            let half = cut.half(c::<K>(z, cut.mask(l)).wrapping_sub(c_0));
            let (_, w) = cut.joined(cut.half(c_0) + half);
            for (a_1, q_1) in pairs(f) {
                let e_1 = cut.lift(a_1, w, q_1) >> (K - f);
                let view = [(half, K - f), (cut.other(a, a_1), f), (cut.other(q, q_1), f), (e_1, f)];
                counts[joined(&view)] += 1;
            }
        }
        assert!(uniform(&counts), "P0 of z = {z}, l_0 = {l_0}, c_0 = {c_0}");
    }
}

/// Numbers of so many bits as one.
fn joined(view: &[(u64, u8)]) -> usize {
    view.iter().fold(0, |at, (value, bits)| at << bits | value) as usize
}

/// P1 knows l'_1, a_1 and q_1, is dealt v_1, and sees the upper bits of c_0 and the f bits of e_0. It lacks l'_0 and v_0.
/// `known` is its own part of the cross terms; gamma is what the helper makes of masks that nobody else knows.
fn p1<const K: u8>(f: u8, l_1: u64, (a_1, q_1): (u64, u64), known: u64) {
    let cut = Cut::<K>::by(f);
    for z in products::<K>() {
        let gamma = low((5 * z + 3) as u64, K);
        let mut counts = vec![0; 1 << (2 * K)];
        for l_0 in ring::<K>() {
            let l = low(l_0 + l_1, K);
            let (r, (a, q)) = (cut.mask(l), cut.parts(l));
            for v_0 in ring::<K>() {
                let v_1 = low((gamma + r).wrapping_sub(v_0), K);
                let c_1 = known + v_1;
                let half = cut.half(c::<K>(z, r).wrapping_sub(c_1));
                let (_, w) = cut.joined(half + cut.half(c_1));
                let e_0 = cut.lift(cut.other(a, a_1), w, cut.other(q, q_1)) >> (K - f);
                counts[joined(&[(v_1, K), (half, K - f), (e_0, f)])] += 1;
            }
        }
        assert!(uniform(&counts), "P1 of z = {z}, l_1 = {l_1}, a_1 = {a_1}, q_1 = {q_1}, cross terms {known}");
    }
}

fn every_view<const K: u8>(f: u8) {
    for l in ring::<K>() {
        for c_0 in ring::<K>() {
            p0::<K>(f, l, c_0);
        }
        pairs(f).for_each(|own| ring::<K>().step_by(5).for_each(|known| p1::<K>(f, l, own, known)));
    }
}

#[test]
fn every_view_of_a_small_ring_is_uniform() {
    every_view::<5>(1);
    every_view::<5>(2);
}

fn some_views<const K: u8>(f: u8) {
    for i in 0..60u64 {
        let at = |salt: u64, bits: u8| low(i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt << 32) >> 20, bits);
        p0::<K>(f, at(1, K), at(2, K));
    }
}

#[test]
fn views_of_larger_rings_are_uniform() {
    some_views::<8>(2);
    some_views::<8>(3);
    some_views::<10>(3);
    for known in [0, 37] {
        p1::<6>(2, 21, (1, 3), known);
        p1::<7>(2, 99, (2, 0), known);
    }
}

/// A truncation alone: m is known. P1 knows a_1 and q_1, is dealt l'_1, and sees e_0; it lacks a_0 and l'_0. P0 knows a_0 and l'_0, is dealt q_0,
/// and sees e_1; it lacks a_1 and q_1.
#[test]
fn a_truncation_shows_no_server_anything() {
    const K: u8 = 7;
    let (f, m) = (2, 91u64);
    let cut = Cut::<K>::by(f);
    for x in -(1i64 << (K - 2))..1 << (K - 2) {
        // m is known, and so is one half of its mask; what x is decides the other half, and with it the sum r.
        let r = low(m.wrapping_sub(x as u64), K);
        let (_, w) = cut.quotient(low(m + (1 << (K - 2)), K));
        for (a_1, q_1) in pairs(f) {
            let mut counts = vec![0; 1 << (K + f)];
            for (a_0, new_0) in (0..1 << f).flat_map(|a_0| ring::<K>().map(move |new_0| (a_0, new_0))) {
                let new_1 = low(cut.shifted(r, a_0 + a_1).wrapping_sub(new_0), K);
                let e_0 = cut.lift(a_0, w, cut.other(Cut::<K>::top(r), q_1)) >> (K - f);
                counts[joined(&[(new_1, K), (e_0, f)])] += 1;
            }
            assert!(uniform(&counts), "P1 of x = {x}, a_1 = {a_1}, q_1 = {q_1}");
        }
        let mut counts = vec![0; 1 << (2 * f)];
        for (a_1, q_1) in pairs(f) {
            let e_1 = cut.lift(a_1, w, q_1) >> (K - f);
            counts[joined(&[(cut.other(Cut::<K>::top(r), q_1), f), (e_1, f)])] += 1;
        }
        assert!(uniform(&counts), "P0 of x = {x}");
    }
}

/// A narrow number, |x| < 2^(K-2-f), of which m is known but for its top f bits, whatever stands there: made whole it is x under its mask.
fn made_whole<const K: u8>(f: u8) {
    let cut = Cut::<K>::by(f);
    for x in -(1i64 << (K - 2 - f))..1 << (K - 2 - f) {
        for l in ring::<K>() {
            let whole = low((x as u64).wrapping_add(l), K);
            for above in [0, 1, (1 << f) - 1] {
                let (m, w) = cut.narrow(low(whole, K - f) | above << (K - f));
                let (a, q) = cut.parts(l);
                assert_eq!(low(m.wrapping_add(cut.lift(a, w, q)), K), whole, "{x} under {l}, f = {f}");
            }
        }
    }
}

#[test]
fn narrow_numbers_are_made_whole_without_fail() {
    made_whole::<8>(1);
    made_whole::<8>(4);
    made_whole::<10>(8);
}

/// The lift of a narrow number: the lower bits of m are known. P0 knows l_0 and q_0, is dealt a_0 and sees e_1; it lacks a_1 and the top bits of l_1. P1 knows
/// l_1 and a_1, is dealt q_1 and sees e_0; it lacks q_0 and the top bits of l_0.
#[test]
fn a_narrow_lift_shows_no_server_anything() {
    const K: u8 = 7;
    let f = 3;
    let cut = Cut::<K>::by(f);
    for x in -(1i64 << (K - 2 - f))..1 << (K - 2 - f) {
        for (m, own) in (0..1u64 << (K - f)).flat_map(|m| ring::<K>().map(move |own| (m, own))) {
            // What x is decides the lower bits of the other half of the mask.
            let other = low(m.wrapping_sub(x as u64).wrapping_sub(own), K - f);
            let (_, w) = cut.narrow(m);
            for known in 0..1 << f {
                let mut counts = [vec![0; 1 << (2 * f)], vec![0; 1 << (2 * f)]];
                for (top, drawn) in pairs(f) {
                    let (a, q) = cut.parts(low(own + (other | top << (K - f)), K));
                    // At P0 `known` is q_0 and `drawn` is a_1, at P1 they are a_1 and q_0.
                    let e_1 = cut.lift(drawn, w, cut.other(q, known)) >> (K - f);
                    counts[0][joined(&[(cut.other(a, drawn), f), (e_1, f)])] += 1;
                    let e_0 = cut.lift(cut.other(a, known), w, drawn) >> (K - f);
                    counts[1][joined(&[(cut.other(q, drawn), f), (e_0, f)])] += 1;
                }
                assert!(counts.iter().all(|counts| uniform(counts)), "x = {x}, m = {m}, own mask {own}");
            }
        }
    }
}

/// The product with numbers in docs/masked.md: 12 x 18 in a ring of 2^12, by 2^3.
#[test]
fn the_example_of_the_page() {
    const K: u8 = 12;
    let cut = Cut::<K>::by(3);
    let mul = |x: u64, y: u64| x.wrapping_mul(y);
    let (l_x, l_y, l) = ([1000, 2500], [777, 1234], low(3001 + 499, K));
    let (m_x, m_y) = (low(12 + l_x[0] + l_x[1], K), low(18 + l_y[0] + l_y[1], K));
    let (gamma, r) = (low(mul(l_x[0] + l_x[1], l_y[0] + l_y[1]), K), cut.mask(l));
    assert_eq!((m_x, m_y, gamma, l, r), (3512, 2029, 1572, 3500, 3424));
    let (v_0, (a, q)) = (2020, cut.parts(l));
    let v_1 = low((gamma + r).wrapping_sub(v_0), K);
    let (a_1, q_1) = (cut.other(a, 5), cut.other(q, 3));
    assert_eq!((v_1, a, q, a_1, q_1), (2976, 6, 1, 1, 6));

    let c_0 = low(0u64.wrapping_sub(mul(m_x, l_y[0])).wrapping_sub(mul(l_x[0], m_y)).wrapping_add(v_0), K);
    let c_1 = mul(m_x, m_y - l_y[1]).wrapping_sub(mul(l_x[1], m_y)).wrapping_add(v_1).wrapping_add(Cut::<K>::OFFSET);
    let c_1 = low(c_1, K);
    assert_eq!((c_0, c_1, cut.half(c_0), cut.half(c_1)), (3748, 915, 468, 114));
    let (m, w) = cut.joined(cut.half(c_0) + cut.half(c_1));
    let (e_0, e_1) = (cut.lift(5, w, 3), cut.lift(a_1, w, q_1));
    assert_eq!((low(m, K), w, e_0, e_1), (4039, 1, 0, 512 * 7));
    let whole = low(m.wrapping_add(e_0).wrapping_add(e_1), K);
    assert_eq!((whole, low(whole.wrapping_sub(l), K)), (3527, 27));
}
