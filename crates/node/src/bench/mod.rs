//! Measurements: one operation again and again, by three processes over TLS or by three threads.
//!
//! An iteration starts when the one before it ends. The helper of the masked suite runs ahead, so that what is measured is the
//! steady state: its work is paid for in processor time, and in waiting where it is the slowest.

mod gemm;
mod operation;
pub mod party;

pub use operation::Operation;

use crate::launch::{Fleet, Start};
use crate::report::Report;
use crate::summary::{by_link, by_party, median};
use crate::{Error, Event, Result, SuiteName, Training, machine};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use trefoil_client::{Address, Patience, query::Session};
use trefoil_mpc::{Suite, masked::Masked, securenn::SecureNn};
use trefoil_net::Id;
use trefoil_net::identity::Identity;

/// One measurement: an object of the JSON list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it; docs/benchmarks.md lists them
pub struct Measurement {
    pub name: String,
    pub suite: String,
    pub links: String,
    pub iterations: usize,
    pub median_s: f64,
    pub min_s: f64,
    pub max_s: f64,
    /// Payload of an iteration on all links between parties.
    pub bytes_total: u64,
    pub bytes_by_link: BTreeMap<String, u64>,
    pub rounds: f64,
    pub peak_rss_bytes: BTreeMap<String, u64>,
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

/// The names that [`measure`] knows, each with what it measures.
pub const NAMES: [&str; 11] = [
    "train-784x256x10",
    "train-784x128x128x10",
    "train-lenet",
    "infer-784x128x128x10-b1",
    "infer-784x128x128x10-b128",
    "relu-1e6",
    "product-128x784x256",
    "softmax-128x10",
    "check-60000x784-pixels",
    "check-1000000x30-numbers",
    "gemm-128x784x256",
];

/// Iterations before the clock counts.
const WARM_UP: usize = 3;

/// How to measure.
pub struct Bench<'a> {
    /// Protocol suite.
    pub suite: SuiteName,
    /// The shape of the links: "local", or a profile such as "40ms,100Mbps".
    pub links: &'a str,
    /// Iterations that count.
    pub iterations: usize,
    /// Threads of each party.
    pub threads: usize,
    /// Three threads of this process in place of three processes over TLS.
    pub in_process: bool,
    /// The program that has the `bench-party` command.
    pub program: &'a Path,
    /// Where the parties' logs go.
    pub scratch: &'a Path,
}

/// What the iterations of a measurement gave.
struct Run {
    seconds: Vec<f64>,
    reports: [Report; 3],
}

/// Measures `name`, calling `progress` after each iteration.
///
/// # Errors
/// An unknown name; everything that can go wrong in a run.
pub fn measure(name: &str, bench: &Bench<'_>, stop: &AtomicBool, progress: &mut dyn FnMut(u64, f64)) -> Result<Measurement> {
    if bench.iterations == 0 {
        return Err(Error::config("iterations", 0, "at least 1"));
    }
    if name == "gemm-128x784x256" {
        return Ok(gemm::measure(name, bench));
    }
    let operation = Operation::parse(name, bench.iterations + WARM_UP)?;
    let run = match (bench.suite, bench.in_process) {
        (SuiteName::Securenn, false) => processes::<SecureNn>(&operation, bench, stop, progress)?,
        (SuiteName::Masked, false) => processes::<Masked>(&operation, bench, stop, progress)?,
        (suite, true) => operation.in_process(suite, bench, progress)?,
    };
    let counted = &run.seconds[WARM_UP.min(run.seconds.len())..];
    let (reports, iterations) = (run.reports, run.seconds.len().max(1) as u64);
    let sent = |a: Id, b: Id| reports[a.index()].step_bytes[b.index()] / iterations;
    Ok(Measurement {
        name: name.into(),
        suite: bench.suite.to_string(),
        links: if bench.in_process { "in-process".into() } else { bench.links.into() },
        iterations: counted.len(),
        median_s: median(counted),
        min_s: counted.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: counted.iter().copied().fold(0.0, f64::max),
        bytes_total: reports.iter().flat_map(|r| r.step_bytes).sum::<u64>() / iterations,
        bytes_by_link: by_link(sent),
        rounds: reports[0].step_rounds.max(reports[1].step_rounds) as f64 / iterations as f64,
        peak_rss_bytes: by_party(&reports, |r| r.peak_rss),
        threads: bench.threads,
        machine: machine::describe(),
        commit: machine::commit().into(),
        gmac_per_s: None,
        gmac_per_s_reference: None,
    })
}

