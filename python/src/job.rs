//! A job between organisations, and what its members do.

use crate::errors::{exception, named};
use crate::frame::Frame;
use crate::key::OneKey;
use crate::model::Model;
use crate::waiting::wait;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use trefoil_client::peers::Peers;
use trefoil_client::request::Request;
use trefoil_client::{Address, Patience};
use trefoil_data::schema::{Proposed, Task, propose_in_memory};
use trefoil_job::{Error, Job as Agreed, Result, StartModel, fetching, sharing};
use trefoil_net::identity::Identity;

/// Between two looks at a job.
const PAUSE: Duration = Duration::from_millis(500);

/// What is trained on whose records by whom for whom: a job's file, as `trefoil job` has it.
///
/// Its methods speak to the job's parties as the holder of a key: `key` is a `Key`, or what one is made of. `timeout` is in seconds: how long
/// a party is called, and its answer waited for.
#[pyclass(frozen, module = "trefoil")]
pub struct Job(Arc<Agreed>);

#[pymethods]
impl Job {
    /// A job from its file; members that it calls by their names alone are looked up in the file `peers`.
    #[staticmethod]
    #[pyo3(signature = (path, peers=PathBuf::from("peers.toml")))]
    fn load(py: Python<'_>, path: PathBuf, peers: PathBuf) -> PyResult<Job> {
        let job = Peers::load(&peers).map_err(Error::from).and_then(|peers| Agreed::load(&path, &peers));
        Ok(Job(Arc::new(job.map_err(|e| exception(py, &e))?)))
    }

    /// A job from what its file would say: its tables as dicts, its members as names, or as dicts with `name`, `fingerprint`, and of a party
    /// `address`. `data` may come from `trefoil.schema`. What is left out, or None, has the values that `trefoil job` gives it; more fields,
    /// such as `suite`, `open` or `serve`, are those of docs/jobs.md.
    #[staticmethod]
    #[pyo3(signature = (name, party, owner, data, model_owner=None, train=None, peers=PathBuf::from("peers.toml"), **fields))]
    #[allow(clippy::too_many_arguments)] // of Python
    fn build(
        py: Python<'_>,
        name: &str,
        party: Bound<'_, PyAny>,
        owner: Bound<'_, PyAny>,
        data: Bound<'_, PyAny>,
        model_owner: Option<Bound<'_, PyAny>>,
        train: Option<Bound<'_, PyAny>>,
        peers: PathBuf,
        fields: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Job> {
        let all = fields.unwrap_or_else(|| PyDict::new(py));
        all.set_item("name", name)?;
        all.set_item("party", party)?;
        all.set_item("owner", owner)?;
        all.set_item("data", data)?;
        all.set_item("model_owner", model_owner)?;
        all.set_item("train", train)?;
        let job = json_of(&all)?;
        let job = Peers::load(&peers).map_err(Error::from).and_then(|peers| Agreed::from_fields(job, &peers));
        Ok(Job(Arc::new(job.map_err(|e| exception(py, &e))?)))
    }

    /// Writes the job's file, with every member's fingerprint, as `trefoil job show` has it: for everybody who approves.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let file = |source| Error::File { path: path.display().to_string(), source };
        let written = self.0.text().and_then(|text| std::fs::write(&path, text).map_err(file));
        written.map_err(|e| exception(py, &e))
    }

    /// SHA-256 of all that it says, 64 hexadecimal digits: what everybody approves.
    #[getter]
    fn hash(&self) -> String {
        self.0.hash().to_string()
    }

    /// Its name, for people.
    #[getter]
    fn name(&self) -> String {
        self.0.name.clone()
    }

    fn __repr__(&self) -> String {
        format!("Job({:?}, {})", self.0.name, self.hash().get(..12).unwrap_or_default())
    }

