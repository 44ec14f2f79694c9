//! A training on a thread of its own. Python's thread follows it event by event, without holding the interpreter's lock while it waits,
//! and looks for signals: Ctrl-C ends the training after the step that is going on.

use crate::errors::{exception, named};
use crate::model::Model;
use crate::waiting::MOMENT;
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use trefoil_data::records::{Cells, Table};
use trefoil_data::schema::Task;
use trefoil_data::{Dataset, guessed};
use trefoil_job::suites::Chosen;
use trefoil_job::train::{self, Epoch, Parties, Progress};
use trefoil_job::{Error, Result, SuiteName, evaluate, plain, processes};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Figure, Metric, Metrics, Model as Trained, TrainSpec};

/// Training records whose metric is told where none are held out.
const METRIC_ROWS: usize = 1000;

/// The process that has trained first: a copy of it by fork has none of the threads that matrix products are computed by.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Features, [records, features], and labels: places of classes, or a regression's values.
type Arrays<'py> = (PyReadonlyArray2<'py, f64>, PyReadonlyArray1<'py, f64>);

/// A training that goes on. Iterating gives what happens: after a step the pair of the steps done and of all steps; after an epoch a dict
/// of `epoch`, `loss`, `metric`, `figures` (all of them, as JSON), `seconds`, `bytes` and `rounds`.
#[pyclass(module = "trefoil._core")]
pub struct Run {
    stop: Arc<AtomicBool>,
    events: Mutex<Receiver<Progress>>,
    thread: Option<JoinHandle<Result<Trained>>>,
}

#[pymethods]
impl Run {
    /// Starts a training on `records`, a pair of arrays of floats: features of shape (records, features) and labels of shape (records,),
    /// the place of each record's class among `classes`, or with none a regression's values. `held_out` is likewise of records that are not
    /// trained on; where there are none the metric is that of up to 1,000 training records. `settings` is JSON as in a job's `[train]`; `suite`
    /// None trains in floating point, in the clear. `processes` is the Python program where the parties are to be processes, each of which
    /// runs `trefoil.party`; without it they are threads. `metrics` names figures beside the first.
    #[new]
    #[pyo3(signature = (records, names, classes, settings, suite, held_out=None, processes=None, metrics=Vec::new()))]
    #[allow(clippy::too_many_arguments)] // of Python
    fn new(
        py: Python<'_>,
        records: Arrays<'_>,
        names: Vec<String>,
        classes: Vec<String>,
        settings: &str,
        suite: Option<&str>,
        held_out: Option<Arrays<'_>>,
        processes: Option<PathBuf>,
        metrics: Vec<String>,
    ) -> PyResult<Run> {
        if *PROCESS.get_or_init(std::process::id) != std::process::id() {
            let message = "training: found a process that was forked from one that had trained, expected one of its own; \
                           joblib's default, \"spawn\" and \"forkserver\" make such";
            return Err(named(py, "ConfigError", message));
        }
        let spec: TrainSpec =
            serde_json::from_str(settings).map_err(|e| exception(py, &Error::config("settings", e, "those of a training")))?;
        let suite = suite.map(str::parse::<SuiteName>).transpose().map_err(|e| exception(py, &e))?;
        let also = metrics.iter().map(|word| word.parse::<Metric>()).collect::<std::result::Result<Metrics, _>>();
        let also = also.map_err(|e| exception(py, &Error::from(e)))?;
        let table = |arrays: &Arrays<'_>| table(arrays, &names, !classes.is_empty()).map_err(|e| exception(py, &e));
        let (training, held) = (table(&records)?, held_out.as_ref().map(table).transpose()?);
        let (stop, (sender, events)) = (Arc::new(AtomicBool::new(false)), channel());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            // Nobody listens any more only where the training is to end.
            let say = |progress| sender.send(progress).unwrap_or(());
            trained((training, held), classes, spec, also, suite.map(|suite| (suite, processes)), &stopped, &say)
        });
        Ok(Run { stop, events: Mutex::new(events), thread: Some(thread) })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            py.check_signals()?;
            match py.detach(|| self.events.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(MOMENT)) {
                Ok(Progress::Step(step, steps)) => return Ok(Some(PyTuple::new(py, [step, steps])?.into_any())),
                Ok(Progress::Epoch(epoch)) => return Ok(Some(dict(py, &epoch)?.into_any())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    /// Ends the training, if it has not ended yet, and waits for that.
    fn stop(&mut self, py: Python<'_>) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What came of it is of no interest any more.
            let _ = py.detach(|| thread.join());
        }
    }

    /// The model, once there are no more events. Raises what has ended the training instead.
    fn model(&mut self, py: Python<'_>) -> PyResult<Model> {
        let gone = || named(py, "TrainingError", "training: found its end, expected a model");
        let thread = self.thread.take().ok_or_else(gone)?;
        let trained = py.detach(|| thread.join()).map_err(|_| gone())?;
        trained.map(Model).map_err(|e| exception(py, &e))
    }
}

