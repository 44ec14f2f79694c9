//! A training in full: the settings, what follows from the records, and what is opened.

use crate::graph::{Form, Kind};
use crate::statistics::{Layout, Scaling, WHOLE};
use crate::{Error, Graph, LABEL, Loss, Metric, Open, Result, SoftmaxKind, TARGET, TrainSpec, Trainer};
use serde::{Deserialize, Serialize};
use std::fmt;
use trefoil_engine::Format;

/// What follows from the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Records {
    /// Values of a record.
    pub features: usize,
    /// What is learnt of it.
    pub outputs: Outputs,
    /// Fraction bits of the values: 8 for pixels p/256.
    pub input_frac: u8,
    /// Range of the values: the integer is below 2^this in magnitude.
    pub input_bits: u8,
    /// Records to train on, of all owners.
    pub train_rows: usize,
    /// Records held out, of all owners.
    pub test_rows: usize,
}

/// Pixels in two classes, none of them yet.
impl Default for Records {
    fn default() -> Records {
        Records { features: 1, outputs: Outputs::Classes(2), input_frac: 8, input_bits: 8, train_rows: 0, test_rows: 0 }
    }
}

impl Records {
    /// Such as a network is made for: pixels, in classes or with a number where it has one output.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no network.
    pub fn of(network: &Graph) -> Result<Records> {
        let outputs = match network.outputs()? {
            1 => Outputs::Value,
            n => Outputs::Classes(n),
        };
        Ok(Records { features: network.input.len(), outputs, ..Records::default() })
    }

    /// The same with values of another format.
    pub fn with_input(self, format: Format) -> Records {
        Records { input_frac: format.frac, input_bits: format.bits, ..self }
    }

    /// The format of a record's values.
    pub fn input(&self) -> Format {
        Format { frac: self.input_frac, bits: self.input_bits }
    }

    /// Fraction bits and range of the labels: [`LABEL`] or [`TARGET`].
    pub fn label_format(&self) -> Format {
        match self.outputs {
            Outputs::Classes(_) | Outputs::Binary => LABEL,
            Outputs::Value => TARGET,
        }
    }
}

/// What is learnt of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outputs {
    /// Which of so many classes it is in.
    Classes(usize),
    /// Which of two classes it is in, by one output.
    Binary,
    /// A number.
    Value,
}

impl Outputs {
    /// Outputs of a network that learns this.
    pub fn count(self) -> usize {
        match self {
            Outputs::Classes(n) => n,
            Outputs::Binary | Outputs::Value => 1,
        }
    }

    /// The column of one-hot labels that is learnt, where it is one alone: that of class 1, which is 1 where the other one is 0.
    pub fn column(self) -> Option<usize> {
        (self == Outputs::Binary).then_some(1)
    }
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outputs::Classes(n) => write!(f, "{n} classes"),
            Outputs::Binary => f.write_str("2 classes and one output"),
            Outputs::Value => f.write_str("a regression"),
        }
    }
}

/// Everything public that determines a training.
///
/// ```
/// use trefoil_nn::{Graph, Training};
/// // A training of 784-256-10 on 1,000 records, for two epochs; its trainer is made only if everything fits into the ring.
/// let training = Training::of(Graph::perceptron(&[784, 256, 10]), 1000).unwrap().with(|t| t.spec.epochs = 2);
/// assert!(training.trainer().is_ok());
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Training {
    /// The settings.
    #[serde(flatten)]
    pub spec: TrainSpec,
    /// What follows from the records.
    #[serde(flatten)]
    pub records: Records,
    /// What is opened after each epoch.
    pub open: Open,
    /// Which values of a record are standardised on shares, in their order, and how: by [`Statistics`](crate::Statistics) that nobody is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secure: Vec<(usize, Scaling)>,
    /// Which of these may be missing, in their order: then a number that says so is shared behind them, and is 1, without fraction bits, where
    /// that is so, and else 0. Whether it is an input of the network, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(usize, bool)>,
}

/// Values of a batch, or of a service's pass, at its widest, a convolution's columns included: 256 MiB as words.
pub const MOST_OF_BATCH: usize = 1 << 25;
/// More epochs than this are taken for a mistake.
const MOST_EPOCHS: u64 = 1_000_000;

