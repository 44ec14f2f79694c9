//! Small problems to train networks on.

mod noise;

pub use noise::noise;

use ndarray::Array2;
use trefoil_engine::Engine;
use trefoil_nn::{Graph, Schedule, State, Training};

/// The parameters in the clear.
pub fn params<E: Engine>(e: &mut E, state: &State<E::Num>) -> Vec<Array2<f64>> {
    state.params.iter().map(|w| e.open(w).unwrap().unwrap()).collect()
}

pub fn one_hot(labels: &[usize], classes: usize) -> Array2<f64> {
    Array2::from_shape_fn((labels.len(), classes), |(i, j)| f64::from(u8::from(labels[i] == j)))
}

/// Records around three centres in eight dimensions, easy to tell apart: inputs in [0, 1) with 8 fraction bits.
pub fn blobs(rows: usize, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let labels: Vec<usize> = (0..rows).map(|i| i % 3).collect();
    let mut x = noise(rows, 8, seed) * 0.5;
    for ((i, j), v) in x.indexed_iter_mut() {
        *v += if j % 3 == labels[i] { 0.375 } else { 0.0 };
        *v = (*v * 256.0).floor() / 256.0;
    }
    (x, labels)
}

/// Standardised features and a target that is no linear function of them, to the last bit that [`regression`]'s formats hold.
pub fn curve(rows: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let x = noise(rows, 4, seed) * 4.0 - 2.0;
    let y = Array2::from_shape_fn((rows, 1), |(i, _)| x[[i, 0]] - 0.5 * x[[i, 1]] + (x[[i, 2]] * x[[i, 2]] - 1.0) + 0.25);
    (x, y.mapv(|v| (v * 4096.0).round() / 4096.0))
}

/// Training on [`curve`].
pub fn regression(hidden: &[usize], rows: usize) -> Training {
    let sizes: Vec<usize> = [&[4], hidden, &[1]].concat();
    config(&sizes, rows, 32).with(|t| {
        t.records = t.records.with_input(trefoil_engine::Format::new(12, 3));
        (t.spec.lr, t.spec.lr_schedule) = (0.02, Schedule::Constant);
    })
}

pub fn config(sizes: &[usize], rows: usize, batch: usize) -> Training {
    Training::of(Graph::perceptron(sizes), rows).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs) = (batch, 4);
        (t.spec.lr, t.spec.lr_schedule) = (0.25, Schedule::Constant);
    })
}
