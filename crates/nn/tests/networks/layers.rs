//! Layers against vectors from outside, their gradients against finite differences, and ties of max-pooling.
//!
//! `golden/layers.json`: inputs and outputs of the tests of the Python package onnx 1.16.2, of which those called `pytorch-converted`
//! were made by PyTorch.

use crate::common::noise;
use ndarray::Array2;
use serde::Deserialize;
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_nn::graph::{Kind, Node};
use trefoil_nn::layers::{
    AvgPool2d, BatchNorm, Constant, Conv2d, Dropout, Formats, Layer, LeakyRelu, Linear, MaxPool2d, Mode, Onward, Pair, Place,
};
use trefoil_nn::network::{Cut, Network};
use trefoil_nn::{Graph, Model, Shape};

const ACTIVATION: Format = Format::new(16, 8);
const WEIGHT: Format = Format::new(20, 4);
const GRADIENT: Format = Format::new(20, 6);
const TRAIN: Mode = Mode::Train { seed: 1, step: 2 };

#[derive(Deserialize)]
struct Vector {
    from: String,
    op: Kind,
    input: [usize; 3],
    x: Vec<f64>,
    params: Vec<Vec<f64>>,
    y: Vec<f64>,
}

fn public<E: Engine>(e: &E, shape: [usize; 2], values: &[f64], format: Format) -> E::Num {
    e.public(&Array2::from_shape_vec(shape, values.to_vec()).unwrap(), format).unwrap()
}

fn open<E: Engine>(e: &mut E, x: &E::Num) -> Array2<f64> {
    e.open(x).unwrap().unwrap()
}

fn formats(graph: &Graph) -> Vec<Formats> {
    vec![Formats { out: ACTIVATION, widen: 0 }; graph.nodes.len()]
}

fn is_the_vector<E: Engine>(e: &mut E, v: &Vector, within: f64) {
    let graph = Graph { input: Shape::Image(v.input), nodes: vec![Node::new(v.op.clone())] };
    let network = Network::new(graph).unwrap();
    let params: Vec<_> =
        network.params().iter().zip(&v.params).map(|(p, values)| public(e, p.shape(), values, Format::new(20, 6))).collect();
    let rows = v.x.len() / network.width();
    let x = public(e, [rows, network.width()], &v.x, ACTIVATION);
    let (y, _) = network.forward(e, &params, &formats(network.graph()), &x, Mode::Evaluate).unwrap();
    let y = open(e, &y);
    assert_eq!(y.len(), v.y.len(), "{}", v.from);
    let worst = y.iter().zip(&v.y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < within, "{}: {worst:e}", v.from);
}

#[test]
fn layers_give_what_others_give() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../golden/layers.json")).unwrap();
    assert!(vectors.len() >= 12 && vectors.iter().filter(|v| v.from.starts_with("pytorch")).count() >= 5);
    for v in &vectors {
        is_the_vector(&mut Float, v, 1e-5);
        is_the_vector(&mut Fixed::default(), v, 1e-3);
    }
}

fn conv(filters: usize, kernel: usize, stride: usize, padding: usize) -> Kind {
    Kind::Conv2d(Conv2d { filters, kernel: Pair([kernel, kernel]), stride: Pair([stride; 2]), padding: Pair([padding; 2]) })
}

fn max(kernel: usize, stride: Option<usize>, padding: usize) -> Kind {
    Kind::MaxPool2d(MaxPool2d { kernel: Pair([kernel; 2]), stride: stride.map(|n| Pair([n; 2])), padding: Pair([padding; 2]) })
}

fn avg(kernel: usize, stride: Option<usize>, padding: usize) -> Kind {
    Kind::AvgPool2d(AvgPool2d { kernel: Pair([kernel; 2]), stride: stride.map(|n| Pair([n; 2])), padding: Pair([padding; 2]) })
}

fn norm() -> Kind {
    Kind::BatchNorm(BatchNorm::default())
}

fn leaky(slope: f64) -> Kind {
    Kind::LeakyRelu(LeakyRelu { slope: Constant(slope) })
}

fn dropout(p: f64) -> Kind {
    Kind::Dropout(Dropout { p: Constant(p) })
}

