//! A question comes in as x = x_0 + x_1 and gets a mask that P0, P1 and P2 draw themselves; its answer goes out with every word vouched for
//! by a second party. P2 hears nothing of either.
//!
//! In: l_0 from k02 and l_1 from k12. P_j sends x_j + l_j to the other server, and m is the sum of the two. **Correct**: m = x + l_0 + l_1.
//! **Private**: P0 has x_0, which is random without x_1, and receives x_1 + l_1, where l_1 is new and unknown to it; so for P1. A client that
//! hands over whatever it likes hands over some x: there is nothing that the two would have to compare.
//!
//! Out: the client needs m, l_0 and l_1. m is at P0 and P1, and each l_j at P_j and P2, which has dealt ahead and knows no client. So P2 gives
//! each server a hash of the *other's* mask, row by row, under a salt that P2 has drawn with that other one:
//!
//! | | to the client from P0 | from P1 |
//! |---|---|---|
//! | itself | m, l_0, s_0 | l_1, s_1 |
//! | for the other | h_1 = H(s_1, l_1) of P2's | h_0 = H(s_0, l_0) of P2's, H(m) |
//!
//! A single party that changes a word is contradicted by the other's. **Private**: h_1 says nothing to P0, which lacks the 128 bits of s_1,
//! even where l_1 is short enough to be tried out.

use super::lift::lift;
use super::matrix::{elements, tensor};
use super::share::Share;
use super::{Masked, Num};
use crate::question::{Question, Told};
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use sha2::{Digest, Sha256};
use trefoil_engine::Format;
use trefoil_ring::Tensor;

/// Words of a salt, and of a hash.
const SALT: usize = 2;
const HASH: usize = 4;

/// Whose key a server's masks come from.
const OF: [Pair; 2] = [Pair::K02, Pair::K12];

/// For `n` elements of a question.
pub const fn ask_cost(n: usize) -> Price {
    Price::of(1, [0, 0], 16 * n as u64)
}

/// For `rows` rows of an answer that is whole.
pub const fn tell_cost(rows: usize) -> Price {
    Price::of(0, [8 * (HASH * rows) as u64; 2], 0)
}

fn hash(salt: &[u64], x: &[u64]) -> [u64; HASH] {
    let mut h = Sha256::new_with_prefix(if salt.is_empty() { "trefoil answer m" } else { "trefoil answer l" });
    salt.iter().chain(x).for_each(|w| h.update(w.to_le_bytes()));
    let digest: [u8; 8 * HASH] = h.finalize().into();
    std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| digest[8 * i + j])))
}

/// The hash of each row, with its salt where there is one.
fn hashes(salts: Option<&Tensor>, x: &[u64], columns: usize) -> Tensor {
    let rows = x.len() / columns.max(1);
    let of = |i: usize| {
        let salt = salts.map_or(&[][..], |salts| &elements(Some(salts))[i * SALT..(i + 1) * SALT]);
        hash(salt, &x[i * columns..(i + 1) * columns])
    };
    tensor([rows, HASH], (0..rows).flat_map(of).collect())
}

/// Words of a matrix that P_j draws with P2.
fn drawn(p: &mut Party, op: Op, j: usize, label: &'static str, shape: [usize; 2]) -> Result<Tensor> {
    Ok(tensor(shape, p.draw(op, OF[j], label)?.words(shape[0] * shape[1])))
}

/// What comes in.
///
/// # Errors
/// Those of the network.
pub(super) fn ask(p: &mut Party, shape: [usize; 2], x_j: &[u64]) -> Result<Share> {
    let (op, n) = (p.op(), shape[0] * shape[1]);
    let l = |p: &mut Party, j: usize| drawn(p, op, j, "masked.question.l", shape);
    if p.id == Id::P2 {
        return Ok(Share::new(shape, None, [Some(l(p, 0)?), Some(l(p, 1)?)]));
    }
    let own = l(p, p.id.index())?;
    let mine: Vec<u64> = x_j.iter().zip(elements(Some(&own))).map(|(x, l)| x.wrapping_add(*l)).collect();
    let peer = p.peer();
    let theirs = p.round(op, "masked.question.ask").send(peer, Part::words(&mine)).then()?.words(peer, n)?;
    let m = mine.iter().zip(theirs).map(|(a, b)| a.wrapping_add(b)).collect();
    let l = if p.id == Id::P0 { [Some(own), None] } else { [None, Some(own)] };
    Ok(Share::new(shape, Some(tensor(shape, m)), l))
}

