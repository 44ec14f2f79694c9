//! The identifiers of a vertical partition whose rows are joined: in any order, each once, none missing. They are read with the records the
//! first time, and must be the same the second time.
//!
//! An identifier is a text of at most 1,024 bytes. A whole number is one identifier however it is written: `7`, `007`, `+7`, `7.0`, and the 7 of a column of
//! numbers, since one tool keeps leading zeros and another loses them. All other texts are what they are, byte by byte.

use super::calendar;
use super::cell::is_hole;
use super::value::{Value, whole};
use crate::error::{Refusal, quote};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Bytes of the longest one.
const LONGEST: usize = 1 << 10;

/// Above this a float is no whole number that could be told from the next one.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// What is done with the identifiers of records as they are read.
pub(super) enum Identifiers {
    /// They are remembered, with the records' numbers from 0.
    New(HashMap<Vec<u8>, u32>),
    /// They must be these, in this order, of which so many were read.
    Known(Vec<Vec<u8>>, usize),
}

impl Identifiers {
    pub(super) fn new() -> Identifiers {
        Identifiers::New(HashMap::new())
    }

    /// Takes the next record's.
    pub(super) fn push(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        let found = text(value)?;
        match self {
            Identifiers::New(seen) => {
                let record = u32::try_from(seen.len()).map_err(|_| Refusal::new("more than 2^32 records", "fewer"))?;
                match seen.entry(found) {
                    Entry::Vacant(free) => {
                        free.insert(record);
                        Ok(())
                    }
                    Entry::Occupied(taken) => Err(Refusal::new(
                        format!("{} again", quote(&String::from_utf8_lossy(taken.key()))),
                        format!("each identifier once: record {} has it", u64::from(*taken.get()) + 1),
                    )),
                }
            }
            Identifiers::Known(known, read) => {
                let same = known.get(*read).is_some_and(|known| *known == found);
                *read += 1;
                let why = || Refusal::new("another identifier than at first", "a file that does not change while it is read");
                if same { Ok(()) } else { Err(why()) }
            }
        }
    }

    /// All of them, in the order of the records.
    pub(super) fn take(self) -> Vec<Vec<u8>> {
        match self {
            Identifiers::Known(known, _) => known,
            Identifiers::New(seen) => {
                let mut all = vec![Vec::new(); seen.len()];
                seen.into_iter().for_each(|(text, record)| all[record as usize] = text);
                all
            }
        }
    }
}

/// A value as an identifier.
fn text(value: Value<'_>) -> Result<Vec<u8>, Refusal> {
    const EXPECTED: &str = "an integer or a text as identifier";
    let text = match value {
        Value::Text(text) | Value::Local(text, _) if !is_hole(text) => integer(text).unwrap_or_else(|| text.to_vec()),
        Value::Integer(v) => v.to_string().into_bytes(),
        Value::Float(v) if v.fract() == 0.0 && v.abs() < WHOLE => (v as i64).to_string().into_bytes(),
        Value::Float(v) => return Err(Refusal::new(format!("the number {v:?}"), EXPECTED)),
        Value::Date(days) => calendar::text(days).into_bytes(),
        Value::Nested => return Err(Refusal::new("nested values", EXPECTED)),
        Value::Boolean(v) => return Err(Refusal::new(format!("the boolean {v}"), EXPECTED)),
        Value::Text(_) | Value::Local(..) | Value::Missing => return Err(Refusal::hole("an identifier")),
    };
    match text.len() {
        ..=LONGEST => Ok(text),
        found => Err(Refusal::new(format!("{found} bytes"), format!("at most {LONGEST} as identifier"))),
    }
}

/// A whole number as it is written shortest.
fn integer(text: &[u8]) -> Option<Vec<u8>> {
    let number: Option<i128> = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    number.map(|v| v.to_string()).or_else(|| whole(text)).map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value<'_>) -> String {
        String::from_utf8(text(value).unwrap_or_else(|why| format!("refused: {}", why.found).into_bytes())).unwrap()
    }

    #[test]
    fn one_number_is_one_identifier() {
        let seven = [
            Value::Text(b"7"),
            Value::Text(b"007"),
            Value::Text(b"+7"),
            Value::Text(b"7.0"),
            Value::Integer(7),
            Value::Float(7.0),
        ];
        for value in seven {
            assert_eq!(of(value), "7");
        }
        let kept = ["0x7", "7.5", "1E2", "é", "7 ", "-", "DE-007", "123456789012345678901234567890123456789012345"];
        for text in kept {
            assert_eq!(of(Value::Text(text.as_bytes())), text);
        }
        assert_eq!(
            (of(Value::Text(b"-0")), of(Value::Float(-0.0)), of(Value::Integer(-5))),
            ("0".into(), "0".into(), "-5".into())
        );
        assert_eq!(of(Value::Date(0.0)), "1970-01-01");
        let refused = [
            Value::Text(b""),
            Value::Missing,
            Value::Float(0.5),
            Value::Float(f64::NAN),
            Value::Float(1e300),
            Value::Boolean(true),
        ];
        for value in refused {
            assert!(of(value).starts_with("refused: "), "{}", of(value));
        }
        assert_eq!(of(Value::Text(&[b'x'; 1025])), "refused: 1025 bytes");
    }

    #[test]
    fn each_once_and_the_same_again() {
        let mut first = Identifiers::new();
        for text in ["b", "7", "a"] {
            first.push(Value::Text(text.as_bytes())).unwrap_or_else(|why| panic!("{}", why.found));
        }
        let why = first.push(Value::Text(b"007")).unwrap_err();
        assert_eq!((why.found.as_str(), why.expected.as_str()), ("\"7\" again", "each identifier once: record 2 has it"));
        let all = first.take();
        assert_eq!(all, [&b"b"[..], b"7", b"a"]);
        let mut again = Identifiers::Known(all, 0);
        assert!(again.push(Value::Text(b"b")).is_ok() && again.push(Value::Integer(7)).is_ok());
        assert!(again.push(Value::Text(b"c")).is_err());
    }
}
