//! Products, of matrices or element by element, with exact truncation by f bits.
//!
//! Source: ASTRA's multiplication; the truncation is worked out in docs/masked.md, which has the same product with numbers. Computed is
//! Z = (X Y + plus) / 2^f for |X Y + plus| < 2^61 (the whole inner sum) and f <= 58: the floor or the ceiling of the quotient, without bias
//! and without failures; exactly, where f = 0. X Y may be any bilinear function. Here it is a product of matrices or of elements, whose
//! elements are then added up in other places if that is asked for; n is then the number of sums.
//!
//! The servers see both factors under masks. Multiplied out, the product of two masked values is the product of the values, and terms with
//! a mask in them: each term with one mask is computed by the server that knows half of the mask, and the product of both masks by P2, which
//! knows them whole. P2 does not give that product away but adds the new mask r to it and deals the sum in two halves, so that the servers'
//! results add up to X Y under the mask r. Dividing this public number by 2^f divides the value and its mask; r is chosen so that what
//! remains of it is a mask again, but for its top f bits, which P2 deals too.
//!
//! *Ahead of time*, P2 computes gamma = l_x l_y from the full masks. The new mask is l' = l'_0 + l'_1 (k02, k12), and r = 2^f l', which is
//! uniform on the multiples of 2^f to each server, since it knows half of l' alone. With a = l' >> (64-f) and q = msb(r) in Z_2^f, P1 is sent
//! v_1 = gamma + r - v_0, where v_0 comes from k02; P0 is sent a_0 = a - a_1 and q_0 = q - q_1, where a_1 and q_1 come from k12.
//!
//! 1. P0 computes c_0 = -m_x l_y0 - l_x0 m_y + v_0, and P1 c_1 = m_x (m_y - l_y1) - l_x1 m_y + v_1 + 2^62 - 1. They exchange c_j >> f, that is
//!    64 - f bits. C = (c_0 >> f) + (c_1 >> f) modulo 2^(64-f) is c >> f or one less.
//! 2. The lift (lift.rs), when it is needed: with w = 1 - msb(C), each has e_j = 2^(64-f) (a_j + w q_j), and
//!    m' = C + 1 - 2^(62-f) + e_0 + e_1.
//!
//! The low f bits of c_0 and of c_1 are uniform, sum to z - 1 modulo 2^f and are never sent: whether they carry is the rounding. Where f = 0,
//! r = l' and m' = c_0 + c_1, without offset and lift.
//!
//! |         | rounds                       | bits an element of Z, whatever the inner dimension |
//! |---------|------------------------------|----------------------------------------------------|
//! | f = 0   | 1                            | 64 ahead, 128                                      |
//! | f > 0   | 1, and 1 for the lift        | 64 + 2f ahead, 128 - 2f, and 2f for the lift       |
//!
//! Of a result of which only the k lower bits of m' are wanted, k <= 64 - f, only the bits f to f + k of c are made and sent: C modulo 2^k gives m' modulo 2^k. v is dealt
//! modulo 2^(k+f), and there is no a and no q: the result is *narrow*, and should it ever be needed whole, lift.rs deals them then. k + f bits ahead, 2 k in the round.
//!
//! It is usual to open all of c and to deal a new mask, for 128 + f bits ahead and 128 + 2f. Here the new mask comes first, so that it
//! needs no word of its own; and what c has below 2^f stays with the servers.

use super::deal::{Deal, Kind, Numbers, Of, PIECE};
use super::matrix::{elements, tensor};
use super::share::Share;
use crate::cut::{Cut, low};
use crate::{Id, Op, Pair, Part, Party, Prg, Price, Result};
use trefoil_engine::Lane;
use trefoil_net::Ring;
use trefoil_ring::{Tensor, words};

/// One product.
pub type Factors<'a> = crate::secure::Factors<'a, Share>;

/// For `n` elements of results; the lift is apart.
pub const fn cost(n: usize, f: u8) -> Price {
    match f {
        0 => Price::of(1, [0, 8 * n as u64], 16 * n as u64),
        _ => Price::of(1, [2 * packed(n, f), 8 * n as u64], 2 * packed(n, 64 - f)),
    }
}

/// The same of narrow results, of which k bits are known.
pub const fn narrow_cost(n: usize, f: u8, k: u8) -> Price {
    Price::of(1, [0, packed(n, k + f)], 2 * packed(n, k))
}

/// Several independent products in one round (and one more before it, if a factor waits for its lift).
///
/// # Errors
/// Those of the network.
pub fn products(p: &mut Party, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    products_over(p, factors, &[])
}

