//! One value as a file has it.

use super::text::Numerals;
use super::{calendar, cell};
use crate::error::Refusal;

/// A value of any file.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Of CSV, or a column of texts. Trimmed.
    Text(&'a [u8]),
    /// The same where numbers are written in another way.
    Local(&'a [u8], Numerals),
    /// Of a column of booleans.
    Boolean(bool),
    /// Any, NaN included.
    Float(f64),
    /// Of a column of integers.
    Integer(i64),
    /// Days since 1 January 1970, with a fraction where there is a time of day.
    Date(f64),
    /// A null.
    Missing,
    /// Several values, or none that is one.
    Nested,
}

const NESTED: &str = "nested values";

/// A number of units since 1 January 1970, of which so many are a day.
pub(crate) fn date(v: i64, day: i64) -> Value<'static> {
    Value::Date(v as f64 / day as f64)
}

/// A number of so many digits behind the point. Both are exact below 2^53 and 10^22, so that the quotient is the number next to what is written.
pub(crate) fn scaled(v: i128, scale: u8) -> Value<'static> {
    match i64::try_from(v) {
        Ok(v) if scale == 0 => Value::Integer(v),
        _ => Value::Float(v as f64 / 10_f64.powi(scale.into())),
    }
}

impl Value<'_> {
    /// A text's numbers are written in this way.
    #[inline]
    pub(crate) fn written(self, how: Numerals) -> Self {
        match self {
            Value::Text(text) if how != Numerals::default() => Value::Local(text, how),
            other => other,
        }
    }

    /// As a finite number.
    pub(crate) fn number(self) -> Result<f64, Refusal> {
        match self {
            Value::Text(text) => cell::number(text).or_else(|why| truth_of(text).ok_or(why)),
            Value::Local(text, how) => cell::local(text, how).or_else(|why| truth_of(text).ok_or(why)),
            Value::Boolean(v) => Ok(f64::from(u8::from(v))),
            Value::Float(v) if v.is_finite() => Ok(v),
            Value::Float(v) => Err(Refusal::new(v.to_string(), "a finite number")),
            Value::Integer(v) => Ok(v as f64),
            Value::Date(_) => Err(Refusal::new("a date", "a number")),
            Value::Missing => Err(Refusal::hole("a number")),
            Value::Nested => Err(Refusal::new(NESTED, "a number")),
        }
    }

    /// Whether there is none, or one of the usual words for that.
    pub(super) fn is_hole(self) -> bool {
        match self {
            Value::Text(text) | Value::Local(text, _) => cell::is_hole(text),
            Value::Float(v) => v.is_nan(),
            Value::Missing => true,
            Value::Boolean(_) | Value::Integer(_) | Value::Date(_) | Value::Nested => false,
        }
    }

    /// As a text. Whole numbers are written without a fraction: "1.0" of one tool is "1" of another.
    pub(crate) fn text<T>(self, f: impl FnOnce(&[u8]) -> T) -> Result<T, Refusal> {
        match self {
            Value::Text(text) | Value::Local(text, _) => Ok(f(text)),
            Value::Boolean(v) => Ok(f(if v { b"true" } else { b"false" })),
            Value::Float(v) => Ok(f(v.to_string().as_bytes())),
            Value::Integer(v) => Ok(f(v.to_string().as_bytes())),
            Value::Date(days) => Ok(f(calendar::text(days).as_bytes())),
            Value::Missing => Err(Refusal::hole("a text")),
            Value::Nested => Err(Refusal::new(NESTED, "a text")),
        }
    }
}

/// `true` as 1, `false` as 0.
fn truth_of(text: &[u8]) -> Option<f64> {
    cell::boolean(text).map(|v| f64::from(u8::from(v)))
}

/// "1.0" as "1". What else may look like a number, such as "007" or "1E2", is a code, and not another one's.
pub(crate) fn whole(text: &[u8]) -> Option<String> {
    let text = cell::hyphened(std::str::from_utf8(text).ok()?);
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let v: i64 = integer.parse().ok()?;
    (fraction.bytes().all(|b| b == b'0') && v.abs() < 1_000_000_000_000_000 && v.to_string() == integer).then(|| v.to_string())
}
