//! Inference as it is used: three parties with a trained job whose model stays on shares, and a client that asks them a question every tenth
//! of a second. The client's clock counts, from the records to the answer; the parties say what a pass took.

use super::operation::{Operation, images};
use super::pace::Pace;
use super::settings::Bench;
use crate::demo::Demo;
use crate::demo::job::{self, Keys, Rows};
use crate::demo::parties::{self, Folders};
use crate::launch::{Fleet, Line};
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use trefoil_client::Patience;
use trefoil_data::{Dataset, Samples};
use trefoil_job::service::{Asking, Clients, Limits, Origin, Serve};
use trefoil_job::{Job, Member, Service, sharing, train};
use trefoil_net::identity::Identity;
use trefoil_nn::graph::Form;
use trefoil_nn::{Graph, Reveal};
use trefoil_server::{Error, Event, Result};

/// From one question to the next, at least.
const EVERY: Duration = Duration::from_millis(100);

/// Records that the job is trained with, in one step.
const ROWS: usize = 8;

/// More records than anybody asks about.
const ENOUGH: u64 = 1 << 40;

/// Asks until enough is measured: what the parties said of each pass, and the client's seconds.
///
/// # Errors
/// Everything that can go wrong in a run.
pub(super) fn ask(
    operation: &Operation,
    network: &Graph,
    batch: usize,
    bench: &Bench<'_>,
    stop: &AtomicBool,
) -> Result<(Pace, Vec<f64>)> {
    let (keys, client) = (Keys::generate(1)?, Identity::generate("client")?);
    let data = dataset(network)?;
    let mut spec = operation.training()?.spec;
    (spec.batch, spec.epochs, spec.lr) = (ROWS, 1, 0.01);
    spec.network = Some(Form::Graph(network.clone()));
    let demo = Demo {
        training: train::training(spec, &data),
        start: None,
        suite: bench.chosen(),
        owners: 1,
        threads: bench.threads,
        timeout: Duration::from_secs(60),
        run_dir: bench.scratch.to_owned(),
        program: bench.program.to_owned(),
        page: None,
        links: bench.shaped(),
        insecure_mask_seed: None,
        insecure_record: None,
    };
    // Declared first, dropped last: the parties have ended by then.
    let folders = Folders::create(bench.scratch)?;
    let fleet = parties::start(&demo, &keys, &folders, stop)?;
    let patience = Patience { connect: Duration::from_secs(2), answer: demo.timeout * 10 };
    let service = serve(&demo, &data, &keys, &client, &fleet, patience)?;

    let asking = &mut Asking::open(&service, &client, patience)?;
    let x = images(batch, network.input.len());
    let (mut pace, mut asked) = (bench.pace(), vec![]);
    while !pace.over() {
        let started = Instant::now();
        asking.answers(&x)?;
        let seconds = started.elapsed().as_secs_f64();
        // What P0 and P1 say of this pass; P2 has dealt it before, or another. Until the parties have met for passes of this size a
        // question goes through a larger one, and does not count.
        let (mut said, mut counts) = ([false; 2], true);
        while said != [true; 2] {
            if let (id, Line::Event(Event::Pass { records, lap })) = fleet.next(Instant::now() + demo.timeout)? {
                if let Some(said) = said.get_mut(id.index()) {
                    *said = true;
                    counts &= records == batch;
                }
                if records == batch {
                    pace.lap(id, lap);
                }
            }
        }
        if counts {
            asked.push(seconds);
        }
        std::thread::sleep(EVERY.saturating_sub(started.elapsed()));
    }
    Ok((pace, asked))
}

/// A job is trained, and its model is served.
fn serve(demo: &Demo, data: &Dataset, keys: &Keys, client: &Identity, fleet: &Fleet<'_>, patience: Patience) -> Result<Service> {
    let client = Clients::Fixed(vec![Member { name: "client".into(), fingerprint: client.fingerprint(), address: None }]);
    let reveal = Reveal::Probabilities;
    let serve = Serve { reveal, client: client.clone(), records: ENOUGH };
    let job = Job { serve: Some(serve), ..job::job(demo, data, keys, &fleet.addresses) };
    for operator in &keys.parties {
        sharing::approve(&job, operator, None, patience, &mut |_| ())?;
    }
    let mut rows = Rows::new(&data.train, &data.test);
    for owner in &keys.owners {
        let width = rows.width();
        sharing::send(&job, owner, &mut rows, width, patience, None, &|_, _| ())?;
    }
    let mut trained = [false; 3];
    while trained != [true; 3] {
        if let (id, Line::Event(Event::Trained { .. })) = fleet.next(Instant::now() + patience.answer)? {
            trained[id.index()] = true;
        }
    }
    let service = Service {
        name: job.name.clone(),
        model: Origin::Job(job.hash()),
        party: job.party.clone(),
        client,
        reveal,
        limits: Limits { records_a_question: 128, records_an_hour: ENOUGH, records: ENOUGH },
        until: "9999-12-31".into(),
    };
    for operator in &keys.parties {
        service.approve(operator, patience)?;
    }
    Ok(service)
}

/// Images of this network's size.
fn dataset(network: &Graph) -> Result<Dataset> {
    let (features, classes) = (network.input.len(), network.outputs()?);
    let names: Vec<String> = (0..classes).map(|i| i.to_string()).collect();
    let schema = json!({
        "task": "classification", "label": "label", "classes": names, "holdout": 0,
        "columns": [{ "kind": "pixels", "name": "pixel", "count": features }],
    });
    let schema = serde_json::from_value(schema).map_err(|e| Error::config("schema", e, "a schema"))?;
    let row = |i: usize| {
        let pixels = (0..features).map(move |j| ((i * 131 + j * 7) % 256) as i64);
        pixels.chain((0..classes).map(move |class| i64::from(class == i % classes)))
    };
    let samples = Samples::new((0..ROWS).flat_map(row).collect(), features + classes);
    Ok(Dataset { name: "images".into(), schema, train: samples.clone(), test: samples })
}
