//! The records of all owners, from the disk into the engine: rows one after the other where each owner has whole records, columns side
//! by side where owners have columns of the same ones.

use crate::record::Record;
use crate::session::Session;
use crate::uploads::{ROWS, SUMMARY, path};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::time::Instant;
use trefoil_client::request::{Announcement, Summary};
use trefoil_data::schema::{Column, Partition, Schema, Task};
use trefoil_engine::{Format, Index};
use trefoil_mpc::range::{Block, Range};
use trefoil_mpc::{Kept, Suite};
use trefoil_net::{Id, wire};
use trefoil_nn::Data;
use trefoil_store::sealed;

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

/// Reads the owners' uploads.
pub fn load<S: Suite>(session: &Session<'_>) -> Result<Records> {
    let mut records = Records { owners: vec![], common: vec![], bytes: 0, started: Instant::now() };
    for owner in 0..session.job.owner.len() {
        let part = read::<S>(session, owner, &mut records)?;
        records.owners.push(part);
    }
    Ok(records)
}

fn read<S: Suite>(session: &Session<'_>, owner: usize, records: &mut Records) -> Result<Part> {
    let (here, job) = (session.here, &session.job);
    let path = path(here, job.owner[owner].fingerprint);
    let (features, labels) = job.widths(owner);
    let width = features + labels;
    let bad = |what: String| Error::config(path.display(), what, "the upload that was committed");
    let committed = here.record()?.uploads.get(&job.owner[owner].fingerprint).cloned();
    let committed = committed.ok_or_else(|| bad("none".into()))?;
    let (mut part, mut digest) = (Part::default(), Sha256::new());
    let mut common: [Option<Sha256>; 3] = Default::default();
    let mut reader = sealed::Reader::open(&path, &here.key)?;
    let named = |a: Announcement| a.job == here.hash && a.upload == committed.upload;
    if !serde_json::from_slice(reader.about()).is_ok_and(named) {
        return Err(bad("another upload".into()));
    }
    while let Some(record) = reader.next()? {
        let frame = match record.split_first() {
            Some((&ROWS, frame)) => {
                digest.update(frame);
                wire::read(&mut &frame[..], Id::P0, frame.len())?.ok_or_else(|| bad("an empty chunk".into()))?
            }
            Some((&SUMMARY, _)) => continue,
            _ => return Err(bad("an unknown record".into())),
        };
        records.bytes += frame.payload() as u64;
        let (rows, kind) = (frame.at.op as usize, usize::from(frame.depth == 1));
        let kept = S::accept(session.me, rows * width, &frame.parts).map_err(bad)?;
        // A seed says nothing of how many rows it is expanded for: chunks that were cut differently would be other masks from the same seeds.
        let cut = [kind as u64, rows as u64].map(u64::to_le_bytes).concat();
        for (all, hash) in common.iter_mut().zip(S::common(session.me, &frame.parts)) {
            if let Some(hash) = hash {
                let all = all.get_or_insert_default();
                all.update(&cut);
                all.update(hash);
            }
        }
        part.rows[kind] += rows;
        part.x[kind].extend_columns(&kept, width, 0..features);
        part.y[kind].extend_columns(&kept, width, features..width);
    }
    if hex::encode(digest.finalize()) != committed.sha256 {
        return Err(bad("other chunks".into()));
    }
    records.common.push(common.map(|hash| hash.map(|h| hex::encode(h.finalize()))));
    Ok(part)
}

impl Records {
    /// The matrices of these owners, with what the job promises of them: of features that promise alike together. Owners are told by their place.
    pub fn promised(&self, owners: &[usize], session: &Session<'_>) -> Result<Vec<Block>> {
        let schema = &session.job.data;
        let of_classes = schema.task == Task::Classification;
        let mut all = vec![];
        for (owner, place) in owners.iter().enumerate() {
            let (part, (features, labels)) = (&self.owners[*place], session.job.widths(*place));
            let (alike, gaps) = alike(schema, &session.job.holding(*place).0)?;
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

    /// Records to train on and held out, as the engine has them.
    pub fn join<S: Suite>(&mut self, e: &S, session: &Session<'_>) -> Result<[Data<S::Num>; 2]> {
        let mut of = |kind: usize| -> Result<Data<S::Num>> {
            match session.job.data.partition {
                Partition::Horizontal => Ok(self.below(e, session, kind)),
                Partition::Vertical => self.beside(e, session, kind),
            }
        };
        let mut data = [of(0)?, of(1)?];
        // Owners hand in a column for each class; a network with one output learns one of them.
        if let Some(class) = session.job.outputs().column() {
            data.iter_mut().for_each(|part| part.y = e.gather(&part.y, Index::Cols(&[class])));
        }
        Ok(data)
    }

    fn below<S: Suite>(&mut self, e: &S, session: &Session<'_>, kind: usize) -> Data<S::Num> {
        let rows = self.owners.iter().map(|p| p.rows[kind]).sum();
        let mut all = |pick: fn(&mut Part) -> &mut [Kept; 2], cols: usize, format: Format| {
            let parts = self.owners.iter_mut().map(|part| std::mem::take(&mut pick(part)[kind]));
            e.input([rows, cols], format, Kept::below(parts))
        };
        let (x, y) = formats(session);
        let data = &session.job.data;
        Data { x: all(|p| &mut p.x, data.handed_in(), x), y: all(|p| &mut p.y, data.outputs(), y) }
    }

    fn beside<S: Suite>(&mut self, e: &S, session: &Session<'_>, kind: usize) -> Result<Data<S::Num>> {
        let (job, (fx, fy)) = (&session.job, formats(session));
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
fn formats(session: &Session<'_>) -> (Format, Format) {
    let format = |(frac, bits)| Format { frac, bits };
    (format(session.job.data.shared()), format(session.job.data.label_format()))
}
