//! XORs of products of masked bits of which every message is proven, all in one round.
//!
//! The messages are those of [`and`](super::super::and). What differs are the masks of the inputs, mu_i = mu_i0 XOR mu_i1: P0 and P2 know the first and P1 and P2 the second of them all, so that nothing has to be
//! dealt of them, and a claim can be made. Of each product of two or more, in ascending order, P0's share comes from k02 and P1 is sent the other.
//!
//! | proves | claims, of which the first verifier knows the first factor of each product | first, second |
//! |---|---|---|
//! | P2 | the product over S is that over S without its last member, times that: of (a_0 + a_1)(b_0 + b_1) = c_0 + c_1 the products a_1 b_0 and b_1 a_0 | P1, P0 |
//! | P_j | an opened bit: the sum over S of (what the servers know: the products of M over T \\ S of all terms T) times (P_j's share of the product of mu over S), plus its mask; at P1 also the term without mu | the other server, P2 |
//!
//! **Private**, whatever a party has sent before: P1's share of a product is hidden by P0's, and an opened bit by a mask that its receiver knows half of. Counted in full in
//! `crates/mpc/tests/protocols/proven_bits.rs`.
//!
//! 1 round, 2 bits a result, and 1 bit a distinct product ahead.

use super::super::and::{self as plain, Formula, subsets};
use super::super::deal::{Deal, Kind, Of};
use super::bit::Shared;
use super::{Bit, exchanged};
use crate::proof::Claim;
use crate::{Id, Op, Pair, Party, Price, Result};
use std::collections::BTreeSet;
use trefoil_ring::planes;

const KINDS: [Kind; 1] = [("verified.and.monomial_0", Pair::K02)];
const DEAL: &str = "verified.and.deal";
const OPEN: &str = "verified.and.open";

/// Variables as one party sees them, plane after plane.
#[derive(Clone, Default)]
pub struct Vars {
    /// M_i at P0 and P1; empty at P2.
    pub open: Vec<u64>,
    /// mu_i0 and mu_i1.
    pub mu: Shared,
}

/// Evaluates each (variables, formula) over `n` bits, in one round, with its claims.
///
/// # Errors
/// Those of the network.
pub fn evaluate(p: &mut Party, jobs: &[(Vars, &Formula, usize)]) -> Result<Vec<Vars>> {
    let op = p.op();
    let fresh = masks(p, op, jobs.iter().map(|(_, formula, n)| [formula.results.len(), *n]))?;
    let dealt = deal(p, op, jobs)?;
    if p.id == Id::P2 {
        for ((job, dealt), fresh) in jobs.iter().zip(&dealt).zip(&fresh) {
            claim_results(p, job, dealt, fresh, &[]);
        }
        return Ok(fresh.into_iter().map(|mu| Vars { open: vec![], mu }).collect());
    }
    let (j, id) = (p.id.index(), p.id);
    let mut own = vec![];
    for (((vars, formula, n), dealt), fresh) in jobs.iter().zip(&dealt).zip(&fresh) {
        let vars = plain::Vars { open: vars.open.clone(), mu: vars.mu[j].clone() };
        own.push(plain::xor(id, &(vars, formula, *n), &dealt[j], &fresh[j]));
    }
    let theirs = exchanged(p, op, OPEN, &mut own)?;
    let mut out = vec![];
    for ((((job, dealt), mu), own), theirs) in jobs.iter().zip(&dealt).zip(fresh).zip(own).zip(theirs) {
        claim_results(p, job, dealt, &mu, &theirs);
        out.push(Vars { open: exclusive(&own, &theirs), mu });
    }
    Ok(out)
}

/// Fresh masks of so many planes of so many bits each.
pub(super) fn masks(p: &mut Party, op: Op, lengths: impl Iterator<Item = [usize; 2]>) -> Result<Vec<Shared>> {
    let mut mu_0 = if p.id == Id::P1 { None } else { Some(p.draw(op, Pair::K02, "verified.and.mu_0")?) };
    let mut mu_1 = if p.id == Id::P0 { None } else { Some(p.draw(op, Pair::K12, "verified.and.mu_1")?) };
    Ok(lengths
        .map(|[times, n]| [&mut mu_0, &mut mu_1].map(|mu| mu.as_mut().map_or_else(Vec::new, |mu| mu.planes(times, n))))
        .collect())
}

