//! DReLU of which every message is proven: the bit \[x >= 0\] with a shared mask, for -2^(b-1) <= x < 2^(b-1), in three rounds, or in fewer where there is little to compare.
//!
//! Rounds and openings are those of [`drelu`](super::super::drelu), with the same layouts. What is dealt differs: not one-hot words, which are products of many bits, but bits of l = l_0 + l_1 and their products
//! one after the other, so that each is a claim of two products. A_i and B_i are the bits of l_0 and l_1, k_i what is carried into bit i, k_0 = 0.
//!
//! | | message | bits |
//! |---|---|---|
//! | P2 to P1, ahead | k_i1 for i = 1 to b - 1: the exclusive or with k_i0, from k02, is k_i. So both have shares of bit i of l, A_i XOR k_i0 and B_i XOR k_i1 | b - 1 |
//! | | of each chunk of c bits the products of two or more of its bits of l, shared in the same way | 2^c - 1 - c |
//! | P_j to the other server | G and P of the chunks, from shares of one-hot words: the share of word u is the sum of those of the products over all supersets of u | |
//!
//! | proves | claims, of which the first verifier knows the first factor of each product | first, second |
//! |---|---|---|
//! | P2 | k_i + k_(i+1) = (A_i + k_i)(B_i + k_i): the products B_i + k_i1 with A_i + k_i0, and k_i1 with k_i0 | P1, P0 |
//! | P2 | the product over S of a chunk's bits is that over S without its last one, times that ([`and`](super::and)) | P1, P0 |
//! | P_j | an opened bit is the sum over u of \[v = u\] (of P) or \[u > v\] (of G) times P_j's share of word u, plus its mask, where v is the chunk of M that both servers know | the other server, P2 |
//!
//! The other rounds are formulas of [`and`](super::and). The result has m_b = 1 XOR M_top XOR o and l_bj = l_top,j XOR mu_j.
//!
//! **Private**, whatever a party has sent before: what P1 is dealt is hidden by P0's shares, and an opened bit by a mask that its receiver knows half of. Counted in full in `crates/mpc/tests/protocols/proven_bits.rs`.

use super::super::and::Formula;
use super::super::deal::{Deal, Kind};
use super::super::drelu::{Compared, Layout, compare_chunks, xor_onehot};
use super::super::matrix::elements;
use super::super::share::Share;
use super::and::{Vars, claim_ands, claim_opened, evaluate, exclusive, give, masks};
use super::bit::Shared;
use super::{Bit, exchanged};
use crate::{Error, Id, Op, Pair, Party, Price, Result};
use trefoil_ring::planes;

const DEAL: &str = "verified.drelu.deal";
const OPEN: &str = "verified.drelu.open";
const KINDS: [Kind; 2] = [("verified.drelu.carry_0", Pair::K02), ("verified.drelu.monomial_0", Pair::K02)];
const CARRY: usize = 0;
const MONOMIAL: usize = 1;

/// For several, each of so many elements and of width b, in the same rounds.
pub fn costs(sizes: &[(usize, u8)]) -> Price {
    let low: Vec<_> = sizes.iter().map(|(n, b)| (*n, b - 1)).collect();
    let of = |((n, low), layout): (&(usize, u8), Layout)| {
        let plane = 8 * planes::words(*n) as u64;
        let chunks = layout.chunks(*low);
        let dealt = u64::from(*low) + chunks.iter().map(|chunk| (1 << chunk) - 1 - u64::from(*chunk)).sum::<u64>();
        let first = Price::of(1, [0, plane * dealt], plane * 2 * (2 * chunks.len() as u64 - 1));
        layout.levels(*low).iter().fold(first, |sum, level| sum.then(level.cost(*n)))
    };
    Price::at_once(low.iter().zip(Layout::best(&low)).map(of))
}

