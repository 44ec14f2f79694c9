//! Whether a service says all that it must, and no more than its job allows.

use super::{PASSES, Serve, Service};
use crate::{Error, Job, Result};
use std::collections::BTreeSet;
use trefoil_nn::{MOST_OF_BATCH, Network, Reveal, Task};

/// Bytes of a question.
const MOST_OF_QUESTION: usize = 32 << 20;

impl Service {
    /// `file` is its name in errors.
    pub(super) fn check(&self, file: &str) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| Err(Error::config(format!("{file}: {what}"), found, expected));
        for (what, name) in
            [("name", &self.name)].into_iter().chain(self.party.iter().chain(self.client.named()).map(|m| ("name", &m.name)))
        {
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return refuse(what, format!("{name:?}"), "1 to 64 characters");
            }
        }
        if let Err((found, expected)) = self.client.check() {
            return refuse("client", found, expected);
        }
        if let Some(shared) = self.model.shared() {
            shared.check(file)?;
            shows(shared.task(), self.reveal).map_err(|expected| {
                Error::config(format!("{file}: reveal"), self.reveal, format!("{expected}, as the model's task is"))
            })?;
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.party.iter().chain(self.client.fixed()).find(|m| !seen.insert(m.fingerprint)) {
            return refuse("roles", format!("{} twice", twice.fingerprint), "a certificate of its own for each party and client");
        }
        if let Some(p) = self.party.iter().find(|p| p.address.as_deref().is_none_or(|a| !a.contains(':'))) {
            return refuse(&format!("party {}", p.name), format!("address {:?}", p.address), "host:port");
        }
        let limits = &self.limits;
        if !PASSES.contains(&(limits.records_a_question as usize)) {
            return refuse("limits.records_a_question", limits.records_a_question.to_string(), "1, 8, 32 or 128");
        }
        if limits.records_an_hour == 0 || limits.records == 0 {
            return refuse("limits", "0 records".into(), "at least 1");
        }
        let date: Option<toml::value::Datetime> = self.until.parse().ok();
        if !date.is_some_and(|d| d.date.is_some() && d.time.is_none() && d.offset.is_none()) {
            return refuse("until", format!("{:?}", self.until), "a day, as in \"2027-12-31\"");
        }
        Ok(())
    }

    /// That this service's job is `job`, and allows it.
    ///
    /// # Errors
    /// It does not: what exceeds it, and what it says.
    pub fn check_against(&self, job: &Job) -> Result<()> {
        let refuse =
            |what: &str, found: String, expected: String| Err(Error::config(format!("service: {what}"), found, expected));
        let Some(hash) = self.model.job() else {
            return refuse("model", "one that its owner shares".into(), job.hash().to_string());
        };
        job.is_the_one(hash)?;
        let Some(serve) = &job.serve else {
            return refuse(
                "job",
                format!("{} without [serve]", job.name),
                "a job whose members have agreed that its model is served".into(),
            );
        };
        if let Some((own, of_job)) = self.party.iter().zip(&job.party).find(|(a, b)| a.fingerprint != b.fingerprint) {
            return refuse(
                "parties",
                format!("{} {}", own.name, own.fingerprint),
                format!("{} {}, the job's", of_job.name, of_job.fingerprint),
            );
        }
        if !self.reveal.is_within(serve.reveal) {
            return refuse("reveal", self.reveal.to_string(), format!("{}, as the job has it, or less", serve.reveal));
        }
        if let Some((found, expected)) = self.client.beyond(&serve.client) {
            return refuse("client", found, expected);
        }
        self.check_largest(&Network::new(job.network()?)?)?;
        if self.limits.records > serve.records {
            return refuse(
                "limits.records",
                self.limits.records.to_string(),
                format!("at most {}, as the job has it", serve.records),
            );
        }
        Ok(())
    }

    /// The most records that a question to a network may have whose answers tell this: a pass is held to what a batch of a training is, and a
    /// question is one frame. 0 if not even one fits.
    pub fn largest_question(network: &Network, reveal: Reveal) -> u64 {
        let graph = network.graph();
        // The class alone takes a comparison of each pair of outputs.
        let pairs = if reveal == Reveal::Class { network.outputs() * (network.outputs() - 1) / 2 } else { 0 };
        let (inputs, widest) = (graph.input.len().max(1), graph.widest().max(pairs).max(1));
        let most = (MOST_OF_BATCH / widest).min(MOST_OF_QUESTION / (inputs * size_of::<u64>()));
        PASSES.into_iter().rfind(|pass| *pass <= most).unwrap_or(0) as u64
    }

    pub(super) fn check_largest(&self, network: &Network) -> Result<()> {
        let (rows, most) = (self.limits.records_a_question, Service::largest_question(network, self.reveal));
        if rows > most {
            let expected = format!("at most {most} records of this network in a question");
            return Err(Error::config("service: limits.records_a_question", rows, expected));
        }
        Ok(())
    }

    /// Whether its last day is over; `today` as in 2027-12-31.
    pub fn is_over(&self, today: &str) -> bool {
        today > self.until.as_str()
    }
}

/// Whether answers of this kind exist where records are put into that; else which do.
fn shows(task: Task, reveal: Reveal) -> std::result::Result<(), &'static str> {
    match (task, reveal) {
        (Task::Classification(_), Reveal::Value) => Err("class or probabilities"),
        (Task::Regression, Reveal::Class | Reveal::Probabilities) => Err("value"),
        _ => Ok(()),
    }
}

impl Serve {
    /// That a job on records of this task can be served so. `file` is the job's name in errors.
    pub(crate) fn check(&self, task: Task, file: &str) -> Result<()> {
        let refuse =
            |what: &str, found: String, expected: &str| Err(Error::config(format!("{file}: serve.{what}"), found, expected));
        shows(task, self.reveal).or_else(|expected| refuse("reveal", self.reveal.to_string(), expected))?;
        if let Err((found, expected)) = self.client.check() {
            return refuse("client", found, expected);
        }
        if self.records == 0 {
            return refuse("records", "0".into(), "at least 1");
        }
        Ok(())
    }
}
