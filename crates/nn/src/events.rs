//! What a training tells whoever runs it, between its steps. A party's server keeps checkpoints by it, asks the others before figures are opened, and shows
//! how far the training is; a test counts.

use crate::figures::Figure;
use crate::train::State;
use std::time::Duration;
use trefoil_engine::Engine;

/// What a training reports, between steps.
pub enum Event<'a, N> {
    /// The data is prepared; steps follow.
    Start,
    /// A step is done.
    Step {
        /// Steps taken since the start of the training, this one included.
        step: u64,
        /// What this step took.
        time: Duration,
        /// After the step.
        state: &'a State<N>,
    },
    /// Asked before statistics, and how many values were clipped, are opened, once they are computed, hidden. Whoever puts `open` to false keeps them closed; all parties must
    /// decide alike. An error keeps them closed too.
    Statistics {
        /// Whether they are opened.
        open: &'a mut bool,
    },
    /// Statistics are opened.
    OpenedStatistics {
        /// Mean and deviation of each column that is standardised on shares; `None` to a party that is shown none, and where they stay hidden.
        told: Option<Vec<[f64; 2]>>,
        /// How many values of each were clipped, likewise.
        clipped: Option<Vec<u64>>,
    },
    /// Asked before anything of an epoch is opened. Whoever puts `open` to false keeps its loss, its metric and the check of its ranges
    /// closed; all parties must decide alike.
    Figures {
        /// Counted from 1.
        epoch: u64,
        /// Whether they are opened.
        open: &'a mut bool,
    },
    /// Told once an epoch's figures are computed, hidden, right before the first of them is opened. An error keeps all of them closed.
    Opening {
        /// Counted from 1.
        epoch: u64,
    },
    /// An epoch's figures are opened, and nothing follows from them yet.
    Opened {
        /// Counted from 1.
        epoch: u64,
        /// As in [`Event::Epoch`].
        loss: Option<f64>,
        /// As in [`Event::Epoch`].
        metric: Option<f64>,
        /// As in [`Event::Epoch`].
        figures: &'a [Figure],
        /// Where the settings follow the best epoch: whether this one was better than all before, as the figures say; `None` in it where
        /// this party was shown none. What is put here decides, and must be the same at all parties.
        verdict: Option<&'a mut Option<bool>>,
    },
    /// An epoch is done, and its state was found good if it was `checked`.
    Epoch {
        /// Counted from 1.
        epoch: u64,
        /// The mean over a fixed sample of training records; `None` where it is not opened ([`Open`](crate::Open)), or not to this party.
        loss: Option<f64>,
        /// The first [`Metric`](crate::Metric) of the test records; `None` likewise, without test records, and where it is undefined.
        metric: Option<f64>,
        /// All of them, and why one is undefined; none where they are not opened, or not to this party.
        figures: &'a [Figure],
        /// Whether its figures were opened: loss, weights and activations are in their range.
        checked: bool,
        /// Whether no epoch follows.
        last: bool,
        /// After the epoch.
        state: &'a State<N>,
    },
}

/// What hears of a training's progress. Its error stops the training.
pub type Report<'a, E, X> = dyn FnMut(&mut E, Event<'_, <E as Engine>::Num>) -> std::result::Result<(), X> + 'a;