    /// Brings the job to its three parties, for their operators to look at.
    #[pyo3(signature = (key, timeout=30.0))]
    fn propose(&self, py: Python<'_>, key: OneKey<'_>, timeout: f64) -> PyResult<()> {
        let (job, identity, patience) = (self.0.clone(), key.identity(py)?, patience(py, timeout)?);
        wait(py, move |_| job.addresses().iter().try_for_each(|party| sharing::propose(&job, &identity, party, patience)))
    }

    /// Agrees to the job with a signature: as an operator at one's own party, as a data owner or model owner at all three. `start` is the
    /// file of the model that training starts from, where the job names one.
    #[pyo3(signature = (key, start=None, timeout=30.0))]
    fn approve(&self, py: Python<'_>, key: OneKey<'_>, start: Option<PathBuf>, timeout: f64) -> PyResult<()> {
        let (job, identity, patience) = (self.0.clone(), key.identity(py)?, patience(py, timeout)?);
        wait(py, move |_| {
            let start = start.as_deref().map(StartModel::load).transpose()?;
            sharing::approve(&job, &identity, start.as_ref(), patience, &mut |_| ())
        })
    }

    /// How the job stands, by the names of the parties: what each says, as `trefoil job status --json` shows it; `None` where it does not
    /// know the job; a dict of `no answer` with the reason where it does not answer.
    #[pyo3(signature = (key, timeout=30.0))]
    fn status<'py>(&self, py: Python<'py>, key: OneKey<'_>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let (job, identity, patience) = (self.0.clone(), key.identity(py)?, patience(py, timeout)?);
        python(py, &wait(py, move |_| Ok(status(&job, &identity, patience)))?)
    }

    /// Waits until the job is trained, at most `seconds`, and gives its status then. Raises `TrainingError` where it has failed or was
    /// cancelled, and `TimeoutError`.
    #[pyo3(signature = (key, seconds=3600.0, timeout=30.0))]
    fn wait<'py>(&self, py: Python<'py>, key: OneKey<'_>, seconds: f64, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let (job, identity, patience) = (self.0.clone(), key.identity(py)?, patience(py, timeout)?);
        let until = Instant::now() + duration(py, seconds)?;
        let end = wait(py, move |stop| {
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                let now = status(&job, &identity, patience);
                let states: Vec<&str> = now.values().filter_map(|s| s.pointer("/state/is")?.as_str()).collect();
                if states.len() == now.len() && states.iter().all(|s| ["trained", "failed", "cancelled"].contains(s)) {
                    return Ok(Some(now));
                }
                std::thread::sleep(PAUSE);
            }
            Ok(None)
        })?;
        let Some(end) = end else {
            let message = format!("job: found it not trained within {seconds} s, expected a model");
            return Err(pyo3::exceptions::PyTimeoutError::new_err(message));
        };
        for (party, status) in &end {
            let said = |key: &str| status.pointer(&format!("/state/{key}")).and_then(Value::as_str);
            if let Some(why) = said("why").map(str::to_owned).or_else(|| said("by").map(|by| format!("cancelled by {by}"))) {
                return Err(named(py, "TrainingError", &format!("{party}: {why}")));
            }
        }
        python(py, &end)
    }

    /// Shares all records of a data frame, or of what else lends its columns by Arrow's C interface: see `trefoil.share`. `stacklevel` is that
    /// of its warnings.
    #[pyo3(signature = (records, key, timeout=30.0, stacklevel=1))]
    fn share<'py>(
        &self,
        py: Python<'py>,
        records: &Bound<'py, PyAny>,
        key: OneKey<'_>,
        timeout: f64,
        stacklevel: u32,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (job, identity, patience) = (self.0.clone(), Arc::new(key.identity(py)?), patience(py, timeout)?);
        let table = Frame::of(records)?.table().map_err(|e| exception(py, &e))?;
        let looking = (job.clone(), identity.clone(), table.clone());
        let account = wait(py, move |_| sharing::look_at(&looking.0, &looking.1, &looking.2))?;
        // Before anything leaves the process: who makes errors of warnings shares nothing.
        account.remarks(&job.data, job.train.batch).iter().try_for_each(|remark| warn(py, remark, stacklevel))?;
        let receipt = wait(py, move |stop| {
            let mut on = |_: sharing::Progress<'_>| if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) };
            sharing::share_table(&job, &identity, (&table, account), patience, &mut on)
        })?;
        python(py, &json!(receipt))
    }

    /// Fetches the model: see `trefoil.fetch`.
    #[pyo3(signature = (key, timeout=30.0))]
    fn fetch(&self, py: Python<'_>, key: OneKey<'_>, timeout: f64) -> PyResult<Model> {
        let (job, identity, patience) = (self.0.clone(), key.identity(py)?, patience(py, timeout)?);
        wait(py, move |_| fetching::fetch_model(&job, &identity, patience)).map(Model)
    }
}

