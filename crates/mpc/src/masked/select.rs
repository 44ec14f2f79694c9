//! Select: b x for a masked bit b, in one round.
//!
//! b x = (m_b + (1 - 2 m_b) l_b)(m_x - l_x). P2 deals A = l_b and B = l_b l_x additively (A_1 from k12, A_0 sent to P0; B_0 from k02, B_1
//! sent to P1), and the new masks r_0, r_1 come from k02 and k12. With t = 1 - 2 m_b:
//! - P0: z_0 = -m_b l_x0 + t (A_0 m_x - B_0) + r_0
//! - P1: z_1 = m_b m_x - m_b l_x1 + t (A_1 m_x - B_1) + r_1
//!
//! Exchange: m = z_0 + z_1. 1 round (and one before it, if x waits for its lift); 16 bytes an element ahead of time, 16 in the round. A
//! second Select by the same bit (the backward pass) uses A again: 8 ahead of time.
//!
//! Of a narrow x, of which the lower k bits of m_x are known, all of this is modulo 2^k, and b x is narrow: A, B and z are k bits each, and nothing
//! is lifted. The masks r_0 and r_1 are words nevertheless: their upper bits are for the lift.

use super::bit::Dealt;
use super::deal::{Deal, Numbers, Of, PIECE};
use super::matrix::{elements, tensor};
use super::product::{own_mask, packed, share};
use super::share::Share;
use super::{Bit, lift::lift};
use crate::cut::low;
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use std::sync::Arc;
use trefoil_net::Ring;

/// For `n` elements; `again`: the bits have been used by a Select before.
pub const fn cost(n: usize, again: bool) -> Price {
    narrow_cost(n, 64, again)
}

/// The same where k bits of m_x are known; `again`: A has been dealt before, modulo 2^k or more.
pub const fn narrow_cost(n: usize, k: u8, again: bool) -> Price {
    let each = packed(n, k);
    Price::of(1, [if again { 0 } else { each }, each], 2 * each)
}

const DEAL: &str = "masked.select.deal";
const R_0: &str = "masked.select.r_0";
const R_1: &str = "masked.select.r_1";
/// What is dealt: A and B.
const KINDS: [(&str, Pair); 2] = [("masked.select.A_1", Pair::K12), ("masked.select.B_0", Pair::K02)];
const A: usize = 0;
const B: usize = 1;

/// What numbers of k bits are dealt as, and what they are sent as.
fn of_bits(k: u8) -> (Of, Ring) {
    if k == 64 { (Of::Words, Ring::Word) } else { (Of::Bits(k), Ring::Bits(k)) }
}

/// b x for each (b, x), in one round.
///
/// # Errors
/// Those of the network.
pub fn select(p: &mut Party, work: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
    lift(p, &work.iter().map(|(_, x)| *x).filter(|x| x.narrow_bits().is_none()).collect::<Vec<_>>())?;
    let op = p.op();
    match p.id {
        Id::P2 => deal(p, op, work),
        _ => compute(p, op, work),
    }
}

/// As a share of which k bits are known.
fn known(x: Share, k: u8) -> Share {
    if k == 64 { x } else { x.narrow(k) }
}

fn deal(p: &mut Party, op: Op, work: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
    let (mut r_0, mut r_1) = (p.draw(op, Pair::K02, R_0)?, p.draw(op, Pair::K12, R_1)?);
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let (mut bits, mut out) = ([0; PIECE], vec![]);
    for (bit, x) in work {
        let (n, k) = (x.len(), x.narrow_bits().unwrap_or(64));
        let (of, _) = of_bits(k);
        if bit.dealt(k).is_none() {
            deal.give_pieces(A, n, of, |at, a| {
                let l_b = bit.words_from(at, &mut bits[..a.len()]);
                a.iter_mut().zip(l_b).for_each(|(a, l)| *a = low(l.wrapping_sub(*a), k));
            });
            bit.keep(Dealt { k, ..Dealt::default() });
        }
        let [l_x0, l_x1] = x.masks();
        deal.give_pieces(B, n, of, |at, b| {
            let l_x = l_x0[at..].iter().zip(&l_x1[at..]).map(|(l_0, l_1)| l_0.wrapping_add(*l_1));
            let l_bx = bit.words_from(at, &mut bits[..b.len()]).iter().zip(l_x).map(|(l_b, l_x)| l_b.wrapping_neg() & l_x);
            b.iter_mut().zip(l_bx).for_each(|(b, l)| *b = low(l.wrapping_sub(*b), k));
        });
        let share = Share::new(x.shape, None, [Some(tensor(x.shape, r_0.words(n))), Some(tensor(x.shape, r_1.words(n)))]);
        out.push(known(share, k));
    }
    deal.done()?;
    Ok(out)
}

