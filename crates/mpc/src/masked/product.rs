//! Products, of matrices or element by element, with exact truncation by f bits.
//!
//! Source: ASTRA's multiplication; the exact truncation is worked out in docs/masked.md. Z = (X Y + plus) / 2^f, for
//! -2^62 <= X Y + plus < 2^62 (the whole inner sum), rounded down or up without bias; it cannot fail.
//!
//! ahead of time, P2: gamma = l_x l_y from the full masks; gamma_0 from k02, gamma_1 to P1. r = r_0 + r_1 (k02, k12). If f > 0: a_0, a_1 of f
//! bits (k02, k12); q = msb(r) in Z_2^f, q_0 from k02, q_1 to P1; l' = (r >> f) + 2^(64-f) (a_0 + a_1), l'_0 from k02, l'_1 to P1.
//! 1. P0: c_0 = -m_x l_y0 - l_x0 m_y + gamma_0 + r_0. P1: c_1 = m_x (m_y - l_y1) - l_x1 m_y + gamma_1 + r_1 + 2^62. Exchange.
//! 2. (lift.rs) w = 1 - msb(c); e_j = 2^(64-f) (a_j + w q_j); m' = (c >> f) - 2^(62-f) + e_0 + e_1.
//!
//! Without truncation m' = c, masks r_0 and r_1, no offset.
//!
//! |         | rounds                       | bytes an element of Z, whatever the inner dimension |
//! |---------|------------------------------|-----------------------------------------------------|
//! | f = 0   | 1                            | 8 ahead, 16                                         |
//! | f > 0   | 1, and 1 for the lift        | 16 + f/8 ahead, 16 + 2 f/8                          |

use super::share::{Share, elements, tensor};
use crate::{Id, Op, Pair, Part, Party, Result};
use trefoil_engine::Kind;
use trefoil_ring::{Tensor, matrix, words};

/// One product.
pub struct Factors<'a> {
    /// Matrix product or elementwise.
    pub kind: Kind,
    /// X.
    pub x: &'a Share,
    /// Y.
    pub y: &'a Share,
    /// Added before truncation; of the result's shape.
    pub plus: Option<Share>,
    /// The result's shape.
    pub shape: [usize; 2],
    /// Bits to truncate.
    pub f: u8,
}

/// Several independent products in one round (and one more before it, if a factor waits for its lift).
///
/// # Errors
/// Those of the network.
pub fn products(p: &mut Party, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    let inputs: Vec<&Share> = factors.iter().flat_map(|z| [z.x, z.y].into_iter().chain(&z.plus)).collect();
    super::lift::lift(p, &inputs)?;
    let op = p.op();
    match p.id {
        Id::P2 => deal(p, op, factors),
        _ => compute(p, op, factors),
    }
}

const GAMMA_0: &str = "masked.product.gamma_0";
const R_0: &str = "masked.product.r_0";
const R_1: &str = "masked.product.r_1";
const DEAL: &str = "masked.product.deal";
const OPEN: &str = "masked.product.c";

fn deal(p: &mut Party, op: Op, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    let mut gamma_0 = p.draw(op, Pair::K02, GAMMA_0)?;
    let (mut r_0, mut r_1) = (p.draw(op, Pair::K02, R_0)?, p.draw(op, Pair::K12, R_1)?);
    let mut shift = Shift::draw(p, op)?;
    let (mut parts, mut out) = (vec![], vec![]);
    for z in factors {
        let n = z.shape[0] * z.shape[1];
        let mut gamma = Tensor::zeros((z.shape[0], z.shape[1]));
        if let (Some(x), Some(y)) = (z.x.full_mask(), z.y.full_mask()) {
            add_product(&mut gamma, z.kind, &x, &y);
        }
        let gamma_1: Vec<u64> = gamma.iter().zip(gamma_0.words(n)).map(|(g, g_0)| g.wrapping_sub(g_0)).collect();
        parts.push(Part::words(&gamma_1));
        let (r_0, r_1) = (r_0.words(n), r_1.words(n));
        if z.f == 0 {
            out.push(Share::new(z.shape, None, [Some(tensor(z.shape, r_0)), Some(tensor(z.shape, r_1))]));
        } else {
            let r: Vec<u64> = r_0.iter().zip(&r_1).map(|(a, b)| a.wrapping_add(*b)).collect();
            let (share, dealt) = shift.deal(z.shape, &r, z.f);
            parts.extend(dealt);
            out.push(share);
        }
    }
    parts.into_iter().fold(p.offline(op, DEAL), |round, part| round.send(Id::P1, part)).then()?;
    Ok(out)
}

