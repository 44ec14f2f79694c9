//! What a demo is to run, and what it says while it goes on.

use super::page::Page;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_data::Schema;
use trefoil_job::StartModel;
use trefoil_job::suites::Chosen;
use trefoil_nn::{Trainer, Training};
use trefoil_server::Result;

/// What to run.
pub struct Demo {
    /// The training.
    pub training: Training,
    /// The model to start from, where the settings name one.
    pub start: Option<StartModel>,
    /// The protocol suite.
    pub suite: Chosen,
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
    /// The shape of the links between the parties: "40ms,100Mbps"; `None` as they are.
    pub links: Option<String>,
    /// Where the run is shown in a browser, too.
    pub page: Option<Page>,
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

/// The same as `config.toml` has it.
#[derive(Serialize)]
pub(super) struct Config<'a> {
    owners: usize,
    threads: usize,
    timeout: f64,
    links: Option<&'a str>,
    insecure_mask_seed: Option<u64>,
    insecure_record: Option<&'a Path>,
    suite: Chosen,
    job: &'a Training,
}

impl Demo {
    /// The training, from the model on where there is one.
    ///
    /// # Errors
    /// It does not fit into the ring, or the model does not fit it.
    pub fn trainer(&self, schema: &Schema) -> Result<Trainer> {
        Ok(StartModel::trainer(self.start.as_ref(), &self.training, schema)?)
    }

    /// What is written down of the settings.
    pub(super) fn config(&self) -> Config<'_> {
        Config {
            owners: self.owners,
            threads: self.threads,
            timeout: self.timeout.as_secs_f64(),
            links: self.links.as_deref(),
            insecure_mask_seed: self.insecure_mask_seed,
            insecure_record: self.insecure_record.as_deref(),
            suite: self.suite,
            job: &self.training,
        }
    }
}
