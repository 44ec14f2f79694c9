//! The operators that are understood, each as a layer, a step of the records' preparation, or a part of a classification's end.

use super::proto::*;
use super::read::{Reader, Value};
use super::record::{Step, step};
use super::tensor::Constant;
use crate::graph::Kind;
use crate::layers::constant::Constant as Setting;
use crate::layers::{AvgPool2d, BatchNorm, Conv2d, LeakyRelu, Linear, MaxPool2d, Pair};
use crate::model::{Column, Result};
use ndarray::Array2;

/// What a node gives.
pub fn read(r: &mut Reader<'_>, node: &NodeProto) -> Result<Value> {
    let attributes = Attributes(&node.attribute);
    match node.op_type.as_str() {
        "Constant" => match node.attribute.iter().find_map(|a| a.t.as_ref()) {
            Some(tensor) => Ok(Value::Constant(r.tensor(tensor)?)),
            None => Err(r.refuse(node, "a constant that is a tensor")),
        },
        // A number as a text is no number; a class's name may become one.
        "Cast" if attributes.int("to", 1) == 8 && matches!(r.value(node, 0), Some(Value::Record { .. } | Value::Layer { .. })) => {
            Err(r.refuse(node, "a type of numbers"))
        }
        "Identity" | "Cast" => first(r, node),
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
        "OneHotEncoder" => match r.value(node, 0) {
            Some(Value::Texts(name)) if !attributes.strings("cats_strings").is_empty() => {
                let values = attributes.strings("cats_strings");
                Ok(Value::Record { dims: vec![values.len()], columns: vec![Column::Category { name: name.clone(), values }] })
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
            _ if ![1, -1].contains(&attributes.int("axis", 0)) || attributes.int("select_last_index", 0) != 0 => {
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
            if rest.iter().filter(|d| **d < 0.0).count() > 1 || product != count || filled.is_empty() {
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

/// One number for each of `n` outputs, where there is one or a row of as many.
fn each(c: &Constant, n: usize) -> Option<Vec<f64>> {
    match c.values.len() {
        1 => Some(vec![c.values.first().copied()?; n]),
        m if m == n && c.dims.last() == Some(&n) => Some(c.values.clone()),
        _ => None,
    }
}

/// The same for channels of an image: numbers in a column of [n, 1, 1], or by an axis, as old operator sets have it.
fn each_channel(c: &Constant, n: usize, by_axis: bool) -> Option<Vec<f64>> {
    let column = matches!(c.dims[..], [.., m, 1, 1] if m == n);
    if c.values.len() == n && (column || by_axis) { Some(c.values.clone()) } else { each(c, n).filter(|_| c.values.len() == 1) }
}

fn gemm(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
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

fn linear(
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

fn row(values: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_fn((1, values.len()), |(_, i)| values.get(i).copied().unwrap_or(0.0))
}

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

fn conv(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
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

fn pool(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
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

fn batch_norm(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
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
fn foldable(r: &Reader<'_>, node: &NodeProto, i: usize) -> bool {
    let Some(Value::Layer { at, .. }) = r.value(node, i) else { return false };
    let once = |name: &String| r.uses.get(name.as_str()).is_none_or(|n| *n == 1);
    let same = |value: &Value| matches!(value, Value::Layer { at: other, .. } | Value::Complement(other) if other == at);
    r.values.iter().filter(|(_, value)| same(value)).all(|(name, _)| once(name))
}

/// y times `factor` plus `shift`, one number an output or filter, in the weights of the linear layer or convolution that gives y.
fn fold(r: &mut Reader<'_>, y: &Value, factor: &[f64], shift: &[f64]) -> bool {
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

/// Sums and products with a constant, sums of layers, and limits of records.
fn elements(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
    let what = node.op_type.as_str();
    if what == "Clip" {
        let (mut columns, dims) = record(r, node)?;
        for (i, name, limit) in [(1, "min", Step::AtLeast), (2, "max", Step::AtMost)] {
            let by = r.constant(node, i)?.map(|c| c.values).or_else(|| a.float(name).map(|v| vec![f64::from(v)]));
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
            return match inputs {
                Some(inputs) if inputs.len() > 1 => r.push(node, Kind::Add, &inputs, vec![]),
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
        (_, _, Some(layer)) if foldable(r, node, at) => {
            let by = match &layer {
                Value::Layer { dims, .. } if dims.len() == 3 => each_channel(&by, dims.first().copied().unwrap_or(1), by_axis),
                Value::Layer { dims, .. } if dims.len() == 1 => each(&by, dims.first().copied().unwrap_or(1)),
                _ => None,
            };
            let by = by.unwrap_or_default();
            let (one, zero) = (vec![1.0; by.len()], vec![0.0; by.len()]);
            let folded = match what {
                "Add" | "Sum" => fold(r, &layer, &one, &by),
                "Sub" => fold(r, &layer, &one, &by.iter().map(|v| -v).collect::<Vec<_>>()),
                "Mul" => fold(r, &layer, &by, &zero),
                "Div" => fold(r, &layer, &by.iter().map(|v| 1.0 / v).collect::<Vec<_>>(), &zero),
                _ => false,
            };
            if folded { Ok(layer) } else { Err(r.refuse(node, "a constant right behind a linear layer or convolution")) }
        }
        _ => Err(r.refuse(node, "a constant right behind a linear layer or convolution, whose output nothing else uses")),
    }
}

/// Columns side by side; or, of two classes, the probability of each.
fn concat(r: &mut Reader<'_>, node: &NodeProto, a: &Attributes<'_>) -> Result<Value> {
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

/// A node's settings.
struct Attributes<'a>(&'a [AttributeProto]);

impl<'a> Attributes<'a> {
    fn get(&self, name: &str) -> Option<&'a AttributeProto> {
        self.0.iter().find(|a| a.name == name)
    }
    fn int(&self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |a| a.i)
    }
    fn float(&self, name: &str) -> Option<f32> {
        self.get(name).map(|a| a.f)
    }
    fn ints(&self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |a| &a.ints)
    }
    fn floats(&self, name: &str) -> &'a [f32] {
        self.get(name).map_or(&[], |a| &a.floats)
    }
    fn text(&self, name: &str) -> String {
        self.get(name).map(|a| String::from_utf8_lossy(&a.s).into_owned()).unwrap_or_default()
    }
    fn strings(&self, name: &str) -> Vec<String> {
        self.get(name).map(|a| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()).unwrap_or_default()
    }
}
