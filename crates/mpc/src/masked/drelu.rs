//! DReLU: the masked bit \[x >= 0\], for -2^(b-1) <= x < 2^(b-1), in three rounds.
//!
//! Worked out in docs/masked.md. M = m mod 2^b, l = (l_0 + l_1) mod 2^b; low: the b - 1 lower bits, top: bit b - 1.
//! sign = M_top XOR l_top XOR \[M_low < l_low\].
//!
//! Chunks of 4 bits from bit 0; the last has (b - 1) mod 4 bits if that is not 0.
//! - ahead of time, P2: for each chunk of l_low its one-hot word, XOR-shared: P1's share from k12, P0's sent.
//! - round 1: v = the chunk of M; P_i (equal) = bit v of the share, G_i (M < l) = parity of the bits above v; opened under masks. The
//!   lowest P is never used.
//! - round 2: groups of four chunks from the top: G = G3 + P3 G2 + P3 P2 G1 + P3 P2 P1 G0, P = P3 P2 P1 P0 (and.rs); the lowest
//!   group has no P. round 3: the same G over the groups.
//! - The last opening gives o = borrow XOR mu. m_b = 1 XOR M_top XOR o, l_b = l_top XOR mu, which P2 knows: no share of l_top is dealt.
//!
//! Round 1 also carries the lift of x, where it waits for one and b <= 64 - f: the bits that are open are not looked at.
//!
//! |        | rounds | bits an element ahead of time | bits an element in the rounds |
//! |--------|--------|-------------------------------|-------------------------------|
//! | b = 64 | 3      | 344                           | 78                            |
//! | b = 40 | 3      | 202                           | 50                            |
//! | b = 29 | 3      | 140                           | 34                            |

use super::Bit;
use super::and::{Formula, Vars, evaluate, masks};
use super::deal::{Deal, Of};
use super::lift::{finish, lift, send, waiting};
use super::share::{Share, elements};
use crate::round::Beside;
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use trefoil_ring::planes;

/// The chunks of a comparison of `low` bits: how many bits each has, from the lowest.
pub fn chunks(low: u8) -> Vec<u8> {
    (0..low.div_ceil(4)).map(|i| (low - 4 * i).min(4)).collect()
}

/// For `n` elements of width b; a lift on the way is apart.
pub const fn cost(n: usize, b: u8) -> Price {
    borrow_cost(n, b - 1)
}

/// The same for the borrow of `low` bits alone: the top bit costs nothing.
pub const fn borrow_cost(n: usize, low: u8) -> Price {
    let low = low as u64;
    let (chunks, rest) = (low.div_ceil(4), low % 4);
    let onehot = 16 * (low / 4) + if rest > 0 { 1 << rest } else { 0 };
    let groups = chunks.div_ceil(4);
    // Distinct products of masks: for G and P of a full group, and for G alone of one to four.
    const BOTH: u64 = 22;
    const ALONE: [u64; 4] = [0, 1, 5, 15];
    let products = (groups - 1) * BOTH + ALONE[(chunks - 4 * (groups - 1)) as usize - 1] + ALONE[groups as usize - 1];
    let opened = (2 * chunks - 1) + (2 * groups - 1) + 1;
    let plane = 8 * n.div_ceil(64) as u64;
    Price::of(3, [plane * onehot, plane * products], plane * 2 * opened)
}

/// \[x >= 0\] for each x with its width b, 2 <= b <= 64, all in the same three rounds. `riders` are shares whose lift travels along.
///
/// # Errors
/// Those of the network.
pub fn drelu(p: &mut Party, xs: &[(&Share, u8)], riders: &[Share]) -> Result<Vec<Bit>> {
    drelu_beside(p, xs, riders, &mut ())
}

/// The same, with `beside` in its three rounds.
///
/// # Errors
/// Those of the network.
pub fn drelu_beside(p: &mut Party, xs: &[(&Share, u8)], riders: &[Share], beside: &mut impl Beside) -> Result<Vec<Bit>> {
    let first: Vec<&Share> = xs.iter().filter(|(x, b)| x.pending().is_some_and(|l| *b > 64 - l.f)).map(|(x, _)| *x).collect();
    lift(p, &first)?;
    let low: Vec<_> = xs.iter().map(|(x, b)| (*x, b - 1)).collect();
    let borrow = borrow(p, &low, riders, beside)?;
    Ok(xs.iter().zip(borrow).map(|((x, b), o)| final_bit(p.id, x, *b, &o)).collect())
}