/// Outputs that are used twice and three times, as a node's inputs and by nodes of their own, and the record with its own fraction bits.
fn residual() -> Graph {
    let node = |op, from: &[&str]| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(op) };
    let linear = |outputs| Kind::Linear(Linear { outputs });
    let nodes = vec![
        node(conv(2, 3, 1, 1), &[]),
        node(Kind::Add, &["input", "conv1", "conv1"]),
        node(Kind::Relu, &[]),
        node(conv(2, 3, 1, 1), &[]),
        node(Kind::Add, &["conv2", "relu1", "add1"]),
        node(linear(4), &[]),
        node(linear(4), &["add2"]),
        node(Kind::Add, &["fc1", "fc2"]),
        node(linear(3), &[]),
    ];
    Graph { input: Shape::Image([2, 6, 5]), nodes }
}

/// Networks in which each layer has parameters before it, so that its gradient by the input is looked at as well.
fn networks() -> Vec<Graph> {
    let linear = |outputs| Kind::Linear(Linear { outputs });
    let graph = |ops: Vec<Kind>| Graph { input: Shape::Image([2, 6, 5]), nodes: ops.into_iter().map(Node::new).collect() };
    vec![
        graph(vec![conv(3, 3, 1, 1), Kind::Relu, conv(2, 2, 2, 0), Kind::Flatten, linear(3)]),
        graph(vec![conv(3, 3, 1, 0), conv(2, 3, 2, 2), Kind::Flatten, Kind::Relu, linear(3)]),
        graph(vec![conv(3, 2, 1, 0), max(2, None, 0), Kind::Relu, linear(3)]),
        graph(vec![conv(3, 2, 1, 1), max(3, Some(2), 1), Kind::Flatten, linear(3)]),
        graph(vec![conv(2, 2, 1, 0), avg(2, None, 0), Kind::Flatten, linear(3)]),
        graph(vec![conv(2, 2, 1, 0), avg(3, Some(1), 1), Kind::Flatten, linear(3)]),
        residual(),
        graph(vec![conv(3, 3, 1, 1), norm(), leaky(0.125), conv(2, 2, 2, 0), norm(), Kind::GlobalAvgPool2d, linear(3)]),
        graph(vec![linear(5), norm(), Kind::Sigmoid, dropout(0.5), linear(4), Kind::Tanh, dropout(0.25), linear(3)]),
        graph(vec![norm(), conv(2, 3, 1, 0), dropout(0.4), Kind::GlobalAvgPool2d, Kind::Tanh, linear(3)]),
    ]
}

/// The parameters, the records and what the outputs are multiplied by, so that their sum is a loss.
fn values(network: &Network) -> (Vec<Array2<f64>>, Array2<f64>, Array2<f64>) {
    let params =
        network.params().iter().enumerate().map(|(i, p)| noise(p.shape()[0], p.shape()[1], 5 + i as u64) - 0.5).collect();
    (params, noise(3, network.width(), 90), noise(3, network.outputs(), 91) - 0.5)
}

fn gradients<E: Engine>(e: &mut E, network: &Network, momentum: bool) -> Vec<Array2<f64>> {
    let (params, x, r) = values(network);
    let params: Vec<_> = params.iter().map(|p| e.public(p, WEIGHT).unwrap()).collect();
    let (x, r) = (e.public(&x, ACTIVATION).unwrap(), e.public(&r, GRADIENT).unwrap());
    let all = formats(network.graph());
    let (_, tape) = network.forward(e, &params, &all, &x, TRAIN).unwrap();
    let join = |e: &E, p: &E::Num| momentum.then(|| e.public(&Array2::ones(e.shape(p)), Format::new(24, 1)).unwrap());
    let cuts = params.iter().map(|p| Cut { format: Format::new(20, 8), join: join(e, p) }).collect();
    let found = network.backward(e, tape, r, cuts).unwrap();
    found.iter().map(|g| open(e, g)).collect()
}

