//! A column of dates: which numbers its values become, each as a column of its own would be.

use super::check::check_standard;
use super::{Column, Scale, Standard, refuse};
use crate::Result;
use crate::records::calendar::Written;
use crate::records::encode::LIMIT;
use crate::records::{Cycle, DateNumber, Dates};
use serde::{Deserialize, Serialize};

/// What a part of a date is called in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // as in Cycle
pub enum Part {
    Year,
    Month,
    Day,
    Weekday,
    Yearday,
    Hour,
}

/// What a part that comes again becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parts {
    /// Sine and cosine: the last one is as near to the first as to the one before it.
    #[default]
    Cyclic,
    /// A number for each, one of them 1.
    OneHot,
    /// From the first, which becomes 0, to the last, which becomes 1.
    Number,
}

/// Years are counted from here, by tens.
const YEAR: (f64, f64) = (2000.0, 10.0);

impl Part {
    fn cycle(self) -> Option<Cycle> {
        match self {
            Part::Year => None,
            Part::Month => Some(Cycle::Month),
            Part::Day => Some(Cycle::Day),
            Part::Weekday => Some(Cycle::Weekday),
            Part::Yearday => Some(Cycle::Yearday),
            Part::Hour => Some(Cycle::Hour),
        }
    }
}

impl Column {
    /// Of dates: the numbers that one becomes, each with the column that it would be by itself. None of other columns.
    #[must_use]
    pub fn of_dates(&self) -> Vec<(DateNumber, Column)> {
        let Column::Date { name, since, mean, deviation, scale, within, parts, encoding, .. } = self else { return Vec::new() };
        let mut all = Vec::new();
        if let Some(since) = since.as_ref().and_then(|since| Written::Iso.days(since.as_bytes())) {
            let name = format!("{name}_days");
            let column = match (*scale, *within) {
                (Some(scale), Some(within)) => Column::secure(name, scale, within),
                _ => Column::number(name, mean.unwrap_or_default(), deviation.unwrap_or(1.0)),
            };
            all.push((DateNumber::Days(since), column));
        }
        for part in parts {
            let Some(cycle) = part.cycle() else {
                all.push((DateNumber::Year, Column::number(format!("{name}_year"), YEAR.0, YEAR.1)));
                continue;
            };
            let name = format!("{name}_{}", cycle.name());
            let texts = || {
                let (first, count) = cycle.numbers();
                (first..first + count).map(|number| number.to_string()).collect()
            };
            match encoding {
                Parts::Cyclic => all.extend([
                    (DateNumber::Sine(cycle), Column::number(format!("{name}_sin"), 0.0, 1.0)),
                    (DateNumber::Cosine(cycle), Column::number(format!("{name}_cos"), 0.0, 1.0)),
                ]),
                Parts::OneHot => all.push((DateNumber::Place(cycle), Column::category(name, texts()))),
                Parts::Number => {
                    let (missing, fill, indicator) = (Vec::new(), None, false);
                    all.push((DateNumber::Place(cycle), Column::Ordinal { name, values: texts(), missing, fill, indicator }));
                }
            }
        }
        all
    }

    /// How dates are read, of a column of such.
    #[must_use]
    pub fn dates(&self) -> Option<Dates> {
        let Column::Date { format, .. } = self else { return None };
        Some(Dates { format: format.clone(), numbers: self.of_dates().into_iter().map(|(number, _)| number).collect() })
    }
}

impl Column {
    /// Whether a text is a date of this column, and within its bounds.
    pub(super) fn has(&self, text: &str) -> bool {
        let Column::Date { format, .. } = self else { return false };
        let (Some(days), numbers) = (Written::new(format.as_deref()).and_then(|w| w.days(text.as_bytes())), self.of_dates())
        else {
            return false;
        };
        numbers.iter().all(|(number, column)| match (number, column) {
            (DateNumber::Days(since), Column::Number { within: Some([least, most]), .. }) => {
                (*least..=*most).contains(&(days - since))
            }
            (DateNumber::Days(since), Column::Number { mean: Some(mean), deviation: Some(deviation), .. }) => {
                ((days - since - mean) / deviation).abs() < LIMIT
            }
            _ => true,
        })
    }
}

/// Of a column of dates: how they are written, what is made of them, and by which statistics.
pub(super) fn check_date(column: &Column, place: &str) -> Result<()> {
    let Column::Date { format, since, mean, deviation, scale, within, parts, .. } = column else { return Ok(()) };
    if let Some(format) = format.as_ref().filter(|format| Written::new(Some(format)).is_none()) {
        let expected = "letters of strftime that say a date, such as \"%d.%m.%Y\", and of a time of day hours and minutes";
        return Err(refuse(&format!("{place}, format"), crate::error::quote(format), expected));
    }
    if parts.iter().enumerate().any(|(i, part)| parts[..i].contains(part)) {
        return Err(refuse(&format!("{place}, parts"), "a part twice", "each once"));
    }
    let Some(since) = since else {
        return match (mean.is_some() || deviation.is_some() || scale.is_some() || within.is_some(), parts.is_empty()) {
            (true, _) => Err(refuse(place, "statistics without since", "the date since which days are counted")),
            (_, true) => Err(refuse(place, "neither parts nor since", "what a date becomes")),
            _ => Ok(()),
        };
    };
    if Written::Iso.days(since.as_bytes()).is_none() {
        return Err(refuse(&format!("{place}, since"), crate::error::quote(since), "a date such as 2020-01-01"));
    }
    match (*mean, *deviation, *scale, *within) {
        (Some(mean), Some(deviation), None, None) => check_standard(place, Standard { mean, deviation }),
        (None, None, Some(scale), Some(within)) => super::check::check_column(&Column::secure("days", scale, within), place),
        _ => Err(refuse(
            place,
            "since alone",
            "with it mean and deviation of the days, or scale = \"secure\" and within = [lo, hi]",
        )),
    }
}

impl Column {
    /// Days since a date, standardised, and parts of it as sine and cosine.
    pub fn date(name: impl Into<String>, since: &str, mean: f64, deviation: f64, parts: Vec<Part>) -> Column {
        let (since, mean, deviation) = (Some(since.to_owned()), Some(mean), Some(deviation));
        Column::Date {
            name: name.into(),
            format: None,
            since,
            mean,
            deviation,
            scale: None::<Scale>,
            within: None,
            parts,
            encoding: Parts::default(),
            missing: Vec::new(),
            fill: None,
            indicator: false,
        }
    }
}
