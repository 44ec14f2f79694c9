//! Columns as Apache Arrow has them: of files (`ipc.rs`), and of other programs in this process, which lend them to the Python package. Their
//! bytes are read where they are. Booleans, integers, floating-point and decimal numbers, dates and texts of every layout, plain or as places
//! in a dictionary, each with or without nulls.
//!
//! Offsets and places come from outside: each is held to the bytes that are there, when it is used.

mod flat;
pub(crate) mod ipc;
mod schema;
mod unpack;

use super::value::{Value, date, scaled};
use crate::error::Refusal;
use bytes::Bytes;
use std::sync::Arc;

/// What the values of a column are, and how they lie in its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but nulls, without any buffer.
    Null,
    /// A bit each.
    Boolean,
    /// 1, 2, 4 or 8 bytes each.
    Integer {
        /// Of a value.
        bytes: u8,
        /// Or from 0.
        signed: bool,
    },
    /// 2, 4 or 8 bytes each.
    Float {
        /// Of a value.
        bytes: u8,
    },
    /// Whole numbers of 4, 8 or 16 bytes.
    Decimal {
        /// Of a value.
        bytes: u8,
        /// Digits behind the point, at most 38.
        scale: u8,
    },
    /// Units since 1 January 1970, whole numbers of 4 or 8 bytes.
    Date {
        /// Of a value.
        bytes: u8,
        /// Units of a day.
        day: i64,
    },
    /// One after another in a buffer, behind a buffer of where each begins.
    Text {
        /// Of a place in the buffer: 4 or 8.
        bytes: u8,
    },
    /// 16 bytes each: a short text itself, or where in which of several buffers a longer one is.
    View,
    /// Anything else. Such a column may be there, and cannot be read.
    Other,
}

impl Kind {
    /// Bits of a value in the first buffer behind that of nulls.
    fn bits(self) -> usize {
        match self {
            Kind::Null | Kind::Other => 0,
            Kind::Boolean => 1,
            Kind::View => 128,
            Kind::Integer { bytes, .. } | Kind::Float { bytes } | Kind::Decimal { bytes, .. } => usize::from(bytes) * 8,
            Kind::Date { bytes, .. } | Kind::Text { bytes } => usize::from(bytes) * 8,
        }
    }
}

/// A column, or a part of one.
#[derive(Clone, PartialEq)]
pub struct Column {
    kind: Kind,
    /// Where the first value is, among those in the buffers.
    start: usize,
    len: usize,
    /// A bit for each value, 0 for a null; and which is the first.
    valid: Option<(Bytes, usize)>,
    values: Bytes,
    /// The bytes of texts.
    texts: Vec<Bytes>,
    dictionary: Option<Arc<Chunks>>,
}

/// Number of values only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Column({})", self.len)
    }
}

impl Column {
    /// So many values from the one at `start` on, in Arrow's buffers but that of nulls, which is `valid`, with the bit of the first value.
    /// With a `dictionary` they are places in it.
    ///
    /// None where the buffers are shorter than that.
    #[must_use]
    pub fn new(
        kind: Kind,
        [start, len]: [usize; 2],
        valid: Option<(Bytes, usize)>,
        buffers: Vec<Bytes>,
        dictionary: Option<Arc<Chunks>>,
    ) -> Option<Column> {
        let mut buffers = buffers.into_iter();
        let values = buffers.next().unwrap_or_default();
        let holds = |bytes: &Bytes, from: usize, bits: usize| -> Option<bool> {
            Some(from.checked_add(len)?.checked_mul(bits)?.div_ceil(8) <= bytes.len())
        };
        // A text ends where the next one begins.
        let first = start.checked_add(usize::from(matches!(kind, Kind::Text { .. }) && len > 0))?;
        let whole = len == 0 || holds(&values, first, kind.bits())?;
        let marked = match &valid {
            Some((bits, from)) => holds(bits, *from, 1)?,
            None => true,
        };
        let places = dictionary.is_none() || matches!(kind, Kind::Integer { .. });
        // What has no bytes could be any number of records.
        let some = kind.bits() > 0 || u32::try_from(len).is_ok();
        let column = Column { kind, start, len, valid, values, texts: buffers.collect(), dictionary };
        (whole && marked && places && some).then_some(column)
    }

