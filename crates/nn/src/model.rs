//! The trained network in the clear, and its files, which are [read back](Model::load): [safetensors](Model::save), the one that holds all
//! of it, [NumPy](Model::save_npz) and [ONNX](Model::save_onnx).
//!
//! The parameters have the names and the layout that PyTorch uses, as the model's [`Graph`] says: `fc1.weight` is [outputs, inputs],
//! `fc1.bias` \[outputs\], both F32. Equal models give equal bytes in each format.

mod input;
mod load;
mod numpy;
mod onnx;
mod predict;
mod safetensors;
mod tensors;

pub use input::{Column, Dates, Given, Input, Missing, OfDates, Scale, Target, near};
pub use predict::{classes, in_units, probabilities};

use crate::graph::{Graph, Param};
use crate::network::Network;
use ndarray::Array2;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Larger models and files are none of ours.
const MOST_BYTES: u64 = 1 << 30;
/// A class has a name of at most this many characters.
const MOST_NAME: usize = 200;

/// How a text says that a network's inputs are grey levels from 0 to 255, divided by 256.
const PIXELS: &str = "p/256";

/// What is wrong with a model or its file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read or written.
    #[error("{file}: {source}")]
    Io {
        /// Its path.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file or the parameters are not those of a network.
    #[error("{file}: {what}: found {found}, expected {expected}")]
    Content {
        /// Its path, or "model" for parameters in memory.
        file: String,
        /// The part that is wrong.
        what: String,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: String,
    },
}

type Result<T> = std::result::Result<T, ModelError>;

/// What the outputs of a network are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// A logit for each of these classes; or, of two, one logit for the second.
    Classification(Vec<String>),
    /// One value.
    Regression,
}

impl Task {
    /// That of a network without further knowledge: one output is a value, more are classes "0", "1", ..
    fn of(outputs: usize) -> Task {
        if outputs == 1 { Task::Regression } else { Task::Classification((0..outputs).map(|i| i.to_string()).collect()) }
    }
    /// "classification" or "regression".
    pub fn name(&self) -> &'static str {
        match self {
            Task::Classification(_) => "classification",
            Task::Regression => "regression",
        }
    }
}

/// A trained network in the clear.
#[derive(Clone)]
pub struct Model {
    network: Network,
    /// As [`Network::params`] has them; a bias is one row.
    params: Vec<Array2<f32>>,
    task: Task,
    input: String,
    prepared: Option<Input>,
}

impl Model {
    /// From a network and its parameters as [`Graph::params`] has them. One output makes a regression, unless [two classes](Model::with_classes) are
    /// named; more are classes, which have numbers for names. `input` says how features are scaled: "p/256", or a longer text such as JSON.
    ///
    /// # Errors
    /// [`ModelError::Content`] if the parameters are not those of the network or a value is not finite.
    pub fn new(network: &Graph, params: &[Array2<f64>], input: &str) -> Result<Model> {
        let params = params.iter().map(|p| p.mapv(|v| v as f32)).collect();
        Model::of(network.clone(), params, input.to_owned(), "model")
    }

    /// The same model with names for its classes. Two names for one output make it the logit of the second of two classes.
    ///
    /// # Errors
    /// [`ModelError::Content`] unless there is one name a class, none of them empty, longer than 200 characters or with control
    /// characters; for a regression whose target has a unit.
    pub fn with_classes(self, names: &[String]) -> Result<Model> {
        self.with_names(names, "model")
    }

    fn with_names(mut self, names: &[String], file: &str) -> Result<Model> {
        let expected = self.network.outputs().max(2);
        if names.len() != expected {
            return Err(content(file, "names of classes", names.len(), expected));
        }
        if self.prepared.as_ref().is_some_and(|input| input.target.is_some()) {
            return Err(content(file, "names of classes", names.len(), "none: the output is a value with a unit"));
        }
        let bad = |n: &&String| n.is_empty() || n.chars().count() > MOST_NAME || n.chars().any(char::is_control);
        if let Some(name) = names.iter().find(bad) {
            let expected = format!("1 to {MOST_NAME} characters, none of them a control character");
            return Err(content(file, "name of a class", format!("\"{}\"", one_line(name)), expected));
        }
        self.task = Task::Classification(names.to_vec());
        Ok(self)
    }

    /// The same model, for records as they stand in a file.
    ///
    /// # Errors
    /// [`ModelError::Content`] if they do not become the network's inputs, or a target's unit is given and the network does not have one
    /// output.
    pub fn with_input(self, input: Input) -> Result<Model> {
        self.prepared_by(input, "model")
    }

    fn prepared_by(mut self, input: Input, file: &str) -> Result<Model> {
        input.check(self.network.width(), file)?;
        if input.target.is_some() && self.task != Task::Regression {
            return Err(content(file, "target", "one of a classification", "none: only a regression has it"));
        }
        self.prepared = Some(input);
        Ok(self)
    }

