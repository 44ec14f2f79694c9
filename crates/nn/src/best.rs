//! The best epoch so far, by the figure that is opened after each.
//!
//! All that a verdict changes is here, and is part of the training's state: a training that goes on from a checkpoint goes on from the
//! best epoch as it was at that checkpoint. An epoch whose figures are not opened (again) has no verdict.

use crate::choice::choice;
use crate::{Error, Result, TrainSpec, Training};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which epoch's model is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The last one's.
    #[default]
    Last,
    /// That of the best figure.
    Best,
}

impl Keep {
    /// As most trainings have it: such a field is not written down.
    pub(crate) fn is_default(&self) -> bool {
        *self == Keep::default()
    }
}

impl FromStr for Keep {
    type Err = Error;
    fn from_str(text: &str) -> Result<Keep> {
        choice("epoch to keep", text, &[("last", Keep::Last), ("best", Keep::Best)])
    }
}

/// The best epoch so far.
#[derive(Clone)]
pub struct Best<N> {
    /// Its parameters, as those of the [`State`](crate::State), with [`Keep::Best`]; else none.
    pub params: Vec<N>,
    /// Counted from 1; 0 before any.
    pub epoch: u64,
    /// Epochs after it that were no better.
    pub since: u64,
    /// Its figure; `None` to a party that is shown none.
    pub figure: Option<f64>,
}

impl<N> Best<N> {
    /// Before any epoch.
    pub(crate) fn none(params: Vec<N>) -> Self {
        Best { params, epoch: 0, since: 0, figure: None }
    }

    /// The epoch whose parameters are given in place of the last one's.
    pub fn given(&self, spec: &TrainSpec) -> Option<u64> {
        (spec.keep == Keep::Best && self.epoch > 0).then_some(self.epoch)
    }

    /// Whether the training ends here.
    pub(crate) fn is_over(&self, spec: &TrainSpec) -> bool {
        spec.patience.is_some_and(|patience| self.since >= patience)
    }

    /// Follows what was agreed on of an epoch.
    pub(crate) fn take(&mut self, better: Option<bool>, epoch: u64, figure: Option<f64>, params: &[N])
    where
        N: Clone,
    {
        match better {
            Some(true) => {
                (self.epoch, self.since, self.figure) = (epoch, 0, figure);
                if !self.params.is_empty() {
                    self.params = params.to_vec();
                }
            }
            Some(false) => self.since += 1,
            None => {}
        }
    }
}

impl TrainSpec {
    /// Whether the best epoch is followed at all.
    pub fn follows_best(&self) -> bool {
        self.patience.is_some() || self.keep == Keep::Best
    }
}

impl Training {
    /// What says how good an epoch was: the metric, or the loss where no metric is opened. `None` where it was not opened, or is undefined.
    pub fn figure(&self, loss: Option<f64>, metric: Option<f64>) -> Option<f64> {
        let figure = if self.has_metric() { metric } else { loss };
        figure.filter(|figure| figure.is_finite())
    }

    /// Whether a figure is better than the best before. A tie is not.
    pub fn is_better(&self, figure: f64, best: Option<f64>) -> bool {
        let higher = self.has_metric() && self.open.metric.is_some_and(|metric| metric.more_is_better());
        best.is_none_or(|best| if higher { figure > best } else { figure < best })
    }

    fn has_metric(&self) -> bool {
        self.open.metric.is_some() && self.records.test_rows > 0
    }

    /// Refuses to follow a figure that nobody opens.
    pub(crate) fn check_best(&self) -> Result<()> {
        if self.spec.patience == Some(0) {
            return Err(Error::config("patience", 0, "at least 1 epoch"));
        }
        if self.spec.follows_best() && !self.has_metric() && !self.open.loss {
            let what = if self.spec.patience.is_some() { "patience" } else { "keep" };
            return Err(Error::config(what, "nothing opened that says which epoch is better", "an opened metric or loss"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Graph, Metric, Open};

    fn training(metric: Option<Metric>, spec: TrainSpec) -> Training {
        let training = Training::of(Graph::perceptron(&[2, 2]), 8).unwrap();
        training.with(|t| {
            t.open = Open { loss: metric.is_none(), activations: true, metric, ..Open::default() };
            t.records.test_rows = 4;
            t.spec = TrainSpec { network: t.spec.network.clone(), batch: 4, ..spec };
        })
    }

    /// Epochs gone through, the best of them, and whose parameters are kept, where each epoch's are its number.
    fn follow(t: &Training, figures: &[Option<f64>]) -> (u64, u64, u64) {
        let (mut best, mut last) = (Best::none(vec![0]), 0);
        for (epoch, figure) in (1..).zip(figures) {
            if best.is_over(&t.spec) {
                break;
            }
            last = epoch;
            let better = figure.map(|f| t.is_better(f, best.figure));
            best.take(better, epoch, *figure, &[epoch]);
        }
        (last, best.epoch, best.params[0])
    }

    #[test]
    fn stops_after_epochs_that_were_no_better_and_keeps_the_best() {
        let spec = || TrainSpec { patience: Some(2), keep: Keep::Best, ..TrainSpec::default() };
        let some = |figures: &[f64]| figures.iter().copied().map(Some).collect::<Vec<_>>();
        let accuracy = training(Some(Metric::Accuracy), spec());
        assert_eq!(follow(&accuracy, &some(&[0.5, 0.8, 0.7, 0.9, 0.6, 0.6, 1.0])), (6, 4, 4));
        // Ties are not better.
        assert_eq!(follow(&accuracy, &some(&[0.5, 0.5, 0.5, 0.9])), (3, 1, 1));
        // What is not opened counts neither way.
        assert_eq!(follow(&accuracy, &[Some(0.5), None, Some(0.4), None, Some(0.3), Some(1.0)]), (5, 1, 1));
        // Of a loss less is better.
        let loss = training(None, spec());
        assert_eq!(follow(&loss, &some(&[0.5, 0.4, 0.6, 0.3, 0.3, 0.3, 0.1])), (6, 4, 4));
        assert_eq!(follow(&training(None, TrainSpec::default()), &some(&[0.1, 0.5, 0.5])), (3, 1, 1));
    }

    #[test]
    fn what_nothing_opened_decides_is_refused() {
        for spec in
            [TrainSpec { patience: Some(1), ..TrainSpec::default() }, TrainSpec { keep: Keep::Best, ..TrainSpec::default() }]
        {
            let t = training(None, spec);
            t.trainer().unwrap();
            let e = t.with(|t| t.open.loss = false).trainer().unwrap_err().to_string();
            assert!(e.ends_with("expected an opened metric or loss"), "{e}");
        }
        let e = training(None, TrainSpec { patience: Some(0), ..TrainSpec::default() }).trainer().unwrap_err().to_string();
        assert_eq!(e, "patience: found 0, expected at least 1 epoch");
    }
}
