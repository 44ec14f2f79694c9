//! Rows on their way to the ranks that hold them: all ranks read what they keep at the same time, and give each other what is not theirs.

use super::{Part, not_records};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use trefoil_engine::Lane;
use trefoil_job::Job;
use trefoil_mpc::{Kept, Lanes};
use trefoil_net::Id;

/// Whose they are, whether they are held out, and where they begin among all such rows.
type Place = (usize, usize, usize);

/// At one rank.
pub(super) struct Placing<'a> {
    pub(super) job: &'a Job,
    pub(super) me: Id,
    lanes: Option<Arc<Mutex<Lanes>>>,
    lane: Lane,
    /// Records to train on and held out, of all owners together.
    all: [usize; 2],
    /// What has come of this rank's block, in whatever order.
    own: BTreeMap<Place, (usize, Kept)>,
}

impl<'a> Placing<'a> {
    pub(super) fn new(job: &'a Job, me: Id, lanes: Option<Arc<Mutex<Lanes>>>, all: [usize; 2]) -> Placing<'a> {
        let lane = lanes.as_ref().map_or(Lane::ALONE, |lanes| lanes.lock().unwrap_or_else(PoisonError::into_inner).lane());
        Placing { job, me, lanes, lane, all, own: BTreeMap::new() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Lanes) -> trefoil_mpc::Result<T>) -> Result<T> {
        let lanes = self.lanes.as_ref().ok_or_else(|| not_records(0))?;
        Ok(work(&mut lanes.lock().unwrap_or_else(PoisonError::into_inner))?)
    }

    /// Columns of an owner: its features, and all.
    fn widths(&self, owner: usize) -> (usize, usize) {
        let (features, labels) = self.job.widths(owner);
        (features, features + labels)
    }

    /// Rows of a chunk go to the ranks that hold them.
    pub(super) fn put(&mut self, (owner, kind, first): Place, rows: usize, kept: Kept) -> Result<()> {
        let Lane { rank: own, of } = self.lane;
        for rank in 0..of {
            let block = Lane { rank, of }.block(self.all[kind]);
            let (start, end) = (block.start.max(first), block.end.min(first + rows));
            let here = rank == own;
            if start >= end {
                continue;
            }
            if here && end - start == rows {
                self.own.insert((owner, kind, first), (rows, kept));
                return Ok(());
            }
            let packed = kept.rows(self.widths(owner).1, start - first..end - first).pack();
            if here {
                // A copy: the chunk does not stay for a few rows of it.
                self.own.insert((owner, kind, start), (end - start, unpacked(own, &packed)?));
                continue;
            }
            let head = [owner, kind, start, end - start].map(|n| n as u64);
            self.with(|lanes| lanes.give(rank, [&head[..], &packed].concat()))?;
        }
        Ok(())
    }

    /// This rank has read all that it keeps: what it holds, once the others have too. `rows` are each owner's.
    pub(super) fn over(mut self, rows: &[[usize; 2]]) -> Result<Vec<Part>> {
        let Lane { rank: own, of } = self.lane;
        let others = || (0..of).filter(|rank| *rank != own);
        others().try_for_each(|rank| self.with(|lanes| lanes.give(rank, vec![])))?;
        for rank in others() {
            loop {
                let words = self.with(|lanes| lanes.take(rank))?;
                match &words[..] {
                    [] => break,
                    [owner, kind @ 0..=1, first, rows, packed @ ..] if (*owner as usize) < self.job.owner.len() => {
                        let (owner, rows, kept) = (*owner as usize, *rows as usize, unpacked(rank, packed)?);
                        let elements = rows.checked_mul(self.widths(owner).1);
                        if !elements.is_some_and(|elements| kept.has(elements)) {
                            return Err(not_records(rank));
                        }
                        self.own.insert((owner, *kind as usize, *first as usize), (rows, kept));
                    }
                    _ => return Err(not_records(rank)),
                }
            }
        }
        self.joined(rows)
    }

    /// All rows of this rank's block, none missing and none twice.
    fn joined(&self, rows: &[[usize; 2]]) -> Result<Vec<Part>> {
        let blocks = self.all.map(|all| self.lane.block(all));
        let mut parts: Vec<Part> = rows.iter().map(|_| Part::default()).collect();
        let mut from = [0; 2];
        for (owner, (part, rows)) in parts.iter_mut().zip(rows).enumerate() {
            if self.job.data.partition == trefoil_data::schema::Partition::Vertical {
                from = [0; 2];
            }
            for (kind, block) in blocks.iter().enumerate() {
                let end = block.end.min(from[kind] + rows[kind]);
                let start = block.start.max(from[kind]);
                let mut next = start;
                for ((.., first), (count, kept)) in self.own.range((owner, kind, 0)..(owner, kind + 1, 0)) {
                    if *first != next {
                        break;
                    }
                    part.take(kind, *count, kept, self.widths(owner));
                    next += count;
                }
                if next != end.max(start) {
                    let what = format!("records of {} at rank {}", self.job.owner[owner].name, self.lane.rank);
                    return Err(Error::config(what, format!("row {next} next"), format!("all up to {end}")));
                }
                from[kind] += rows[kind];
            }
        }
        Ok(parts)
    }
}

fn unpacked(rank: usize, words: &[u64]) -> Result<Kept> {
    Kept::unpack(words).map_err(|_| not_records(rank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::tests::job;

    /// Some rows, whose words are counted.
    fn kept(width: usize, first: usize, rows: usize) -> Kept {
        let words: Vec<u64> = (first * width..(first + rows) * width).map(|word| word as u64).collect();
        Kept::new([words.clone(), words])
    }

    /// What a rank without others holds once these rows to train on have come, of five, and both held-out ones.
    fn placed(chunks: &[(usize, usize)]) -> Result<Part> {
        let (job, all) = (job(), [5, 2]);
        let mut placing = Placing::new(&job, Id::P0, None, all);
        let width = placing.widths(0).1;
        placing.put((0, 1, 0), 2, kept(width, 0, 2))?;
        chunks.iter().try_for_each(|(first, rows)| placing.put((0, 0, *first), *rows, kept(width, *first, *rows)))?;
        Ok(placing.over(&[all])?.remove(0))
    }

    #[test]
    fn chunks_come_in_any_order() {
        let whole = placed(&[(0, 5)]).unwrap();
        for chunks in [[(0, 3), (3, 2)], [(3, 2), (0, 3)], [(1, 4), (0, 1)]] {
            let part = placed(&chunks).unwrap();
            assert_eq!(part.rows, [5, 2], "{chunks:?}");
            for kind in [0, 1] {
                assert_eq!((part.x[kind].words(), part.y[kind].words()), (whole.x[kind].words(), whole.y[kind].words()));
            }
        }
    }

    #[test]
    fn rows_that_lack_or_come_twice_are_noticed() {
        for (chunks, next) in
            [(&[][..], 0), (&[(1, 4)], 0), (&[(0, 3)], 3), (&[(0, 2), (3, 2)], 2), (&[(3, 2), (0, 2)], 2), (&[(0, 3), (2, 3)], 3)]
        {
            let e = placed(chunks).err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(e, format!("records of o at rank 0: found row {next} next, expected all up to 5"), "{chunks:?}");
        }
    }
}
