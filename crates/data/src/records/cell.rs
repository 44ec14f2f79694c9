//! One field of a CSV file, for every reader of such files.

use super::text::{Numerals, Thousands};
use crate::DataError;
use crate::error::{Refusal, quote};
use std::borrow::Cow;

/// The minus sign of typography.
const MINUS: char = '\u{2212}';
const SIGNS: [char; 3] = ['+', '-', MINUS];

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
    float(std::str::from_utf8(field).ok()?)
}

/// The same of a text. Some tools write a minus sign that is no hyphen.
fn float(text: &str) -> Option<f64> {
    hyphened(text).parse().ok()
}

/// With a hyphen in place of another minus sign.
pub(crate) fn hyphened(text: &str) -> Cow<'_, str> {
    text.strip_prefix(MINUS).map_or(Cow::Borrowed(text), |rest| Cow::Owned(format!("-{rest}")))
}

/// Nothing, or one of the usual words for it.
pub(crate) fn is_hole(field: &[u8]) -> bool {
    field.is_empty() || ["?", "NA", "N/A", "null", "none"].iter().any(|w| field.eq_ignore_ascii_case(w.as_bytes()))
}

/// A finite number that is written in such a way: where there are marks between its thousands, they stand before groups of three digits.
pub(crate) fn local(field: &[u8], how: Numerals) -> Result<f64, Refusal> {
    if is_hole(field) {
        return Err(Refusal::hole(how.to_string()));
    }
    let text = std::str::from_utf8(field).unwrap_or_default();
    let (groups, fraction) = match text.split_once(if how.decimal_comma { ',' } else { '.' }) {
        Some((groups, fraction)) => (groups, Some(fraction)),
        None => (text, None),
    };
    let marks = match how.thousands {
        Some(thousands) => thousands.marks(),
        // Without a comma a point would be read as what it is elsewhere.
        None if how.decimal_comma && fraction.is_some() => Thousands::Point.marks(),
        None => &[],
    };
    let (sign, digits) = groups.split_at(groups.find(|c| !SIGNS.contains(&c)).unwrap_or(groups.len()));
    let mut parts = digits.split(marks);
    let first = parts.next().map_or(0, str::len);
    let three = |group: &str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
    let grouped = !digits.contains(marks) || ((1..=3).contains(&first) && parts.all(three));
    let plain = format!("{sign}{}.{}", digits.replace(marks, ""), fraction.unwrap_or_default());
    let plain = if fraction.is_none() { plain.trim_end_matches('.') } else { &plain };
    let stray = how.decimal_comma && digits.replace(marks, "").contains('.');
    match float(plain) {
        Some(v) if v.is_finite() && grouped && !stray => Ok(v),
        // A point before three digits may be one between thousands.
        _ if stray && local(field, Numerals { thousands: Some(Thousands::Point), ..how }).is_ok() => {
            Err(Refusal::of(field, format!("{how}, or --thousands \".\"")))
        }
        _ => Err(Refusal::of(field, how.to_string())),
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
