//! Batch normalisation folded into the layer before it, in the clear: for prediction, and for formats and engines that know none.
//!
//! In evaluation a batch normalisation is y = s z + (beta - s mean) with s = gamma / sqrt(var + eps), a number a channel. Where z = x W^T + b
//! is a linear layer's or a convolution's, and nobody else takes it, that is the same layer with s W and s (b - mean) + beta.

use crate::graph::{Graph, Kind, Node, Param, RECORD, Shape};
use crate::layers::{BatchNorm, Conv2d, Linear, Pair};
use crate::{Error, Result};
use ndarray::Array2;

/// What a batch normalisation does to a channel in evaluation: it multiplies with the first, and adds the second. The parameters are
/// weight, bias, running mean and running variance, a row each.
pub(crate) fn affine(norm: &BatchNorm, params: &[Array2<f64>]) -> Option<[Array2<f64>; 2]> {
    let [gamma, beta, mean, variance] = params else { return None };
    let fits = [beta, mean, variance].iter().all(|row| row.dim() == gamma.dim());
    let factor = fits.then(|| gamma / variance.mapv(|v| (v + norm.eps.0).sqrt()))?;
    let shift = beta - mean * &factor;
    Some([factor, shift])
}

/// Makes `factor` y + `shift`, a number an output or channel, of what a layer with these parameters gives. False where the layer has
/// no weights for that, or others; then nothing is changed.
pub(crate) fn scaled(op: &Kind, params: &mut [Array2<f64>], [factor, shift]: &[Array2<f64>; 2]) -> bool {
    let outputs = |weight: &Array2<f64>| match op {
        Kind::Linear(_) | Kind::Conv2d(_) => weight.nrows(),
        Kind::BatchNorm(_) => weight.ncols(),
        _ => 0,
    };
    let [weight, bias, ..] = params else { return false };
    let row = (1, outputs(weight));
    if row.1 == 0 || [factor.dim(), shift.dim(), bias.dim()] != [row; 3] {
        return false;
    }
    match op {
        Kind::BatchNorm(_) => *weight *= factor,
        _ => *weight *= &factor.t(),
    }
    *bias = &*bias * factor + shift;
    true
}

/// The parameters of each node, of those of [`Graph::params`].
fn by_node(graph: &Graph, params: &[Array2<f64>]) -> Result<Vec<Vec<Array2<f64>>>> {
    let (names, all) = (graph.names(), graph.params()?);
    let fits = |(p, x): (&Param, &Array2<f64>)| p.shape() == [x.nrows(), x.ncols()];
    if params.len() != all.len() || !all.iter().zip(params).all(fits) {
        return Err(Error::config(
            "parameters to fold",
            format!("{} others", params.len()),
            format!("the {} of {graph}", all.len()),
        ));
    }
    let mut values: Vec<Vec<Array2<f64>>> = vec![Vec::new(); names.len()];
    for (param, x) in all.iter().zip(params) {
        let of = |name: &&String| param.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
        if let Some(at) = names.iter().position(|name| of(&name)) {
            values[at].push(x.clone());
        }
    }
    Ok(values)
}

/// The network without those batch normalisations that can be folded, and its parameters, from those of [`Graph::params`] (a bias is
/// one row). All other nodes keep their names.
///
/// # Errors
/// [`Error::Config`] if it is no network, or the parameters are not its own.
pub fn fold(graph: &Graph, params: &[Array2<f64>]) -> Result<(Graph, Vec<Array2<f64>>)> {
    graph.check()?;
    let (names, sources, mut values) = (graph.names(), graph.sources()?, by_node(graph, params)?);
    // Where each node's output is found afterwards: that of a folded one is its source's.
    let mut stands_for: Vec<usize> = (0..names.len()).collect();
    for (i, node) in graph.nodes.iter().enumerate() {
        let (Kind::BatchNorm(norm), [Some(before)]) = (&node.op, &sources[i][..]) else { continue };
        let uses = sources.iter().flatten().filter(|source| **source == Some(*before)).count();
        let op = &graph.nodes[*before].op;
        if uses != 1 || !matches!(op, Kind::Linear(_) | Kind::Conv2d(_)) {
            continue;
        }
        if affine(norm, &values[i]).is_some_and(|by| scaled(op, &mut values[*before], &by)) {
            values[i].clear();
            stands_for[i] = *before;
        }
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut last = None;
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| stands_for[*i] == *i) {
        let from: Vec<Option<usize>> = sources[i].iter().map(|source| source.map(|at| stands_for[at])).collect();
        let name = |at: &Option<usize>| at.map_or_else(|| RECORD.to_owned(), |at| names[at].clone());
        let from = if from == [last] { Vec::new() } else { from.iter().map(name).collect() };
        nodes.push(Node { op: node.op.clone(), name: None, from });
        last = Some(i);
    }
    let kept = names.iter().enumerate().filter(|(i, _)| stands_for[*i] == *i).map(|(_, name)| name.clone()).collect();
    Ok((named(Graph { input: graph.input, nodes }, kept), values.into_iter().flatten().collect()))
}

/// The network with these names. Those that a node would have anyway are not written down, as in networks that are written by hand.
fn named(mut graph: Graph, names: Vec<String>) -> Graph {
    graph.nodes.iter_mut().for_each(|node| node.name = None);
    let by_default = graph.names();
    for ((node, name), by_default) in graph.nodes.iter_mut().zip(names).zip(by_default) {
        node.name = (name != by_default).then_some(name);
    }
    graph
}

