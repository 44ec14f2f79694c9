//! Products with truncation of which every message is proven.
//!
//! The product is that of [`product`](super::super::product); but a part of an opening that is cut off could not be proven, since cutting is no polynomial of low degree. So c is opened whole,
//! under a mask whose lower bits are additive shares and whose two top bits are an exclusive or, and the mask of the result is *defined* as the sum of what is left of these parts: no carry is
//! ever needed. docs/verified.md has the arithmetic, [`Open`] computes it.
//!
//! rho_j (62 bits), S_j (2 bits) and a_j (f bits) come from k02 (j = 0) and k12 (j = 1), v_0, e_0 (f + 2 bits) and q_0 (f + 1 bits) from k02, the bit kappa from k01.
//!
//! | | message | |
//! |---|---|---|
//! | P2 to P1, ahead | v_1 = l_x l_y + R - v_0, where R = rho_0 + rho_1 + 2^62 (S_0 XOR S_1) | 64 bits |
//! | | e_1 and q_1: with e_0 and q_0 additive shares of the low and of the high bit of S_0 XOR S_1 | f + 2, f + 1 |
//! | P0 to P1 | c_0 = -m_x l_y0 - l_x0 m_y + v_0 | 64 |
//! | P1 to P0 | c_1 = m_x (m_y - l_y1) - l_x1 m_y + v_1 + 2^61 - 2^(f-1) + kappa | 64 |
//! | P_j to the other server | the lift, d_j = a_j + w q_j mod 2^f, with w = 1 - msb(c) | f |
//!
//! m' = (c >> f) - 2^(61-f) + 2^(64-f) (d_0 + d_1), l'_j = (rho_j >> f) + 2^(62-f) (e_j + 2 q_j) + 2^(64-f) a_j. For |z| <= 2^61 - 2^(f-1) the result is within 1.5 units of z / 2^f, and its mean is that
//! exactly. Without truncation R = l'_0 + l'_1 with l'_j of 64 bits, and nothing but v_1, c_0 and c_1 is sent.
//!
//! | proves | claims, of which the first verifier knows the first factor of each product | first, second |
//! |---|---|---|
//! | P0 | c_0 + m_x l_y0 + m_y l_x0 - v_0 = 0 | P1, P2 |
//! | P1 | c_1 - m_x m_y + m_x l_y1 + m_y l_x1 - v_1 - 2^61 + 2^(f-1) - kappa = 0 | P0, P2 |
//! | P2 | l_x1 l_y0 + l_y1 l_x0 + l_x0 l_y0 + l_x1 l_y1 + R - v_0 - v_1 = 0, where 2^62 (e_j + 2 q_j) stands for S | P1, P0 |
//! | P2 | 2^(62-f) (e_0 + e_1 - s_0 - s_1 + 2 s_1 s_0) = 0, s_j the low bit of S_j; the same of q with 2^(63-f) and the high bit | P1, P0 |
//! | P_j | 2^(64-f) (a_j + w q_j - d_j) = 0 | the other server, P2 |
//!
//! **Private**, whatever a party has sent before: v_1, e_1, q_1 are hidden by v_0, e_0, q_0, which P1 lacks; of R each server lacks one rho and one S, which make it uniform; d_j is hidden by a_j.
//! Counted in full in `crates/mpc/tests/protocols/proven_truncation.rs`.
//!
//! Rounds: 1, and 1 for the lift. Bits an element: 67 + 2f ahead, 128, and 2f for the lift; 64 ahead and 128 where f = 0. The lift does not wait here, nor travel with a comparison:
//! claims of lifts are about products only, and not yet about sums of them.

mod claims;

use super::super::deal::{Deal, Kind, Of};
use super::super::matrix::{elements, tensor};
use super::super::product::{Factors, negative, packed, share};
use super::super::share::Share;
use super::exchanged;
use crate::cut::{Open, low};
use crate::{Error, Id, Op, Pair, Part, Party, Prg, Price, Result};
use claims::{claim_at_p2, claim_at_server, claim_lift};
use trefoil_engine::Kind as Form;
use trefoil_ring::Tensor;

