//! The operators that are understood, each as a layer, a step of the records' preparation, or a part of a classification's end.

mod attributes;
mod batch_norm;
mod concat;
mod elements;
mod linear_model;
mod weights;
mod windows;

use self::attributes::Attributes;
use self::batch_norm::batch_norm;
use self::concat::concat;
use self::elements::elements;
use self::weights::{gemm, linear};
use self::windows::{conv, pool};
use super::proto::*;
use super::read::{Reader, Value};
use super::record::{Step, logged, step};
use crate::graph::Kind;
use crate::layers::LeakyRelu;
use crate::layers::constant::Constant as Setting;
use crate::model::{Column, Result};

/// A record has no more dimensions than this.
const MOST_SIDES: usize = 8;

/// What a node gives.
pub fn read(r: &mut Reader<'_>, node: &NodeProto) -> Result<Value> {
    let attributes = Attributes(&node.attribute);
    match node.op_type.as_str() {
        "Constant" => match node.attribute.iter().find_map(|a| a.t.as_ref()) {
            Some(tensor) => Ok(Value::Constant(r.tensor(tensor)?)),
            None => Err(r.refuse(node, "a constant that is a tensor")),
        },
        "Cast" => cast(r, node, &attributes),
        "Identity" => first(r, node),
        "Dropout" => match r.constant(node, 2)? {
            Some(training) if training.values != [0.0] => Err(r.refuse(node, "dropout that does nothing: export for inference")),
            _ => first(r, node),
        },
        "Flatten" if attributes.int("axis", 1) == 1 => reshaped(r, node, None),
        "Flatten" => Err(r.refuse(node, "axis 1: records stay apart")),
        "Reshape" => {
            let shape = match r.constant(node, 1)? {
                Some(shape) => shape.values,
                None => attributes.ints("shape").iter().map(|d| *d as f64).collect(),
            };
            reshaped(r, node, Some(shape))
        }
        "Gemm" => gemm(r, node, &attributes),
        "MatMul" => {
            let weight = r.constant(node, 1)?;
            linear(r, node, weight, false, None)
        }
        "Conv" => conv(r, node, &attributes),
        "MaxPool" | "AveragePool" => pool(r, node, &attributes),
        "GlobalAveragePool" => layer(r, node, Kind::GlobalAvgPool2d),
        "Relu" => layer(r, node, Kind::Relu),
        "LeakyRelu" => {
            let slope = Setting(f64::from(attributes.float("alpha").unwrap_or(0.01)));
            layer(r, node, Kind::LeakyRelu(LeakyRelu { slope }))
        }
        "Tanh" => layer(r, node, Kind::Tanh),
        "Sigmoid" => layer(r, node, Kind::Sigmoid),
        "LinearClassifier" => linear_model::classifier(r, node, &attributes),
        "LinearRegressor" => linear_model::regressor(r, node, &attributes),
        // Probabilities have this norm already.
        "Normalizer" if attributes.text("norm") == "L1" && matches!(r.value(node, 0), Some(Value::Probabilities(_))) => first(r, node),
        "BatchNormalization" => batch_norm(r, node, &attributes),
        "Add" | "Sum" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Clip" => elements(r, node, &attributes),
        "Scaler" => {
            let mut columns = record(r, node)?;
            for (what, name) in [(Step::Subtract, "offset"), (Step::Multiply, "scale")] {
                let by: Vec<f64> = attributes.floats(name).iter().map(|v| f64::from(*v)).collect();
                if !by.is_empty() {
                    columns.0 = step(&columns.0, what, &by).map_err(|e| r.refuse(node, e))?;
                }
            }
            Ok(Value::Record { columns: columns.0, dims: columns.1 })
        }
        "Log" => {
            let (columns, dims) = record(r, node)?;
            Ok(Value::Record { columns: logged(columns).map_err(|e| r.refuse(node, e))?, dims })
        }
        "OneHotEncoder" => match r.value(node, 0) {
            Some(Value::Texts(name)) if !attributes.strings("cats_strings").is_empty() => {
                let (values, other) = (attributes.strings("cats_strings"), attributes.int("zeros", 1) == 1);
                Ok(Value::Record { dims: vec![values.len()], columns: vec![Column::Category { name: name.clone(), values, other }] })
            }
            _ => Err(r.refuse(node, "cats_strings, on an input of texts")),
        },
        "Concat" => concat(r, node, &attributes),
        // Over the last axis, or over all but the first: of a row of numbers both are the same.
        "Softmax" => match r.value(node, 0) {
            Some(Value::Layer { at, dims }) if dims.len() == 1 && [1, -1].contains(&attributes.int("axis", 1)) => {
                Ok(Value::Probabilities(*at))
            }
            _ => Err(r.refuse(node, "the last layer's outputs, a number a class, over axis 1")),
        },
        "ArgMax" => match r.value(node, 0) {
            // Of two classes with one output it makes a difference at 0 alone, which no output is but by chance.
            _ if ![1, -1].contains(&attributes.int("axis", 0)) || (attributes.int("select_last_index", 0) != 0 && !r.binary) => {
                Err(r.refuse(node, "axis 1, and the first of several largest"))
            }
            Some(Value::Layer { at, dims }) if dims.len() == 1 => Ok(Value::Class(*at)),
            Some(Value::Probabilities(at)) => Ok(Value::Class(*at)),
            _ => Err(r.refuse(node, "the last layer's outputs or their softmax, a number a class")),
        },
        "ArrayFeatureExtractor" | "Gather" => match (r.constant(node, 0)?, r.value(node, 1)) {
            (Some(names), Some(Value::Class(at))) => {
                let at = *at;
                r.names = Some(names.names());
                Ok(Value::Label(at))
            }
            _ => Err(r.refuse(node, "the names of classes, a constant, at the place that ArgMax gives")),
        },
        "ZipMap" => {
            let numbers = attributes.ints("classlabels_int64s").iter().map(ToString::to_string).collect::<Vec<_>>();
            let texts = attributes.strings("classlabels_strings");
            r.names = Some(if texts.is_empty() { numbers } else { texts });
            first(r, node)
        }
        _ => Err(r.refuse(
            node,
            "Gemm, MatMul, Conv, MaxPool, AveragePool, GlobalAveragePool, BatchNormalization, Relu, LeakyRelu, Sigmoid, Tanh, Add, \
             Flatten, Reshape, Softmax and what stands around them (docs/onnx.md)",
        )),
    }
}

