//! `trefoil predict`: what a model says of records. `MODEL FILE` in the clear or on shares in this process; `--service SERVICE FILE` asks a
//! model that nobody has.

mod out;

use super::keygen::PassphraseArgs;
use crate::output::{json, note};
use crate::reading::ReadArgs;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use out::Out;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_client::Patience;
use trefoil_client::keys::KeySource;
use trefoil_client::peers::Peers;
use trefoil_job::predict::{Predictions, Trial};
use trefoil_job::service::Asking;
use trefoil_job::suites::Chosen;
use trefoil_job::{Service, SuiteName, evaluate};
use trefoil_lab::units::bytes;
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::Task;
use trefoil_server::{Error, Result};

/// Records at a time.
const ROWS: usize = 4096;

/// Options of `trefoil predict`.
#[derive(Args)]
pub struct Predict {
    /// The model's file, but with --service; then records as they are: CSV, Parquet, Arrow, NumPy (.npy), IDX images, a PNG image or a folder of them, or - for CSV from standard input; a label column is ignored
    #[arg(value_names = ["MODEL", "FILE"], num_args = 1..=2, required = true)]
    files: Vec<PathBuf>,

    /// Ask this service: nobody has the model, and nobody but you sees records and answers
    #[arg(long, value_name = "SERVICE", requires = "key", conflicts_with_all = ["on_shares", "label"])]
    service: Option<PathBuf>,

    /// Who is who, for members that the service calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml", requires = "service")]
    peers: PathBuf,

    /// The private key of a client of the service: a file, env:NAME or fd:N
    #[arg(long, value_name = "SOURCE", requires = "service")]
    key: Option<KeySource>,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Seconds to try to reach a party of the service, and to ask again what a fault has left without an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "service", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    /// How long a question may wait before the parties begin to answer it, such as 500ms or 2s; then it is refused, and does not count [default: as long as the parties let it]
    #[arg(long, value_name = "TIME", requires = "service", value_parser = time)]
    deadline: Option<Duration>,

    /// A column to leave out, where the model does not know columns by name
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    #[command(flatten)]
    reading: ReadArgs,

    /// Write here, whole or not at all: Parquet to .parquet, NumPy to .npy, CSV to any other [default: CSV to standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Compute on shares, by three parties in this process: for trying what a model says and costs
    #[arg(long)]
    on_shares: bool,

    /// Protocol suite
    #[arg(long, value_name = "SUITE", default_value = "masked", requires = "on_shares")]
    suite: SuiteName,

    /// Records that are computed together on shares
    #[arg(long, value_name = "N", default_value_t = 128, requires = "on_shares", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    batch: u64,
}

