//! The training on shares: operators approve the job, owners share their records, the parties train, the model owner gets the model.

use super::job::{self, Keys, Rows};
use super::parties::{self, Folders};
use super::settings::{Demo, Progress};
use super::watch::Watch;
use crate::launch::Fleet;
use crate::run_folder::RunFolder;
use ndarray::Array2;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use trefoil_client::Patience;
use trefoil_data::{Dataset, Samples};
use trefoil_job::{Job, fetching, sharing};
use trefoil_mpc::Part;
use trefoil_nn::Figure;
use trefoil_ring::Tensor;
use trefoil_server::report::Report;
use trefoil_server::{Error, Result};

/// Owners that share at a time.
const AT_A_TIME: usize = 8;

/// What training in three processes gave.
pub struct Secure {
    pub reports: [Report; 3],
    /// Seconds of each step at P0.
    pub steps: Vec<f64>,
    /// Number, loss and accuracy.
    pub epochs: Vec<(u64, f64, f64)>,
    /// All figures of the records held out, by epoch.
    pub figures: BTreeMap<u64, Vec<Figure>>,
    /// Which epoch's model it is, where the job follows the best one.
    pub model_epoch: Option<u64>,
    /// Weights and biases in turn.
    pub params: Vec<Array2<f64>>,
    pub seconds_sharing: f64,
}

/// Everything from the parties' start to the model. `parts` are the owners' records to train on, and held out.
///
/// # Errors
/// A party or an owner fails; the run was stopped.
pub fn train(
    demo: &Demo,
    data: &Dataset,
    parts: &(Vec<Samples>, Vec<Samples>),
    steps: u64,
    folder: &mut RunFolder,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Secure> {
    progress(Progress::Phase("keys and connections"));
    let keys = Keys::generate(demo.owners)?;
    // Declared first, dropped last: the parties have ended by then.
    let folders = Folders::create(&demo.run_dir)?;
    let fleet = parties::start(demo, &keys, &folders, stop)?;
    let job = job::job(demo, data, &keys, &fleet.addresses);
    folder.job(&job)?;
    // The parties listen already: a connection that breaks will not come back.
    let patience = Patience { connect: demo.timeout.min(Duration::from_secs(2)), answer: demo.timeout * 10 };
    for operator in &keys.parties {
        sharing::approve(&job, operator, demo.start.as_ref(), patience, &mut |_| ())?;
    }

    progress(Progress::Phase("data owners share their records"));
    let mut run = Watch::new(&fleet, demo.page.as_ref(), patience.answer, steps);
    let started = Instant::now();
    let owners = Owners { demo, data, job: &job, keys: &keys, parts, shown: AtomicBool::new(false) };
    owners.share(patience, &fleet, |outcomes| run.until_shared(outcomes, folder, progress))?;
    let seconds_sharing = started.elapsed().as_secs_f64();
    progress(Progress::Phase("training on shares"));
    run.until_trained(folder, progress)?;

    progress(Progress::Phase("model owner reconstructs the model"));
    let params = fetching::fetch_parameters(&job, &keys.model_owner, patience)?;
    let reports = run.until_done(folder, progress)?;
    run.until_shown(folder, progress)?;
    let Watch { steps, epochs, figures, model_epoch, .. } = run;
    fleet.finish();
    Ok(Secure { reports, steps, epochs, figures, model_epoch, params, seconds_sharing })
}

/// The owners, and what each of them has.
struct Owners<'a> {
    demo: &'a Demo,
    data: &'a Dataset,
    job: &'a Job,
    keys: &'a Keys,
    parts: &'a (Vec<Samples>, Vec<Samples>),
    /// Whether the page has a record.
    shown: AtomicBool,
}

impl Owners<'_> {
    /// All of them share, a few at a time, while `follow` listens to the parties and to the owners' failures.
    fn share(
        &self,
        patience: Patience,
        fleet: &Fleet<'_>,
        follow: impl FnOnce(&std::sync::mpsc::Receiver<Error>) -> Result<()>,
    ) -> Result<()> {
        let Owners { demo, job, keys, parts, .. } = *self;
        let next = &AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (sender, failures) = std::sync::mpsc::channel();
            for _ in 0..AT_A_TIME.min(demo.owners) {
                let sender = sender.clone();
                scope.spawn(move || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(identity), Some(train), Some(test)) = (keys.owners.get(i), parts.0.get(i), parts.1.get(i))
                        else {
                            return;
                        };
                        let mut rows = Rows::new(train, test);
                        let (width, seed) = (rows.width(), demo.insecure_mask_seed.map(|seed| job::owner_seed(seed, i)));
                        let told = |x: &Tensor, sent: &[Vec<Part>; 3]| self.show(i, x, sent);
                        if let Err(e) = sharing::send(job, identity, &mut rows, width, patience, seed, &told) {
                            next.store(usize::MAX / 2, Ordering::Relaxed);
                            // Nobody listens any more only where the run has failed already.
                            let _ = sender.send(e.into());
                        }
                    }
                });
            }
            drop(sender);
            let shared = follow(&failures);
            if shared.is_err() {
                // The uploads end with the parties.
                next.store(usize::MAX / 2, Ordering::Relaxed);
                fleet.end();
            }
            shared
        })
    }

    /// The page has a picture of the first owner's first record, as it was sent.
    fn show(&self, owner: usize, x: &Tensor, sent: &[Vec<Part>; 3]) {
        let Some(page) = self.demo.page.as_ref().filter(|_| owner == 0 && !self.shown.swap(true, Ordering::Relaxed)) else {
            return;
        };
        page.record(self.demo.suite, &self.data.schema, &self.job.owner[owner].name, x, sent);
    }
}
