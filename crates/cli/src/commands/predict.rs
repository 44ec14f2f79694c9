//! `trefoil predict MODEL FILE`: what a model says of records, in the clear or on shares.

use crate::output::{json, note};
use crate::table::bytes;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use trefoil_job::predict::{Predictions, Trial};
use trefoil_job::suites::Chosen;
use trefoil_job::{SuiteName, evaluate};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Model, Task};
use trefoil_server::{Error, Result};

/// Records at a time.
const ROWS: usize = 4096;

/// Options of `trefoil predict`.
#[derive(Args)]
pub struct Predict {
    /// The model's file
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// Records as they are: CSV, Parquet, NumPy (.npy) or IDX images; a label column is ignored
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A column to leave out, where the model does not know columns by name
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    /// Write the CSV here [default: standard output]
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

impl Predict {
    /// A line a record: the class and the probability of each, or the value.
    pub fn run(self) -> Result<()> {
        let model = evaluate::load(&self.model)?;
        let (rows, label) = (if self.on_shares { self.batch as usize } else { ROWS }, self.label.as_deref());
        let (mut records, trial) = if self.on_shares {
            let chosen = Chosen { suite: self.suite, truncation: Truncation::Dealer };
            let (records, trial) = Predictions::open_on_shares(&model, &self.file, label, chosen)?;
            (records, Some(trial))
        } else {
            (Predictions::open(&model, &self.file, label)?, None)
        };
        if self.json {
            return as_json(&model, &mut records, rows, self.suite);
        }
        let name = self.out.as_ref().map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
        let io = |e: std::io::Error| Error::config(&name, e, "a place to write the CSV to");
        let mut out: Box<dyn Write> = match &self.out {
            Some(path) => Box::new(std::fs::File::create(path).map_err(io)?),
            None => Box::new(std::io::stdout().lock()),
        };
        let written = write(&model, &mut records, rows, &mut out)?;
        match written {
            // Who reads has seen enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe && self.out.is_none() => {}
            other => other.map_err(io)?,
        }
        if let Some(trial) = trial {
            told(&model, &records, &trial, self.suite);
        }
        Ok(())
    }
}

/// What it took on shares, and how near that is to what the model says in the clear.
fn told(model: &Model, records: &Predictions<'_>, trial: &Trial, suite: SuiteName) {
    let (Some((spent, batches)), compared) = (records.spent(), records.compared()) else { return };
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
    let same = match model.task() {
        Task::Classification(_) => format!("{} of {} in the same class, ", compared.same, compared.records),
        Task::Regression => String::new(),
    };
    note(format_args!("against the clear: {same}outputs of the network at most {:.2e} apart", compared.farthest));
}

/// The outer error is the records', the inner one that of writing.
fn write(model: &Model, records: &mut Predictions<'_>, rows: usize, out: &mut dyn Write) -> Result<std::io::Result<()>> {
    let head = match model.task() {
        Task::Classification(names) => {
            let names: Vec<String> = names.iter().map(|n| quoted(&format!("probability {n}"))).collect();
            format!("class,{}\n", names.join(","))
        }
        Task::Regression => "value\n".to_owned(),
    };
    if let Err(e) = out.write_all(head.as_bytes()) {
        return Ok(Err(e));
    }
    while let Some(answers) = records.next(rows)? {
        let mut text = String::new();
        for answer in &answers {
            let numbers: Vec<String> = answer.numbers.iter().map(|p| format!("{p:.7}")).collect();
            let fields = match answer.class {
                Some(class) => [quoted(class)].into_iter().chain(numbers).collect(),
                None => answer.numbers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            };
            text += &fields.join(",");
            text.push('\n');
        }
        if let Err(e) = out.write_all(text.as_bytes()) {
            return Ok(Err(e));
        }
    }
    Ok(out.flush())
}

fn as_json(model: &Model, records: &mut Predictions<'_>, rows: usize, suite: SuiteName) -> Result<()> {
    let mut all = Vec::new();
    while let Some(answers) = records.next(rows)? {
        all.extend(answers.into_iter().map(|a| match a.class {
            Some(class) => serde_json::json!({ "class": class, "probabilities": a.numbers }),
            None => serde_json::json!({ "value": a.numbers.first() }),
        }));
    }
    let mut out = match model.task() {
        Task::Classification(names) => serde_json::json!({ "classes": names, "records": all }),
        Task::Regression => serde_json::json!({ "records": all }),
    };
    if let Some((spent, batches)) = records.spent() {
        let compared = records.compared();
        out["on_shares"] = serde_json::json!({
            "suite": suite, "batches": batches, "batch": spent, "same_class": compared.same, "farthest_output": compared.farthest,
        });
    }
    json(&out)
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