impl Training {
    /// By the default settings: a network on so many records such as it is made for, with all that can be opened.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no network.
    pub fn of(network: Graph, train_rows: usize) -> Result<Training> {
        let records = Records { train_rows, ..Records::of(&network)? };
        let metric = if records.outputs == Outputs::Value { Metric::SquaredError } else { Metric::Accuracy };
        let spec = TrainSpec { network: Some(Form::Graph(network)), ..TrainSpec::default() };
        Ok(Training {
            spec,
            records,
            open: Open { loss: true, activations: true, metric: Some(metric), ..Open::default() },
            secure: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// The same with a change.
    pub fn with(mut self, change: impl FnOnce(&mut Training)) -> Training {
        change(&mut self);
        self
    }

    /// The training, checked to fit into the ring.
    ///
    /// # Errors
    /// [`Error::Config`] naming what cannot be, or does not fit.
    pub fn trainer(&self) -> Result<Trainer> {
        Trainer::new(self.clone())
    }

    /// The places of the values that are standardised on shares.
    pub fn places(&self) -> Vec<usize> {
        self.secure.iter().map(|(place, _)| *place).collect()
    }

    /// Where a record's numbers stand as they are shared.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.records.features, &self.secure, &self.missing)
    }

    /// Numbers of a record as it is shared: the network's inputs, and what says of some of them whether they are missing.
    pub fn width(&self) -> usize {
        self.records.features + self.missing.iter().filter(|(_, input)| !input).count()
    }

    /// The format of a record's values as they are shared: wider than [the network's](Records::input) where some are standardised on shares.
    pub fn shared(&self) -> Format {
        let input = self.records.input();
        if self.secure.is_empty() { input } else { Format { bits: input.bits.max(input.frac + WHOLE), ..input } }
    }

    /// The network.
    ///
    /// # Errors
    /// As for [`TrainSpec::graph`].
    pub fn graph(&self) -> Result<Graph> {
        self.spec.graph(&self.records)
    }

    /// Refuses what can be seen to be wrong without trying a step.
    pub(crate) fn check(&self, network: &Graph) -> Result<()> {
        let (spec, loss) = (&self.spec, self.spec.loss(&self.records));
        let (least, most, outputs) = match loss {
            Loss::CrossEntropy(_) => (2, 64, "2 to 64 classes"),
            Loss::SquaredError | Loss::BinaryCrossEntropy => (1, 1, "1 output"),
        };
        network.check()?;
        let found = network.outputs()?;
        let linear = network.nodes.last().is_some_and(|n| matches!(n.op, Kind::Linear(_)));
        if !(least..=most).contains(&found) || !linear {
            return Err(Error::config("network", network, format!("a linear layer at the end, with {outputs}")));
        }
        if loss == Loss::BinaryCrossEntropy && spec.softmax != SoftmaxKind::Exact {
            return Err(Error::config("softmax", "asm with one output", "exact: one output has no softmax"));
        }
        if let Some(metric) = self.open.metrics().find(|metric| !metric.is_of(loss, found)) {
            let all: Vec<&str> = Metric::ALL.into_iter().filter(|m| m.is_of(loss, found)).map(Metric::word).collect();
            let found = format!("{} with {loss:?} and {found} outputs", metric.word());
            return Err(Error::config("metric", found, format!("one of {}", all.join(", "))));
        }
        let places = self.places();
        if !places.is_sorted_by(|a, b| a < b) || places.last().is_some_and(|last| *last >= self.records.features) {
            let expected = format!("places below {}, each once, in their order", self.records.features);
            return Err(Error::config("values that are standardised on shares", format!("{places:?}"), expected));
        }
        self.check_missing(&places)?;
        if !(spec.lr.is_finite() && spec.lr >= 0.0) {
            return Err(Error::config("learning rate", spec.lr, "0 or a finite positive number"));
        }
        let rows = self.records.train_rows;
        if spec.batch == 0 || spec.batch > rows {
            return Err(Error::config("batch", spec.batch, format!("1 to {rows}, the number of training records")));
        }
        let steps = spec.epochs.checked_mul((rows / spec.batch) as u64);
        if spec.epochs == 0 || spec.epochs > MOST_EPOCHS || steps.is_none() {
            return Err(Error::config("epochs", spec.epochs, format!("1 to {MOST_EPOCHS}, and fewer than 2^64 steps")));
        }
        self.check_best()?;
        self.check_size(network)
    }

    /// What may be missing is standardised by mean and deviation, or by quantiles, and the input behind it is its own where it has one.
    fn check_missing(&self, places: &[usize]) -> Result<()> {
        let fits = |(place, input): &(usize, bool)| {
            let by = [Scaling::Deviation, Scaling::Quantiles];
            let filled = by.iter().any(|by| self.secure.contains(&(*place, *by)));
            filled && !(*input && (place + 1 >= self.records.features || places.binary_search(&(place + 1)).is_ok()))
        };
        let ordered = self.missing.is_sorted_by(|a, b| a.0 < b.0);
        match ordered && self.missing.iter().all(fits) {
            true => Ok(()),
            false => {
                let expected =
                    "places of values that are standardised by mean and deviation or by quantiles, each once, in their order";
                Err(Error::config("values that may be missing", format!("{:?}", self.missing), expected))
            }
        }
    }

    /// A step is tried before anything is trained: a job from elsewhere must not cost more than a job may.
    fn check_size(&self, network: &Graph) -> Result<()> {
        let (batch, widest) = (self.spec.batch, network.widest());
        if batch.checked_mul(widest).is_none_or(|n| n > MOST_OF_BATCH) {
            let expected = format!("at most {MOST_OF_BATCH} values in a batch's widest layer, {widest} a record");
            return Err(Error::config("batch", batch, expected));
        }
        Ok(())
    }
}
