//! An owner's file as the fixed-point numbers that are shared, chunk by chunk: memory does not grow with the file.
//!
//! | format | by | columns |
//! |---|---|---|
//! | CSV, plain or gzip | `.csv`, `.tsv`, with `.gz` | by the names in the header; others are ignored |
//! | Parquet | `.parquet`, a folder of such | by name; others are ignored |
//! | NumPy | `.npy` | the owner's columns in the schema's order; the label in a second file |
//! | IDX, plain or gzip | its first bytes | as NumPy, a pixel a column |
//! | the embedded digits | - | a pixel a column, and the label |
//! | a [`Table`] in memory | - | by name; others are ignored |
//!
//! A vertical partition needs the identifiers, and so CSV or Parquet.

mod array;
pub(crate) mod calendar;
pub(crate) mod cell;
pub(crate) mod csv;
mod element;
pub(crate) mod format;
mod idx;
pub(crate) mod memory;
mod npy;
mod order;
mod parquet;
mod pipe;
mod png;
mod quotes;
mod raw;
mod stream;
mod text;
pub(crate) mod value;

use crate::Result;
use crate::error::{Refusal, empty, mismatch};
use crate::schema::{Partition, Schema};
pub use array::idx_pixels;
use format::{Format, find};
pub use memory::{Cells, Table};
use order::Order;
pub use raw::{Raw, RawColumn, STANDARD_INPUT};
use std::path::PathBuf;
use stream::Progress;
pub use text::{Reading, encoding};
use value::{Encoding, Value};

/// Where an owner's records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The features, and in CSV and Parquet the label and the identifier.
    pub path: PathBuf,
    /// NumPy and IDX: the labels.
    pub labels: Option<PathBuf>,
    /// CSV: how it is to be read.
    pub reading: Reading,
}

impl Source {
    /// A file that is read by what it says itself.
    #[must_use]
    pub fn of(path: impl Into<PathBuf>) -> Source {
        Source { path: path.into(), labels: None, reading: Reading::default() }
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
    holdout: usize,
    /// Records read so far.
    count: u64,
    train: Vec<i64>,
    test: Vec<i64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    Ended,
    Failed,
}

/// What becomes of the values that a format gives: by their slots the owner's features, the label, the identifier.
struct Fields {
    encodings: Vec<Encoding>,
    /// For each slot but the identifier's, which encoding.
    slots: Vec<usize>,
    order: Option<Order>,
    width: usize,
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
        let file = source.path.display().to_string();
        let format = match Format::open_named(source)? {
            Some(_) if source.labels.is_some() => {
                return Err(mismatch(&file, "a second file with labels", "none, CSV and Parquet have the label as a column"));
            }
            Some(mut format) => {
                format.want(find(&names, format.columns(), &file)?)?;
                format
            }
            None => {
                // Arrays of labels are mostly integers.
                fields.encodings.last_mut().filter(|_| labelled).into_iter().for_each(Encoding::take_places);
                Format::open_unnamed(source, names, labelled, schema)?
            }
        };
        Ok(Records::of(file, format, fields, schema))
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
        Ok(Records::of(name.to_owned(), format, fields, schema))
    }

    /// Images that are in memory, all columns and the label.
    pub(crate) fn of_images(name: &str, images: memory::Images, schema: &Schema) -> Result<Records> {
        schema.check()?;
        let (fields, _) = Fields::of(schema, &[], true)?;
        Ok(Records::of(name.to_string(), Format::Images(images), fields, schema))
    }

    fn of(file: String, format: Format, fields: Fields, schema: &Schema) -> Records {
        let (progress, holdout, state) = (format.progress(), schema.holdout, State::Reading);
        Records { file, format, fields, progress, holdout, count: 0, train: Vec::new(), test: Vec::new(), state }
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
        let full = rows.max(1).saturating_mul(self.fields.width);
        loop {
            if self.state == State::Failed {
                return Err(mismatch(&self.file, "an error before", "the file to be opened again"));
            }
            for test in [false, true] {
                let held = if test { &mut self.test } else { &mut self.train };
                if held.len() >= full || (self.state == State::Ended && !held.is_empty()) {
                    let rest = held.split_off(full.min(held.len()));
                    let values = std::mem::replace(held, rest);
                    return Ok(Some(Chunk { test, rows: values.len() / self.fields.width, values }));
                }
            }
            if self.state == State::Ended {
                return Ok(None);
            }
            self.state = State::Failed;
            self.state = if self.row()? { State::Reading } else { State::Ended };
        }
    }

    /// Reads one record; false at the end.
    fn row(&mut self) -> Result<bool> {
        let held_out = self.holdout > 0 && self.count % self.holdout as u64 == self.holdout as u64 - 1;
        let out = if held_out { &mut self.test } else { &mut self.train };
        let fields = &mut self.fields;
        if self.format.row(|slot, value| fields.take(slot, value, out))? {
            self.count += 1;
            return Ok(true);
        }
        if self.count == 0 {
            return Err(empty(&self.file, "no records", "one record"));
        }
        Ok(false)
    }

    /// Vertical, after the last record: the digest of the identifiers in their order, the same for owners of the same
    /// records. SHA-256 over each one's length (8 bytes, little-endian) and text, integers in decimal.
    #[must_use]
    pub fn order(&self) -> Option<[u8; 32]> {
        self.fields.order.as_ref().filter(|_| self.state == State::Ended).map(Order::digest)
    }

    /// Bytes of the file that were read, and that there are in all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.progress.get()
    }
}

impl Fields {
    /// And the names that the slots have in a file with named columns.
    fn of(schema: &Schema, columns: &[String], labelled: bool) -> Result<(Fields, Vec<String>)> {
        let (mut encodings, mut slots, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (column, _) in schema.features_of(columns)? {
            for name in schema.in_file(column) {
                slots.push(encodings.len());
                names.push(name);
            }
            encodings.push(Encoding::of(column, schema));
        }
        let mut width = schema.width_of(columns)?;
        if labelled {
            slots.push(encodings.len());
            names.push(schema.label.clone());
            encodings.push(Encoding::of_label(schema));
            width += schema.outputs();
        }
        let order = (schema.partition == Partition::Vertical).then(Order::new);
        names.extend(schema.id.clone());
        Ok((Fields { encodings, slots, order, width }, names))
    }

    #[inline]
    fn take(&mut self, slot: usize, value: Value<'_>, out: &mut Vec<i64>) -> Result<(), Refusal> {
        match (self.slots.get(slot), &mut self.order) {
            (Some(&encoding), _) => self.encodings[encoding].encode(value, out),
            (None, Some(order)) => order.push(value),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
