//! Gemm and MatMul, as linear layers with their constants as weights; and what a constant means for outputs and channels.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::super::tensor::Constant;
use super::attributes::Attributes;
use super::first;
use crate::graph::Kind;
use crate::layers::Linear;
use crate::model::Result;
use ndarray::Array2;

/// One number for each of `n` outputs, where there is one or a row of as many.
pub(super) fn each(c: &Constant, n: usize) -> Option<Vec<f64>> {
    match c.values.len() {
        1 => Some(vec![c.values.first().copied()?; n]),
        m if m == n && c.dims.last() == Some(&n) => Some(c.values.clone()),
        _ => None,
    }
}

/// The same for channels of an image: numbers in a column of [n, 1, 1], or by an axis, as old operator sets have it.
pub(super) fn each_channel(c: &Constant, n: usize, by_axis: bool) -> Option<Vec<f64>> {
    let column = matches!(c.dims[..], [.., m, 1, 1] if m == n);
    if c.values.len() == n && (column || by_axis) { Some(c.values.clone()) } else { each(c, n).filter(|_| c.values.len() == 1) }
}

pub(super) fn gemm(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let (alpha, beta) = (f64::from(a.float("alpha").unwrap_or(1.0)), f64::from(a.float("beta").unwrap_or(1.0)));
    if a.int("transA", 0) != 0 {
        return Err(r.refuse(node, "transA = 0: a record a row"));
    }
    let scaled = |c: Option<Constant>, by: f64| c.map(|c| Constant { values: c.values.iter().map(|v| v * by).collect(), ..c });
    let given = node.input.get(2).is_some_and(|name| !name.is_empty());
    let (weight, bias) = (scaled(r.constant(node, 1)?, alpha), scaled(r.constant(node, 2)?, beta));
    if given && bias.is_none() {
        return Err(r.refuse(node, "a bias that is a constant"));
    }
    linear(r, node, weight, a.int("transB", 0) != 0, bias)
}

pub(super) fn linear(
    r: &mut Reader<'_>,
    node: &NodeProto,
    weight: Option<Constant>,
    outputs_first: bool,
    bias: Option<Constant>,
) -> Result<Value> {
    let input = first(r, node)?;
    let inputs = match &input {
        Value::Record { dims, .. } | Value::Layer { dims, .. } if dims.len() == 1 => dims.first().copied(),
        _ => None,
    };
    let (Some(inputs), Some(weight)) = (inputs, weight) else {
        return Err(r.refuse(node, "rows of numbers times a constant matrix"));
    };
    let matrix = match weight.dims[..] {
        [a, b] => Array2::from_shape_vec((a, b), weight.values).ok(),
        _ => None,
    };
    let matrix = matrix.map(|w| if outputs_first { w } else { w.t().as_standard_layout().to_owned() });
    let Some(matrix) = matrix.filter(|w| w.ncols() == inputs && w.nrows() > 0) else {
        return Err(r.refuse(node, &format!("a constant matrix for rows of {inputs}")));
    };
    let outputs = matrix.nrows();
    let bias = match bias {
        Some(bias) => each(&bias, outputs).ok_or_else(|| r.refuse(node, "a bias of one number an output"))?,
        None => vec![0.0; outputs],
    };
    r.push(node, Kind::Linear(Linear { outputs }), &[input], vec![matrix, row(bias)])
}

pub(super) fn row(values: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_fn((1, values.len()), |(_, i)| values.get(i).copied().unwrap_or(0.0))
}