/// Both shares of planes that P2 knows; a server's own.
pub(super) fn give(deal: &mut Deal<'_>, kind: usize, n: usize, planes: impl Fn() -> Vec<u64>) -> Result<Shared> {
    deal.both(kind, n, Of::Words, |shares| shares.iter_mut().zip(planes()).for_each(|(share, plane)| *share ^= plane))
}

/// Of every product of two or more masks both shares, with the claims that they are such.
fn deal(p: &mut Party, op: Op, jobs: &[(Vars, &Formula, usize)]) -> Result<Vec<Shared>> {
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut all = vec![];
    for (vars, formula, n) in jobs {
        let (width, mu) = (planes::words(*n), exclusive(&vars.mu[0], &vars.mu[1]));
        let product = |k: usize, monomial: &[usize]| monomial.iter().fold(u64::MAX, |and, v| and & mu[v * width + k]);
        let made = || formula.monomials.iter().flat_map(|monomial| (0..width).map(move |k| product(k, monomial))).collect();
        all.push(give(&mut deal, 0, formula.monomials.len() * width, made)?);
    }
    deal.done()?;
    for ((vars, formula, n), dealt) in jobs.iter().zip(&all) {
        let width = planes::words(*n);
        let [mut a, mut b] = [(); 2].map(|()| Shared::default());
        for monomial in &formula.monomials {
            let Some((last, rest)) = monomial.split_last() else { continue };
            for j in 0..2 {
                a[j].extend_from_slice(of_masks(vars, formula, dealt, j, rest, width));
                b[j].extend_from_slice(plane(&vars.mu[j], *last, width));
            }
        }
        claim_ands(p, &a, &b, dealt);
    }
    Ok(all)
}

/// P_j's share of the product of some masks, at least one.
fn of_masks<'a>(vars: &'a Vars, formula: &Formula, dealt: &'a Shared, j: usize, s: &[usize], width: usize) -> &'a [u64] {
    match s {
        [v] => plane(&vars.mu[j], *v, width),
        _ => formula.monomials.binary_search_by(|m| m[..].cmp(s)).map_or(&[], |at| plane(&dealt[j], at, width)),
    }
}

/// One of several planes; nothing where they are not known.
fn plane(planes: &[u64], i: usize, width: usize) -> &[u64] {
    planes.get(i * width..(i + 1) * width).unwrap_or_default()
}

pub(super) fn exclusive(x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(x, y)| x ^ y).collect()
}

/// c = a AND b, of shared bits: a claim of P2.
pub(super) fn claim_ands(p: &mut Party, a: &Shared, b: &Shared, c: &Shared) {
    let linear = |j: usize| a[j].iter().zip(&b[j]).zip(&c[j]).map(|((a, b), c)| a & b ^ c).collect();
    let first = || vec![a[1].clone(), b[1].clone()];
    let second = || vec![b[0].clone(), a[0].clone()];
    let claim = match p.id {
        Id::P0 => Claim::at_second(second(), linear(0)),
        Id::P1 => Claim::at_first(first(), linear(1)),
        Id::P2 => Claim::at_prover(first(), second()),
    };
    p.claim_bits(Id::P2, claim);
}

/// An opened bit is a sum of products of what both servers know, x, with what P_j and P2 know, y, under P_j's mask. `theirs` is what the other server has sent, less what it has added that both servers know.
pub(super) fn claim_opened(p: &mut Party, x: Vec<Vec<u64>>, y: [Vec<Vec<u64>>; 2], theirs: Vec<u64>, mu: Shared) {
    let ([y_0, y_1], [mu_0, mu_1]) = (y, mu);
    match p.id {
        Id::P0 => {
            p.claim_bits(Id::P0, Claim::at_prover(x.clone(), y_0));
            p.claim_bits(Id::P1, Claim::at_first(x, theirs));
        }
        Id::P1 => {
            p.claim_bits(Id::P0, Claim::at_first(x.clone(), theirs));
            p.claim_bits(Id::P1, Claim::at_prover(x, y_1));
        }
        Id::P2 => {
            p.claim_bits(Id::P0, Claim::at_second(y_0, mu_0));
            p.claim_bits(Id::P1, Claim::at_second(y_1, mu_1));
        }
    }
}

