//! What became of a file's values when they were encoded, column by column. It says much of the records: it is for their owner's own
//! terminal, and goes nowhere else.

use super::calendar;
use super::csv::Lines;
use crate::DataError;
use crate::error::quote;
use crate::schema::{Column, Fill, Partition, Schema, Task};
use std::collections::HashMap;

/// Different clipped values that are remembered, and different values of a column with few.
const FEW: usize = 4;

/// Fewer values are too few to speak of a deviation.
const ENOUGH: u64 = 10;

/// Two ratios are alike, and a ratio is of another unit, by these factors.
const ALIKE: f64 = 1.25;
const OTHER_UNIT: f64 = 1.8;

/// Of one column.
#[derive(Clone, Default)]
pub struct Tally {
    /// In the file.
    pub name: String,
    /// Values that were read.
    pub values: u64,
    /// Those that were beyond the column's range, and brought to its end.
    pub clipped: u64,
    /// Those that were beyond what the job has the column clipped to, and brought to its end: as it wants it.
    pub brought: u64,
    /// Values that were not there, and others taken in their place. They are none of the others.
    pub missing: u64,
    /// The least and the largest, of numbers.
    pub range: Option<[f64; 2]>,
    /// Of numbers.
    pub mean: f64,
    squares: f64,
    /// Of categories and classes: how many records have each.
    pub counts: Vec<u64>,
    /// Of categories: those that are none of the job's.
    pub other: u64,
    /// Whether its numbers are dates, in days.
    pub dates: bool,
    /// Clipped values that came more than once, and how often.
    often: Vec<(f64, u64)>,
}

impl Tally {
    pub(super) fn of(name: &str) -> Tally {
        Tally { name: name.to_owned(), ..Tally::default() }
    }

    #[inline]
    pub(super) fn number(&mut self, v: f64, clipped: bool) {
        self.values += 1;
        // Welford's.
        let before = v - self.mean;
        self.mean += before / self.values as f64;
        self.squares += before * (v - self.mean);
        self.range = Some(self.range.map_or([v, v], |[least, most]| [least.min(v), most.max(v)]));
        if clipped {
            self.clipped += 1;
            if let Some((_, count)) = self.often.iter_mut().find(|(often, _)| *often == v) {
                *count += 1;
            } else if self.often.len() < FEW {
                self.often.push((v, 1));
            }
        }
    }

    #[inline]
    pub(super) fn text(&mut self, place: Option<usize>) {
        self.values += 1;
        let Some(place) = place else {
            self.other += 1;
            return;
        };
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// The texts that [`counts`](Self::counts) are of.
    #[must_use]
    pub fn texts<'a>(&self, schema: &'a Schema) -> &'a [String] {
        if self.counts.is_empty() {
            return &[];
        }
        let category = schema.columns.iter().find_map(|c| match c {
            Column::Category { name, values, .. } | Column::Ordinal { name, values, .. } if *name == self.name => {
                Some(values.as_slice())
            }
            _ => None,
        });
        match category {
            Some(values) => values,
            None if schema.label == self.name => &schema.classes,
            None => &[],
        }
    }

    /// One of its numbers, in words.
    #[must_use]
    pub fn told(&self, v: f64) -> String {
        if self.dates { calendar::text(v) } else { v.to_string() }
    }

    /// Of numbers.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.squares / self.values.max(1) as f64).sqrt()
    }
}

/// Of a whole file.
#[derive(Clone, Default)]
pub struct Account {
    /// Those of the owner's features, in the schema's order; pixels have none of what they were counted.
    pub columns: Vec<Tally>,
    /// The label's, where the owner has it.
    pub label: Option<Tally>,
    /// How many.
    pub records: u64,
    /// Of CSV.
    pub lines: Option<Lines>,
    /// Where rows have an order: the hash of their identifiers in it, in hex. It is for the owners to compare among themselves.
    pub order: Option<String>,
    /// Where rows are joined by them: the records' identifiers, in the file's order.
    pub identifiers: Option<Vec<Vec<u8>>>,
}

/// Shape only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({} columns)", self.columns.len())
    }
}

impl Account {
    /// How many records are to train on, and held out.
    #[must_use]
    pub fn split(&self, schema: &Schema) -> [u64; 2] {
        let held = schema.held_out(self.records as usize) as u64;
        [self.records - held, held]
    }

    /// An error of the first column of which more values were clipped than the schema lets pass, if there is one.
    #[must_use]
    pub fn too_many_clipped(&self, schema: &Schema) -> Option<DataError> {
        let mut all = self.columns.iter().chain(&self.label);
        // A single value far out is found in any small file.
        let one = if schema.clipped > 0.0 { 1.0 } else { 0.0 };
        let most = |t: &&Tally| t.clipped as f64 > (schema.clipped * t.values as f64).max(one);
        let refused = |t: &Tally| DataError::Clipped {
            column: quote(&t.name),
            found: t.clipped,
            of: t.values,
            percent: 100.0 * schema.clipped,
        };
        all.find(most).map(refused)
    }

    /// What the owner should know before it shares: a line each.
    #[must_use]
    pub fn remarks(&self, schema: &Schema, batch: usize) -> Vec<String> {
        let columns: HashMap<&str, &Column> = schema.columns.iter().map(|c| (c.name(), c)).collect();
        let mut all: Vec<String> = self.columns.iter().flat_map(|t| t.remarks(columns.get(t.name.as_str()).copied())).collect();
        if let Some(label) = &self.label {
            all.extend(label.remarks(None));
            all.extend(self.classes(label, schema));
        }
        let [train, held] = self.split(schema);
        if schema.partition == Partition::Horizontal && train < batch as u64 {
            all.push(format!(
                "{train} records to train on are fewer than a batch of {batch}: if all owners together have fewer, batches will be as large as that"
            ));
        }
        if let Some(order) = &self.order {
            all.push(format!(
                "identifiers in their order: SHA-256 {order}; no party is told, so compare it with the other owners'"
            ));
        }
        if schema.holdout > 0 && held == 0 {
            all.push(format!("none of {} records is held out: of one record none can be", self.records));
        }
        all
    }

