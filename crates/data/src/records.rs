//! An owner's file as the fixed-point numbers that are shared, chunk by chunk: memory does not grow with the file.
//!
//! | format | by | columns |
//! |---|---|---|
//! | CSV, plain or gzip | `.csv`, `.tsv`, with `.gz` | by the names in the header; others are ignored |
//! | Parquet | `.parquet`, a folder of such | by name; others are ignored |
//! | Arrow IPC: Feather's second version, or a stream | `.arrow`, `.feather`, `.ipc`, `.arrows` | by name; others are ignored |
//! | JSON lines, plain or gzip | `.jsonl`, `.ndjson`, `.json` | by the names of the first records' fields; others are ignored |
//! | a folder of PNG images | a folder in it for each class | a pixel a column, and the folder's name as label |
//! | NumPy | `.npy`, `.npz` | the owner's columns in the schema's order; the label in a second file |
//! | IDX, plain or gzip | its first bytes | as NumPy, a pixel a column |
//! | the embedded digits | - | a pixel a column, and the label |
//! | a [`Table`] in memory | - | by name; others are ignored |
//!
//! A vertical partition needs the identifiers, and so CSV, JSON lines, Parquet or Arrow.

mod account;
mod array;
pub mod arrow;
pub(crate) mod calendar;
pub(crate) mod cell;
mod check;
pub(crate) mod csv;
mod dates;
mod element;
pub(crate) mod encode;
mod fields;
pub(crate) mod format;
mod holdout;
mod identifiers;
mod idx;
mod in_order;
mod joined;
mod jsonl;
mod looks;
pub(crate) mod memory;
mod missing;
mod npy;
mod npz;
mod order;
mod parquet;
mod pipe;
mod png;
mod quotes;
mod raw;
mod stream;
mod text;
mod unit;
pub(crate) mod value;

use crate::Result;
use crate::error::{empty, mismatch};
use crate::schema::{Partition, Schema, Task, held_out};
pub use account::{Account, Tally};
pub use array::idx_pixels;
pub use check::{Checked, TOLD, check, check_table};
pub use csv::Lines;
pub use dates::{Cycle, DateNumber, Dates};
use encode::Encoding;
use fields::Fields;
use format::{Format, find};
use holdout::Plan;
use identifiers::Identifiers;
use in_order::InOrder;
pub use memory::{Cells, Table};
pub use missing::Missing;
pub use raw::{Raw, RawColumn, STANDARD_INPUT};
use std::path::PathBuf;
use stream::Progress;
pub use text::{Numerals, Reading, Thousands, encoding};
pub use unit::Unit;

/// Where an owner's records are.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The features, and where columns have names the label and the identifier.
    pub path: PathBuf,
    /// The labels, where they stand in another file.
    pub labels: Option<PathBuf>,
    /// Where columns have names: the one by which records find their labels in that file.
    pub by: Option<String>,
    /// How its texts are to be read.
    pub reading: Reading,
    /// Columns of numbers that are in another unit than the job's, each with what makes its values those of the job's.
    pub units: Vec<(String, Unit)>,
}

impl Source {
    /// A file that is read by what it says itself.
    #[must_use]
    pub fn of(path: impl Into<PathBuf>) -> Source {
        Source { path: path.into(), labels: None, by: None, reading: Reading::default(), units: Vec::new() }
    }
}

/// Records of one kind, as they are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Held out for the test, all of them; else to train on.
    pub test: bool,
    /// At least 1.
    pub rows: usize,
    /// Row-major, [`Records::width`] numbers a row: this owner's features with the fraction bits of [`Schema::input`],
    /// then the label, if this owner has it, with those of [`Schema::label_format`].
    pub values: Vec<i64>,
}

/// Shape only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.test { "test" } else { "train" };
        write!(f, "Chunk({kind}, {} x {})", self.rows, self.values.len() / self.rows.max(1))
    }
}

/// Reads one owner's file once, from the first record to the last.
pub struct Records {
    file: String,
    format: Format,
    fields: Fields,
    progress: Progress,
    /// What is held out, once records are counted; none where nothing is.
    plan: Option<Plan>,
    /// How they are counted, where that is to be done.
    count: Option<Count>,
    held: Held,
    /// Where these are given from, if not the file.
    in_order: Option<InOrder>,
    /// Records read so far.
    read: u64,
    row: Vec<i64>,
    train: Vec<i64>,
    test: Vec<i64>,
    state: State,
}

