//! The records of all owners, from the disk into the engine: rows one after the other where each owner has whole records, columns side
//! by side where owners have columns of the same ones.
//!
//! Where the party has several ranks, each holds its block of all rows: who reads a chunk, rank 0 or the rank that keeps it, passes on what is others' ([`placing`]).

mod placing;
mod reading;

use crate::lanes::Held;
use crate::lanes::keeper::Keeper;
use crate::record::Record;
use crate::session::Session;
use crate::uploads::path;
use crate::{Error, Result};
use placing::Placing;
use reading::{File, PartHere};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use trefoil_client::request::Summary;
use trefoil_data::schema::{Column, Partition, Schema, Task};
use trefoil_engine::{Format, Index};
use trefoil_job::{Job, Owner};
use trefoil_mpc::lanes::{bytes_of, words_of};
use trefoil_mpc::range::{Block, Range};
use trefoil_mpc::{Kept, Lanes, Suite};
use trefoil_net::Id;
use trefoil_nn::Data;

/// Records to train on and held out, of all owners.
///
/// # Errors
/// Owners of columns do not have the same records.
pub fn rows(record: &Record) -> Result<(usize, usize)> {
    let summaries: Vec<(&str, &Summary)> = record
        .job
        .owner
        .iter()
        .filter_map(|o| record.uploads.get(&o.fingerprint).map(|u| (o.name.as_str(), &u.summary)))
        .collect();
    let (train, test) = match record.job.data.partition {
        Partition::Horizontal => {
            summaries.iter().fold((0u64, 0u64), |(a, b), (_, s)| (a.saturating_add(s.train_rows), b.saturating_add(s.test_rows)))
        }
        Partition::Vertical => {
            let Some((first, same)) = summaries.first() else { return Ok((0, 0)) };
            for (name, s) in &summaries[1..] {
                if (s.train_rows, s.test_rows) != (same.train_rows, same.test_rows) {
                    let found = format!("{} and {} records", s.train_rows, s.test_rows);
                    let expected = format!("{} and {}, as {first} has", same.train_rows, same.test_rows);
                    return Err(Error::config(format!("records of {name}"), found, expected));
                }
            }
            (same.train_rows, same.test_rows)
        }
    };
    Ok((train as usize, test as usize))
}

/// What this party holds of all owners' records, in the order of the job.
pub struct Records {
    owners: Vec<Part>,
    /// For each owner, hashes of what it has handed P0, P1 and P2 as well as this party, where the suite has such.
    pub common: Vec<[Option<String>; 3]>,
    /// Payload received from the owners.
    pub bytes: u64,
    /// When reading began.
    pub started: Instant,
}

/// One owner's: [train, test] of features and labels.
#[derive(Default)]
struct Part {
    x: [Kept; 2],
    y: [Kept; 2],
    rows: [usize; 2],
}

/// Reads the owners' uploads, and gives the other ranks of the session's lanes their rows.
pub fn load<S: Suite>(session: &Session<'_>, lanes: Option<&Held>) -> Result<Records> {
    let Session { here, job, me, .. } = session;
    let started = Instant::now();
    let record = here.record()?;
    let (train, test) = rows(&record)?;
    let mut begin = Begin { rows: vec![], all: [train, test], parts: vec![] };
    let (mut files, mut from) = (vec![], [0; 2]);
    let mut told: Vec<Vec<PartHere>> = vec![vec![]; lanes.map_or(1, |lanes| lanes.lane().of)];
    for (owner, Owner { fingerprint, .. }) in job.owner.iter().enumerate() {
        let committed = record.uploads.get(fingerprint);
        let committed = committed.ok_or_else(|| bad(&path(here, *fingerprint), "none"))?;
        let Summary { train_rows, test_rows, .. } = committed.summary;
        begin.rows.push([train_rows, test_rows].map(|rows| rows as usize));
        if job.data.partition == Partition::Vertical {
            from = [0; 2];
        }
        let file = File::of(session, owner, committed, from);
        let file = match committed.parts.is_empty() {
            true => file,
            false => file.with_others(session, committed, &mut told)?,
        };
        files.push(file);
        from.iter_mut().zip(begin.rows[owner]).for_each(|(from, rows)| *from += rows);
    }
    for (rank, parts) in told.into_iter().enumerate().skip(1) {
        begin.parts = parts;
        lanes.map_or(Ok(()), |lanes| lanes.tell(rank, words_of(&serde_json::to_vec(&begin).map_err(untold)?)))?;
    }
    let mut placing = Placing::new(job, *me, lanes.map(Held::shared), begin.all);
    let mut records = Records { owners: vec![], common: vec![], bytes: 0, started };
    for file in files {
        let read = file.read::<S>(here, &mut placing)?;
        records.bytes += read.bytes;
        records.common.push(read.common);
    }
    records.owners = placing.over(&begin.rows)?;
    Ok(records)
}

