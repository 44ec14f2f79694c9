//! A file's records by a schema that is guessed from the file itself, which nobody looks over before it is used.
//!
//! - The label column is given by its name, or by its index, from 0, where no column has that name.
//! - Labels are integers or texts, and become classes in their order.
//! - A column of texts becomes a category, and anything else must be a finite number in every record.
//! - One of five records is held out, by the schema's seed, or one of fewer.

use crate::error::{empty, mismatch};
use crate::records::Table;
use crate::records::format::Format;
use crate::schema::{Column, Task, template, template_in_memory};
use crate::{Dataset, Records, Result, Samples, Schema, Source};

/// Reads a CSV or Parquet file twice: first for its schema, see [`template()`]. The dataset's name is the file's stem.
///
/// # Errors
/// A file that cannot be read, or that is not as said above; each names the line and column where there is one.
pub fn load(source: &Source, label: &str) -> Result<Dataset> {
    let path = source.path.as_path();
    let file = path.display().to_string();
    let name = path.file_stem().map_or_else(|| "csv".to_string(), |s| s.to_string_lossy().into_owned());
    let label = named(source, label)?;
    let mut schema = template(source, &label, Some(Task::Classification), None, &[])?;
    // Of numbers with a text or a fraction among them, one is wrong. Reading says where it stands.
    let integer = |text: &String| text.parse::<i64>().is_ok();
    let number = |text: &String| text.parse::<f64>().is_ok();
    if schema.classes.iter().any(number) {
        schema.classes.retain(integer);
    }
    for column in &mut schema.columns {
        match column {
            Column::Category { name, values, .. } if values.iter().any(number) => {
                *column = Column::number(std::mem::take(name), 0.0, 1.0);
            }
            _ => {}
        }
    }
    let [train, test] = Samples::read(&mut Records::open(source, &schema, &[], true)?)?;
    let rows = train.rows() + test.rows();
    if rows < 2 {
        return Err(empty(&file, format!("{rows} records"), "2, to train and to test"));
    }
    Ok(Dataset { name, schema, train, test })
}

/// Of columns in memory, with a schema guessed from `train` and none of `test`. Both have the columns and the label by the same names.
///
/// # Errors
/// As for [`template()`]; a record that does not fit.
pub fn in_memory(train: &Table, test: Option<&Table>, label: &str, task: Task) -> Result<Dataset> {
    // Which records are held out is said already.
    let schema = Schema { holdout: 0, ..template_in_memory(train, label, Some(task), None, &[])? };
    let samples = |table: &Table| -> Result<Samples> {
        let [all, _] = Samples::read(&mut Records::in_memory(table, &schema, &[], true)?)?;
        Ok(all)
    };
    let train_samples = samples(train)?;
    let test = test.map_or_else(|| Ok(train_samples.take(0)), samples)?;
    Ok(Dataset { name: train.name().to_owned(), schema, train: train_samples, test })
}

/// The name of the column that is meant: by name first, else by index.
fn named(source: &Source, label: &str) -> Result<String> {
    let Some(format) = Format::open_named(source)? else {
        let found = "a file whose name ends neither in .csv nor in .parquet";
        return Err(mismatch(&source.path.display().to_string(), found, "CSV or Parquet"));
    };
    let index = || format.columns().get(label.parse::<usize>().ok()?);
    let by_name = format.columns().iter().find(|c| *c == label);
    // A name that there is not is refused with those that there are.
    Ok(by_name.or_else(index).map_or_else(|| label.to_string(), String::clone))
}

#[cfg(test)]
mod tests;
