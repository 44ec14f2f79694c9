//! A whole training on one machine: keys, three party processes, data owners, model owner, and the float baseline.

use crate::launch::Fleet;
use crate::party::{Event, PartyConfig};
use crate::report::{CostLine, Report};
use crate::run_folder::RunFolder;
use crate::summary::{Summary, by_link, by_party, median, together};
use crate::{Training, Result, SuiteName, machine, plain};
use ndarray::{Array2, concatenate};
use sha2::Digest;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use trefoil_client::{Address, Patience, model_owner, owner};
use trefoil_data::{Dataset, Table};
use trefoil_engine::{Format, fixed};
use trefoil_mpc::{Suite, masked::Masked, securenn::SecureNn};
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::network::names;
use trefoil_nn::train::LABEL;
use trefoil_nn::{Model, Trainer};
use trefoil_ring::Tensor;

/// What to run, beside the job.
pub struct Demo {
    /// The training.
    pub job: Training,
    /// How many data owners the records are split between.
    pub owners: usize,
    /// Threads of each party.
    pub threads: usize,
    /// How long a party waits for another.
    pub timeout: Duration,
    /// Where the evidence goes.
    pub run_dir: PathBuf,
    /// The program that has the `party` command: this one.
    pub program: PathBuf,
    /// A shaped network, "40ms,100Mbps".
    pub network: Option<String>,
    /// Masks from a seed: insecure.
    pub insecure_mask_seed: Option<u64>,
    /// Every frame received, for study: insecure.
    pub insecure_record: Option<PathBuf>,
}

/// What a run says while it goes on.
#[allow(missing_docs)] // the names say it
pub enum Progress<'a> {
    Phase(&'a str),
    Step { step: u64, total: u64, seconds: f64, bytes: u64 },
    Epoch { epoch: u64, loss: f64, accuracy: f64 },
    FloatEpoch { epoch: u64, loss: f64, accuracy: f64 },
}

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

/// What training in three processes gave.
struct Secure {
    reports: [Report; 3],
    steps: Vec<f64>,
    epochs: Vec<(u64, f64, f64)>,
    params: Vec<Array2<f64>>,
    seconds_sharing: f64,
}

/// Runs the demo. `stop` ends it cleanly; `progress` is called as it goes.
///
/// # Errors
/// Everything that can go wrong, named, with an exit code.
pub fn run(demo: &Demo, data: &Dataset, stop: &AtomicBool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Outcome> {
    let job = &demo.job;
    let trainer = job.trainer()?;
    let mut folder = RunFolder::create(&demo.run_dir, demo)?;
    let parts = (data.train.split(demo.owners, job.seed)?, data.test.split(demo.owners, job.seed)?);

    let started = Instant::now();
    let secure = match job.suite {
        SuiteName::Securenn => secure::<SecureNn>(demo, &trainer, &parts, &mut folder, stop, progress)?,
        SuiteName::Masked => secure::<Masked>(demo, &trainer, &parts, &mut folder, stop, progress)?,
    };
    let model = Model::new(&secure.params, input_name(job.input_frac))?;
    let model_file = folder.path("model.safetensors");
    model.save(&model_file)?;
    let seconds_total = started.elapsed().as_secs_f64();

    let (train, test) = (joined(&parts.0, data.train.frac), joined(&parts.1, data.test.frac));
    let model_test_accuracy = Model::load(&model_file)?.accuracy(&test.x, &test.y)?;
    progress(Progress::Phase("float baseline"));
    let mut on_epoch = |epoch, loss, accuracy| progress(Progress::FloatEpoch { epoch, loss, accuracy });
    let float = plain::train(job, &trainer, &train, &test, stop, &mut on_epoch)?;

    let difference = |(a, b): (&Array2<f64>, &Array2<f64>)| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let steps = secure.steps.len() as u64;
    let reports = secure.reports;
    let per_step = |x: u64| x / steps.max(1);
    let summary = Summary {
        suite: job.suite.to_string(),
        network: job.network_name(),
        dataset: job.dataset.clone(),
        train_rows: job.train_rows,
        test_rows: job.test_rows,
        owners: demo.owners,
        epochs: job.epochs,
        batch: job.batch,
        lr: job.lr,
        momentum: job.momentum,
        steps,
        seconds_per_step_median: median(&secure.steps),
        seconds_total,
        seconds_sharing: secure.seconds_sharing,
        seconds_float: float.seconds,
        bytes_per_step: per_step(reports.iter().flat_map(|r| r.step_bytes).sum()),
        bytes_sent: by_party(&reports, |r| r.sent.iter().sum()),
        wire_bytes_sent: by_party(&reports, |r| r.wire.iter().sum()),
        bytes_by_link_per_step: by_link(|a, b| per_step(reports[a.index()].step_bytes[b.index()])),
        rounds_per_step: reports[0].step_rounds.max(reports[1].step_rounds) as f64 / steps.max(1) as f64,
        secure_test_accuracy: secure.epochs.last().map_or(0.0, |e| e.2),
        model_test_accuracy,
        float_test_accuracy: float.accuracy(),
        secure_loss: secure.epochs.last().map_or(0.0, |e| e.1),
        float_loss: float.epochs.last().map_or(0.0, |e| e.0),
        max_weight_difference: secure.params.iter().zip(&float.params).map(difference).fold(0.0, f64::max),
        fraction_bits: job.fraction_bits,
        seed: job.seed,
        softmax: job.softmax.clone(),
        truncation: if job.suite == SuiteName::Masked { "exact".into() } else { job.truncation.clone() },
        expected_wraps: crate::wraps::expected(job, &trainer)?,
        peak_rss_bytes: by_party(&reports, |r| r.peak_rss),
        threads: demo.threads,
        masks: if demo.insecure_mask_seed.is_some() { "insecure: from a seed" } else { "from the operating system" }.into(),
        machine: machine::describe(),
        version: machine::version(),
    };
    let cost = together(&reports);
    folder.finish(&summary, &cost, &secure.epochs, &float.epochs)?;
    Ok(Outcome { summary, reports, cost, step_seconds: secure.steps })
}

/// How a model file names the scaling of features with these fraction bits.
pub fn input_name(frac: u8) -> &'static str {
    if frac == 8 { "p/256" } else { "standardised" }
}