    /// How many records came from how many lines, of CSV.
    #[must_use]
    pub fn lines_told(&self) -> Option<String> {
        let Lines { lines, blank, longer } = self.lines?;
        let blank = if blank > 0 { format!(", {blank} blank lines") } else { String::new() };
        let longer = if longer > 0 { format!(", {longer} of more than one line") } else { String::new() };
        Some(format!("{} records in {lines} lines: the header{blank}, and the records{longer}", self.records))
    }

    fn classes(&self, label: &Tally, schema: &Schema) -> Vec<String> {
        if schema.task != Task::Classification {
            return Vec::new();
        }
        let count = |i: usize| label.counts.get(i).copied().unwrap_or(0);
        let of = |(i, class): (usize, &String)| match count(i) {
            0 => Some(format!("class {} has no record", quote(class))),
            1 if schema.holdout > 0 => Some(format!("class {} has one record, and none held out", quote(class))),
            _ => None,
        };
        schema.classes.iter().enumerate().filter_map(of).collect()
    }
}

impl Tally {
    fn remarks(&self, column: Option<&Column>) -> Vec<String> {
        let mut all = Vec::new();
        let name = quote(&self.name);
        if self.missing > 0 {
            let on_shares = match column {
                Some(Column::Number { fill: Some(Fill::Median), .. }) => "median",
                _ => "mean",
            };
            let fill = column
                .and_then(Column::missing)
                .and_then(|missing| missing.fill)
                .unwrap_or_else(|| format!("the {on_shares} of all owners' values, computed on shares,"));
            let of = self.missing + self.values;
            all.push(format!("column {name}: {} of {of} values are missing, and {fill} is taken in their place", self.missing));
        }
        if self.other > 0 {
            all.push(format!("column {name}: {} of {} values are none of the job's", self.other, self.values));
        }
        if self.clipped > 0 {
            let mut text = format!("column {name}: {} of {} values clipped", self.clipped, self.values);
            let often = self.often.iter().filter(|(_, n)| *n > 1).max_by_key(|(_, n)| *n);
            if let Some((value, n)) = often.filter(|(_, n)| 2 * n > self.clipped && *n < self.values) {
                text += &format!("; {n} of them are {}: does that stand for a missing value?", self.told(*value));
            }
            all.push(text);
        }
        if self.brought > 0 {
            all.push(format!("column {name}: {} of {} values brought to the ends of the job's clip", self.brought, self.values));
        }
        if let Some(factor) = column.and_then(|column| self.unit(column)) {
            all.push(format!("column {name}: values are about {factor} times what the job has them at: another unit? --unit {}=FACTOR multiplies them", self.name));
        }
        if let Some((said, how)) = column.and_then(|column| self.temperature(column)) {
            all.push(format!(
                "column {name}: values are what the job has, in degrees {said}? --unit \"{}={how}\" converts them",
                self.name
            ));
        }
        if let (Some([least, most]), true) = (self.range, self.values > 1)
            && least == most
        {
            all.push(format!("column {name}: every value is {}, from which nothing can be learnt", self.told(least)));
        }
        all
    }

    /// In which degrees a column is, and what makes them the job's, if its mean and deviation are the job's then, and its mean now is far from it.
    fn temperature(&self, column: &Column) -> Option<(&'static str, &'static str)> {
        let (mean, deviation) = standard(column)?;
        let [m, d] = [self.mean, self.deviation()];
        [
            ("Fahrenheit", "(x-32)/1.8", [(m - 32.0) / 1.8, d / 1.8]),
            ("Celsius", "x*1.8+32", [m * 1.8 + 32.0, d * 1.8]),
            ("Celsius", "x+273.15", [m + 273.15, d]),
            ("Kelvin", "x-273.15", [m - 273.15, d]),
        ]
        .into_iter()
        .find(|(.., [m, d])| (m - mean).abs() < deviation / 2.0 && (d / deviation).max(deviation / d) < ALIKE)
        .filter(|_| self.values >= ENOUGH && (m - mean).abs() > 2.0 * deviation)
        .map(|(said, how, _)| (said, how))
    }

    /// By what factor a column's mean and deviation both differ from those of the job, if it is large.
    fn unit(&self, column: &Column) -> Option<String> {
        let (mean, deviation) = standard(column)?;
        let ratios = [self.mean / mean, self.deviation() / deviation];
        let [of_mean, of_deviation] = ratios.map(f64::abs);
        let apart = (of_mean / of_deviation).max(of_deviation / of_mean);
        let far = of_mean.max(1.0 / of_mean);
        if self.values < ENOUGH || mean.abs() < deviation / 2.0 || apart.is_nan() || apart > ALIKE || far < OTHER_UNIT {
            return None;
        }
        let power = 10_f64.powf(of_mean.log10().round());
        let near = (of_mean / power).max(power / of_mean) < ALIKE;
        Some(if near { format!("{power}") } else { format!("{of_mean:.2}") })
    }
}

/// The public mean and deviation of a column of numbers.
fn standard(column: &Column) -> Option<(f64, f64)> {
    match column {
        Column::Number { mean, deviation, .. } => (*mean).zip(*deviation),
        Column::Numbers { mean, deviation, .. } => Some((*mean, *deviation)),
        _ => None,
    }
}
