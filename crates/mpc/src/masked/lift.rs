//! The lift: the round that makes m whole where its top f bits are open.
//!
//! P_j holds e_j, a multiple of 2^(64-f) under a fresh mask; both send its f bits. 1 round, 2 f bits an element; none where the values
//! are whole already. See product.rs for where e_j comes from and docs/masked.md for why.
//!
//! Of a *narrow* share the lower k = 64 - f bits of m are known, and e_j is made here, from what P2 deals of its mask l' = l_0 + l_1: a, the top f bits of l',
//! and q = msb(l' mod 2^k). a_1 comes from k12 and a_0 is sent to P0; q_0 comes from k02 and q_1 is sent to P1. For -2^(k-2) <= x < 2^(k-2), with
//! C = m + 2^(k-2) modulo 2^k and w = 1 - msb(C), each server has e_j = 2^k (a_j + w q_j), and m' = C - 2^(k-2) + e_0 + e_1. 2 f bits an element more, ahead.

use super::deal::{Deal, Kind, Numbers, Of, PIECE};
use super::share::{Lift, Share};
use crate::cut::Cut;
use crate::round::{Receive, Round};
use crate::{Id, Pair, Part, Party, Price, Result};
use std::sync::Arc;
use trefoil_net::Ring;

/// For `n` elements of which f bits are open.
pub const fn cost(n: usize, f: u8) -> Price {
    Price::of(1, [0, 0], 2 * super::product::packed(n, f))
}

/// The same of a narrow share.
pub const fn narrow_cost(n: usize, f: u8) -> Price {
    Price::of(1, [super::product::packed(n, f); 2], 2 * super::product::packed(n, f))
}

/// What is dealt of narrow shares: a and q.
const KINDS: [Kind; 2] = [("masked.lift.a_1", Pair::K12), ("masked.lift.q_0", Pair::K02)];
const A: usize = 0;
const Q: usize = 1;

/// The lifts that `shares` wait for, each once.
fn waiting<'a>(shares: impl IntoIterator<Item = &'a Share>) -> Vec<Arc<Lift>> {
    let mut out: Vec<Arc<Lift>> = vec![];
    for lift in shares.into_iter().filter_map(Share::pending) {
        if !out.iter().any(|seen| Arc::ptr_eq(seen, lift)) {
            out.push(lift.clone());
        }
    }
    out
}

/// The same, ready to be sent: of those that are narrow, what is dealt has been.
///
/// # Errors
/// Those of the network.
pub(crate) fn ready<'a>(p: &mut Party, shares: impl IntoIterator<Item = &'a Share>) -> Result<Vec<Arc<Lift>>> {
    let lifts = waiting(shares);
    let narrow: Vec<&Arc<Lift>> = lifts.iter().filter(|lift| lift.is_narrow()).collect();
    if narrow.is_empty() {
        return Ok(lifts);
    }
    let op = p.op();
    let mut deal = Deal::open(p, op, "masked.lift.deal", &KINDS)?;
    for lift in narrow {
        let (cut, of) = (Cut::<64>::by(lift.f), Of::Bits(lift.f));
        let ([m, _], [l_0, l_1]) = (lift.parts(), lift.masks());
        let parts = |at: usize| l_0[at..].iter().zip(&l_1[at..]).map(move |(l_0, l_1)| cut.parts(l_0.wrapping_add(*l_1)));
        let n = l_0.len();
        deal.give_pieces(A, n, of, |at, a| a.iter_mut().zip(parts(at)).for_each(|(a, (top, _))| *a = cut.other(top, *a)));
        deal.give_pieces(Q, n, of, |at, q| q.iter_mut().zip(parts(at)).for_each(|(q, (_, msb))| *q = cut.other(msb, *q)));
        let (mut e, q) = (deal.take(A, m.len(), of)?, deal.take(Q, m.len(), of)?);
        e.iter_mut().zip(&q).zip(m).for_each(|((e, q), m)| *e = cut.lift(*e, cut.narrow(*m).1, *q));
        lift.is_dealt(e);
    }
    deal.done()?;
    Ok(lifts)
}

/// Adds what the other server needs to a round.
pub(crate) fn send<'p>(round: Round<'p>, peer: Id, lifts: &[Arc<Lift>]) -> Round<'p> {
    lifts.iter().fold(round, |round, lift| {
        let [_, own] = lift.parts();
        round.send(peer, Part::bits_of(own.iter().map(|e| e >> (64 - lift.f)), lift.f))
    })
}

/// Takes what the other server sent, and makes the values whole. At P2, which takes no part, it only notes that they are.
pub(crate) fn finish(from: Option<(&mut Receive<'_>, Id)>, lifts: &[Arc<Lift>]) -> Result<()> {
    let mut from = from;
    for lift in lifts {
        let whole = match &mut from {
            Some((round, peer)) => {
                let n = lift.parts()[1].len();
                Some(add(lift, Numbers::Sent(round.part(*peer, Ring::Bits(lift.f), n)?, 0)))
            }
            None => None,
        };
        // Set once: `ready` has named each lift once, and those that are whole not at all.
        lift.done(whole);
    }
    Ok(())
}

/// m + e_0 + e_1.
fn add(lift: &Lift, mut theirs: Numbers) -> Vec<u64> {
    let ([m, own], cut) = (lift.parts(), Cut::<64>::by(lift.f));
    let (mut out, mut piece) = (Vec::with_capacity(m.len()), [0; PIECE]);
    for (m, own) in m.chunks(PIECE).zip(own.chunks(PIECE)) {
        let theirs_now = &mut piece[..m.len()];
        theirs.fill(theirs_now);
        let e = own.iter().zip(theirs_now).map(|(own, theirs)| own.wrapping_add(*theirs << (64 - lift.f)));
        match lift.is_narrow() {
            true => out.extend(m.iter().zip(e).map(|(m, e)| cut.narrow(*m).0.wrapping_add(e))),
            false => out.extend(m.iter().zip(e).map(|(m, e)| m.wrapping_add(e))),
        }
    }
    out
}

/// Makes every share whole, in one round.
///
/// # Errors
/// Those of the network.
pub fn lift(p: &mut Party, shares: &[&Share]) -> Result<()> {
    let lifts = ready(p, shares.iter().copied())?;
    if lifts.is_empty() {
        return Ok(());
    }
    let op = p.op();
    if p.id == Id::P2 {
        return finish(None, &lifts);
    }
    let peer = p.peer();
    let mut round = send(p.round(op, "masked.lift"), peer, &lifts).then()?;
    finish(Some((&mut round, peer)), &lifts)
}