/// \[m mod 2^k < l mod 2^k\] for each x with its k, 1 <= k <= 63, as a bit under a mask: what x mod 2^k borrows when l is taken from m.
/// No x waits for any of its k lower bits.
///
/// # Errors
/// Those of the network.
pub(crate) fn borrow(p: &mut Party, xs: &[(&Share, u8)], riders: &[Share], beside: &mut impl Beside) -> Result<Vec<Vars>> {
    let op = p.op();
    let lifts = waiting(xs.iter().map(|(x, _)| *x).chain(riders));
    let onehot = deal_onehot(p, op, xs)?;
    let width = |x: &Share| planes::words(x.len());
    // Variables of a comparison: G of each chunk, then P of each but the lowest.
    let count = |low: u8| 2 * chunks(low).len() - 1;
    let mu = masks(p, op, xs.iter().map(|(x, low)| count(*low) * width(x)))?;
    let vars: Vec<Vars> = if p.id == Id::P2 {
        finish(None, &lifts)?;
        beside.send(p)?;
        beside.receive(p)?;
        mu.into_iter().map(|mu| Vars { open: vec![], mu }).collect()
    } else {
        let peer = p.peer();
        let own: Vec<Vec<u64>> =
            xs.iter().zip(&onehot).zip(&mu).map(|(((x, low), s), mu)| compare_chunks(x, *low, s, mu)).collect();
        let round = own.iter().fold(p.round(op, "masked.drelu.open"), |round, own| round.send(peer, Part::words(own)));
        let sent = send(round, peer, &lifts).sent()?;
        beside.send(p)?;
        let mut round = p.receive(sent);
        let mut vars = vec![];
        for (own, mu) in own.into_iter().zip(mu) {
            let theirs = round.words(peer, own.len())?;
            vars.push(Vars { open: own.iter().zip(theirs).map(|(a, b)| a ^ b).collect(), mu });
        }
        finish(Some((&mut round, peer)), &lifts)?;
        drop(round);
        beside.receive(p)?;
        vars
    };
    let formulas: Vec<(Formula, Formula)> =
        xs.iter().map(|(_, low)| (groups(chunks(*low).len()), last(chunks(*low).len().div_ceil(4)))).collect();
    let jobs: Vec<_> = vars.into_iter().zip(&formulas).zip(xs).map(|((v, (groups, _)), (x, _))| (v, groups, x.len())).collect();
    let grouped = evaluate(p, &jobs, beside)?;
    let jobs: Vec<_> = grouped.into_iter().zip(&formulas).zip(xs).map(|((v, (_, last)), (x, _))| (v, last, x.len())).collect();
    evaluate(p, &jobs, beside)
}

/// G of each group of four chunks from the top, then P of each group but the lowest; variables as in `drelu`.
fn groups(chunks: usize) -> Formula {
    let p = |i: usize| chunks + i - 1;
    let mut bounds = vec![];
    let mut hi = chunks;
    while hi > 0 {
        bounds.push((hi.saturating_sub(4), hi));
        hi = hi.saturating_sub(4);
    }
    bounds.reverse();
    let g = |&(lo, hi): &(usize, usize)| (lo..hi).rev().map(|j| [vec![j], (j + 1..hi).map(p).collect()].concat()).collect();
    let all_equal = |&(lo, hi): &(usize, usize)| vec![(lo..hi).map(p).collect()];
    bounds.iter().map(g).chain(bounds.iter().skip(1).map(all_equal)).collect()
}

/// G over the groups.
fn last(groups: usize) -> Formula {
    let p = |i: usize| groups + i - 1;
    vec![(0..groups).rev().map(|j| [vec![j], (j + 1..groups).map(p).collect()].concat()).collect()]
}