    /// A value by its place.
    #[inline]
    fn get(&self, at: usize) -> Result<Value<'_>, Refusal> {
        if at >= self.len {
            return Err(broken("a place beyond its column or dictionary"));
        }
        if self.kind == Kind::Other {
            return Err(Refusal::new("values of another type", "booleans, numbers, dates or texts, not nested"));
        }
        let null = |(bits, from): &(Bytes, usize)| bit(bits, from + at) == Some(false);
        if self.valid.as_ref().is_some_and(null) {
            return Ok(Value::Missing);
        }
        let at = self.start + at;
        if let Some(dictionary) = &self.dictionary {
            return dictionary.get(self.place(at).ok_or_else(|| broken("a place below 0"))?);
        }
        match self.value(at) {
            Some(value) => Ok(value),
            None => Err(broken("a text beyond its buffer")),
        }
    }

    /// As a place in a dictionary.
    fn place(&self, at: usize) -> Option<usize> {
        match self.value(at)? {
            Value::Integer(place) => usize::try_from(place).ok(),
            _ => None,
        }
    }

    /// What stands at a place of the buffers.
    #[inline]
    fn value(&self, at: usize) -> Option<Value<'_>> {
        let all = &self.values;
        Some(match self.kind {
            Kind::Null | Kind::Other => Value::Missing,
            Kind::Boolean => Value::Boolean(bit(all, at)?),
            Kind::Float { bytes: 8 } => Value::Float(f64::from_le_bytes(word(all, at)?)),
            Kind::Float { bytes: 4 } => Value::Float(f32::from_le_bytes(word(all, at)?).into()),
            Kind::Float { .. } => Value::Float(half::f16::from_le_bytes(word(all, at)?).into()),
            // Above i64, a number is all that it can be.
            Kind::Integer { bytes: 8, signed: false } => {
                let v = u64::from_le_bytes(word(all, at)?);
                i64::try_from(v).map_or(Value::Float(v as f64), Value::Integer)
            }
            Kind::Integer { bytes, signed: false } => Value::Integer(match bytes {
                4 => u32::from_le_bytes(word(all, at)?).into(),
                2 => u16::from_le_bytes(word(all, at)?).into(),
                _ => (*all.get(at)?).into(),
            }),
            Kind::Integer { bytes, signed: true } => Value::Integer(signed(all, at, bytes)?),
            Kind::Date { bytes, day } => date(signed(all, at, bytes)?, day),
            Kind::Decimal { bytes: 16, scale } => scaled(i128::from_le_bytes(word(all, at)?), scale),
            Kind::Decimal { bytes, scale } => scaled(signed(all, at, bytes)?.into(), scale),
            Kind::Text { bytes } => {
                let (from, to) = match bytes {
                    4 => (i32::from_le_bytes(word(all, at)?).into(), i32::from_le_bytes(word(all, at + 1)?).into()),
                    _ => (i64::from_le_bytes(word(all, at)?), i64::from_le_bytes(word(all, at + 1)?)),
                };
                let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
                // Without any text there may be no buffer of them.
                Value::Text(self.texts.first().map_or(&[][..], |b| b).get(from..to)?.trim_ascii())
            }
            Kind::View => Value::Text(self.view(at)?.trim_ascii()),
        })
    }

    fn view(&self, at: usize) -> Option<&[u8]> {
        let part = |n: usize| Some(u32::from_le_bytes(word(&self.values, 4 * at + n)?) as usize);
        let len = part(0)?;
        if len <= 12 {
            return self.values.get(16 * at + 4..16 * at + 4 + len);
        }
        let (buffer, from) = (part(2)?, part(3)?);
        self.texts.get(buffer)?.get(from..from.checked_add(len)?)
    }
}

/// The parts of a column, one after another.
#[derive(Clone, Default, PartialEq)]
pub struct Chunks {
    parts: Vec<Column>,
    /// Values before the end of each.
    ends: Vec<usize>,
}

/// Number of values only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunks({})", self.len())
    }
}

impl Chunks {
    /// Puts a part behind the others.
    pub fn push(&mut self, part: Column) {
        self.ends.push(self.len().saturating_add(part.len));
        self.parts.push(part);
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A value by its place.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Result<Value<'_>, Refusal> {
        let part = if self.parts.len() == 1 { 0 } else { self.ends.partition_point(|end| *end <= at) };
        let before = part.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.parts.get(part).ok_or_else(|| broken("a place beyond its dictionary"))?.get(at - before)
    }
}

fn broken(found: &str) -> Refusal {
    Refusal::new(format!("broken Arrow ({found})"), "whole Arrow columns")
}

#[inline]
fn bit(bits: &[u8], at: usize) -> Option<bool> {
    bits.get(at / 8).map(|byte| byte >> (at % 8) & 1 == 1)
}

/// One of several words that lie one after another.
#[inline]
fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    let from = at.checked_mul(N)?;
    bytes.get(from..from.checked_add(N)?)?.try_into().ok()
}

#[inline]
fn signed(all: &[u8], at: usize, bytes: u8) -> Option<i64> {
    Some(match bytes {
        8 => i64::from_le_bytes(word(all, at)?),
        4 => i32::from_le_bytes(word(all, at)?).into(),
        2 => i16::from_le_bytes(word(all, at)?).into(),
        _ => i8::from_le_bytes(word(all, at)?).into(),
    })
}

#[cfg(test)]
mod tests;
