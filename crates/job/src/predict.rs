//! What a model says of a file's records: in the clear, computed [on shares](OnShares) in this process, or asked of a
//! [service](crate::Service), where nobody has the model.

mod on_shares;
mod records;

pub use on_shares::{OnShares, Spent};
pub use records::Unlabelled;

use crate::service::Asking;
use crate::suites::Chosen;
use crate::{Error, Result};
use ndarray::Array2;
use std::path::Path;
use trefoil_data::records::{STANDARD_INPUT, Source};
use trefoil_data::schema;
use trefoil_nn::model::{Input, Target, classes, in_units, probabilities};
use trefoil_nn::{Bound, Model, Prediction, Reveal, Task};

/// A file's records and what is said of them, as many at a time as one likes.
pub struct Predictions<'a> {
    records: Unlabelled,
    task: Task,
    target: Option<Target>,
    asked: Asked<'a>,
}

/// Who says it.
enum Asked<'a> {
    Clear(&'a Model),
    OnShares { model: &'a Model, shares: Box<OnShares>, compared: Compared },
    Service(Box<Asking<'a>>),
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
pub struct Answer {
    /// The file that an image stands in, without its folder.
    pub file: Option<String>,
    /// Classification: the name of the likeliest class.
    pub class: Option<String>,
    /// The probability of each class, unless a service tells no more than the class; or the value, in the target's own unit where the
    /// model knows it.
    pub numbers: Vec<f64>,
}

/// How a model wants raw records.
pub fn input(model: &Model) -> Result<Input> {
    match model.prepared() {
        Some(input) => Ok(input.clone()),
        // What a file of another tool says nothing about goes in as it is.
        None if model.input().is_empty() => Ok(Input::plain(model.graph().input.len())),
        None => {
            let expected = "a model that says how raw records become its inputs, as a job's does";
            Err(Error::config("model", format!("features that are {}", model.input()), expected))
        }
    }
}

impl<'a> Predictions<'a> {
    /// Opens a file of records as they are. `label` is a column to leave out, where the model does not know columns by name.
    ///
    /// # Errors
    /// The model does not say how a record is prepared, or the file does not have its columns.
    pub fn open(model: &'a Model, file: &Source, label: Option<&str>) -> Result<Predictions<'a>> {
        let input = input(model)?;
        let target = input.target;
        let records = Unlabelled::open(input, model.graph().input, file, label)?;
        Ok(Predictions { records, task: model.task().clone(), target, asked: Asked::Clear(model) })
    }

    /// The same on shares: three parties in this process hold the model and compute. The file is read once before, since the parties
    /// have to know what its values stay below, a power of two.
    ///
    /// # Errors
    /// As for [`Predictions::open`]; the model does not fit into the ring with such records.
    pub fn open_on_shares(
        model: &'a Model,
        file: &Source,
        label: Option<&str>,
        chosen: Chosen,
    ) -> Result<(Predictions<'a>, Trial)> {
        if file.path == Path::new(STANDARD_INPUT) {
            return Err(Error::config(
                "standard input",
                "records that come once",
                "a file: on shares in this process it is read twice",
            ));
        }
        let mut all = Unlabelled::open(input(model)?, model.graph().input, file, label)?;
        let (mut largest, mut fine) = (0.0, true);
        while let Some(x) = all.next(1024)? {
            largest = x.iter().fold(largest, |most, v| f64::max(most, v.abs()));
            fine &= x.iter().all(|v| (v * 256.0).fract() == 0.0);
        }
        // What is largest is rounded, to 8 fraction bits or more: it stays below the power of two then, too.
        let largest = largest + if fine { 0.0 } else { (-9f64).exp2() };
        let power = (0..=u8::MAX).find(|power| f64::from(*power).exp2() > largest).unwrap_or(u8::MAX);
        // Grey levels need no more than 8 fraction bits, whatever else is there may have more.
        let prepared = model.prepare(power, fine.then_some(8))?;
        let asked =
            Asked::OnShares { model, shares: Box::new(OnShares::start(&prepared, chosen)?), compared: Compared::default() };
        Ok((
            Predictions { asked, ..Predictions::open(model, file, label)? },
            Trial { prediction: prepared.prediction, bound: prepared.bound },
        ))
    }

    /// The same asked of a service. Records are prepared as the owners of its job have prepared theirs, or as its model says.
    ///
    /// # Errors
    /// The file does not have the columns.
    pub fn ask(asking: Asking<'a>, file: &Source) -> Result<Predictions<'a>> {
        let known = asking.known();
        let (task, target) = (known.task.clone(), known.input.target);
        let records = Unlabelled::open(known.input.clone(), known.prediction.network().graph().input, file, None)?;
        Ok(Predictions { records, task, target, asked: Asked::Service(Box::new(asking)) })
    }

    /// What is said of records.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Whether the class is told, and nothing of how likely it is.
    pub fn tells_class_alone(&self) -> bool {
        matches!(&self.asked, Asked::Service(asking) if asking.reveal() == Reveal::Class)
    }

    /// Whether each record is an image with a file of its own.
    pub fn are_of_images(&self) -> bool {
        self.records.is_images()
    }

    /// What a batch costs on shares, how many there were, and how near to the clear they were; `None` where the model is not run on shares
    /// here.
    pub fn spent(&self) -> Option<(Spent, usize, Compared)> {
        match &self.asked {
            Asked::OnShares { shares, compared, .. } => Some((shares.spent(), shares.batches(), *compared)),
            _ => None,
        }
    }

    fn outputs(&mut self, x: &Array2<f64>) -> Result<Array2<f64>> {
        match &mut self.asked {
            Asked::Clear(model) => Ok(model.logits(x)?),
            Asked::Service(asking) => asking.answers(x),
            Asked::OnShares { model, shares, compared } => {
                let (clear, z) = (model.logits(x)?, shares.logits(x)?);
                let same = match self.task {
                    Task::Regression => x.nrows(),
                    Task::Classification(_) => classes(&z).iter().zip(&classes(&clear)).filter(|(a, b)| a == b).count(),
                };
                let farthest = (&z - &clear).iter().fold(compared.farthest, |most, v| f64::max(most, v.abs()));
                *compared = Compared { records: compared.records + x.nrows(), same: compared.same + same, farthest };
                Ok(z)
            }
        }
    }

    /// What is said of the next records, at most so many; `None` after the last.
    ///
    /// # Errors
    /// What is wrong with the file and where; those of a service.
    pub fn next(&mut self, rows: usize) -> Result<Option<Vec<Answer>>> {
        let Some(x) = self.records.next(rows)? else { return Ok(None) };
        let z = self.outputs(&x)?;
        let files = self.records.images();
        let mut said = answers(&self.task, self.target, self.tells_class_alone(), z);
        said.iter_mut().zip(files).for_each(|(answer, file)| answer.file = Some(file));
        Ok(Some(said))
    }
}

/// What a job's records are put into.
pub fn task(data: &schema::Schema) -> Task {
    match data.task {
        schema::Task::Classification => Task::Classification(data.classes.clone()),
        schema::Task::Regression => Task::Regression,
    }
}

/// What a network's outputs `z`, [records, outputs], say of each record; of a class nothing but the class, if that is all that is told.
pub fn answers(task: &Task, target: Option<Target>, class_alone: bool, z: Array2<f64>) -> Vec<Answer> {
    let rows = z.nrows();
    let (places, numbers) = match task {
        Task::Classification(_) => (classes(&z), (!class_alone).then(|| probabilities(z))),
        Task::Regression => (vec![], Some(in_units(z, target))),
    };
    let answer = |row: usize| Answer {
        file: None,
        class: match (task, places.get(row)) {
            (Task::Classification(names), Some(&place)) => names.get(place).cloned(),
            _ => None,
        },
        numbers: numbers.as_ref().map(|numbers| numbers.row(row).to_vec()).unwrap_or_default(),
    };
    (0..rows).map(answer).collect()
}
