//! Two owners of so many rows each find which of them both have: from identifiers in memory to the joined rows, by three parties over TLS. Both
//! owners are this process; half of the identifiers of each are the other's.

use super::settings::{Bench, Measurement};
use crate::demo::Demo;
use crate::demo::job::{self, Keys};
use crate::demo::parties::{self, Folders};
use crate::summary::median;
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use trefoil_client::Patience;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::join::Joining;
use trefoil_data::{Dataset, Samples};
use trefoil_job::{Job, sharing, train};
use trefoil_net::identity::Identity;
use trefoil_nn::TrainSpec;
use trefoil_server::{Error, Result, machine};

/// How many rows each owner has, by the name of the measurement.
pub(super) fn rows(name: &str) -> Option<usize> {
    name.strip_prefix("join-")?.parse().ok()
}

/// Joins again and again, each time in a job of its own.
///
/// # Errors
/// Everything that can go wrong in a run; a join that is not the plain one.
pub(super) fn measure(name: &str, rows: usize, bench: &Bench<'_>, stop: &AtomicBool) -> Result<Measurement> {
    let keys = Keys::generate(2)?;
    let demo = demo(bench)?;
    // Declared first, dropped last: the parties have ended by then.
    let folders = Folders::create(bench.scratch)?;
    let fleet = parties::start(&demo.0, &keys, &folders, stop)?;
    let patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(600) };
    let (cpu, started, mut seconds) = (machine::cpu_seconds(), Instant::now(), vec![]);
    while seconds.is_empty() || (seconds.len() < bench.iterations && started.elapsed() < bench.most) {
        let job = job::job(&demo.0, &demo.1, &keys, &fleet.addresses);
        let job = of_two(Job { name: format!("join {}", seconds.len()), ..job });
        for operator in &keys.parties {
            sharing::approve(&job, operator, None, patience, &mut |_| ())?;
        }
        // Names of people, in different orders.
        let of = |from: usize, stride: usize| -> Vec<Vec<u8>> {
            (0..rows).map(|i| format!("person {:08}", from + i * stride % rows).into_bytes()).collect()
        };
        let identifiers = [of(0, 7919), of(rows / 2, 104_729)];
        let begun = Instant::now();
        let join = |owner: &Identity, identifiers: &[Vec<u8>]| -> Result<Vec<u32>> {
            let approval = Approval::sign(owner, job.hash(), Role::DataOwner)?;
            let joining = Joining { parties: &job.addresses(), identity: owner, approval: &approval, patience, pad: None };
            Ok(joining.run(identifiers, &mut |_| Ok(()))?)
        };
        let [one, two] = std::thread::scope(|scope| {
            let other = scope.spawn(|| join(&keys.owners[1], &identifiers[1]));
            let own = join(&keys.owners[0], &identifiers[0]);
            [own, other.join().unwrap_or_else(|_| Err(Error::config("join", "a panic", "an end")))]
        });
        seconds.push(begun.elapsed().as_secs_f64());
        let (one, two) = (one?, two?);
        let same = one.iter().zip(&two).all(|(a, b)| identifiers[0].get(*a as usize) == identifiers[1].get(*b as usize));
        if !same || one.len() != rows - rows / 2 || two.len() != one.len() {
            return Err(Error::config(name, format!("{} and {} rows", one.len(), two.len()), "those of a plain join"));
        }
    }
    let cpu = (machine::cpu_seconds() - cpu) / seconds.len() as f64;
    let steady_s = seconds.iter().sum::<f64>() / seconds.len() as f64;
    Ok(Measurement {
        name: name.into(),
        suite: "none".into(),
        optimiser: None,
        links: bench.links.into(),
        iterations: seconds.len(),
        steady_s,
        median_s: median(&seconds),
        min_s: seconds.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: seconds.iter().copied().fold(0.0, f64::max),
        cpu_s: [("owners".to_owned(), cpu)].into(),
        floor_s: 0.0,
        cpu_to_floor: None,
        bytes_total: 0,
        bytes_by_link: Default::default(),
        rounds: 0.0,
        peak_rss_bytes: [("owners".to_owned(), machine::peak_rss())].into(),
        queue_bound_bytes: 0,
        queue_peak_bytes: Default::default(),
        threads: bench.threads,
        machine: machine::describe(),
        commit: machine::commit().into(),
        gmac_per_s: None,
        gmac_per_s_reference: None,
    })
}

/// A job of a column each, of which the second owner has the label.
fn of_two(mut job: Job) -> Job {
    for (owner, column) in job.owner.iter_mut().zip(["a", "b"]) {
        owner.columns = vec![column.into()];
    }
    job.owner.iter_mut().skip(1).for_each(|owner| owner.label = true);
    job
}

/// Parties for a job that nobody trains.
fn demo(bench: &Bench<'_>) -> Result<(Demo, Dataset)> {
    let column = |name: &str| json!({ "kind": "number", "name": name, "mean": 0.0, "deviation": 1.0 });
    let schema = json!({
        "task": "classification", "partition": "vertical", "id": "id", "label": "y", "classes": ["0", "1"],
        "columns": [column("a"), column("b")],
    });
    let schema = serde_json::from_value(schema).map_err(|e| Error::config("schema", e, "a schema"))?;
    let samples = Samples::new(vec![0; 4], 4);
    let data = Dataset { name: "join".into(), schema, train: samples.clone(), test: samples };
    let demo = Demo {
        training: train::training(TrainSpec::default(), &data),
        start: None,
        suite: bench.chosen(),
        owners: 2,
        threads: bench.threads,
        timeout: Duration::from_secs(600),
        run_dir: bench.scratch.to_owned(),
        program: bench.program.to_owned(),
        page: None,
        links: None,
        insecure_mask_seed: None,
        insecure_record: None,
    };
    Ok((demo, data))
}