/// Every result of a formula.
fn claim_results(p: &mut Party, (vars, formula, n): &(Vars, &Formula, usize), dealt: &Shared, fresh: &Shared, theirs: &[u64]) {
    let width = planes::words(*n);
    for (i, terms) in formula.results.iter().enumerate() {
        // What the product of mu over S counts: the XOR of the products of M over T \ S.
        let open = |s: &[usize]| -> Vec<u64> {
            let of = |term: &&Vec<usize>| s.iter().all(|v| term.contains(v));
            let rest = |term: &Vec<usize>, k: usize| {
                term.iter().filter(|v| !s.contains(v)).fold(u64::MAX, |and, v| and & vars.open[v * width + k])
            };
            (0..width).map(|k| terms.iter().filter(of).fold(0, |sum, term| sum ^ rest(term, k))).collect()
        };
        let all: BTreeSet<Vec<usize>> = terms.iter().flat_map(|term| subsets(term)).filter(|s| !s.is_empty()).collect();
        let x = if p.id == Id::P2 { vec![] } else { all.iter().map(|s| open(s)).collect() };
        let y = [0, 1].map(|j| match (p.id, j) {
            (Id::P0, 1) | (Id::P1, 0) => vec![],
            _ => all.iter().map(|s| of_masks(vars, formula, dealt, j, s, width).to_vec()).collect(),
        });
        let theirs = plane(theirs, i, width);
        // P1 adds the term without mu, which P0 knows too.
        let theirs = if p.id == Id::P0 { exclusive(theirs, &open(&[])) } else { theirs.to_vec() };
        claim_opened(p, x, y, theirs, fresh.each_ref().map(|mu| plane(mu, i, width).to_vec()));
    }
}

/// The AND of bits of one shape: group by group, and groups of groups. 1 round a level.
///
/// # Errors
/// Those of the network.
pub fn all(p: &mut Party, bits: &[&Bit]) -> Result<Bit> {
    let all = alls(p, &[bits.iter().map(|bit| (*bit).clone()).collect()])?;
    Ok(all.into_iter().next().unwrap_or_else(|| Bit::new([0, 0], None, [None, None])))
}

/// The same of several, of as many bits each, in the same rounds.
///
/// # Errors
/// Those of the network.
pub(super) fn alls(p: &mut Party, jobs: &[Vec<Bit>]) -> Result<Vec<Bit>> {
    let count = jobs.first().map_or(0, Vec::len);
    if count < 2 {
        return Ok(jobs.iter().filter_map(|bits| bits.first().cloned()).collect());
    }
    let planes_of =
        |bits: &[Bit], of: fn(&Bit) -> Option<&Vec<u64>>| bits.iter().filter_map(of).flatten().copied().collect::<Vec<_>>();
    let mu = |bits: &[Bit]| [planes_of(bits, |bit| bit.l[0].as_ref()), planes_of(bits, |bit| bit.l[1].as_ref())];
    let mut vars: Vec<Vars> =
        jobs.iter().map(|bits| Vars { open: planes_of(bits, |bit| bit.m.as_ref()), mu: mu(bits) }).collect();
    let sizes: Vec<([usize; 2], usize)> = jobs.iter().map(|bits| (bits[0].shape, bits[0].len())).collect();
    for level in plain::levels(count, plain::best(count, sizes.iter().map(|(_, n)| n).sum())).iter() {
        let work: Vec<_> = vars.into_iter().zip(&sizes).map(|(vars, (_, n))| (vars, level, *n)).collect();
        vars = evaluate(p, &work)?;
    }
    Ok(vars.into_iter().zip(&sizes).map(|(vars, (shape, _))| Bit::of(p, *shape, vars.open, vars.mu)).collect())
}

/// Of the AND of `count` bits for `n` elements.
pub fn all_cost(count: usize, n: usize) -> Price {
    let levels = if count > 1 { plain::levels(count, plain::best(count, n)) } else { Default::default() };
    levels.iter().fold(Price::NONE, |sum, level| sum.then(level.cost(n)))
}
