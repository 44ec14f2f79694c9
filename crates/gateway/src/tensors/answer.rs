//! An answer's tensors, written.

use super::{Datatype, binary};
use serde_json::{Value, json};

/// A tensor of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// As in the model's metadata.
    pub name: &'static str,
    /// Dimensions, the records first.
    pub shape: Vec<usize>,
    /// In row-major order.
    pub values: Values,
    /// In the binary form, else in JSON.
    pub binary: bool,
}

/// Values of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// FP64.
    Floats(Vec<f64>),
    /// BYTES.
    Texts(Vec<String>),
}

impl Values {
    /// What they are.
    pub fn datatype(&self) -> Datatype {
        match self {
            Values::Floats(_) => Datatype::Fp64,
            Values::Texts(_) => Datatype::Bytes,
        }
    }
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// JSON, then the tensors in the binary form.
    pub body: Vec<u8>,
    /// The length of the JSON, where tensors in the binary form follow.
    pub json: Option<usize>,
}

impl Answer {
    /// Writes an answer of version 1 of a model.
    pub fn write(model: &str, id: Option<&str>, tensors: &[Tensor]) -> Answer {
        let (mut behind, mut outputs) = (vec![], vec![]);
        for tensor in tensors {
            let mut output = json!({ "name": tensor.name, "datatype": tensor.values.datatype(), "shape": tensor.shape });
            if tensor.binary {
                let before = behind.len();
                match &tensor.values {
                    Values::Floats(all) => all.iter().for_each(|v| binary::write_float(&mut behind, *v)),
                    Values::Texts(all) => all.iter().for_each(|text| binary::write_text(&mut behind, text)),
                }
                output["parameters"] = json!({ "binary_data_size": behind.len() - before });
            } else {
                output["data"] = match &tensor.values {
                    Values::Floats(all) => json!(all),
                    Values::Texts(all) => json!(all),
                };
            }
            outputs.push(output);
        }
        let mut all = json!({ "model_name": model, "model_version": "1", "outputs": outputs });
        if let Some(id) = id {
            all["id"] = Value::from(id);
        }
        let mut body = all.to_string().into_bytes();
        let json = tensors.iter().any(|t| t.binary).then_some(body.len());
        body.extend(behind);
        Answer { body, json }
    }
}