/// Reads all of a file and tells what is in it.
type Count = Box<dyn FnOnce() -> Result<Account> + Send>;

/// What a schema says of records that are held out.
#[derive(Clone, Copy)]
struct Held {
    holdout: usize,
    seed: u64,
    /// Numbers that the label becomes, where each class has its share.
    classes: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    Ended,
    Failed,
}

impl Records {
    /// Opens `source` and checks what can be checked before the first record. `columns` names the feature columns that
    /// this owner has, none for all; `labelled` says whether it has the label. Rows have the features in the schema's
    /// order.
    ///
    /// # Errors
    /// A schema that is not in order or has no such columns, a file that cannot be read, is of no known format, or
    /// lacks a column.
    pub fn open(source: &Source, schema: &Schema, columns: &[String], labelled: bool) -> Result<Records> {
        schema.check()?;
        let (mut fields, names) = Fields::of(schema, columns, labelled)?;
        fields.in_units(&source.units)?;
        fields.numerals = source.reading.numerals;
        let file = source.path.display().to_string();
        let format = match Format::open_named(source)? {
            Some(format) => format.named(source, names, labelled, schema)?,
            None => {
                // Arrays of labels are mostly integers.
                fields.encodings.last_mut().filter(|_| labelled).into_iter().for_each(Encoding::take_places);
                Format::open_unnamed(source, names, labelled, schema)?
            }
        };
        let (source, whole, columns) = (source.clone(), without(schema), columns.to_vec());
        let count = move || Records::open(&source, &whole, &columns, labelled)?.counted();
        Ok(Records::of(file, format, fields, schema, Box::new(count)))
    }

    /// The same of columns in memory, which are found by their names; others are ignored.
    ///
    /// # Errors
    /// As for [`Records::open`].
    pub fn in_memory(table: &Table, schema: &Schema, columns: &[String], labelled: bool) -> Result<Records> {
        schema.check()?;
        let (fields, names) = Fields::of(schema, columns, labelled)?;
        let (name, mut format) = (table.name(), Format::Table(table.clone()));
        format.want(find(&names, table.names(), name)?)?;
        let (table, whole, columns) = (table.clone(), without(schema), columns.to_vec());
        let count = move || Records::in_memory(&table, &whole, &columns, labelled)?.counted();
        Ok(Records::of(name.to_owned(), format, fields, schema, Box::new(count)))
    }

    /// Images that are in memory, all columns and the label; none is held out.
    pub(crate) fn of_images(name: &str, images: memory::Images, schema: &Schema) -> Result<Records> {
        schema.check()?;
        let (fields, _) = Fields::of(schema, &[], true)?;
        let count = || Ok(Account::default());
        Ok(Records::of(name.to_string(), Format::Images(images), fields, &without(schema), Box::new(count)))
    }

    fn of(file: String, format: Format, fields: Fields, schema: &Schema, count: Count) -> Records {
        let classes = schema.task == Task::Classification && schema.partition == Partition::Horizontal && fields.labelled;
        let (progress, state) = (format.progress(), State::Reading);
        let held = Held { holdout: schema.holdout, seed: schema.seed, classes: classes.then(|| schema.outputs()) };
        let count = (schema.holdout > 0).then_some(count);
        let (row, train, test) = (Vec::new(), Vec::new(), Vec::new());
        Records { file, format, fields, progress, plan: None, count, held, in_order: None, read: 0, row, train, test, state }
    }

    /// The same where the file was read before, so that records need not be counted once more.
    #[must_use]
    pub fn counted_in(mut self, account: &Account) -> Records {
        if self.count.take().is_some() {
            self.plan = Some(self.planned(account));
        }
        self
    }

    fn planned(&self, account: &Account) -> Plan {
        let counts = match (self.held.classes, &account.label) {
            (Some(classes), Some(label)) => (0..classes).map(|i| label.counts.get(i).copied().unwrap_or(0)).collect(),
            _ => vec![account.records],
        };
        self.plan_of(&counts)
    }

