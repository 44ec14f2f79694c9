//! Truncation: v / 2^f for shared v.
//!
//! **Dealer-assisted** (the default): for -2^62 <= v < 2^62 and 1 <= f <= 62. P2 deals r uniform, r >> f and
//! q = msb(r); c = v + 2^62 + r is opened. floor(v / 2^f) or one more = (c >> f) - (r >> f) + (1 - msb(c)) q 2^(64-f) - 2^(62-f).
//! It cannot fail, and rounding is unbiased. 1 round; 2 words and 1 word + f bits ahead of time, an element.
//!
//! **Local** (SecureML, section 4.1; for study): P0 takes x_0 >> f, P1 takes -((-x_1) >> f). No round, no byte, and an error of
//! about 2^(64-f) with probability |v| / 2^64: docs/truncation.md measures it.
//!
//! Deviation: q is shared in Z_2^f, f bits instead of a word, since only its product with 2^(64-f) is used.

use super::Share;
use crate::cut::Cut;
use crate::{Id, Pair, Part, Party, Price, Result};
use trefoil_ring::words;

/// Each v / 2^f, rounded down or up. All in one round; f = 0 leaves a share as it is.
///
/// # Errors
/// Those of the network.
pub fn truncate(p: &mut Party, vs: &[(&Share, u8)]) -> Result<Vec<Share>> {
    let op = p.op();
    let work: Vec<(&Share, u8)> = vs.iter().copied().filter(|(_, f)| *f > 0).collect();
    let mut done = if work.is_empty() { vec![] } else { truncate_some(p, op, &work)? }.into_iter();
    Ok(vs.iter().map(|(v, f)| if *f > 0 { done.next() } else { None }.unwrap_or_else(|| (*v).clone())).collect())
}

/// Rounds and bytes of the dealer-assisted form for `n` elements, 1 <= f.
pub const fn cost(n: usize, f: u8) -> Price {
    let n = n as u64;
    Price { rounds: 1, ahead: [0, 8 * n + (n * f as u64).div_ceil(8)], servers: 16 * n, ..Price::NONE }
}

const R_0: &str = "securenn.truncate.r_0";
const R_1: &str = "securenn.truncate.r_1";
const HIGH_0: &str = "securenn.truncate.high_0";
const Q_0: &str = "securenn.truncate.q_0";
const DEAL: &str = "securenn.truncate.deal";
const OPEN: &str = "securenn.truncate.open";

fn truncate_some(p: &mut Party, op: crate::Op, vs: &[(&Share, u8)]) -> Result<Vec<Share>> {
    match p.id {
        Id::P2 => {
            let (mut r_0, mut r_1) = (p.draw(op, Pair::K02, R_0)?, p.draw(op, Pair::K12, R_1)?);
            let (mut high_0, mut q_0) = (p.draw(op, Pair::K02, HIGH_0)?, p.draw(op, Pair::K02, Q_0)?);
            let mut parts = vec![];
            for (v, f) in vs {
                let n = v.len();
                let r: Vec<u64> = r_0.words(n).iter().zip(r_1.words(n)).map(|(a, b)| a.wrapping_add(b)).collect();
                let high_1: Vec<u64> = r.iter().zip(high_0.words(n)).map(|(r, h)| (r >> f).wrapping_sub(h)).collect();
                let cut = Cut::<64>::by(*f);
                let q_1: Vec<u64> = r.iter().zip(q_0.bits(n, *f)).map(|(r, q)| cut.other(Cut::<64>::top(*r), q)).collect();
                parts.extend([Part::words(&high_1), Part::bits(&q_1, *f)]);
            }
            parts.into_iter().fold(p.offline(op, DEAL), |round, part| round.send(Id::P1, part)).then()?;
            Ok(vs.iter().map(|(v, _)| Share::from_words(v.shape, None)).collect())
        }
        id => {
            let first = id == Id::P0;
            let mut r = p.draw(op, Pair::of(id, Id::P2), if first { R_0 } else { R_1 })?;
            let offset = if first { 1u64 << 62 } else { 0 };
            let own: Vec<Vec<u64>> = vs
                .iter()
                .map(|(v, _)| {
                    v.words().iter().zip(r.words(v.len())).map(|(v, r)| v.wrapping_add(r).wrapping_add(offset)).collect()
                })
                .collect();
            let dealt = dealt(p, op, vs)?;
            let peer = p.peer();
            let round = own.iter().fold(p.round(op, OPEN), |round, c| round.send(peer, Part::words(c)));
            let mut round = round.then()?;
            let mut out = vec![];
            for (((v, f), own), (high, q)) in vs.iter().zip(&own).zip(dealt) {
                let theirs = round.words(peer, v.len())?;
                let cut = Cut::<64>::by(*f);
                let result = (0..v.len()).map(|i| {
                    let c = own[i].wrapping_add(theirs[i]);
                    let (open, w) = cut.quotient(c);
                    (if first { open } else { 0 }).wrapping_sub(high[i]).wrapping_add(cut.lift(0, w, q[i]))
                });
                out.push(Share::from_words(v.shape, Some(result.collect())));
            }
            Ok(out)
        }
    }
}

/// P_j's shares of r >> f and of q.
fn dealt(p: &mut Party, op: crate::Op, vs: &[(&Share, u8)]) -> Result<Vec<(Vec<u64>, Vec<u64>)>> {
    if p.id == Id::P0 {
        let (mut high, mut q) = (p.draw(op, Pair::K02, HIGH_0)?, p.draw(op, Pair::K02, Q_0)?);
        return Ok(vs.iter().map(|(v, f)| (high.words(v.len()), q.bits(v.len(), *f))).collect());
    }
    let mut from = p.offline(op, DEAL).then()?;
    vs.iter().map(|(v, f)| Ok((from.words(Id::P2, v.len())?, from.bits(Id::P2, v.len(), *f)?))).collect()
}

/// v / 2^f without a message, wrong by about 2^(64-f) with probability |v| / 2^64.
pub fn truncate_local(p: &Party, v: &Share, f: u8) -> Share {
    v.map(v.shape, |v| match p.id {
        Id::P0 => words::shr_logical(v, f),
        _ => words::neg(&words::shr_logical(&words::neg(v), f)),
    })
}