/// \[x >= 0\] for each x with its width b, 2 <= b <= 64, all in the same rounds, with its claims.
///
/// # Errors
/// Those of the network; [`Error::Unproven`] if a number waits for a lift.
pub fn drelu(p: &mut Party, xs: &[(&Share, u8)]) -> Result<Vec<Bit>> {
    let sizes: Vec<_> = xs.iter().map(|(x, b)| (x.len(), b - 1)).collect();
    laid_out(p, xs, &Layout::best(&sizes))
}

/// The same, each laid out as given, all in as many rounds.
///
/// # Errors
/// As for [`drelu`].
pub fn laid_out(p: &mut Party, xs: &[(&Share, u8)], layouts: &[Layout]) -> Result<Vec<Bit>> {
    let op = p.op();
    if xs.iter().any(|(x, _)| x.pending().is_some()) {
        return Err(Error::Unproven { at: p.at(op), what: "a comparison of numbers that wait for a lift" });
    }
    let all: Vec<Compared<'_>> =
        xs.iter().zip(layouts).map(|((x, b), layout)| Compared { x, low: b - 1, chunks: layout.chunks(b - 1) }).collect();
    let dealt = deal(p, op, &all)?;
    let mu = masks(p, op, all.iter().map(|x| [x.opened(), x.x.len()]))?;
    let mut vars = open(p, op, &all, &dealt, mu)?;
    let levels: Vec<Vec<&Formula>> = all.iter().zip(layouts).map(|(x, layout)| layout.levels(x.low)).collect();
    for level in 0..levels.first().map_or(0, Vec::len) {
        let jobs: Vec<_> =
            vars.into_iter().zip(&levels).zip(&all).map(|((v, levels), x)| (v, levels[level], x.x.len())).collect();
        vars = evaluate(p, &jobs)?;
    }
    let last = all.iter().zip(&dealt).zip(vars);
    Ok(last.map(|((x, dealt), o)| final_bit(p, x, dealt, &o)).collect())
}

/// What was dealt of one number.
struct Dealt {
    /// Bits of l, as many as are compared and one more.
    lambda: Shared,
    /// Of each chunk its one-hot words.
    onehot: Shared,
}

/// The planes of each share that this party has.
fn each(known: &Shared, of: impl Fn(usize) -> Vec<u64>) -> Shared {
    [0, 1].map(|j| if known[j].is_empty() { vec![] } else { of(j) })
}

