//! Records as they are in a file or in memory, prepared as a network takes them.

use crate::{Error, Result};
use ndarray::Array2;
use std::collections::BTreeMap;
use trefoil_data::records::{self, Cells, Missing, Raw, RawColumn, Source, Table};
use trefoil_nn::Shape;
use trefoil_nn::model::{Column, Given, Input, OfDates};

/// Records without their labels, as many at a time as one likes.
pub struct Unlabelled {
    input: Input,
    raw: Raw,
    images: Vec<String>,
}

impl Unlabelled {
    /// Opens a file of records for a network that takes this shape. `label` is a column to leave out, where columns are not known by
    /// name.
    ///
    /// # Errors
    /// The file cannot be read, or does not have the columns.
    pub fn open(input: Input, shape: Shape, file: &Source, label: Option<&str>) -> Result<Unlabelled> {
        let image = match shape {
            Shape::Image(image) => Some(image),
            Shape::Flat(_) => None,
        };
        let raw = Raw::open(file, &of_a_file(&input)?, input.named, label, image)?;
        Ok(Unlabelled { input, raw, images: Vec::new() })
    }

    /// The same of so many records in memory: for each of what the input says is [given](Input::given), columns that tell missing values among them, the values that
    /// it is to have. `what` is their name in errors.
    ///
    /// # Errors
    /// There are more values, or fewer.
    pub fn in_memory(input: Input, what: &str, records: usize, cells: Vec<Cells>) -> Result<Unlabelled> {
        let raw = Raw::in_memory(what, &columns(&input)?, records, cells)?;
        Ok(Unlabelled { input, raw, images: Vec::new() })
    }

    /// The same of a table in memory, whose columns are found by their names.
    ///
    /// # Errors
    /// The table does not have them.
    pub fn of_table(input: Input, table: &Table) -> Result<Unlabelled> {
        let raw = Raw::of_table(table, &of_a_file(&input)?)?;
        Ok(Unlabelled { input, raw, images: Vec::new() })
    }

    /// Whether each record is an image with a file of its own.
    pub fn is_images(&self) -> bool {
        self.raw.image().is_some()
    }

    /// The files of the records that came last, where each has its own.
    pub fn images(&mut self) -> Vec<String> {
        std::mem::take(&mut self.images)
    }

    /// The network's inputs for the next records, at most so many, and from standard input at most those that have come; `None` after
    /// the last.
    ///
    /// # Errors
    /// What is wrong with the file and where.
    pub fn next(&mut self, rows: usize) -> Result<Option<Array2<f64>>> {
        let (mut values, mut count) = (Vec::new(), 0);
        while count < rows && self.raw.next(&mut values)? {
            count += 1;
            self.images.extend(self.raw.image().map(str::to_owned));
            if self.raw.pauses() {
                break;
            }
        }
        if count == 0 {
            return Ok(None);
        }
        let x =
            Array2::from_shape_vec((count, self.input.raw()), values).map_err(|e| Error::config("records", e, "whole rows"))?;
        Ok(Some(self.input.prepare(&x)?))
    }
}

/// As they stand in a file, which has no column that tells missing values.
fn of_a_file(input: &Input) -> Result<Vec<RawColumn>> {
    let mut all = columns(input)?;
    let missing: BTreeMap<&str, _> = input.missing.iter().map(|missing| (missing.name.as_str(), missing)).collect();
    // What stands behind a column and tells of it is in no file.
    let mut told = false;
    all.retain_mut(|column| {
        if std::mem::take(&mut told) {
            return false;
        }
        if let Some(missing) = missing.get(column.name.as_str()) {
            let (texts, fill, indicator) = (missing.texts.clone(), missing.fill.clone(), missing.indicator);
            column.missing = Some(Missing { texts, fill, indicator });
            told = indicator;
        }
        true
    });
    Ok(all)
}

/// One for each value of the input's columns, and of dates that several follow from.
fn columns(input: &Input) -> Result<Vec<RawColumn>> {
    let mut columns = Vec::new();
    for given in input.given() {
        let column = match given {
            Given::Column(column) => column,
            Given::Dates(dates) => {
                let number = |of: &OfDates| {
                    of.of.parse().map_err(|why: String| Error::config(format!("column {:?}", of.name), &of.of, why))
                };
                let numbers = dates.columns.iter().map(number).collect::<Result<_>>()?;
                let read = records::Dates { format: dates.format.clone(), numbers };
                columns.push(RawColumn { dates: Some(read), ..RawColumn::new(&dates.name, vec![]) });
                continue;
            }
        };
        match column {
            Column::Numbers { name, count: 1, .. } => columns.push(RawColumn::new(name, vec![])),
            Column::Numbers { name, count, .. } => {
                columns.extend((0..*count).map(|i| RawColumn::new(format!("{name}{i}"), vec![])));
            }
            Column::Category { name, values, other } => {
                columns.push(RawColumn { other: *other, ..RawColumn::new(name, values.clone()) });
            }
            Column::Ordinal { name, values } => columns.push(RawColumn::new(name, values.clone())),
        }
    }
    Ok(columns)
}
