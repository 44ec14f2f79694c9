//! XORs of products of masked bits, all in one round.
//!
//! Source: ABY2.0, section 4 (multi-input AND). The servers see each bit x_i as M_i = x_i XOR mu_i. Multiplied out, an AND of such bits is
//! an XOR of terms, each an AND of some open bits M_i with an AND of some masks mu_i. The servers compute the first factor themselves, and
//! P2, which knows all masks, deals the second one in two halves. So the terms need no message, and one round opens the result under a new
//! mask, however many bits there are in the AND.
//!
//! In letters: the product over T is the XOR over the subsets S of T of (product of M_i, i in T \ S)(product of mu_i, i in S). P1 alone
//! adds the term without mu. A single mu_i is shared between P0 and P1 already. Of every *distinct* product of two or more, P0 has a share
//! from k02 and P1 is sent the other: one bit. (Shares of masks, where `all` begins with bits that are masked already: P1's from k12, P0's sent.)
//!
//! Each result is opened under a new mask mu = mu_0 XOR mu_1 (k02, k12): a server sends what its own half hides from the other. 1 round,
//! 2 bits a result; 1 bit a distinct product ahead. `all`, the AND of masked bits, is made of these.

use super::Bit;
use super::deal::{Deal, Of};
use crate::round::Beside;
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use trefoil_ring::planes;

/// Variables as one party sees them, plane after plane.
#[derive(Clone, Default)]
pub struct Vars {
    /// M_i at P0 and P1; empty at P2.
    pub open: Vec<u64>,
    /// mu_0 at P0, mu_1 at P1, mu at P2.
    pub mu: Vec<u64>,
}

/// XORs of products.
pub struct Formula {
    /// For each result its terms, for each term the variables in it, in ascending order.
    pub(super) results: Vec<Vec<Vec<usize>>>,
    /// The distinct products of two or more mu that it needs, in order.
    pub(super) monomials: Vec<Vec<usize>>,
}

impl Formula {
    /// Of so many results, each with its terms, each with its variables in ascending order.
    pub fn of(results: Vec<Vec<Vec<usize>>>) -> Formula {
        let products = results.iter().flatten().flat_map(|term| subsets(term)).filter(|s| s.len() >= 2);
        let mut monomials: Vec<Vec<usize>> = products.collect();
        monomials.sort();
        monomials.dedup();
        Formula { results, monomials }
    }

    /// For `n` bits of each variable: one round.
    pub fn cost(&self, n: usize) -> Price {
        let plane = 8 * n.div_ceil(64) as u64;
        Price::of(1, [0, plane * self.monomials.len() as u64], 2 * plane * self.results.len() as u64)
    }
}

pub(super) fn subsets(term: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..1u32 << term.len()).map(|mask| (0..term.len()).filter(|i| mask >> i & 1 == 1).map(|i| term[i]).collect())
}

/// Evaluates each (variables, formula) over `n` bits, in one round, which `beside` shares.
///
/// # Errors
/// Those of the network.
pub fn evaluate(p: &mut Party, jobs: &[(Vars, &Formula, usize)], beside: &mut impl Beside) -> Result<Vec<Vars>> {
    let op = p.op();
    let fresh = masks(p, op, jobs.iter().map(|(_, f, n)| [f.results.len(), *n]))?;
    let shares = dealt(p, op, jobs)?;
    if p.id == Id::P2 {
        beside.send(p)?;
        beside.receive(p)?;
        return Ok(fresh.into_iter().map(|mu| Vars { open: vec![], mu }).collect());
    }
    let id = p.id;
    let own: Vec<Vec<u64>> = jobs.iter().zip(&shares).zip(&fresh).map(|((job, mono), mu)| xor(id, job, mono, mu)).collect();
    let peer = p.peer();
    let round = own.iter().fold(p.round(op, "masked.and.open"), |round, z| round.send(peer, Part::words(z)));
    let sent = round.sent()?;
    beside.send(p)?;
    let mut round = p.receive(sent);
    let mut out = vec![];
    for (z, mu) in own.into_iter().zip(fresh) {
        let theirs = round.words(peer, z.len())?;
        out.push(Vars { open: z.iter().zip(theirs).map(|(a, b)| a ^ b).collect(), mu });
    }
    drop(round);
    beside.receive(p)?;
    Ok(out)
}

/// Fresh masks of so many planes of so many bits each: mu_j at P_j, mu_0 XOR mu_1 at P2.
pub(crate) fn masks(p: &mut Party, op: Op, lengths: impl Iterator<Item = [usize; 2]>) -> Result<Vec<Vec<u64>>> {
    let mut mu_0 = if p.id == Id::P1 { None } else { Some(p.draw(op, Pair::K02, "masked.and.mu_0")?) };
    let mut mu_1 = if p.id == Id::P0 { None } else { Some(p.draw(op, Pair::K12, "masked.and.mu_1")?) };
    Ok(lengths
        .map(|[times, n]| match (&mut mu_0, &mut mu_1) {
            (Some(a), Some(b)) => a.planes(times, n).iter().zip(b.planes(times, n)).map(|(a, b)| a ^ b).collect(),
            (Some(a), None) | (None, Some(a)) => a.planes(times, n),
            (None, None) => vec![],
        })
        .collect())
}

