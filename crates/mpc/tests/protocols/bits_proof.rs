//! The views of protocols on bits, checked by counting on the protocols themselves: over all that a party does not know, what it receives
//! of a narrow comparison or of an AND is every value exactly once, whatever the secrets are.
//!
//! A tap puts all values of the draws in question side by side, one for each element, and makes the others the same for all.

use crate::common::views::{alike, received};
use std::sync::Arc;
use trefoil_mpc::masked::drelu::Layout;
use trefoil_mpc::masked::{Bit, and, drelu};
use trefoil_mpc::prg::BLOCK;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Id, Party, Result};
use trefoil_ring::planes;

/// Draws that take all values: label, operation and number of planes, from the lowest bit of an element's number on.
struct All {
    draws: Vec<(&'static str, u32, usize)>,
    /// Words of a plane.
    width: usize,
}

impl Tap for All {
    fn block(&self, draw: &Draw, _: &[u8; 32], index: u64, bytes: &mut [u8]) {
        // What is not in question is one and the same for all elements.
        let constant = if (draw.label.len() + draw.at.op as usize).is_multiple_of(2) { 0 } else { u8::MAX };
        bytes.fill(constant);
        let mut first = 0;
        for (label, op, planes) in &self.draws {
            if (draw.label, draw.at.op) == (*label, *op) {
                let from = index as usize * BLOCK / 8;
                for (i, word) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
                    let (plane, k) = ((from + i) / self.width, (from + i) % self.width);
                    *word = bit_of_numbers(first + plane, k).to_le_bytes();
                }
            }
            first += planes;
        }
    }
}

/// Bit j of the numbers 64 k to 64 k + 63.
fn bit_of_numbers(j: usize, k: usize) -> u64 {
    match j {
        0..6 => (0..64).fold(0, |word, e| word | (e >> j & 1) << e),
        _ => ((k >> (j - 6).min(63) & 1) as u64).wrapping_neg(),
    }
}

/// Runs `program`, in which `party` does not know `draws`; all that it receives, for all their values.
pub fn every_view_once(
    party: Id,
    draws: &[(&'static str, u32, usize)],
    program: impl Fn(&mut Party, usize) -> Result<()> + Sync,
) {
    let bits: usize = draws.iter().map(|(_, _, planes)| planes).sum();
    // Where there are less than 64 values, they fill a word several times over.
    let n = 1usize << bits.max(6);
    let tap: Arc<dyn Tap> = Arc::new(All { draws: draws.to_vec(), width: planes::words(n) });
    let received = received(party, &tap, &|p| program(p, n));
    let planes: Vec<&[u64]> = received.iter().flat_map(|f| f.values.chunks(planes::words(n))).collect();
    assert_eq!(planes.len(), bits, "{party} receives as many bits as there are");
    let mut counts = vec![0u32; 1 << bits];
    for e in 0..n {
        let view = planes.iter().enumerate().fold(0, |view, (i, plane)| view | (plane[e / 64] >> (e % 64) & 1) << i);
        counts[view as usize] += 1;
    }
    let each = (n >> bits) as u32;
    assert!(counts.iter().all(|c| *c == each), "{party}: not every view occurs {each} times");
}

/// A layout, with what a comparison of `b` bits takes in it: bits of one-hot words, and for each round the bits that are opened and the products of
/// masks that are dealt.
struct Narrow {
    b: u8,
    layout: Layout,
    onehot: usize,
    rounds: &'static [(usize, usize)],
}

impl Narrow {
    fn every_view_once(&self, m: u64, x: u64) {
        let l_1 = m.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let l = [m.wrapping_sub(x).wrapping_sub(l_1), l_1];
        let program = |p: &mut Party, n: usize| {
            drelu::laid_out(p, &[(&alike(p.id, n, m, l), self.b)], &[self.layout], &[], &mut ()).map(drop)
        };
        let each =
            |label, of: fn(&(usize, usize)) -> usize| (1..).zip(self.rounds).map(move |(op, round)| (label, op, of(round)));
        let of_p1 = each("masked.and.mu_0", |r| r.0).chain(each("masked.and.monomial_0", |r| r.1));
        every_view_once(Id::P1, &of_p1.collect::<Vec<_>>(), program);
        let of_p0 = [("masked.drelu.onehot_1", 1, self.onehot)].into_iter().chain(each("masked.and.mu_1", |r| r.0));
        every_view_once(Id::P0, &of_p0.collect::<Vec<_>>(), program);
    }
}

/// For all m and x of `b` bits.
pub fn of_all(b: u8, f: impl Fn(u64, u64)) {
    (0..1 << b).for_each(|m| (0..1 << b).for_each(|x| f(m, x)));
}

/// For some of five.
pub fn of_some(f: impl Fn(u64, u64)) {
    [(0, 0), (31, 16), (17, 5), (9, 30)].into_iter().for_each(|(m, x)| f(m, x));
}

#[test]
fn every_view_of_a_narrow_comparison_occurs_once() {
    let layout = |chunk, rounds| Layout { chunk, rounds };
    let all = [
        // One chunk, in one round and passed on for two more.
        Narrow { b: 3, layout: layout(4, 1), onehot: 4, rounds: &[(1, 0)] },
        Narrow { b: 3, layout: layout(4, 3), onehot: 4, rounds: &[(1, 0), (1, 0), (1, 0)] },
        Narrow { b: 4, layout: layout(4, 3), onehot: 8, rounds: &[(1, 0), (1, 0), (1, 0)] },
        // Two chunks and three, joined at once.
        Narrow { b: 3, layout: layout(1, 2), onehot: 4, rounds: &[(3, 0), (1, 1)] },
        Narrow { b: 4, layout: layout(2, 2), onehot: 6, rounds: &[(3, 0), (1, 1)] },
        Narrow { b: 4, layout: layout(1, 2), onehot: 6, rounds: &[(5, 0), (1, 5)] },
    ];
    for narrow in all {
        of_all(narrow.b, |m, x| narrow.every_view_once(m, x));
    }
    // A full chunk.
    let full = [
        Narrow { b: 5, layout: layout(4, 3), onehot: 16, rounds: &[(1, 0); 3] },
        Narrow { b: 5, layout: layout(4, 1), onehot: 16, rounds: &[(1, 0)] },
    ];
    for narrow in full {
        of_some(|m, x| narrow.every_view_once(m, x));
    }
}

/// The AND of `count` bits, of which P2 knows the masks.
fn and_of_bits(count: usize, open: u64, masks: u64) {
    let program = |p: &mut Party, n: usize| {
        let known = if p.id == Id::P2 { masks } else { open };
        let plane = |i: usize| vec![(known >> i & 1).wrapping_neg(); planes::words(n)];
        let bits: Vec<Bit> = (0..count).map(|i| Bit::new([1, n], plane(i))).collect();
        and::all(p, &bits.iter().collect::<Vec<_>>()).map(drop)
    };
    // Products of two or more.
    let products = (1 << count) - 1 - count;
    every_view_once(Id::P1, &[("masked.and.monomial_0", 2, products), ("masked.and.mu_0", 2, 1)], program);
    every_view_once(Id::P0, &[("masked.and.mask_1", 1, count), ("masked.and.mu_1", 2, 1)], program);
}

#[test]
fn every_view_of_an_and_occurs_once() {
    for count in [2, 3, 4] {
        for open in 0..1 << count {
            (0..1 << count).for_each(|masks| and_of_bits(count, open, masks));
        }
    }
}
