//! A network whose activations leave their range while its weights stay in theirs: for the monitor's tests here, and on shares in `mpc`.

use ndarray::Array2;
use trefoil_engine::Engine;
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::Linear;
use trefoil_nn::{Graph, State, Trainer};

/// Three layers of four outputs that are added up. No product leaves its range where the sum does.
pub fn network() -> Graph {
    let linear = |outputs| Kind::Linear(Linear { outputs });
    let nodes: [(Kind, &[&str]); 6] = [
        (linear(16), &[]),
        (linear(4), &["fc1"]),
        (linear(4), &["fc1"]),
        (linear(4), &["fc1"]),
        (Kind::Add, &["fc2", "fc3", "fc4"]),
        (linear(3), &["add1"]),
    ];
    let node = |(op, from): (Kind, &[&str])| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(op) };
    Graph { input: Shape::Flat(8), nodes: nodes.into_iter().map(node).collect() }
}

/// Weights with which the sum is this, whatever the record is. None is above 4.
pub fn giving<E: Engine>(e: &E, t: &Trainer, sum: [f64; 4]) -> State<E::Num> {
    with_weights(e, t, |name, i| match name {
        "fc1.bias" => 4.0,
        "fc2.weight" | "fc3.weight" | "fc4.weight" => sum[i] / 192.0,
        "fc5.weight" => (-8f64).exp2(),
        _ => 0.0,
    })
}

/// All weights in a row of a parameter by its name and the row's number.
pub fn with_weights<E: Engine>(e: &E, t: &Trainer, weight: impl Fn(&str, usize) -> f64) -> State<E::Num> {
    let mut state = t.initial(e).unwrap();
    for (param, value) in t.network().params().iter().zip(&mut state.params) {
        let of = |i: usize| weight(&param.name, i);
        let [rows, columns] = e.shape(value);
        let format = e.format(value);
        *value = e.public(&Array2::from_shape_fn((rows, columns), |(i, _)| of(i)), format).unwrap();
    }
    state
}
