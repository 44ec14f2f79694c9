//! Values that a record does not have: what stands for them in a file, and what is taken in their place.

use super::cell;
use super::value::Value;

/// Of one column. A text stands for a missing value as it is, and in a column of numbers however the same number is written; the empty
/// one stands for an empty cell, for a null, and for NaN where a file has numbers as such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// What stands for a missing value.
    pub texts: Vec<String>,
    /// What is taken in its place, as it would stand in a file; `None` for a mean or a median that only the parties know, on shares.
    pub fill: Option<String>,
    /// Whether one number more says where that was done: 1 there, else 0.
    pub indicator: bool,
}

/// The same, to be looked for in every value.
pub(crate) struct Gap {
    /// With its number, in a column of numbers.
    texts: Vec<(Box<[u8]>, Option<f64>)>,
    /// Whether the column has numbers.
    numbers: bool,
    fill: Option<String>,
    indicator: bool,
}

impl Gap {
    pub(crate) fn of(missing: &Missing, numbers: bool) -> Gap {
        let text = |text: &String| (text.as_bytes().into(), text.parse().ok().filter(|_| numbers));
        let Missing { texts, fill, indicator } = missing;
        Gap { texts: texts.iter().map(text).collect(), numbers, fill: fill.clone(), indicator: *indicator }
    }

    /// Whether a value is missing.
    #[inline]
    pub(crate) fn is(&self, value: Value<'_>) -> bool {
        let empty = || self.texts.iter().any(|(text, _)| text.is_empty());
        match value {
            Value::Missing => empty(),
            Value::Float(v) if v.is_nan() => empty() || self.is_number(v) || self.is_text(value),
            Value::Float(v) if self.numbers => self.is_number(v),
            Value::Integer(v) if self.numbers => self.is_number(v as f64),
            Value::Text(text) => {
                self.is_text(value) || (self.has_numbers() && cell::parsed(text).is_some_and(|v| self.is_number(v)))
            }
            Value::Local(text, how) => {
                self.is_text(value) || (self.has_numbers() && cell::local(text, how).is_ok_and(|v| self.is_number(v)))
            }
            Value::Float(_) | Value::Integer(_) | Value::Boolean(_) | Value::Date(_) | Value::Nested => self.is_text(value),
        }
    }

    /// What is taken for a missing value, unless it is filled on shares.
    pub(crate) fn fill(&self) -> Option<Value<'_>> {
        self.fill.as_ref().map(|fill| Value::Text(fill.as_bytes()))
    }

    /// The number that says whether a value is missing, where the column has one.
    pub(crate) fn told<T>(&self, missing: bool, one: T, zero: T) -> Option<T> {
        self.indicator.then_some(if missing { one } else { zero })
    }

    fn has_numbers(&self) -> bool {
        self.texts.iter().any(|(_, number)| number.is_some())
    }

    fn is_number(&self, v: f64) -> bool {
        self.texts.iter().any(|(_, number)| number.is_some_and(|n| n == v || (n.is_nan() && v.is_nan())))
    }

    fn is_text(&self, value: Value<'_>) -> bool {
        value.text(|v| self.texts.iter().any(|(text, _)| **text == *v)).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Numerals;
    use super::*;

    #[test]
    fn what_stands_for_a_missing_value_in_any_format() {
        let gap = |texts: &[&str], numbers| {
            Gap::of(&Missing { texts: texts.iter().map(|t| t.to_string()).collect(), ..Missing::default() }, numbers)
        };
        let numbers = gap(&["", "NA", "-9999"], true);
        let missing = [
            Value::Missing,
            Value::Text(b""),
            Value::Text(b"NA"),
            Value::Text(b"-9999"),
            Value::Text(b"-9999.0"),
            Value::Local(b"-9999,0", Numerals { decimal_comma: true, thousands: None }),
            Value::Integer(-9999),
            Value::Float(-9999.0),
            Value::Float(f64::NAN),
        ];
        assert!(missing.into_iter().all(|value| numbers.is(value)));
        let there = [
            Value::Text(b"na"),
            Value::Text(b"0"),
            Value::Text(b"?"),
            Value::Integer(0),
            Value::Float(9999.0),
            Value::Boolean(true),
        ];
        assert!(!there.into_iter().any(|value| numbers.is(value)));
        // Nothing that is not named is missing.
        let named = gap(&["NA"], true);
        assert!([Value::Missing, Value::Text(b""), Value::Float(f64::NAN)].into_iter().all(|value| !named.is(value)));
        assert!(gap(&["NaN"], true).is(Value::Float(f64::NAN)) && gap(&["NaN"], true).is(Value::Text(b"nan")));
        // Codes that look like the same number are different texts.
        let texts = gap(&["7", "true"], false);
        assert!(texts.is(Value::Text(b"7")) && texts.is(Value::Integer(7)) && texts.is(Value::Boolean(true)));
        assert!(!texts.is(Value::Text(b"007")) && !texts.is(Value::Text(b"7.0")));
    }
}
