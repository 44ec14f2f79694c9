//! A column that may be one of dates: in which formats all of them can be read, and how they are spread.

use super::Spread;
use crate::records::calendar::{self, Written};
use crate::records::value::Value;
use crate::schema::{Column, Part, Standard};

/// How dates are mostly written, beside ISO 8601.
const FORMATS: [Option<&str>; 7] =
    [None, Some("%d.%m.%Y"), Some("%d/%m/%Y"), Some("%m/%d/%Y"), Some("%Y/%m/%d"), Some("%d-%m-%Y"), Some("%m-%d-%Y")];

/// Days are counted from here: a date that says nothing of the records.
const SINCE: &str = "2000-01-01";
const SINCE_DAYS: f64 = 10_957.0;

/// In one format.
struct InFormat {
    format: Option<&'static str>,
    written: Written,
    /// Of days since [`SINCE`].
    spread: Spread,
    /// Whether some have a time of day.
    times: bool,
}

/// The formats in which all dates so far can be read; all before the first.
#[derive(Default)]
pub(in crate::schema) struct Dates(Option<Vec<InFormat>>);

impl Dates {
    pub(super) fn push(&mut self, value: Value<'_>) {
        let all = || {
            let of = |format| Some(InFormat { format, written: Written::new(format)?, spread: Spread::default(), times: false });
            FORMATS.into_iter().filter_map(of).collect()
        };
        self.0.get_or_insert_with(all).retain_mut(|one| {
            let days = match value {
                Value::Date(days) => one.format.is_none().then_some(days),
                _ => value.text(|text| one.written.days(text)).ok().flatten(),
            };
            if let Some(days) = days {
                one.spread.push(days - SINCE_DAYS);
                one.times |= days.fract() != 0.0;
            }
            days.is_some()
        });
    }

    /// As a column, in the first of so many formats.
    pub(in crate::schema) fn column(&self, name: &str) -> (Option<Column>, usize) {
        let all = self.0.as_deref().unwrap_or_default();
        let column = all.first().map(|one| {
            let Standard { mean, deviation } = one.spread.standard();
            let mut parts = vec![Part::Month, Part::Weekday];
            parts.extend(one.times.then_some(Part::Hour));
            let mut column = Column::date(name, SINCE, mean, deviation, parts);
            if let Column::Date { format, .. } = &mut column {
                *format = one.format.map(str::to_owned);
            }
            column
        });
        (column, all.len())
    }

    /// The mean as it would be written.
    pub(in crate::schema) fn mean(&self) -> String {
        let one = self.0.iter().flatten().next();
        let of = |one: &InFormat| {
            let at = calendar::at((one.spread.mean + SINCE_DAYS).floor())?;
            Some(at.format(one.format.unwrap_or("%Y-%m-%d")).to_string())
        };
        one.and_then(of).unwrap_or_default()
    }

    /// Whether all are the same.
    pub(in crate::schema) fn are_same(&self) -> bool {
        self.0.iter().flatten().next().is_some_and(|one| one.spread.squares == 0.0)
    }
}