/// Another type of the same numbers, with fewer digits or more. As integers, truth values or texts they would be others, but for a class's
/// place or name, and for a constant, whose whole part is then taken.
fn cast(r: &Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    // By name in operator sets below 6.
    let real = match a.text("to").as_str() {
        "" => code::REAL.map(i64::from).contains(&a.int("to", 0)),
        name => ["FLOAT", "DOUBLE", "FLOAT16"].contains(&name),
    };
    match first(r, node)? {
        value if real => Ok(value),
        Value::Constant(mut c) => {
            c.values.iter_mut().for_each(|v| *v = v.trunc());
            Ok(Value::Constant(c))
        }
        value @ (Value::Class(_) | Value::Label(_) | Value::Texts(_)) => Ok(value),
        _ => Err(r.refuse(node, "a type of real numbers")),
    }
}

/// The first input, as it is.
fn first(r: &Reader<'_>, node: &NodeProto) -> Result<Value> {
    r.value(node, 0).cloned().ok_or_else(|| r.refuse(node, "one input"))
}

fn record(r: &Reader<'_>, node: &NodeProto) -> Result<(Vec<Column>, Vec<usize>)> {
    match r.value(node, 0) {
        Some(Value::Record { columns, dims }) => Ok((columns.clone(), dims.clone())),
        _ => Err(r.refuse(node, "records, before the first layer")),
    }
}

fn layer(r: &mut Reader<'_>, node: &NodeProto, op: Kind) -> Result<Value> {
    let input = first(r, node)?;
    let same = matches!(op, Kind::Relu | Kind::LeakyRelu(_) | Kind::Tanh | Kind::Sigmoid);
    match (r.push(node, op, std::slice::from_ref(&input), vec![])?, input) {
        // More dimensions than a layer knows of.
        (Value::Layer { at, .. }, Value::Layer { dims, .. } | Value::Record { dims, .. }) if same => {
            Ok(Value::Layer { at, dims })
        }
        (value, _) => Ok(value),
    }
}

/// The same values in another shape: all of a record's, in their order.
fn reshaped(r: &mut Reader<'_>, node: &NodeProto, shape: Option<Vec<f64>>) -> Result<Value> {
    let input = first(r, node)?;
    let (Value::Record { dims, .. } | Value::Layer { dims, .. }) = &input else {
        // Labels and probabilities, of whatever shape.
        return Ok(input);
    };
    let count = dims.iter().fold(1_usize, |n, d| n.saturating_mul(*d));
    let wanted = match shape {
        None => vec![count],
        Some(shape) => {
            let rest: Vec<f64> = shape.iter().skip(1).copied().collect();
            let copied = |(i, d): (usize, &f64)| if *d == 0.0 { dims.get(i).map_or(0.0, |d| *d as f64) } else { *d };
            let rest: Vec<f64> = rest.iter().enumerate().map(copied).collect();
            let known: f64 = rest.iter().filter(|d| **d > 0.0).product();
            let filled: Vec<usize> = rest.iter().map(|d| if *d == -1.0 { count as f64 / known } else { *d } as usize).collect();
            let product = filled.iter().fold(1_usize, |n, d| n.saturating_mul(*d));
            let sides = 1..=MOST_SIDES;
            if rest.iter().filter(|d| **d < 0.0).count() > 1 || product != count || !sides.contains(&filled.len()) {
                return Err(r.refuse(node, "a constant shape that keeps each record's values together"));
            }
            filled
        }
    };
    match input {
        Value::Record { columns, .. } => Ok(Value::Record { columns, dims: wanted }),
        Value::Layer { at, dims } if dims.len() != 3 && wanted.len() != 3 => Ok(Value::Layer { at, dims: wanted }),
        Value::Layer { at, dims } if dims == wanted => Ok(Value::Layer { at, dims }),
        flat if wanted.len() == 1 => r.push(node, Kind::Flatten, &[flat], vec![]),
        _ => Err(r.refuse(node, "an image before the first layer only")),
    }
}