/// Seconds as Rust has them.
pub fn duration(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    let wrong = |_| exception(py, &Error::config("seconds", seconds, "0 or more"));
    Duration::try_from_secs_f64(seconds).map_err(wrong)
}

/// How long a party is called, and its answer waited for.
pub fn patience(py: Python<'_>, timeout: f64) -> PyResult<Patience> {
    let timeout = duration(py, timeout)?;
    Ok(Patience { connect: timeout, answer: timeout })
}

/// What each party says of the job, by their names.
fn status(job: &Agreed, identity: &Identity, patience: Patience) -> Map<String, Value> {
    let request = Request::Status { job: Some(job.hash().to_string()) };
    let mut all = Map::new();
    sharing::ask(job, identity, patience, &request, |party: Address, said: Result<Vec<Value>>| {
        let said = said.map_or_else(|e| json!({ "no answer": e.to_string() }), |mut said| json!(said.pop()));
        all.insert(job.party[party.id.index()].name.clone(), said);
    });
    all
}

/// A job's `data` for records like these: see `trefoil.schema`.
#[pyfunction]
#[pyo3(signature = (records, label, task=None, id=None, without=Vec::new()))]
pub fn schema<'py>(
    py: Python<'py>,
    records: &Bound<'py, PyAny>,
    label: &str,
    task: Option<&str>,
    id: Option<&str>,
    without: Vec<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let task = match task {
        None => None,
        Some("classification") => Some(Task::Classification),
        Some("regression") => Some(Task::Regression),
        Some(other) => return Err(exception(py, &Error::config("task", other, "classification or regression"))),
    };
    let frame = Frame::of(records)?;
    let made = py.detach(|| Ok(propose_in_memory(&frame.table()?, Some(label), task, id, &without)?));
    let (made, columns) = made.map_err(|e| exception(py, &e))?;
    for column in &columns {
        if let Proposed::Left { name, why, .. } = column {
            warn(py, &format!("column {name:?} is left out: {why}"), 2)?;
        }
    }
    python(py, &made)
}

/// A remark on the owner's records.
fn warn(py: Python<'_>, remark: &str, stacklevel: u32) -> PyResult<()> {
    let class = py.import("trefoil.errors")?.getattr("DataWarning")?;
    py.import("warnings")?.call_method1("warn", (remark, class, stacklevel)).map(drop)
}

/// What Python has, as JSON.
fn json_of(value: &Bound<'_, PyDict>) -> PyResult<Value> {
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("default", py.import("trefoil._frames")?.getattr("plain")?)?;
    let text: String = py.import("json")?.getattr("dumps")?.call((value,), Some(&options))?.extract()?;
    serde_json::from_str(&text).map_err(|e| exception(py, &Error::config("job", e, "finite numbers, texts, lists and dicts")))
}

/// As Python has it.
pub fn python<'py>(py: Python<'py>, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(|e| exception(py, &Error::config("answer", e, "JSON")))?;
    py.import("json")?.call_method1("loads", (text,))
}