    /// Refuses parameters of another network, and values that are not finite.
    fn of(graph: Graph, params: Vec<Array2<f32>>, input: String, file: &str) -> Result<Model> {
        let network = Network::new(graph).map_err(|e| content(file, "network", e, "one that can be trained"))?;
        if params.len() != network.params().len() {
            return Err(content(file, "parameters", params.len(), network.params().len()));
        }
        for (param, values) in network.params().iter().zip(&params) {
            if [values.nrows(), values.ncols()] != param.shape() {
                return Err(content(file, &param.name, format!("{:?}", values.shape()), format!("{:?}", param.dims)));
            }
            if !values.iter().all(|v| v.is_finite()) {
                return Err(content(file, &param.name, "a value that is not finite", "numbers"));
            }
        }
        let task = Task::of(network.outputs());
        let prepared = (input == PIXELS).then(|| Input::pixels(network.width()));
        Ok(Model { network, params, task, input, prepared })
    }

    /// The network as data.
    pub fn graph(&self) -> &Graph {
        self.network.graph()
    }
    /// "784-256-10".
    pub fn network(&self) -> String {
        self.graph().to_string()
    }
    /// What the outputs are.
    pub fn task(&self) -> &Task {
        &self.task
    }
    /// How features are scaled; empty if the file does not say.
    pub fn input(&self) -> &str {
        &self.input
    }
    /// How a record in a file becomes the network's inputs; `None` if the model does not say.
    pub fn prepared(&self) -> Option<&Input> {
        self.prepared.as_ref()
    }
    /// The parameters with their values; a bias is one row.
    pub fn params(&self) -> impl Iterator<Item = (&Param, &Array2<f32>)> {
        self.network.params().iter().zip(&self.params)
    }

    /// The largest difference between two parameters in the same place.
    ///
    /// # Errors
    /// [`ModelError::Content`] if the networks differ.
    pub fn max_difference(&self, other: &Model) -> Result<f64> {
        if self.graph() != other.graph() {
            return Err(content("model", "network to compare with", other.network(), self.network()));
        }
        let all = |m: &Model| m.params.iter().flatten().map(|&v| f64::from(v)).collect::<Vec<_>>();
        Ok(all(self).into_iter().zip(all(other)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
    }

    /// What a user of a file must know beside the parameters: `task` ("classification" or "regression"), `classes` (their number)
    /// and `class_names` (a JSON array, where they have names), `network` ("784-256-10"), `graph` (the network as JSON, where it is more
    /// than linear layers with ReLU between them), `columns` (an [`Input`] as JSON, where it is known), `input` (how features are scaled) and `trefoil` (the version that wrote it).
    fn about(&self) -> BTreeMap<&'static str, String> {
        let mut about = BTreeMap::from([
            ("input", self.input.clone()),
            ("network", self.network()),
            ("task", self.task.name().to_owned()),
            ("trefoil", env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        if !self.graph().is_perceptron() {
            about.insert("graph", serde_json::json!(self.graph()).to_string());
        }
        if let Some(input) = self.prepared.as_ref().filter(|_| self.input != PIXELS) {
            about.insert("columns", serde_json::json!(input).to_string());
        }
        if let Task::Classification(names) = &self.task {
            about.insert("classes", names.len().to_string());
            if self.task != Task::of(self.network.outputs()) {
                about.insert("class_names", serde_json::json!(names).to_string());
            }
        }
        about
    }

    /// The parameters as files have them: name, shape, values row by row.
    fn tensors(&self) -> impl Iterator<Item = (&str, &[usize], Vec<u8>)> {
        self.params().map(|(p, values)| (p.name.as_str(), &p.dims[..], values.iter().flat_map(|v| v.to_le_bytes()).collect()))
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Model) -> bool {
        self.graph() == other.graph()
            && self.params == other.params
            && self.task == other.task
            && self.input == other.input
            && self.prepared == other.prepared
    }
}

/// Writes a file: all of it or, where that fails, nothing.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| ModelError::Io { file: path.display().to_string(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    temporary.write_all(bytes).map_err(io)?;
    temporary.as_file().sync_all().map_err(io)?;
    temporary.persist(path).map_err(|e| io(e.error))?;
    Ok(())
}

/// Its network only: the weights of a trained model are its owner's.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({})", self.network())
    }
}

fn content(file: &str, what: impl ToString, found: impl ToString, expected: impl ToString) -> ModelError {
    ModelError::Content {
        file: file.to_owned(),
        what: what.to_string(),
        found: found.to_string(),
        expected: expected.to_string(),
    }
}

/// Text from a file, fit for one line of an error.
fn one_line(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
