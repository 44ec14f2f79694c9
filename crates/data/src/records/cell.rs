//! One field of a CSV file, for every reader of such files.

use crate::DataError;
use crate::error::{Refusal, quote};
use ::csv::ByteRecord;

/// A finite number.
pub(crate) fn number(field: &[u8]) -> Result<f64, Refusal> {
    match parsed(field) {
        Some(v) if v.is_finite() => Ok(v),
        Some(_) => Err(Refusal::of(field, "a finite number")),
        None if is_hole(field) => Err(Refusal::hole("a number")),
        None => Err(Refusal::of(field, "a number")),
    }
}

/// A number, infinities and NaN among them.
pub(crate) fn parsed(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Nothing, or one of the usual words for it.
pub(crate) fn is_hole(field: &[u8]) -> bool {
    field.is_empty() || ["?", "NA", "N/A", "null", "none"].iter().any(|w| field.eq_ignore_ascii_case(w.as_bytes()))
}

/// The line where a record begins. The reader's position is where the record before it ended, blank lines not counted;
/// `after` makes the bytes that follow an offset.
pub(crate) fn line_of<I: Iterator<Item = u8>>(record: &ByteRecord, after: impl FnOnce(u64) -> I) -> u64 {
    let Some(end) = record.position() else {
        return 0;
    };
    end.line() + after(end.byte()).take_while(|b| b"\r\n".contains(b)).filter(|&b| b == b'\n').count() as u64
}

/// Where a field stands, for messages.
pub(crate) struct Cell<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u64,
    pub(crate) column: &'a str,
}

impl Cell<'_> {
    pub(crate) fn refuse(&self, why: Refusal) -> DataError {
        DataError::Cell {
            file: self.file.to_string(),
            line: self.line,
            column: quote(self.column),
            found: why.found,
            expected: why.expected,
        }
    }
}