const DEAL: &str = "verified.product.deal";
const OPEN: &str = "verified.product.c";
const LIFT: &str = "verified.product.lift";
const KINDS: [Kind; 3] =
    [("verified.product.v_0", Pair::K02), ("verified.product.e_0", Pair::K02), ("verified.product.q_0", Pair::K02)];
const V: usize = 0;
const E: usize = 1;
const Q: usize = 2;

/// For `n` elements of results, the lift included.
pub const fn cost(n: usize, f: u8) -> Price {
    match f {
        0 => Price::of(1, [0, 8 * n as u64], 16 * n as u64),
        _ => {
            let ahead = 8 * n as u64 + packed(n, f + 2) + packed(n, f + 1);
            Price::of(2, [0, ahead], 16 * n as u64 + 2 * packed(n, f))
        }
    }
}

/// Several independent products, whole, with their claims.
///
/// # Errors
/// Those of the network; [`Error::Unproven`] if a factor waits for a lift of which nothing is claimed, or elements of a product of matrices are to be added up in other places.
pub fn products(p: &mut Party, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    let op = p.op();
    let waits = |x: &Share| x.pending().is_some();
    let unproven = |what| Error::Unproven { at: p.at(op), what };
    for z in factors {
        if [z.x, z.y].into_iter().chain(&z.plus).any(waits) {
            return Err(unproven("a product of numbers that wait for a lift"));
        }
        if z.known < 64 {
            return Err(unproven("a product of which only lower bits are known"));
        }
        if z.scatter.is_some() && z.kind != Form::Mul {
            return Err(unproven("a product of matrices whose elements are added up in other places"));
        }
    }
    let parts = match p.id {
        Id::P2 => deal(p, op, factors)?,
        _ => compute(p, op, factors)?,
    };
    lift(p, factors, parts)
}

/// The randomness of the mask of one result that a server shares with P2, and what it has of S.
struct Mask {
    /// rho_j; or all of l'_j, where nothing is cut.
    rho: Vec<u64>,
    /// S_j.
    s: Vec<u64>,
    /// a_j.
    a: Vec<u64>,
    v: Vec<u64>,
    e: Vec<u64>,
    q: Vec<u64>,
}

impl Mask {
    /// R less what the other half is, as P2 claims it: rho_j + 2^62 (e_j + 2 q_j).
    fn part(&self) -> Vec<u64> {
        let at = |i: usize| match self.e.get(i).zip(self.q.get(i)) {
            Some((e, q)) => Open::<64>::mask(self.rho[i], e.wrapping_add(q << 1)),
            None => self.rho[i],
        };
        (0..self.rho.len()).map(at).collect()
    }

    /// l'_j.
    fn of_result(&self, f: u8) -> Vec<u64> {
        let at = |i: usize| Open::<64>::by(f).part(self.rho[i], self.e[i], self.q[i], self.a[i]);
        if f == 0 { self.rho.clone() } else { (0..self.rho.len()).map(at).collect() }
    }
}

/// The streams of rho_j, S_j and a_j.
struct Streams([Prg; 3]);

impl Streams {
    fn of(p: &mut Party, op: Op, j: usize) -> Result<Streams> {
        const LABELS: [[&str; 3]; 2] = [
            ["verified.product.rho_0", "verified.product.S_0", "verified.product.a_0"],
            ["verified.product.rho_1", "verified.product.S_1", "verified.product.a_1"],
        ];
        let pair = [Pair::K02, Pair::K12][j];
        let [rho, s, a] = LABELS[j];
        Ok(Streams([p.draw(op, pair, rho)?, p.draw(op, pair, s)?, p.draw(op, pair, a)?]))
    }

