//! A trained model.

use crate::errors::exception;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use trefoil_job::Result;
use trefoil_nn::{Model as Trained, Task};

/// A trained network in the clear, with what it needs to know of records. It is read, copied and pickled as a safetensors file's bytes.
#[pyclass(frozen, module = "trefoil")]
pub struct Model(pub Trained);

#[pymethods]
impl Model {
    /// A model from the bytes of a file: safetensors, a NumPy archive, or ONNX.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Model> {
        Trained::read(data, "bytes").map(Model).map_err(|e| exception(py, &e.into()))
    }

    /// The network, such as "64-256-10".
    #[getter]
    fn network(&self) -> String {
        self.0.network()
    }

    /// "classification" or "regression".
    #[getter]
    fn task(&self) -> &'static str {
        self.0.task().name()
    }

    /// The names of the classes, in the order of the columns of `answers`; `None` for a regression.
    #[getter]
    fn classes(&self) -> Option<Vec<String>> {
        match self.0.task() {
            Task::Classification(names) => Some(names.clone()),
            Task::Regression => None,
        }
    }

    /// What the model says of raw records `x`, an array of floats of shape (records, features), in the columns' own units: the probability of
    /// each class, of shape (records, classes), or a regression's values in the target's own unit, of shape (records, 1).
    fn answers<'py>(&self, py: Python<'py>, x: PyReadonlyArray2<'py, f64>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let x = x.as_array().to_owned();
        let answers = py.detach(|| -> Result<_> {
            let x = self.0.prepared().map_or_else(|| Ok(x.clone()), |input| input.prepare(&x))?;
            Ok(self.0.answers(&x)?)
        });
        Ok(answers.map_err(|e| exception(py, &e))?.into_pyarray(py))
    }

    fn __repr__(&self) -> String {
        format!("Model({})", self.0.network())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Model>().getattr("from_bytes")?, (PyBytes::new(py, &self.0.to_bytes()),)))
    }
}
