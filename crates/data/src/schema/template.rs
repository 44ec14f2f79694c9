//! A schema guessed from one file: strictly, to be used as it is, or for a person to look over. Statistics are rounded to three digits of
//! the deviation: they become public, and nothing needs them finer.

use super::propose::{ODD, Proposed, judged, unread};
use super::seen::{Form, Seen, Unread, seen};
use super::{Column, Join, MAX_CLASSES, Partition, Schema, Standard, Task, five, percent};
use crate::error::{listed, mismatch, quote};
use crate::records::csv::hint;
use crate::records::format::Format;
use crate::records::{Numerals, Table};
use crate::{Result, Source};

/// A label with more different numbers is a regression's, unless something else is asked for.
const MAX_NUMBERS: usize = 20;

/// A schema for the records of a file with named columns: all of these but the label, the identifier and those in `without`, each a
/// number where every value is one, else a category with at most 32 values. A column with only one number gets the deviation 1. Without
/// a `task`, it is a regression if the label is a number with more than 20 different values, else a classification. Classes are in the
/// order of their numbers, or of their bytes where one is no number. An `id` makes it a vertical partition, to which other files'
/// columns are to be added.
///
/// # Errors
/// A file that cannot be read, has a missing value or no records; a column of many texts; a label that does not fit the task.
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
    of_format(table.name(), (Format::Table(table.clone()), Numerals::default()), label, task, id, without)
}

/// The same for a file that is open.
fn of_format(
    file: &str,
    format: (Format, Numerals),
    label: &str,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<Schema> {
    let aside: Vec<String> = without.iter().cloned().chain(id.map(String::from)).collect();
    let (mut all, _) = seen(file, format, &aside, false)?;
    let y = taken(file, &mut all, label)?;
    let (task, classes, target) = learnt(file, &y, task)?;
    let columns = all.into_iter().map(|c| c.column(file)).collect::<Result<_>>()?;
    let schema = whole(y.name, (task, classes, target), id, columns);
    schema.check()?;
    Ok(schema)
}

/// Takes the label's column from the others.
fn taken(file: &str, all: &mut Vec<Seen>, label: &str) -> Result<Seen> {
    match all.iter().position(|c| c.name == label) {
        Some(at) => Ok(all.remove(at)),
        None => {
            let names: Vec<String> = all.iter().map(|c| c.name.clone()).collect();
            let columns = listed(&names) + &hint(&names);
            Err(crate::DataError::NoLabelColumn { file: file.to_owned(), label: quote(label), columns })
        }
    }
}

/// What is learnt of a label.
type Learnt = (Task, Vec<String>, Option<Standard>);

fn learnt(file: &str, y: &Seen, given: Option<Task>) -> Result<Learnt> {
    let many = y.texts.len() > MAX_NUMBERS;
    let task = given.unwrap_or(if y.word.is_none() && many { Task::Regression } else { Task::Classification });
    let missing = y.missing();
    if missing.count > 0 {
        let found =
            format!("{} missing values in the label column {}, the first in {}", missing.count, quote(&y.name), missing.place);
        return Err(mismatch(file, found, "a label in every record"));
    }
    let odd = y.of(Form::Odd);
    if odd.count > 0 {
        let found = format!("label column {}: {} values {ODD}, the first in {}", quote(&y.name), odd.count, odd.place);
        return Err(mismatch(file, found, "one of a few words, or a number"));
    }
    if let Some(why) = unread(y).filter(|_| given != Some(Task::Classification)) {
        return Err(mismatch(file, format!("label column {}: {why}", quote(&y.name)), "numbers, or --task classification"));
    }
    match task {
        Task::Regression => match &y.word {
            Some(word) => {
                let found = format!("{word} in the label column {}", quote(&y.name));
                Err(mismatch(file, found, "numbers for a regression"))
            }
            None => Ok((task, Vec::new(), Some(y.standard()))),
        },
        Task::Classification if y.texts.len() > MAX_CLASSES => {
            let found = format!("more than {MAX_CLASSES} different labels in column {}", quote(&y.name));
            Err(mismatch(file, found, format!("at most {MAX_CLASSES} classes")))
        }
        Task::Classification => Ok((task, y.sorted(), None)),
    }
}

fn whole(label: String, (task, classes, target): Learnt, id: Option<&str>, columns: Vec<Column>) -> Schema {
    let partition = if id.is_some() { Partition::Vertical } else { Partition::Horizontal };
    let id = id.map(String::from);
    Schema {
        task,
        partition,
        label,
        classes,
        target,
        id,
        join: Join::default(),
        pad: None,
        doubles: Default::default(),
        holdout: five(),
        seed: 0,
        clipped: percent(),
        columns,
    }
}

/// A schema for a person to look over and publish: as [`template()`] makes it, but that columns which would publish somebody, or are not
/// what they seem, are left out, each with a reason. Without a label there are the columns alone.
///
/// # Errors
/// A file that cannot be read or has no records; a label that does not fit the task.
pub fn propose(
    source: &Source,
    label: Option<&str>,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<(Option<Schema>, Vec<Proposed>)> {
    proposed(&source.path.display().to_string(), open(source)?, label, task, id, without)
}

/// The same of columns in memory.
///
/// # Errors
/// As [`propose`].
pub fn propose_in_memory(
    table: &Table,
    label: Option<&str>,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<(Option<Schema>, Vec<Proposed>)> {
    proposed(table.name(), (Format::Table(table.clone()), Numerals::default()), label, task, id, without)
}

fn proposed(
    file: &str,
    format: (Format, Numerals),
    label: Option<&str>,
    task: Option<Task>,
    id: Option<&str>,
    without: &[String],
) -> Result<(Option<Schema>, Vec<Proposed>)> {
    let aside: Vec<String> = without.iter().cloned().chain(id.map(String::from)).collect();
    let (mut all, unread) = seen(file, format, &aside, true)?;
    let y = label.map(|label| taken(file, &mut all, label)).transpose()?;
    let learnt = y.map(|y| learnt(file, &y, task).map(|learnt| (y.name, learnt))).transpose()?;
    let left = |(name, why): Unread| Proposed::Left { name, why: format!("{why}, which are not read"), column: None };
    let columns: Vec<Proposed> = all.into_iter().map(judged).chain(unread.into_iter().map(left)).collect();
    let Some((label, learnt)) = learnt else { return Ok((None, columns)) };
    let used = |p: &Proposed| match p {
        Proposed::Column(column) => Some(column.clone()),
        Proposed::Left { .. } => None,
    };
    let schema = whole(label, learnt, id, columns.iter().filter_map(used).collect());
    // Without any column there is no schema yet, and somebody has to choose.
    if !schema.columns.is_empty() {
        schema.check()?;
    }
    Ok((Some(schema), columns))
}

/// And how numbers are written in it.
fn open(source: &Source) -> Result<(Format, Numerals)> {
    let expected = "CSV, JSON lines, Parquet or Arrow, from which a schema can be guessed";
    match Format::open_named(source)? {
        Some(format) => Ok((format, source.reading.numerals)),
        // What is no file of records at all is told as such.
        None => Format::known(source)
            .and_then(|()| Err(mismatch(&source.path.display().to_string(), "a file without column names", expected))),
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
