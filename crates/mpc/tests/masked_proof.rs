//! The proof of docs/masked.md, checked by counting: in small rings, over all randomness that a server does not know, what it sees of
//! a truncated product is equally often every value, whatever the product is; and what comes out is its floor or ceiling.
//!
//! The ring has 2^k elements in place of 2^64, products lie below 2^(k-3); the letters are those of product.rs.

/// A ring of 2^k elements and a truncation by f bits.
#[derive(Clone, Copy)]
struct Toy {
    k: u32,
    f: u32,
}

impl Toy {
    fn size(self) -> u64 {
        1 << self.k
    }
    /// x modulo 2^bits.
    fn low(x: u64, bits: u32) -> u64 {
        x & ((1 << bits) - 1)
    }
    /// Every product in the range.
    fn products(self) -> std::ops::Range<i64> {
        1 - (1 << (self.k - 3))..1 << (self.k - 3)
    }
    fn mask(self, l: u64) -> (u64, u64, u64) {
        let r = Toy::low(l << self.f, self.k);
        (r, l >> (self.k - self.f), r >> (self.k - 1))
    }
    /// c_0 + c_1 for a product z under r.
    fn c(self, z: i64, r: u64) -> u64 {
        Toy::low((z as u64).wrapping_add(r).wrapping_add(1 << (self.k - 2)).wrapping_sub(1), self.k)
    }
    fn halves(self, c_0: u64, c_1: u64) -> [u64; 2] {
        [c_0 >> self.f, Toy::low(c_1, self.k) >> self.f]
    }
    /// w, from what both servers see after the first round.
    fn w(self, [a, b]: [u64; 2]) -> u64 {
        1 - (Toy::low(a + b, self.k - self.f) >> (self.k - self.f - 1))
    }
    /// m' from both halves and both e_j.
    fn result(self, [a, b]: [u64; 2], e: u64) -> u64 {
        let m = Toy::low(a + b, self.k - self.f).wrapping_add(1).wrapping_sub(1 << (self.k - 2 - self.f));
        Toy::low(m.wrapping_add(e << (self.k - self.f)), self.k)
    }
}

#[test]
fn results_are_floor_or_ceiling_without_bias() {
    for t in [Toy { k: 8, f: 1 }, Toy { k: 8, f: 3 }, Toy { k: 8, f: 5 }, Toy { k: 9, f: 2 }] {
        for z in t.products() {
            let (mut total, mut count) = (0, 0);
            for l in 0..t.size() {
                let (r, a, q) = t.mask(l);
                for c_1 in 0..t.size() {
                    let halves = t.halves(Toy::low(t.c(z, r).wrapping_sub(c_1), t.k), c_1);
                    let y = Toy::low(t.result(halves, a + t.w(halves) * q).wrapping_sub(l), t.k);
                    let y = (y << (64 - t.k)) as i64 >> (64 - t.k);
                    assert!(y == z >> t.f || y == -(-z >> t.f), "{z} by 2^{}: {y}", t.f);
                    total += (y << t.f) - z;
                    count += 1;
                }
            }
            assert!(count > 0 && total == 0, "{z} by 2^{}: mean error {total} / {count}", t.f);
        }
    }
}

/// How often each view occurs, for one product.
fn uniform(counts: &[u32]) -> bool {
    counts.iter().all(|c| *c == counts[0]) && counts[0] > 0
}

/// P0 knows l'_0, v_0 (and so c_0), a_0, q_0, and sees the upper bits of c_1 and the f bits of e_1. It lacks l'_1.
fn p0(t: Toy, l_0: u64, c_0: u64, a_0: u64, q_0: u64) {
    for z in t.products() {
        let mut counts = vec![0; t.size() as usize];
        for l_1 in 0..t.size() {
            let (r, a, q) = t.mask(Toy::low(l_0 + l_1, t.k));
            let halves = t.halves(c_0, t.c(z, r).wrapping_sub(c_0));
            let e_1 = Toy::low(a.wrapping_sub(a_0).wrapping_add(t.w(halves) * Toy::low(q.wrapping_sub(q_0), t.f)), t.f);
            counts[(halves[1] << t.f | e_1) as usize] += 1;
        }
        assert!(uniform(&counts), "P0 of z = {z}, l_0 = {l_0}, c_0 = {c_0}, a_0 = {a_0}, q_0 = {q_0}");
    }
}

