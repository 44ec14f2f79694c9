//! Which reader a file needs.

use super::arrow::ipc;
use super::looks::looks;
use super::stream::{Progress, Stream};
use super::value::Value;
use super::{Source, array, csv, joined, jsonl, memory, npz, parquet, png};
use crate::error::{Refusal, listed, mismatch, quote};
use crate::schema::Schema;
use crate::{DataError, Result};
use std::path::Path;

/// A file that is open, and its next record. There is one for each file, so that its size matters to nobody.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Format {
    Csv(csv::Csv),
    JsonLines(jsonl::JsonLines),
    Joined(Box<joined::Joined>),
    Parquet(parquet::Parquet),
    Arrow(ipc::Ipc),
    Arrays(array::Arrays),
    Images(memory::Images),
    Png(png::Images),
    Table(memory::Table),
}

impl Format {
    /// Calls `each` with the wanted values of the next record; false at the end.
    pub(crate) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        match self {
            Format::Csv(f) => f.row(each),
            Format::JsonLines(f) => f.row(each),
            Format::Joined(f) => f.row(&mut each),
            Format::Parquet(f) => f.row(each),
            Format::Arrow(f) => f.row(each),
            Format::Arrays(f) => f.row(each),
            Format::Images(f) => f.row(each),
            Format::Png(f) => f.row(each),
            Format::Table(f) => f.row(each),
        }
    }

    /// Where the last record stands, of so many that were read.
    pub(crate) fn here(&self, records: u64) -> String {
        match self {
            Format::Csv(f) => format!("line {}", f.line()),
            Format::JsonLines(f) => format!("line {}", f.line()),
            Format::Joined(f) => f.records().here(records),
            _ => format!("record {records}"),
        }
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        match self {
            Format::Csv(f) => f.fault(slot, why),
            Format::JsonLines(f) => f.fault(slot, why),
            Format::Joined(f) => f.fault(slot, why),
            Format::Parquet(f) => f.fault(slot, why),
            Format::Arrow(f) => f.fault(slot, why),
            Format::Arrays(f) => f.fault(slot, why),
            Format::Table(f) => f.fault(slot, why),
            Format::Png(f) => f.fault(why),
            Format::Images(_) => mismatch("images", why.found, why.expected),
        }
    }

    /// Whether records come through a pipe, all that came are read, and no more come for a moment.
    pub(super) fn pauses(&self) -> bool {
        matches!(self, Format::Csv(f) if f.pauses())
    }

    pub(super) fn progress(&self) -> Progress {
        match self {
            Format::Csv(f) => f.progress(),
            Format::JsonLines(f) => f.progress(),
            Format::Joined(f) => f.records().progress(),
            Format::Parquet(f) => f.progress(),
            Format::Arrow(f) => f.progress(),
            Format::Arrays(f) => f.progress(),
            Format::Images(_) | Format::Png(_) | Format::Table(_) => Progress::of(0),
        }
    }

    /// With columns that have names.
    pub(crate) fn open_named(source: &Source) -> Result<Option<Format>> {
        let path = &source.path;
        if parquet::is_table(path) {
            return Ok(Some(Format::Parquet(parquet::Parquet::open(path)?)));
        }
        if ipc::is_ipc(path) {
            return Ok(Some(Format::Arrow(ipc::Ipc::open(path)?)));
        }
        Ok(match extension(path).as_str() {
            "jsonl" | "ndjson" | "json" => Some(Format::JsonLines(jsonl::JsonLines::open(path)?)),
            "csv" | "tsv" => Some(Format::Csv(csv::Csv::open(path, &source.reading)?)),
            _ => None,
        })
    }

    /// What the lines of a file of texts were, as far as it is read.
    pub(super) fn lines(&self) -> Option<csv::Lines> {
        match self {
            Format::Csv(f) => Some(f.lines()),
            Format::Joined(f) => f.records().lines(),
            _ => None,
        }
    }

    pub(crate) fn columns(&self) -> &[String] {
        match self {
            Format::Csv(f) => f.columns(),
            Format::JsonLines(f) => f.columns(),
            Format::Joined(f) => f.records().columns(),
            Format::Parquet(f) => f.columns(),
            Format::Arrow(f) => f.columns(),
            Format::Table(f) => f.names(),
            Format::Arrays(_) | Format::Images(_) | Format::Png(_) => &[],
        }
    }

    /// Why a column with a name cannot be read, whatever its values are, if so.
    pub(crate) fn unread(&self, column: usize) -> Option<String> {
        match self {
            Format::Joined(f) => f.records().unread(column),
            Format::Parquet(f) => f.unread(column),
            Format::Arrow(f) => f.unread(column),
            _ => None,
        }
    }

    /// Which of the columns with names [`row`](Self::row) gives, in which order.
    pub(crate) fn want(&mut self, columns: Vec<usize>) -> Result<()> {
        match self {
            Format::Csv(f) => f.want(columns),
            Format::JsonLines(f) => f.want(columns),
            Format::Joined(f) => f.want(columns)?,
            Format::Parquet(f) => f.want(columns)?,
            Format::Arrow(f) => f.want(columns)?,
            Format::Table(f) => f.want(&columns),
            Format::Arrays(_) | Format::Images(_) | Format::Png(_) => {}
        }
        Ok(())
    }

    /// With the columns of these names; the label is in another file, if there is one.
    pub(super) fn named(mut self, source: &Source, mut names: Vec<String>, labelled: bool, schema: &Schema) -> Result<Format> {
        let file = source.path.display().to_string();
        if let Some(labels) = &source.labels {
            let Some(by) = &source.by else {
                return Err(mismatch(&file, "a second file with labels", "none, this one has the label as a column, or --by"));
            };
            let slot = names.iter().position(|name| *name == schema.label).filter(|_| labelled);
            let Some(slot) = slot else {
                return Err(mismatch(&file, "a file with labels", "none, another owner has the labels"));
            };
            let second = labels.display().to_string();
            let other = Format::open_named(&Source { path: labels.clone(), labels: None, ..source.clone() })?;
            let other =
                other.ok_or_else(|| mismatch(&second, "labels without column names", "CSV, JSON lines, Parquet or Arrow"))?;
            names[slot].clone_from(by);
            self = Format::Joined(Box::new(joined::Joined::of(self, other, &second, [by, &schema.label], slot)?));
        }
        self.want(find(&names, self.columns(), &file)?)?;
        Ok(self)
    }

    /// With columns in the order of `names`, the label, if `labelled`, in a second file.
    pub(super) fn open_unnamed(source: &Source, names: Vec<String>, labelled: bool, schema: &Schema) -> Result<Format> {
        let file = source.path.display().to_string();
        if schema.id.is_some() {
            return Err(mismatch(
                &file,
                "a file without identifiers",
                "CSV, JSON lines, Parquet or Arrow for a vertical partition",
            ));
        }
        // What a file is matters before what is beside it.
        let images = png::is_images(&source.path);
        let within = images || extension(&source.path) == "npz";
        let stream = if within { None } else { Some(Format::unnamed(source)?) };
        match (&source.labels, labelled) {
            (Some(_), false) => return Err(mismatch(&file, "a file with labels", "none, another owner has the labels")),
            (Some(_), true) if within => {
                return Err(mismatch(&file, "a second file with labels", "none beside an archive or images"));
            }
            (None, true) if !within => {
                return Err(mismatch(&file, "no file with its labels", "one beside NumPy or IDX features"));
            }
            _ => {}
        }
        if let Some(stream) = stream {
            return Ok(Format::Arrays(array::Arrays::open(stream, source, names)?));
        }
        if images {
            let values = names.len() - usize::from(labelled);
            return Ok(Format::Png(png::Images::open(&source.path, values, None, labelled)?));
        }
        let (x, y) = npz::open(&source.path, labelled)?;
        Ok(Format::Arrays(array::Arrays::of_members(x, y, names)?))
    }

    /// With columns in the order of `names`, and no label.
    pub(super) fn open_arrays(source: &Source, names: Vec<String>) -> Result<Format> {
        if extension(&source.path) == "npz" {
            let (x, _) = npz::open(&source.path, false)?;
            return Ok(Format::Arrays(array::Arrays::of_members(x, None, names)?));
        }
        Ok(Format::Arrays(array::Arrays::open(Format::unnamed(source)?, source, names)?))
    }

    /// Refuses a file without column names that has no records of any kind.
    pub(crate) fn known(source: &Source) -> Result<()> {
        let within = png::is_images(&source.path) || extension(&source.path) == "npz";
        if within { Ok(()) } else { Format::unnamed(source).map(drop) }
    }

    /// Refuses what is neither NumPy nor IDX.
    fn unnamed(source: &Source) -> Result<Stream> {
        let mut stream = Stream::open(&source.path)?;
        if extension(&source.path) != "npy" && !stream.peek()?.starts_with(&[0, 0, 8]) {
            let file = source.path.display().to_string();
            let found = looks(stream.peek()?).map_or("a file of no known kind".into(), |kind| format!("what looks like {kind}"));
            let expected = ".csv, .csv.gz, .jsonl, .parquet, .arrow, .npy, .npz, PNG or IDX images";
            return Err(mismatch(&file, found, expected));
        }
        Ok(stream)
    }
}

/// In lower case, that of the compressed file where it is `.gz`.
pub(super) fn extension(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map(|(_, end)| end.to_string()).unwrap_or_default()
}

/// Where each of `names` is among a file's columns.
pub(crate) fn find(names: &[String], columns: &[String], file: &str) -> Result<Vec<usize>> {
    let mut at = std::collections::HashMap::new();
    let mut twice = std::collections::HashSet::new();
    for (i, column) in columns.iter().enumerate() {
        if at.insert(column, i).is_some() {
            twice.insert(column);
        }
    }
    let position = |name: &String| match at.get(name) {
        Some(_) if twice.contains(name) => Err(mismatch(file, format!("more than one column {}", quote(name)), "one")),
        Some(&i) => Ok(i),
        None => {
            let columns = listed(columns) + &csv::hint(columns);
            Err(DataError::NoColumn { file: file.to_string(), column: quote(name), columns })
        }
    };
    names.iter().map(position).collect()
}
