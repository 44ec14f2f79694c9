//! A trained model.

use crate::errors::exception;
use crate::frame::Frame;
use numpy::ndarray::{Array2, ArrayD};
use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;
use trefoil_job::predict;
use trefoil_job::{Error, Result, evaluate};
use trefoil_nn::model::classes;
use trefoil_nn::{Model as Trained, Task};

/// Records that are answered at a time.
const ROWS: usize = 1024;

/// A trained network in the clear, with what it needs to know of records.
///
/// `answers` and `predict` take records as they are, in their own units: a data frame of pandas or polars with the model's columns by their
/// names, in any order and with others among them, or an array of shape (records, columns) in the model's order.
#[pyclass(frozen, module = "trefoil")]
pub struct Model(pub Trained);

#[pymethods]
impl Model {
    /// A model from a file: safetensors, a NumPy archive, or ONNX by its name.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Model> {
        evaluate::load(&path).map(Model).map_err(|e| exception(py, &e))
    }

    /// A model from the bytes of a file: safetensors, a NumPy archive, or ONNX.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Model> {
        let model = Trained::read(data, "bytes").map_err(Error::from).and_then(evaluate::prepared);
        model.map(Model).map_err(|e| exception(py, &e))
    }

    /// Writes a file in the format that its name says, `.safetensors`, `.npz` or `.onnx`: all of it or, where that fails, nothing.
    /// Safetensors hold all of a model, NumPy's archives its parameters alone.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        evaluate::save(&self.0, &path).map_err(|e| exception(py, &e))
    }

    /// Writes an ONNX file, whatever its name, which takes records as they are.
    fn to_onnx(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.0.save_onnx(&path).map_err(|e| exception(py, &e.into()))
    }

    /// The bytes of a safetensors file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    /// The parameters as PyTorch names and lays them out: a dict of arrays of float32, `fc1.weight` of shape (outputs, inputs), `fc1.bias`
    /// of shape (outputs,), and so on.
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (param, values) in self.0.params() {
            let values = ArrayD::from_shape_vec(&param.dims[..], values.iter().copied().collect());
            let values = values.map_err(|e| exception(py, &Error::config(&param.name, e, "its own shape")))?;
            dict.set_item(&param.name, values.into_pyarray(py))?;
        }
        Ok(dict)
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

    /// What the model says of records: the probability of each class, of shape (records, classes), or a regression's values in the target's
    /// own unit, of shape (records, 1).
    fn answers<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let z = self.logits(records)?;
        Ok(py.detach(|| self.0.answers_of(z)).into_pyarray(py))
    }

    /// The name of each record's likeliest class, an array of texts of shape (records,), or a regression's values in the target's own unit,
    /// an array of floats of shape (records,).
    fn predict<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let z = self.logits(records)?;
        let Task::Classification(names) = self.0.task() else {
            return Ok(self.0.answers_of(z).into_raw_vec_and_offset().0.into_pyarray(py).into_any());
        };
        let names: Vec<&str> = classes(&z).into_iter().filter_map(|class| names.get(class)).map(String::as_str).collect();
        py.import("numpy")?.call_method1("array", (names, "str"))
    }

    fn __repr__(&self) -> String {
        format!("Model({})", self.0.network())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Model>().getattr("from_bytes")?, (self.to_bytes(py),)))
    }
}

impl Model {
    /// The network's outputs, [records, outputs].
    fn logits(&self, records: &Bound<'_, PyAny>) -> PyResult<Array2<f64>> {
        let py = records.py();
        let frame = Frame::of(records)?;
        let count = frame.records;
        let all = py.detach(|| -> Result<Array2<f64>> {
            let mut records = frame.unlabelled(predict::input(&self.0)?)?;
            let (mut z, outputs) = (Vec::new(), self.0.graph().outputs()?);
            while let Some(x) = records.next(ROWS)? {
                z.extend(self.0.logits(&x)?);
            }
            Array2::from_shape_vec((count, outputs), z).map_err(|e| Error::config("outputs", e, "a row for each record"))
        });
        all.map_err(|e| exception(py, &e))
    }
}
