//! A run folder, read by somebody who has not written it: files of bounded size that are files, and one line for what is wrong.

use super::held_out::HeldOut;
use crate::run_folder::Float;
use crate::summary::Summary;
use std::io::Read;
use std::path::Path;
use trefoil_client::peers::Peers;
use trefoil_job::Job;
use trefoil_nn::Model;
use trefoil_server::report::{CostLine, Report};
use trefoil_server::{Error, Event, Result};

/// Sizes of files at most.
const SMALL: u64 = 1 << 20;
/// As a job may be.
const JOB: u64 = 8 << 20;
const LARGE: u64 = 1 << 26;

/// Epoch, loss and metric, where they were opened.
pub type Opened = (u64, Option<f64>, Option<f64>);

/// What a run folder has. What is missing is none.
pub struct Run {
    pub summary: Summary,
    pub job: Option<Job>,
    /// Seconds of each step at P0.
    pub steps: Vec<f64>,
    pub epochs: Vec<Opened>,
    /// The same in the clear.
    pub float: Vec<(u64, f64, f64)>,
    pub cost: Vec<CostLine>,
    pub parties: Option<[Report; 3]>,
    pub held_out: Option<HeldOut>,
    pub model: Option<Model>,
    /// `config.toml` and `job.toml` as they are.
    pub texts: Vec<(&'static str, String)>,
}

impl Run {
    /// Reads it. Only the summary must be there.
    pub fn read(dir: &Path) -> Result<Run> {
        let bad = |name: &str, e: &dyn std::fmt::Display, expected: &str| {
            let path = dir.join(name).display().to_string();
            // The reason may hold a part of the file.
            let found: String = e.to_string().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
            Error::config(path, found, expected)
        };
        let json = |name: &str| text(dir, name, SMALL);
        let summary = json("summary.json")?.ok_or_else(|| bad("summary.json", &"no such file", "the folder of a demo"))?;
        let summary: Summary = serde_json::from_str(&summary).map_err(|e| bad("summary.json", &e, "a demo's summary"))?;

        let job = text(dir, "job.toml", JOB)?;
        let path = dir.join("job.toml").display().to_string();
        let parsed = job.as_deref().map(|text| Job::parse(text, &path, &Peers::default())).transpose()?;
        let config = text(dir, "config.toml", JOB)?;

        let (mut steps, mut epochs, mut float) = (vec![], vec![], vec![]);
        for (i, line) in text(dir, "metrics.jsonl", LARGE)?.unwrap_or_default().lines().enumerate() {
            let wrong = |e: &dyn std::fmt::Display| bad(&format!("metrics.jsonl, line {}", i + 1), e, "a step or an epoch");
            match serde_json::from_str(line) {
                Ok(Event::Step { seconds, .. }) => steps.push(seconds),
                Ok(Event::Epoch { epoch, loss, metric, .. }) => epochs.push((epoch, loss, metric)),
                Ok(_) => return Err(wrong(&"another event")),
                Err(e) => match serde_json::from_str(line) {
                    Ok(Float::FloatEpoch { epoch, loss, metric }) => float.push((epoch, loss, metric)),
                    Err(_) => return Err(wrong(&e)),
                },
            }
        }

        let mut cost = vec![];
        for (i, line) in text(dir, "cost.csv", SMALL)?.unwrap_or_default().lines().enumerate().skip(1) {
            let wrong = || bad(&format!("cost.csv, line {}", i + 1), &line, "layer,label,rounds,payload_bytes,messages,seconds");
            cost.push(cost_line(line).ok_or_else(wrong)?);
        }

        let parties = json("parties.json")?.map(|text| serde_json::from_str::<[Report; 3]>(&text)).transpose();
        let parties = parties.map_err(|e| bad("parties.json", &e, "the reports of three parties"))?;
        if let Some(wrong) = parties.iter().flatten().enumerate().find(|(i, report)| report.id.index() != *i) {
            return Err(bad("parties.json", &format!("{} in place {}", wrong.1.id, wrong.0 + 1), "P0, P1 and P2 in turn"));
        }
        let held_out = json("held_out.json")?.map(|text| serde_json::from_str::<HeldOut>(&text)).transpose();
        let held_out = held_out.map_err(|e| bad("held_out.json", &e, "answers on the records held out"))?;
        if let Some(held_out) = &held_out {
            held_out.check(&dir.join("held_out.json").display().to_string())?;
        }
        let path = dir.join("model.safetensors");
        let model = regular(&path)?.then(|| Model::load(&path)).transpose()?;
        let texts = [("config.toml", config), ("job.toml", job)];
        let texts = texts.into_iter().filter_map(|(name, text)| text.map(|text| (name, text))).collect();
        Ok(Run { summary, job: parsed, steps, epochs, float, cost, parties, held_out, model, texts })
    }
}

fn cost_line(line: &str) -> Option<CostLine> {
    let [layer, label, rounds, payload_bytes, messages, seconds] =
        <[&str; 6]>::try_from(line.split(',').collect::<Vec<_>>()).ok()?;
    Some(CostLine {
        layer: layer.to_owned(),
        label: label.to_owned(),
        rounds: rounds.parse().ok()?,
        // More than anybody sends, and no sum of it runs over.
        payload_bytes: payload_bytes.parse().ok().filter(|n| *n < 1 << 50)?,
        messages: messages.parse().ok().filter(|n| *n < 1 << 50)?,
        seconds: seconds.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0)?,
    })
}

/// Whether it is there. A link may point anywhere, and what it points at would stand in the report; other things may never end.
fn regular(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(Error::config(path.display(), "something that is no file", "a file of a demo")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::file(path)(e)),
    }
}

/// A file's text; none where there is no such file.
fn text(dir: &Path, name: &str, most: u64) -> Result<Option<String>> {
    let path = dir.join(name);
    if !regular(&path)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(Error::file(&path))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(Error::file(&path))?;
    if bytes.len() as u64 > most {
        return Err(Error::config(path.display(), format!("more than {most} bytes"), "a file of a demo"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Error::config(path.display(), "bytes that are no UTF-8", "text"))
}