fn loss(network: &Network, params: &[Array2<f64>]) -> f64 {
    let (_, x, r) = values(network);
    let e = &mut Float;
    let params: Vec<_> = params.iter().map(|p| e.public(p, WEIGHT).unwrap()).collect();
    let x = e.public(&x, ACTIVATION).unwrap();
    let (z, _) = network.forward(e, &params, &formats(network.graph()), &x, TRAIN).unwrap();
    (z.value * r).sum()
}

#[test]
fn gradients_are_those_of_the_outputs() {
    for graph in networks() {
        let network = Network::new(graph).unwrap();
        let (mut params, ..) = values(&network);
        let (found, fixed) = (gradients(&mut Float, &network, false), gradients(&mut Fixed::default(), &network, false));
        let joined = gradients(&mut Fixed::default(), &network, true);
        for (k, param) in network.params().iter().enumerate().filter(|(_, p)| p.trained) {
            for (i, g) in found[k].indexed_iter() {
                let h = 1e-5;
                params[k][i] += h;
                let above = loss(&network, &params);
                params[k][i] -= 2.0 * h;
                let below = loss(&network, &params);
                params[k][i] += h;
                let name = format!("{} of {}", param.name, network.graph());
                assert!(((above - below) / (2.0 * h) - g).abs() < 1e-6, "{name} {i:?}: {g}");
                assert!((fixed[k][i] - g).abs() < 5e-3, "{name} {i:?}: {g}, on the ring {}", fixed[k][i]);
                // What an optimiser has join a gradient is added to it, product or not.
                assert!(
                    (joined[k][i] - fixed[k][i] - 1.0).abs() < 1e-3,
                    "{name} {i:?}: {} joined to {}",
                    joined[k][i],
                    fixed[k][i]
                );
            }
        }
    }
}

/// As PyTorch breaks ties: the first of the largest, row by row, gets all of the gradient; padding gets none.
#[test]
fn the_first_of_equals_gets_the_gradient() {
    fn run<E: Engine>(e: &mut E, kernel: usize, stride: usize, padding: usize, x: &[f64], want: &[f64]) {
        let side = x.len().isqrt();
        let layer = MaxPool2d { kernel: Pair([kernel; 2]), stride: Some(Pair([stride; 2])), padding: Pair([padding; 2]) };
        let at = Place {
            input: Shape::Image([1, side, side]),
            params: &[],
            formats: Formats { out: ACTIVATION, widen: 0 },
            node: 0,
            mode: TRAIN,
            narrow: false,
        };
        let x = public(e, [1, side * side], x, ACTIVATION);
        let (y, kept) = layer.forward(e, &at, &x).unwrap();
        let [_, n] = e.shape(&y);
        let d = public(e, [1, n], &(1..=n).map(|i| i as f64).collect::<Vec<_>>(), Format::new(8, 6));
        let gradients = layer.backward(e, &at, kept, &d, true).unwrap();
        let Onward::Ready(dx) = gradients.input else { panic!("max-pooling has no product") };
        assert_eq!(open(e, &dx).into_raw_vec_and_offset().0, want, "{kernel} {stride} {padding}");
    }
    fn all<E: Engine>(e: &mut E) {
        let equal = [2.0; 9];
        run(e, 3, 1, 0, &equal, &[1., 0., 0., 0., 0., 0., 0., 0., 0.]);
        // Windows of 2 x 2 overlap: each has its own first element.
        run(e, 2, 1, 0, &equal, &[1., 2., 0., 3., 4., 0., 0., 0., 0.]);
        run(e, 3, 1, 1, &[-1.0; 9], &[12., 9., 0., 15., 9., 0., 0., 0., 0.]);
        run(e, 3, 1, 0, &[1., 2., 3., 3., 0., 3., 1., 2., 3.], &[0., 0., 1., 0., 0., 0., 0., 0., 0.]);
        run(e, 2, 2, 0, &[0., 5., 1., 1., 5., 0., 1., 1., 7., 7., 0., 0., 7., 7., 0., 1.], &{
            let mut want = [0.0; 16];
            (want[1], want[2], want[8], want[15]) = (1.0, 2.0, 3.0, 4.0);
            want
        });
    }
    all(&mut Float);
    all(&mut Fixed::default());
}

