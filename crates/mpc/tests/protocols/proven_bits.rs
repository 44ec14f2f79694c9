//! The comparison of docs/verified.md and its ANDs, checked by counting on the protocols themselves: over all that a server lacks it sees every value exactly once, whatever the secrets are.

use crate::bits_proof::{every_view_once, of_all, of_some};
use crate::common::views::alike;
use trefoil_mpc::masked::drelu::Layout;
use trefoil_mpc::masked::verified::{Bit, and, drelu};
use trefoil_mpc::{Id, Party};
use trefoil_ring::planes;

/// A layout, with what a comparison of `b` bits takes in it: products of the bits of chunks, and for each round the bits that are opened and the products of masks that are dealt.
struct Narrow {
    b: u8,
    layout: Layout,
    products: usize,
    rounds: &'static [(usize, usize)],
}

impl Narrow {
    fn every_view_once(&self, m: u64, x: u64) {
        let l_1 = m.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let l = [m.wrapping_sub(x).wrapping_sub(l_1), l_1];
        let program = |p: &mut Party, n: usize| drelu::laid_out(p, &[(&alike(p.id, n, m, l), self.b)], &[self.layout]).map(drop);
        let each =
            |label, of: fn(&(usize, usize)) -> usize| (1..).zip(self.rounds).map(move |(op, round)| (label, op, of(round)));
        let dealt = [("verified.drelu.carry_0", 1, usize::from(self.b) - 1), ("verified.drelu.monomial_0", 1, self.products)];
        let of_p1 = dealt.into_iter().chain(each("verified.and.mu_0", |r| r.0)).chain(each("verified.and.monomial_0", |r| r.1));
        every_view_once(Id::P1, &of_p1.collect::<Vec<_>>(), program);
        every_view_once(Id::P0, &each("verified.and.mu_1", |r| r.0).collect::<Vec<_>>(), program);
    }
}

#[test]
fn every_view_of_a_proven_comparison_occurs_once() {
    let layout = |chunk, rounds| Layout { chunk, rounds };
    let all = [
        Narrow { b: 3, layout: layout(4, 1), products: 1, rounds: &[(1, 0)] },
        Narrow { b: 3, layout: layout(4, 3), products: 1, rounds: &[(1, 0), (1, 0), (1, 0)] },
        Narrow { b: 4, layout: layout(4, 3), products: 4, rounds: &[(1, 0), (1, 0), (1, 0)] },
        // Two chunks and three, joined at once.
        Narrow { b: 3, layout: layout(1, 2), products: 0, rounds: &[(3, 0), (1, 1)] },
        Narrow { b: 4, layout: layout(2, 2), products: 1, rounds: &[(3, 0), (1, 1)] },
        Narrow { b: 4, layout: layout(1, 2), products: 0, rounds: &[(5, 0), (1, 5)] },
    ];
    for narrow in all {
        of_all(narrow.b, |m, x| narrow.every_view_once(m, x));
    }
    // A full chunk.
    let full = Narrow { b: 5, layout: layout(4, 1), products: 11, rounds: &[(1, 0)] };
    of_some(|m, x| full.every_view_once(m, x));
}

#[test]
fn every_view_of_a_proven_and_occurs_once() {
    for count in [2, 3, 4] {
        for open in 0..1u64 << count {
            for masks in 0..1u64 << count {
                let program = |p: &mut Party, n: usize| {
                    let plane = |known: u64, i: usize| vec![(known >> i & 1).wrapping_neg(); planes::words(n)];
                    let bit = |i: usize| {
                        let l = [plane(masks, i), plane(masks >> 1 ^ open, i)];
                        let [l_0, l_1] = l.map(Some);
                        let l = [l_0.filter(|_| p.id != Id::P1), l_1.filter(|_| p.id != Id::P0)];
                        Bit::new([1, n], (p.id != Id::P2).then(|| plane(open, i)), l)
                    };
                    let bits: Vec<Bit> = (0..count).map(bit).collect();
                    and::all(p, &bits.iter().collect::<Vec<_>>()).map(drop)
                };
                let products = (1 << count) - 1 - count;
                every_view_once(Id::P1, &[("verified.and.monomial_0", 1, products), ("verified.and.mu_0", 1, 1)], program);
                every_view_once(Id::P0, &[("verified.and.mu_1", 1, 1)], program);
            }
        }
    }
}
