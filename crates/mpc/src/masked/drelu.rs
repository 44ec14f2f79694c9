//! DReLU: the masked bit \[x >= 0\], for -2^(b-1) <= x < 2^(b-1), in three rounds, or in fewer where there is little to compare.
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
//! Wider chunks are fewer, and all of them can be joined in one round: two rounds in all, for more that is dealt; and where one chunk has all bits,
//! its G is the borrow, after one round. `Layout` is the choice, made by what the rounds and the bytes [weigh](Price::weight).
//!
//! Round 1 also carries the lift of x, where it waits for one and b <= 64 - f: the bits that are open are not looked at. A narrow x stays narrow, if that leaves b bits.
//!
//! |        | rounds         | bits an element ahead of time | bits an element in the rounds |
//! |--------|----------------|-------------------------------|-------------------------------|
//! | b = 64 | 3              | 344                           | 78                            |
//! | b = 40 | 3              | 202                           | 50                            |
//! |        | 2, chunks of 6 | 569                           | 28                            |
//! | b = 29 | 3              | 140                           | 34                            |
//! |        | 2, chunks of 5 | 251                           | 24                            |

use super::Bit;
use super::and::{Formula, Vars, evaluate, masks};
use super::deal::{Deal, Of};
use super::lift::{finish, lift, ready, send};
use super::matrix::elements;
use super::share::Share;
use crate::round::Beside;
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use std::sync::OnceLock;
use trefoil_ring::planes;

/// How the comparison of some bits is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Bits of a chunk, 1 to 7.
    pub chunk: u8,
    /// 1: there is one chunk. 2: all chunks are joined at once, up to nine. 3: they are joined in groups of four, and then the groups; up to 16.
    pub rounds: u8,
}

impl Layout {
    /// For each comparison of so many elements and bits, all in the same rounds: what weighs least.
    pub fn best(sizes: &[(usize, u8)]) -> Vec<Layout> {
        let all = (1..=3).filter_map(|rounds| Layout::in_rounds(rounds, sizes));
        all.min_by_key(|layouts| of_layouts(layouts, sizes).weight()).unwrap_or_default()
    }

    /// The same in a given number of rounds, if it can be done in so few.
    fn in_rounds(rounds: u8, sizes: &[(usize, u8)]) -> Option<Vec<Layout>> {
        let of = |&(n, low): &(usize, u8)| {
            let chunks = if rounds == 3 { 4..=4 } else { 4..=7 };
            let some = chunks.map(|chunk| Layout { chunk, rounds }).filter(|layout| layout.serves(low));
            // Of as many rounds the fewest bytes on all links.
            some.min_by_key(|layout| layout.cost(n, low).bytes())
        };
        sizes.iter().map(of).collect()
    }

    /// Whether so many bits can be compared in this way.
    pub fn serves(self, low: u8) -> bool {
        usize::from(low.div_ceil(self.chunk)) <= [1, 9, 16][usize::from(self.rounds) - 1]
    }

    /// How many bits each chunk has, from the lowest.
    pub(super) fn chunks(self, low: u8) -> Vec<u8> {
        (0..low.div_ceil(self.chunk)).map(|i| (low - self.chunk * i).min(self.chunk)).collect()
    }

    /// What the rounds after the first evaluate.
    pub(super) fn levels(self, low: u8) -> Vec<&'static Formula> {
        let chunks = usize::from(low.div_ceil(self.chunk));
        match self.rounds {
            1 => vec![],
            2 => vec![joined(chunks)],
            _ => vec![groups(chunks), joined(chunks.div_ceil(4))],
        }
    }

    fn cost(self, n: usize, low: u8) -> Price {
        let plane = 8 * n.div_ceil(64) as u64;
        let chunks = self.chunks(low);
        let onehot: u64 = chunks.iter().map(|chunk| 1 << chunk).sum();
        let first = Price::of(1, [plane * onehot, 0], plane * 2 * (2 * chunks.len() as u64 - 1));
        self.levels(low).iter().fold(first, |sum, level| sum.then(level.cost(n)))
    }
}

fn of_layouts(layouts: &[Layout], sizes: &[(usize, u8)]) -> Price {
    Price::at_once(layouts.iter().zip(sizes).map(|(layout, (n, low))| layout.cost(*n, *low)))
}

/// For `n` elements of width b; a lift on the way is apart.
pub fn cost(n: usize, b: u8) -> Price {
    borrow_cost(n, b - 1)
}

/// The same for the borrow of `low` bits alone: the top bit costs nothing.
pub fn borrow_cost(n: usize, low: u8) -> Price {
    costs(&[(n, low)])
}

