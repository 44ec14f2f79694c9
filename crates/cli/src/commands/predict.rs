//! `trefoil predict MODEL FILE`: what a model says of records, in the clear.

use crate::output::json;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use trefoil_job::{evaluate, predict};
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
}

impl Predict {
    /// A line a record: the class and the probability of each, or the value.
    pub fn run(self) -> Result<()> {
        let model = evaluate::load(&self.model)?;
        let mut records = predict::Predictions::open(&model, &self.file, self.label.as_deref())?;
        if self.json {
            return as_json(&model, &mut records);
        }
        let name = self.out.as_ref().map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
        let io = |e: std::io::Error| Error::config(&name, e, "a place to write the CSV to");
        let mut out: Box<dyn Write> = match &self.out {
            Some(path) => Box::new(std::fs::File::create(path).map_err(io)?),
            None => Box::new(std::io::stdout().lock()),
        };
        let written = write(&model, &mut records, &mut out)?;
        match written {
            // Who reads has seen enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe && self.out.is_none() => Ok(()),
            other => other.map_err(io),
        }
    }
}

/// The outer error is the records', the inner one that of writing.
fn write(model: &Model, records: &mut predict::Predictions<'_>, out: &mut dyn Write) -> Result<std::io::Result<()>> {
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
    while let Some(answers) = records.next(ROWS)? {
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

fn as_json(model: &Model, records: &mut predict::Predictions<'_>) -> Result<()> {
    let mut all = Vec::new();
    while let Some(answers) = records.next(ROWS)? {
        all.extend(answers.into_iter().map(|a| match a.class {
            Some(class) => serde_json::json!({ "class": class, "probabilities": a.numbers }),
            None => serde_json::json!({ "value": a.numbers.first() }),
        }));
    }
    match model.task() {
        Task::Classification(names) => json(&serde_json::json!({ "classes": names, "records": all })),
        Task::Regression => json(&serde_json::json!({ "records": all })),
    }
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
