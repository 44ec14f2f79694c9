//! One owner's upload, wherever its chunks lie: in a file of rank 0, or in parts that other ranks keep.
//!
//! Where there are parts, each rank first reads its own through, and says of each chunk how many rows it has: only then it is known where each begins.

use super::placing::Placing;
use super::{bad, not_records};
use crate::lanes::keeper::Keeper;
use crate::lanes::parts::{chunks_at, file_of, held_at, reader};
use crate::record::{Committed, PartOf};
use crate::server::Here;
use crate::session::Session;
use crate::uploads::{Chunk, Found, ROWS, SUMMARY, inspect_from, path};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use trefoil_client::request::Announcement;
use trefoil_mpc::Suite;
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, wire};
use trefoil_store::sealed;

/// A part that the rank which reads it keeps.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PartHere {
    /// Its place in the job.
    pub(super) owner: usize,
    pub(super) about: Announcement,
    sha256: String,
    /// Where each chunk begins, in the order of the file.
    firsts: Vec<usize>,
}

/// What rank 0 reads of an upload, and what was read before.
pub(super) struct File {
    fingerprint: Fingerprint,
    /// What it has itself; without `firsts` its chunks stand one after the other.
    own: PartHere,
    from: [usize; 2],
    /// What others keep that have no lane of this session, with the rank.
    far: Vec<(usize, PartHere)>,
    /// Where there are parts: they were all read through.
    known: Option<Read>,
}

/// What is known of an upload that was read.
#[derive(Default)]
pub(super) struct Read {
    /// Payload received from the owner.
    pub(super) bytes: u64,
    /// Hashes of what P0, P1 and P2 were handed as well as this party, where the suite has such.
    pub(super) common: [Option<String>; 3],
}

/// The same while it is read.
#[derive(Default)]
struct Reading {
    bytes: u64,
    common: [Option<Sha256>; 3],
}

impl Reading {
    fn chunk(&mut self, kind: usize, rows: u64, payload: u64, common: [Option<impl AsRef<[u8]>>; 3]) {
        self.bytes += payload;
        // A seed says nothing of how many rows it is expanded for: chunks that were cut differently would be other masks from the same seeds.
        let cut = [kind as u64, rows].map(u64::to_le_bytes).concat();
        for (all, hash) in self.common.iter_mut().zip(common) {
            if let Some(hash) = hash {
                let all = all.get_or_insert_default();
                all.update(&cut);
                all.update(hash);
            }
        }
    }

    fn done(self) -> Read {
        Read { bytes: self.bytes, common: self.common.map(|hash| hash.map(|h| hex::encode(h.finalize()))) }
    }
}

impl File {
    /// Of an owner whose rows begin there.
    pub(super) fn of(session: &Session<'_>, owner: usize, committed: &Committed, from: [usize; 2]) -> File {
        let (features, labels) = session.job.widths(owner);
        let about = Announcement { job: session.here.hash, upload: committed.upload.clone(), width: features + labels };
        let own = PartHere { owner, about, sha256: committed.sha256.clone(), firsts: vec![] };
        File { fingerprint: session.job.owner[owner].fingerprint, own, from, far: vec![], known: None }
    }

    /// Where the chunks of all parts begin; `told` is what each rank of the session's lanes then reads itself.
    pub(super) fn with_others(
        mut self,
        session: &Session<'_>,
        committed: &Committed,
        told: &mut [Vec<PartHere>],
    ) -> Result<File> {
        let Session { here, job, me, .. } = session;
        let common = Some((job.chosen(), *me));
        let there = here.ranks.as_ref().map_or(1, |ranks| ranks.size());
        let near: Vec<usize> = committed.parts.iter().map(|part| part.rank).filter(|rank| *rank < there).collect();
        let mut near = held_at(here, &near, self.fingerprint, &self.own.about, common)?.into_iter();
        let own = path(here, self.fingerprint);
        let mut all = vec![(0, inspect_from(reader(&own, &here.key, &self.own.about)?, &own, common)?, &committed.sha256)];
        for PartOf { rank, sha256, .. } in &committed.parts {
            let name = &job.owner[self.own.owner].name;
            let missing = |found: String| {
                let expected = format!(
                    "the part of them that it keeps; start this party with that rank and its disk, or cancel the job and share {name}'s records for another one"
                );
                Error::config(format!("records of {name} at rank {rank}"), found, expected)
            };
            let found = match *rank < there {
                true => near.next().flatten().ok_or_else(|| missing("none".into()))?,
                false => {
                    let file = file_of(here, *rank, here.hash, self.fingerprint);
                    let reader = reader(&file, &here.key, &self.own.about);
                    inspect_from(reader.map_err(|_| missing(format!("{there} ranks")))?, &file, common)?
                }
            };
            all.push((*rank, found, sha256));
        }
        if let Some((rank, ..)) = all.iter().find(|(_, found, sha256)| found.sha256 != **sha256) {
            return Err(bad(&own, format!("other chunks at rank {rank}")));
        }
        let mut order: Vec<(usize, usize, &Chunk)> = vec![];
        for (part, (_, Found { chunks, .. }, _)) in all.iter().enumerate() {
            order.extend(chunks.iter().enumerate().map(|(place, chunk)| (part, place, chunk)));
        }
        order.sort_unstable_by_key(|(.., chunk)| chunk.number);
        let mut firsts: Vec<Vec<usize>> = all.iter().map(|(_, found, _)| vec![0; found.chunks.len()]).collect();
        let (mut from, mut reading) = (self.from, Reading::default());
        for (part, place, Chunk { test, rows, payload, common, .. }) in order {
            let kind = usize::from(*test);
            firsts[part][place] = from[kind];
            from[kind] += *rows as usize;
            let common = common.each_ref().map(|hash| hash.as_ref().and_then(|hash| hex::decode(hash).ok()));
            reading.chunk(kind, *rows, *payload, common);
        }
        let summary = &committed.summary;
        if [summary.train_rows, summary.test_rows] != [0, 1].map(|kind| (from[kind] - self.from[kind]) as u64) {
            return Err(bad(&own, "another number of rows"));
        }
        for ((rank, _, sha256), firsts) in all.iter().zip(firsts) {
            let part = PartHere { sha256: (*sha256).clone(), firsts, ..self.own.clone() };
            match rank {
                0 => self.own.firsts = part.firsts,
                rank => match told.get_mut(*rank) {
                    Some(told) => told.push(part),
                    None => self.far.push((*rank, part)),
                },
            }
        }
        self.known = Some(reading.done());
        Ok(self)
    }

