//! The fixed-point numbers that one value becomes by its column.

use super::account::Tally;
use super::cell;
use super::dates::Shared;
use super::missing::Gap;
use super::value::{Value, whole};
use crate::error::{Refusal, listed};
use crate::schema::{Column, FRAC, Schema, Task, secure_unit};
use std::collections::HashMap;

/// Steps in 1.
const STEPS: f64 = (1_u32 << FRAC) as f64;

/// Standardised values are clipped to (-8, 8): 15 bits and a sign in all.
pub(crate) const LIMIT: f64 = 8.0;

/// What values are brought to where they lie beyond, if the job says so.
type Clip = Option<[f64; 2]>;

/// How the values of one column become numbers.
pub(crate) enum Encoding {
    Standard {
        mean: f64,
        deviation: f64,
        clip: Clip,
    },
    /// The same of natural logarithms.
    Log {
        mean: f64,
        deviation: f64,
        clip: Clip,
    },
    /// In units from the middle of its bounds.
    Secure {
        within: [f64; 2],
        clip: Clip,
    },
    Range {
        min: f64,
        width: f64,
    },
    OneHot {
        texts: HashMap<Box<[u8]>, usize>,
        one: i64,
        /// Which of them are false and true, where they are booleans.
        truth: Option<[usize; 2]>,
        /// Whether an integer that is none of them is the place of one.
        by_place: bool,
        /// Whether there may be others, which are none of them.
        other: bool,
        /// For messages.
        expected: String,
    },
    /// The place of a text from 0, as a part of the last one's.
    Ordinal {
        of: Box<Encoding>,
        last: f64,
    },
    Boolean,
    Date(Box<Shared>),
    Pixel {
        shift: u8,
    },
    /// Of a column that may lack values.
    Gaps {
        gap: Gap,
        of: Box<Encoding>,
    },
}

impl Encoding {
    /// Of a feature column; each of its fields has the same.
    pub(crate) fn of(column: &Column, schema: &Schema) -> Encoding {
        let of = match column {
            Column::Number { within: Some(within), clip, .. } => Encoding::Secure { within: *within, clip: *clip },
            // A checked column has both.
            Column::Number { mean, deviation, clip, .. } => {
                Encoding::Standard { mean: mean.unwrap_or_default(), deviation: deviation.unwrap_or(1.0), clip: *clip }
            }
            Column::Log { mean, deviation, clip, .. } => Encoding::Log { mean: *mean, deviation: *deviation, clip: *clip },
            Column::Numbers { mean, deviation, clip, .. } => {
                Encoding::Standard { mean: *mean, deviation: *deviation, clip: *clip }
            }
            Column::Range { min, max, .. } => Encoding::Range { min: *min, width: max - min },
            Column::Category { values, other, .. } => Encoding::one_hot(values, 1 << FRAC, *other),
            Column::Ordinal { values, .. } => {
                Encoding::Ordinal { of: Box::new(Encoding::place(values, false)), last: values.len() as f64 - 1.0 }
            }
            Column::Boolean { .. } => Encoding::Boolean,
            // A checked column's format says dates.
            Column::Date { .. } => Shared::of(column, schema).map_or(Encoding::Boolean, |dates| Encoding::Date(Box::new(dates))),
            Column::Pixels { .. } => Encoding::Pixel { shift: schema.input().0.saturating_sub(8) },
        };
        match column.missing() {
            None => of,
            Some(missing) => {
                let numbers = of.has_unit();
                Encoding::Gaps { gap: Gap::of(&missing, numbers), of: Box::new(of) }
            }
        }
    }

    /// Of the label column of a checked schema.
    pub(crate) fn of_label(schema: &Schema) -> Encoding {
        match (schema.task, schema.target) {
            (Task::Regression, Some(t)) => Encoding::Standard { mean: t.mean, deviation: t.deviation, clip: None },
            _ => Encoding::place(&schema.classes, false),
        }
    }

    /// Whether its values are numbers of some unit.
    pub(super) fn has_unit(&self) -> bool {
        match self {
            Encoding::Standard { .. } | Encoding::Log { .. } | Encoding::Secure { .. } | Encoding::Range { .. } => true,
            Encoding::Gaps { of, .. } => of.has_unit(),
            _ => false,
        }
    }

    /// Whether this stands for a missing value.
    pub(super) fn lacks(&self, value: Value<'_>) -> bool {
        matches!(self, Encoding::Gaps { gap, .. } if gap.is(value))
    }

    /// Of a text: 1 at its place, and nowhere if it may be another one, and is.
    pub(crate) fn place(texts: &[String], other: bool) -> Encoding {
        Encoding::one_hot(texts, 1, other)
    }

    /// Which of its texts a value is; none if it may be another one, and is.
    pub(crate) fn place_of(&self, value: Value<'_>) -> Result<Option<usize>, Refusal> {
        match self {
            Encoding::OneHot { texts, truth, by_place, other, expected, .. } => match find(texts, *truth, value, expected) {
                Err(why) if *by_place => place(value, texts.len()).map(Some).ok_or(why),
                Err(_) if *other && !value.is_hole() => Ok(None),
                found => found.map(Some),
            },
            _ => Err(Refusal::new("a column without texts", "a category")),
        }
    }

    /// From now on integers are the places of texts, unless these are numbers themselves.
    pub(crate) fn take_places(&mut self) {
        if let Encoding::OneHot { texts, by_place, .. } = self {
            *by_place = texts.keys().all(|text| cell::parsed(text).is_none());
        }
    }

    fn one_hot(texts: &[String], one: i64, other: bool) -> Encoding {
        let expected = format!("one of: {}", listed(texts));
        let truth = truth(texts);
        Encoding::OneHot {
            texts: texts.iter().enumerate().map(|(i, t)| (t.as_bytes().into(), i)).collect(),
            one,
            truth,
            by_place: false,
            other,
            expected,
        }
    }

