//! What is opened.

use crate::choice::choice;
use crate::{Error, Loss, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

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
    /// A figure of the test records: the one that says which epoch is better, where that is asked.
    pub metric: Option<Metric>,
    /// Others of them, beside it.
    #[serde(default, skip_serializing_if = "Metrics::is_empty")]
    pub also: Metrics,
    /// Once, before the first step: mean and deviation of the columns that are standardised on shares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub statistics: bool,
    /// Likewise: how many training records' values of each of these columns lay beyond what a network takes, and were clipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clipped: bool,
}

impl Open {
    /// All figures of the test records, that which is followed first.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + use<> {
        let first = self.metric;
        first.into_iter().chain(self.also.iter().filter(move |metric| first.is_some_and(|first| first != *metric)))
    }

    /// Whether this is one of them.
    pub fn has(&self, metric: Metric) -> bool {
        self.metrics().any(|m| m == metric)
    }
}

/// A figure of the test records. What each opens stands here; whatever is opened beside it is not opened again for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The share of records in the right class, 0 to 1. Opens the number of right ones.
    Accuracy,
    /// How many records of each class were taken for each. Opens these counts, with which accuracy, precision, recall and F1 are known.
    Confusion,
    /// Of the records that were taken for a class, the share that are in it. Opens these shares, one for each class.
    Precision,
    /// Of the records of a class, the share that were taken for it. Opens these shares, one for each class.
    Recall,
    /// The harmonic mean of the two. Opens it, for each class.
    F1,
    /// The area under the ROC curve of a network with two classes, or one output for them, 0 to 1, see [`crate::auc`]. Opens two counts.
    Auc,
    /// The mean cross entropy, all classes alike. Opens the sum.
    LogLoss,
    /// The mean squared error of a regression. Opens the sum.
    SquaredError,
    /// Its root. Opens the same sum.
    Rmse,
    /// The mean absolute error of a regression. Opens the sum.
    AbsoluteError,
    /// 1 less the squared errors over what they would be of the targets' mean. Opens the quotient.
    R2,
}

impl Metric {
    /// All of them, in the order in which they are told.
    pub const ALL: [Metric; 11] = [
        Metric::Accuracy,
        Metric::Confusion,
        Metric::Precision,
        Metric::Recall,
        Metric::F1,
        Metric::Auc,
        Metric::LogLoss,
        Metric::SquaredError,
        Metric::Rmse,
        Metric::AbsoluteError,
        Metric::R2,
    ];

    /// As a job writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Confusion => "confusion",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::F1 => "f1",
            Metric::Auc => "auc",
            Metric::LogLoss => "log-loss",
            Metric::SquaredError => "squared-error",
            Metric::Rmse => "rmse",
            Metric::AbsoluteError => "absolute-error",
            Metric::R2 => "r2",
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Confusion => "confusion matrix",
            Metric::F1 => "F1",
            Metric::Auc => "AUC",
            Metric::LogLoss => "log loss",
            Metric::SquaredError => "squared error",
            Metric::Rmse => "root of the squared error",
            Metric::AbsoluteError => "absolute error",
            Metric::R2 => "R^2",
            word => word.word(),
        }
    }

    /// What of the records held out is opened for it, in an audit log's words.
    pub fn opens(self) -> &'static str {
        match self {
            Metric::Accuracy => "correct records",
            Metric::Confusion => "records of each class taken for each",
            Metric::Precision => "precision of each class",
            Metric::Recall => "recall of each class",
            Metric::F1 => "F1 of each class",
            Metric::Auc => "difference of concordant and discordant pairs, and number of positives",
            Metric::LogLoss => "sum of losses",
            Metric::SquaredError | Metric::Rmse => "squared error",
            Metric::AbsoluteError => "absolute error",
            Metric::R2 => "squared error over the targets' spread",
        }
    }

    /// Whether more of it is better.
    pub fn more_is_better(self) -> bool {
        !matches!(self, Metric::LogLoss | Metric::SquaredError | Metric::Rmse | Metric::AbsoluteError)
    }

    /// Whether it is told of this loss and so many outputs.
    pub(crate) fn is_of(self, loss: Loss, outputs: usize) -> bool {
        let value = loss == Loss::SquaredError;
        match self {
            Metric::SquaredError | Metric::Rmse | Metric::AbsoluteError | Metric::R2 => value,
            Metric::Auc => !value && outputs <= 2,
            _ => !value,
        }
    }
}

impl FromStr for Metric {
    type Err = Error;
    fn from_str(text: &str) -> Result<Metric> {
        choice("metric", text, &Metric::ALL.map(|metric| (metric.word(), metric)))
    }
}

/// Some of the metrics, each once: a bit each, in the order of [`Metric::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Metric>", into = "Vec<Metric>")]
pub struct Metrics(u16);

impl Metrics {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// They, in their order.
    pub fn iter(self) -> impl Iterator<Item = Metric> {
        Metric::ALL.into_iter().filter(move |metric| self.0 & (1 << *metric as u16) != 0)
    }
}

impl FromIterator<Metric> for Metrics {
    fn from_iter<I: IntoIterator<Item = Metric>>(metrics: I) -> Metrics {
        Metrics(metrics.into_iter().fold(0, |bits, metric| bits | (1 << metric as u16)))
    }
}

impl From<Vec<Metric>> for Metrics {
    fn from(metrics: Vec<Metric>) -> Metrics {
        metrics.into_iter().collect()
    }
}

impl From<Metrics> for Vec<Metric> {
    fn from(metrics: Metrics) -> Vec<Metric> {
        metrics.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_file() {
        for (at, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.word());
            assert_eq!((metric.word().parse::<Metric>().unwrap(), metric as usize), (metric, at));
        }
        let some: Metrics = [Metric::R2, Metric::Accuracy, Metric::R2].into_iter().collect();
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["accuracy","r2"]"#);
        assert_eq!(serde_json::from_str::<Metrics>(r#"["r2","accuracy"]"#).unwrap(), some);
        let open = Open { metric: Some(Metric::R2), also: some, ..Open::default() };
        assert_eq!(open.metrics().collect::<Vec<_>>(), [Metric::R2, Metric::Accuracy]);
        assert_eq!(Open { metric: None, ..open }.metrics().count(), 0);
        let e = "f2".parse::<Metric>().unwrap_err().to_string();
        assert!(e.starts_with("metric: found \"f2\", expected accuracy, confusion,"), "{e}");
    }
}
