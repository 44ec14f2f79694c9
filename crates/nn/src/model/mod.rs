//! The trained network in the clear, and its files: [safetensors](Model::save), the one that is read back,
//! [NumPy](Model::save_npz) and [ONNX](Model::save_onnx).
//!
//! `fc1.weight` is [outputs, inputs], `fc1.bias` \[outputs\], both F32; ReLU stands between the layers. These are the names and the
//! layout that PyTorch uses. Equal models give equal bytes in each format.

mod numpy;
mod onnx;
mod predict;
mod safetensors;

use ndarray::{Array1, Array2};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Larger models and files are none of ours.
const MOST_BYTES: u64 = 1 << 30;
/// A class has a name of at most this many characters.
const MOST_NAME: usize = 200;

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
    /// A logit for each of these classes.
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
#[derive(Clone, PartialEq)]
pub struct Model {
    layers: Vec<(Array2<f32>, Array1<f32>)>,
    task: Task,
    input: String,
}

impl Model {
    /// From the parameters in the order of [`names`](crate::network::names): weights [outputs, inputs] and biases [1, outputs] in
    /// turn. One output makes a regression; more are classes, which have numbers for names. `input` says how features are
    /// scaled: "p/256", or a longer text such as JSON.
    ///
    /// # Errors
    /// [`ModelError::Content`] if they do not make a network or a value is not finite.
    pub fn new(params: &[Array2<f64>], input: &str) -> Result<Model> {
        let layers = params.chunks(2).enumerate().map(|(i, layer)| {
            let [w, b] = layer else { return Err(content("model", "parameters", params.len(), "weights and biases in turn")) };
            if b.nrows() != 1 {
                return Err(content("model", format!("fc{}.bias", i + 1), format!("{:?}", b.dim()), "one row"));
            }
            Ok((w.mapv(|v| v as f32), b.row(0).mapv(|v| v as f32)))
        });
        Model::of(layers.collect::<Result<_>>()?, input.to_owned(), "model")
    }

    /// The same model with names for its classes.
    ///
    /// # Errors
    /// [`ModelError::Content`] unless there is one name a class, none of them empty, longer than 200 characters or with control
    /// characters.
    pub fn with_classes(self, names: &[String]) -> Result<Model> {
        self.with_names(names, "model")
    }

    fn with_names(mut self, names: &[String], file: &str) -> Result<Model> {
        let Task::Classification(classes) = &mut self.task else {
            return Err(content(file, "names of classes", names.len(), "none: the network has one output, a value"));
        };
        if names.len() != classes.len() {
            return Err(content(file, "names of classes", names.len(), classes.len()));
        }
        let bad = |n: &&String| n.is_empty() || n.chars().count() > MOST_NAME || n.chars().any(char::is_control);
        if let Some(name) = names.iter().find(bad) {
            let expected = format!("1 to {MOST_NAME} characters, none of them a control character");
            return Err(content(file, "name of a class", format!("\"{}\"", one_line(name)), expected));
        }
        *classes = names.to_vec();
        Ok(self)
    }

    fn of(layers: Vec<(Array2<f32>, Array1<f32>)>, input: String, file: &str) -> Result<Model> {
        let outputs = layers.last().map_or(0, |(w, _)| w.nrows());
        Model { layers, task: Task::of(outputs), input }.checked(file)
    }

    /// Refuses layers that do not follow one another, and values that are not finite.
    fn checked(self, file: &str) -> Result<Model> {
        if self.layers.is_empty() {
            return Err(content(file, "layers", "none", "at least fc1.weight and fc1.bias"));
        }
        let bytes = self.layers.iter().map(|(w, b)| 4 * (w.len() + b.len()) as u64).sum::<u64>();
        if bytes > MOST_BYTES {
            return Err(content(file, "parameters", format!("{bytes} bytes"), "at most 1 GiB"));
        }
        let mut inputs = self.layers[0].0.ncols();
        for (i, (w, b)) in self.layers.iter().enumerate() {
            let (weight, bias) = (format!("fc{}.weight", i + 1), format!("fc{}.bias", i + 1));
            if w.ncols() != inputs || w.is_empty() {
                return Err(content(file, weight, format!("{:?}", w.shape()), format!("[outputs, {inputs}], not empty")));
            }
            if b.len() != w.nrows() {
                return Err(content(file, bias, format!("{:?}", b.shape()), format!("[{}]", w.nrows())));
            }
            if !w.iter().chain(b).all(|v| v.is_finite()) {
                return Err(content(file, weight + " and bias", "a value that is not finite", "numbers"));
            }
            inputs = w.nrows();
        }
        Ok(self)
    }

    /// Inputs, hidden layers, outputs.
    pub fn sizes(&self) -> Vec<usize> {
        self.layers.first().map(|(w, _)| w.ncols()).into_iter().chain(self.layers.iter().map(|(w, _)| w.nrows())).collect()
    }
    /// "784-256-10".
    pub fn network(&self) -> String {
        self.sizes().iter().map(usize::to_string).collect::<Vec<_>>().join("-")
    }
    /// What the outputs are.
    pub fn task(&self) -> &Task {
        &self.task
    }
    /// How features are scaled; empty if the file does not say.
    pub fn input(&self) -> &str {
        &self.input
    }
    /// Weight [outputs, inputs] and bias \[outputs\] of each layer.
    pub fn layers(&self) -> impl Iterator<Item = (&Array2<f32>, &Array1<f32>)> {
        self.layers.iter().map(|(w, b)| (w, b))
    }

    /// The largest difference between two parameters in the same place.
    ///
    /// # Errors
    /// [`ModelError::Content`] if the networks differ in size.
    pub fn max_difference(&self, other: &Model) -> Result<f64> {
        if self.sizes() != other.sizes() {
            return Err(content("model", "network to compare with", other.network(), self.network()));
        }
        let all = |m: &Model| m.layers.iter().flat_map(|(w, b)| w.iter().chain(b)).map(|&v| f64::from(v)).collect::<Vec<_>>();
        Ok(all(self).into_iter().zip(all(other)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
    }

    /// What a user of a file must know beside the parameters: `task` ("classification" or "regression"), `classes` (their number)
    /// and `class_names` (a JSON array, where they have names), `network` ("784-256-10"), `input` (how features are scaled) and
    /// `trefoil` (the version that wrote it).
    fn about(&self) -> BTreeMap<&'static str, String> {
        let mut about = BTreeMap::from([
            ("input", self.input.clone()),
            ("network", self.network()),
            ("task", self.task.name().to_owned()),
            ("trefoil", env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        if let Task::Classification(names) = &self.task {
            about.insert("classes", names.len().to_string());
            if self.task != Task::of(names.len()) {
                about.insert("class_names", serde_json::json!(names).to_string());
            }
        }
        about
    }

    /// The parameters as files have them: name, shape, values row by row.
    fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>, Vec<u8>)> {
        let bytes = |v: &f32| v.to_le_bytes();
        let names = crate::network::names(self.layers.len());
        let tensors = self.layers.iter().flat_map(move |(w, b)| {
            [(w.shape().to_vec(), w.iter().flat_map(bytes).collect()), (b.shape().to_vec(), b.iter().flat_map(bytes).collect())]
        });
        names.into_iter().zip(tensors).map(|(name, (shape, data))| (name, shape, data))
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

/// Its sizes only: the weights of a trained model are its owner's.
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
