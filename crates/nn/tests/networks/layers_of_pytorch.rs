//! Layers and their gradients against PyTorch's, on floating point and on the ring: `reference/layers.json`, which `reference/layers.py`
//! writes.

use ndarray::Array2;
use serde::Deserialize;
use trefoil_engine::{Engine, Fixed, Float, Format, Product};
use trefoil_nn::graph::{Kind, Node};
use trefoil_nn::layers::{Factors, Formats, GlobalAvgPool2d, Gradient, Layer, Mode, Onward, Place, Sigmoid, Tanh};
use trefoil_nn::{Graph, Shape};

const ACTIVATION: Format = Format::new(16, 8);
const WEIGHT: Format = Format::new(20, 4);
const GRADIENT: Format = Format::new(20, 9);

#[derive(Deserialize)]
struct Case {
    op: Kind,
    evaluate: bool,
    input: Shape,
    x: Vec<f64>,
    params: Vec<Vec<f64>>,
    y: Vec<f64>,
    d: Vec<f64>,
    dx: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    next: Vec<Vec<f64>>,
}

fn public<E: Engine>(e: &E, rows: usize, values: &[f64], format: Format) -> E::Num {
    e.public(&Array2::from_shape_vec((rows, values.len() / rows), values.to_vec()).unwrap(), format).unwrap()
}

fn product<E: Engine>(e: &mut E, f: &Factors<E::Num>, out: Format) -> E::Num {
    let [z] = e
        .products([Product { kind: f.kind, x: &f.x, y: &f.y, scatter: f.scatter.as_ref(), plus: None, out, narrow: false }])
        .unwrap();
    z
}

/// How far from PyTorch: the output, and the gradients.
fn close<E: Engine>(e: &mut E, found: &E::Num, want: &[f64], within: f64, what: &str) {
    let found = e.open(found).unwrap().unwrap();
    assert_eq!(found.len(), want.len(), "{what}");
    let worst = found.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < within, "{what}: {worst:e}, expected below {within:e}");
}

fn is_pytorch<E: Engine, L: Layer>(e: &mut E, layer: &L, case: &Case, within: f64) {
    let graph = Graph { input: case.input, nodes: vec![Node::new(case.op.clone())] };
    let name = |what: &str| format!("{what} of {} {:?}", serde_json::to_string(&graph).unwrap(), case.evaluate);
    let params = graph.params().unwrap();
    let params: Vec<_> = params.iter().zip(&case.params).map(|(p, v)| public(e, p.shape()[0], v, WEIGHT)).collect();
    let rows = case.x.len() / case.input.len();
    let mode = if case.evaluate { Mode::Evaluate } else { Mode::Train { seed: 1, step: 1 } };
    let at = Place {
        input: case.input,
        params: &params,
        formats: Formats { out: ACTIVATION, widen: 0 },
        node: 0,
        mode,
        narrow: false,
    };
    let x = public(e, rows, &case.x, ACTIVATION);
    let (y, kept) = layer.forward(e, &at, &x).unwrap();
    close(e, &y, &case.y, within, &name("output"));
    if case.evaluate {
        return;
    }
    let d = public(e, rows, &case.d, GRADIENT);
    let found = layer.backward(e, &at, kept, &d, true).unwrap();
    let dx = match &found.input {
        Onward::Ready(dx) => dx.clone(),
        Onward::Product(factors, format) => product(e, factors, *format),
        Onward::Nothing => panic!("no gradient by the input"),
    };
    // A gradient by an input of the size of 0.01 is large.
    let size = |x: &[f64]| x.iter().fold(1f64, |m, v| m.max(v.abs()));
    close(e, &dx, &case.dx, within * size(&case.dx), &name("gradient by the input"));
    let (mut gradients, mut next) = (case.gradients.iter(), case.next.iter());
    for gradient in &found.params {
        let (found, want, what) = match gradient {
            Gradient::Ready(x) | Gradient::Whole(x) => (x.clone(), gradients.next().unwrap(), "gradient"),
            Gradient::Product(factors) => (product(e, factors, Format::new(20, 8)), gradients.next().unwrap(), "gradient"),
            Gradient::Next(x) => (x.clone(), next.next().unwrap(), "next value"),
        };
        close(e, &found, want, within * size(want), &name(what));
    }
    assert!(gradients.next().is_none() && next.next().is_none());
}

fn on<E: Engine>(mut e: E, case: &Case, within: f64) {
    let e = &mut e;
    match &case.op {
        Kind::LeakyRelu(layer) => is_pytorch(e, layer, case, within),
        Kind::Sigmoid => is_pytorch(e, &Sigmoid, case, within),
        Kind::Tanh => is_pytorch(e, &Tanh, case, within),
        Kind::GlobalAvgPool2d => is_pytorch(e, &GlobalAvgPool2d, case, within),
        Kind::BatchNorm(layer) => is_pytorch(e, layer, case, within),
        Kind::Conv2d(layer) => is_pytorch(e, layer, case, within),
        Kind::MaxPool2d(layer) => is_pytorch(e, layer, case, within),
        Kind::AvgPool2d(layer) => is_pytorch(e, layer, case, within),
        other => panic!("no vector is of {other:?}"),
    }
}

#[test]
fn layers_and_their_gradients_are_those_of_pytorch() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../reference/layers.json")).unwrap();
    assert_eq!(cases.len(), 29);
    for case in &cases {
        on(Float, case, 1e-6);
        on(Fixed::default(), case, 2e-3);
    }
}
