//! The lift: the round that makes m whole after a truncation.
//!
//! P_j holds e_j, a multiple of 2^(64-f) under a fresh mask; both send its f bits. 1 round, 2 f bits an element; none where the values
//! are whole already. See product.rs for where e_j comes from and docs/masked.md for why.

use super::deal::{Numbers, PIECE};
use super::share::{Lift, Share};
use crate::round::{Receive, Round};
use crate::{Id, Part, Party, Price, Result};
use std::sync::Arc;
use trefoil_net::Ring;

/// For `n` elements of which f bits are open.
pub const fn cost(n: usize, f: u8) -> Price {
    Price::of(1, [0, 0], 2 * super::product::packed(n, f))
}

/// The lifts that `shares` wait for, each once.
pub(crate) fn waiting<'a>(shares: impl IntoIterator<Item = &'a Share>) -> Vec<Arc<Lift>> {
    let mut out: Vec<Arc<Lift>> = vec![];
    for lift in shares.into_iter().filter_map(Share::pending) {
        if !out.iter().any(|seen| Arc::ptr_eq(seen, lift)) {
            out.push(lift.clone());
        }
    }
    out
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
        // Set once: `waiting` has named each lift once, and those that are whole not at all.
        lift.done(whole);
    }
    Ok(())
}

/// m + e_0 + e_1.
fn add(lift: &Lift, mut theirs: Numbers) -> Vec<u64> {
    let [m, own] = lift.parts();
    let (mut out, mut piece) = (Vec::with_capacity(m.len()), [0; PIECE]);
    for (m, own) in m.chunks(PIECE).zip(own.chunks(PIECE)) {
        let theirs_now = &mut piece[..m.len()];
        theirs.fill(theirs_now);
        let all = m.iter().zip(own).zip(theirs_now);
        out.extend(all.map(|((m, own), theirs)| m.wrapping_add(*own).wrapping_add(*theirs << (64 - lift.f))));
    }
    out
}

/// Makes every share whole, in one round.
///
/// # Errors
/// Those of the network.
pub fn lift(p: &mut Party, shares: &[&Share]) -> Result<()> {
    let lifts = waiting(shares.iter().copied());
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