/// The servers' shares of every monomial of mu, monomial after monomial; empty at P2, which deals them.
fn dealt(p: &mut Party, op: Op, jobs: &[(Vars, &Formula, usize)]) -> Result<Vec<Vec<u64>>> {
    let label = "masked.and.deal";
    let lengths: Vec<usize> = jobs.iter().map(|(_, f, n)| f.monomials.len() * planes::words(*n)).collect();
    let id = p.id;
    let mut deal = Deal::open(p, op, label, &[("masked.and.monomial_0", Pair::K02)])?;
    if id != Id::P2 {
        return lengths.iter().map(|n| deal.take(0, *n, Of::Words)).collect();
    }
    for ((vars, formula, n), length) in jobs.iter().zip(lengths) {
        let width = planes::words(*n);
        deal.give(0, length, Of::Words, |shares| {
            for (monomial, out) in formula.monomials.iter().zip(shares.chunks_mut(width.max(1))) {
                for (k, out) in out.iter_mut().enumerate() {
                    *out ^= monomial.iter().fold(u64::MAX, |and, v| and & vars.mu[v * width + k]);
                }
            }
        });
    }
    deal.done()?;
    Ok(vec![vec![]; jobs.len()])
}

/// A server's share of every result, under its new mask.
pub(super) fn xor(id: Id, (vars, formula, n): &(Vars, &Formula, usize), mono: &[u64], mu: &[u64]) -> Vec<u64> {
    let width = planes::words(*n);
    let mut out = mu.to_vec();
    for (terms, out) in formula.results.iter().zip(out.chunks_mut(width.max(1))) {
        for term in terms {
            for s in subsets(term) {
                // The factor made of mu_i, i in S.
                let from_mu: Option<&[u64]> = match s[..] {
                    [] => None,
                    [v] => Some(&vars.mu[v * width..]),
                    _ => formula.monomials.binary_search(&s).ok().map(|at| &mono[at * width..]),
                };
                if from_mu.is_none() && id == Id::P0 {
                    continue;
                }
                let open: Vec<&[u64]> = term.iter().filter(|v| !s.contains(v)).map(|v| &vars.open[v * width..]).collect();
                for (k, out) in out.iter_mut().enumerate() {
                    let and = from_mu.map_or(u64::MAX, |mu| mu[k]);
                    *out ^= open.iter().fold(and, |and, m| and & m[k]);
                }
            }
        }
    }
    out
}

/// The AND of bits of one shape: group by group, and groups of groups; as many bits to a group as [weigh](Price::weight) least. 1 round a level; P2
/// deals a share of each input's mask first.
///
/// # Errors
/// Those of the network.
pub fn all(p: &mut Party, bits: &[&Bit]) -> Result<Bit> {
    let [first, _, ..] = bits else { return Ok(bits.first().map_or_else(|| Bit::new([0, 0], vec![]), |only| (*only).clone())) };
    let (shape, n) = (first.shape, first.len());
    let mut vars = share_masks(p, bits)?;
    // Lanes do what is best for the whole batch, all of them the same.
    for level in levels(bits.len(), best(bits.len(), n * p.drawing().of)).iter() {
        vars = evaluate(p, &[(vars, level, n)], &mut ())?.swap_remove(0);
    }
    Ok(Bit::new(shape, if p.id == Id::P2 { vars.mu } else { vars.open }))
}

/// Of the AND of `count` bits for `n` elements.
pub fn all_cost(count: usize, n: usize) -> Price {
    cost_by(count, best(count, n), n)
}

/// The same with at most so many bits to a group.
fn cost_by(count: usize, most: usize, n: usize) -> Price {
    let plane = 8 * n.div_ceil(64) as u64;
    let masks = if count > 1 { plane * count as u64 } else { 0 };
    let (mut left, mut cost) = (count, Price::of(0, [masks, 0], 0));
    while left > 1 {
        let size = group(left, most);
        // Products of two or more of k masks.
        let products = |k: usize| (1 << k) - 1 - k as u64;
        let dealt = (left / size) as u64 * products(size) + products(left % size);
        left = left.div_ceil(size);
        cost = cost.then(Price::of(1, [0, plane * dealt], 2 * plane * left as u64));
    }
    cost
}

/// How many bits to a group weigh least. More than ten are thousands of products.
pub(super) fn best(count: usize, n: usize) -> usize {
    (4..=10).min_by_key(|most| cost_by(count, *most, n).weight()).unwrap_or(4)
}

/// Bits of a group where `left` are left: groups of one size, as near as can be.
const fn group(left: usize, most: usize) -> usize {
    left.div_ceil(left.div_ceil(most))
}

/// Levels by the number of bits, and the most to a group.
type Levels = HashMap<[usize; 2], Arc<Vec<Formula>>>;

/// The levels of such an AND: made once, since there are many subsets of many bits.
pub(super) fn levels(count: usize, most: usize) -> Arc<Vec<Formula>> {
    static MADE: LazyLock<Mutex<Levels>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let levels = made.entry([count, most]).or_insert_with(|| {
        let (mut left, mut levels) = (count, vec![]);
        while left > 1 {
            let size = group(left, most);
            levels.push(Formula::of((0..left).collect::<Vec<_>>().chunks(size).map(|group| vec![group.to_vec()]).collect()));
            left = left.div_ceil(size);
        }
        Arc::new(levels)
    });
    Arc::clone(levels)
}

/// XOR shares of the masks l_b at the servers, ahead of time: 1 bit a bit.
fn share_masks(p: &mut Party, bits: &[&Bit]) -> Result<Vars> {
    let (op, id) = (p.op(), p.id);
    let planes: Vec<u64> = bits.iter().flat_map(|b| b.plane.iter().copied()).collect();
    let mut deal = Deal::open(p, op, "masked.and.masks", &[("masked.and.mask_1", Pair::K12)])?;
    if id != Id::P2 {
        return Ok(Vars { mu: deal.take(0, planes.len(), Of::Words)?, open: planes });
    }
    deal.give(0, planes.len(), Of::Words, |shares| shares.iter_mut().zip(&planes).for_each(|(s, l)| *s ^= l));
    deal.done()?;
    Ok(Vars { open: vec![], mu: planes })
}
