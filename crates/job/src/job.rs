//! A job: what is trained on whose records by whom for whom, and what is opened on the way. All of it is public; parties and owners
//! approve its hash, and every share is bound to that.
//!
//! The file is `job.toml`. A member (`[[party]]`, `[[owner]]`, `[model_owner]`) is a table with `name`, `fingerprint` and, for a
//! party, `address`, or the name alone where the peers file knows the rest. The hash is of everything but the addresses: a server may
//! move without a new job.

mod approvals;
mod check;
mod file;
mod hash;
mod members;
mod opened;

pub use file::{load_text, parse_table, resolve_clients, resolve_members};
#[cfg(test)]
pub use hash::tests::JOB;
pub use hash::{SEMANTICS, canonical};
pub use opened::{MetricName, Opened};

use crate::Result;
use crate::service::Serve;
use crate::suites::{Chosen, SuiteName};
use serde::{Deserialize, Serialize};
use trefoil_data::schema::{Scale, Schema, Task};
use trefoil_mpc::securenn::Truncation;
use trefoil_net::identity::Fingerprint;
use trefoil_nn::evaluate::LOSS_ROWS;
use trefoil_nn::{Graph, Metric, Metrics, Open, Outputs, Records, Scaling, TrainSpec, Training};

/// Everything that parties and owners agree to.
///
/// ```
/// use trefoil_client::peers::Peers;
/// use trefoil_job::Job;
/// let member = |name: &str, n: u8| format!("{{ name = \"{name}\", fingerprint = \"{}\"", format!("{n:02x}").repeat(32));
/// let party = |name: &str, n| format!("{}, address = \"{name}.example:7001\" }}", member(name, n));
/// let text = format!("
/// name = \"an example\"
/// party = [{}, {}, {}]
/// owner = [{} }}]
/// model_owner = {} }}
/// [data]
/// task = \"classification\"
/// label = \"attack\"
/// classes = [\"no\", \"yes\"]
/// columns = [{{ kind = \"range\", name = \"hour\", min = 0, max = 24 }}]
/// ", party("p0", 1), party("p1", 2), party("p2", 3), member("owner", 4), member("desk", 5));
/// let job = Job::parse(&text, "job.toml", &Peers::default()).unwrap();
/// assert_eq!(job.network().unwrap().to_string(), "1-16-2");
/// // Everybody approves this hash; where a server is, is no part of it.
/// let moved = Job::parse(&text.replace("p0.example", "elsewhere.example"), "job.toml", &Peers::default()).unwrap();
/// assert_eq!(job.hash(), moved.hash());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// For people.
    pub name: String,
    /// Protocol suite.
    #[serde(default = "masked")]
    pub suite: SuiteName,
    /// SecureNN: how products lose their extra fraction bits, `dealer` or `local`.
    #[serde(default)]
    pub truncation: Truncation,
    /// Whether it begins by itself once everybody has approved and shared, or waits for `trefoil job start`.
    #[serde(default)]
    pub start: Start,
    /// P0, P1 and P2.
    pub party: [Member; 3],
    /// Those who share records, in the order in which these are joined.
    pub owner: Vec<Owner>,
    /// The only one who gets the model. Where there is none nobody ever does: it stays in shares, and answers as `serve` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_owner: Option<Member>,
    /// The records.
    pub data: Schema,
    /// The training.
    #[serde(default)]
    pub train: TrainSpec,
    /// What P0 and P1 get to see.
    #[serde(default)]
    pub open: Opened,
    /// When the parties write down their shares of the state.
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// That the parties keep their shares of the model, and what it may be asked; without it nothing is ever served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<Serve>,
    /// INSECURE, for tests: the parties take their masks from a seed in their configurations. Everybody who approves must know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_masks: bool,
    /// For study: train with SecureNN's local truncation even if it is expected to destroy the model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_accept_wraps: bool,
}

/// When a job begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Once everybody has approved and shared.
    #[default]
    Ready,
    /// When all three operators have said so.
    Request,
}

/// Somebody with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// For people.
    pub name: String,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// `host:port`, of a party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Somebody who shares records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// For people.
    pub name: String,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// Owners have no address; the peers file may name one all the same.
    #[serde(default, skip_serializing)]
    pub address: Option<String>,
    /// Vertical partition: the feature columns that this owner has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Vertical partition: whether this owner has the label.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label: bool,
}

/// When checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoint {
    /// After every so many steps.
    pub steps: u64,
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint { steps: 100 }
    }
}

