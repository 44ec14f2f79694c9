//! Records that are in memory already: images with their labels, and columns of any values.

use super::value::Value;
use crate::error::{Refusal, mismatch, quote};
use crate::{DataError, Result};

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
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, at: usize) -> Value<'_> {
        let value = match self {
            Cells::Integers(v) => v.get(at).map(|v| Value::Integer(*v)),
            Cells::Floats(v) => v.get(at).map(|v| Value::Float(*v)),
            Cells::Texts(v) => v.get(at).map(|v| Value::Text(v.trim_ascii())),
        };
        value.unwrap_or(Value::Missing)
    }
}

/// Columns side by side.
pub(crate) struct Table {
    /// For messages.
    name: String,
    /// Of each value of a record.
    names: Vec<String>,
    cells: Vec<Cells>,
    records: usize,
    read: usize,
}

impl Table {
    /// So many records, whose values are called so: each of `cells` has as many of them as it has values a record.
    pub(super) fn new(name: &str, names: Vec<String>, records: usize, cells: Vec<Cells>) -> Result<Table> {
        let whole = cells.iter().all(|c| c.len().checked_rem(records).is_none_or(|rest| rest == 0));
        let found: usize = cells.iter().map(Cells::len).sum();
        if !whole || Some(found) != names.len().checked_mul(records) {
            return Err(mismatch(name, format!("{found} values"), format!("{} in each of {records} records", names.len())));
        }
        Ok(Table { name: name.to_owned(), names, cells, records, read: 0 })
    }

    /// Calls `each` with the values of the next record; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        if self.read == self.records {
            return Ok(false);
        }
        let at = |cells: &Cells| cells.len() / self.records * self.read..cells.len() / self.records * (self.read + 1);
        let values = self.cells.iter().flat_map(|cells| at(cells).map(|i| cells.get(i)));
        for (slot, value) in values.enumerate() {
            each(slot, value).map_err(|why| DataError::Value {
                file: self.name.clone(),
                record: self.read as u64,
                column: self.names.get(slot).map_or_else(|| slot.to_string(), |n| quote(n)),
                found: why.found,
                expected: why.expected,
            })?;
        }
        self.read += 1;
        Ok(true)
    }
}
