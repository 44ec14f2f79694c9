//! One value as a file has it, and the fixed-point numbers that it becomes.

use super::cell;
use crate::error::{Refusal, listed};
use crate::schema::{Column, FRAC, Schema, Task};
use std::collections::HashMap;

/// Steps in 1.
const STEPS: f64 = (1_u32 << FRAC) as f64;

/// Standardised values are clipped to (-8, 8): 15 bits and a sign in all.
const LIMIT: f64 = 8.0;

/// A value of any file.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Of CSV, or a column of texts. Trimmed.
    Text(&'a [u8]),
    /// Any, NaN included.
    Float(f64),
    /// Of a column of integers.
    Integer(i64),
    /// A null.
    Missing,
}

impl Value<'_> {
    /// As a finite number.
    pub(crate) fn number(self) -> Result<f64, Refusal> {
        match self {
            Value::Text(text) => cell::number(text),
            Value::Float(v) if v.is_finite() => Ok(v),
            Value::Float(v) => Err(Refusal::new(v.to_string(), "a finite number")),
            Value::Integer(v) => Ok(v as f64),
            Value::Missing => Err(Refusal::hole("a number")),
        }
    }

    /// As a text. Whole numbers are written without a fraction: "1.0" of one tool is "1" of another.
    pub(crate) fn text<T>(self, f: impl FnOnce(&[u8]) -> T) -> Result<T, Refusal> {
        match self {
            Value::Text(text) => Ok(f(text)),
            Value::Float(v) => Ok(f(v.to_string().as_bytes())),
            Value::Integer(v) => Ok(f(v.to_string().as_bytes())),
            Value::Missing => Err(Refusal::hole("a text")),
        }
    }
}

/// How the values of one column become numbers.
pub(crate) enum Encoding {
    Standard {
        mean: f64,
        deviation: f64,
    },
    Range {
        min: f64,
        width: f64,
    },
    OneHot {
        texts: HashMap<Box<[u8]>, usize>,
        one: i64,
        /// For messages.
        expected: String,
    },
    Pixel {
        shift: u8,
    },
}

impl Encoding {
    /// Of a feature column; each of its fields has the same.
    pub(crate) fn of(column: &Column, schema: &Schema) -> Encoding {
        match column {
            Column::Number { mean, deviation, .. } => Encoding::Standard { mean: *mean, deviation: *deviation },
            Column::Range { min, max, .. } => Encoding::Range { min: *min, width: max - min },
            Column::Category { values, .. } => Encoding::one_hot(values, 1 << FRAC),
            Column::Pixels { .. } => Encoding::Pixel { shift: schema.input().0.saturating_sub(8) },
        }
    }

    /// Of the label column of a checked schema.
    pub(crate) fn of_label(schema: &Schema) -> Encoding {
        match (schema.task, schema.target) {
            (Task::Regression, Some(t)) => Encoding::Standard { mean: t.mean, deviation: t.deviation },
            _ => Encoding::one_hot(&schema.classes, 1),
        }
    }

    /// Of a text: 1 at its place.
    pub(crate) fn place(texts: &[String]) -> Encoding {
        Encoding::one_hot(texts, 1)
    }

    fn one_hot(texts: &[String], one: i64) -> Encoding {
        let expected = format!("one of: {}", listed(texts));
        Encoding::OneHot { texts: texts.iter().enumerate().map(|(i, t)| (t.as_bytes().into(), i)).collect(), one, expected }
    }

    /// Appends what `value` becomes.
    #[inline]
    pub(crate) fn encode(&self, value: Value<'_>, out: &mut Vec<i64>) -> Result<(), Refusal> {
        match self {
            Encoding::Standard { mean, deviation } => out.push(fixed((value.number()? - mean) / deviation)),
            Encoding::Range { min, width } => {
                out.push((((value.number()? - min) / width).clamp(0.0, 1.0) * STEPS).round() as i64);
            }
            Encoding::OneHot { texts, one, expected } => {
                let hot = find(texts, value, expected)?;
                out.extend((0..texts.len()).map(|i| if i == hot { *one } else { 0 }));
            }
            Encoding::Pixel { shift } => out.push(pixel(value)? << shift),
        }
        Ok(())
    }
}

/// A standardised value with [`FRAC`] fraction bits: clipped to (-8, 8), rounded to the nearest.
fn fixed(z: f64) -> i64 {
    (z * STEPS).round().clamp(1.0 - LIMIT * STEPS, LIMIT * STEPS - 1.0) as i64
}

/// The place of a text; failing that, of the integer that it stands for.
fn find(texts: &HashMap<Box<[u8]>, usize>, value: Value<'_>, expected: &str) -> Result<usize, Refusal> {
    if let Some(i) = value.text(|t| texts.get(t).copied())? {
        return Ok(i);
    }
    if let Value::Text(text) = value {
        if let Some(i) = whole(text).and_then(|t| texts.get(t.as_bytes()).copied()) {
            return Ok(i);
        }
        if cell::is_hole(text) {
            return Err(Refusal::hole(expected));
        }
    }
    value.text(|t| Err(Refusal::of(t, expected)))?
}

/// "1.0" as "1".
pub(crate) fn whole(text: &[u8]) -> Option<String> {
    let v = cell::parsed(text)?;
    (v.fract() == 0.0 && v.abs() < 1e15).then(|| (v as i64).to_string())
}

fn pixel(value: Value<'_>) -> Result<i64, Refusal> {
    const EXPECTED: &str = "an integer from 0 to 255";
    let v = match value {
        Value::Integer(v) => v,
        other => {
            let v = other.number().map_err(|why| Refusal::new(why.found, EXPECTED))?;
            // -1 is refused below.
            if v.fract() == 0.0 && (0.0..256.0).contains(&v) { v as i64 } else { -1 }
        }
    };
    if (0..256).contains(&v) { Ok(v) } else { value.text(|t| Err(Refusal::of(t, EXPECTED)))? }
}