/// The zeros are in other places in each step and each node, about as many as asked for, and nowhere in an evaluation.
#[test]
fn dropout_drops_in_training_alone() {
    let run = |seed, step, node, p, mode: Option<Mode>| {
        let layer = Dropout { p: Constant(p) };
        let mode = mode.unwrap_or(Mode::Train { seed, step });
        let at = Place {
            input: Shape::Flat(100),
            params: &[],
            formats: Formats { out: ACTIVATION, widen: 0 },
            node,
            mode,
            narrow: false,
        };
        let e = &mut Fixed::default();
        let x = e.public(&Array2::ones((100, 100)), ACTIVATION).unwrap();
        let (y, ()) = layer.forward(e, &at, &x).unwrap();
        open(e, &y)
    };
    let first = run(1, 2, 3, 0.25, None);
    let zeros = first.iter().filter(|v| **v == 0.0).count() as f64 / 1e4;
    assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
    assert!(first.iter().all(|v| *v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-4));
    assert_eq!(first, run(1, 2, 3, 0.25, None));
    for other in [run(2, 2, 3, 0.25, None), run(1, 3, 3, 0.25, None), run(1, 2, 4, 0.25, None)] {
        let both = first.iter().zip(&other).filter(|(a, b)| **a == 0.0 && **b == 0.0).count() as f64 / 1e4;
        assert!((both - 0.0625).abs() < 0.015, "{both}");
    }
    assert_eq!(run(1, 2, 3, 0.5, None).iter().filter(|v| **v != 0.0 && **v != 2.0).count(), 0);
    assert_eq!(run(1, 2, 3, 0.0, None), Array2::<f64>::ones((100, 100)));
    assert_eq!(run(1, 2, 3, 0.25, Some(Mode::Evaluate)), Array2::<f64>::ones((100, 100)));
}

/// Settings that make no layer are refused where the network is checked.
#[test]
fn settings_that_make_no_layer_are_refused() {
    let batch = |momentum, eps| Kind::BatchNorm(BatchNorm { momentum: Constant(momentum), eps: Constant(eps) });
    for op in [
        leaky(-0.1),
        leaky(1.5),
        leaky(f64::NAN),
        dropout(1.0),
        dropout(-0.5),
        batch(0.0, 1e-5),
        batch(0.1, 0.0),
        batch(0.1, 2.0),
    ] {
        let graph = Graph { input: Shape::Flat(4), nodes: vec![Node::new(op)] };
        let error = graph.check().unwrap_err().to_string();
        assert!(error.contains("1 on 4") && error.contains("expected a "), "{error}");
    }
}

/// The model in the clear, which knows no formats, says what the network says on floating point and, but for rounding, on the ring.
#[test]
fn models_have_every_layer() {
    for graph in networks() {
        let network = Network::new(graph).unwrap();
        let (mut params, x, _) = values(&network);
        for (values, param) in params.iter_mut().zip(network.params()) {
            if param.name.ends_with("running_var") {
                values.mapv_inplace(|v| v.abs() + 0.1);
            }
            values.mapv_inplace(|v| (v * 1024.0).round() / 1024.0);
        }
        let x = x.mapv(|v| (v * 1024.0).round() / 1024.0);
        let found = Model::new(network.graph(), &params, "").unwrap().logits(&x).unwrap();
        fn evaluated<E: Engine>(e: &mut E, network: &Network, params: &[Array2<f64>], x: &Array2<f64>) -> Array2<f64> {
            let params: Vec<_> = params.iter().map(|p| e.public(p, WEIGHT).unwrap()).collect();
            let x = e.public(x, ACTIVATION).unwrap();
            let (y, _) = network.forward(e, &params, &formats(network.graph()), &x, Mode::Evaluate).unwrap();
            open(e, &y)
        }
        let far = |other: Array2<f64>| (other - &found).iter().fold(0f64, |m, d| m.max(d.abs()));
        let (float, fixed) =
            (far(evaluated(&mut Float, &network, &params, &x)), far(evaluated(&mut Fixed::default(), &network, &params, &x)));
        assert!(float < 1e-9 && fixed < 2e-3, "{}: {float:e}, on the ring {fixed:e}", network.graph());
    }
}
