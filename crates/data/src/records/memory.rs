//! Records that are in memory already: images with their labels, and columns of any values.

use super::arrow::Chunks;
use super::value::Value;
use crate::error::{Refusal, mismatch, quote};
use crate::{DataError, Result};
use std::sync::Arc;

/// Grey levels and the label of each.
pub(crate) struct Images {
    /// For messages.
    name: &'static str,
    left: std::vec::IntoIter<(Vec<u8>, u8)>,
}

impl Images {
    pub(crate) fn new(name: &'static str, images: Vec<(Vec<u8>, u8)>) -> Images {
        Images { name, left: images.into_iter() }
    }

    /// Calls `each` with the pixels of the next image and its label; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        let Some((pixels, label)) = self.left.next() else { return Ok(false) };
        let values = pixels.iter().chain([&label]).enumerate();
        for (slot, value) in values {
            each(slot, Value::Integer((*value).into())).map_err(|why| mismatch(self.name, why.found, why.expected))?;
        }
        Ok(true)
    }
}

/// The values of a column, or of several that are alike, record after record.
#[derive(Clone, PartialEq)]
pub enum Cells {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Any numbers; NaN and infinities are refused where they are read.
    Floats(Vec<f64>),
    /// Texts, trimmed where they are read, as a CSV file's fields are.
    Texts(Vec<Vec<u8>>),
    /// Of one column, as Arrow has them.
    Arrow(Chunks),
}

/// Number of values only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({})", self.len())
    }
}

impl Cells {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Cells::Integers(v) => v.len(),
            Cells::Floats(v) => v.len(),
            Cells::Texts(v) => v.len(),
            Cells::Arrow(v) => v.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    fn get(&self, at: usize) -> Result<Value<'_>, Refusal> {
        Ok(match self {
            Cells::Integers(v) => v.get(at).map_or(Value::Missing, |v| Value::Integer(*v)),
            Cells::Floats(v) => v.get(at).map_or(Value::Missing, |v| Value::Float(*v)),
            Cells::Texts(v) => v.get(at).map_or(Value::Missing, |v| Value::Text(v.trim_ascii())),
            Cells::Arrow(v) => return v.get(at),
        })
    }
}

/// Where a column is: in which of a table's `cells`, and at which place of a record, which has `width` values there.
#[derive(Clone, Copy)]
struct Place {
    cells: usize,
    first: usize,
    width: usize,
}

/// Columns side by side, with their names. Copies share the values.
#[derive(Clone)]
pub struct Table {
    /// For messages.
    name: String,
    /// Of each value of a record.
    names: Vec<String>,
    cells: Arc<[Cells]>,
    records: usize,
    /// Where each of the columns that are wanted is.
    places: Vec<Place>,
    read: usize,
}

/// Shape only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} x {})", self.records, self.names.len())
    }
}

impl Table {
    /// So many records, called `name` in messages, whose values are called `names`: each of `cells` has as many values as it has columns,
    /// record after record.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] where there are more values, or fewer.
    pub fn new(name: &str, names: Vec<String>, records: usize, cells: Vec<Cells>) -> Result<Table> {
        let whole = cells.iter().all(|c| c.len().checked_rem(records).is_none_or(|rest| rest == 0));
        let found: usize = cells.iter().map(Cells::len).sum();
        if !whole || Some(found) != names.len().checked_mul(records) {
            return Err(mismatch(name, format!("{found} values"), format!("{} in each of {records} records", names.len())));
        }
        let width = |cells: &Cells| cells.len().checked_div(records).unwrap_or(0);
        let of = |(at, of_it): (usize, &Cells)| {
            let width = width(of_it);
            (0..width).map(move |first| Place { cells: at, first, width })
        };
        let places = cells.iter().enumerate().flat_map(of).collect();
        Ok(Table { name: name.to_owned(), names, cells: cells.into(), records, places, read: 0 })
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many records.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// The columns' names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Which of the columns [`row`](Self::row) gives, in which order.
    pub(super) fn want(&mut self, columns: &[usize]) {
        self.names = columns.iter().filter_map(|c| self.names.get(*c).cloned()).collect();
        self.places = columns.iter().filter_map(|c| self.places.get(*c).copied()).collect();
    }

    /// Calls `each` with the values of the next record; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        if self.read == self.records {
            return Ok(false);
        }
        let record = self.read;
        self.read += 1;
        for (slot, Place { cells, first, width }) in self.places.iter().enumerate() {
            // Step by step: a result that goes through closures is copied each time, which takes longer than reading it.
            let Some(cells) = self.cells.get(*cells) else {
                return Err(self.fault(slot, Refusal::new("no such column", "one of the table's")));
            };
            let value = match cells.get(width * record + first) {
                Ok(value) => value,
                Err(why) => return Err(self.fault(slot, why)),
            };
            if let Err(why) = each(slot, value) {
                return Err(self.fault(slot, why));
            }
        }
        Ok(true)
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        DataError::Value {
            file: self.name.clone(),
            record: self.read as u64,
            column: self.names.get(slot).map_or_else(|| slot.to_string(), |n| quote(n)),
            found: why.found,
            expected: why.expected,
        }
    }
}
