//! CSV files: a header, numeric features and one label column.
//!
//! - Fields are separated by commas, may be quoted, and are trimmed. Blank lines are skipped.
//! - The label column is given by its name in the header, or by its index, from 0, where no column has that name.
//! - Labels are either integers, which must be 0 to k-1 with none missing between, or texts, which become classes in the
//!   order of their bytes. At most [`MAX_CLASSES`] classes.
//! - Everything else must be a finite number in every record.
//!
//! [`Records::dataset`] holds out a fifth of the records and standardises the features with the mean and deviation of
//! the rest: clipped to (-8, 8), 12 fraction bits.

pub(crate) mod cell;
mod labels;

use crate::error::{empty, mismatch, quote};
use crate::file;
use crate::shuffle::{Stream, shuffle};
use crate::standardise::{FRAC, standardise};
use crate::{DataError, Dataset, Result, Table};
use ::csv::{ByteRecord, ReaderBuilder, Trim};
use cell::{Cell, line_of, number};
use ndarray::{Array2, Axis};
use std::path::Path;

/// More distinct labels than this are taken for a column that holds no classes.
pub const MAX_CLASSES: usize = 256;

/// One record in this many is held out for the test.
const TEST_SHARE: usize = 5;

/// What a CSV file holds, as it stands there.
#[derive(Clone, PartialEq)]
pub struct Records {
    /// Names of the feature columns.
    pub features: Vec<String>,
    /// Names of the classes; a label indexes them.
    pub classes: Vec<String>,
    /// Shape `[records, features]`: finite, neither scaled nor rounded.
    pub x: Array2<f64>,
    /// Shape `[records]`.
    pub y: Vec<usize>,
}

/// Reads a file; the dataset's name is the file's stem. See [`parse`] and [`Records::dataset`].
///
/// # Errors
/// As those two, and [`DataError::Io`].
pub fn load(path: &Path, label: &str, seed: u64) -> Result<Dataset> {
    let file = path.display().to_string();
    let name = path.file_stem().map_or_else(|| "csv".to_string(), |s| s.to_string_lossy().into_owned());
    parse(&file::read(path)?, &file, label)?.dataset(&name, &file, seed)
}

/// Records from the bytes of a CSV file. `name` is for messages, `label` is the label column's name or index.
///
/// # Errors
/// Each names the line and column: [`DataError::Cell`] for a hole, NaN, infinity, anything that is no number, a label
/// out of range; [`DataError::Fields`]; [`DataError::NoLabelColumn`]; [`DataError::Empty`]; and [`DataError::Mismatch`]
/// for a first line that is no header or a file that is gzip.
pub fn parse(bytes: &[u8], name: &str, label: &str) -> Result<Records> {
    if file::is_gzip(bytes) {
        return Err(mismatch(name, "gzip", "plain CSV text"));
    }
    // `flexible`: the number of fields is checked here, to say it in our words.
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    let mut line = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        reader.read_byte_record(record).map_err(|e| mismatch(name, e.to_string().replace('\n', " "), "CSV text"))
    };
    if !next(&mut line)? {
        return Err(empty(name, "no lines", "a header and one record"));
    }
    let columns = header(&line, name)?;
    let label = label_column(&columns, name, label)?;
    if columns.len() == 1 {
        return Err(empty(name, "no column but the label", "one feature column"));
    }

    let (mut values, mut labels) = (Vec::new(), labels::Labels::default());
    while next(&mut line)? {
        let place = Place { file: name, line: line_of(&line, |at| rest(bytes, at)), columns: &columns };
        if line.len() != columns.len() {
            let (found, expected) = (line.len(), columns.len());
            return Err(DataError::Fields { file: name.to_string(), line: place.line, found, expected });
        }
        for (i, field) in line.iter().enumerate() {
            if i == label {
                labels.push(field, place.at(i))?;
            } else {
                values.push(number(field).map_err(|why| place.at(i).refuse(why))?);
            }
        }
    }
    let (classes, y) = labels.classes(name, &columns[label])?;
    let width = columns.len() - 1;
    let features = columns.into_iter().enumerate().filter(|&(i, _)| i != label).map(|(_, c)| c).collect();
    let x = Array2::from_shape_fn((y.len(), width), |(i, j)| values[i * width + j]);
    Ok(Records { features, classes, x, y })
}

impl Records {
    /// A fifth of the records, chosen by a public seed, is held out; features are standardised by what the others have.
    /// `file` is for messages.
    ///
    /// # Errors
    /// [`DataError::Empty`] with fewer than two records or classes.
    pub fn dataset(&self, name: &str, file: &str, seed: u64) -> Result<Dataset> {
        let records = self.y.len();
        if records < 2 {
            return Err(empty(file, format!("{records} records"), "2, to train and to test"));
        }
        if self.classes.len() < 2 {
            return Err(empty(file, format!("{} class", self.classes.len()), "2 classes"));
        }
        let order = shuffle(records, seed, Stream::Test);
        let (test, train) = order.split_at((records / TEST_SHARE).max(1));
        let part = |index: &[usize]| Table {
            x: self.x.select(Axis(0), index),
            y: index.iter().map(|&i| self.y[i]).collect(),
            frac: FRAC,
        };
        let (mut train, mut test) = (part(train), part(test));
        standardise(&mut train.x, &mut test.x);
        Ok(Dataset { name: name.to_string(), classes: self.classes.len(), train, test })
    }
}

/// The columns' names, from the first record of a file.
pub(crate) fn header(record: &ByteRecord, name: &str) -> Result<Vec<String>> {
    let columns: Vec<String> = record.iter().map(|f| String::from_utf8_lossy(f.trim_ascii()).into_owned()).collect();
    if columns.iter().all(|c| c.parse::<f64>().is_ok()) {
        return Err(mismatch(name, "only numbers in the first line", "a header with the columns' names"));
    }
    Ok(columns)
}

fn rest(bytes: &[u8], at: u64) -> impl Iterator<Item = u8> {
    bytes.get(at as usize..).unwrap_or_default().iter().copied()
}

/// Which column is meant: by name first, else by index.
fn label_column(columns: &[String], name: &str, label: &str) -> Result<usize> {
    let named: Vec<usize> = (0..columns.len()).filter(|&i| columns[i] == label).collect();
    match named[..] {
        [i] => Ok(i),
        [] => match label.parse::<usize>() {
            Ok(i) if i < columns.len() => Ok(i),
            _ => Err(DataError::NoLabelColumn { file: name.to_string(), label: quote(label), columns: listed(columns) }),
        },
        _ => Err(mismatch(name, format!("{} columns {}", named.len(), quote(label)), "one")),
    }
}

/// The first 50 names, quoted.
pub(crate) fn listed(columns: &[String]) -> String {
    let first: Vec<String> = columns.iter().take(50).map(|c| quote(c)).collect();
    let more = if columns.len() > 50 { format!(", ... ({} in all)", columns.len()) } else { String::new() };
    first.join(", ") + &more
}

/// Where a record stands, for messages.
struct Place<'a> {
    file: &'a str,
    line: u64,
    columns: &'a [String],
}

impl<'a> Place<'a> {
    fn at(&self, column: usize) -> Cell<'a> {
        Cell { file: self.file, line: self.line, column: &self.columns[column] }
    }
}

#[cfg(test)]
mod tests;