/// What goes out, of what is whole.
///
/// # Errors
/// Those of the network.
pub(super) fn tell(p: &mut Party, x: &Share) -> Result<Told> {
    let (op, [rows, columns], label) = (p.op(), x.shape, "masked.question.tell");
    let l = |j: usize| elements(x.mask(j));
    if p.id == Id::P2 {
        let h = |p: &mut Party, j: usize| -> Result<Part> {
            let salts = drawn(p, op, j, "masked.question.salt", [rows, SALT])?;
            Ok(Part::words(elements(Some(&hashes(Some(&salts), l(j), columns)))))
        };
        let [h_0, h_1] = [h(p, 0)?, h(p, 1)?];
        p.offline(op, label).send(Id::P0, h_1).send(Id::P1, h_0).then()?;
        return Ok(Told(vec![]));
    }
    let salts = drawn(p, op, p.id.index(), "masked.question.salt", [rows, SALT])?;
    let dealt = tensor([rows, HASH], p.offline(op, label).then()?.words(Id::P2, rows * HASH)?);
    let whole = |words: &[u64]| tensor(x.shape, words.to_vec());
    let m = elements(x.m());
    Ok(Told(match p.id {
        Id::P0 => vec![whole(m), whole(l(0)), salts, dealt],
        _ => vec![whole(l(1)), salts, dealt, hashes(None, m, columns)],
    }))
}

/// What was told, put together.
///
/// # Errors
/// A text that says who sent something unfit, or that the two contradict each other.
pub(super) fn hear([rows, columns]: [usize; 2], told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String> {
    let of = |id: Id, widths: [usize; 4]| -> std::result::Result<[Tensor; 4], String> {
        let parts = &told[id.index()];
        let [a, b, c, d] = &parts[..] else { return Err(format!("{id} sent {} tensors, expected 4", parts.len())) };
        let read = |part: &Part, width: usize| {
            let words = part.to_words(rows * width).map_err(|e| format!("{id} sent {e}"))?;
            Ok::<_, String>(tensor([rows, width], words))
        };
        Ok([read(a, widths[0])?, read(b, widths[1])?, read(c, widths[2])?, read(d, widths[3])?])
    };
    let [m, l_0, s_0, h_1] = of(Id::P0, [columns, columns, SALT, HASH])?;
    let [l_1, s_1, h_0, h_m] = of(Id::P1, [columns, SALT, HASH, HASH])?;
    for (x, salts, h, what) in [(&m, None, h_m, "m"), (&l_0, Some(&s_0), h_0, "l_0"), (&l_1, Some(&s_1), h_1, "l_1")] {
        if hashes(salts, elements(Some(x)), columns) != h {
            return Err(format!("P0 and P1 contradict each other on {what}"));
        }
    }
    let l = l_0.iter().zip(&l_1).map(|(l_0, l_1)| l_0.wrapping_add(*l_1));
    Ok(m.iter().zip(l).map(|(m, l)| m.wrapping_sub(l)).collect())
}

impl Question for Masked {
    const AHEAD: bool = true;

    fn ask(&mut self, shape: [usize; 2], format: Format, x_j: Vec<u64>) -> Result<Num> {
        Ok(Num::new(ask(&mut self.party, shape, &x_j)?, format))
    }

    fn tell(&mut self, _: &Num, answer: &Num) -> Result<Told> {
        lift(&mut self.party, &[&answer.share])?;
        tell(&mut self.party, &answer.share)
    }

    fn hear(asked: &Tensor, columns: usize, told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String> {
        hear([asked.nrows(), columns], told)
    }
}