/// The same for several, each of so many elements and bits, in the same rounds.
pub fn costs(sizes: &[(usize, u8)]) -> Price {
    of_layouts(&Layout::best(sizes), sizes)
}

/// For `n` elements of width b, where other messages need three rounds.
pub fn cost_beside(n: usize, b: u8) -> Price {
    Layout { chunk: 4, rounds: 3 }.cost(n, b - 1)
}

/// \[x >= 0\] for each x with its width b, 2 <= b <= 64, all in the same rounds. `riders` are shares whose lift travels along.
///
/// # Errors
/// Those of the network.
pub fn drelu(p: &mut Party, xs: &[(&Share, u8)], riders: &[Share]) -> Result<Vec<Bit>> {
    // Lanes do what is best for the whole batch, all of them the same.
    let sizes: Vec<_> = xs.iter().map(|(x, b)| (x.len() * p.drawing().of, b - 1)).collect();
    laid_out(p, xs, &Layout::best(&sizes), riders, &mut ())
}

/// The same in three rounds, with `beside` in them.
///
/// # Errors
/// Those of the network.
pub fn drelu_beside(p: &mut Party, xs: &[(&Share, u8)], beside: &mut impl Beside) -> Result<Vec<Bit>> {
    laid_out(p, xs, &vec![Layout { chunk: 4, rounds: 3 }; xs.len()], &[], beside)
}

/// The same, each laid out as given, all in as many rounds.
///
/// # Errors
/// Those of the network.
pub fn laid_out(
    p: &mut Party,
    xs: &[(&Share, u8)],
    layouts: &[Layout],
    riders: &[Share],
    beside: &mut impl Beside,
) -> Result<Vec<Bit>> {
    let first: Vec<&Share> = xs.iter().filter(|(x, b)| x.pending().is_some_and(|l| *b > 64 - l.f)).map(|(x, _)| *x).collect();
    lift(p, &first)?;
    let low: Vec<_> = xs.iter().map(|(x, b)| (*x, b - 1)).collect();
    let borrow = borrow(p, &low, layouts, riders, beside)?;
    Ok(xs.iter().zip(borrow).map(|((x, b), o)| final_bit(p.id, x, *b, &o)).collect())
}

/// \[m mod 2^k < l mod 2^k\] for each x with its k, 1 <= k <= 63, as a bit under a mask: what x mod 2^k borrows when l is taken from m.
/// No x waits for any of its k lower bits.
///
/// # Errors
/// Those of the network.
pub(crate) fn borrow(
    p: &mut Party,
    xs: &[(&Share, u8)],
    layouts: &[Layout],
    riders: &[Share],
    beside: &mut impl Beside,
) -> Result<Vec<Vars>> {
    let lifts = ready(p, xs.iter().map(|(x, _)| *x).filter(|x| x.narrow_bits().is_none()).chain(riders))?;
    let op = p.op();
    let xs: Vec<Compared<'_>> =
        xs.iter().zip(layouts).map(|((x, low), layout)| Compared { x, low: *low, chunks: layout.chunks(*low) }).collect();
    let onehot = deal_onehot(p, op, &xs)?;
    let mu = masks(p, op, xs.iter().map(|x| [x.opened(), x.x.len()]))?;
    let mut vars: Vec<Vars> = if p.id == Id::P2 {
        finish(None, &lifts)?;
        beside.send(p)?;
        beside.receive(p)?;
        mu.into_iter().map(|mu| Vars { open: vec![], mu }).collect()
    } else {
        let peer = p.peer();
        let own: Vec<Vec<u64>> = xs.iter().zip(&onehot).zip(&mu).map(|((x, s), mu)| compare_chunks(x, s, mu)).collect();
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
    let levels: Vec<Vec<&Formula>> = xs.iter().zip(layouts).map(|(x, layout)| layout.levels(x.low)).collect();
    for level in 0..levels.first().map_or(0, Vec::len) {
        let jobs: Vec<_> = vars.into_iter().zip(&levels).zip(&xs).map(|((v, levels), x)| (v, levels[level], x.x.len())).collect();
        vars = evaluate(p, &jobs, beside)?;
    }
    Ok(vars)
}

/// A number whose `low` lower bits are compared, in chunks.
pub(super) struct Compared<'a> {
    pub x: &'a Share,
    pub low: u8,
    pub chunks: Vec<u8>,
}

impl Compared<'_> {
    /// Words of a plane.
    pub fn width(&self) -> usize {
        planes::words(self.x.len())
    }

    /// How many planes are opened: G of each chunk, then P of each but the lowest.
    pub fn opened(&self) -> usize {
        2 * self.chunks.len() - 1
    }
}