/// 500ms, 2s or 1.5s; at least a millisecond.
fn time(text: &str) -> std::result::Result<Duration, String> {
    let number = text.strip_suffix("ms").map(|n| (n, 1e-3)).or_else(|| text.strip_suffix('s').map(|n| (n, 1.0)));
    let seconds = number.and_then(|(number, unit)| Some(number.parse::<f64>().ok()? * unit));
    let seconds = seconds.filter(|seconds| (0.001..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected a time from 1ms to 86400s, such as 500ms or 2s".into())
}

impl Predict {
    /// A line a record: the class and the probability of each, or the value.
    pub fn run(self) -> Result<()> {
        match (&self.service, &self.files[..]) {
            (Some(service), [file]) => self.ask(service, file),
            (None, [model, file]) => self.compute(model, file),
            (Some(_), _) => Err(Error::config("predict", "two files", "FILE alone: the model is the service's")),
            (None, _) => Err(Error::config("predict", "one file", "MODEL FILE, or --service SERVICE FILE")),
        }
    }

    fn ask(&self, service: &Path, file: &Path) -> Result<()> {
        let service = Service::load(service, &Peers::load(&self.peers)?)?;
        let Some(key) = &self.key else { return Err(Error::config("key", "none", "a client's, by --key")) };
        let identity = key.load(&self.passphrase.source(), false)?;
        let timeout = Duration::from_secs(self.timeout);
        let mut asking = Asking::open(&service, &identity, Patience { connect: timeout, answer: timeout })?;
        asking.set_deadline(self.deadline);
        let rows = service.limits.records_a_question as usize;
        self.tell(&mut Predictions::ask(asking, &self.reading.source(file)?)?, rows)
    }

    fn compute(&self, model: &Path, file: &Path) -> Result<()> {
        let model = evaluate::load(model)?;
        let (label, source) = (self.label.as_deref(), self.reading.source(file)?);
        if !self.on_shares {
            return self.tell(&mut Predictions::open(&model, &source, label)?, ROWS);
        }
        let chosen = Chosen { suite: self.suite, truncation: Truncation::Dealer };
        let (mut records, trial) = Predictions::open_on_shares(&model, &source, label, chosen)?;
        self.tell(&mut records, self.batch as usize)?;
        if !self.json {
            told(&records, &trial, self.suite);
        }
        Ok(())
    }

    /// Prints or writes what is said of all records, so many at a time.
    fn tell(&self, records: &mut Predictions<'_>, rows: usize) -> Result<()> {
        if self.json {
            return as_json(records, rows, self.suite);
        }
        // Drawn on a terminal alone, and where it takes longer than a moment.
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{pos} records, {per_sec}") {
            bar.set_style(style);
        }
        let mut out = Out::create(self.out.as_deref(), records)?;
        while let Some(answers) = records.next(rows)? {
            bar.inc(answers.len() as u64);
            if !out.append(&answers)? {
                return Ok(());
            }
        }
        bar.finish_and_clear();
        out.finish()
    }
}

/// What it took on shares, and how near that is to what the model says in the clear.
fn told(records: &Predictions<'_>, trial: &Trial, suite: SuiteName) {
    let Some((spent, batches, compared)) = records.spent() else { return };
    let (public, input) = (&trial.prediction, trial.prediction.input());
    let weights = public.params().iter().map(|weight| weight.bits - weight.frac).max().unwrap_or_default();
    note(format_args!(
        "on shares ({suite}): {} records in batches of {}: {} rounds, {} on all links, {:.3} s a batch (mean of {batches}), in one process",
        compared.records,
        spent.records,
        spent.rounds,
        bytes(spent.bytes),
        spent.seconds,
    ));
    note(format_args!(
        "public: the network, records below 2^{}, weights below 2^{}, layers' values in {} fraction bits; ranges {}",
        input.bits - input.frac,
        weights,
        public.fraction_bits(),
        trial.bound,
    ));
    let same = match records.task() {
        Task::Classification(_) => format!("{} of {} in the same class, ", compared.same, compared.records),
        Task::Regression => String::new(),
    };
    note(format_args!("against the clear: {same}outputs of the network at most {:.2e} apart", compared.farthest));
}

fn as_json(records: &mut Predictions<'_>, rows: usize, suite: SuiteName) -> Result<()> {
    let mut all = Vec::new();
    while let Some(answers) = records.next(rows)? {
        all.extend(answers.into_iter().map(|a| {
            let mut one = match a.class {
                Some(class) if a.numbers.is_empty() => serde_json::json!({ "class": class }),
                Some(class) => serde_json::json!({ "class": class, "probabilities": a.numbers }),
                None => serde_json::json!({ "value": a.numbers.first() }),
            };
            if let Some(file) = a.file {
                one["file"] = file.into();
            }
            one
        }));
    }
    let mut out = match records.task() {
        Task::Classification(names) => serde_json::json!({ "classes": names, "records": all }),
        Task::Regression => serde_json::json!({ "records": all }),
    };
    if let Some((spent, batches, compared)) = records.spent() {
        out["on_shares"] = serde_json::json!({
            "suite": suite, "batches": batches, "batch": spent, "same_class": compared.same, "farthest_output": compared.farthest,
        });
    }
    json(&out)
}
