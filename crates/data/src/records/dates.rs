//! The numbers that a date becomes.

use super::account::Tally;
use super::calendar::{self, Written};
use super::encode::Encoding;
use super::value::Value;
use crate::error::Refusal;
use crate::schema::{Column, Schema};
use chrono::{Datelike, NaiveDateTime, Timelike};
use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// A part of dates that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// 1 to 12.
    Month,
    /// Of the month, 1 to 31.
    Day,
    /// 1, which is Monday, to 7.
    Weekday,
    /// 1 to 366.
    Yearday,
    /// 0 to 23.
    Hour,
}

impl Cycle {
    const ALL: [Cycle; 5] = [Cycle::Month, Cycle::Day, Cycle::Weekday, Cycle::Yearday, Cycle::Hour];

    /// In a job's file.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["month", "day", "weekday", "yearday", "hour"][self as usize]
    }

    /// The first one's number, and how many there are.
    #[must_use]
    pub fn numbers(self) -> (u32, u32) {
        [(1, 12), (1, 31), (1, 7), (1, 366), (0, 24)][self as usize]
    }

    fn of(self, at: &NaiveDateTime) -> u32 {
        match self {
            Cycle::Month => at.month(),
            Cycle::Day => at.day(),
            Cycle::Weekday => at.weekday().number_from_monday(),
            Cycle::Yearday => at.ordinal(),
            Cycle::Hour => at.hour(),
        }
    }
}

/// A number that is made of a date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DateNumber {
    /// Days since another one, which is so many days after 1 January 1970.
    Days(f64),
    /// The year.
    Year,
    /// Which one of its cycle it is.
    Place(Cycle),
    /// Of its angle, where the cycle is a turn that begins with the first.
    Sine(Cycle),
    /// Likewise.
    Cosine(Cycle),
}

impl DateNumber {
    fn of(self, days: f64, at: &NaiveDateTime) -> f64 {
        let angle = |cycle: Cycle| {
            let (first, all) = cycle.numbers();
            TAU * f64::from(cycle.of(at) - first) / f64::from(all)
        };
        match self {
            DateNumber::Days(since) => days - since,
            DateNumber::Year => at.year().into(),
            DateNumber::Place(cycle) => cycle.of(at).into(),
            DateNumber::Sine(cycle) => angle(cycle).sin(),
            DateNumber::Cosine(cycle) => angle(cycle).cos(),
        }
    }
}

/// As a model's file has it.
impl fmt::Display for DateNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DateNumber::Days(since) => write!(f, "days since {}", calendar::text(*since)),
            DateNumber::Year => f.write_str("year"),
            DateNumber::Place(cycle) => f.write_str(cycle.name()),
            DateNumber::Sine(cycle) => write!(f, "sin {}", cycle.name()),
            DateNumber::Cosine(cycle) => write!(f, "cos {}", cycle.name()),
        }
    }
}

impl FromStr for DateNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<DateNumber, String> {
        let cycle = |name: &str| Cycle::ALL.into_iter().find(|cycle| cycle.name() == name);
        let found = match text.split_once(' ') {
            Some(("days", since)) => {
                since.strip_prefix("since ").and_then(|date| Written::Iso.days(date.as_bytes())).map(DateNumber::Days)
            }
            Some(("sin", name)) => cycle(name).map(DateNumber::Sine),
            Some(("cos", name)) => cycle(name).map(DateNumber::Cosine),
            None if text == "year" => Some(DateNumber::Year),
            _ => cycle(text).map(DateNumber::Place),
        };
        found.ok_or_else(|| {
            "days since a date, year, month, day, weekday, yearday or hour, of the last five also sin or cos".into()
        })
    }
}

/// A column of dates, as it is to be read: how they are written, if not as ISO 8601 has them, and which numbers are made of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Dates {
    /// By the letters of `strftime`.
    pub format: Option<String>,
    /// In their order.
    pub numbers: Vec<DateNumber>,
}

/// The same, to read with.
pub(crate) struct Reader {
    written: Written,
    numbers: Vec<DateNumber>,
}

impl Reader {
    /// None for a format that says no dates.
    pub(crate) fn new(dates: &Dates) -> Option<Reader> {
        Some(Reader { written: Written::new(dates.format.as_deref())?, numbers: dates.numbers.clone() })
    }