    fn next(&mut self, n: usize, f: u8) -> Mask {
        let Streams([rho, s, a]) = self;
        let [v, e, q] = Default::default();
        match f {
            0 => Mask { rho: rho.words(n), s: vec![], a: vec![], v, e, q },
            _ => Mask { rho: rho.bits(n, 62), s: s.bits(n, 2), a: a.bits(n, f), v, e, q },
        }
    }
}

/// What a party has of one result before the lift.
struct Made {
    /// Both at P2; a server's own.
    masks: [Option<Mask>; 2],
    /// What is opened, at the servers.
    c: Vec<u64>,
}

/// P2 deals the product of the masks under the new one, and shares of that one's top bits.
fn deal(p: &mut Party, op: Op, factors: &[Factors<'_>]) -> Result<Vec<Made>> {
    let mut streams = [Streams::of(p, op, 0)?, Streams::of(p, op, 1)?];
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut all = vec![];
    for z in factors {
        let (n, f) = (z.shape[0] * z.shape[1], z.f);
        let [mut first, mut second] = streams.each_mut().map(|streams| streams.next(n, f));
        let gamma = match (z.x.full(), z.y.full()) {
            (Some(x), Some(y)) => z.sum([[x.factor(), y.factor()]], None),
            _ => Tensor::zeros(z.shape),
        };
        let s = |i: usize| first.s.get(i).zip(second.s.get(i)).map_or(0, |(a, b)| a ^ b);
        let whole =
            |i: usize| elements(Some(&gamma))[i].wrapping_add(Open::<64>::mask(first.rho[i].wrapping_add(second.rho[i]), s(i)));
        let mut give = |kind: usize, of: Of, number: &dyn Fn(usize) -> u64| {
            deal.both(kind, n, of, |shares| {
                shares.iter_mut().enumerate().for_each(|(i, share)| *share = low(number(i).wrapping_sub(*share), of.bits()));
            })
        };
        let v = give(V, Of::Words, &whole)?;
        let [e, q] = match f {
            0 => Default::default(),
            _ => [give(E, Of::Bits(f + 2), &|i| s(i) & 1)?, give(Q, Of::Bits(f + 1), &|i| s(i) >> 1)?],
        };
        for (mask, [v, e, q]) in [&mut first, &mut second].into_iter().zip(by_share(v, e, q)) {
            (mask.v, mask.e, mask.q) = (v, e, q);
        }
        all.push(Made { masks: [Some(first), Some(second)], c: vec![] });
    }
    deal.done()?;
    factors.iter().zip(&all).for_each(|(z, made)| claim_at_p2(p, z, made));
    Ok(all)
}

fn by_share([v_0, v_1]: [Vec<u64>; 2], [e_0, e_1]: [Vec<u64>; 2], [q_0, q_1]: [Vec<u64>; 2]) -> [[Vec<u64>; 3]; 2] {
    [[v_0, e_0, q_0], [v_1, e_1, q_1]]
}

/// The servers open c.
fn compute(p: &mut Party, op: Op, factors: &[Factors<'_>]) -> Result<Vec<Made>> {
    let j = p.id.index();
    let mut streams = Streams::of(p, op, j)?;
    let mut kappa = p.draw(op, Pair::K01, "verified.product.kappa")?;
    let size = |z: &Factors<'_>| z.shape[0] * z.shape[1];
    let kappas: Vec<Vec<u64>> = factors.iter().map(|z| if z.f > 0 { kappa.bits(size(z), 1) } else { vec![0; size(z)] }).collect();
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut masks = vec![];
    for z in factors {
        let (n, f) = (size(z), z.f);
        let mut mask = streams.next(n, f);
        mask.v = deal.take(V, n, Of::Words)?;
        if f > 0 {
            mask.e = deal.take(E, n, Of::Bits(f + 2))?;
            mask.q = deal.take(Q, n, Of::Bits(f + 1))?;
        }
        masks.push(mask);
    }
    drop(deal);
    let mut own = vec![];
    for ((z, mask), kappa) in factors.iter().zip(&masks).zip(&kappas) {
        let offset = if z.f > 0 { Open::<64>::by(z.f).offset() } else { 0 };
        // P1 adds the offset, in which kappa is the rounding.
        let more = |kappa: u64| if j == 1 { offset.wrapping_add(kappa) } else { 0 };
        let less = negative(p, z, true);
        let all = mask.v.iter().zip(elements(Some(&less))).zip(kappa);
        own.push(all.map(|((v, less), kappa)| v.wrapping_sub(*less).wrapping_add(more(*kappa))).collect());
    }
    let theirs = exchanged(p, op, OPEN, &mut own)?;
    let mut all = vec![];
    for (((z, mask), (own, theirs)), kappa) in factors.iter().zip(masks).zip(own.into_iter().zip(theirs)).zip(kappas) {
        let c = own.iter().zip(&theirs).map(|(a, b)| a.wrapping_add(*b)).collect();
        claim_at_server(p, z, &mask, theirs, &kappa);
        let masks = if j == 0 { [Some(mask), None] } else { [None, Some(mask)] };
        all.push(Made { masks, c });
    }
    Ok(all)
}

/// The lift of all that has been cut; and the results.
fn lift(p: &mut Party, factors: &[Factors<'_>], made: Vec<Made>) -> Result<Vec<Share>> {
    let cut = || factors.iter().zip(&made).filter(|(z, _)| z.f > 0);
    let op = if cut().next().is_some() { Some(p.op()) } else { None };
    let mut lifted = vec![];
    if let (Some(op), true) = (op, p.id != Id::P2) {
        let (j, peer) = (p.id.index(), p.peer());
        let mut own = vec![];
        for (z, made) in cut() {
            let (open, mask) = (Open::<64>::by(z.f), made.masks[j].as_ref());
            let of_mask = mask.iter().flat_map(|mask| mask.a.iter().zip(&mask.q));
            let mut d: Vec<u64> = made.c.iter().zip(of_mask).map(|(c, (a, q))| open.lift(*a, open.opened(*c).1, *q)).collect();
            p.seeds.says(LIFT, z.f, &mut d);
            own.push(d);
        }
        let sends = cut().zip(&own).fold(p.round(op, LIFT), |round, ((z, _), d)| round.send(peer, Part::bits(d, z.f)));
        let mut round = sends.then()?;
        for ((z, _), own) in cut().zip(own) {
            let theirs = round.bits(peer, own.len(), z.f)?;
            lifted.push([own, theirs]);
        }
    }
    let mut lifted = lifted.into_iter();
    let mut out = vec![];
    for (z, made) in factors.iter().zip(&made) {
        let of_result = |mask: &Option<Mask>| mask.as_ref().map(|mask| tensor(z.shape, mask.of_result(z.f)));
        let [l_0, l_1] = made.masks.each_ref().map(of_result);
        let d = if z.f > 0 { lifted.next() } else { None };
        if z.f > 0 {
            claim_lift(p, z.f, made, d.as_ref().map(|[_, theirs]| &theirs[..]));
        }
        let whole = |(c, d): (&u64, u64)| {
            let open = Open::<64>::by(z.f);
            if z.f == 0 { *c } else { open.opened(*c).0.wrapping_add(open.top(d)) }
        };
        let d = d.map_or_else(
            || vec![0; made.c.len()],
            |[own, theirs]| own.iter().zip(&theirs).map(|(a, b)| a.wrapping_add(*b)).collect(),
        );
        let m = tensor(z.shape, made.c.iter().zip(d).map(whole).collect());
        out.push(match (p.id, l_0, l_1) {
            (Id::P0, Some(l), _) => share(true, z.shape, m, l),
            (Id::P1, _, Some(l)) => share(false, z.shape, m, l),
            (_, l_0, l_1) => Share::new(z.shape, None, [l_0, l_1]),
        });
    }
    Ok(out)
}