impl Drop for Run {
    /// Nobody waits for it: it ends by itself.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn dict<'py>(py: Python<'py>, epoch: &Epoch) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("epoch", epoch.epoch)?;
    dict.set_item("loss", epoch.loss)?;
    dict.set_item("metric", epoch.metric)?;
    dict.set_item("figures", serde_json::to_string(&epoch.figures).unwrap_or_default())?;
    dict.set_item("seconds", epoch.seconds)?;
    dict.set_item("bytes", epoch.bytes)?;
    dict.set_item("rounds", epoch.rounds)?;
    Ok(dict)
}

/// The name of the label's column, which none of the features has.
fn label(names: &[String]) -> String {
    let mut label = String::from("label");
    while names.contains(&label) {
        label.push('_');
    }
    label
}

/// Arrays as columns with names.
fn table((x, y): &Arrays<'_>, names: &[String], classes: bool) -> Result<Table> {
    let y = y.as_array();
    let labels = if classes { Cells::Integers(y.iter().map(|class| *class as i64).collect()) } else { Cells::Floats(y.to_vec()) };
    let features = Cells::Floats(x.as_array().iter().copied().collect());
    let names = names.iter().cloned().chain([label(names)]).collect();
    Ok(Table::new("records", names, y.len(), vec![features, labels])?)
}

/// A party as a process of the same Python. A folder that is called `trefoil` where this one happens to be is not it.
fn party_of(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "trefoil.party"]).env("PYTHONSAFEPATH", "1");
    command
}

/// What a party's process does: `python -m trefoil.party`, which a training starts.
#[pyfunction]
pub fn party(py: Python<'_>) -> PyResult<()> {
    py.detach(processes::party).map_err(|e| exception(py, &e))
}

/// Prepares the records, and trains on them.
fn trained(
    (records, held_out): (Table, Option<Table>),
    classes: Vec<String>,
    spec: TrainSpec,
    also: Metrics,
    suite: Option<(SuiteName, Option<PathBuf>)>,
    stop: &AtomicBool,
    say: &(dyn Fn(Progress) + Sync),
) -> Result<Trained> {
    let task = if classes.is_empty() { Task::Regression } else { Task::Classification };
    let label = records.names().last().cloned().unwrap_or_default();
    let mut data = guessed::in_memory(&records, held_out.as_ref(), &label, task)?;
    drop((records, held_out));
    data.schema.classes = classes;
    if data.test.rows() == 0 {
        let (rows, some) = (data.train.rows(), data.train.rows().min(METRIC_ROWS));
        data.test = data.train.select(&(0..some).map(|i| i * rows / some).collect::<Vec<_>>());
    }
    let Dataset { schema, train, test, .. } = &data;
    let mut training = train::training(spec, &data);
    training.open.also = also;
    let trainer = training.trainer()?;
    let params = match suite {
        Some((suite, processes)) => {
            let chosen = Chosen { suite, truncation: Truncation::default() };
            let start = processes.map(|python| move || party_of(&python));
            let parties = start.as_ref().map_or(Parties::Threads, |start| Parties::Processes(start));
            train::on_shares(&trainer, chosen, schema, [train, test], parties, stop, say)?
        }
        None => {
            let mut before = Instant::now();
            let mut on = |epoch, loss, metric, figures: &[Figure]| {
                let seconds = std::mem::replace(&mut before, Instant::now()).elapsed().as_secs_f64();
                let known = |figure: f64| (!figure.is_nan()).then_some(figure);
                let (loss, metric, figures) = (known(loss), known(metric), figures.to_vec());
                say(Progress::Epoch(Epoch { epoch, loss, metric, figures, seconds, bytes: 0, rounds: 0 }));
            };
            plain::train(&trainer, schema, [train, test], stop, &mut on)?.params
        }
    };
    evaluate::model(schema, trainer.network().graph(), &params)
}
