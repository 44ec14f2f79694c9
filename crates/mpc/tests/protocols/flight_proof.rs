//! The proof of docs/masked.md on values in flight, checked by counting: on the functions that the protocols call (`flight.rs`) at small widths,
//! and on the protocols themselves in a ring of eight elements. Over all that a server does not know, what it sees is equally often every value,
//! whatever the secret is; and what comes out is the floor or the ceiling, without bias.

use crate::common::views::{alike, received};
use std::sync::Arc;
use trefoil_mpc::flight::{Opening, low, masks_of_bit, masks_of_word, of_word};
use trefoil_mpc::masked::powers::{Flying, Polynomial, evaluate};
use trefoil_mpc::masked::{Bit, Share};
use trefoil_mpc::prg::BLOCK;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Id, Party, Result};

#[test]
fn what_is_opened_is_floor_or_ceiling_without_bias() {
    for opening in [Opening { k: 7, f: 1 }, Opening { k: 7, f: 2 }, Opening { k: 8, f: 4 }] {
        let (k, f, most) = (opening.k, opening.f, 1 << opening.bits());
        for z in 1 - (1i128 << (k - 3))..1 << (k - 3) {
            let mut total = 0;
            for z_0 in 0..1 << k {
                for (l_0, l_1) in (0..most).flat_map(|a| [(a, 5 % most), (a, most - 1)]) {
                    let z_1 = low((z as u128).wrapping_sub(z_0), k);
                    let (m, w) = opening.joined(opening.half(z_0, l_0, true) + opening.half(z_1, l_1, false));
                    // An equation between integers: no ring is left.
                    let t = m.wrapping_sub(opening.masks(l_0, l_1)[w as usize]) as i128;
                    assert!(t == z >> f || t == -(-z >> f), "{z} in {opening:?}: {t}");
                    total += (t << f) - z;
                }
            }
            assert_eq!(total, 0, "mean error of {z} in {opening:?}");
        }
    }
}

#[test]
fn a_server_sees_every_half_equally_often() {
    let opening = Opening { k: 6, f: 2 };
    for (z, known) in (-7i128..8).flat_map(|z| (0..1u128 << 6).map(move |known| (z, known))) {
        for first in [true, false] {
            let mut seen = [0; 1 << 4];
            let share = low((z as u128).wrapping_sub(known), 6);
            (0..1 << 4).for_each(|l| seen[opening.half(share, l, first) as usize] += 1);
            assert_eq!(seen, [1; 1 << 4], "{z}");
        }
    }
}

#[test]
fn words_and_bits_take_off_as_they_are() {
    let x = [0, 1, -1, 77, (1i64 << 62) - 1, -1 << 62];
    let masks = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 0x9e37_79b9_7f4a_7c15];
    for (x, l) in x.into_iter().flat_map(|x| masks.map(|l| (x, l))) {
        let (m, w) = of_word((x as u64).wrapping_add(l));
        assert_eq!(m.wrapping_sub(masks_of_word(l)[w as usize]) as i128, i128::from(x), "{x} under {l}");
    }
    for (b, l) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let m = b ^ l;
        assert_eq!(u128::from(m).wrapping_sub(masks_of_bit(l)[m as usize]), u128::from(b));
    }
}

/// Draws that take all values, side by side: label, operation, the bits of an element's number, and how many numbers of the draw each element has.
struct All {
    draws: Vec<(&'static str, u32, u8, usize)>,
    n: usize,
}

impl Tap for All {
    fn block(&self, draw: &Draw, _: &[u8; 32], index: u64, bytes: &mut [u8]) {
        bytes.fill(0x5a);
        let mut first = 0;
        for (label, op, bits, count) in &self.draws {
            if (draw.label, draw.at.op) == (*label, *op) {
                for (i, word) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
                    let at = index as usize * (BLOCK / 8) + i;
                    let (number, e) = (at / self.n, at % self.n);
                    let shift = first + usize::from(*bits) * number;
                    *word = ((e as u64).checked_shr(shift as u32).unwrap_or(0)).to_le_bytes();
                }
            }
            first += usize::from(*bits) * count;
        }
    }
}

