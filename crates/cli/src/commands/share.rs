//! `trefoil share`: a data owner's records, to the parties of a job.

use super::job::KeyArgs;
use crate::output::{json, note};
use crate::reading::RecordArgs;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};
use trefoil_client::request::Summary;
use trefoil_data::records::Account;
use trefoil_job::Job;
use trefoil_job::sharing::{self, Progress};
use trefoil_server::{Error, Result};

/// Options of `trefoil share`: sharing approves the job.
#[derive(Args)]
pub struct Share {
    #[command(flatten)]
    records: RecordArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// Where rows are joined by identifiers: wait at most so many seconds for the other owners' [default: until they are there]
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,

    /// Print what was shared as JSON
    #[arg(long)]
    json: bool,
}

impl Share {
    /// Shares all of the file.
    pub fn run(self) -> Result<()> {
        let job = self.records.job()?;
        let identity = self.key.identity()?;
        let source = self.records.source()?;
        let mut shown = Shown { bar: ProgressBar::new(0), joining: None, waiting: None };
        // What becomes of the owner's own values is told here, on its own terminal, and nowhere else.
        let mut told = |account: &Account| {
            account.remarks(&job.data, job.train.batch).into_iter().for_each(note);
            account.lines_told().into_iter().for_each(note);
        };
        let started = Instant::now();
        let receipt = sharing::share(&job, &identity, &source, self.key.patience(), None, &mut told, &mut |at| {
            shown.tell(&at);
            match (at, &shown.waiting, self.wait) {
                (Progress::Waiting(_), Some((since, _)), Some(most)) if since.elapsed() >= Duration::from_secs(most) => {
                    Err(trefoil_job::Error::Interrupted)
                }
                _ => Ok(()),
            }
        });
        shown.bar.finish_and_clear();
        if let (Err(trefoil_job::Error::Client(_)), Some((since, missing)), Some(most)) = (&receipt, &shown.waiting, self.wait)
            && since.elapsed() >= Duration::from_secs(most)
        {
            let why =
                format!("found no identifiers of {missing} within {most} s, expected them; the same command goes on from here");
            return Err(Error::Refused(why));
        }
        let receipt = receipt?;
        if self.json {
            return json(&receipt);
        }
        match &receipt.summary {
            Some(s) => {
                note(format_args!(
                    "shared {} records to train on and {} held out in {:.1} s (upload {})",
                    s.train_rows,
                    s.test_rows,
                    started.elapsed().as_secs_f64(),
                    receipt.upload
                ));
                note(format_args!("{}", contribution(&job, s)));
            }
            None => note(format_args!(
                "an earlier try had brought everything to all parties; it is complete now (upload {})",
                receipt.upload
            )),
        }
        Ok(())
    }
}

/// What the owner sees of its sharing.
struct Shown {
    bar: ProgressBar,
    /// Whether the bar counts rows (true) or bytes.
    joining: Option<bool>,
    /// Since when other owners are waited for, and which.
    waiting: Option<(Instant, String)>,
}

impl Shown {
    fn tell(&mut self, at: &Progress<'_>) {
        match at {
            Progress::Identifiers(done, all) => self.count(true, *done, *all),
            Progress::Bytes(done, all) => self.count(false, *done, *all),
            Progress::Waiting(missing) => {
                let missing = missing.join(", ");
                let since = self.waiting.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                if self.waiting.as_ref().is_none_or(|(_, before)| *before != missing) {
                    self.bar.suspend(|| note(format_args!("waiting for the identifiers of {missing}")));
                }
                self.waiting = Some((since, missing));
            }
            Progress::Joined(rows, all) => {
                self.waiting = None;
                self.bar.suspend(|| note(format_args!("{rows} of {all} records are at all owners, and are shared")));
            }
            Progress::First(rows, all) => {
                self.waiting = None;
                let doubles = all - rows;
                self.bar.suspend(|| {
                    note(format_args!("{doubles} of {all} records are at an owner before this one too, and left out"))
                });
            }
        }
    }

    fn count(&mut self, joining: bool, done: u64, all: u64) {
        if self.joining != Some(joining) {
            let template = match joining {
                true => "{bar:30} {human_pos} of {human_len} identifiers, {eta} left",
                false => "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style);
            }
            self.bar.reset();
            self.joining = Some(joining);
        }
        self.bar.set_length(all);
        self.bar.set_position(done);
    }
}

/// What the owner's records add to the figures that are opened.
fn contribution(job: &Job, shared: &Summary) -> String {
    let (train, test, least) = (shared.train_rows, shared.test_rows, job.open.least_records);
    let loss =
        job.open.loss.then(|| format!("the loss of a sample of all owners' training records ({train} of these are yours)"));
    let metric = job.metrics().map(|m| format!("the {} of all owners' held-out records ({test} of these are yours)", m.name()));
    let activations = "how many blocks of activations are out of range on such a sample (none in a healthy training)";
    let figures: Vec<String> = loss.into_iter().chain(metric).chain([activations.to_owned()]).collect();
    format!("opened after each epoch, unless it is of fewer than {least} records: {}", figures.join(", and "))
}
