//! Element by element: sums and products with constants, which prepare records or are folded into a layer, and sums of layers.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::super::record::{Step, step};
use super::attributes::Attributes;
use super::batch_norm::{fold, foldable};
use super::weights::{each, each_channel};
use super::{first, record};
use crate::graph::Kind;
use crate::model::Result;

/// Sums and products with a constant, sums of layers, and limits of records.
pub(super) fn elements(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let what = node.op_type.as_str();
    if what == "Clip" {
        let (mut columns, dims) = record(r, node)?;
        for (i, name, limit) in [(1, "min", Step::AtLeast), (2, "max", Step::AtMost)] {
            let constant = r.constant(node, i)?;
            if constant.is_none() && node.input.get(i).is_some_and(|name| !name.is_empty()) {
                return Err(r.refuse(node, "limits that are constants"));
            }
            let by = constant.map(|c| c.values).or_else(|| a.float(name).map(|v| vec![f64::from(v)]));
            if let Some(by) = by {
                columns = step(&columns, limit, &by).map_err(|e| r.refuse(node, e))?;
            }
        }
        return Ok(Value::Record { columns, dims });
    }
    let (left, right) = (r.constant(node, 0)?, r.constant(node, 1)?);
    let (at, by) = match (left, right, node.input.len()) {
        (Some(c), None, 2) => (1, c),
        (None, Some(c), 2) => (0, c),
        (None, None, _) if what == "Add" || what == "Sum" => {
            let inputs: Option<Vec<Value>> = (0..node.input.len()).map(|i| r.value(node, i).cloned()).collect();
            let dims = |value: &Value| match value {
                Value::Layer { dims, .. } | Value::Record { dims, .. } => Some(dims.clone()),
                _ => None,
            };
            return match inputs {
                Some(inputs) if inputs.len() > 1 && inputs.iter().all(|v| dims(v) == dims(&inputs[0])) => {
                    r.push(node, Kind::Add, &inputs, vec![])
                }
                Some(inputs) if inputs.len() > 1 => Err(r.refuse(node, "inputs of the same dimensions")),
                _ => first(r, node),
            };
        }
        _ => return Err(r.refuse(node, "one constant, and records or what a layer gives")),
    };
    let input = r.value(node, at).cloned();
    let by_axis = r.set < 7 && a.int("axis", -1) == 1;
    match (what, at, input) {
        // One minus a probability.
        ("Sub", 1, Some(Value::Layer { at, dims })) if by.values == [1.0] && dims == [1] => Ok(Value::Complement(at)),
        ("Sub" | "Div", 1, _) => Err(r.refuse(node, "a constant as the second input")),
        (_, _, Some(Value::Record { columns, dims })) => {
            let kind = match what {
                "Add" | "Sum" => Step::Add,
                "Sub" => Step::Subtract,
                "Mul" => Step::Multiply,
                "Div" => Step::Divide,
                "Max" => Step::AtLeast,
                _ => Step::AtMost,
            };
            let count = dims.iter().fold(1_usize, |n, d| n.saturating_mul(*d));
            // As many numbers in other dimensions would be spread over records, or the other way around.
            let long = |dims: &[usize]| dims.iter().copied().skip_while(|d| *d == 1).collect::<Vec<_>>();
            if by.values.len() > 1 && by.values.len() == count && !by_axis && long(&by.dims) != long(&dims) {
                return Err(r.refuse(node, "a constant of one number, or of a record's dimensions"));
            }
            // A constant a channel stands for each of its pixels.
            let values = match dims[..] {
                [c, h, w] if by.values.len() != count && h.saturating_mul(w) <= 1 << 16 => {
                    let of_channels = each_channel(&by, c, by_axis).unwrap_or_default();
                    if of_channels.len() > 1 && by.values.len() > 1 {
                        of_channels.iter().flat_map(|v| std::iter::repeat_n(*v, h * w)).collect()
                    } else {
                        by.values
                    }
                }
                _ => by.values,
            };
            let columns = step(&columns, kind, &values).map_err(|e| r.refuse(node, e))?;
            Ok(Value::Record { columns, dims })
        }
        (_, _, Some(layer)) if r.folds < 256 && foldable(r, node, at) => {
            let by = match &layer {
                Value::Layer { dims, .. } if dims.len() == 3 => each_channel(&by, dims.first().copied().unwrap_or(1), by_axis),
                Value::Layer { dims, .. } if dims.len() == 1 => each(&by, dims.first().copied().unwrap_or(1)),
                _ => None,
            };
            let by = by.unwrap_or_default();
            let (one, zero) = (vec![1.0; by.len()], vec![0.0; by.len()]);
            let folded = match what {
                "Add" | "Sum" => fold(r, &layer, one, by),
                "Sub" => fold(r, &layer, one, by.iter().map(|v| -v).collect()),
                "Mul" => fold(r, &layer, by, zero),
                "Div" => fold(r, &layer, by.iter().map(|v| 1.0 / v).collect(), zero),
                _ => false,
            };
            if folded { Ok(layer) } else { Err(r.refuse(node, "a constant right behind a linear layer or convolution")) }
        }
        _ => Err(r.refuse(node, "a constant right behind a linear layer or convolution, whose output nothing else uses")),
    }
}