    /// Rank 0 reads what it has to.
    pub(super) fn read<S: Suite>(self, here: &Here, placing: &mut Placing<'_>) -> Result<Read> {
        let file = path(here, self.fingerprint);
        let open = || reader(&file, &here.key, &self.own.about).map_err(|_| bad(&file, "another upload, or none"));
        let Some(known) = self.known else {
            let taking = Taking { from: Some(self.from), ..Taking::of(&self.own, &file) };
            return Ok(taking.all::<S>(open()?, placing)?.done());
        };
        Taking::of(&self.own, &file).all::<S>(open()?, placing)?;
        for (rank, part) in &self.far {
            match here.ranks.as_ref().is_some_and(|ranks| *rank < ranks.size()) {
                true => {
                    let name = format!("rank {rank}");
                    let mut taking = Taking::of(part, Path::new(&name));
                    chunks_at(here, *rank, self.fingerprint, &part.about, |record| taking.record::<S>(record, placing))?;
                    taking.over()?;
                }
                false => {
                    let file = file_of(here, *rank, here.hash, self.fingerprint);
                    Taking::of(part, &file).all::<S>(reader(&file, &here.key, &part.about)?, placing)?;
                }
            }
        }
        Ok(known)
    }
}

impl PartHere {
    /// Another rank reads what it keeps.
    pub(super) fn read<S: Suite>(&self, keeper: &Keeper, placing: &mut Placing<'_>) -> Result<()> {
        let owner = placing.job.owner.get(self.owner).ok_or_else(|| not_records(0))?.fingerprint;
        let file = keeper.path(self.about.job, owner);
        Taking::of(self, &file).all::<S>(keeper.reader(owner, &self.about)?, placing).map(drop)
    }
}

/// Chunks of a file, held to their hash.
struct Taking<'a> {
    part: &'a PartHere,
    file: &'a Path,
    digest: Sha256,
    /// How many there were.
    next: usize,
    /// Where the next ones begin, if each stands behind the one before; they were not read before then.
    from: Option<[usize; 2]>,
    reading: Reading,
}

impl<'a> Taking<'a> {
    fn of(part: &'a PartHere, file: &'a Path) -> Taking<'a> {
        Taking { part, file, digest: Sha256::new(), next: 0, from: None, reading: Reading::default() }
    }

    fn all<S: Suite>(mut self, mut reader: sealed::Reader, placing: &mut Placing<'_>) -> Result<Reading> {
        while let Some(record) = reader.next()? {
            self.record::<S>(&record, placing)?;
        }
        self.over()
    }

    fn record<S: Suite>(&mut self, record: &[u8], placing: &mut Placing<'_>) -> Result<()> {
        let frame = match record.split_first() {
            Some((&ROWS, frame)) => {
                self.digest.update(frame);
                wire::read(&mut &frame[..], Id::P0, frame.len())?.ok_or_else(|| bad(self.file, "an empty chunk"))?
            }
            Some((&SUMMARY, _)) => return Ok(()),
            _ => return Err(bad(self.file, "an unknown record")),
        };
        let (rows, kind) = (frame.at.op as usize, usize::from(frame.depth == 1));
        let kept = S::accept(placing.me, rows * self.part.about.width, &frame.parts).map_err(|e| bad(self.file, e))?;
        let first = match &mut self.from {
            Some(from) => {
                self.reading.chunk(kind, rows as u64, frame.payload() as u64, S::common(placing.me, &frame.parts));
                from[kind] += rows;
                from[kind] - rows
            }
            None => *self.part.firsts.get(self.next).ok_or_else(|| bad(self.file, "more chunks"))?,
        };
        self.next += 1;
        placing.put((self.part.owner, kind, first), rows, kept)
    }

    fn over(self) -> Result<Reading> {
        match hex::encode(self.digest.finalize()) == self.part.sha256 {
            true => Ok(self.reading),
            false => Err(bad(self.file, "other chunks")),
        }
    }
}
