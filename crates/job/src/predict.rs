//! What a model says of a file's records, in the clear.

use crate::{Error, Result};
use ndarray::Array2;
use std::path::Path;
use trefoil_data::records::{Raw, RawColumn};
use trefoil_nn::model::{Column, Input};
use trefoil_nn::{Model, Task};

/// A file's records and what is said of them, as many at a time as one likes.
pub struct Predictions<'a> {
    model: &'a Model,
    input: Input,
    raw: Raw,
}

/// What a model says of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// Classification: the name of the likeliest class.
    pub class: Option<&'a str>,
    /// The probability of each class; or the value, in the target's own unit where the model knows it.
    pub numbers: Vec<f64>,
}

impl<'a> Predictions<'a> {
    /// Opens a file of records as they are. `label` is a column to leave out, where the model does not know columns by name.
    ///
    /// # Errors
    /// The model does not say how a record is prepared, or the file does not have its columns.
    pub fn open(model: &'a Model, file: &Path, label: Option<&str>) -> Result<Predictions<'a>> {
        let input = match model.prepared() {
            Some(input) => input.clone(),
            // What a file of another tool says nothing about goes in as it is.
            None if model.input().is_empty() => Input::plain(model.graph().input.len()),
            None => {
                let expected = "a model that says how raw records become its inputs, as a job's does";
                return Err(Error::config("model", format!("features that are {}", model.input()), expected));
            }
        };
        let mut columns = Vec::new();
        for column in &input.columns {
            match column {
                Column::Numbers { name, count: 1, .. } => columns.push(RawColumn { name: name.clone(), texts: vec![] }),
                Column::Numbers { name, count, .. } => {
                    columns.extend((0..*count).map(|i| RawColumn { name: format!("{name}{i}"), texts: vec![] }));
                }
                Column::Category { name, values } => {
                    columns.push(RawColumn { name: name.clone(), texts: values.clone() });
                }
            }
        }
        let raw = Raw::open(file, &columns, input.named, label)?;
        Ok(Predictions { model, input, raw })
    }

    /// What is said of the next records, at most so many; `None` after the last.
    ///
    /// # Errors
    /// What is wrong with the file and where.
    pub fn next(&mut self, rows: usize) -> Result<Option<Vec<Answer<'a>>>> {
        let (mut values, mut count) = (Vec::new(), 0);
        while count < rows && self.raw.next(&mut values)? {
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let x =
            Array2::from_shape_vec((count, self.input.raw()), values).map_err(|e| Error::config("records", e, "whole rows"))?;
        let x = self.input.prepare(&x)?;
        let classes = match self.model.task() {
            Task::Classification(names) => Some((names, self.model.predict(&x)?)),
            Task::Regression => None,
        };
        let answer = |(row, numbers): (usize, ndarray::ArrayView1<'_, f64>)| Answer {
            class: classes.as_ref().and_then(|(names, of)| names.get(*of.get(row)?).map(String::as_str)),
            numbers: numbers.to_vec(),
        };
        Ok(Some(self.model.answers(&x)?.rows().into_iter().enumerate().map(answer).collect()))
    }
}