/// Runs `program` in which `party` does not know `draws`: all that it receives, as one number, occurs once for all their values.
fn every_view_once(
    party: Id,
    draws: &[(&'static str, u32, u8, usize)],
    program: impl Fn(&mut Party, usize) -> Result<()> + Sync,
) {
    let bits: usize = draws.iter().map(|(_, _, bits, count)| usize::from(*bits) * count).sum();
    let n = 1usize << bits;
    let tap: Arc<dyn Tap> = Arc::new(All { draws: draws.to_vec(), n });
    let mut seen = vec![0u64; n];
    let mut width = 0;
    for field in received(party, &tap, &|p| program(p, n)) {
        // Words of the ring of eight elements have three bits.
        let bits = if let trefoil_net::Ring::Bits(k) = field.ring { k } else { 3 };
        for part in field.values.chunks(n) {
            seen.iter_mut().zip(part).for_each(|(seen, v)| *seen |= v << width);
            width += usize::from(bits);
        }
    }
    assert_eq!(width, bits, "{party} receives as many bits as there are");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), n, "{party}: some view occurs twice");
}

/// A value under known masks, the same for all elements.
fn share(id: Id, n: usize, x: i64) -> Share {
    let (l_0, l_1) = (0x1234_5678_9abc_def0_u64, 0xfedc_ba98_7654_3210_u64);
    alike(id, n, (x as u64).wrapping_add(l_0).wrapping_add(l_1), [l_0, l_1])
}

const SHARE: &str = "masked.powers.share_1";
const RING: u8 = 3;
/// Bits of an opening there, cut by one.
const OPEN: u8 = RING - 1;

fn both_servers(dealt: &[(u32, usize)], program: impl Fn(&mut Party, usize) -> Result<()> + Sync) {
    let of_p0: Vec<_> =
        dealt.iter().flat_map(|(op, words)| [(SHARE, *op, RING, *words), ("masked.powers.l_1", *op, OPEN, 1)]).collect();
    every_view_once(Id::P0, &of_p0, &program);
    let of_p1: Vec<_> = dealt.iter().map(|(op, _)| ("masked.powers.l_0", *op, OPEN, 1)).collect();
    every_view_once(Id::P1, &of_p1, &program);
}

#[test]
fn every_view_of_a_polynomial_occurs_once() {
    for x in [0, 1, -1, 3, -100] {
        // Both values of w have words of their own: two powers, twice.
        both_servers(&[(1, 4)], |p, n| {
            let x = Flying::of(p.id, &share(p.id, n, x));
            evaluate(p, RING, &[&x], &[Polynomial(vec![([0, 0], 5), ([1, 0], 2), ([2, 0], 3)])], 1).map(drop)
        });
        // One opened number goes into the next polynomial.
        both_servers(&[(1, 2), (2, 2)], |p, n| {
            let x = Flying::of(p.id, &share(p.id, n, x));
            let y = evaluate(p, RING, &[&x], &[Polynomial(vec![([1, 0], 3)])], 1)?.swap_remove(0);
            evaluate(p, RING, &[&y], &[Polynomial(vec![([0, 0], 1), ([1, 0], 1)])], 1).map(drop)
        });
    }
}

#[test]
fn products_of_a_bit_and_a_number_are_right() {
    // In an ordinary ring, over both values of both w: masks are drawn, and differ from element to element.
    let n = 1000;
    let runs = trefoil_mpc::simulate(1, |p| {
        let bits = |plane: u64| Bit::new([1, n], vec![plane; trefoil_ring::planes::words(n)]);
        let b = Flying::of_bits(p.id, &if p.id == Id::P2 { bits(0x0f0f) } else { bits(0x3333) });
        let x = Flying::of(p.id, &share(p.id, n, 12_345));
        let y = evaluate(p, 64, &[&x], &[Polynomial::power(2)], 1)?.swap_remove(0);
        let z = evaluate(p, 64, &[&y, &b], &[Polynomial(vec![([1, 1], 4)])], 2)?.swap_remove(0);
        Ok(z.parts())
    });
    let [p0, p1, p2] = runs.map(|run| run.unwrap().0);
    assert_eq!((&p0.0, &p0.1), (&p1.0, &p1.1));
    for e in 0..n {
        let z = p0.0[e].wrapping_sub(p2.2[p0.1[e] as usize][e]) as i128;
        let (square, bit) = (12_345i128 * 12_345, i128::from((0x0f0f_u64 ^ 0x3333) >> (e % 64) & 1));
        let floor = bit * (square >> 1);
        assert!(z >= floor - 1 && z <= floor + 2, "{z} where {bit} times half of {square} was to come");
    }
}
