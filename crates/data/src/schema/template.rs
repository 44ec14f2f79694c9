//! A schema guessed from one file, for a person to look over. Statistics are rounded to three digits of the deviation:
//! they become public, and nothing needs them finer.

use super::{Column, MAX_CLASSES, Partition, Schema, Standard, Task, five, refuse};
use crate::error::{Refusal, empty, listed, mismatch, quote};
use crate::records::Table;
use crate::records::cell;
use crate::records::format::{Format, find};
use crate::records::value::{Value, whole};
use crate::{Result, Source};
use std::collections::BTreeSet;

/// A column with no more different texts is a category.
const MAX_VALUES: usize = 32;

/// A label with more different numbers is a regression's, unless something else is asked for.
const MAX_NUMBERS: usize = 20;

/// A schema for the records of a CSV or Parquet file: all its columns but the label, the identifier and those in
/// `without`; see [`guess`]. Without a `task`, it is a regression if the label is a number with more than 20 different
/// values, else a classification. Classes are in the order of their numbers, or of their bytes where one is no number.
/// An `id` makes it a vertical partition, to which other files' columns are to be added.
///
/// # Errors
/// As [`guess`], and where the label does not fit the task.
pub fn template(source: &Source, label: &str, task: Option<Task>, id: Option<&str>, without: &[String]) -> Result<Schema> {
    of_format(&source.path.display().to_string(), open(source)?, label, task, id, without)
}

