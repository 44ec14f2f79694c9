//! BatchNormalization and constants behind a linear layer or convolution: they become part of its weights where nothing else uses its
//! output, since training on shares, and prediction, then have a layer less.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::attributes::Attributes;
use super::first;
use super::weights::row;
use crate::graph::Kind;
use crate::layers::BatchNorm;
use crate::layers::constant::Constant as Setting;
use crate::model::Result;

pub(super) fn batch_norm(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    if a.int("training_mode", 0) != 0 || node.output.iter().filter(|o| !o.is_empty()).count() > 1 {
        return Err(r.refuse(node, "one output: export for inference"));
    }
    let input = first(r, node)?;
    let mut params = Vec::new();
    for i in 1..5 {
        match r.constant(node, i)? {
            Some(c) => params.push(c.values),
            None => return Err(r.refuse(node, "four constants: scale, bias, mean and variance")),
        }
    }
    let epsilon = f64::from(a.float("epsilon").unwrap_or(1e-5));
    if let ([scale, bias, mean, variance], true) = (&params[..], foldable(r, node, 0)) {
        let factor: Vec<f64> = scale.iter().zip(variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        let shift: Vec<f64> = bias.iter().zip(mean).zip(&factor).map(|((b, m), f)| b - m * f).collect();
        if fold(r, &input, &factor, &shift) {
            return Ok(input);
        }
    }
    let params = params.into_iter().map(row).collect();
    r.push(node, Kind::BatchNorm(BatchNorm { eps: Setting(epsilon), ..BatchNorm::default() }), &[input], params)
}

/// Whether a node's input is what a layer gives, and nothing else uses that under any name.
pub(super) fn foldable(r: &Reader<'_>, node: &NodeProto, i: usize) -> bool {
    let Some(Value::Layer { at, .. }) = r.value(node, i) else { return false };
    let once = |name: &String| r.uses.get(name.as_str()).is_none_or(|n| *n == 1);
    let same = |value: &Value| matches!(value, Value::Layer { at: other, .. } | Value::Complement(other) if other == at);
    r.values.iter().filter(|(_, value)| same(value)).all(|(name, _)| once(name))
}

/// y times `factor` plus `shift`, one number an output or filter, in the weights of the linear layer or convolution that gives y.
pub(super) fn fold(r: &mut Reader<'_>, y: &Value, factor: &[f64], shift: &[f64]) -> bool {
    let Value::Layer { at, .. } = y else { return false };
    let (Some(node), Some([weight, bias])) = (r.nodes.get(*at), r.params.get_mut(*at).map(|p| &mut p[..])) else { return false };
    if !matches!(node.op, Kind::Linear(_) | Kind::Conv2d(_)) || factor.len() != weight.nrows() || shift.len() != weight.nrows() {
        return false;
    }
    for (((mut w, b), f), s) in weight.rows_mut().into_iter().zip(bias.iter_mut()).zip(factor).zip(shift) {
        w.mapv_inplace(|v| v * f);
        *b = *b * f + s;
    }
    true
}
