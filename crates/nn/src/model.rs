//! The trained network in the clear, and its file: safetensors with the names and layout that PyTorch uses.
//!
//! `fc1.weight` is [outputs, inputs], `fc1.bias` \[outputs\], both F32; ReLU stands between the layers. The metadata says
//! what a user of the file must know: `network` ("784-256-10"), `classes`, `input` (how features are scaled) and
//! `trefoil` (the version that wrote it). Equal models give equal bytes.

use crate::network::names;
use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::path::Path;

/// Larger files are no model of ours.
const MOST_BYTES: u64 = 1 << 30;

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

/// A trained network in the clear.
#[derive(Clone, PartialEq)]
pub struct Model {
    layers: Vec<(Array2<f32>, Array1<f32>)>,
    input: String,
}

impl Model {
    /// From the parameters in the order of [`names`]: weights [outputs, inputs] and biases [1, outputs] in turn. `input`
    /// says how features are scaled: "p/256".
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
        Model { layers: layers.collect::<Result<_>>()?, input: input.to_owned() }.checked("model")
    }

    /// Refuses layers that do not follow one another, and values that are not finite.
    fn checked(self, file: &str) -> Result<Model> {
        if self.layers.is_empty() {
            return Err(content(file, "layers", "none", "at least fc1.weight and fc1.bias"));
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

    /// Inputs, hidden layers, classes.
    pub fn sizes(&self) -> Vec<usize> {
        self.layers.first().map(|(w, _)| w.ncols()).into_iter().chain(self.layers.iter().map(|(w, _)| w.nrows())).collect()
    }
    /// "784-256-10".
    pub fn network(&self) -> String {
        self.sizes().iter().map(usize::to_string).collect::<Vec<_>>().join("-")
    }
    /// How features are scaled; empty if the file does not say.
    pub fn input(&self) -> &str {
        &self.input
    }
    /// Weight [outputs, inputs] and bias \[outputs\] of each layer.
    pub fn layers(&self) -> impl Iterator<Item = (&Array2<f32>, &Array1<f32>)> {
        self.layers.iter().map(|(w, b)| (w, b))
    }

    /// The logits of each row of `x`, [rows, inputs], in the clear.
    ///
    /// # Errors
    /// [`ModelError::Content`] if `x` has another number of columns than the network has inputs.
    pub fn logits(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let inputs = self.sizes()[0];
        if x.ncols() != inputs {
            return Err(content("model", "features of the data", x.ncols(), inputs));
        }
        let mut x = x.clone();
        for (i, (w, b)) in self.layers.iter().enumerate() {
            if i > 0 {
                x.mapv_inplace(|v| v.max(0.0));
            }
            x = x.dot(&w.mapv(f64::from).t()) + b.mapv(f64::from);
        }
        Ok(x)
    }

    /// The class of each row: the first of the largest logits.
    ///
    /// # Errors
    /// As for [`Model::logits`].
    pub fn predict(&self, x: &Array2<f64>) -> Result<Vec<usize>> {
        let first_largest = |row: ndarray::ArrayView1<f64>| (0..row.len()).rev().max_by(|&i, &j| row[i].total_cmp(&row[j]));
        Ok(self.logits(x)?.rows().into_iter().map(|row| first_largest(row).unwrap_or_default()).collect())
    }

    /// The share of the rows whose class is `labels`', 0 to 1.
    ///
    /// # Errors
    /// As for [`Model::logits`], and if there is not one label a row.
    pub fn accuracy(&self, x: &Array2<f64>, labels: &[usize]) -> Result<f64> {
        if labels.len() != x.nrows() || labels.is_empty() {
            return Err(content("model", "labels", labels.len(), format!("{}, at least 1", x.nrows().max(1))));
        }
        let right = self.predict(x)?.iter().zip(labels).filter(|(a, b)| a == b).count();
        Ok(right as f64 / labels.len() as f64)
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

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let classes = self.layers.last().map_or(0, |(w, _)| w.nrows());
        let about = json!({ "classes": classes.to_string(), "input": self.input, "network": self.network(), "trefoil": env!("CARGO_PKG_VERSION") });
        let mut header = Map::from_iter([("__metadata__".to_owned(), about)]);
        let mut data = Vec::new();
        let mut names = names(self.layers.len()).into_iter();
        let mut tensor = |shape: Value, values: &mut dyn Iterator<Item = &f32>| {
            let start = data.len();
            values.for_each(|v| data.extend(v.to_le_bytes()));
            let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
            header.extend(names.next().map(|name| (name, entry)));
        };
        for (w, b) in &self.layers {
            tensor(json!(w.shape()), &mut w.iter());
            tensor(json!(b.shape()), &mut b.iter());
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend(data);
        file
    }

    /// From the bytes of a file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`ModelError::Content`] naming what is wrong.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Model> {
        let invalid = |e: safetensors::SafeTensorError| content(file, "safetensors", one_line(&e.to_string()), "a valid file");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(invalid)?;
        let expected = names(tensors.len().div_ceil(2));
        let mut values = Vec::new();
        for name in &expected {
            let tensor = tensors
                .tensor(name)
                .map_err(|_| content(file, name, "no such tensor", format!("{} tensors: {}", expected.len(), list(&expected))))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(content(file, name, tensor.dtype(), Dtype::F32));
            }
            let numbers = tensor.data().as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect::<Vec<_>>();
            values.push((name, tensor.shape().to_vec(), numbers));
        }
        let mut layers = Vec::new();
        let mut values = values.into_iter();
        while let (Some((weight, ws, w)), Some((bias, bs, b))) = (values.next(), values.next()) {
            let [outputs, inputs] = ws[..] else { return Err(content(file, weight, format!("{ws:?}"), "[outputs, inputs]")) };
            let w = Array2::from_shape_vec((outputs, inputs), w).map_err(|e| content(file, weight, e, "[outputs, inputs]"))?;
            if bs.len() != 1 {
                return Err(content(file, bias, format!("{bs:?}"), "[outputs]"));
            }
            layers.push((w, Array1::from_vec(b)));
        }
        let about = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key)).cloned();
        let model = Model { layers, input: about("input").unwrap_or_default() }.checked(file)?;
        match about("network") {
            Some(network) if network != model.network() => {
                Err(content(file, "network in the metadata", one_line(&network), model.network()))
            }
            _ => Ok(model),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ModelError`] naming the file.
    pub fn load(path: &Path) -> Result<Model> {
        let file = path.display().to_string();
        let mut bytes = Vec::new();
        let io = |source| ModelError::Io { file: file.clone(), source };
        std::fs::File::open(path).map_err(io)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(content(&file, "size", "more than 1 GiB", "at most 1 GiB"));
        }
        Model::parse(&bytes, &file)
    }

    /// Writes a file: all of it or, where that fails, nothing.
    ///
    /// # Errors
    /// [`ModelError::Io`] naming the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let io = |source| ModelError::Io { file: path.display().to_string(), source };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        temporary.write_all(&self.to_bytes()).map_err(io)?;
        temporary.as_file().sync_all().map_err(io)?;
        temporary.persist(path).map_err(|e| io(e.error))?;
        Ok(())
    }
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

fn list(names: &[String]) -> String {
    let shown = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 4 { shown + ", .." } else { shown }
}
