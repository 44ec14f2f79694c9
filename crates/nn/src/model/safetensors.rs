//! Model files as safetensors: what Trefoil reads back. The metadata says what a user of the file must know: `network`
//! ("784-256-10"), `task`, `classes` and their names, `input` (how features are scaled) and `trefoil` (the version that wrote it).

use super::{MOST_BYTES, Model, ModelError, Result, content, one_line, write};
use crate::network::names;
use ::safetensors::{Dtype, SafeTensorError, SafeTensors};
use ndarray::{Array1, Array2};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::Path;

impl Model {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = Map::from_iter([("__metadata__".to_owned(), json!(self.about()))]);
        let mut data = Vec::new();
        for (name, shape, values) in self.tensors() {
            let offsets = [data.len(), data.len() + values.len()];
            header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets }));
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
    /// [`ModelError::Content`] naming what is wrong.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Model> {
        let invalid = |e: SafeTensorError| content(file, "safetensors", one_line(&e.to_string()), "a valid file");
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
        let mut model = Model::of(layers, about("input").unwrap_or_default(), file)?;
        for (key, expected) in [("network", model.network()), ("task", model.task.name().to_owned())] {
            if let Some(found) = about(key).filter(|found| *found != expected) {
                return Err(content(file, format!("{key} in the metadata"), one_line(&found), expected));
            }
        }
        if let Some(names) = about("class_names") {
            let names: Vec<String> = serde_json::from_str(&names)
                .map_err(|_| content(file, "class_names in the metadata", one_line(&names), "a JSON array of names"))?;
            model = model.with_names(&names, file)?;
        }
        Ok(model)
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
        write(path, &self.to_bytes())
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 4 { shown + ", .." } else { shown }
}
