//! Steps of a network on random records: three processes over TLS, like any training.

use crate::demo::{Demo, Outcome, Progress, run};
use crate::summary::{by_link, by_party, median};
use crate::{Error, Job, Result, SuiteName, machine};
use ndarray::Array2;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use trefoil_data::{Dataset, Table};

/// One measurement: an object of the JSON list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it; docs/benchmarks.md lists them
pub struct Measurement {
    pub name: String,
    pub suite: String,
    pub network: String,
    pub iterations: usize,
    pub median_s: f64,
    pub min_s: f64,
    pub max_s: f64,
    /// Payload of an iteration on all links.
    pub bytes_total: u64,
    pub bytes_by_link: BTreeMap<String, u64>,
    pub rounds: f64,
    pub peak_rss_bytes: BTreeMap<String, u64>,
    pub threads: usize,
    pub machine: String,
    pub commit: String,
}

/// The names that [`measure`] knows.
pub const NAMES: [&str; 2] = ["train-784x256x10", "train-784x128x128x10"];
/// Steps before the clock counts.
const WARM_UP: usize = 3;
/// Records in a step.
const BATCH: usize = 128;

/// How to measure.
pub struct Bench<'a> {
    /// Protocol suite.
    pub suite: SuiteName,
    /// "local", or a profile such as "40ms,100Mbps".
    pub network: &'a str,
    /// Steps that count.
    pub iterations: usize,
    /// Threads of each party.
    pub threads: usize,
    /// The program that has the `party` command.
    pub program: &'a Path,
    /// Where the parties' logs go.
    pub scratch: &'a Path,
}

/// Measures `name`.
///
/// # Errors
/// An unknown name; everything that can go wrong in a run.
pub fn measure(name: &str, bench: &Bench<'_>, stop: &AtomicBool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Measurement> {
    let sizes = name.strip_prefix("train-").map(|n| n.split('x').map(str::parse).collect::<std::result::Result<Vec<usize>, _>>());
    let sizes = match sizes {
        Some(Ok(sizes)) if NAMES.contains(&name) => sizes,
        _ => return Err(Error::config("benchmark", name, NAMES.join(" or "))),
    };
    if bench.iterations == 0 {
        return Err(Error::config("iterations", 0, "at least 1"));
    }
    let data = random(&sizes, BATCH * (bench.iterations + WARM_UP));
    let job = Job {
        suite: bench.suite,
        dataset: String::new(),
        network: sizes[1..sizes.len() - 1].to_vec(),
        epochs: 1,
        batch: BATCH,
        lr: 0.1,
        lr_schedule: "constant".into(),
        momentum: 0.9,
        softmax: "exact".into(),
        truncation: "dealer".into(),
        fraction_bits: 16,
        seed: 1,
        input_frac: 0,
        input_bits: 0,
        train_rows: 0,
        test_rows: 0,
    };
    let demo = Demo {
        job: job.for_data(&data),
        owners: 1,
        threads: bench.threads,
        timeout: Duration::from_secs(60),
        run_dir: bench.scratch.to_owned(),
        program: bench.program.to_owned(),
        network: (bench.network != "local").then(|| bench.network.to_owned()),
        insecure_mask_seed: None,
        insecure_record: None,
    };
    let Outcome { summary, reports, step_seconds, .. } = run(&demo, &data, stop, progress)?;
    let counted = &step_seconds[WARM_UP.min(step_seconds.len())..];
    let steps = step_seconds.len() as u64;
    Ok(Measurement {
        name: name.into(),
        suite: summary.suite,
        network: bench.network.into(),
        iterations: counted.len(),
        median_s: median(counted),
        min_s: counted.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: counted.iter().copied().fold(0.0, f64::max),
        bytes_total: summary.bytes_per_step,
        bytes_by_link: by_link(|a, b| reports[a.index()].step_bytes[b.index()] / steps),
        rounds: summary.rounds_per_step,
        peak_rss_bytes: by_party(&reports, |r| r.peak_rss),
        threads: bench.threads,
        machine: machine::describe(),
        commit: machine::commit().into(),
    })
}

/// Records like images: bytes over 256, from a fixed sequence.
fn random(sizes: &[usize], rows: usize) -> Dataset {
    let (features, classes) = (sizes[0], sizes[sizes.len() - 1]);
    let mut at = 1u64;
    let mut next = move || {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        at >> 33
    };
    let mut table = |rows: usize| Table {
        x: Array2::from_shape_simple_fn((rows, features), || (next() % 256) as f64 / 256.0),
        y: (0..rows).map(|i| i % classes).collect(),
        frac: 8,
    };
    Dataset { name: "random".into(), classes, train: table(rows), test: table(BATCH) }
}