/// The same; but those with `of_batch` sum over the rows of a batch, of which each lane has its own. What their results are cut from is summed over each party's lanes
/// before anything is sent: lane 0 alone goes on with it, and the others have zeros in its place.
///
/// # Errors
/// Those of the network; another lane is gone.
pub fn products_over(p: &mut Party, factors: &[Factors<'_>], of_batch: &[bool]) -> Result<Vec<Share>> {
    let inputs: Vec<&Share> = factors.iter().flat_map(|z| [z.x, z.y].into_iter().chain(&z.plus)).collect();
    super::lift::lift(p, &inputs)?;
    let op = p.op();
    match p.id {
        Id::P2 => deal(p, op, factors, of_batch),
        _ => compute(p, op, factors, of_batch),
    }
}

const L_0: &str = "masked.product.l_0";
const L_1: &str = "masked.product.l_1";
const DEAL: &str = "masked.product.deal";
const OPEN: &str = "masked.product.c";
/// What is dealt: v, a and q.
const KINDS: [Kind; 3] =
    [("masked.product.v_0", Pair::K02), ("masked.product.a_1", Pair::K12), ("masked.product.q_1", Pair::K12)];
const V: usize = 0;
const A: usize = 1;
const Q: usize = 2;

/// Where a product's result is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// In each lane, of its own rows; or there is one lane.
    Here,
    /// In lane 0, which this is, of all rows.
    Whole,
    /// In lane 0, which this is not.
    Elsewhere,
}

/// Where each result is made, once parts of those that lane 0 makes have gone there.
fn made(p: &Party, of_batch: &[bool], parts: &mut [Tensor]) -> Result<Vec<Made>> {
    let lane = p.drawing();
    let whole = if lane.leads() { Made::Whole } else { Made::Elsewhere };
    let of_batch = of_batch.iter().map(|of_batch| *of_batch && lane.has_others()).chain(std::iter::repeat(false));
    let made: Vec<Made> = parts.iter().zip(of_batch).map(|(_, of_batch)| if of_batch { whole } else { Made::Here }).collect();
    let mut summed: Vec<&mut Tensor> =
        parts.iter_mut().zip(&made).filter(|(_, made)| **made != Made::Here).map(|(x, _)| x).collect();
    if let Some(mut lanes) = p.lanes().filter(|_| !summed.is_empty()) {
        let words = summed.iter().flat_map(|x| x.iter().copied()).collect();
        let sum = lanes.sum(words)?.unwrap_or_default();
        summed.iter_mut().flat_map(|x| x.iter_mut()).zip(sum).for_each(|(x, sum)| *x = sum);
    }
    Ok(made)
}

