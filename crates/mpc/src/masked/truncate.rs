//! Truncation alone: x / 2^f without opening anything.
//!
//! x is masked already: c = m + 2^62 is known to both servers, and its mask r = l_0 + l_1 to P2. So the second half of product.rs
//! applies, with the new mask l' = (r >> f) + 2^(64-f) (a_0 + a_1), a_j from k02 and k12; l'_0 from k02, l'_1 sent to P1; of q = msb(r)
//! q_1 from k12, q_0 sent to P0. The result is
//! floor(x / 2^f) or one more, without bias, for -2^62 <= x < 2^62; it cannot fail.
//!
//! Rounds: none, and 1 for the lift. Bits an element: 64 + f ahead of time, 2f for the lift.

use super::deal::{Deal, Kind, Of};
use super::matrix::{elements, tensor};
use super::product::share;
use super::share::Share;
use crate::cut::Cut;
use crate::{Id, Pair, Party, Price, Result};

/// What is dealt: q and l'.
const KINDS: [Kind; 2] = [("masked.truncate.q_1", Pair::K12), ("masked.truncate.l_0", Pair::K02)];
const Q: usize = 0;
const L: usize = 1;

/// For `n` elements; the lift is apart.
pub const fn cost(n: usize, f: u8) -> Price {
    match f {
        0 => Price::NONE,
        _ => Price::of(0, [super::product::packed(n, f), 8 * n as u64], 0),
    }
}

/// Each x / 2^f; f = 0 leaves a share as it is.
///
/// # Errors
/// Those of the network.
pub fn truncate(p: &mut Party, xs: &[(&Share, u8)]) -> Result<Vec<Share>> {
    let work: Vec<(&Share, u8)> = xs.iter().copied().filter(|(_, f)| *f > 0).collect();
    if work.is_empty() {
        return Ok(xs.iter().map(|(x, _)| (*x).clone()).collect());
    }
    super::lift::lift(p, &work.iter().map(|(x, _)| *x).collect::<Vec<_>>())?;
    let (op, id) = (p.op(), p.id);
    let of = |p: &mut Party, pair, label| p.draw(op, pair, label).map(Some);
    let mut a_0 = if id == Id::P1 { None } else { of(p, Pair::K02, "masked.truncate.a_0")? };
    let mut a_1 = if id == Id::P0 { None } else { of(p, Pair::K12, "masked.truncate.a_1")? };
    let mut deal = Deal::open(p, op, "masked.truncate.deal", &KINDS)?;
    let mut done = vec![];
    for (x, f) in work {
        let [a_0, a_1] = [&mut a_0, &mut a_1].map(|a| a.as_mut().map_or_else(Vec::new, |a| a.bits(x.len(), f)));
        done.push(match id {
            Id::P2 => shifted_mask(&mut deal, x, [&a_0, &a_1], f),
            Id::P0 => shifted(&mut deal, x, &a_0, f, true)?,
            Id::P1 => shifted(&mut deal, x, &a_1, f, false)?,
        });
    }
    deal.done()?;
    let mut done = done.into_iter();
    Ok(xs.iter().map(|(x, f)| if *f > 0 { done.next() } else { None }.unwrap_or_else(|| (*x).clone())).collect())
}

/// P2: the result's masks, of a value opened under the mask r; q and l' are dealt.
fn shifted_mask(deal: &mut Deal<'_>, x: &Share, [a_0, a_1]: [&[u64]; 2], f: u8) -> Share {
    let (cut, r) = (Cut::<64>::by(f), x.full_mask());
    let r = elements(r.as_ref());
    let l = r.iter().zip(a_0).zip(a_1).map(|((r, a_0), a_1)| cut.shifted(*r, a_0.wrapping_add(*a_1)));
    deal.give(Q, r.len(), Of::Bits(f), |q| q.iter_mut().zip(r).for_each(|(q, r)| *q = cut.other(Cut::<64>::top(*r), *q)));
    let other = |share: &mut [u64]| share.iter_mut().zip(l.clone()).for_each(|(share, l)| *share = l.wrapping_sub(*share));
    let l_1 = deal.give(L, r.len(), Of::Words, other);
    let l_0 = l.clone().zip(&l_1).map(|(l, l_1)| l.wrapping_sub(*l_1)).collect();
    // P2's lift is empty, but it knows that there is one: all three count operations alike.
    Share::new(x.shape, None, [Some(tensor(x.shape, l_0)), Some(tensor(x.shape, l_1))]).with_lift(f, None)
}

/// A server: (c >> f) - 2^(62-f) of the opened c = z + r + 2^62, and e_j for the lift.
fn shifted(deal: &mut Deal<'_>, x: &Share, a: &[u64], f: u8, first: bool) -> Result<Share> {
    let (cut, n) = (Cut::<64>::by(f), x.len());
    let (q, l) = (deal.take(Q, n, Of::Bits(f))?, deal.take(L, n, Of::Words)?);
    let opened = elements(x.m()).iter().map(|m| cut.quotient(m.wrapping_add(1 << 62)));
    let own = opened.clone().zip(a).zip(&q).map(|(((_, w), a), q)| cut.lift(*a, w, *q)).collect();
    let low = opened.map(|(low, _)| low).collect();
    Ok(share(first, x.shape, tensor(x.shape, low), tensor(x.shape, l)).with_lift(f, Some(tensor(x.shape, own))))
}
