//! What the records of a job look like, and how each column becomes fixed-point numbers.
//!
//! A schema is public: it stands in the job's file as `[data]`, and every owner prepares its own records by it, so that
//! the shares of all owners mean the same. The statistics in it (means, deviations, ranges, categories) are the job's
//! constants: they come from public knowledge or from one owner's file, by [`template()`].
//!
//! | kind | value | numbers |
//! |---|---|---|
//! | `number` | v | (v - mean) / deviation, clipped to (-8, 8) |
//! | the same of `scale = "secure"`, `"secure-range"` or `"secure-quantiles"` | v | (v - (lo + hi) / 2) / [`secure_unit`] |
//! | `log` | v, above 0 | (ln v - mean) / deviation, clipped to (-8, 8) |
//! | `range` | v | (v - min) / (max - min), clipped to [0, 1] |
//! | `category` | one of n texts | n numbers, one of them 1; none where it may be another text, and is |
//! | `ordinal` | the i-th of n texts, from 0 | i / (n - 1) |
//! | `boolean` | true or false, 1 or 0 | 1 or 0 |
//! | `date` | a date | days since another one, as a `number` of them; parts of it: see [`Parts`] |
//! | `numbers` | `count` values v | (v - mean) / deviation, clipped to (-8, 8), each |
//! | `pixels` | `count` integers from 0 to 255 | p / 256 each |
//!
//! A value v of a `number`, a `log` or `numbers` with `clip = [lo, hi]` is brought to these before.
//!
//! In a file with named columns, `pixels` or `numbers` named `p` are the columns `p0`, `p1` and so on. Where all columns are pixels,
//! features have 8 fraction bits, and else 12. A class becomes one number per class, one of them 1, without fraction
//! bits; a regression's target (y - mean) / deviation, clipped to (-8, 8), has 12 fraction bits.

mod check;
mod column;
mod date;
mod missing;
mod propose;
mod seen;
mod template;

use crate::{DataError, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Range;

pub use column::{Column, Fill, Scale};
pub use date::{Part, Parts};
pub use propose::Proposed;
pub use template::{propose, propose_in_memory, template, template_in_memory};

/// More classes than this are taken for a mistake.
pub const MAX_CLASSES: usize = 64;

/// More features than this are taken for a mistake.
pub const MAX_FEATURES: usize = 1 << 16;

/// Fraction bits of standardised values: a step is 1/4096 of a standard deviation, far below the noise of any measurement, and
/// the values stay narrow enough for short rings.
pub(crate) const FRAC: u8 = 12;

/// Fraction bits and magnitude bits of features that are all pixels: [0, 1) in steps of 1/256.
const PIXELS: (u8, u8) = (8, 8);
/// Of anything standardised: (-8, 8) in steps of 1/4096.
const STANDARD: (u8, u8) = (FRAC, FRAC + 3);
/// Of a column that is standardised on shares, [-1000, 1000] in units.
const SECURE: (u8, u8) = (FRAC, FRAC + 10);
/// Units in the width of its bounds: no deviation is taken to be less than one. A step is 1/4096 of it.
const UNITS: f64 = 2000.0;
/// Of classes: 0 or 1.
const CLASSES: (u8, u8) = (0, 1);

/// The records of a job. Deserialised ones are used only after [`check`](Self::check).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// What is learnt.
    pub task: Task,
    /// What the owners have of it.
    #[serde(default)]
    pub partition: Partition,
    /// The label column's name.
    pub label: String,
    /// Classification: the texts that the label column has, in the order of the network's outputs.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Regression: the statistics of the label.
    #[serde(default)]
    pub target: Option<Standard>,
    /// Vertical, or where doubles are left out: the column of identifiers, by which rows of different owners are found to be of the same person.
    #[serde(default)]
    pub id: Option<String>,
    /// Vertical: how they are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub join: Join,
    /// Where they are joined by identifiers: as many rows as every owner says that it has, made up by identifiers that nobody else has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<u64>,
    /// Horizontal: what becomes of a record that several owners have, found by identifiers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub doubles: Doubles,
    /// Of so many records of a file one is held out for the test, and at least one of two or more; the [`seed`](Self::seed) says which.
    /// 0 for none.
    #[serde(default = "five")]
    pub holdout: usize,
    /// What chooses the records that are held out. Public.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seed: u64,
    /// The share of a column's values that may be clipped; an owner that has more is told, and shares nothing.
    #[serde(default = "percent", skip_serializing_if = "is_percent")]
    pub clipped: f64,
    /// The features, in the order of the network's inputs.
    pub columns: Vec<Column>,
}

/// What a job learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

/// How the records are spread over the owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// Each owner has whole records of its own.
    #[default]
    Horizontal,
    /// Each owner has some columns of the same records, one of them the label.
    Vertical,
}

/// How the rows of a vertical partition's owners find one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// By their identifiers, which nobody is shown: in any order, and rows that another owner lacks are left out.
    #[default]
    Identifiers,
    /// By their order: every owner has the same rows, ordered by their identifiers. Nobody checks that between owners.
    Order,
}

/// What becomes of a record that several owners of a horizontal partition have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubles {
    /// It is there several times.
    #[default]
    Keep,
    /// It is the first owner's, in the order of the job: all others leave their copies out. They are found by their identifiers, which nobody
    /// is shown.
    LeaveOut,
}

/// What a column is standardised by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; above 0.
    pub deviation: f64,
}

