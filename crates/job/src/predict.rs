//! What a model says of a file's records: in the clear, or computed [on shares](OnShares).

mod on_shares;

pub use on_shares::{OnShares, Spent};

use crate::suites::Chosen;
use crate::{Error, Result};
use ndarray::Array2;
use std::path::Path;
use trefoil_data::records::{Raw, RawColumn};
use trefoil_nn::model::{Column, Input};
use trefoil_nn::{Bound, Model, Prediction, Task};

/// A file's records and what is said of them, as many at a time as one likes.
pub struct Predictions<'a> {
    model: &'a Model,
    input: Input,
    raw: Raw,
    shares: Option<OnShares>,
    compared: Compared,
}

/// What was found where records were predicted on shares and in the clear.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    /// Records.
    pub records: usize,
    /// How many of them are in the same class; of a regression all.
    pub same: usize,
    /// The largest difference of two outputs of the network.
    pub farthest: f64,
}

/// With what a model is tried on shares.
pub struct Trial {
    /// What the parties know.
    pub prediction: Prediction,
    /// How it is known that no number leaves its range.
    pub bound: Bound,
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
        Ok(Predictions { model, input, raw, shares: None, compared: Compared::default() })
    }

    /// The same on shares: three parties in this process hold the model and compute. The file is read once before, since the parties
    /// have to know what its values stay below, a power of two.
    ///
    /// # Errors
    /// As for [`Predictions::open`]; the model does not fit into the ring with such records.
    pub fn open_on_shares(
        model: &'a Model,
        file: &Path,
        label: Option<&str>,
        chosen: Chosen,
    ) -> Result<(Predictions<'a>, Trial)> {
        let mut all = Predictions::open(model, file, label)?;
        let (mut largest, mut fine) = (0.0, true);
        while let Some(x) = all.prepared(1024)? {
            largest = x.iter().fold(largest, |most, v| f64::max(most, v.abs()));
            fine &= x.iter().all(|v| (v * 256.0).fract() == 0.0);
        }
        // What is largest is rounded, to 8 fraction bits or more: it stays below the power of two then, too.
        let largest = largest + if fine { 0.0 } else { (-9f64).exp2() };
        let power = (0..=u8::MAX).find(|power| f64::from(*power).exp2() > largest).unwrap_or(u8::MAX);
        // Grey levels need no more than 8 fraction bits, whatever else is there may have more.
        let prepared = model.prepare(power, fine.then_some(8))?;
        let shares = Some(OnShares::start(&prepared, chosen)?);
        Ok((
            Predictions { shares, ..Predictions::open(model, file, label)? },
            Trial { prediction: prepared.prediction, bound: prepared.bound },
        ))
    }

    /// What a batch costs on shares, and how many there were; `None` in the clear.
    pub fn spent(&self) -> Option<(Spent, usize)> {
        self.shares.as_ref().map(|shares| (shares.spent(), shares.batches()))
    }

    /// What was found where records were predicted on shares and in the clear.
    pub fn compared(&self) -> Compared {
        self.compared
    }

    /// The network's inputs for the next records, at most so many; `None` after the last.
    fn prepared(&mut self, rows: usize) -> Result<Option<Array2<f64>>> {
        let (mut values, mut count) = (Vec::new(), 0);
        while count < rows && self.raw.next(&mut values)? {
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let x =
            Array2::from_shape_vec((count, self.input.raw()), values).map_err(|e| Error::config("records", e, "whole rows"))?;
        Ok(Some(self.input.prepare(&x)?))
    }

    fn logits(&mut self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let clear = self.model.logits(x)?;
        let Some(shares) = &mut self.shares else { return Ok(clear) };
        let z = shares.logits(x)?;
        let same = match self.model.task() {
            Task::Regression => x.nrows(),
            Task::Classification(_) => {
                let [a, b] = [&z, &clear].map(|z| self.model.classes_of(z));
                a.iter().zip(&b).filter(|(a, b)| a == b).count()
            }
        };
        let Compared { records, same: before, farthest } = self.compared;
        let farthest = (&z - &clear).iter().fold(farthest, |most, v| f64::max(most, v.abs()));
        self.compared = Compared { records: records + x.nrows(), same: before + same, farthest };
        Ok(z)
    }

    /// What is said of the next records, at most so many; `None` after the last.
    ///
    /// # Errors
    /// What is wrong with the file and where.
    pub fn next(&mut self, rows: usize) -> Result<Option<Vec<Answer<'a>>>> {
        let Some(x) = self.prepared(rows)? else { return Ok(None) };
        let z = self.logits(&x)?;
        let classes = match self.model.task() {
            Task::Classification(names) => Some((names, self.model.classes_of(&z))),
            Task::Regression => None,
        };
        let answer = |(row, numbers): (usize, ndarray::ArrayView1<'_, f64>)| Answer {
            class: classes.as_ref().and_then(|(names, of)| names.get(*of.get(row)?).map(String::as_str)),
            numbers: numbers.to_vec(),
        };
        Ok(Some(self.model.answers_of(z).rows().into_iter().enumerate().map(answer).collect()))
    }
}