fn compute(p: &mut Party, op: Op, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    let (first, peer) = (p.id == Id::P0, p.peer());
    let mut own: Vec<(Tensor, Tensor)> = factors
        .iter()
        .map(|z| {
            let mut c = Tensor::zeros((z.shape[0], z.shape[1]));
            if let (Some(m_x), Some(m_y), Some(l_x), Some(l_y)) = (z.x.m(), z.y.m(), own_mask(p, z.x), own_mask(p, z.y)) {
                // P0: -m_x l_y0 - l_x0 m_y. P1: m_x (m_y - l_y1) - l_x1 m_y.
                let right = if first { words::neg(l_y) } else { words::sub(m_y, l_y) };
                add_product(&mut c, z.kind, m_x, &right);
                add_product(&mut c, z.kind, &words::neg(l_x), m_y);
            }
            if let Some((m, l)) = z.plus.as_ref().and_then(|plus| plus.m().zip(own_mask(p, plus))) {
                // plus = m - l_0 - l_1: P0 adds m - l_0, P1 adds -l_1.
                words::sub_assign(&mut c, l);
                if first {
                    words::add_assign(&mut c, m);
                }
            }
            let r = Tensor::zeros((0, 0));
            (c, r)
        })
        .collect();
    // Masks: gamma_j and r_j.
    let mut r = p.draw(op, Pair::of(p.id, Id::P2), if first { R_0 } else { R_1 })?;
    let offset = if first { 0 } else { 1 << 62 };
    let mut shifts = vec![];
    if first {
        let mut gamma = p.draw(op, Pair::K02, GAMMA_0)?;
        let mut shift = Shift::draw(p, op)?;
        for (z, (c, mask)) in factors.iter().zip(&mut own) {
            let n = c.len();
            add_mask(c, mask, &gamma.words(n), r.words(n), z.shape, if z.f > 0 { offset } else { 0 });
            shifts.push(if z.f > 0 { Some(shift.first(n, z.f)) } else { None });
        }
    } else {
        let mut shift = Shift::draw(p, op)?;
        let mut from = p.offline(op, DEAL).then()?;
        for (z, (c, mask)) in factors.iter().zip(&mut own) {
            let n = c.len();
            let gamma = from.words(Id::P2, n)?;
            add_mask(c, mask, &gamma, r.words(n), z.shape, if z.f > 0 { offset } else { 0 });
            shifts.push(if z.f > 0 { Some(shift.second(&mut from, n, z.f)?) } else { None });
        }
    }
    let round = own.iter().fold(p.round(op, OPEN), |round, (c, _)| round.send(peer, Part::words(elements(Some(c)))));
    let mut round = round.then()?;
    let mut out = vec![];
    for ((z, (c, mask)), shift) in factors.iter().zip(own).zip(shifts) {
        let theirs = round.words(peer, c.len())?;
        let c: Vec<u64> = c.iter().zip(theirs).map(|(a, b)| a.wrapping_add(b)).collect();
        out.push(match shift {
            None => share(first, z.shape, tensor(z.shape, c), mask),
            Some(shift) => shift.apply(first, z.shape, &c, z.f),
        });
    }
    Ok(out)
}

/// The mask share that this server holds.
pub(crate) fn own_mask<'a>(p: &Party, x: &'a Share) -> Option<&'a Tensor> {
    x.mask(p.id.index())
}

/// A server's share from m and its own mask share.
pub(crate) fn share(first: bool, shape: [usize; 2], m: Tensor, mask: Tensor) -> Share {
    Share::new(shape, Some(m), if first { [Some(mask), None] } else { [None, Some(mask)] })
}

fn add_mask(c: &mut Tensor, mask: &mut Tensor, gamma: &[u64], r: Vec<u64>, shape: [usize; 2], offset: u64) {
    c.iter_mut().zip(gamma).zip(&r).for_each(|((c, g), r)| *c = c.wrapping_add(*g).wrapping_add(*r).wrapping_add(offset));
    *mask = tensor(shape, r);
}