/// What stands in a lane in place of each result that lane 0 has.
fn elsewhere(p: &Party, factors: &[Factors<'_>], made: &[Made]) -> Vec<Option<Share>> {
    let zeros = |z: &Factors<'_>| Share::public(p, &Tensor::zeros(z.shape));
    factors.iter().zip(made).map(|(z, made)| (*made == Made::Elsewhere).then(|| zeros(z))).collect()
}

fn deal(p: &mut Party, op: Op, factors: &[Factors<'_>], of_batch: &[bool]) -> Result<Vec<Share>> {
    let (mut l_0, mut l_1) = (p.draw(op, Pair::K02, L_0)?, p.draw(op, Pair::K12, L_1)?);
    let gamma = |z: &Factors<'_>| match (z.x.full(), z.y.full()) {
        (Some(x), Some(y)) => z.sum([[x.factor(), y.factor()]], None),
        _ => Tensor::zeros(z.shape),
    };
    let mut gammas: Vec<Tensor> = factors.iter().map(gamma).collect();
    let (made, lane) = (made(p, of_batch, &mut gammas)?, p.drawing());
    let mut elsewhere = elsewhere(p, factors, &made);
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut out = vec![];
    for (((z, gamma), made), elsewhere) in factors.iter().zip(&gammas).zip(made).zip(&mut elsewhere) {
        let (n, f) = (z.shape[0] * z.shape[1], z.f);
        if made == Made::Elsewhere {
            [&mut l_0, &mut l_1].into_iter().for_each(|l| l.skip(n));
            skip(&mut deal, n, z);
            out.extend(elsewhere.take());
            continue;
        }
        let cut = Cut::<64>::by(f);
        let lane = if made == Made::Whole { Lane::ALONE } else { lane };
        [&mut l_0, &mut l_1].into_iter().for_each(|l| l.set_lane(lane));
        deal.set_lane(lane);
        let (l_0, l_1) = (l_0.words(n), l_1.words(n));
        let gamma = elements(Some(gamma));
        // Of the numbers from a place on l'.
        let l = |at: usize| l_0[at..].iter().zip(&l_1[at..]).map(|(a, b)| a.wrapping_add(*b));
        // r = 2^f l': c / 2^f is masked by l' but for its top bits, which the lift sees to.
        let r = |l: u64| if f == 0 { l } else { cut.mask(l) };
        let dealt = dealt_bits(z);
        deal.give_pieces(V, n, dealt, |at, v| {
            let v = v.iter_mut().zip(&gamma[at..]).zip(l(at));
            v.for_each(|((v, g), l)| *v = low(g.wrapping_add(r(l)).wrapping_sub(*v), dealt.bits()));
        });
        if f > 0 && z.known == 64 {
            deal.give_pieces(A, n, Of::Bits(f), |at, a| {
                a.iter_mut().zip(l(at)).for_each(|(a, l)| *a = cut.other(cut.parts(l).0, *a))
            });
            deal.give_pieces(Q, n, Of::Bits(f), |at, q| {
                q.iter_mut().zip(l(at)).for_each(|(q, l)| *q = cut.other(cut.parts(l).1, *q))
            });
        }
        let share = Share::new(z.shape, None, [Some(tensor(z.shape, l_0)), Some(tensor(z.shape, l_1))]);
        // P2's lift is empty, but it knows that there is one: all three count operations alike.
        out.push(match z.known {
            64 if f == 0 => share,
            64 => share.with_lift(f, None),
            k => share.narrow(k),
        });
    }
    deal.done()?;
    Ok(out)
}

/// Leaves out what another lane deals and takes.
fn skip(deal: &mut Deal<'_>, n: usize, z: &Factors<'_>) {
    [V, A, Q].into_iter().filter(|kind| *kind == V || z.f > 0 && z.known == 64).for_each(|kind| deal.skip(kind, n));
}

/// What v is dealt as.
fn dealt_bits(z: &Factors<'_>) -> Of {
    if z.known + z.f < 64 { Of::Bits(z.known + z.f) } else { Of::Words }
}

/// Bytes of `n` integers of `k` bits.
pub(crate) const fn packed(n: usize, k: u8) -> u64 {
    (n as u64 * k as u64).div_ceil(8)
}

/// A server's randomness for one product.
struct Dealt {
    v: Numbers,
    /// Of l'_j.
    l: Prg,
    /// a_j and q_j, where anything is cut.
    top: Option<[Numbers; 2]>,
}

/// What each product needs of randomness; nothing where another lane has its result.
fn dealt(p: &mut Party, op: Op, factors: &[Factors<'_>], made: &[Made]) -> Result<Vec<Option<Dealt>>> {
    let lane = p.drawing();
    let mut l = p.draw(op, Pair::of(p.id, Id::P2), if p.id == Id::P0 { L_0 } else { L_1 })?;
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut one = |z: &Factors<'_>, made: Made| {
        let n = z.shape[0] * z.shape[1];
        if made == Made::Elsewhere {
            l.skip(n);
            skip(&mut deal, n, z);
            return Ok(None);
        }
        let lane = if made == Made::Whole { Lane::ALONE } else { lane };
        l.set_lane(lane);
        deal.set_lane(lane);
        let v = deal.take_later(V, n, dealt_bits(z))?;
        let mut bits = |kind| deal.take_later(kind, n, Of::Bits(z.f));
        let top = if z.f > 0 && z.known == 64 { Some([bits(A)?, bits(Q)?]) } else { None };
        Ok(Some(Dealt { v, l: l.ahead(n), top }))
    };
    factors.iter().zip(made).map(|(z, made)| one(z, *made)).collect()
}

fn compute(p: &mut Party, op: Op, factors: &[Factors<'_>], of_batch: &[bool]) -> Result<Vec<Share>> {
    let (first, peer) = (p.id == Id::P0, p.peer());
    // What is added to a sum over all lanes is added once.
    let adds = |i: usize| p.drawing().leads() || !of_batch.get(i).is_some_and(|of_batch| *of_batch);
    let mut own: Vec<Tensor> = factors.iter().enumerate().map(|(i, z)| negative(p, z, adds(i))).collect();
    let made = made(p, of_batch, &mut own)?;
    let mut dealt = dealt(p, op, factors, &made)?;
    let (mut piece, mut parts) = ([0; PIECE], vec![]);
    for ((z, c), dealt) in factors.iter().zip(&mut own).zip(&mut dealt).filter_map(|(at, dealt)| Some(at).zip(dealt.as_mut())) {
        let (offset, cut) = (if first || z.f == 0 { 0 } else { Cut::<64>::OFFSET }, Cut::<64>::by(z.f));
        let mut part = Part::with_room(opened(z), c.len());
        for c in pieces(c) {
            let v = &mut piece[..c.len()];
            dealt.v.fill(v);
            c.iter_mut().zip(v).for_each(|(c, v)| *c = low(cut.half(v.wrapping_add(offset).wrapping_sub(*c)), z.known));
            part.extend(c);
        }
        parts.push(part);
    }
    let mut elsewhere = elsewhere(p, factors, &made);
    let round = parts.into_iter().fold(p.round(op, OPEN), |round, part| round.send(peer, part));
    let mut round = round.then()?;
    let mut out = vec![];
    for (((z, mut c), dealt), elsewhere) in factors.iter().zip(own).zip(dealt).zip(&mut elsewhere) {
        let Some(Dealt { mut l, top, .. }) = dealt else {
            out.extend(elsewhere.take());
            continue;
        };
        let (n, f) = (c.len(), z.f);
        let mut theirs = Numbers::Sent(round.part(peer, opened(z), n)?, 0);
        let mut add = |c: &mut [u64]| {
            let theirs_now = &mut piece[..c.len()];
            theirs.fill(theirs_now);
            c.iter_mut().zip(theirs_now).for_each(|(c, theirs)| *c = c.wrapping_add(*theirs));
        };
        let e = match top {
            None => {
                pieces(&mut c).for_each(add);
                if z.known < 64 {
                    // m' modulo 2^k, and above it nothing that counts.
                    let cut = Cut::<64>::by(f);
                    c.iter_mut().for_each(|c| *c = cut.joined(*c).0);
                }
                None
            }
            Some([mut a, mut q]) => {
                let (cut, mut e, mut of_q) = (Cut::<64>::by(f), vec![0; n], [0; PIECE]);
                for (c, e) in pieces(&mut c).zip(e.chunks_mut(PIECE)) {
                    let of_q = &mut of_q[..c.len()];
                    add(c);
                    a.fill(e);
                    q.fill(of_q);
                    for ((c, e), q) in c.iter_mut().zip(e).zip(of_q) {
                        let (m, w) = cut.joined(*c);
                        (*c, *e) = (m, cut.lift(*e, w, *q));
                    }
                }
                Some(tensor(z.shape, e))
            }
        };
        let share = share(first, z.shape, c, tensor(z.shape, l.words(n)));
        out.push(match e {
            Some(e) => share.with_lift(f, Some(e)),
            None if z.known < 64 => share.narrow(z.known),
            None => share,
        });
    }
    Ok(out)
}

/// What c_j is sent as.
fn opened(z: &Factors<'_>) -> Ring {
    if z.f == 0 { Ring::Word } else { Ring::Bits(z.known.min(64 - z.f)) }
}

/// The elements, row by row, some at a time.
fn pieces(x: &mut Tensor) -> impl Iterator<Item = &mut [u64]> {
    x.as_slice_mut().unwrap_or(&mut []).chunks_mut(PIECE)
}

/// What a server takes off v_j. P0: m_x l_y0 + l_x0 m_y. P1: m_x (l_y1 - m_y) + l_x1 m_y, or the same with m_x m_y taken off the other term:
/// off the smaller one of the factors. And less the addend, m - l_0 at P0, -l_1 at P1.
pub(super) fn negative(p: &Party, z: &Factors<'_>, adds: bool) -> Tensor {
    let first = p.id == Id::P0;
    let less = |x: &Share| x.m().zip(own_mask(p, x)).map(|(m, l)| words::sub(l, m));
    let plus = z.plus.as_ref().filter(|_| adds).and_then(|plus| match first {
        true => less(plus),
        false => own_mask(p, plus).cloned(),
    });
    let (Some([m_x, l_x]), Some([m_y, l_y])) = (z.x.factors(p.id.index()), z.y.factors(p.id.index())) else {
        return Tensor::zeros(z.shape);
    };
    let smaller = if first { None } else { less(if z.x.len() < z.y.len() { z.x } else { z.y }) };
    let terms = match &smaller {
        None => [[m_x, l_y], [l_x, m_y]],
        Some(less) if z.x.len() < z.y.len() => [[m_x, l_y], [less.into(), m_y]],
        Some(less) => [[m_x, less.into()], [l_x, m_y]],
    };
    z.sum(terms, plus.as_ref())
}

/// The mask share that this server holds.
pub(crate) fn own_mask<'a>(p: &Party, x: &'a Share) -> Option<&'a Tensor> {
    x.mask(p.id.index())
}

/// A server's share from m and its own mask share.
pub(crate) fn share(first: bool, shape: [usize; 2], m: Tensor, mask: Tensor) -> Share {
    Share::new(shape, Some(m), if first { [Some(mask), None] } else { [None, Some(mask)] })
}
