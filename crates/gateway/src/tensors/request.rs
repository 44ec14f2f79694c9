//! A request's tensors, and what is asked for in return.

use super::{Datatype, binary};
use crate::Refusal;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::time::Duration;
use trefoil_data::records::Cells;

/// What is asked: the body of a request to infer.
#[derive(Debug)]
pub struct Request {
    /// Comes back with the answer.
    pub id: Option<String>,
    /// In the order of the request.
    pub inputs: Vec<Input>,
    /// Those that are wanted; `None` for all.
    pub outputs: Option<Vec<Output>>,
    /// Whether outputs are wanted in the binary form, unless they say otherwise.
    pub binary: bool,
    /// How long the request may wait for its answer's beginning, from when it has come.
    pub deadline: Option<Duration>,
}

/// A tensor with as many values as its shape says, of its datatype.
#[derive(Debug)]
pub struct Input {
    /// As in the model's metadata.
    pub name: String,
    /// Dimensions, the records first.
    pub shape: Vec<u64>,
    /// In row-major order.
    pub cells: Cells,
}

/// A tensor that is asked for.
#[derive(Debug)]
pub struct Output {
    /// As in the model's metadata.
    pub name: String,
    /// In the binary form or in JSON; `None` where the request decides.
    pub binary: Option<bool>,
}

#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<Given>,
    outputs: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Given {
    name: String,
    shape: Vec<u64>,
    datatype: Datatype,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Those that change what is meant. Others, such as hints for another server's codecs, change nothing here.
#[derive(Default, Deserialize)]
struct Parameters {
    binary_data_size: Option<u64>,
    binary_data_output: Option<bool>,
    binary_data: Option<bool>,
    /// In microseconds; 0 is none.
    timeout: Option<u64>,
    shared_memory_region: Option<serde::de::IgnoredAny>,
    classification: Option<serde::de::IgnoredAny>,
}

impl Parameters {
    /// Refuses what there is not here.
    fn check(&self, name: &str) -> Result<(), Refusal> {
        let found = match (&self.shared_memory_region, &self.classification) {
            (Some(_), _) => "shared_memory_region",
            (_, Some(_)) => "classification",
            _ => return Ok(()),
        };
        Err(Refusal::request(format_args!("tensor {}", quoted(name)), format_args!("parameter {found}"), "data in the request"))
    }
}

impl Request {
    /// Reads a body. `json` is the length of its JSON, where tensors in the binary form follow.
    ///
    /// # Errors
    /// It is none: what there is, and what is expected.
    pub fn parse(body: &[u8], json: Option<usize>) -> Result<Request, Refusal> {
        let Some((text, mut behind)) = body.split_at_checked(json.unwrap_or(body.len())) else {
            let found = format!("{} bytes", body.len());
            return Err(Refusal::request("body", found, format_args!("{} bytes of JSON", json.unwrap_or_default())));
        };
        let body: Body =
            serde_json::from_slice(text).map_err(|e| Refusal::request("body", e, "JSON of the Open Inference Protocol"))?;
        let mut inputs = Vec::new();
        for given in body.inputs {
            inputs.push(given.read(&mut behind)?);
        }
        if !behind.is_empty() {
            return Err(Refusal::request("body", format_args!("{} bytes behind the last tensor", behind.len()), "none"));
        }
        let output = |wanted: Wanted| -> Result<Output, Refusal> {
            wanted.parameters.check(&wanted.name)?;
            Ok(Output { name: wanted.name, binary: wanted.parameters.binary_data })
        };
        // An empty list is no wish.
        let outputs = body.outputs.filter(|outputs| !outputs.is_empty());
        let outputs = outputs.map(|all| all.into_iter().map(output).collect()).transpose()?;
        let Parameters { binary_data_output, timeout, .. } = body.parameters;
        let deadline = timeout.filter(|timeout| *timeout > 0).map(Duration::from_micros);
        Ok(Request { id: body.id, inputs, outputs, binary: binary_data_output == Some(true), deadline })
    }
}

impl Given {
    /// Takes what is this tensor's from what is behind the JSON.
    fn read(self, behind: &mut &[u8]) -> Result<Input, Refusal> {
        let what = format!("tensor {}", quoted(&self.name));
        self.parameters.check(&self.name)?;
        let count = self.shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d)).and_then(|n| usize::try_from(n).ok());
        let Some(count) = count else {
            return Err(Refusal::request(what, format_args!("shape {:?}", self.shape), "fewer than 2^64 values"));
        };
        let cells = match (self.data, self.parameters.binary_data_size) {
            (Some(Data(cells)), None) => {
                if cells.len() != count {
                    let expected = format!("{count} as in its shape {:?}", self.shape);
                    return Err(Refusal::request(what, format_args!("{} values", cells.len()), expected));
                }
                self.datatype.conform(cells)
            }
            (None, Some(size)) => {
                let split = usize::try_from(size).ok().and_then(|size| behind.split_at_checked(size));
                let Some((own, rest)) = split else {
                    let found = format!("binary_data_size {size}");
                    return Err(Refusal::request(what, found, format_args!("at most the {} bytes that follow", behind.len())));
                };
                *behind = rest;
                binary::read(self.datatype, own, count)
            }
            (Some(_), Some(_)) => return Err(Refusal::request(what, "data and binary_data_size", "one of the two")),
            (None, None) => return Err(Refusal::request(what, "neither data nor binary_data_size", "one of the two")),
        };
        let cells = cells.map_err(|found| Refusal::request(&what, found, format_args!("{count} of {}", self.datatype.name())))?;
        Ok(Input { name: self.name, shape: self.shape, cells })
    }
}

/// A piece of a request for a message: at most 64 characters, on one line.
pub(crate) fn quoted(name: &str) -> String {
    format!("{:?}", name.chars().take(64).collect::<String>())
}

/// Values in JSON: a list, or lists of lists, of numbers and truth values or of texts.
struct Data(Cells);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Data, D::Error> {
        let mut cells = Cells::Integers(vec![]);
        from.deserialize_seq(Values(&mut cells))?;
        Ok(Data(cells))
    }
}

/// Appends what it finds.
struct Values<'a>(&'a mut Cells);

impl Values<'_> {
    fn integer(self, v: i64) -> Result<(), &'static str> {
        match self.0 {
            Cells::Integers(all) => all.push(v),
            Cells::Floats(all) => all.push(v as f64),
            Cells::Texts(_) | Cells::Arrow(_) => return Err(MIXED),
        }
        Ok(())
    }

    fn float(self, v: f64) -> Result<(), &'static str> {
        if let Cells::Integers(before) = self.0 {
            *self.0 = Cells::Floats(before.iter().map(|v| *v as f64).collect());
        }
        match self.0 {
            Cells::Floats(all) => all.push(v),
            _ => return Err(MIXED),
        }
        Ok(())
    }

    fn text(self, v: &str) -> Result<(), &'static str> {
        if self.0.is_empty() {
            *self.0 = Cells::Texts(vec![]);
        }
        match self.0 {
            Cells::Texts(all) => all.push(v.as_bytes().to_vec()),
            _ => return Err(MIXED),
        }
        Ok(())
    }
}

const MIXED: &str = "numbers and texts in one tensor";

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of numbers or of texts")
    }

    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<(), E> {
        self.integer(v.into()).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<(), E> {
        self.integer(v).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<(), E> {
        match i64::try_from(v) {
            Ok(v) => self.integer(v),
            Err(_) => self.float(v as f64),
        }
        .map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<(), E> {
        self.float(v).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<(), E> {
        self.text(v).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Values(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("found null, expected a number or a text"))
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests;