    /// A value's days since 1 January 1970, and the numbers that it becomes.
    pub(crate) fn read(&self, value: Value<'_>) -> Result<(f64, impl Iterator<Item = (DateNumber, f64)>), Refusal> {
        let Reader { written, numbers } = self;
        let days = match value {
            Value::Date(days) => days,
            _ if value.is_hole() => return Err(Refusal::hole(written.expected())),
            // A number is a date only by a format that says how.
            Value::Float(_) | Value::Integer(_) if matches!(written, Written::Iso) => {
                return Err(Refusal::new("a number", written.expected()));
            }
            _ => value.text(|text| written.days(text).ok_or_else(|| Refusal::of(text, written.expected())))??,
        };
        let at = calendar::at(days).ok_or_else(|| Refusal::new("a date out of range", "one of the years 1 to 9999"))?;
        Ok((days, numbers.iter().map(move |number| (*number, number.of(days, &at)))))
    }

    /// The same for a model that prepares records itself: of a cycle's number its place from 0.
    pub(crate) fn push(&self, value: Value<'_>, out: &mut Vec<f64>) -> Result<(), Refusal> {
        let place = |(number, v): (DateNumber, f64)| match number {
            DateNumber::Place(cycle) => v - f64::from(cycle.numbers().0),
            _ => v,
        };
        out.extend(self.read(value)?.1.map(place));
        Ok(())
    }
}

/// How a column of dates is shared.
pub(crate) struct Shared {
    reader: Reader,
    /// Of each number.
    encodings: Vec<Encoding>,
}

impl Shared {
    /// Of a column of dates. None for a format that says no dates.
    pub(crate) fn of(column: &Column, schema: &Schema) -> Option<Shared> {
        let encodings = column.of_dates().iter().map(|(_, column)| Encoding::of(column, schema)).collect();
        Some(Shared { reader: Reader::new(&column.dates()?)?, encodings })
    }

    pub(crate) fn encode(&self, value: Value<'_>, out: &mut Vec<i64>, tally: &mut Tally) -> Result<(), Refusal> {
        let (days, numbers) = self.reader.read(value)?;
        let mut of_it = Tally::default();
        for ((number, v), encoding) in numbers.zip(&self.encodings) {
            let v = match number {
                DateNumber::Place(_) => Value::Integer(v as i64),
                _ => Value::Float(v),
            };
            encoding.encode(v, out, &mut of_it)?;
        }
        tally.dates = true;
        tally.number(days, of_it.clipped > 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_date() {
        let numbers = ["days since 2024-02-01", "year", "month", "day", "weekday", "yearday", "hour", "sin month", "cos hour"];
        let numbers: Vec<DateNumber> = numbers.into_iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(
            numbers.iter().map(DateNumber::to_string).collect::<Vec<_>>().join(", "),
            "days since 2024-02-01, year, month, day, weekday, yearday, hour, sin month, cos hour"
        );
        for text in ["", "days", "days since", "days since x", "sin year", "tan month", "months"] {
            assert!(text.parse::<DateNumber>().is_err(), "{text}");
        }
        let reader = Reader::new(&Dates { format: None, numbers }).unwrap();
        let read = |value| -> Result<Vec<f64>, Refusal> { Ok(reader.read(value)?.1.map(|(_, v)| v).collect()) };
        let thursday = read(Value::Text(b"2024-02-29T18:00:00Z")).ok().unwrap();
        assert_eq!(thursday[..7], [28.75, 2024.0, 2.0, 29.0, 4.0, 60.0, 18.0]);
        assert!((thursday[7] - 0.5).abs() < 1e-12 && thursday[8].abs() < 1e-12);
        assert_eq!(read(Value::Date(19_782.75)).ok().unwrap(), thursday);
        let mut places = Vec::new();
        reader.push(Value::Date(19_782.75), &mut places).ok().unwrap();
        assert_eq!(places[2..7], [1.0, 28.0, 3.0, 59.0, 18.0]);
        for (value, found) in [
            (Value::Text(b""), "a missing value"),
            (Value::Missing, "a missing value"),
            (Value::Text(b"29.02.2024"), "\"29.02.2024\""),
            (Value::Integer(20_240_229), "a number"),
            (Value::Boolean(true), "\"true\""),
            (Value::Date(1e9), "a date out of range"),
        ] {
            assert_eq!(read(value).err().unwrap().found, found);
        }
        // A format says of numbers what they are, and a file's own dates are what they are.
        let reader = Reader::new(&Dates { format: Some("%Y%m%d".into()), numbers: vec![DateNumber::Year] }).unwrap();
        for value in [Value::Integer(20_240_229), Value::Float(20_240_229.0), Value::Text(b"20240229"), Value::Date(19_782.0)] {
            assert_eq!(reader.read(value).ok().unwrap().1.next().unwrap().1, 2024.0);
        }
    }
}
