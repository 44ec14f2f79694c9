//! Everything public that determines a training.

use crate::graph::{Graph, Kind};
use crate::{Error, Init, Loss, Result, Schedule};
use trefoil_engine::Format;

/// Everything public that determines a training.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The network; it ends with a linear layer. A regression has one output.
    pub network: Graph,
    /// Fraction bits and range of the inputs: `Format::new(8, 0)` for pixels p/256.
    pub input: Format,
    /// Training records.
    pub rows: usize,
    /// Records in a step. Batches are full: what is left over at the end of an epoch waits for the next order.
    pub batch: usize,
    /// Times that the records are gone through.
    pub epochs: u64,
    /// Learning rate by epoch.
    pub schedule: Schedule,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// The loss, and with it the task.
    pub loss: Loss,
    /// What is opened after each epoch.
    pub open: Open,
    /// Fraction bits of activations.
    pub fraction_bits: u8,
    /// Spread of the initial weights.
    pub init: Init,
    /// Public seed of the initial weights and the order of the records.
    pub seed: u64,
}

/// Values of a batch at its widest, a convolution's columns included: 256 MiB as words.
const MOST_OF_BATCH: usize = 1 << 25;
/// More epochs than this are taken for a mistake.
const MOST_EPOCHS: u64 = 1_000_000;

/// What is opened after each epoch. Whatever is said here, the check of the weights opens one count an epoch: the blocks of
/// weights that are out of range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Open {
    /// The mean loss of a fixed sample of training records. Without it, a training that diverges is noticed by its weights only.
    pub loss: bool,
    /// A figure of the test records.
    pub metric: Option<Metric>,
}

/// A figure of the test records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// The share of records in the right class, 0 to 1. Opens the number of right ones.
    Accuracy,
    /// The area under the ROC curve of a network with two classes, or one output for them, 0 to 1, see [`crate::auc`]. Opens two counts.
    Auc,
    /// The mean squared error of a regression. Opens the sum.
    SquaredError,
}

impl Metric {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Auc => "AUC",
            Metric::SquaredError => "squared error",
        }
    }

    /// How many of so many test records it is of.
    pub fn records(self, rows: usize) -> usize {
        if self == Metric::Auc { rows.min(crate::auc::ROWS) } else { rows }
    }
}

impl Config {
    /// Refuses what can be seen to be wrong without trying a step.
    pub(crate) fn check(&self) -> Result<()> {
        let (least, most, outputs) = match self.loss {
            Loss::CrossEntropy(_) => (2, 64, "2 to 64 classes"),
            Loss::SquaredError | Loss::BinaryCrossEntropy => (1, 1, "1 output"),
        };
        self.network.check()?;
        let found = self.network.outputs()?;
        let linear = self.network.nodes.last().is_some_and(|n| matches!(n.op, Kind::Linear(_)));
        if !(least..=most).contains(&found) || !linear {
            return Err(Error::config("network", &self.network, format!("a linear layer at the end, with {outputs}")));
        }
        let expected = match (self.open.metric, self.loss) {
            (Some(Metric::Accuracy | Metric::Auc), Loss::SquaredError)
            | (Some(Metric::SquaredError), Loss::CrossEntropy(_) | Loss::BinaryCrossEntropy) => {
                Some("accuracy or auc for cross entropy, squared error for squared error")
            }
            (Some(Metric::Auc), Loss::CrossEntropy(_)) if found != 2 => Some("accuracy, or auc with 2 classes"),
            _ => None,
        };
        if let Some(expected) = expected {
            let found = format!("{:?} with {:?} and {} outputs", self.open.metric, self.loss, found);
            return Err(Error::config("metric", found, expected));
        }
        if self.batch == 0 || self.batch > self.rows {
            return Err(Error::config("batch", self.batch, format!("1 to {}, the number of training records", self.rows)));
        }
        let steps = self.epochs.checked_mul((self.rows / self.batch) as u64);
        if self.epochs == 0 || self.epochs > MOST_EPOCHS || steps.is_none() {
            return Err(Error::config("epochs", self.epochs, format!("1 to {MOST_EPOCHS}, and fewer than 2^64 steps")));
        }
        self.check_size()
    }

    /// A step is tried before anything is trained: a job from elsewhere must not cost more than a job may.
    fn check_size(&self) -> Result<()> {
        let widest = self.network.widest();
        if self.batch.checked_mul(widest).is_none_or(|n| n > MOST_OF_BATCH) {
            let expected = format!("at most {MOST_OF_BATCH} values in a batch's widest layer, {widest} a record");
            return Err(Error::config("batch", self.batch, expected));
        }
        Ok(())
    }
}