/// The network without any batch normalisation: where one cannot be [folded](fold), a convolution by 1 x 1, or of flat records a linear
/// layer, takes its place, with zeros off the diagonal. It needs no square root, and its weights have the range that they have.
///
/// # Errors
/// As for [`fold`]; [`Error::Config`] if a layer that takes its place is larger than one may be.
pub fn without_norms(graph: &Graph, params: &[Array2<f64>]) -> Result<(Graph, Vec<Array2<f64>>)> {
    let (mut graph, params) = fold(graph, params)?;
    let (names, inputs, mut values) = (graph.names(), graph.inputs()?, by_node(&graph, &params)?);
    for ((node, input), values) in graph.nodes.iter_mut().zip(inputs).zip(&mut values) {
        let Kind::BatchNorm(norm) = &node.op else { continue };
        let Some([factor, shift]) = affine(norm, values) else { continue };
        let channels = factor.ncols();
        if channels.checked_mul(channels).is_none_or(|n| n > crate::graph::MOST_VALUES) {
            let found = format!("batch normalisation of {channels} values behind no linear layer");
            return Err(Error::config("network", found, "at most 4096"));
        }
        node.op = match input {
            Shape::Image(_) => {
                Kind::Conv2d(Conv2d { filters: channels, kernel: Pair::ONE(), stride: Pair::ONE(), padding: Pair::NONE() })
            }
            Shape::Flat(_) => Kind::Linear(Linear { outputs: channels }),
        };
        let diagonal = Array2::from_diag(&factor.row(0));
        *values = vec![diagonal, shift];
    }
    let graph = named(graph, names);
    graph.check()?;
    Ok((graph, values.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{BatchNorm, Conv2d, Formats, Linear, Mode, Pair};
    use crate::{Network, Shape};
    use trefoil_engine::{Engine, Float, Format};

    fn noise(shape: [usize; 2], seed: usize) -> Array2<f64> {
        Array2::from_shape_fn(shape, |(i, j)| ((i * 7919 + j * 104_729 + seed * 1_299_709) % 1009) as f64 / 1009.0 - 0.4)
    }

    fn outputs(graph: &Graph, params: &[Array2<f64>]) -> Array2<f64> {
        let (e, format) = (&mut Float, Format::new(16, 8));
        let network = Network::new(graph.clone()).unwrap();
        let public = |x: &Array2<f64>| Float.public(x, format).unwrap();
        let params: Vec<_> = params.iter().map(public).collect();
        let formats = vec![Formats { out: format, widen: 0 }; graph.nodes.len()];
        let x = public(&noise([4, network.width()], 99));
        network.forward(e, &params, &formats, &x, Mode::Evaluate).unwrap().0.value
    }

    #[test]
    fn what_is_folded_says_the_same() {
        let conv = |filters| Kind::Conv2d(Conv2d { filters, kernel: Pair([3, 3]), stride: Pair([1, 1]), padding: Pair([1, 1]) });
        let linear = |outputs| Kind::Linear(Linear { outputs });
        let norm = || Kind::BatchNorm(BatchNorm::default());
        let node = |op, from: &[&str]| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(op) };
        let plain = |ops: Vec<Kind>| ops.into_iter().map(Node::new).collect::<Vec<_>>();
        let image = |nodes| Graph { input: Shape::Image([2, 4, 3]), nodes };
        let cases = [
            // The network that is left is one that has a short name.
            (image(plain(vec![linear(5), norm(), Kind::Relu, linear(3)])), "24-5-3", 1),
            // A folded one at the end: its layer is the last one then.
            (image(plain(vec![linear(5), norm()])), "24-5", 1),
            // One that follows no layer with weights, one whose layer is used twice, and one by itself.
            (image(plain(vec![norm(), conv(3), norm(), Kind::Relu, norm(), linear(3)])), "2x4x3-bn1-conv1-relu1-bn3-fc1", 1),
            (image(plain(vec![linear(4), norm(), Kind::Tanh, norm(), linear(3)])), "2x4x3-fc1-tanh1-bn2-fc2", 1),
            (
                image(vec![
                    node(conv(2), &[]),
                    node(norm(), &[]),
                    node(conv(2), &["input"]),
                    node(norm(), &[]),
                    node(Kind::Add, &["bn1", "conv1", "bn2"]),
                    node(linear(3), &[]),
                ]),
                "2x4x3-conv1-bn1-conv2-add1-fc1",
                1,
            ),
        ];
        for (graph, name, fewer) in cases {
            let params: Vec<Array2<f64>> = graph.params().unwrap().iter().enumerate().map(|(i, p)| noise(p.shape(), i)).collect();
            let params: Vec<_> = graph
                .params()
                .unwrap()
                .iter()
                .zip(params)
                .map(|(p, x)| if p.name.ends_with("var") { x.mapv(|v| v.abs() + 0.1) } else { x })
                .collect();
            let (folded, left) = fold(&graph, &params).unwrap();
            assert_eq!(folded.to_string(), name);
            folded.check().unwrap();
            assert_eq!(left.len(), params.len() - 4 * fewer);
            let (none, all_params) = without_norms(&graph, &params).unwrap();
            assert!(none.nodes.iter().all(|node| !matches!(node.op, Kind::BatchNorm(_))), "{none}");
            for (other, left) in [(&folded, &left), (&none, &all_params)] {
                let far = (outputs(&graph, &params) - outputs(other, left)).iter().fold(0f64, |m, v| m.max(v.abs()));
                assert!(far < 1e-12, "{graph}: {far:e}");
            }
            assert!(fold(&graph, &params[1..]).is_err());
        }
    }
}
