//! What a training will take, before anything runs: rounds and bytes as the protocols state them, and from these the time on given links and
//! what it costs.

mod check;
pub mod lanes;

pub use check::{Both, Checked, LINKS, NETWORKS, check, markdown};

use crate::summary::by_link;
use serde::Serialize;
use std::collections::BTreeMap;
use trefoil_job::plan;
use trefoil_job::suites::Chosen;
use trefoil_mpc::Price;
use trefoil_mpc::plan::held::Held;
use trefoil_net::Id;
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
    /// The most memory of each party's process.
    pub memory_bytes: BTreeMap<String, u64>,
    /// What that is the sum of.
    pub memory_parts: BTreeMap<String, Memory>,
}

/// What a party's process holds at its peak, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The program, its threads and connections, without a training.
    pub process: u64,
    /// Shares of all records.
    pub records: u64,
    /// Shares of everything else that is held at once: weights, what the optimiser keeps, activations; and the protocols at work on them.
    pub training: u64,
    /// What the process has beside: room between what is held and what was freed, and matrices on their way through a local step.
    pub overhead: u64,
    /// Frames that wait because P2 is ahead.
    pub queues: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.process + self.records + self.training + self.overhead + self.queues
    }

    /// What takes most of it, and what would make it less.
    pub fn advice(&self) -> &'static str {
        let most = self.records.max(self.training).max(self.queues);
        if self.total() < 256 << 20 {
            "memory is no concern"
        } else if most == self.records {
            "the records take most memory: every value is held in shares throughout the training"
        } else if most == self.training {
            "activations and weights take most memory: smaller batches, or a narrower network"
        } else {
            "what P2 has sent ahead takes most memory: a smaller queue_megabytes"
        }
    }

    /// Of P0, P1 and P2, whose shares of records are `records` and of all at once `held`, where P2 sends the servers `ahead` bytes in all, of which
    /// `queue_bytes` may wait at each end of a link. A helper that is sent nothing (`free`) runs ahead until it may not, on the fuller of its links.
    fn of(records: Held, held: Held, free: bool, ahead: [u64; 2], queue_bytes: u64) -> [Memory; 3] {
        let most = ahead[0].max(ahead[1]).max(1);
        let waiting = if free { most.min(queue_bytes) } else { 0 };
        let [p0, p1] = ahead.map(|bytes| (u128::from(bytes) * u128::from(waiting) / u128::from(most)) as u64);
        let queues = [p0, p1, p0 + p1];
        [0, 1, 2].map(|i| Memory {
            process: PROCESS,
            records: records[i],
            training: held[i].saturating_sub(records[i]),
            overhead: held[i].saturating_sub(records[i]) / 100 * OVERHEAD,
            queues: queues[i],
        })
    }
}

/// What a party's process has without shares, and what it has beside those that a training makes, in percent of them: records stand as they
/// were dealt. Both are fitted to measured peaks of processes, over both suites and the networks of [`NETWORKS`].
const PROCESS: u64 = 21 << 20;
const OVERHEAD: u64 = 35;

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
            bytes_ahead: price.ahead[0] + price.ahead[1],
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
    /// Waiting for what is being sent.
    pub transfer: f64,
    /// Computing, on links that cost nothing.
    pub local: f64,
}

impl Seconds {
    /// Of what is spent, where the parties compute for so many seconds.
    ///
    /// What is sent in rounds is waited for, link after link: P0 and P1 send one another in some rounds and P2 in others, and P2 answers in others
    /// again. What P2 sends ahead is on its way meanwhile, and is waited for where its link takes longer than all the rest.
    pub fn of(spent: &Spent, links: &Profile, local: f64) -> Seconds {
        let on = |link: &str| spent.bytes_by_link.get(link).copied().unwrap_or(0);
        let answers = (on("P2->P0") + on("P2->P1")).saturating_sub(spent.bytes_ahead);
        let rate = |bytes: u64| links.bits_per_second.map_or(0.0, |rate| 8.0 * bytes as f64 / rate);
        let rounds = spent.rounds as f64 * links.rtt.as_secs_f64() / 2.0;
        let in_rounds = rate(on("P0->P1").max(on("P1->P0")) + on("P0->P2").max(on("P1->P2")) + answers);
        Seconds { rounds, transfer: in_rounds.max(rate(on("P2->P0").max(on("P2->P1"))) - rounds - local), local }
    }

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
    /// Of this training on this suite, where so many bytes of frames may wait at each end of a link.
    ///
    /// # Errors
    /// What does not fit into the ring.
    pub fn of(trainer: &Trainer, suite: Chosen, queue_bytes: u64) -> Result<Forecast> {
        let (parts, all) = (plan::training(trainer, suite)?, plan::whole(trainer, suite)?);
        let (spec, records) = (&trainer.training().spec, &trainer.training().records);
        let named = |(name, price): (_, Price)| (String::from(name), price.bytes());
        let memory = Memory::of(parts.records, parts.held, parts.step.total().to_helper == 0, all.ahead, queue_bytes);
        let by_party = |i: usize, id: Id| (id.to_string(), memory[i]);
        let memory: BTreeMap<String, Memory> = (0..).zip(Id::ALL).map(|(i, id)| by_party(i, id)).collect();
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
            memory_bytes: memory.iter().map(|(id, memory)| (id.clone(), memory.total())).collect(),
            memory_parts: memory,
        })
    }

    /// The time of a step, and of the training, where the parties compute for so many seconds in a step. What they compute beside steps is
    /// taken to be in proportion to what they send.
    pub fn seconds(&self, links: &Profile, local: f64) -> [Seconds; 2] {
        let more = self.training.bytes_total as f64 / (self.step.bytes_total as f64).max(1.0);
        [Seconds::of(&self.step, links, local), Seconds::of(&self.training, links, local * more)]
    }
}
