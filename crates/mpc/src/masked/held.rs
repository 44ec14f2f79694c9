//! Matrices whose rows the ranks of one party hold, each its own: the records of a training. Rank 0 has what stands for all of them, and says which rows are needed where.
//!
//! No protocol: rows go from one rank to another within the party. A batch is drawn from all records, so any lane may need any row in some epoch. Each row is sent by the rank that holds
//! it to the one that works on it, all ranks at the same time, so none of them holds or sends more than its part.

use super::lanes::{pack, unpack};
use super::matrix::{elements, tensor};
use super::share::{Elsewhere, Share};
use crate::lanes::{BRING, HOLD, Lanes, of_another_length};
use crate::secure::Num;
use crate::{Error, Id, Party, Result};
use std::sync::Arc;
use trefoil_engine::{Index, Lane};

/// Elements that are brought to lane 0 at a time, about.
const AT_ONCE: usize = 1 << 20;

/// Rows of a matrix that ranks hold.
pub(super) struct Asked {
    number: usize,
    /// Rows of the matrix.
    of: usize,
    rows: Arc<[usize]>,
}

impl Asked {
    pub fn of(Elsewhere { number, of, rows }: &Elsewhere) -> Asked {
        Asked { number: *number, of: *of, rows: rows.clone().unwrap_or_else(|| (0..*of).collect()) }
    }

    /// Words that say so of so many rows, or that it is no such matrix.
    pub const fn words(rows: Option<usize>) -> usize {
        match rows {
            Some(rows) => 3 + rows,
            None => 1,
        }
    }

    pub fn pack(asked: Option<&Asked>, out: &mut Vec<u64>) {
        let Some(Asked { number, of, rows }) = asked else { return out.push(0) };
        out.extend([*number as u64 + 1, *of as u64, rows.len() as u64]);
        out.extend(rows.iter().map(|row| *row as u64));
    }