/// Carries, products of the bits of each chunk, and the claims that they are such.
fn deal(p: &mut Party, op: Op, all: &[Compared<'_>]) -> Result<Vec<Dealt>> {
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut dealt = vec![];
    for x in all {
        let (width, count) = (x.width(), usize::from(x.low));
        let l = x.x.masks();
        let own = l.map(|l| planes::split(l, count + 1));
        let carries = give(&mut deal, CARRY, count * width, || {
            let carried = planes::split_sum(l[0], l[1], count + 1).into_iter().zip(&own[0]).zip(&own[1]);
            carried.skip(width).map(|((sum, a), b)| sum ^ a ^ b).collect()
        })?;
        // k_0 = 0.
        let carries = each(&carries, |j| [vec![0; width], carries[j].clone()].concat());
        let lambda = each(&carries, |j| exclusive(&own[j], &carries[j]));
        let products: Vec<(usize, usize)> = monomials(&x.chunks).collect();
        let monomials = give(&mut deal, MONOMIAL, products.len() * width, || {
            let lambda = exclusive(&lambda[0], &lambda[1]);
            let product = |(first, s): (usize, usize), k: usize| {
                (0..usize::BITS as usize)
                    .filter(|i| s >> i & 1 == 1)
                    .fold(u64::MAX, |and, i| and & lambda[(first + i) * width + k])
            };
            products.iter().flat_map(|s| (0..width).map(move |k| product(*s, k))).collect()
        })?;
        dealt.push((carries, lambda, monomials, products));
    }
    deal.done()?;
    let claimed = all.iter().zip(dealt).map(|(x, (carries, lambda, monomials, products))| {
        let (width, low) = (x.width(), x.width() * usize::from(x.low));
        // P0 has A + k_0 and k_0, P1 k_1 and B + k_1: the two factors.
        let carried = |j: usize| exclusive(&carries[j][..low], &carries[j][width..]);
        let (of_lambda, of_carries) = (|j: usize| lambda[j][..low].to_vec(), |j: usize| carries[j][..low].to_vec());
        let a = each(&lambda, |j| if j == 0 { of_lambda(0) } else { of_carries(1) });
        let b = each(&lambda, |j| if j == 0 { of_carries(0) } else { of_lambda(1) });
        claim_ands(p, &a, &b, &each(&lambda, carried));
        let at = |j: usize, (first, s): (usize, usize)| match s.is_power_of_two() {
            true => &lambda[j][(first + s.ilog2() as usize) * width..][..width],
            false => &monomials[j][products.binary_search(&(first, s)).unwrap_or_default() * width..][..width],
        };
        let last = |s: usize| 1 << s.ilog2();
        let a = each(&lambda, |j| products.iter().flat_map(|(first, s)| at(j, (*first, s ^ last(*s)))).copied().collect());
        let b = each(&lambda, |j| products.iter().flat_map(|(first, s)| at(j, (*first, last(*s)))).copied().collect());
        claim_ands(p, &a, &b, &monomials);
        let onehot = each(&lambda, |j| onehot(x, j, |first, s| at(j, (first, s))));
        Dealt { lambda, onehot }
    });
    Ok(claimed.collect())
}

/// Sets of two or more bits of each chunk: the chunk's first bit, and a bit for each member.
fn monomials(chunks: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let firsts = chunks.iter().scan(0, |next, chunk| {
        *next += usize::from(*chunk);
        Some((*next - usize::from(*chunk), *chunk))
    });
    firsts.flat_map(|(first, chunk)| (3..1 << chunk).filter(|s: &usize| !s.is_power_of_two()).map(move |s| (first, s)))
}

/// P_j's share of the one-hot words of all chunks, from those of the products of their bits.
fn onehot<'a>(x: &Compared<'_>, j: usize, product: impl Fn(usize, usize) -> &'a [u64]) -> Vec<u64> {
    let width = x.width();
    let (mut out, mut first) = (vec![], 0);
    for &chunk in &x.chunks {
        let from = out.len();
        // The product of no bits is 1, which P1 has.
        out.resize(from + width, if j == 1 { u64::MAX } else { 0 });
        (1..1 << chunk).for_each(|s| out.extend_from_slice(product(first, s)));
        let words = &mut out[from..];
        for bit in 0..chunk {
            for pair in words.chunks_exact_mut((2 * width) << bit) {
                let (without, with) = pair.split_at_mut(width << bit);
                without.iter_mut().zip(with).for_each(|(without, with)| *without ^= *with);
            }
        }
        first += usize::from(chunk);
    }
    out
}

