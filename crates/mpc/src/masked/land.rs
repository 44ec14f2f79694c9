//! Landing: additive shares of a number, as the polynomials of powers.rs leave them, become an ordinary share cut by f bits.
//!
//! This is the second half of a product (product.rs), for shares z_0 and z_1 of z, |z| < 2^61, that have been there before. The new mask is
//! l' = l'_0 + l'_1 (k02, k12), and in the ring it is r = 2^f l' = 2^f l'_0 + 2^f l'_1, of which each server makes its own part: so nothing is dealt
//! but the top f bits a of l' and q = msb(r), for the lift: a_1 from k12, and a_0 sent to P0; q_0 from k02, and q_1 sent to P1. The low f bits of z_0 must be uniform, given z.
//!
//! 1. With c_j = z_j + 2^f l'_j, and 2^62 - 1 more at P1, they exchange c_j >> f. C, w, m' and e_j are those of product.rs; the lift is apart.
//!
//! 1 round; 2f bits an element ahead of time, 2 (64 - f) in the round.

use super::deal::{Deal, Of};
use super::matrix::tensor;
use super::product::{packed, share};
use super::share::Share;
use crate::cut::Cut;
use crate::{Id, Op, Pair, Part, Party, Price, Result};

/// For `n` elements; the lift is apart.
pub const fn cost(n: usize, f: u8) -> Price {
    Price::of(1, [packed(n, f); 2], 2 * packed(n, 64 - f))
}

/// z / 2^f, its floor or its ceiling without bias, from a server's share of z; from nothing at P2. 1 <= f <= 58.
///
/// # Errors
/// Those of the network.
pub fn land(p: &mut Party, op: Op, shape: [usize; 2], z: Vec<u64>, f: u8) -> Result<Share> {
    let (n, cut, deal) = (shape[0] * shape[1], Cut::<64>::by(f), "masked.land.deal");
    let (l_0, l_1) = ("masked.land.l_0", "masked.land.l_1");
    let kinds = [("masked.land.a_1", Pair::K12), ("masked.land.q_0", Pair::K02)];
    let bits = Of::Bits(f);
    if p.id == Id::P2 {
        let (l_0, l_1) = (p.draw(op, Pair::K02, l_0)?.words(n), p.draw(op, Pair::K12, l_1)?.words(n));
        let parts = l_0.iter().zip(&l_1).map(|(l_0, l_1)| cut.parts(l_0.wrapping_add(*l_1)));
        let mut deal = Deal::open(p, op, deal, &kinds)?;
        deal.give(0, n, bits, |a| a.iter_mut().zip(parts.clone()).for_each(|(a, (top, _))| *a = cut.other(top, *a)));
        deal.give(1, n, bits, |q| q.iter_mut().zip(parts.clone()).for_each(|(q, (_, wraps))| *q = cut.other(wraps, *q)));
        deal.done()?;
        return Ok(Share::new(shape, None, [Some(tensor(shape, l_0)), Some(tensor(shape, l_1))]).with_lift(f, None));
    }
    let (first, peer) = (p.id == Id::P0, p.peer());
    let l = p.draw(op, Pair::of(p.id, Id::P2), if first { l_0 } else { l_1 })?.words(n);
    let mut deal = Deal::open(p, op, deal, &kinds)?;
    let (mut e, q) = (deal.take(0, n, bits)?, deal.take(1, n, bits)?);
    drop(deal);
    let offset = if first { 0 } else { Cut::<64>::OFFSET };
    let mut c = z;
    c.iter_mut().zip(&l).for_each(|(c, l)| *c = cut.half(c.wrapping_add(cut.mask(*l)).wrapping_add(offset)));
    let mut round = p.round(op, "masked.land.c").send(peer, Part::bits(&c, 64 - f)).then()?;
    let theirs = round.bits(peer, n, 64 - f)?;
    for (((c, theirs), e), q) in c.iter_mut().zip(theirs).zip(&mut e).zip(q) {
        let (m, w) = cut.joined(c.wrapping_add(theirs));
        (*c, *e) = (m, cut.lift(*e, w, q));
    }
    Ok(share(first, shape, tensor(shape, c), tensor(shape, l)).with_lift(f, Some(tensor(shape, e))))
}