/// Another rank: the rows that it holds, of what it keeps itself and what others pass on.
///
/// # Errors
/// A rank is gone, or has sent something else.
pub(crate) fn follow<S: Suite>(job: &Job, me: Id, lanes: &Arc<Mutex<Lanes>>, keeper: &Keeper) -> Result<Records> {
    let started = Instant::now();
    let words = lanes.lock().unwrap_or_else(PoisonError::into_inner).take(0)?;
    let begin: Begin = serde_json::from_slice(&bytes_of(0, &words)?).map_err(|_| not_records(0))?;
    if begin.rows.len() != job.owner.len() {
        return Err(not_records(0));
    }
    let mut placing = Placing::new(job, me, Some(lanes.clone()), begin.all);
    for part in &begin.parts {
        part.read::<S>(keeper, &mut placing)?;
    }
    Ok(Records { owners: placing.over(&begin.rows)?, common: vec![], bytes: 0, started })
}

/// What another rank is told before it reads.
#[derive(Serialize, Deserialize)]
struct Begin {
    /// Of each owner, to train on and held out.
    rows: Vec<[usize; 2]>,
    /// Of all together.
    all: [usize; 2],
    /// What it keeps.
    parts: Vec<PartHere>,
}

fn untold(e: serde_json::Error) -> Error {
    Error::Handshake(format!("records cannot be told to this party's other ranks: {e}"))
}

fn not_records(rank: usize) -> Error {
    Error::Protocol(trefoil_mpc::Error::Lane { rank, why: "sent something else than records".into() })
}

fn bad(path: &Path, what: impl ToString) -> Error {
    Error::config(path.display(), what, "the upload that was committed")
}

impl Part {
    /// These rows, of features and all columns in a row.
    fn take(&mut self, kind: usize, rows: usize, kept: &Kept, (features, width): (usize, usize)) {
        self.rows[kind] += rows;
        self.x[kind].extend_columns(kept, width, 0..features);
        self.y[kind].extend_columns(kept, width, features..width);
    }
}

impl Records {
    /// The matrices of these owners, with what the job promises of them: of features that promise alike together. Owners are told by their place.
    pub fn promised(&self, owners: &[usize], job: &Job) -> Result<Vec<Block>> {
        let schema = &job.data;
        let of_classes = schema.task == Task::Classification;
        let mut all = vec![];
        for (owner, place) in owners.iter().enumerate() {
            let (part, (features, labels)) = (&self.owners[*place], job.widths(*place));
            let (alike, gaps) = alike(schema, &job.holding(*place).0)?;
            for kind in [0, 1] {
                let mut add = |columns, range, one_hot, kept| {
                    all.push(Block { owner, shape: [part.rows[kind], columns], range, one_hot, kept });
                };
                // A value whose next number says that it is missing is 0, and else what others are: both bounds meet at 0 where that is 1.
                let (wide, top) = (promise(schema.shared().1, true), 1_u64 << schema.shared().1);
                for factor in [top - 1, top.wrapping_neg()].into_iter().filter(|_| !gaps.is_empty()) {
                    add(gaps.len(), wide, false, part.x[kind].with_next(features, &gaps, factor));
                }
                for (range, places) in &alike {
                    add(places.len(), *range, false, part.x[kind].columns(features, places));
                }
                add(labels, promise(schema.label_format().1, schema.task == Task::Regression), of_classes, part.y[kind].clone());
            }
        }
        all.retain(|block| block.shape[0] * block.shape[1] > 0);
        Ok(all)
    }

