//! A trained model.

use crate::errors::exception;
use crate::frame::Frame;
use crate::job::python;
use numpy::ndarray::{Array2, ArrayD};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::path::PathBuf;
use trefoil_job::predict;
use trefoil_job::{Error, Result, evaluate};
use trefoil_nn::graph::Param;
use trefoil_nn::model::classes;
use trefoil_nn::{Graph, Model as Trained, Network, Task};

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

    /// A model from its network, JSON as in a job's `[train]`, and its parameters by their names, each an array of floats of shape (values,).
    /// It takes records as the network does. `classes` are the names of the outputs' classes, where they are to have some.
    #[staticmethod]
    #[pyo3(signature = (network, parameters, classes=None))]
    fn from_parameters(
        py: Python<'_>,
        network: &str,
        parameters: BTreeMap<String, PyReadonlyArray1<'_, f64>>,
        classes: Option<Vec<String>>,
    ) -> PyResult<Model> {
        let made = || -> Result<Trained> {
            let graph: Graph = serde_json::from_str(network).map_err(|e| Error::config("network", e, "one in JSON"))?;
            graph.check()?;
            let expected = graph.params()?;
            if let Some(name) = parameters.keys().find(|name| expected.iter().all(|param| param.name != **name)) {
                return Err(Error::config("parameters", name, "those of the network"));
            }
            let matrix = |param: &Param| -> Result<Array2<f64>> {
                let values = parameters.get(&param.name).map(|values| values.as_array().to_vec()).unwrap_or_default();
                let found = format!("{} values", values.len());
                let expected = format!("{:?}", param.dims);
                Array2::from_shape_vec(param.shape(), values).map_err(|_| Error::config(&param.name, found, expected))
            };
            let model = Trained::new(&graph, &expected.iter().map(matrix).collect::<Result<Vec<_>>>()?, "")?;
            Ok(classes.map_or(Ok(model.clone()), |names| model.with_classes(&names))?)
        };
        made().map(Model).map_err(|e| exception(py, &e))
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

    /// The network as data: a dict of the shape of a record, `input`, and of `nodes`, each with its operation, `op`, and its `name`.
    #[getter]
    fn graph<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut graph = self.0.graph().clone();
        let network = Network::new(graph.clone()).map_err(|e| exception(py, &e.into()))?;
        graph.nodes.iter_mut().zip(network.names()).for_each(|(node, name)| node.name = Some(name.clone()));
        python(py, &graph)
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

    /// The network's inputs for records: standardised, clipped, and a number for each text of a category, of shape (records, inputs).
    fn prepare<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        Ok(self.each(records, self.0.graph().input.len(), Ok)?.into_pyarray(py))
    }

    /// The network as a PyTorch `nn.Sequential`: see `trefoil.to_torch`.
    fn to_torch<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("trefoil.convert")?.call_method1("to_torch", (slf,))
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
        let outputs = self.0.graph().outputs().map_err(|e| exception(records.py(), &e.into()))?;
        self.each(records, outputs, |x| Ok(self.0.logits(&x)?))
    }

    /// What `of` makes of the network's inputs: so many columns.
    fn each(
        &self,
        records: &Bound<'_, PyAny>,
        columns: usize,
        of: impl Fn(Array2<f64>) -> Result<Array2<f64>> + Sync,
    ) -> PyResult<Array2<f64>> {
        let py = records.py();
        let frame = Frame::of(records)?;
        let count = frame.records;
        let all = py.detach(|| -> Result<Array2<f64>> {
            let mut records = frame.unlabelled(predict::input(&self.0)?)?;
            let mut all = Vec::new();
            while let Some(x) = records.next(ROWS)? {
                all.extend(of(x)?);
                // Ctrl-C.
                Python::attach(|py| py.check_signals()).map_err(|_| Error::Interrupted)?;
            }
            Array2::from_shape_vec((count, columns), all).map_err(|e| Error::config("records", e, "a row for each"))
        });
        all.map_err(|e| exception(py, &e))
    }
}
