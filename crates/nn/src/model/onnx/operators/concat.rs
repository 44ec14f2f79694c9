//! Concat: columns of records side by side; or the end of a classification of two classes, as scikit-learn writes it.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::attributes::Attributes;
use crate::graph::Kind;
use crate::layers::Linear;
use crate::model::Result;
use ndarray::Array2;

/// Columns side by side; or, of two classes, the probability of each.
pub(super) fn concat(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    if let (Some(Value::Complement(no)), Some(Value::Layer { at: yes, .. }), 2) =
        (r.value(node, 0), r.value(node, 1), node.input.len())
    {
        let (yes, no) = (*yes, *no);
        if yes == no && yes + 1 == r.nodes.len() && matches!(r.nodes.last().map(|n| &n.op), Some(Kind::Sigmoid)) {
            return sigmoid_as_softmax(r, node);
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

/// sigmoid(z) is the second of softmax(0, z): the linear layer before it gets an output that is always 0.
fn sigmoid_as_softmax(r: &mut Reader<'_>, node: &NodeProto) -> Result<Value> {
    let at = r.nodes.len().wrapping_sub(2);
    let wider = |p: &Array2<f64>, by: &Array2<f64>, axis| ndarray::concatenate(ndarray::Axis(axis), &[by.view(), p.view()]);
    let params = match (r.nodes.get(at).map(|n| &n.op), r.params.get(at).map(|p| &p[..])) {
        (Some(Kind::Linear(Linear { outputs: 1 })), Some([w, b])) => {
            let zero = Array2::zeros((1, w.ncols()));
            wider(w, &zero, 0).ok().zip(wider(b, &Array2::zeros((1, 1)), 1).ok())
        }
        _ => None,
    };
    let (Some((w, b)), Some(layer)) = (params, r.nodes.get_mut(at)) else {
        return Err(r.refuse(node, "a linear layer of one output before the sigmoid"));
    };
    layer.op = Kind::Linear(Linear { outputs: 2 });
    if let Some(p) = r.params.get_mut(at) {
        *p = vec![w, b];
    }
    r.nodes.pop();
    r.params.pop();
    Ok(Value::Probabilities(at))
}