/// z += x y.
fn add_product(z: &mut Tensor, kind: Kind, x: &Tensor, y: &Tensor) {
    match kind {
        Kind::MatMul { tx, ty } => matrix::product_into(z, x, tx, y, ty),
        Kind::Mul => ndarray::Zip::from(z).and(x).and(y).for_each(|z, x, y| *z = z.wrapping_add(x.wrapping_mul(*y))),
    }
}

/// The randomness of a truncation: a_j, q_0 and l'_0 from generators, q_1 and l'_1 from P2.
pub(crate) struct Shift {
    a: [Option<crate::Prg>; 2],
    q_0: Option<crate::Prg>,
    l_0: Option<crate::Prg>,
}

/// A server's part of a truncation of n elements: a_j, q_j and l'_j.
pub(crate) struct Shifted {
    a: Vec<u64>,
    q: Vec<u64>,
    l: Vec<u64>,
}

impl Shift {
    pub(crate) fn draw(p: &mut Party, op: Op) -> Result<Shift> {
        let of = |p: &mut Party, pair, label| Ok(Some(p.draw(op, pair, label)?));
        let (a_0, a_1) = ("masked.shift.a_0", "masked.shift.a_1");
        let a = [
            if p.id == Id::P1 { None } else { of(p, Pair::K02, a_0)? },
            if p.id == Id::P0 { None } else { of(p, Pair::K12, a_1)? },
        ];
        if p.id == Id::P1 {
            return Ok(Shift { a, q_0: None, l_0: None });
        }
        Ok(Shift { a, q_0: of(p, Pair::K02, "masked.shift.q_0")?, l_0: of(p, Pair::K02, "masked.shift.l_0")? })
    }

    /// P2: the result's masks, and what P1 must be sent, for values opened under the mask r.
    pub(crate) fn deal(&mut self, shape: [usize; 2], r: &[u64], f: u8) -> (Share, [Part; 2]) {
        let n = r.len();
        let bits = |prg: &mut Option<crate::Prg>| prg.as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        let (a_0, a_1, q_0) = (bits(&mut self.a[0]), bits(&mut self.a[1]), bits(&mut self.q_0));
        let l_0 = self.l_0.as_mut().map_or_else(Vec::new, |prg| prg.words(n));
        let low = (1u64 << f) - 1;
        let q_1: Vec<u64> = r.iter().zip(&q_0).map(|(r, q_0)| (r >> 63).wrapping_sub(*q_0) & low).collect();
        let l_1: Vec<u64> = (0..n)
            .map(|i| (r[i] >> f).wrapping_add(a_0[i].wrapping_add(a_1[i]) << (64 - f)).wrapping_sub(l_0[i]))
            .collect();
        let parts = [Part::bits(&q_1, f), Part::words(&l_1)];
        // P2's lift is empty, but it knows that there is one: all three count operations alike.
        (Share::new(shape, None, [Some(tensor(shape, l_0)), Some(tensor(shape, l_1))]).with_lift(f, None), parts)
    }

    /// P0's part.
    pub(crate) fn first(&mut self, n: usize, f: u8) -> Shifted {
        let bits = |prg: &mut Option<crate::Prg>| prg.as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        let (a, q) = (bits(&mut self.a[0]), bits(&mut self.q_0));
        Shifted { a, q, l: self.l_0.as_mut().map_or_else(Vec::new, |prg| prg.words(n)) }
    }

    /// P1's part.
    pub(crate) fn second(&mut self, from: &mut crate::round::Receive<'_>, n: usize, f: u8) -> Result<Shifted> {
        let a = self.a[1].as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        Ok(Shifted { a, q: from.bits(Id::P2, n, f)?, l: from.words(Id::P2, n)? })
    }
}

impl Shifted {
    /// From the opened c = z + r + 2^62: (c >> f) - 2^(62-f), and e_j for the lift.
    pub(crate) fn apply(self, first: bool, shape: [usize; 2], c: &[u64], f: u8) -> Share {
        let low = c.iter().map(|c| (c >> f).wrapping_sub(1 << (62 - f))).collect();
        let own = c.iter().zip(&self.a).zip(&self.q).map(|((c, a), q)| {
            let w = 1 - (c >> 63);
            a.wrapping_add(w.wrapping_mul(*q)) << (64 - f)
        });
        let own = tensor(shape, own.collect());
        share(first, shape, tensor(shape, low), tensor(shape, self.l)).with_lift(f, Some(own))
    }
}
