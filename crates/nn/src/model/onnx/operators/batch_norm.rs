//! BatchNormalization, and constants behind a layer: they become part of the weights of the layer before where nothing else uses its
//! output, since training on shares, and prediction, then have a layer less. What is folded and how is [`fold`](mod@crate::fold)'s.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::attributes::Attributes;
use super::first;
use super::weights::row;
use crate::fold::{affine, scaled};
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
            Some(c) => params.push(row(c.values)),
            None => return Err(r.refuse(node, "four constants: scale, bias, mean and variance")),
        }
    }
    let norm = BatchNorm { eps: Setting(f64::from(a.float("epsilon").unwrap_or(1e-5))), ..BatchNorm::default() };
    if r.folds < 256
        && foldable(r, node, 0)
        && let Some([factor, shift]) = affine(&norm, &params)
        && fold(r, &input, factor.into_raw_vec_and_offset().0, shift.into_raw_vec_and_offset().0)
    {
        return Ok(input);
    }
    r.push(node, Kind::BatchNorm(norm), &[input], params)
}

/// Whether a node's input is what a layer gives, and nothing else uses that under any name.
pub(super) fn foldable(r: &Reader<'_>, node: &NodeProto, i: usize) -> bool {
    let Some(Value::Layer { at, .. }) = r.value(node, i) else { return false };
    let once = |name: &String| r.uses.get(name.as_str()).is_none_or(|n| *n == 1);
    let same = |value: &Value| matches!(value, Value::Layer { at: other, .. } | Value::Complement(other) if other == at);
    r.values.iter().filter(|(_, value)| same(value)).all(|(name, _)| once(name))
}

/// y times `factor` plus `shift`, one number an output or channel, in the weights of the layer that gives y.
pub(super) fn fold(r: &mut Reader<'_>, y: &Value, factor: Vec<f64>, shift: Vec<f64>) -> bool {
    let Value::Layer { at, .. } = y else { return false };
    r.folds += 1;
    match (r.nodes.get(*at), r.params.get_mut(*at)) {
        (Some(node), Some(params)) => scaled(&node.op, params, &[row(factor), row(shift)]),
        _ => false,
    }
}