/// G of each chunk, then P of each but the lowest, opened, with the claims.
fn open(p: &mut Party, op: Op, all: &[Compared<'_>], dealt: &[Dealt], mu: Vec<Shared>) -> Result<Vec<Vars>> {
    if p.id == Id::P2 {
        for ((x, dealt), mu) in all.iter().zip(dealt).zip(&mu) {
            claim_chunks(p, x, dealt, mu, &[]);
        }
        return Ok(mu.into_iter().map(|mu| Vars { open: vec![], mu }).collect());
    }
    let (j, mut own) = (p.id.index(), vec![]);
    for ((x, dealt), mu) in all.iter().zip(dealt).zip(&mu) {
        own.push(compare_chunks(x, &dealt.onehot[j], &mu[j]));
    }
    let theirs = exchanged(p, op, OPEN, &mut own)?;
    let mut out = vec![];
    for ((((x, dealt), mu), own), theirs) in all.iter().zip(dealt).zip(mu).zip(own).zip(theirs) {
        claim_chunks(p, x, dealt, &mu, &theirs);
        out.push(Vars { open: exclusive(&own, &theirs), mu });
    }
    Ok(out)
}

/// All that is opened of chunks of as many bits is claimed side by side: term u of each has the same factor at P_j and P2.
fn claim_chunks(p: &mut Party, x: &Compared<'_>, dealt: &Dealt, mu: &Shared, theirs: &[u64]) {
    let width = x.width();
    let mut sizes = x.chunks.clone();
    sizes.dedup();
    for size in sizes {
        let members: Vec<usize> = (0..x.chunks.len()).filter(|i| x.chunks[*i] == size).collect();
        // Of the lowest chunk there is no P.
        let (of_p, values) = (members.iter().filter(|i| **i > 0), 1usize << size);
        let opened: Vec<usize> = members.iter().copied().chain(of_p.clone().map(|i| x.chunks.len() + i - 1)).collect();
        let planes_of =
            |all: &[u64]| opened.iter().flat_map(|i| all.iter().skip(i * width).take(width)).copied().collect::<Vec<u64>>();
        let words_before = |i: usize| x.chunks[..i].iter().map(|chunk| width << chunk).sum::<usize>();
        let of_word = |j: usize, u: usize| {
            let word = |i: &usize| dealt.onehot[j][words_before(*i) + u * width..][..width].iter();
            members.iter().chain(of_p.clone()).flat_map(word).copied().collect::<Vec<u64>>()
        };
        let y = [0, 1].map(|j| if dealt.onehot[j].is_empty() { vec![] } else { (0..values).map(|u| of_word(j, u)).collect() });
        let open = if p.id == Id::P2 { vec![] } else { of_open(x, &members, size) };
        claim_opened(p, open, y, planes_of(theirs), mu.each_ref().map(|mu| planes_of(mu)));
    }
}

/// For each value u of a chunk \[u > v\] for all `members`, then \[v = u\] for all but the lowest chunk, where v is the chunk of M.
fn of_open(x: &Compared<'_>, members: &[usize], size: u8) -> Vec<Vec<u64>> {
    let (width, values) = (x.width(), 1usize << size);
    let bits = planes::split(elements(x.x.m()), usize::from(x.low));
    let mut out = vec![vec![]; values];
    let equal: Vec<(usize, Vec<u64>)> = members
        .iter()
        .map(|i| {
            let first: usize = x.chunks[..*i].iter().map(|chunk| usize::from(*chunk)).sum();
            let mut words = vec![0; values * width];
            xor_onehot::<128>(&mut words, &bits[first * width..], size, width);
            (*i, words)
        })
        .collect();
    for (_, words) in &equal {
        let mut below = vec![0; width];
        for (out, word) in out.iter_mut().zip(words.chunks(width.max(1))) {
            out.extend_from_slice(&below);
            below.iter_mut().zip(word).for_each(|(below, word)| *below ^= word);
        }
    }
    for (_, words) in equal.iter().filter(|(i, _)| *i > 0) {
        out.iter_mut().zip(words.chunks(width.max(1))).for_each(|(out, word)| out.extend_from_slice(word));
    }
    out
}

/// m_b = 1 XOR M_top XOR o, l_bj = l_top,j XOR mu_j.
fn final_bit(p: &Party, x: &Compared<'_>, dealt: &Dealt, o: &Vars) -> Bit {
    let top = usize::from(x.low) * x.width();
    let l = each(&dealt.lambda, |j| exclusive(&dealt.lambda[j][top..], &o.mu[j]));
    let m_top = planes::of_bit(elements(x.x.m()).iter().copied(), x.low);
    Bit::of(p, x.x.shape, exclusive(&m_top, &o.open).into_iter().map(|m| !m).collect(), l)
}