fn compute(p: &mut Party, op: Op, work: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
    let (first, peer) = (p.id == Id::P0, p.peer());
    let mut r = p.draw(op, Pair::of(p.id, Id::P2), if first { R_0 } else { R_1 })?;
    let masks: Vec<Vec<u64>> = work.iter().map(|(_, x)| r.words(x.len())).collect();
    let mut dealt = vec![];
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    for (bit, x) in work {
        let k = x.narrow_bits().unwrap_or(64);
        let (of, _) = of_bits(k);
        let a = match bit.dealt(k) {
            Some(dealt) => dealt,
            None => {
                let dealt = Dealt { k, shares: Arc::new(deal.take(A, x.len(), of)?) };
                bit.keep(dealt.clone());
                dealt
            }
        };
        dealt.push((a.shares, deal.take_later(B, x.len(), of)?));
    }
    drop(deal);
    let (mut bits, mut piece, mut own, mut parts) = ([0; PIECE], [0; PIECE], vec![], vec![]);
    for (((bit, x), (a, b_j)), r) in work.iter().zip(&mut dealt).zip(&masks) {
        let k = x.narrow_bits().unwrap_or(64);
        let (m_x, l_x, mut z) = (elements(x.m()), elements(own_mask(p, x)), Vec::with_capacity(x.len()));
        let mut part = Part::with_room(of_bits(k).1, x.len());
        for at in (0..x.len()).step_by(PIECE) {
            let b = &mut piece[..PIECE.min(x.len() - at)];
            b_j.fill(b);
            let m_b = bit.words_from(at, &mut bits[..b.len()]);
            let all = m_b.iter().zip(b).zip(&m_x[at..]).zip(&l_x[at..]).zip(&a[at..]).zip(&r[at..]);
            z.extend(all.map(|(((((m_b, b), m_x), l_x), a), r)| {
                // Masks of 0 or all ones in place of products with a bit, and of a sign.
                let on = m_b.wrapping_neg();
                let open = if first { 0 } else { *m_x };
                let ab = a.wrapping_mul(*m_x).wrapping_sub(*b);
                low((on & open.wrapping_sub(*l_x)).wrapping_add((ab ^ on).wrapping_sub(on)).wrapping_add(*r), k)
            }));
            part.extend(&z[at..]);
        }
        own.push(z);
        parts.push(part);
    }
    let round = parts.into_iter().fold(p.round(op, "masked.select.open"), |round, part| round.send(peer, part));
    let mut round = round.then()?;
    let mut out = vec![];
    for (((_, x), z), mask) in work.iter().zip(own).zip(masks) {
        let k = x.narrow_bits().unwrap_or(64);
        let (mut m, mut theirs) = (z, Numbers::Sent(round.part(peer, of_bits(k).1, x.len())?, 0));
        for m in m.chunks_mut(PIECE) {
            let theirs_now = &mut piece[..m.len()];
            theirs.fill(theirs_now);
            m.iter_mut().zip(theirs_now).for_each(|(m, theirs)| *m = m.wrapping_add(*theirs));
        }
        out.push(known(share(first, x.shape, tensor(x.shape, m), tensor(x.shape, mask)), k));
    }
    Ok(out)
}
