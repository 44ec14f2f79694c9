//! Model files as safetensors: what Trefoil reads back. The metadata says what a user of the file must know: `network`
//! ("784-256-10"), `task`, `classes` and their names, `input` (how features are scaled) and `trefoil` (the version that wrote it).
//! Where `graph` is missing the network is linear layers with ReLU between them, and follows from the tensors' shapes.

use super::tensors::Kind;
use super::{Model, Result, content, one_line, write};
use crate::graph::{Graph, Param};
use ::safetensors::{Dtype, SafeTensorError, SafeTensors};
use ndarray::Array2;
use serde_json::{Map, Value, json};
use std::path::Path;

impl Model {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = Map::from_iter([("__metadata__".to_owned(), json!(self.about()))]);
        let mut data = Vec::new();
        for (name, shape, values) in self.tensors() {
            let offsets = [data.len(), data.len() + values.len()];
            header.insert(name.to_owned(), json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets }));
            data.extend(values);
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
    /// [`ModelError::Content`](super::ModelError::Content) naming what is wrong.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Model> {
        let invalid = |e: SafeTensorError| content(file, "safetensors", one_line(&e.to_string()), "a valid file");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(invalid)?;
        let about = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key)).cloned();
        let graph = match about("graph") {
            Some(text) => serde_json::from_str(&text)
                .map_err(|e| content(file, "graph in the metadata", one_line(&e.to_string()), "a network in JSON"))?,
            None => perceptron(&tensors, file)?,
        };
        let invalid = |e: crate::Error| content(file, "network", one_line(&e.to_string()), "one that can be trained");
        graph.check().map_err(invalid)?;
        let expected = graph.params().map_err(invalid)?;
        if expected.len() != tensors.len() {
            return Err(content(file, "tensors", tensors.len(), format!("{}: {}", expected.len(), list(&expected))));
        }
        let mut params = Vec::new();
        for param in &expected {
            let tensor = tensors.tensor(&param.name).map_err(|_| {
                content(file, &param.name, "no such tensor", format!("{} tensors: {}", expected.len(), list(&expected)))
            })?;
            let kind = match tensor.dtype() {
                Dtype::F16 => Kind::F16,
                Dtype::BF16 => Kind::BF16,
                Dtype::F32 => Kind::F32,
                Dtype::F64 => Kind::F64,
                other => return Err(content(file, &param.name, other, "F16, BF16, F32 or F64")),
            };
            if tensor.shape() != param.dims {
                return Err(content(file, &param.name, format!("{:?}", tensor.shape()), format!("{:?}", param.dims)));
            }
            let values = Array2::from_shape_vec(param.shape(), kind.values(tensor.data()));
            params.push(values.map_err(|e| content(file, &param.name, e, format!("{:?}", param.dims)))?);
        }
        let mut model = Model::of(graph, params, about("input").unwrap_or_default(), file)?;
        if let Some(names) = about("class_names") {
            let names: Vec<String> = serde_json::from_str(&names)
                .map_err(|_| content(file, "class_names in the metadata", one_line(&names), "a JSON array of names"))?;
            model = model.with_names(&names, file)?;
        }
        // The names say whether one output is a value or the logit of two classes.
        for (key, expected) in [("network", model.network()), ("task", model.task.name().to_owned())] {
            if let Some(found) = about(key).filter(|found| *found != expected) {
                return Err(content(file, format!("{key} in the metadata"), one_line(&found), expected));
            }
        }
        if let Some(columns) = about("columns") {
            let input = serde_json::from_str(&columns)
                .map_err(|e| content(file, "columns in the metadata", one_line(&e.to_string()), "columns in JSON"))?;
            model = model.prepared_by(input, file)?;
        }
        Ok(model)
    }

    /// Writes a file: all of it or, where that fails, nothing.
    ///
    /// # Errors
    /// [`ModelError::Io`](super::ModelError::Io) naming the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        write(path, &self.to_bytes())
    }
}

/// The linear layers fc1, fc2, .. of a file that has nothing else.
fn perceptron(tensors: &SafeTensors<'_>, file: &str) -> Result<Graph> {
    let mut sizes = Vec::new();
    for i in 1..=tensors.len().div_ceil(2) {
        let name = format!("fc{i}.weight");
        let tensor =
            tensors.tensor(&name).map_err(|_| content(file, &name, "no such tensor", "fc1.weight, fc1.bias, fc2.weight, .."))?;
        let [outputs, inputs] = *tensor.shape() else {
            return Err(content(file, name, format!("{:?}", tensor.shape()), "[outputs, inputs]"));
        };
        if sizes.is_empty() {
            sizes.push(inputs);
        }
        sizes.push(outputs);
    }
    Ok(Graph::perceptron(&sizes))
}

fn list(params: &[Param]) -> String {
    let shown = params.iter().take(4).map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    if params.len() > 4 { shown + ", .." } else { shown }
}