/// The job that a measurement's parties agree on; only its network and suite matter.
fn job(suite: SuiteName, operation: &Operation) -> Training {
    Training {
        suite,
        dataset: "random".into(),
        network: operation.network(),
        epochs: 1,
        batch: 128,
        lr: 0.1,
        lr_schedule: "constant".into(),
        momentum: 0.9,
        softmax: "exact".into(),
        truncation: "dealer".into(),
        fraction_bits: operation::fraction_bits(&operation.network()),
        seed: 1,
        regression: false,
        open: crate::training::all(),
        input_frac: 8,
        input_bits: 8,
        train_rows: 128,
        test_rows: 0,
    }
}

fn processes<S: Suite>(
    operation: &Operation,
    bench: &Bench<'_>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, f64),
) -> Result<Run> {
    let keys = [Identity::generate("P0")?, Identity::generate("P1")?, Identity::generate("P2")?];
    let client = Identity::generate("client")?;
    let timeout = Duration::from_secs(60);
    let training = job(bench.suite, operation);
    let start = |id: Id| -> Result<Start> {
        let config = party::Config {
            id,
            key: keys[id.index()].to_pem().to_string(),
            parties: [0, 1, 2].map(|i: usize| keys[i].fingerprint()),
            client: client.fingerprint(),
            operation: operation.clone(),
            training: training.clone(),
            timeout: timeout.as_secs_f64(),
            threads: bench.threads,
            links: (bench.links != "local").then(|| bench.links.to_owned()),
        };
        let line = serde_json::to_string(&config).map_err(|e| Error::config(id, e, "a configuration"))?;
        Ok(Start { id, args: vec!["bench-party".into()], env: vec![], first_line: Some(line) })
    };
    let parties = [start(Id::P0)?, start(Id::P1)?, start(Id::P2)?];
    let fleet = Fleet::start(bench.program, parties, bench.scratch, timeout, stop)?;
    let addresses = serde_json::to_string(&fleet.addresses).map_err(|e| Error::config("addresses", e, "three texts"))?;
    for id in Id::ALL {
        fleet.tell(id, &addresses)?;
    }
    let mut asked = vec![];
    if let Operation::Infer { batch, iterations, network } = operation {
        let addresses = Id::ALL.map(|id| Address {
            id,
            address: fleet.addresses[id.index()].clone(),
            fingerprint: keys[id.index()].fingerprint(),
        });
        let patience = Patience { connect: timeout, answer: timeout };
        let mut session = Session::open(&addresses, &client, patience)?;
        let x = operation::records(*batch, network.input.len());
        let outputs = batch * network.outputs()?;
        for i in 0..*iterations {
            let started = Instant::now();
            session.ask(&x, outputs, S::deal, S::reconstruct)?;
            asked.push(started.elapsed().as_secs_f64());
            progress(i as u64 + 1, asked[i]);
        }
    }
    let mut reports: [Option<Report>; 3] = Default::default();
    let mut seconds = vec![];
    loop {
        reports = match reports {
            [Some(a), Some(b), Some(c)] => {
                fleet.finish();
                // A client's own clock counts where there is a client.
                return Ok(Run { seconds: if asked.is_empty() { seconds } else { asked }, reports: [a, b, c] });
            }
            other => other,
        };
        match fleet.next(Instant::now() + timeout * 2)? {
            (Id::P0, Event::Step { step, seconds: s, .. }) => {
                seconds.push(s);
                if asked.is_empty() {
                    progress(step, s);
                }
            }
            (id, Event::Done(report)) => reports[id.index()] = Some(*report),
            _ => {}
        }
    }
}