    /// The first of `words`, which go on behind it: of a matrix that this rank holds, and rows that there are.
    pub fn unpack(words: &mut &[u64], held: &[Num<Share>]) -> Result<Option<Asked>> {
        let short = |found: usize, expected: usize| of_another_length(0, found, expected);
        let (number, rest) = words.split_first().ok_or_else(|| short(0, 1))?;
        *words = rest;
        let Some(number) = (*number as usize).checked_sub(1) else { return Ok(None) };
        let ([of, n], rest) = rest.split_first_chunk().ok_or_else(|| short(rest.len(), 2))?;
        let (of, n) = (*of as usize, *n as usize);
        let (rows, rest) = rest.split_at_checked(n).ok_or_else(|| short(rest.len(), n))?;
        *words = rest;
        let rows: Arc<[usize]> = rows.iter().map(|row| *row as usize).collect();
        if number >= held.len() || rows.iter().any(|row| *row >= of) {
            return Err(Error::Lane { rank: 0, why: "asked for rows that are not held".into() });
        }
        Ok(Some(Asked { number, of, rows }))
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The same in pieces of about [`AT_ONCE`] elements.
    pub fn at_once(&self, columns: usize) -> impl Iterator<Item = Asked> {
        self.rows.chunks((AT_ONCE / columns.max(1)).max(1)).map(|rows| Asked { rows: rows.into(), ..*self })
    }

    /// How many of these rows go from one rank to another, where `parts` lanes have them.
    pub fn passed(&self, lanes: usize, parts: usize, from: usize, to: usize) -> usize {
        self.between(lanes, parts, from, to).count()
    }

    /// The same, each with its place among the rows that `from` holds.
    fn between(&self, lanes: usize, parts: usize, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let lane = Lane { rank: from, of: lanes };
        let first = lane.block(self.of).start;
        self.needed_by(parts, to).iter().filter(move |row| lane.holder(self.of, **row) == from).map(move |row| row - first)
    }

    /// The rows that a rank works on.
    fn needed_by(&self, parts: usize, rank: usize) -> &[usize] {
        if rank < parts { &self.rows[Lane { rank, of: parts }.rows(self.rows.len())] } else { &[] }
    }
}

/// What stands for `rows` rows of which this rank holds `own`.
pub(super) fn hold(held: &mut Vec<Num<Share>>, own: Num<Share>, rows: usize) -> Num<Share> {
    let elsewhere = Elsewhere { number: held.len(), of: rows, rows: None };
    let all = Num::new(Share::elsewhere([rows, own.share.shape[1]], elsewhere), own.format);
    held.push(own);
    all
}

/// Lane 0: each other rank is given its rows of `x` to hold.
pub(super) fn spread(p: &mut Party, held: &mut Vec<Num<Share>>, x: &Num<Share>) -> Result<Num<Share>> {
    let lane = p.lane();
    if !lane.has_others() || x.share.is_elsewhere().is_some() {
        return Ok(x.clone());
    }
    super::lift::lift(p, &[&x.share])?;
    let rows = x.share.shape[0];
    let block = |rank: usize| {
        let rows: Vec<usize> = Lane { rank, ..lane }.block(rows).collect();
        Num::new(x.share.gather(Index::Rows(&rows)), x.format)
    };
    if let Some(mut lanes) = p.lanes() {
        lanes.spread(vec![HOLD])?;
        for rank in 1..lane.of {
            let mut words = vec![];
            pack(&block(rank), &mut words);
            lanes.give(rank, words)?;
        }
    }
    Ok(hold(held, block(0), rows))
}

/// Lane 0: the matrix itself.
pub(super) fn here(p: &mut Party, held: &[Num<Share>], x: &Num<Share>) -> Result<Num<Share>> {
    let Some(elsewhere) = x.share.is_elsewhere() else { return Ok(x.clone()) };
    let (asked, shape) = (Asked::of(elsewhere), x.share.shape);
    let mut parts: [Vec<u64>; 3] = Default::default();
    if let Some(mut lanes) = p.lanes() {
        for asked in asked.at_once(shape[1]) {
            let mut words = vec![BRING];
            Asked::pack(Some(&asked), &mut words);
            lanes.spread(words)?;
            for Num { share, .. } in pass(&mut lanes, p.id, held, &[&asked], 1)? {
                let found = [share.m(), share.mask(0), share.mask(1)];
                parts.iter_mut().zip(found).for_each(|(part, found)| part.extend(elements(found)));
            }
        }
    }
    Ok(Num::new(share(p.id, shape, parts), x.format))
}

/// Each of three parts where this party has it.
fn share(id: Id, shape: [usize; 2], [m, l_0, l_1]: [Vec<u64>; 3]) -> Share {
    let part = |x: Vec<u64>, without: Id| (id != without).then(|| tensor(shape, x));
    Share::new(shape, part(m, Id::P2), [part(l_0, Id::P1), part(l_1, Id::P0)])
}

/// Every rank at the same time: gives each other one the rows of what it holds that are asked for and the other's to work on; this rank's, of each matrix, in their order.
/// The first `parts` ranks have parts of them.
pub(super) fn pass(lanes: &mut Lanes, id: Id, held: &[Num<Share>], asked: &[&Asked], parts: usize) -> Result<Vec<Num<Share>>> {
    let Lane { rank, of } = lanes.lane();
    let rows = |asked: &Asked, from: usize, to: usize| asked.between(of, parts, from, to).collect::<Vec<usize>>();
    let own = |asked: &Asked, to: usize| {
        let (x, rows) = (&held[asked.number], rows(asked, rank, to));
        match rows.iter().all(|row| *row < x.share.shape[0]) {
            true => Ok(Num::new(x.share.gather(Index::Rows(&rows)), x.format)),
            false => Err(of_another_length(rank, x.share.shape[0], asked.of)),
        }
    };
    let any = |from: usize, to: usize| asked.iter().any(|asked| asked.passed(of, parts, from, to) > 0);
    // Not all to the same one first.
    for to in (1..of).map(|i| (rank + i) % of).filter(|to| any(rank, *to)) {
        let mut words = vec![];
        for asked in asked {
            pack(&own(asked, to)?, &mut words);
        }
        lanes.give(to, words)?;
    }
    if rank >= parts {
        return Ok(vec![]);
    }
    // By rank, then by matrix.
    let mut came: Vec<Vec<Num<Share>>> = vec![];
    for from in 0..of {
        came.push(match (from == rank, any(from, rank)) {
            (true, _) => asked.iter().map(|asked| own(asked, rank)).collect::<Result<_>>()?,
            (false, false) => vec![],
            (false, true) => {
                let words = lanes.take(from)?;
                let mut words = &words[..];
                asked.iter().map(|_| unpack(&mut words)).collect::<Result<_>>()?
            }
        });
    }
    let whole = |(i, asked): (usize, &&Asked)| {
        let (x, columns) = (&held[asked.number], held[asked.number].share.shape[1]);
        for (from, theirs) in came.iter().enumerate() {
            let expected = [asked.passed(of, parts, from, rank), columns];
            if let Some(found) = theirs.get(i).filter(|x| x.share.shape != expected) {
                return Err(of_another_length(from, found.share.len(), expected[0] * columns));
            }
        }
        let needed = asked.needed_by(parts, rank);
        let in_order = |part: fn(&Share) -> Option<&trefoil_ring::Tensor>| {
            let mut left: Vec<&[u64]> = came.iter().map(|x| elements(x.get(i).and_then(|x| part(&x.share)))).collect();
            let mut out = Vec::with_capacity(needed.len() * columns);
            for row in needed {
                let theirs = &mut left[Lane { rank, of }.holder(asked.of, *row)];
                let (row, rest) = theirs.split_at_checked(columns).unwrap_or_default();
                out.extend(row);
                *theirs = rest;
            }
            out
        };
        let parts = [in_order(Share::m), in_order(|x| x.mask(0)), in_order(|x| x.mask(1))];
        Ok(Num::new(share(id, [needed.len(), columns], parts), x.format))
    };
    asked.iter().enumerate().map(whole).collect()
}
