//! Conv, MaxPool and AveragePool: windows that slide over images, with the same padding on both sides.

use super::super::proto::*;
use super::super::read::{Reader, Value};
use super::attributes::Attributes;
use super::weights::{each, row};
use super::{first, layer};
use crate::graph::Kind;
use crate::layers::{AvgPool2d, Conv2d, MaxPool2d, Pair};
use crate::model::Result;
use ndarray::Array2;

/// Kernel, stride and padding of a window.
fn window(r: &Reader<'_>, node: &NodeProto, a: &Attributes<'_>, kernel: Option<[usize; 2]>) -> Result<[Pair; 3]> {
    let pair = |name: &str, default: Option<[usize; 2]>| match a.ints(name) {
        [] => default,
        [h, w] => usize::try_from(*h).ok().zip(usize::try_from(*w).ok()).map(|(h, w)| [h, w]),
        _ => None,
    };
    let auto = a.text("auto_pad");
    let ones = |name: &str| a.ints(name).iter().all(|d| *d == 1);
    let padding = match a.ints("pads") {
        [] => Some([0, 0]),
        [top, left, bottom, right] if top == bottom && left == right => {
            usize::try_from(*top).ok().zip(usize::try_from(*left).ok()).map(|(h, w)| [h, w])
        }
        _ => None,
    };
    if !["", "NOTSET", "VALID"].contains(&auto.as_str())
        || !ones("dilations")
        || a.int("ceil_mode", 0) != 0
        || a.int("group", 1) != 1
    {
        return Err(r.refuse(node, "explicit padding, no dilation, one group, and ceil_mode = 0"));
    }
    match (pair("kernel_shape", kernel), pair("strides", Some([1, 1])), padding) {
        (Some(k), Some(s), Some(p)) => Ok([Pair(k), Pair(s), Pair(p)]),
        _ => Err(r.refuse(node, "windows on images by height and width, with as much padding before as after")),
    }
}

pub(super) fn conv(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let input = first(r, node)?;
    let Some((weight, [filters, channels, h, w])) =
        r.constant(node, 1)?.and_then(|c| <[usize; 4]>::try_from(&c.dims[..]).ok().map(|d| (c, d)))
    else {
        return Err(r.refuse(node, "images, and constant weights of 4 dimensions"));
    };
    let [kernel, stride, padding] = window(r, node, a, Some([h, w]))?;
    let fits = matches!(&input, Value::Record { dims, .. } | Value::Layer { dims, .. } if dims.len() == 3 && dims.first() == Some(&channels));
    let matrix = Array2::from_shape_vec((filters, channels * h * w), weight.values).ok();
    let (Some(matrix), true) = (matrix, fits && kernel == Pair([h, w])) else {
        return Err(r.refuse(node, "images of as many channels as the weights have"));
    };
    let bias = match r.constant(node, 2)? {
        Some(bias) => each(&bias, filters).ok_or_else(|| r.refuse(node, "a bias of one number a filter"))?,
        None if node.input.get(2).is_some_and(|n| !n.is_empty()) => return Err(r.refuse(node, "a bias that is a constant")),
        None => vec![0.0; filters],
    };
    r.push(node, Kind::Conv2d(Conv2d { filters, kernel, stride, padding }), &[input], vec![matrix, row(bias)])
}

pub(super) fn pool(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let [kernel, stride, padding] = window(r, node, a, None)?;
    let stride = Some(stride);
    if node.op_type == "MaxPool" {
        if node.output.len() > 1 {
            return Err(r.refuse(node, "one output"));
        }
        return layer(r, node, Kind::MaxPool2d(MaxPool2d { kernel, stride, padding }));
    }
    if padding != Pair([0, 0]) && a.int("count_include_pad", 0) == 0 {
        return Err(r.refuse(node, "no padding, or count_include_pad = 1"));
    }
    layer(r, node, Kind::AvgPool2d(AvgPool2d { kernel, stride, padding }))
}
