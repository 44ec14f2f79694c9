//! Concat: columns of records side by side; or the end of a classification of two classes, as scikit-learn writes it.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::super::record::MOST_COLUMNS;
use super::attributes::Attributes;
use crate::graph::{Kind, MOST_VALUES};
use crate::layers::Linear;
use crate::model::{Column, Result};

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
            // Before anything is copied: what is put beside itself again and again doubles each time.
            Some(Value::Record { columns, dims })
                if all.len() + columns.len() > MOST_COLUMNS || width(&all, dims) > MOST_VALUES =>
            {
                return Err(r.refuse(node, "at most 65536 columns that make 2^24 values"));
            }
            Some(Value::Record { columns, dims }) if dims.len() == 1 => all.extend(columns.clone()),
            _ => return Err(r.refuse(node, "columns of records, or the probabilities of two classes")),
        }
    }
    if ![1, -1].contains(&a.int("axis", 1)) {
        return Err(r.refuse(node, "axis 1"));
    }
    let width = width(&all, &[0]);
    Ok(Value::Record { columns: all, dims: vec![width] })
}

/// Values that columns make, and those of a record beside them.
fn width(columns: &[Column], dims: &[usize]) -> usize {
    let more = dims.iter().fold(1_usize, |n, d| n.saturating_mul(*d));
    columns.iter().fold(more, |n, c| n.saturating_add(c.width()))
}

/// The end of a classification with one output: the linear layer before the sigmoid is the last one.
fn two_classes(r: &mut Reader<'_>, node: &NodeProto) -> Result<Value> {
    let at = r.nodes.len().wrapping_sub(2);
    let own = r.nodes.get(at).is_some_and(|linear| {
        let from = r.nodes.last().map(|sigmoid| sigmoid.from.as_slice());
        linear.op == Kind::Linear(Linear { outputs: 1 }) && from.is_some_and(|from| from.iter().eq(&linear.name))
    });
    if !own {
        return Err(r.refuse(node, "a linear layer of one output before the sigmoid"));
    }
    r.nodes.pop();
    r.params.pop();
    // Nothing comes behind: whoever takes one of these is told that it is not there.
    r.values.retain(|_, value| !matches!(value, Value::Layer { at: i, .. } | Value::Complement(i) if *i >= at));
    r.binary = true;
    Ok(Value::Probabilities(at))
}
