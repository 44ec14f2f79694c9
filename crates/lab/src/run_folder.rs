//! The evidence of a run: `config.toml`, `job.toml`, `metrics.jsonl`, `cost.csv`, `parties.json`, `held_out.json`, `summary.json`, `loss.svg`,
//! `model.safetensors`, `report.html` and the parties' logs.

use crate::charts::{Line, lines};
use crate::report::{self, HeldOut};
use crate::summary::Summary;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use trefoil_job::Job;
use trefoil_net::Id;
use trefoil_server::report::{CostLine, Report};
use trefoil_server::{Error, Event, Result};

/// An open run folder.
pub struct RunFolder {
    dir: PathBuf,
    metrics: BufWriter<File>,
}

/// A line of `metrics.jsonl` that no party tells: an epoch of the same training in the clear.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Float {
    FloatEpoch { epoch: u64, loss: f64, metric: f64 },
}

/// What a run has told, for [`RunFolder::finish`].
pub struct Evidence<'a> {
    /// `summary.json`.
    pub summary: &'a Summary,
    /// `parties.json`: what P0, P1 and P2 say of it.
    pub reports: &'a [Report; 3],
    /// `cost.csv`: their costs as one.
    pub cost: &'a [CostLine],
    /// `held_out.json`, where the records have classes.
    pub held_out: Option<&'a HeldOut>,
    /// Number, loss and metric of each epoch.
    pub epochs: &'a [(u64, f64, f64)],
    /// Loss and metric of each epoch in the clear.
    pub float: &'a [(f64, f64)],
}

impl RunFolder {
    /// Creates the folder and writes `config.toml`: what the run was asked for.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(dir: &Path, config: &impl Serialize) -> Result<RunFolder> {
        std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
        let text = toml::to_string(config).map_err(|e| Error::config("config.toml", e, "a configuration that TOML can hold"))?;
        let path = dir.join("config.toml");
        std::fs::write(&path, text).map_err(Error::file(&path))?;
        let path = dir.join("metrics.jsonl");
        let metrics = BufWriter::new(File::create(&path).map_err(Error::file(&path))?);
        Ok(RunFolder { dir: dir.to_owned(), metrics })
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes `job.toml`: what the parties have approved.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn job(&self, job: &Job) -> Result<()> {
        let path = self.path("job.toml");
        let text = toml::to_string(job).map_err(|e| Error::config("job.toml", e, "a job that TOML can hold"))?;
        std::fs::write(&path, text).map_err(Error::file(&path))
    }

    /// A line of `metrics.jsonl`: each step and each epoch, as P0 tells it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn event(&mut self, id: Id, event: &Event) -> Result<()> {
        if id == Id::P0 && matches!(event, Event::Step { .. } | Event::Epoch { .. }) {
            self.line(event)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(line).unwrap_or_default();
        writeln!(self.metrics, "{line}").map_err(Error::file(&self.dir))
    }

    fn json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path(name);
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::config(name, e, "numbers and texts"))?;
        std::fs::write(&path, text + "\n").map_err(Error::file(&path))
    }

    /// Writes what is left: the epochs in the clear, `summary.json`, `parties.json`, `cost.csv`, `held_out.json`, `loss.svg`, and `report.html`
    /// from all of it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self, run: &Evidence<'_>) -> Result<()> {
        for (epoch, (loss, metric)) in (1..).zip(run.float) {
            self.line(&Float::FloatEpoch { epoch, loss: *loss, metric: *metric })?;
        }
        self.metrics.flush().map_err(Error::file(&self.dir))?;
        self.json("summary.json", run.summary)?;
        self.json("parties.json", run.reports)?;
        if let Some(held_out) = run.held_out {
            self.json("held_out.json", held_out)?;
        }
        let path = self.path("cost.csv");
        let mut csv = String::from("layer,label,rounds,payload_bytes,messages,seconds\n");
        for CostLine { layer, label, rounds, payload_bytes, messages, seconds } in run.cost {
            csv += &format!("{layer},{label},{rounds},{payload_bytes},{messages},{seconds:.6}\n");
        }
        std::fs::write(&path, csv).map_err(Error::file(&path))?;
        let path = self.path("loss.svg");
        std::fs::write(&path, loss(run)).map_err(Error::file(&path))?;
        report::write(&self.dir, None).map(drop)
    }
}

/// The loss by epoch, on shares and in the clear, as a picture that stands alone.
fn loss(run: &Evidence<'_>) -> String {
    let secure = run.epochs.iter().map(|(epoch, loss, _)| [*epoch as f64, *loss]).collect();
    let float = (1..).zip(run.float).map(|(epoch, (loss, _))| [f64::from(epoch), *loss]).collect();
    let both = [
        Line { name: "in the clear (float)", class: "float", points: float },
        Line { name: "on shares", class: "shares", points: secure },
    ];
    let svg = lines("Loss by epoch, on shares and in the clear", ["epoch", "loss"], &both, &|v| format!("{v:.2}"), true);
    // The style of the report, without what is of pages.
    let style = format!("<style>{}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>", report::CHARTS);
    svg.replacen("\">", &format!("\">{style}"), 1)
}
