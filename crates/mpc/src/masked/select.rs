//! Select: b x for a masked bit b, in one round.
//!
//! b x = (m_b + (1 - 2 m_b) l_b)(m_x - l_x). P2 deals A = l_b and B = l_b l_x additively (A_1 from k12, A_0 sent to P0; B_0 from k02, B_1
//! sent to P1), and the new masks r_0, r_1 come from k02 and k12. With t = 1 - 2 m_b:
//! - P0: z_0 = -m_b l_x0 + t (A_0 m_x - B_0) + r_0
//! - P1: z_1 = m_b m_x - m_b l_x1 + t (A_1 m_x - B_1) + r_1
//!
//! Exchange: m = z_0 + z_1. 1 round (and one before it, if x waits for its lift); 16 bytes an element ahead of time, 16 in the round. A
//! second Select by the same bit (the backward pass) uses A again: 8 ahead of time.

use super::deal::{Deal, Numbers, Of, PIECE};
use super::matrix::{elements, tensor};
use super::product::{own_mask, share};
use super::share::Share;
use super::{Bit, lift::lift};
use crate::{Id, Pair, Part, Party, Price, Result};
use trefoil_net::Ring;

/// For `n` elements; `again`: the bits have been used by a Select before.
pub const fn cost(n: usize, again: bool) -> Price {
    let n = n as u64;
    Price::of(1, [if again { 0 } else { 8 * n }, 8 * n], 16 * n)
}

/// b x for each (b, x), in one round.
///
/// # Errors
/// Those of the network.
pub fn select(p: &mut Party, work: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
    lift(p, &work.iter().map(|(_, x)| *x).collect::<Vec<_>>())?;
    let op = p.op();
    let label = "masked.select.deal";
    let (kinds, a, b) = ([("masked.select.A_1", Pair::K12), ("masked.select.B_0", Pair::K02)], 0, 1);
    let (r_0, r_1) = ("masked.select.r_0", "masked.select.r_1");
    let mut bits = [0; PIECE];
    if p.id == Id::P2 {
        let (mut r_0, mut r_1) = (p.draw(op, Pair::K02, r_0)?, p.draw(op, Pair::K12, r_1)?);
        let mut deal = Deal::open(p, op, label, &kinds)?;
        let mut out = vec![];
        for (bit, x) in work {
            let n = x.len();
            if bit.a.get().is_none() {
                deal.give_pieces(a, n, Of::Words, |at, a| {
                    let l_b = bit.words_from(at, &mut bits[..a.len()]);
                    a.iter_mut().zip(l_b).for_each(|(a, l)| *a = l.wrapping_sub(*a));
                });
                // P2 needs no A again; that it has been dealt is all it keeps.
                let _ = bit.a.set(vec![]);
            }
            let [l_x0, l_x1] = x.masks();
            deal.give_pieces(b, n, Of::Words, |at, b| {
                let l_x = l_x0[at..].iter().zip(&l_x1[at..]).map(|(l_0, l_1)| l_0.wrapping_add(*l_1));
                let l_bx = bit.words_from(at, &mut bits[..b.len()]).iter().zip(l_x).map(|(l_b, l_x)| l_b.wrapping_neg() & l_x);
                b.iter_mut().zip(l_bx).for_each(|(b, l)| *b = l.wrapping_sub(*b));
            });
            out.push(Share::new(x.shape, None, [Some(tensor(x.shape, r_0.words(n))), Some(tensor(x.shape, r_1.words(n)))]));
        }
        deal.done()?;
        return Ok(out);
    }
    let (first, peer) = (p.id == Id::P0, p.peer());
    let mut r = p.draw(op, Pair::of(p.id, Id::P2), if first { r_0 } else { r_1 })?;
    let masks: Vec<Vec<u64>> = work.iter().map(|(_, x)| r.words(x.len())).collect();
    let mut dealt = vec![];
    let mut deal = Deal::open(p, op, label, &kinds)?;
    for (bit, x) in work {
        if bit.a.get().is_none() {
            let _ = bit.a.set(deal.take(a, x.len(), Of::Words)?);
        }
        dealt.push(deal.take_later(b, x.len(), Of::Words)?);
    }
    drop(deal);
    let mut own: Vec<Vec<u64>> = vec![];
    let mut piece = [0; PIECE];
    for (((bit, x), b_j), r) in work.iter().zip(&mut dealt).zip(&masks) {
        let a = bit.a.get().map_or(&[][..], Vec::as_slice);
        let (m_x, l_x, mut z) = (elements(x.m()), elements(own_mask(p, x)), Vec::with_capacity(x.len()));
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
                (on & open.wrapping_sub(*l_x)).wrapping_add((ab ^ on).wrapping_sub(on)).wrapping_add(*r)
            }));
        }
        own.push(z);
    }
    let round = own.iter().fold(p.round(op, "masked.select.open"), |round, z| round.send(peer, Part::words(z)));
    let mut round = round.then()?;
    let mut out = vec![];
    for (((_, x), z), mask) in work.iter().zip(own).zip(masks) {
        let (mut m, mut theirs) = (z, Numbers::Sent(round.part(peer, Ring::Word, x.len())?, 0));
        for m in m.chunks_mut(PIECE) {
            let theirs_now = &mut piece[..m.len()];
            theirs.fill(theirs_now);
            m.iter_mut().zip(theirs_now).for_each(|(m, theirs)| *m = m.wrapping_add(*theirs));
        }
        out.push(share(first, x.shape, tensor(x.shape, m), tensor(x.shape, mask)));
    }
    Ok(out)
}
