//! What skl2onnx makes of linear models: LinearClassifier with its end of a classification, and LinearRegressor, as linear layers.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::super::tensor::Constant;
use super::attributes::Attributes;
use super::weights::linear;
use crate::model::Result;

/// A linear layer, and the classes with their probabilities: by softmax, or of two classes by the logistic function.
pub(super) fn classifier(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let numbers = a.ints("classlabels_ints").iter().map(ToString::to_string).collect::<Vec<_>>();
    let names = if numbers.is_empty() { a.strings("classlabels_strings") } else { numbers };
    let (mut weight, mut bias) = coefficients(r, node, a, names.len())?;
    match a.text("post_transform").as_str() {
        "SOFTMAX" => {}
        // The logistic function of z is the second of softmax(0, z); both classes' coefficients are there, as -z and z.
        "LOGISTIC" if names.len() == 2 && opposite(&weight.values) && opposite(&bias.values) => {
            [&mut weight, &mut bias].into_iter().for_each(|c| {
                let half = c.values.len() / 2;
                c.values.iter_mut().take(half).for_each(|v| *v = 0.0);
            });
        }
        _ => return Err(r.refuse(node, "post_transform SOFTMAX, or LOGISTIC of two classes with opposite coefficients")),
    }
    match linear(r, node, Some(weight), true, Some(bias))? {
        Value::Layer { at, .. } => {
            r.names = Some(names);
            if let Some(name) = node.output.get(1).filter(|name| !name.is_empty()) {
                r.values.insert(name.clone(), Value::Probabilities(at));
            }
            Ok(Value::Label(at))
        }
        other => Ok(other),
    }
}

/// A linear layer, and nothing behind it.
pub(super) fn regressor(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    if !["", "NONE"].contains(&a.text("post_transform").as_str()) {
        return Err(r.refuse(node, "post_transform NONE"));
    }
    if a.int("targets", 1) != 1 {
        return Err(r.refuse(node, "one target"));
    }
    let (weight, bias) = coefficients(r, node, a, 1)?;
    linear(r, node, Some(weight), true, Some(bias))
}

/// As a matrix of so many rows, and a row of as many numbers.
fn coefficients(r: &Reader<'_>, node: &NodeProto, a: &Attributes<'_>, outputs: usize) -> Result<(Constant, Constant)> {
    let numbers = |name: &str| a.floats(name).iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let (weight, mut bias) = (numbers("coefficients"), numbers("intercepts"));
    if bias.is_empty() {
        bias = vec![0.0; outputs.min(weight.len())];
    }
    if outputs == 0 || !weight.len().is_multiple_of(outputs) || bias.len() != outputs {
        let expected = format!("coefficients and intercepts for each of {outputs} outputs");
        return Err(r.refuse(node, &expected));
    }
    let dims = vec![outputs, weight.len() / outputs];
    Ok((Constant { dims, values: weight, texts: vec![] }, Constant { dims: vec![outputs], values: bias, texts: vec![] }))
}

/// Whether the second half is the first one's negative.
fn opposite(values: &[f64]) -> bool {
    let (first, second) = values.split_at(values.len() / 2);
    first.len() == second.len() && first.iter().zip(second).all(|(a, b)| *a == -*b)
}
