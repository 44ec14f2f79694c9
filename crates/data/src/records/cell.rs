//! One field of a CSV file, for every reader of such files.

use crate::DataError;
use crate::error::{Refusal, quote};

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

/// A finite number with a decimal comma, and points, if any, between groups of three digits.
pub(crate) fn comma(field: &[u8]) -> Result<f64, Refusal> {
    const EXPECTED: &str = "a number with a decimal comma";
    if is_hole(field) {
        return Err(Refusal::hole(EXPECTED));
    }
    let text = std::str::from_utf8(field).unwrap_or_default();
    let plain = match text.split_once(',') {
        // Without a comma points would be read as what they are elsewhere.
        None => text.to_string(),
        Some((groups, fraction)) => format!("{}.{fraction}", groups.replace('.', "")),
    };
    let groups = text.split_once(',').map_or(text, |(groups, _)| groups);
    let mut parts = groups.trim_start_matches(['+', '-']).split('.');
    let first = parts.next().map_or(0, str::len);
    let grouped = !groups.contains('.') || (groups.len() < text.len() && first <= 3 && parts.all(|group| group.len() == 3));
    match plain.parse::<f64>() {
        Ok(v) if v.is_finite() && grouped => Ok(v),
        _ => Err(Refusal::of(field, EXPECTED)),
    }
}

/// `true` and `false` in any case.
pub(crate) fn boolean(field: &[u8]) -> Option<bool> {
    let is = |word: &str| field.eq_ignore_ascii_case(word.as_bytes());
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// The same in the words of more tools: T and F, 1 and 0.
pub(crate) fn truth(field: &[u8]) -> Option<bool> {
    match field {
        b"1" | b"1.0" | b"T" | b"t" => Some(true),
        b"0" | b"0.0" | b"F" | b"f" => Some(false),
        other => boolean(other),
    }
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
