//! A whole training on one machine: three parties as real servers, data owners, model owner, and the float baseline.
//!
//! | where | what |
//! |---|---|
//! | [`job`] | the job that the parties approve, and an owner's records as it shares them |
//! | `settings` | what to run, and what a run says |
//! | `parties` | three servers in a run folder |
//! | `secure` | the training: approval, sharing, steps, model |
//! | `watch` | what the parties say, followed |
//! | `page` | the same in a browser, and a record beside what the parties hold of it |

pub mod job;
mod page;
pub(crate) mod parties;
mod secure;
mod settings;
mod watch;

pub use page::Page;
pub use settings::{Demo, Progress};

use crate::report::HeldOut;
use crate::run_folder::{Evidence, RunFolder};
use crate::summary::{Summary, by_link, by_party, median, together};
use ndarray::Array2;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use trefoil_data::schema::{Column, Schema};
use trefoil_data::{Dataset, Samples};
use trefoil_job::suites::{Chosen, SuiteName};
use trefoil_job::{evaluate, plain};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Figure, Graph, Model};
use trefoil_server::report::{CostLine, Report};
use trefoil_server::{Result, machine};

/// A finished run.
pub struct Outcome {
    /// As in `summary.json`.
    pub summary: Summary,
    /// The reports of P0, P1 and P2.
    pub reports: [Report; 3],
    /// Their costs as one, by layer and label.
    pub cost: Vec<CostLine>,
    /// Seconds of each step at P0.
    pub step_seconds: Vec<f64>,
}

/// Runs the demo. `stop` ends it cleanly; `progress` is called as it goes.
///
/// # Errors
/// Everything that can go wrong, named, with an exit code.
pub fn run(demo: &Demo, data: &Dataset, stop: &AtomicBool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Outcome> {
    let progress = &mut |event: Progress<'_>| {
        demo.page.iter().for_each(|page| page.on(&event));
        progress(event);
    };
    let training = &demo.training;
    let trainer = demo.trainer(&data.schema)?;
    demo.page
        .iter()
        .for_each(|page| page.about(&format!("{}, {}, {} owners", data.name, trainer.network().graph(), demo.owners)));
    let mut folder = RunFolder::create(&demo.run_dir, &demo.config())?;
    let parts = (data.train.split(demo.owners, training.spec.seed)?, data.test.split(demo.owners, training.spec.seed)?);

    let started = Instant::now();
    let secure = secure::train(demo, data, &parts, trainer.total_steps(), &mut folder, stop, progress)?;
    let model = model(&data.schema, trainer.network().graph(), &secure.params)?;
    let model_file = folder.path("model.safetensors");
    model.save(&model_file)?;
    let seconds_total = started.elapsed().as_secs_f64();

    // In the order in which the parties hold them.
    let (train, test) = (Samples::joined(&parts.0), Samples::joined(&parts.1));
    let model = Model::load(&model_file)?;
    let found = evaluate::figures(&model, &data.schema, &test)?;
    let held_out = HeldOut::of(&model, &data.schema, &test)?;
    progress(Progress::Phase("float baseline"));
    let mut on_epoch = |epoch, loss, accuracy, _: &[Figure]| progress(Progress::FloatEpoch { epoch, loss, accuracy });
    let float = plain::train(&trainer, &data.schema, [&train, &test], stop, &mut on_epoch)?;

    let difference = |(a, b): (&Array2<f64>, &Array2<f64>)| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let steps = secure.steps.len() as u64;
    let reports = secure.reports;
    // Of the epoch whose model it is.
    let of_model = secure.epochs.iter().rev().find(|(epoch, ..)| secure.model_epoch.is_none_or(|model| model == *epoch));
    let (secure_loss, secure_test_accuracy) = of_model.map_or((0.0, 0.0), |(_, loss, accuracy)| (*loss, *accuracy));
    let per_step = |x: u64| x / steps.max(1);
    let summary = Summary {
        suite: demo.suite.suite.to_string(),
        network: trainer.network().graph().to_string(),
        links: demo.links.clone().unwrap_or_else(|| "local".into()),
        dataset: data.name.clone(),
        train_rows: training.records.train_rows,
        test_rows: training.records.test_rows,
        owners: demo.owners,
        train: training.spec.clone(),
        steps,
        epoch: secure.model_epoch,
        seconds_per_step_median: median(&secure.steps),
        seconds_total,
        seconds_sharing: secure.seconds_sharing,
        seconds_float: float.seconds,
        bytes_per_step: per_step(reports.iter().flat_map(|r| r.step_bytes).sum()),
        bytes_sent: by_party(&reports, |r| r.sent.iter().sum()),
        wire_bytes_sent: by_party(&reports, |r| r.wire.iter().sum()),
        bytes_by_link_per_step: by_link(|a, b| per_step(reports[a.index()].step_bytes[b.index()])),
        rounds_per_step: reports[0].step_rounds.max(reports[1].step_rounds) as f64 / steps.max(1) as f64,
        secure_test_accuracy,
        model_test_accuracy: found.accuracy.unwrap_or_default(),
        float_test_accuracy: float.figures().1,
        secure_loss,
        float_loss: float.figures().0,
        figures: of_model.and_then(|(epoch, ..)| secure.figures.get(epoch).cloned()).unwrap_or_default(),
        float_figures: float.held_out().to_vec(),
        max_weight_difference: secure.params.iter().zip(&float.params).map(difference).fold(0.0, f64::max),
        fraction_bits: trainer.scales().activation.frac,
        truncation: match demo.suite {
            Chosen { suite: SuiteName::Masked, .. } => "exact".into(),
            Chosen { suite: SuiteName::Verified, .. } => "proven, within 1.5 units".into(),
            Chosen { truncation: Truncation::Dealer, .. } => "dealer".into(),
            Chosen { truncation: Truncation::Local, .. } => "local".into(),
        },
        expected_wraps: crate::wraps::expected(demo.suite.truncation, &trainer),
        peak_rss_bytes: by_party(&reports, |r| r.peak_rss),
        threads: demo.threads,
        masks: if demo.insecure_mask_seed.is_some() { "insecure: from a seed" } else { "from the operating system" }.into(),
        machine: machine::describe(),
        version: machine::version(),
    };
    let cost = together(&reports);
    folder.finish(&Evidence {
        summary: &summary,
        reports: &reports,
        cost: &cost,
        held_out: held_out.as_ref(),
        epochs: &secure.epochs,
        float: &float.epochs,
    })?;
    let [shares, clear] = [summary.secure_test_accuracy, summary.float_test_accuracy].map(|accuracy| 100.0 * accuracy);
    demo.page.iter().for_each(|page| page.done(&format!("accuracy {shares:.2}% on shares, {clear:.2}% in the clear")));
    Ok(Outcome { summary, reports, cost, step_seconds: secure.steps })
}

/// The model with what its user must know of records. Of images that is a word, so that their columns need no names.
fn model(schema: &Schema, network: &Graph, params: &[Array2<f64>]) -> Result<Model> {
    match pixels(schema) {
        true => Ok(Model::new(network, params, PIXELS)?.with_classes(&schema.classes)?),
        false => Ok(evaluate::model(schema, network, params)?),
    }
}

/// How a model file says that features are grey levels p as p/256.
pub const PIXELS: &str = "p/256";

/// Whether all features are grey levels.
pub fn pixels(schema: &Schema) -> bool {
    schema.columns.iter().all(|column| matches!(column, Column::Pixels { .. }))
}