/// The same for columns in memory.
///
/// # Errors
/// As [`template`].
pub fn template_in_memory(
    table: &Table,
    label: &str,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<Schema> {
    of_format(table.name(), Format::Table(table.clone()), label, task, id, without)
}

/// The same for a file that is open.
fn of_format(
    file: &str,
    format: Format,
    label: &str,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<Schema> {
    let aside: Vec<String> = without.iter().cloned().chain(id.map(String::from)).collect();
    let mut all = seen(file, format, &aside)?;
    let Some(at) = all.iter().position(|c| c.name == label) else {
        let names: Vec<String> = all.into_iter().map(|c| c.name).collect();
        let (label, columns) = (quote(label), listed(&names));
        return Err(crate::DataError::NoLabelColumn { file: file.to_owned(), label, columns });
    };
    let y = all.remove(at);
    let many = y.texts.len() > MAX_NUMBERS;
    let task = task.unwrap_or(if y.word.is_none() && many { Task::Regression } else { Task::Classification });
    let (classes, target) = match task {
        Task::Regression => match y.word {
            Some(word) => {
                let found = format!("{word} in the label column {}", quote(label));
                return Err(mismatch(file, found, "numbers for a regression"));
            }
            None => (Vec::new(), Some(y.standard())),
        },
        Task::Classification if y.texts.len() > MAX_CLASSES => {
            let found = format!("more than {MAX_CLASSES} different labels in column {}", quote(label));
            return Err(mismatch(file, found, format!("at most {MAX_CLASSES} classes")));
        }
        Task::Classification => (y.sorted(), None),
    };
    let columns = all.into_iter().map(|c| c.column(file)).collect::<Result<_>>()?;
    let (label, id) = (label.to_string(), id.map(String::from));
    let partition = if id.is_some() { Partition::Vertical } else { Partition::Horizontal };
    let schema = Schema { task, partition, label, classes, target, id, holdout: five(), columns };
    schema.check()?;
    Ok(schema)
}

/// The feature columns of a CSV or Parquet file, all but those in `without`: a number where every value is one, else a
/// category with at most 32 values. A column with only one number gets the deviation 1.
///
/// # Errors
/// A file that cannot be read, has a missing value or no records; a column of many texts.
pub fn guess(source: &Source, without: &[String]) -> Result<Vec<Column>> {
    let file = source.path.display().to_string();
    seen(&file, open(source)?, without)?.into_iter().map(|c| c.column(&file)).collect()
}

fn open(source: &Source) -> Result<Format> {
    let expected = "CSV or Parquet, from which a schema can be guessed";
    Format::open_named(source)?
        .ok_or_else(|| mismatch(&source.path.display().to_string(), "a file without column names", expected))
}

/// What the columns of a file hold, read once.
fn seen(file: &str, mut format: Format, without: &[String]) -> Result<Vec<Seen>> {
    find(without, format.columns(), file)?;
    let names: Vec<String> = format.columns().iter().filter(|c| !without.contains(c)).cloned().collect();
    format.want(find(&names, format.columns(), file)?)?;
    let mut columns: Vec<Seen> = names.into_iter().map(Seen::new).collect();
    let mut records = 0_u64;
    while format.row(|slot, value| columns.get_mut(slot).map_or(Ok(()), |c| c.push(value)))? {
        records += 1;
    }
    if records == 0 {
        return Err(empty(file, "no records", "one record"));
    }
    Ok(columns)
}

struct Seen {
    name: String,
    /// The first value that is no number, quoted.
    word: Option<String>,
    /// Numbers so far.
    count: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
    /// The different values, no more than can matter.
    texts: BTreeSet<Vec<u8>>,
}

impl Seen {
    fn new(name: String) -> Seen {
        Seen { name, word: None, count: 0.0, mean: 0.0, squares: 0.0, texts: BTreeSet::new() }
    }

    fn push(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        match value {
            Value::Text(text) if !cell::is_hole(text) && cell::parsed(text).is_none() => self.is_word(value)?,
            Value::Comma(text) if !cell::is_hole(text) && cell::comma(text).is_err() => self.is_word(value)?,
            Value::Boolean(_) | Value::Date(_) => self.is_word(value)?,
            _ => {
                // Welford's.
                let v = value.number()?;
                self.count += 1.0;
                let before = v - self.mean;
                self.mean += before / self.count;
                self.squares += before * (v - self.mean);
            }
        }
        if self.texts.len() <= MAX_CLASSES {
            let text = value.text(|t| whole(t).map_or_else(|| t.to_vec(), String::into_bytes))?;
            self.texts.insert(text);
        }
        Ok(())
    }

    /// No number.
    fn is_word(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        if self.word.is_none() {
            self.word = Some(value.text(|t| quote(&String::from_utf8_lossy(t)))?);
        }
        Ok(())
    }

    fn standard(&self) -> Standard {
        let deviation = (self.squares / self.count).sqrt();
        // A deviation that is none comes from values that are all the same, or from rounding.
        if deviation <= self.mean.abs() * 1e-12 {
            return Standard { mean: self.mean, deviation: 1.0 };
        }
        let places = (2.0 - deviation.log10().floor()).clamp(0.0, 300.0) as usize;
        let rounded = |text: String, exact: f64| text.parse().unwrap_or(exact);
        Standard {
            mean: rounded(format!("{:.places$}", self.mean), self.mean) + 0.0,
            deviation: rounded(format!("{deviation:.2e}"), deviation),
        }
    }

    /// By number, or by bytes where one is no integer.
    fn sorted(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.texts.iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
        if let Ok(mut numbers) = texts.iter().map(|t| t.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
            numbers.sort_unstable();
            texts = numbers.iter().map(i64::to_string).collect();
        }
        texts
    }

    fn column(self, file: &str) -> Result<Column> {
        let Some(word) = &self.word else {
            let Standard { mean, deviation } = self.standard();
            return Ok(Column::Number { name: self.name, mean, deviation });
        };
        if self.texts.len() > MAX_VALUES {
            let found = format!("more than {MAX_VALUES} different values in column {}, one of them {word}", quote(&self.name));
            return Err(mismatch(file, found, "only numbers, or fewer texts for a category, or the column left out"));
        }
        if self.texts.len() < 2 {
            return Err(refuse(&quote(&self.name), "one text in every record", "at least two, or the column left out"));
        }
        Ok(Column::Category { values: self.sorted(), name: self.name })
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