/// For each x the servers' shares of the one-hot planes of all its chunks; empty at P2, which deals them.
fn deal_onehot(p: &mut Party, op: Op, xs: &[(&Share, u8)]) -> Result<Vec<Vec<u64>>> {
    let label = "masked.drelu.deal";
    let lengths: Vec<usize> =
        xs.iter().map(|(x, low)| chunks(*low).iter().map(|c| 1usize << c).sum::<usize>() * planes::words(x.len())).collect();
    let id = p.id;
    let mut deal = Deal::open(p, op, label, &[("masked.drelu.onehot_1", Pair::K12)])?;
    if id != Id::P2 {
        return lengths.iter().map(|n| deal.take(0, *n, Of::Words)).collect();
    }
    for ((x, low), n) in xs.iter().zip(lengths) {
        let width = planes::words(x.len());
        let l = x.full_mask();
        let bits = planes::split(elements(l.as_ref()), usize::from(*low));
        deal.give(0, n, Of::Words, |mut shares| {
            for (i, chunk) in chunks(*low).into_iter().enumerate() {
                let (planes, rest) = shares.split_at_mut((1 << chunk) * width);
                xor_onehot(planes, &bits[4 * i * width..], chunk, width);
                shares = rest;
            }
        });
    }
    deal.done()?;
    Ok(vec![vec![]; xs.len()])
}

/// XORs the one-hot planes of a chunk's value into `out`.
fn xor_onehot(out: &mut [u64], bits: &[u64], chunk: u8, width: usize) {
    for k in 0..width {
        let mut hot = [u64::MAX; 16];
        for i in 0..usize::from(chunk) {
            let bit = bits[i * width + k];
            for v in 0..1 << i {
                hot[v | 1 << i] = hot[v] & bit;
                hot[v] &= !bit;
            }
        }
        for (v, hot) in hot.iter().take(1 << chunk).enumerate() {
            out[v * width + k] ^= hot;
        }
    }
}

/// A server's shares of G of each chunk, then of P of each but the lowest, under their masks.
fn compare_chunks(x: &Share, low: u8, onehot: &[u64], mu: &[u64]) -> Vec<u64> {
    let width = planes::words(x.len());
    let bits = planes::split(elements(x.m()), usize::from(low));
    let chunks = chunks(low);
    let mut out = mu.to_vec();
    let (g, p) = out.split_at_mut(chunks.len() * width);
    let mut s = onehot;
    for (i, chunk) in chunks.into_iter().enumerate() {
        let size = 1usize << chunk;
        let (planes, rest) = s.split_at(size * width);
        let bits = &bits[4 * i * width..];
        let g = &mut g[i * width..(i + 1) * width];
        let p = if i == 0 { &mut [] } else { &mut p[(i - 1) * width..i * width] };
        compare_chunk(planes, bits, chunk, width, g, p);
        s = rest;
    }
    out
}

/// One chunk: P = bit v of the one-hot word, G = parity of the bits above v, for v the chunk of M; as a tree of multiplexers.
fn compare_chunk(onehot: &[u64], bits: &[u64], chunk: u8, width: usize, g: &mut [u64], p: &mut [u64]) {
    for k in 0..width {
        let size = 1usize << chunk;
        let (mut equal, mut above) = ([0u64; 16], [0u64; 16]);
        let mut parity = 0;
        for v in (0..size).rev() {
            equal[v] = onehot[v * width + k];
            above[v] = parity;
            parity ^= equal[v];
        }
        let mut left = size / 2;
        for i in 0..usize::from(chunk) {
            let bit = bits[i * width + k];
            for v in 0..left {
                equal[v] = equal[2 * v] ^ (bit & (equal[2 * v] ^ equal[2 * v + 1]));
                above[v] = above[2 * v] ^ (bit & (above[2 * v] ^ above[2 * v + 1]));
            }
            left /= 2;
        }
        g[k] ^= above[0];
        if let Some(p) = p.get_mut(k) {
            *p ^= equal[0];
        }
    }
}

/// m_b = 1 XOR M_top XOR o at the servers, l_b = l_top XOR mu at P2.
fn final_bit(id: Id, x: &Share, b: u8, o: &Vars) -> Bit {
    let top = |x: &[u64]| planes::pack(&x.iter().map(|v| v >> (b - 1)).collect::<Vec<_>>());
    let plane = match id {
        Id::P2 => top(elements(x.full_mask().as_ref())).iter().zip(&o.mu).map(|(l, mu)| l ^ mu).collect(),
        _ => top(elements(x.m())).iter().zip(&o.open).map(|(m, o)| !(m ^ o)).collect(),
    };
    Bit::new(x.shape, plane)
}