/// The owners' parts, one after the other: the order in which the parties hold them.
pub fn joined(parts: &[Table], frac: u8) -> Table {
    let views: Vec<_> = parts.iter().map(|t| t.x.view()).collect();
    let x = concatenate(ndarray::Axis(0), &views).unwrap_or_default();
    Table { x, y: parts.iter().flat_map(|t| t.y.clone()).collect(), frac }
}

fn secure<S: Suite>(
    demo: &Demo,
    trainer: &Trainer,
    parts: &(Vec<Table>, Vec<Table>),
    folder: &mut RunFolder,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Secure> {
    let job = &demo.job;
    progress(Progress::Phase("keys and connections"));
    let keys = [Identity::generate("P0")?, Identity::generate("P1")?, Identity::generate("P2")?];
    let owners =
        (0..demo.owners).map(|i| Identity::generate(&format!("owner-{}", i + 1))).collect::<std::result::Result<Vec<_>, _>>()?;
    let model_owner = Identity::generate("model-owner")?;
    let config = |id: Id| PartyConfig {
        id,
        listen: "127.0.0.1:0".into(),
        key: keys[id.index()].to_pem().to_string(),
        parties: [0, 1, 2].map(|i: usize| keys[i].fingerprint()),
        owners: owners.iter().map(Identity::fingerprint).collect(),
        model_owner: model_owner.fingerprint(),
        job: job.clone(),
        timeout: demo.timeout.as_secs_f64(),
        threads: demo.threads,
        network: demo.network.clone(),
        insecure_mask_seed: demo.insecure_mask_seed,
        insecure_record: demo.insecure_record.clone(),
        bench: None,
    };
    let configs = Id::ALL.map(config);
    let terms = &configs[0].terms();
    let fleet = Fleet::start(&demo.program, &configs, &demo.run_dir, stop)?;
    let addresses = Id::ALL.map(|id| Address {
        id,
        address: fleet.addresses[id.index()].clone(),
        fingerprint: keys[id.index()].fingerprint(),
    });
    let patience = Patience { connect: demo.timeout, answer: demo.timeout * 10 };

    progress(Progress::Phase("data owners share their records"));
    let mut run = Watch::new(&fleet, patience.answer, trainer.total_steps());
    std::thread::scope(|scope| -> Result<()> {
        let (sender, outcomes) = std::sync::mpsc::channel();
        for (i, (identity, (train, test))) in owners.iter().zip(parts.0.iter().zip(&parts.1)).enumerate() {
            let (addresses, sender) = (&addresses, sender.clone());
            let seed = seeds(demo.insecure_mask_seed, i);
            scope.spawn(move || {
                let upload = || -> Result<()> {
                    let tensors = matrices(job, train, test)?;
                    owner::upload(addresses, identity, terms, &tensors, S::deal, seed, patience)?;
                    Ok(())
                };
                // Nobody listens any more only where the run has failed already.
                let _ = sender.send(upload());
            });
        }
        drop(sender);
        let shared = run.until_shared(&outcomes, folder, progress);
        if shared.is_err() {
            // The uploads end with the parties.
            fleet.end();
        }
        shared
    })?;
    progress(Progress::Phase("training on shares"));
    run.until_trained(folder, progress)?;

    progress(Progress::Phase("model owner reconstructs the model"));
    let weights = trainer.scales().weight;
    let shapes: Vec<(String, [usize; 2])> = job
        .network
        .windows(2)
        .flat_map(|w| [[w[1], w[0]], [1, w[1]]])
        .zip(names(job.network.len() - 1))
        .map(|(shape, name)| (name, shape))
        .collect();
    let tensors = model_owner::fetch(&addresses, &model_owner, terms, &shapes, S::reconstruct, patience)?;
    let params = tensors.iter().map(|t| fixed::decode(t, weights)).collect();
    let reports = run.until_done(folder, progress)?;
    let Watch { steps, epochs, sharing, .. } = run;
    fleet.finish();
    Ok(Secure { reports, steps, epochs, params, seconds_sharing: sharing })
}

/// Where an owner's masks come from: the operating system, unless the run asks for insecure ones by name.
fn seeds(insecure: Option<u64>, owner: usize) -> impl FnMut() -> trefoil_client::Result<[u8; 32]> {
    let mut chunk = 0u64;
    move || match insecure {
        None => owner::fresh_seed(),
        Some(seed) => {
            chunk += 1;
            let text = format!("insecure owner seed {seed} {owner} {chunk}");
            Ok(sha2::Sha256::digest(text.as_bytes()).into())
        }
    }
}

/// An owner's four matrices as ring elements.
fn matrices(job: &Training, train: &Table, test: &Table) -> Result<Vec<(String, Tensor, u8)>> {
    let classes = job.network[job.network.len() - 1];
    let encode = |name: &str, x: &Array2<f64>, format: Format| -> Result<(String, Tensor, u8)> {
        Ok((name.to_owned(), fixed::encode(x, format)?, format.frac))
    };
    Ok(vec![
        encode("train.x", &train.x, job.input())?,
        encode("train.y", &train.one_hot(classes), LABEL)?,
        encode("test.x", &test.x, job.input())?,
        encode("test.y", &test.one_hot(classes), LABEL)?,
    ])
}

/// Follows the parties through a run. A helper that runs ahead may be through before the others have begun, so that
/// every event counts whenever it comes.
struct Watch<'f, 's> {
    fleet: &'f Fleet<'s>,
    patience: Duration,
    total: u64,
    shared: usize,
    trained: usize,
    reports: [Option<Report>; 3],
    steps: Vec<f64>,
    epochs: Vec<(u64, f64, f64)>,
    sharing: f64,
    /// Bytes of each step and how many parties have told theirs.
    bytes: BTreeMap<u64, (u64, u8)>,
}

impl<'f, 's> Watch<'f, 's> {
    fn new(fleet: &'f Fleet<'s>, patience: Duration, total: u64) -> Self {
        let (steps, epochs, bytes) = (vec![], vec![], BTreeMap::new());
        Watch { fleet, patience, total, shared: 0, trained: 0, reports: Default::default(), steps, epochs, sharing: 0.0, bytes }
    }

    fn next(&self) -> Result<(Id, Event)> {
        self.fleet.next(Instant::now() + self.patience)
    }

    /// Until all three parties have everything; an owner's failure counts as well, unless a party knows the cause.
    fn until_shared(
        &mut self,
        owners: &Receiver<Result<()>>,
        folder: &mut RunFolder,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let mut failed = None;
        while self.shared < 3 {
            if let Some((id, event)) = self.fleet.poll()? {
                self.take(id, event, folder, progress)?;
            }
            if let Some((at, e)) = failed.take() {
                if Instant::now() > at + Duration::from_secs(1) {
                    return Err(e);
                }
                failed = Some((at, e));
            } else if let Ok(Err(e)) = owners.try_recv() {
                failed = Some((Instant::now(), e));
            }
        }
        Ok(())
    }

    fn until_trained(&mut self, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        while self.trained < 3 {
            let (id, event) = self.next()?;
            self.take(id, event, folder, progress)?;
        }
        Ok(())
    }

    fn until_done(&mut self, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<[Report; 3]> {
        loop {
            match std::mem::take(&mut self.reports) {
                [Some(a), Some(b), Some(c)] => return Ok([a, b, c]),
                other => self.reports = other,
            }
            let (id, event) = self.next()?;
            self.take(id, event, folder, progress)?;
        }
    }

    fn take(&mut self, id: Id, event: Event, folder: &mut RunFolder, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        folder.event(id, &event)?;
        match event {
            Event::Shared { seconds, .. } => {
                self.sharing = self.sharing.max(seconds);
                self.shared += 1;
            }
            Event::Trained => self.trained += 1,
            Event::Done(report) => self.reports[id.index()] = Some(*report),
            Event::Step { step, seconds, bytes: sent, .. } => {
                if id == Id::P0 {
                    self.steps.push(seconds);
                }
                let sum = self.bytes.entry(step).or_default();
                *sum = (sum.0 + sent, sum.1 + 1);
                if sum.1 == 3 {
                    let all = sum.0;
                    self.bytes.remove(&step);
                    let seconds = self.steps.last().copied().unwrap_or_default();
                    progress(Progress::Step { step, total: self.total, seconds, bytes: all });
                }
            }
            Event::Epoch { epoch, loss: Some(loss), metric: Some(accuracy), .. } if id == Id::P0 => {
                self.epochs.push((epoch, loss, accuracy));
                progress(Progress::Epoch { epoch, loss, accuracy });
            }
            _ => {}
        }
        Ok(())
    }
}