/// The records' values that are standardised on shares, as a training has them.
pub(crate) fn secure(schema: &Schema) -> Vec<(usize, Scaling)> {
    let by = |scale| match scale {
        Scale::Secure => Scaling::Deviation,
        Scale::SecureRange => Scaling::Range,
        Scale::SecureQuantiles => Scaling::Quantiles,
    };
    schema.secure().into_iter().map(|(place, scale)| (place, by(scale))).collect()
}

fn masked() -> SuiteName {
    SuiteName::Masked
}

impl Job {
    /// What is trained, on so many records.
    pub fn training(&self, train_rows: usize, test_rows: usize) -> Training {
        let (input_frac, input_bits) = self.data.input();
        let records =
            Records { features: self.data.features(), outputs: self.outputs(), input_frac, input_bits, train_rows, test_rows };
        let mut spec = self.train.clone();
        // By a rule that all parties know: a batch has no more records than there are.
        if train_rows > 0 {
            spec.batch = spec.batch.min(train_rows);
        }
        let (open, missing) = (self.opened(train_rows, test_rows), self.data.filled_on_shares());
        Training { spec, records, open, secure: secure(&self.data), missing }
    }

    /// That a batch is smaller than the job's file has it, with so many records.
    pub fn lowered(&self, train_rows: usize) -> Option<String> {
        let (batch, lowered) = (self.train.batch, train_rows > 0 && train_rows < self.train.batch);
        lowered.then(|| format!("batches of {train_rows} in place of {batch}: there are no more records to train on"))
    }

    /// What is learnt of a record.
    pub fn outputs(&self) -> Outputs {
        self.train.outputs(match self.data.task {
            Task::Classification => Outputs::Classes(self.data.outputs()),
            Task::Regression => Outputs::Value,
        })
    }

    /// A training on as many records as a batch has, with all that the job may open: what hyper-parameters are tried on.
    pub fn trial(&self) -> Training {
        let training = self.training(self.train.batch, self.train.batch.min(1));
        Training {
            open: Open {
                loss: self.open.loss,
                activations: true,
                metric: self.metric(),
                also: self.open.also,
                ..Open::default()
            },
            ..training
        }
    }

    /// The network, whose inputs and outputs are those of the records.
    ///
    /// # Errors
    /// It is no network, or one of other records.
    pub fn network(&self) -> Result<Graph> {
        Ok(self.training(0, 0).graph()?)
    }

    /// The suite with its settings.
    pub fn chosen(&self) -> Chosen {
        Chosen { suite: self.suite, truncation: self.truncation }
    }

    /// What is opened of so many records: figures of fewer than `least_records` are not.
    pub fn opened(&self, train_rows: usize, test_rows: usize) -> Open {
        let enough = |records: usize| records >= self.open.least_records;
        let activations = enough(train_rows.min(LOSS_ROWS));
        Open {
            loss: self.open.loss && activations,
            activations,
            metric: self.metric().filter(|_| enough(test_rows)),
            also: if enough(test_rows) { self.open.also } else { Metrics::default() },
            statistics: self.open.statistics && enough(train_rows),
            clipped: self.open.clipped && enough(train_rows),
        }
    }

    /// Why figures that the job names are not opened of so many records: a line each.
    pub fn not_opened(&self, train_rows: usize, test_rows: usize) -> Vec<String> {
        let opened = self.opened(train_rows, test_rows);
        let sample = train_rows.min(LOSS_ROWS);
        let line = |figure: &str, records: usize, kind: &str| {
            format!("{figure}: of {records} {kind} records, and open.least_records is {}", self.open.least_records)
        };
        let loss = (self.open.loss && !opened.loss).then(|| line("loss", sample, "training"));
        let activations = (!opened.activations).then(|| line("activations out of range", sample, "training"));
        let metrics = self.metrics().filter(|_| opened.metric.is_none());
        let statistics = (self.open.statistics && !opened.statistics).then(|| line("statistics", train_rows, "training"));
        let clipped = (self.open.clipped && !opened.clipped).then(|| line("clipped values", train_rows, "training"));
        loss.into_iter()
            .chain(activations)
            .chain(metrics.map(|metric| line(metric.name(), test_rows, "held-out")))
            .chain(statistics)
            .chain(clipped)
            .collect()
    }

    /// The figure of the held-out records that says which epoch is better: the first that the job names.
    pub fn metric(&self) -> Option<Metric> {
        match (self.open.metric, self.data.task) {
            (MetricName::Nothing, _) => None,
            (MetricName::Of(metric), _) => Some(metric),
            (MetricName::Default, Task::Classification) => Some(Metric::Accuracy),
            (MetricName::Default, Task::Regression) => Some(Metric::SquaredError),
        }
    }

    /// All that the job names, that one first.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + use<> {
        Open { metric: self.metric(), also: self.open.also, ..Open::default() }.metrics()
    }
}