/// G of each group of four chunks from the top, then P of each group but the lowest; variables as they are opened.
fn groups(chunks: usize) -> &'static Formula {
    static ALL: [OnceLock<Formula>; 17] = [const { OnceLock::new() }; 17];
    ALL[chunks].get_or_init(|| {
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
        Formula::of(bounds.iter().map(g).chain(bounds.iter().skip(1).map(all_equal)).collect())
    })
}

/// G over some chunks or groups.
fn joined(parts: usize) -> &'static Formula {
    static ALL: [OnceLock<Formula>; 10] = [const { OnceLock::new() }; 10];
    ALL[parts].get_or_init(|| {
        let p = |i: usize| parts + i - 1;
        Formula::of(vec![(0..parts).rev().map(|j| [vec![j], (j + 1..parts).map(p).collect()].concat()).collect()])
    })
}

/// For each x the servers' shares of the one-hot planes of all its chunks; empty at P2, which deals them.
fn deal_onehot(p: &mut Party, op: Op, xs: &[Compared<'_>]) -> Result<Vec<Vec<u64>>> {
    let label = "masked.drelu.deal";
    let lengths: Vec<usize> = xs.iter().map(|x| x.chunks.iter().map(|c| 1usize << c).sum::<usize>() * x.width()).collect();
    let id = p.id;
    let mut deal = Deal::open(p, op, label, &[("masked.drelu.onehot_1", Pair::K12)])?;
    if id != Id::P2 {
        return lengths.iter().map(|n| deal.take(0, *n, Of::Words)).collect();
    }
    for (x, n) in xs.iter().zip(lengths) {
        let (width, [l_0, l_1]) = (x.width(), x.x.masks());
        let bits = planes::split_sum(l_0, l_1, usize::from(x.low));
        deal.give(0, n, Of::Words, |mut shares| {
            let mut bits = &bits[..];
            for &chunk in &x.chunks {
                let (planes, rest) = shares.split_at_mut((1 << chunk) * width);
                let (of_chunk, above) = bits.split_at(usize::from(chunk) * width);
                match chunk {
                    ..=4 => xor_onehot::<16>(planes, of_chunk, chunk, width),
                    _ => xor_onehot::<128>(planes, of_chunk, chunk, width),
                }
                (shares, bits) = (rest, above);
            }
        });
    }
    deal.done()?;
    Ok(vec![vec![]; xs.len()])
}

/// XORs the one-hot planes of a chunk's value, one of at most `N`, into `out`.
pub(super) fn xor_onehot<const N: usize>(out: &mut [u64], bits: &[u64], chunk: u8, width: usize) {
    for k in 0..width {
        let mut hot = [u64::MAX; N];
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
pub(super) fn compare_chunks(x: &Compared<'_>, onehot: &[u64], mu: &[u64]) -> Vec<u64> {
    let width = x.width();
    let bits = planes::split(elements(x.x.m()), usize::from(x.low));
    let mut out = mu.to_vec();
    let (g, p) = out.split_at_mut(x.chunks.len() * width);
    let (mut s, mut bits) = (onehot, &bits[..]);
    for (i, &chunk) in x.chunks.iter().enumerate() {
        let (planes, rest) = s.split_at((1 << chunk) * width);
        let (of_chunk, above) = bits.split_at(usize::from(chunk) * width);
        let g = &mut g[i * width..(i + 1) * width];
        let p = if i == 0 { &mut [] } else { &mut p[(i - 1) * width..i * width] };
        match chunk {
            ..=4 => compare_chunk::<16>(planes, of_chunk, chunk, width, g, p),
            _ => compare_chunk::<128>(planes, of_chunk, chunk, width, g, p),
        }
        (s, bits) = (rest, above);
    }
    out
}

/// One chunk of at most `N` values: P = bit v of the one-hot word, G = parity of the bits above v, for v the chunk of M; as a tree of multiplexers.
fn compare_chunk<const N: usize>(onehot: &[u64], bits: &[u64], chunk: u8, width: usize, g: &mut [u64], p: &mut [u64]) {
    for k in 0..width {
        let size = 1usize << chunk;
        let (mut equal, mut above) = ([0u64; N], [0u64; N]);
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
    let plane = match id {
        Id::P2 => {
            let [l_0, l_1] = x.masks();
            let top = planes::of_bit(l_0.iter().zip(l_1).map(|(l_0, l_1)| l_0.wrapping_add(*l_1)), b - 1);
            top.iter().zip(&o.mu).map(|(l, mu)| l ^ mu).collect()
        }
        _ => {
            let top = planes::of_bit(elements(x.m()).iter().copied(), b - 1);
            top.iter().zip(&o.open).map(|(m, o)| !(m ^ o)).collect()
        }
    };
    Bit::new(x.shape, plane)
}