    /// Records to train on and held out, as the engine has them; there are so many at all ranks together.
    pub fn join<S: Suite>(&mut self, e: &mut S, job: &Job, rows: [usize; 2]) -> Result<[Data<S::Num>; 2]> {
        let mut of = |kind: usize| -> Result<Data<S::Num>> {
            match job.data.partition {
                Partition::Horizontal => Ok(self.below(e, job, kind)),
                Partition::Vertical => self.beside(e, job, kind),
            }
        };
        let mut data = [of(0)?, of(1)?];
        // Owners hand in a column for each class; a network with one output learns one of them.
        if let Some(class) = job.outputs().column() {
            data.iter_mut().for_each(|part| part.y = e.gather(&part.y, Index::Cols(&[class])));
        }
        let [train, test] = data;
        let mut held = |Data { x, y }: Data<S::Num>, rows| Data { x: e.held(x, rows), y: e.held(y, rows) };
        Ok([held(train, rows[0]), held(test, rows[1])])
    }

    fn below<S: Suite>(&mut self, e: &S, job: &Job, kind: usize) -> Data<S::Num> {
        let rows = self.owners.iter().map(|p| p.rows[kind]).sum();
        let mut all = |pick: fn(&mut Part) -> &mut [Kept; 2], cols: usize, format: Format| {
            let parts = self.owners.iter_mut().map(|part| std::mem::take(&mut pick(part)[kind]));
            e.input([rows, cols], format, Kept::below(parts))
        };
        let (x, y) = formats(job);
        let data = &job.data;
        Data { x: all(|p| &mut p.x, data.handed_in(), x), y: all(|p| &mut p.y, data.outputs(), y) }
    }

    fn beside<S: Suite>(&mut self, e: &S, job: &Job, kind: usize) -> Result<Data<S::Num>> {
        let (fx, fy) = formats(job);
        let (mut xs, mut y, mut places) = (vec![], None, vec![]);
        for (owner, part) in self.owners.iter_mut().enumerate() {
            let (features, labels) = job.widths(owner);
            let rows = part.rows[kind];
            if features > 0 {
                xs.push(e.input([rows, features], fx, std::mem::take(&mut part.x[kind])));
            }
            if labels > 0 {
                y = Some(e.input([rows, labels], fy, std::mem::take(&mut part.y[kind])));
            }
            let (columns, _) = job.holding(owner);
            places.extend(job.data.features_of(&columns)?.into_iter().flat_map(|(_, range)| range));
        }
        // From the owners' order to the job's.
        let mut index = vec![0; places.len()];
        places.iter().enumerate().for_each(|(at, place)| index[*place] = at);
        let x = e.gather(&e.beside(&xs.iter().collect::<Vec<_>>())?, Index::Cols(&index));
        let y = y.ok_or_else(|| Error::config("label", "no owner", "one owner with the label"))?;
        Ok(Data { x, y })
    }
}

/// Below 2^bits in magnitude.
fn promise(bits: u8, signed: bool) -> Range {
    Range { bits: bits + u8::from(signed), signed }
}

/// Places of what is promised alike, and of what is promised to be 0 or not by the number behind it.
type Alike = (Vec<(Range, Vec<usize>)>, Vec<usize>);

/// What an owner's features are promised to be, and the places of those of which it is, grey levels never below zero; and of those that are 0
/// where the next number, which is 0 or 1, is 1.
fn alike(schema: &Schema, columns: &[String]) -> Result<Alike> {
    let pixels = schema.columns.iter().all(|c| matches!(c, Column::Pixels { .. }));
    let [all, secure] = [schema.input().1, schema.shared().1].map(|bits| promise(bits, !pixels));
    let (mut places, mut gaps, mut at) = ([vec![], vec![], vec![]], vec![], 0);
    for (column, _) in schema.features_of(columns)? {
        let (first, rest) = (at, at + 1..at + column.shared());
        at = rest.end;
        // A number that says whether a value is missing stands behind it, and is narrow.
        match (column.scale().is_some(), column.is_filled_on_shares()) {
            (true, true) => {
                gaps.push(first);
                places[2].extend(rest);
                continue;
            }
            (wide, _) => places[usize::from(wide)].push(first),
        }
        places[0].extend(rest);
    }
    let bit = Range { bits: 1, signed: false };
    Ok(([all, secure, bit].into_iter().zip(places).filter(|(_, places)| !places.is_empty()).collect(), gaps))
}

/// Of features and of labels.
fn formats(job: &Job) -> (Format, Format) {
    let format = |(frac, bits)| Format { frac, bits };
    (format(job.data.shared()), format(job.data.label_format()))
}
