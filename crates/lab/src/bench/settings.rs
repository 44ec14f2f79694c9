//! How something is measured, and what a measurement says.

use super::Operation;
use super::pace::Pace;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use trefoil_job::SuiteName;
use trefoil_job::suites::Chosen;
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::OptimiserKind;
use trefoil_server::Result;

/// One measurement: an object of the JSON list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it; docs/benchmarks.md lists them
pub struct Measurement {
    pub name: String,
    pub suite: String,
    /// Of a training's steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimiser: Option<OptimiserKind>,
    pub links: String,
    /// Those that count.
    pub iterations: usize,
    /// Seconds of the wall clock of many iterations of the slowest party, begun when the helper's lead no longer grew, divided by their
    /// number.
    pub steady_s: f64,
    /// Of the single iterations at P0, or at a client: an iteration that is longer now and then does not show in it.
    pub median_s: f64,
    pub min_s: f64,
    pub max_s: f64,
    /// Processor seconds of an iteration, by party.
    pub cpu_s: BTreeMap<String, f64>,
    /// Processor seconds that the matrix products of all parties alone take in an iteration, at the speed of one thread measured in the
    /// same run.
    pub floor_s: f64,
    /// How many times as many the parties take together; none where nothing is multiplied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_to_floor: Option<f64>,
    /// Payload of an iteration on all links between parties.
    pub bytes_total: u64,
    pub bytes_by_link: BTreeMap<String, u64>,
    pub rounds: f64,
    pub peak_rss_bytes: BTreeMap<String, u64>,
    /// How many bytes of frames may wait at each end of a link.
    pub queue_bound_bytes: u64,
    /// How many waited at most at either end, by link.
    pub queue_peak_bytes: BTreeMap<String, u64>,
    pub threads: usize,
    pub machine: String,
    pub commit: String,
    /// Only for `gemm`: billions of multiply-accumulates a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gmac_per_s: Option<f64>,
    /// Only for `gemm`: the same of the plain loop, in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gmac_per_s_reference: Option<f64>,
}

/// How to measure.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// Protocol suite.
    pub suite: SuiteName,
    /// Whose steps a training takes.
    pub optimiser: OptimiserKind,
    /// The shape of the links: "local", or a profile such as "40ms,100Mbps".
    pub links: &'a str,
    /// Iterations that count, at most.
    pub iterations: usize,
    /// For how long they are counted, at most.
    pub most: Duration,
    /// How many bytes of frames may wait at each end of a link.
    pub queue_bytes: usize,
    /// Threads of each party.
    pub threads: usize,
    /// Three threads of this process in place of three processes over TLS.
    pub in_process: bool,
    /// The program that has the `bench-party` command.
    pub program: &'a Path,
    /// Where the parties' logs go.
    pub scratch: &'a Path,
}

impl Bench<'_> {
    pub(crate) fn chosen(&self) -> Chosen {
        Chosen { suite: self.suite, truncation: Truncation::Dealer }
    }

    /// Whether the suite can do this.
    ///
    /// # Errors
    /// What it cannot.
    pub(super) fn has(&self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Train { network, .. } => Ok(self.chosen().trains(network)?),
            _ => Ok(()),
        }
    }

    /// The links' profile, where they are not as they are.
    pub(super) fn shaped(&self) -> Option<String> {
        (self.links != "local").then(|| self.links.to_owned())
    }

    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.iterations, self.most)
    }
}
