//! Truncation alone: x / 2^f without opening anything.
//!
//! x is masked already: c = m + 2^62 is known to both servers, and its mask r = l_0 + l_1 to P2. So the second half of product.rs
//! applies, with the new mask l' = (r >> f) + 2^(64-f) (a_0 + a_1), a_j from k02 and k12; l'_0 from k02, l'_1 sent. The result is
//! floor(x / 2^f) or one more, without bias, for -2^62 <= x < 2^62; it cannot fail.
//!
//! Rounds: none, and 1 for the lift. Bits an element: 64 + f ahead of time, 2f for the lift.

use super::product::share;
use super::share::{Share, elements, tensor};
use crate::cut::Cut;
use crate::round::Receive;
use crate::{Id, Op, Pair, Part, Party, Prg, Result};

/// Rounds, bytes ahead of time and bytes in the rounds, for `n` elements; the lift is apart.
pub const fn cost(n: usize, f: u8) -> (u64, u64, u64) {
    match f {
        0 => (0, 0, 0),
        _ => (0, 8 * n as u64 + super::product::packed(n, f), 0),
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
    let op = p.op();
    let label = "masked.truncate.deal";
    let mut shift = Shift::draw(p, op)?;
    let mut done = vec![];
    if p.id == Id::P2 {
        let mut parts = vec![];
        for (x, f) in work {
            let r: Vec<u64> = elements(x.full_mask().as_ref()).to_vec();
            let (share, dealt) = shift.deal(x.shape, &r, f);
            done.push(share);
            parts.extend(dealt);
        }
        parts.into_iter().fold(p.offline(op, label), |round, part| round.send(Id::P1, part)).then()?;
    } else {
        let first = p.id == Id::P0;
        let mut from = if first { None } else { Some(p.offline(op, label).then()?) };
        for (x, f) in work {
            let c: Vec<u64> = elements(x.m()).iter().map(|m| m.wrapping_add(1 << 62)).collect();
            let part = match &mut from {
                None => shift.first(c.len(), f),
                Some(from) => shift.second(from, c.len(), f)?,
            };
            done.push(part.apply(first, x.shape, &c, f));
        }
    }
    let mut done = done.into_iter();
    Ok(xs.iter().map(|(x, f)| if *f > 0 { done.next() } else { None }.unwrap_or_else(|| (*x).clone())).collect())
}

/// The randomness of a truncation: a_j, q_0 and l'_0 from generators, q_1 and l'_1 from P2.
struct Shift {
    a: [Option<Prg>; 2],
    q_0: Option<Prg>,
    l_0: Option<Prg>,
}

/// A server's part of a truncation of n elements: a_j, q_j and l'_j.
struct Shifted {
    a: Vec<u64>,
    q: Vec<u64>,
    l: Vec<u64>,
}

impl Shift {
    fn draw(p: &mut Party, op: Op) -> Result<Shift> {
        let of = |p: &mut Party, pair, label| Ok(Some(p.draw(op, pair, label)?));
        let (a_0, a_1) = ("masked.truncate.a_0", "masked.truncate.a_1");
        let a = [
            if p.id == Id::P1 { None } else { of(p, Pair::K02, a_0)? },
            if p.id == Id::P0 { None } else { of(p, Pair::K12, a_1)? },
        ];
        if p.id == Id::P1 {
            return Ok(Shift { a, q_0: None, l_0: None });
        }
        Ok(Shift { a, q_0: of(p, Pair::K02, "masked.truncate.q_0")?, l_0: of(p, Pair::K02, "masked.truncate.l_0")? })
    }

    /// P2: the result's masks, and what P1 must be sent, for values opened under the mask r.
    fn deal(&mut self, shape: [usize; 2], r: &[u64], f: u8) -> (Share, [Part; 2]) {
        let n = r.len();
        let bits = |prg: &mut Option<Prg>| prg.as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        let (a_0, a_1, q_0) = (bits(&mut self.a[0]), bits(&mut self.a[1]), bits(&mut self.q_0));
        let l_0 = self.l_0.as_mut().map_or_else(Vec::new, |prg| prg.words(n));
        let cut = Cut::<64>::by(f);
        let q_1: Vec<u64> = r.iter().zip(&q_0).map(|(r, q_0)| cut.other(Cut::<64>::top(*r), *q_0)).collect();
        let a = |i: usize| a_0[i].wrapping_add(a_1[i]);
        let l_1: Vec<u64> = (0..n).map(|i| cut.shifted(r[i], a(i)).wrapping_sub(l_0[i])).collect();
        let parts = [Part::bits(&q_1, f), Part::words(&l_1)];
        // P2's lift is empty, but it knows that there is one: all three count operations alike.
        (Share::new(shape, None, [Some(tensor(shape, l_0)), Some(tensor(shape, l_1))]).with_lift(f, None), parts)
    }

    /// P0's part.
    fn first(&mut self, n: usize, f: u8) -> Shifted {
        let bits = |prg: &mut Option<Prg>| prg.as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        let (a, q) = (bits(&mut self.a[0]), bits(&mut self.q_0));
        Shifted { a, q, l: self.l_0.as_mut().map_or_else(Vec::new, |prg| prg.words(n)) }
    }

    /// P1's part.
    fn second(&mut self, from: &mut Receive<'_>, n: usize, f: u8) -> Result<Shifted> {
        let a = self.a[1].as_mut().map_or_else(Vec::new, |prg| prg.bits(n, f));
        Ok(Shifted { a, q: from.bits(Id::P2, n, f)?, l: from.words(Id::P2, n)? })
    }
}

impl Shifted {
    /// From the opened c = z + r + 2^62: (c >> f) - 2^(62-f), and e_j for the lift.
    fn apply(self, first: bool, shape: [usize; 2], c: &[u64], f: u8) -> Share {
        let cut = Cut::<64>::by(f);
        let low = c.iter().map(|c| cut.quotient(*c).0).collect();
        let own = c.iter().zip(&self.a).zip(&self.q).map(|((c, a), q)| cut.lift(*a, cut.quotient(*c).1, *q));
        let own = tensor(shape, own.collect());
        share(first, shape, tensor(shape, low), tensor(shape, self.l)).with_lift(f, Some(own))
    }
}