impl Schema {
    /// Whether rows of different owners are compared by identifiers that nobody is shown: joined, or told to be doubles.
    #[must_use]
    pub fn joins(&self) -> bool {
        self.partition == Partition::Vertical && self.join == Join::Identifiers || self.leaves_out_doubles()
    }

    /// Whether records that an earlier owner has are left out.
    #[must_use]
    pub fn leaves_out_doubles(&self) -> bool {
        self.partition == Partition::Horizontal && self.doubles == Doubles::LeaveOut
    }

    /// The network's inputs.
    #[must_use]
    pub fn features(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// Numbers that a record's features are shared as: the network's inputs, and what says of some columns whether a value is missing.
    #[must_use]
    pub fn handed_in(&self) -> usize {
        self.columns.iter().map(Column::shared).sum()
    }

    /// Which of the network's inputs may be missing and are filled on shares, and whether the network is told by the next one.
    #[must_use]
    pub fn filled_on_shares(&self) -> Vec<(usize, bool)> {
        let mut from = 0;
        let place = |column: &Column| {
            let place = from;
            from += column.width();
            column.is_filled_on_shares().then_some((place, column.width() > 1))
        };
        self.columns.iter().filter_map(place).collect()
    }

    /// The network's outputs: the classes, or 1 for a regression.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.task {
            Task::Classification => self.classes.len(),
            Task::Regression => 1,
        }
    }

    /// How many of an owner's records are held out.
    #[must_use]
    pub fn held_out(&self, records: usize) -> usize {
        held_out(records, self.holdout)
    }

    /// Fraction bits f and magnitude bits b of the features: integers x with |x| < 2^b stand for x / 2^f.
    #[must_use]
    pub fn input(&self) -> (u8, u8) {
        let pixels = self.columns.iter().all(|c| matches!(c, Column::Pixels { .. }));
        if pixels { PIXELS } else { STANDARD }
    }

    /// The same of features as they are shared: columns that are standardised on shares are wider then.
    #[must_use]
    pub fn shared(&self) -> (u8, u8) {
        if self.secure().is_empty() { self.input() } else { SECURE }
    }

    /// Which of the network's inputs are standardised on shares, and by what.
    #[must_use]
    pub fn secure(&self) -> Vec<(usize, Scale)> {
        let mut from = 0;
        let place = |column: &Column| {
            let place = from;
            from += column.width();
            // What says whether its value is missing stands behind it, and is no such number.
            column.scale().map(|(scale, _)| (place, scale))
        };
        self.columns.iter().filter_map(place).collect()
    }

    /// Fraction bits f and magnitude bits b of the label: integers x with |x| <= 2^b - 1 stand for x / 2^f.
    #[must_use]
    pub fn label_format(&self) -> (u8, u8) {
        match self.task {
            Task::Classification => CLASSES,
            Task::Regression => STANDARD,
        }
    }

    /// Which of a record's numbers, as it is shared, each named column becomes, in the schema's order, however the names are ordered.
    /// No names mean all columns.
    ///
    /// # Errors
    /// [`DataError::Schema`] for a name that is no feature column or that comes twice.
    pub fn features_of(&self, columns: &[String]) -> Result<Vec<(&Column, Range<usize>)>> {
        let known: HashSet<&str> =
            if columns.is_empty() { HashSet::new() } else { self.columns.iter().map(Column::name).collect() };
        let mut own = HashSet::new();
        for name in columns {
            if !known.contains(name.as_str()) {
                let names: Vec<String> = self.columns.iter().map(|c| c.name().to_string()).collect();
                return Err(refuse(
                    "an owner's columns",
                    crate::error::quote(name),
                    format!("one of: {}", crate::error::listed(&names)),
                ));
            }
            if !own.insert(name.as_str()) {
                return Err(refuse("an owner's columns", format!("{} twice", crate::error::quote(name)), "each column once"));
            }
        }
        let mut from = 0;
        let spans = self.columns.iter().map(|c| {
            let span = from..from + c.shared();
            from = span.end;
            (c, span)
        });
        Ok(spans.filter(|(c, _)| columns.is_empty() || own.contains(c.name())).collect())
    }

    /// How many numbers an owner of these columns shares of a record. No names mean all columns.
    ///
    /// # Errors
    /// As [`features_of`](Self::features_of).
    pub fn width_of(&self, columns: &[String]) -> Result<usize> {
        Ok(self.features_of(columns)?.into_iter().map(|(_, span)| span.len()).sum())
    }
}

/// How far a value within bounds is from their middle is told in this unit: it becomes -1000 to 1000 before its column is standardised on shares.
#[must_use]
pub fn secure_unit([least, most]: [f64; 2]) -> f64 {
    (most - least) / UNITS
}

/// Of so many records one of so many, and one at least of two or more.
pub(crate) fn held_out(records: usize, holdout: usize) -> usize {
    match holdout {
        0 => 0,
        h if records > 1 => (records / h).max(1),
        _ => 0,
    }
}

fn five() -> usize {
    5
}

fn percent() -> f64 {
    0.01
}

fn is_percent(share: &f64) -> bool {
    *share == percent()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An error at `place` in the job's data section.
fn refuse(place: &str, found: impl Into<String>, expected: impl Into<String>) -> DataError {
    DataError::Schema { place: place.to_string(), found: found.into(), expected: expected.into() }
}

#[cfg(test)]
mod tests;
