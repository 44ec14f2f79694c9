//! A constant of a graph.

use super::super::{Result, content, one_line};
use super::proto::{TensorProto, code};
use crate::graph::MOST_VALUES;

/// Dimensions and values, row by row; of a tensor of texts the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constant {
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
    pub texts: Vec<String>,
}

impl Constant {
    /// Each value as a text: names of classes.
    pub fn names(&self) -> Vec<String> {
        if self.texts.is_empty() { self.values.iter().map(ToString::to_string).collect() } else { self.texts.clone() }
    }
}

/// Length and dimensions are compared before anything is allocated.
pub fn constant(t: &TensorProto, file: &str) -> Result<Constant> {
    let what = format!("tensor \"{}\"", one_line(&t.name));
    if t.data_location == code::EXTERNAL || !t.external_data.is_empty() {
        return Err(content(
            file,
            what,
            "values in another file",
            "all of the model in one file, as onnx.save(model, path) writes it",
        ));
    }
    let dims: Option<Vec<usize>> = t.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let count = dims.as_ref().and_then(|dims| dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)));
    let Some((dims, count)) = dims.zip(count).filter(|(_, n)| *n <= MOST_VALUES) else {
        return Err(content(file, what, format!("dimensions {}", one_line(&format!("{:?}", t.dims))), "at most 2^24 values"));
    };
    let raw = &t.raw_data[..];
    let (size, listed): (usize, usize) = match t.data_type {
        code::FLOAT => (4, t.float_data.len()),
        code::DOUBLE => (8, t.double_data.len()),
        code::INT64 => (8, t.int64_data.len()),
        code::INT32 => (4, t.int32_data.len()),
        code::STRING => (0, t.string_data.len()),
        other => return Err(content(file, what, format!("values of type {other}"), "float, double, int32, int64 or string")),
    };
    let found = if raw.is_empty() || size == 0 { listed } else { raw.len() / size };
    if found != count || (listed == 0 && size > 0 && raw.len() != count.saturating_mul(size)) {
        return Err(content(file, what, format!("{found} values"), format!("{count}, as its dimensions {dims:?} say")));
    }
    let mut out = Constant { dims, ..Constant::default() };
    if raw.is_empty() {
        out.values = match t.data_type {
            code::FLOAT => t.float_data.iter().map(|v| f64::from(*v)).collect(),
            code::DOUBLE => t.double_data.clone(),
            code::INT64 => t.int64_data.iter().map(|v| *v as f64).collect(),
            code::INT32 => t.int32_data.iter().map(|v| f64::from(*v)).collect(),
            _ => Vec::new(),
        };
        out.texts = t.string_data.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    } else {
        out.values = match t.data_type {
            code::FLOAT => raw.as_chunks::<4>().0.iter().map(|c| f64::from(f32::from_le_bytes(*c))).collect(),
            code::INT32 => raw.as_chunks::<4>().0.iter().map(|c| f64::from(i32::from_le_bytes(*c))).collect(),
            code::DOUBLE => raw.as_chunks::<8>().0.iter().map(|c| f64::from_le_bytes(*c)).collect(),
            _ => raw.as_chunks::<8>().0.iter().map(|c| i64::from_le_bytes(*c) as f64).collect(),
        };
    }
    Ok(out)
}
