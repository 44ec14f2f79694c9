//! Plans beside what is then measured: both suites, on networks and links.

use super::{Memory, Seconds, Spent};
use crate::bench::{Bench, Operation, measure_operation};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use trefoil_job::plan::training;
use trefoil_net::Id;
use trefoil_net::shaped::Profile;
use trefoil_nn::OptimiserKind;
use trefoil_server::{Error, Result};

/// Networks with the records in a step of each; two of them have convolutions. Of the last a step of 128 takes a gigabyte on `securenn`.
pub const NETWORKS: [(&str, usize); 4] = [("784-256-10", 128), ("784-128-128-10", 128), ("securenn-d", 128), ("lenet", 32)];
/// Shapes of links.
pub const LINKS: [&str; 2] = ["40ms,100Mbps", "20ms,200Mbps"];
/// How far time and memory may be off.
const TIME: f64 = 0.15;
const MEMORY: f64 = 0.20;

/// A step as it was planned and as it was measured.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Checked {
    pub network: String,
    pub batch: usize,
    pub suite: String,
    pub links: String,
    pub rounds: Both<f64>,
    pub bytes_by_link: Both<BTreeMap<String, u64>>,
    /// Of a step.
    pub seconds: Both<f64>,
    /// Of a step on links as they are: what the plan takes for the time of computing.
    pub local_seconds: f64,
    pub memory_bytes: Both<BTreeMap<String, u64>>,
}

/// What was planned, and what was measured.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Both<T> {
    pub planned: T,
    pub measured: T,
}

impl Checked {
    /// How far the planned time is from the measured one, as a share of that.
    pub fn time_off(&self) -> f64 {
        self.seconds.planned / self.seconds.measured - 1.0
    }

    /// The same of that party's memory which is furthest off.
    pub fn memory_off(&self) -> f64 {
        let Both { planned, measured } = &self.memory_bytes;
        let off = planned.iter().filter_map(|(id, p)| Some(*p as f64 / *measured.get(id)? as f64 - 1.0));
        off.fold(0.0, |most: f64, off| if off.abs() > most.abs() { off } else { most })
    }

    /// What is not as it should be.
    pub fn wrong(&self) -> Vec<&'static str> {
        let exact = self.rounds.planned == self.rounds.measured && self.bytes_by_link.planned == self.bytes_by_link.measured;
        let within = |off: f64, most: f64| off.abs() <= most;
        [(exact, "rounds or bytes"), (within(self.time_off(), TIME), "time"), (within(self.memory_off(), MEMORY), "memory")]
            .into_iter()
            .filter_map(|(holds, what)| (!holds).then_some(what))
            .collect()
    }
}

/// Plans and measures a step of `network` on the suite of `bench`, on each of `links`; the links of `bench` do not matter.
///
/// # Errors
/// No such network; all that can go wrong in a run.
pub fn check(network: &str, batch: usize, links: &[&str], bench: &Bench<'_>, stop: &AtomicBool) -> Result<Vec<Checked>> {
    let optimiser = OptimiserKind::default();
    let graph = network.parse().map_err(|e| Error::config("network", network, e))?;
    let operation = Operation::Train { network: graph, batch, optimiser };
    let parts = training(&operation.repeated()?.trainer()?, bench.chosen())?;
    let step = parts.step.total();
    // Steps go on until enough is measured, and so does the helper's lead.
    let memory = Memory::of(
        parts.records,
        parts.held_by_steps,
        step.to_helper == 0,
        step.ahead.map(|bytes| bytes << 20),
        bench.queue_bytes as u64,
    );
    let memory: BTreeMap<String, u64> = Id::ALL.iter().zip(memory).map(|(id, memory)| (id.to_string(), memory.total())).collect();
    let spent = Spent::from(step);
    let measure = |links: &str| measure_operation(network, &operation, &Bench { links, ..*bench }, stop);
    let local = measure("local")?.steady_s;
    links
        .iter()
        .map(|&links| {
            let profile: Profile = links.parse().map_err(|e| Error::config("links", links, e))?;
            let found = measure(links)?;
            Ok(Checked {
                network: network.into(),
                batch,
                suite: found.suite,
                links: links.into(),
                rounds: Both { planned: spent.rounds as f64, measured: found.rounds },
                bytes_by_link: Both { planned: spent.bytes_by_link.clone(), measured: found.bytes_by_link },
                seconds: Both { planned: Seconds::of(&spent, &profile, local).total(), measured: found.steady_s },
                local_seconds: local,
                memory_bytes: Both { planned: memory.clone(), measured: found.peak_rss_bytes },
            })
        })
        .collect()
}

/// The table of the book, in Markdown.
pub fn markdown(all: &[Checked]) -> String {
    let mut out = String::from(
        "| network, batch | suite | links | rounds and bytes | seconds a step: planned, measured | | memory of P0, P1, P2 in MB: planned | measured | most off |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for c in all {
        let exact = match c.wrong().contains(&"rounds or bytes") {
            false => {
                format!("{:.0}, {:.1} MB: equal", c.rounds.planned, c.bytes_by_link.planned.values().sum::<u64>() as f64 / 1e6)
            }
            true => "NOT equal".to_owned(),
        };
        let memory =
            |x: &BTreeMap<String, u64>| x.values().map(|n| format!("{:.0}", *n as f64 / 1e6)).collect::<Vec<_>>().join(", ");
        out += &format!(
            "| {}, {} | {} | {} | {exact} | {:.3}, {:.3} | {:+.0}% | {} | {} | {:+.0}% |\n",
            c.network,
            c.batch,
            c.suite,
            c.links,
            c.seconds.planned,
            c.seconds.measured,
            100.0 * c.time_off(),
            memory(&c.memory_bytes.planned),
            memory(&c.memory_bytes.measured),
            100.0 * c.memory_off(),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(seconds: f64, memory: u64, bytes: u64) -> Checked {
        let of = |n: u64| BTreeMap::from([("P0->P1".to_owned(), n)]);
        Checked {
            network: "784-256-10".into(),
            batch: 128,
            suite: "masked".into(),
            links: "40ms,100Mbps".into(),
            rounds: Both { planned: 45.0, measured: 45.0 },
            bytes_by_link: Both { planned: of(3_000_000), measured: of(bytes) },
            seconds: Both { planned: seconds, measured: 1.0 },
            local_seconds: 0.1,
            memory_bytes: Both {
                planned: BTreeMap::from([("P0".to_owned(), memory), ("P1".to_owned(), 50_000_000)]),
                measured: BTreeMap::from([("P0".to_owned(), 100_000_000), ("P1".to_owned(), 50_000_000)]),
            },
        }
    }

    #[test]
    fn what_is_off_is_told() {
        let good = checked(1.1, 90_000_000, 3_000_000);
        assert_eq!(good.wrong(), [""; 0]);
        let row =
            "| 784-256-10, 128 | masked | 40ms,100Mbps | 45, 3.0 MB: equal | 1.100, 1.000 | +10% | 90, 50 | 100, 50 | -10% |\n";
        assert!(markdown(&[good]).ends_with(row), "{}", markdown(&[checked(1.1, 90_000_000, 3_000_000)]));
        assert_eq!(checked(1.2, 75_000_000, 3_000_001).wrong(), ["rounds or bytes", "time", "memory"]);
        // Nothing measured is nothing right.
        assert_eq!(checked(f64::NAN, 90_000_000, 3_000_000).wrong(), ["time"]);
    }
}
