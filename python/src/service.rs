//! A model that nobody has: it answers from the parties' shares.

use crate::errors::{exception, named};
use crate::frame::Frame;
use crate::job::patience;
use crate::key::OneKey;
use crate::waiting::wait;
use numpy::PyArray2;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trefoil_client::Patience;
use trefoil_client::peers::Peers;
use trefoil_job::predict::{Answer, answers};
use trefoil_job::service::Asking;
use trefoil_job::{Error, Service as Served};
use trefoil_net::identity::Identity;
use trefoil_nn::Reveal;

/// Records that are asked for at a time.
const ROWS: usize = 4096;

/// A service, as `trefoil predict --service` asks it: three parties hold the model in shares, nobody has it, and nobody but who asks sees
/// records and answers.
///
/// `path` is the service's file, `key` the key of one of its clients, a `Key` or what one is made of; members that the service calls by their
/// names alone are looked up in the file `peers`. `timeout` is in seconds: how long a party is called, and asked again after a fault.
#[pyclass(frozen, module = "trefoil")]
pub struct Service {
    service: Arc<Served>,
    identity: Arc<Identity>,
    patience: Patience,
}

#[pymethods]
impl Service {
    #[new]
    #[pyo3(signature = (path, key, peers=PathBuf::from("peers.toml"), timeout=30.0))]
    fn new(py: Python<'_>, path: PathBuf, key: OneKey<'_>, peers: PathBuf, timeout: f64) -> PyResult<Service> {
        let service = Peers::load(&peers).map_err(Error::from).and_then(|peers| Served::load(&path, &peers));
        let service = Arc::new(service.map_err(|e| exception(py, &e))?);
        Ok(Service { service, identity: key.identity(py)?, patience: patience(py, timeout)? })
    }

    /// SHA-256 of all that the service's file says, 64 hexadecimal digits.
    #[getter]
    fn hash(&self) -> String {
        self.service.hash().to_string()
    }

    fn __repr__(&self) -> String {
        format!("Service({})", self.hash().get(..12).unwrap_or_default())
    }

    /// The name of each record's likeliest class, an array of texts of shape (records,), or a regression's values in the target's own unit,
    /// an array of floats of shape (records,). Records are as `Model.predict` takes them.
    fn predict<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let said = self.ask(records)?;
        let numpy = py.import("numpy")?;
        match said.iter().map(|answer| answer.class.as_deref()).collect::<Option<Vec<&str>>>() {
            Some(names) => numpy.call_method1("array", (names, "str")),
            None => numpy.call_method1("array", (said.iter().flat_map(|a| a.numbers.clone()).collect::<Vec<f64>>(), "float64")),
        }
    }

    /// The probability of each class, of shape (records, classes), or a regression's values, of shape (records, 1); only of a service that
    /// tells more than the class.
    fn answers<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        if self.service.reveal == Reveal::Class {
            return Err(named(py, "RefusedError", "service: found one that tells the class alone, expected one that tells more"));
        }
        let rows: Vec<Vec<f64>> = self.ask(records)?.into_iter().map(|answer| answer.numbers).collect();
        Ok(PyArray2::from_vec2(py, &rows)?)
    }
}

impl Service {
    fn ask(&self, records: &Bound<'_, PyAny>) -> PyResult<Vec<Answer>> {
        let frame = Frame::of(records)?;
        let (service, identity, patience) = (self.service.clone(), self.identity.clone(), self.patience);
        wait(records.py(), move |stop| {
            let mut asking = Asking::open(&service, &identity, patience)?;
            let (input, task) = (asking.known().input.clone(), asking.known().task.clone());
            let (target, class_alone) = (input.target, asking.reveal() == Reveal::Class);
            let (mut records, mut all) = (frame.unlabelled(input)?, Vec::new());
            while let Some(x) = records.next(ROWS)? {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                all.extend(answers(&task, target, class_alone, asking.answers(&x)?));
            }
            Ok(all)
        })
    }
}
