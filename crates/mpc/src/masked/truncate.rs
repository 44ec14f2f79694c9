//! Truncation alone: x / 2^f without opening anything.
//!
//! x is masked already: c = m + 2^62 is known to both servers, and its mask r = l_0 + l_1 to P2. So the second half of product.rs
//! applies as it stands. Rounded down or up without bias, for -2^62 <= x < 2^62; it cannot fail.
//!
//! Rounds: none, and 1 for the lift. Bytes an element: 8 + f/8 ahead of time, 2 f/8 for the lift.

use super::product::Shift;
use super::share::{Share, elements};
use crate::{Id, Party, Result};

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