    /// Of so many records of each class.
    fn plan_of(&self, counts: &[u64]) -> Plan {
        let Held { holdout, seed, .. } = self.held;
        let held = held_out(counts.iter().sum::<u64>() as usize, holdout);
        Plan::new(counts, held as u64, seed)
    }

    /// Reads all records and keeps none of them.
    fn counted(mut self) -> Result<Account> {
        while self.record()? {}
        Ok(self.account())
    }

    /// Of the records so far.
    fn account(&mut self) -> Account {
        let mut columns = std::mem::take(&mut self.fields.tallies);
        let label = self.fields.labelled.then(|| columns.pop()).flatten();
        let order = self.fields.order.as_ref().map(|order| hex::encode(order.digest()));
        let identifiers = self.fields.identifiers.take().map(Identifiers::take);
        Account { columns, label, records: self.read, lines: self.format.lines(), order, identifiers }
    }

    /// Numbers in a row: this owner's features, then the label's if it has it.
    #[must_use]
    pub fn width(&self) -> usize {
        self.fields.width
    }

    /// The next records, at most `rows` of them (at least 1), all to train on or all held out, in the file's order
    /// within each kind; none after the last. Each record comes exactly once.
    ///
    /// # Errors
    /// What is wrong with the file and where. No records come after an error.
    pub fn next(&mut self, rows: usize) -> Result<Option<Chunk>> {
        let rows = rows.max(1);
        if self.state == State::Failed {
            return Err(mismatch(&self.file, "an error before", "the file to be opened again"));
        }
        let state = std::mem::replace(&mut self.state, State::Failed);
        if let Some(count) = self.count.take() {
            let account = count()?;
            self.plan = Some(self.planned(&account));
        }
        self.state = state;
        loop {
            let due = self.plan.as_ref().map_or(Some((false, rows)), |plan| plan.next(rows));
            if let Some((test, want)) = due {
                let want = want.saturating_mul(self.fields.width);
                let held = if test { &mut self.test } else { &mut self.train };
                if held.len() >= want || (self.plan.is_none() && self.state == State::Ended && !held.is_empty()) {
                    let rest = held.split_off(want.min(held.len()));
                    let values = std::mem::replace(held, rest);
                    let rows = values.len() / self.fields.width;
                    self.plan.iter_mut().for_each(|plan| plan.gave(test, rows));
                    return Ok(Some(Chunk { test, rows, values }));
                }
            }
            if self.state == State::Ended {
                return if due.is_some() && self.plan.is_some() { Err(self.changed()) } else { Ok(None) };
            }
            self.state = State::Failed;
            self.state = if self.record()? { self.place()? } else { State::Ended };
        }
    }

    /// Reads one record into `row`; false at the end.
    fn record(&mut self) -> Result<bool> {
        let (fields, row) = (&mut self.fields, &mut self.row);
        row.clear();
        if let Some(rows) = &mut self.in_order {
            return Ok(rows.row(row));
        }
        if self.format.row(|slot, value| fields.take(slot, value, row))? {
            self.read += 1;
            return Ok(true);
        }
        if self.read == 0 {
            return Err(empty(&self.file, "no records", "one record"));
        }
        Ok(false)
    }

    /// Puts the record where it belongs.
    fn place(&mut self) -> Result<State> {
        let class = match self.held.classes {
            Some(classes) => self.row.iter().rev().take(classes).rev().position(|v| *v != 0).unwrap_or(0),
            None => 0,
        };
        let test = match &mut self.plan {
            Some(plan) => plan.take(class).ok_or_else(|| self.changed())?,
            None => false,
        };
        if test { &mut self.test } else { &mut self.train }.append(&mut self.row);
        Ok(State::Reading)
    }

    fn changed(&self) -> crate::DataError {
        mismatch(&self.file, "other records than when they were counted", "a file that does not change while it is read")
    }

    /// Bytes of the file that were read, and that there are in all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.progress.get()
    }
}

/// The same schema, by which nothing is held out.
fn without(schema: &Schema) -> Schema {
    Schema { holdout: 0, ..schema.clone() }
}

#[cfg(test)]
mod tests;
