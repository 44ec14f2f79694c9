//! What is opened.

use serde::{Deserialize, Serialize};

/// What is opened after each epoch, and of the records before the first. Whatever is said here, one count is opened an epoch of the blocks of weights that are
/// [out of range](crate::monitor).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The mean loss of a fixed sample of training records. Without it, a training that diverges is noticed by its weights only.
    pub loss: bool,
    /// The number of blocks of activations that are out of range, of that sample. Without it, activations that leave their range are noticed
    /// by the loss only.
    pub activations: bool,
    /// A figure of the test records.
    pub metric: Option<Metric>,
    /// Once, before the first step: mean and deviation of the columns that are standardised on shares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub statistics: bool,
}

/// A figure of the test records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