    /// Appends what `value` becomes, and notes what became of it.
    #[inline]
    pub(crate) fn encode(&self, value: Value<'_>, out: &mut Vec<i64>, tally: &mut Tally) -> Result<(), Refusal> {
        match self {
            Encoding::Standard { mean, deviation, clip } => {
                let v = value.number()?;
                let z = (brought(v, *clip, tally) - mean) / deviation;
                tally.number(v, z.abs() >= LIMIT);
                out.push(fixed(z));
            }
            Encoding::Log { mean, deviation, clip } => {
                let v = value.number()?;
                if v <= 0.0 {
                    return value.text(|t| Err(Refusal::of(t, "a number above 0")))?;
                }
                let z = (brought(v, *clip, tally).ln() - mean) / deviation;
                tally.number(v, z.abs() >= LIMIT);
                out.push(fixed(z));
            }
            Encoding::Secure { within, clip } => {
                let ([least, most], given) = (*within, value.number()?);
                let v = brought(given, *clip, tally);
                if !(least..=most).contains(&v) {
                    let found = format!("{v}, beyond the column's bounds");
                    return Err(Refusal::new(found, format!("a number within [{least}, {most}]")));
                }
                tally.number(given, false);
                out.push(((v - (least / 2.0 + most / 2.0)) / secure_unit(*within) * STEPS).round() as i64);
            }
            Encoding::Range { min, width } => {
                let v = value.number()?;
                let part = (v - min) / width;
                // Half a step beyond it becomes what its end does.
                tally.number(v, (part - 0.5).abs() > 0.5 + 0.5 / STEPS);
                out.push((part.clamp(0.0, 1.0) * STEPS).round() as i64);
            }
            Encoding::OneHot { texts, one, .. } => {
                let hot = self.place_of(value)?;
                tally.text(hot);
                out.extend((0..texts.len()).map(|i| if Some(i) == hot { *one } else { 0 }));
            }
            Encoding::Ordinal { of, last } => {
                let at = of.place_of(value)?;
                tally.text(at);
                out.push((at.unwrap_or(0) as f64 / last * STEPS).round() as i64);
            }
            Encoding::Boolean => {
                const EXPECTED: &str = "true or false, or 1 or 0";
                let v = value.number().map_err(|why| Refusal::new(why.found, EXPECTED))?;
                if v != 0.0 && v != 1.0 {
                    return value.text(|t| Err(Refusal::of(t, EXPECTED)))?;
                }
                tally.number(v, false);
                out.push((v * STEPS) as i64);
            }
            Encoding::Date(dates) => dates.encode(value, out, tally)?,
            Encoding::Pixel { shift } => out.push(pixel(value)? << shift),
            Encoding::Gaps { gap, of } => {
                let (missing, fill) = (gap.is(value), gap.fill());
                match (missing, fill) {
                    (false, _) => of.encode(value, out, tally)?,
                    (true, Some(fill)) => of.encode(fill, out, &mut Tally::default())?,
                    // Of what is filled on shares a zero is handed in.
                    (true, None) => out.push(0),
                }
                tally.missing += u64::from(missing);
                match fill {
                    Some(_) => out.extend(gap.told(missing, 1 << FRAC, 0)),
                    None => out.push(i64::from(missing)),
                }
            }
        }
        Ok(())
    }
}

/// A value as the job wants it, and a note of one that lay beyond.
#[inline]
fn brought(v: f64, clip: Clip, tally: &mut Tally) -> f64 {
    let Some([least, most]) = clip else { return v };
    tally.brought += u64::from(v < least || v > most);
    v.max(least).min(most)
}

/// A standardised value with [`FRAC`] fraction bits: clipped to (-8, 8), rounded to the nearest.
fn fixed(z: f64) -> i64 {
    (z * STEPS).round().clamp(1.0 - LIMIT * STEPS, LIMIT * STEPS - 1.0) as i64
}

/// Which of two texts say false and true, in any tool's words.
fn truth(texts: &[String]) -> Option<[usize; 2]> {
    let place = |wanted: bool| texts.iter().position(|t| cell::truth(t.as_bytes()) == Some(wanted));
    (texts.len() == 2).then(|| Some([place(false)?, place(true)?]))?
}

/// The place of a text; failing that, of the integer or the boolean that it stands for.
fn find(
    texts: &HashMap<Box<[u8]>, usize>,
    truth: Option<[usize; 2]>,
    value: Value<'_>,
    expected: &str,
) -> Result<usize, Refusal> {
    if let Value::Missing = value {
        return Err(Refusal::hole(expected));
    }
    if let Some(i) = value.text(|t| texts.get(t).copied())? {
        return Ok(i);
    }
    if let Value::Text(text) | Value::Local(text, _) = value {
        if let Some(i) = whole(text).and_then(|t| texts.get(t.as_bytes()).copied()) {
            return Ok(i);
        }
        if cell::is_hole(text) {
            return Err(Refusal::hole(expected));
        }
    }
    if let (Some(places), Some(v)) = (truth, value.text(cell::truth)?) {
        return Ok(places[usize::from(v)]);
    }
    match value {
        Value::Boolean(v) => Err(Refusal::new(format!("the boolean {v}"), expected)),
        _ => value.text(|t| Err(Refusal::of(t, expected)))?,
    }
}

/// A number as the place of one of so many texts.
fn place(value: Value<'_>, of: usize) -> Option<usize> {
    let v = match value {
        Value::Integer(v) => v,
        Value::Float(v) if v.fract() == 0.0 && (0.0..1e6).contains(&v) => v as i64,
        _ => return None,
    };
    usize::try_from(v).ok().filter(|v| *v < of)
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
