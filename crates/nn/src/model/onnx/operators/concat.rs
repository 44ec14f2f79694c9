//! Concat: columns of records side by side; or the end of a classification of two classes, as scikit-learn writes it.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::attributes::Attributes;
use crate::graph::Kind;
use crate::layers::Linear;
use crate::model::Result;

/// Columns side by side; or, of two classes, the probability of each.
pub(super) fn concat(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    if let (Some(Value::Complement(no)), Some(Value::Layer { at: yes, .. }), 2) =
        (r.value(node, 0), r.value(node, 1), node.input.len())
    {
        let (yes, no) = (*yes, *no);
        if yes == no && yes + 1 == r.nodes.len() && matches!(r.nodes.last().map(|n| &n.op), Some(Kind::Sigmoid)) {
            return two_classes(r, node);
        }
    }
    let mut all = Vec::new();
    for i in 0..node.input.len() {
        match r.value(node, i) {
            Some(Value::Record { columns, dims }) if dims.len() == 1 => all.extend(columns.clone()),
            _ => return Err(r.refuse(node, "columns of records, or the probabilities of two classes")),
        }
    }
    if ![1, -1].contains(&a.int("axis", 1)) {
        return Err(r.refuse(node, "axis 1"));
    }
    let width = all.iter().fold(0_usize, |n, c| n.saturating_add(c.width()));
    Ok(Value::Record { columns: all, dims: vec![width] })
}

/// The end of a classification with one output: the linear layer before the sigmoid is the last one.
fn two_classes(r: &mut Reader<'_>, node: &NodeProto) -> Result<Value> {
    let at = r.nodes.len().wrapping_sub(2);
    if !matches!(r.nodes.get(at).map(|n| &n.op), Some(Kind::Linear(Linear { outputs: 1 }))) {
        return Err(r.refuse(node, "a linear layer of one output before the sigmoid"));
    }
    r.nodes.pop();
    r.params.pop();
    r.binary = true;
    Ok(Value::Probabilities(at))
}
