//! What a training will take, before anything runs: rounds and bytes as the protocols state them, and from these the time on given links and
//! what it costs.

use crate::summary::by_link;
use serde::Serialize;
use std::collections::BTreeMap;
use trefoil_job::plan;
use trefoil_job::suites::Chosen;
use trefoil_mpc::Price;
use trefoil_net::shaped::Profile;
use trefoil_nn::Trainer;
use trefoil_server::Result;

/// A training's rounds and bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// The protocols.
    pub suite: String,
    /// "784-256-10".
    pub network: String,
    /// Records in a step.
    pub batch: usize,
    /// Records to train on.
    pub train_rows: usize,
    /// Records held out.
    pub test_rows: usize,
    /// Times that the records are gone through.
    pub epochs: u64,
    /// Steps of all epochs.
    pub steps: u64,
    /// Once, before the first step.
    pub data: Spent,
    /// The first step, in which the weights are as they were put in.
    pub first_step: Spent,
    /// A step after others of its epoch.
    pub step: Spent,
    /// Bytes of such a step by layer.
    pub step_bytes_by_layer: BTreeMap<String, u64>,
    /// Bytes of such a step by protocol.
    pub step_bytes_by_protocol: BTreeMap<String, u64>,
    /// The figures after an epoch.
    pub figures: Spent,
    /// All of it: data, steps and figures.
    pub training: Spent,
}

/// Rounds, and bytes of payload.
#[derive(Clone, Debug, Serialize)]
pub struct Spent {
    /// The longest chain of messages between P0 and P1.
    pub rounds: u64,
    /// On all links.
    pub bytes_total: u64,
    /// The part of it that the helper sends ahead, in no round.
    pub bytes_ahead: u64,
    /// On each directed link.
    pub bytes_by_link: BTreeMap<String, u64>,
}

impl From<Price> for Spent {
    fn from(price: Price) -> Spent {
        let sent = price.sent();
        Spent {
            rounds: price.rounds,
            bytes_total: price.bytes(),
            bytes_ahead: price.ahead,
            bytes_by_link: by_link(|a, b| sent[a.index()][b.index()]),
        }
    }
}

impl Spent {
    /// The link with most on it, and its bytes.
    pub fn busiest(&self) -> Option<(&str, u64)> {
        let most = self.bytes_by_link.iter().max_by_key(|(_, n)| **n);
        most.map(|(link, n)| (link.as_str(), *n)).filter(|(_, n)| *n > 0)
    }
}

/// Seconds on given links.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// Waiting for messages: rounds x RTT / 2.
    pub rounds: f64,
    /// Sending: the busiest directed link's bytes at its rate.
    pub transfer: f64,
    /// Computing, on links that cost nothing.
    pub local: f64,
}

impl Seconds {
    /// All of it. The parts overlap a little, so that it is less in truth where two are of a size.
    pub fn total(&self) -> f64 {
        self.rounds + self.transfer + self.local
    }

    /// What takes longest, and what would make it shorter.
    pub fn advice(&self) -> &'static str {
        if self.rounds >= self.transfer.max(self.local) {
            "waiting for messages takes longest: fewer and larger batches, fewer layers, or parties that are nearer to one another"
        } else if self.transfer >= self.local {
            "sending takes longest: a network with fewer activations (average in place of maximum pooling, narrower layers), or faster links"
        } else {
            "computing takes longest: more cores for each party, or a smaller network"
        }
    }
}

impl Forecast {
    /// Of this training on this suite.
    ///
    /// # Errors
    /// What does not fit into the ring.
    pub fn of(trainer: &Trainer, suite: Chosen) -> Result<Forecast> {
        let (parts, all) = (plan::training(trainer, suite)?, plan::whole(trainer, suite)?);
        let (spec, records) = (&trainer.training().spec, &trainer.training().records);
        let named = |(name, price): (_, Price)| (String::from(name), price.bytes());
        Ok(Forecast {
            suite: suite.suite.to_string(),
            network: trainer.network().graph().to_string(),
            batch: spec.batch,
            train_rows: records.train_rows,
            test_rows: records.test_rows,
            epochs: spec.epochs,
            steps: trainer.total_steps(),
            data: parts.setup.total().into(),
            first_step: parts.first.total().into(),
            step: parts.step.total().into(),
            step_bytes_by_layer: parts.step.by_layer().into_iter().map(named).collect(),
            step_bytes_by_protocol: parts.step.by_protocol().into_iter().map(named).collect(),
            figures: parts.figures.total().into(),
            training: all.into(),
        })
    }

    /// The time of a step, and of the training, where the parties compute for so many seconds in a step. What they compute beside steps is
    /// taken to be in proportion to what they send.
    pub fn seconds(&self, links: &Profile, local: f64) -> [Seconds; 2] {
        let of = |spent: &Spent, local: f64| Seconds {
            rounds: spent.rounds as f64 * links.rtt.as_secs_f64() / 2.0,
            transfer: links.bits_per_second.map_or(0.0, |rate| 8.0 * spent.busiest().map_or(0, |(_, n)| n) as f64 / rate),
            local,
        };
        let more = self.training.bytes_total as f64 / (self.step.bytes_total as f64).max(1.0);
        [of(&self.step, local), of(&self.training, local * more)]
    }
}