/// P1 knows l'_1, is dealt v_1, a_1 and q_1, and sees the upper bits of c_0 and the f bits of e_0. It lacks l'_0, v_0, a_0 and q_0.
/// `known` is its own part of the cross terms; gamma is what the helper makes of masks that nobody else knows.
fn p1(t: Toy, l_1: u64, known: u64) {
    for z in t.products() {
        let gamma = Toy::low((5 * z + 3) as u64, t.k);
        let mut counts = vec![0; 1 << (2 * t.k + 2 * t.f)];
        for l_0 in 0..t.size() {
            let (r, a, q) = t.mask(Toy::low(l_0 + l_1, t.k));
            for v_0 in 0..t.size() {
                let v_1 = Toy::low((gamma + r).wrapping_sub(v_0), t.k);
                let c_1 = Toy::low(known + v_1, t.k);
                let halves = t.halves(Toy::low(t.c(z, r).wrapping_sub(c_1), t.k), c_1);
                for (a_0, q_0) in (0..1 << t.f).flat_map(|a| (0..1 << t.f).map(move |q| (a, q))) {
                    let (a_1, q_1) = (Toy::low(a.wrapping_sub(a_0), t.f), Toy::low(q.wrapping_sub(q_0), t.f));
                    let e_0 = Toy::low(a_0 + t.w(halves) * q_0, t.f);
                    let view = [(v_1, t.k), (halves[0], t.k - t.f), (a_1, t.f), (q_1, t.f), (e_0, t.f)];
                    counts[view.iter().fold(0, |at, (value, bits)| at << bits | value) as usize] += 1;
                }
            }
        }
        assert!(uniform(&counts), "P1 of z = {z}, l_1 = {l_1}, cross terms {known}");
    }
}

#[test]
fn every_view_of_a_small_ring_is_uniform() {
    for t in [Toy { k: 5, f: 1 }, Toy { k: 5, f: 2 }] {
        for l in 0..t.size() {
            for c_0 in 0..t.size() {
                for (a_0, q_0) in (0..1 << t.f).flat_map(|a| (0..1 << t.f).map(move |q| (a, q))) {
                    p0(t, l, c_0, a_0, q_0);
                }
            }
            (0..t.size()).step_by(5).for_each(|known| p1(t, l, known));
        }
    }
}

#[test]
fn views_of_larger_rings_are_uniform() {
    for t in [Toy { k: 8, f: 2 }, Toy { k: 8, f: 3 }, Toy { k: 10, f: 3 }] {
        for i in 0..60u64 {
            let at =
                |salt: u64, bits: u32| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt << 32) >> 20 & ((1 << bits) - 1);
            p0(t, at(1, t.k), at(2, t.k), at(3, t.f), at(4, t.f));
        }
    }
    for known in [0, 37] {
        p1(Toy { k: 6, f: 2 }, 21, known);
        p1(Toy { k: 7, f: 2 }, 99, known);
    }
}

/// A truncation alone: m is known, so P1 lacks a_0, q_0, l'_0; it is dealt q_1 and l'_1, and sees e_0. P0 sees e_1, hidden by a_1.
#[test]
fn a_truncation_shows_p1_nothing() {
    let t = Toy { k: 7, f: 2 };
    let (m, l_1) = (91u64, 50);
    for x in -(1i64 << (t.k - 2))..1 << (t.k - 2) {
        for a_1 in 0..1 << t.f {
            let mut counts = vec![0; 1 << (t.k + 2 * t.f)];
            // The owner's m and l_1 are known; what x is decides l_0, which only P0 and P2 have.
            let l_0 = Toy::low(m.wrapping_sub(x as u64).wrapping_sub(l_1), t.k);
            let r = Toy::low(l_0 + l_1, t.k);
            let w = 1 - (Toy::low(m + (1 << (t.k - 2)), t.k) >> (t.k - 1));
            for (a_0, q_0) in (0..1 << t.f).flat_map(|a| (0..1 << t.f).map(move |q| (a, q))) {
                for new_0 in 0..t.size() {
                    let new = (r >> t.f) + ((a_0 + a_1) << (t.k - t.f));
                    let new_1 = Toy::low(new.wrapping_sub(new_0), t.k);
                    let q_1 = Toy::low((r >> (t.k - 1)).wrapping_sub(q_0), t.f);
                    let e_0 = Toy::low(a_0 + w * q_0, t.f);
                    counts[(new_1 << (2 * t.f) | q_1 << t.f | e_0) as usize] += 1;
                }
            }
            assert!(uniform(&counts), "x = {x}, a_1 = {a_1}");
        }
    }
}
