//! Measurements: one operation again and again, by three processes over TLS or by three threads.

mod gemm;
mod join;
mod lanes;
mod names;
mod operation;
mod pace;
pub mod party;
mod plan;
mod service;
mod settings;

pub use lanes::{InLanes, in_lanes};
pub use names::names;
pub use operation::Operation;
pub use plan::{Planned, plan};
pub use settings::{Bench, Measurement};

use crate::launch::{Fleet, Line, Start};
use crate::summary::{by_link, median};
use pace::Pace;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use trefoil_job::suites::Chosen;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::{Graph, OptimiserKind};
use trefoil_server::{Error, Result, machine};

/// Steps that are taken to find out how long one is.
const FEW: usize = 12;

/// Measures `name`.
///
/// # Errors
/// An unknown name; everything that can go wrong in a run.
pub fn measure(name: &str, bench: &Bench<'_>, stop: &AtomicBool) -> Result<Measurement> {
    if bench.iterations == 0 {
        return Err(Error::config("iterations", 0, "at least 1"));
    }
    match (name, join::rows(name)) {
        (_, Some(rows)) => join::measure(name, rows, bench, stop),
        ("gemm-128x784x256", _) => gemm::measure(name, bench),
        _ => measure_operation(name, &Operation::parse(name, bench.optimiser)?, bench, stop),
    }
}

/// Measures an operation under a name of one's own.
///
/// # Errors
/// As for [`measure`].
pub fn measure_operation(name: &str, operation: &Operation, bench: &Bench<'_>, stop: &AtomicBool) -> Result<Measurement> {
    bench.has(operation)?;
    let rate = gemm::rate()?;
    let (pace, asked) = match bench.in_process {
        false => match operation {
            Operation::Infer { network, batch } => service::ask(operation, network, *batch, bench, stop)?,
            _ => (processes(operation, bench, stop)?, vec![]),
        },
        true => (operation.in_process(bench)?, vec![]),
    };
    // A client's own clock counts where there is a client.
    let mut seconds = if asked.is_empty() { pace.seconds() } else { asked[pace.range()].to_vec() };
    // It ends when the slowest party has done as many; a faster one may have done another.
    seconds.truncate(bench.iterations);
    let steady_s = if asked.is_empty() { pace.steady() } else { seconds.iter().sum::<f64>() / seconds.len() as f64 };
    // Three threads of one process cannot tell whose processor time it is.
    let usage: Vec<(String, (f64, f64))> = match bench.in_process {
        true => vec![("all".into(), pace.usage(0))],
        false => Id::ALL.iter().map(|id| (id.to_string(), pace.usage(id.index()))).collect(),
    };
    let cpu: f64 = usage.iter().map(|(_, (cpu, _))| cpu).sum();
    let floor_s = usage.iter().map(|(_, (_, macs))| macs).sum::<f64>() / rate;
    let sent = |a: Id, b: Id| pace.per_lap(a.index(), |lap| lap.sent[b.index()] as f64);
    let queued = |a: Id, b: Id| {
        let [at_sender, at_receiver] = [pace.last(a.index()).queued[b.index()][0], pace.last(b.index()).queued[a.index()][1]];
        at_sender.max(at_receiver) as u64
    };
    Ok(Measurement {
        name: name.into(),
        suite: bench.suite.to_string(),
        optimiser: operation.optimiser(),
        links: if bench.in_process { "in-process".into() } else { bench.links.into() },
        iterations: seconds.len(),
        steady_s,
        median_s: median(&seconds),
        min_s: seconds.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: seconds.iter().copied().fold(0.0, f64::max),
        cpu_s: usage.into_iter().map(|(who, (cpu, _))| (who, cpu)).collect(),
        floor_s,
        cpu_to_floor: (floor_s > 0.0).then(|| cpu / floor_s),
        bytes_total: Id::ALL.into_iter().flat_map(|a| a.others().map(|b| sent(a, b))).sum::<f64>().round() as u64,
        bytes_by_link: by_link(|a, b| sent(a, b).round() as u64),
        rounds: [0, 1].map(|i| pace.per_lap(i, |lap| f64::from(lap.rounds))).into_iter().fold(0.0, f64::max),
        peak_rss_bytes: Id::ALL.iter().map(|id| (id.to_string(), pace.peak_rss(id.index()))).collect(),
        queue_bound_bytes: bench.queue_bytes as u64,
        queue_peak_bytes: by_link(queued),
        threads: bench.threads,
        machine: machine::describe(),
        commit: machine::commit().into(),
        gmac_per_s: None,
        gmac_per_s_reference: None,
    })
}

/// How long a step takes on this machine where links cost nothing: the mean of a few, by three parties on threads of this process, which
/// compute on so many threads together.
///
/// # Errors
/// Those of the training.
pub fn step_seconds(network: Graph, batch: usize, optimiser: OptimiserKind, suite: Chosen, threads: usize) -> Result<f64> {
    let operation = Operation::Train { network, batch, optimiser };
    let bench = Bench {
        suite: suite.suite,
        optimiser,
        links: "local",
        iterations: FEW,
        most: Duration::from_secs(60),
        queue_bytes: trefoil_net::QUEUE_BYTES,
        threads,
        in_process: true,
        program: Path::new(""),
        scratch: Path::new(""),
    };
    Ok(operation.in_process(&bench)?.steady())
}

/// Three processes over TLS: what they said.
fn processes(operation: &Operation, bench: &Bench<'_>, stop: &AtomicBool) -> Result<Pace> {
    let keys = [Identity::generate("P0")?, Identity::generate("P1")?, Identity::generate("P2")?];
    let timeout = Duration::from_secs(60);
    let training = operation.training()?;
    let start = |id: Id| -> Result<Start> {
        let config = party::Config {
            id,
            key: keys[id.index()].to_pem().to_string(),
            parties: [0, 1, 2].map(|i: usize| keys[i].fingerprint()),
            operation: operation.clone(),
            suite: bench.chosen(),
            training: training.clone(),
            timeout: timeout.as_secs_f64(),
            queue_bytes: bench.queue_bytes,
            threads: bench.threads,
            links: bench.shaped(),
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
    let mut pace = bench.pace();
    // The next iteration of any party; whether enough is measured. The parties end with the fleet.
    let mut next = || loop {
        if let (id, Line::Lap(lap)) = fleet.next(Instant::now() + timeout * 2)? {
            return Ok::<bool, Error>(pace.lap(id, lap));
        }
    };
    while !next()? {}
    Ok(pace)
}
