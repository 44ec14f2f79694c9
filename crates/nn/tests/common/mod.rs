//! A multilayer perceptron written out in `f64`, and small problems to train it on.

use ndarray::{Array2, Axis};
use trefoil_nn::{Config, Init, Schedule, SoftmaxKind};

/// The reference: weights [outputs, inputs], biases [1, outputs], and their velocities.
pub struct Reference {
    pub params: Vec<Array2<f64>>,
    pub velocity: Vec<Array2<f64>>,
}

impl Reference {
    pub fn new(params: Vec<Array2<f64>>) -> Reference {
        let velocity = params.iter().map(|p| Array2::zeros(p.dim())).collect();
        Reference { params, velocity }
    }

    fn forward(&self, x: &Array2<f64>) -> Vec<Array2<f64>> {
        let mut inputs = vec![x.clone()];
        for (i, layer) in self.params.chunks(2).enumerate() {
            let h = if i == 0 { x.clone() } else { inputs[i].mapv(|v| v.max(0.0)) };
            inputs.push(h.dot(&layer[0].t()) + &layer[1]);
        }
        inputs
    }

    /// ln softmax of each row of the logits.
    fn log_softmax(&self, x: &Array2<f64>) -> Array2<f64> {
        let z = self.forward(x).pop().unwrap();
        let log_sum = z.mapv(f64::exp).sum_axis(Axis(1)).mapv(f64::ln).insert_axis(Axis(1));
        z - log_sum
    }

    /// The mean cross entropy.
    pub fn loss(&self, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
        -(self.log_softmax(x) * y).sum() / x.nrows() as f64
    }

    pub fn gradients(&self, x: &Array2<f64>, y: &Array2<f64>) -> Vec<Array2<f64>> {
        let z = self.forward(x);
        let mut d = (self.log_softmax(x).mapv(f64::exp) - y) / x.nrows() as f64;
        let mut gradients = Vec::new();
        for i in (0..self.params.len() / 2).rev() {
            let h = if i == 0 { x.clone() } else { z[i].mapv(|v| v.max(0.0)) };
            gradients.splice(0..0, [d.t().dot(&h), d.sum_axis(Axis(0)).insert_axis(Axis(0))]);
            d = d.dot(&self.params[2 * i]) * z[i].mapv(|v| f64::from(v >= 0.0));
        }
        gradients
    }

    pub fn step(&mut self, x: &Array2<f64>, y: &Array2<f64>, lr: f64, momentum: f64) {
        let gradients = self.gradients(x, y);
        for ((w, u), g) in self.params.iter_mut().zip(&mut self.velocity).zip(gradients) {
            *u = &*u * momentum + g * lr;
            *w -= &*u;
        }
    }
}

/// Fixed pseudo-random numbers in [0, 1), multiples of 1/256.
pub fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Array2::from_shape_simple_fn((rows, columns), || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 56) as f64 / 256.0
    })
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

pub fn config(sizes: &[usize], rows: usize, batch: usize) -> Config {
    Config {
        sizes: sizes.to_vec(),
        input: trefoil_engine::Format::new(8, 0),
        rows,
        batch,
        epochs: 4,
        schedule: Schedule::Constant(0.25),
        momentum: 0.9,
        softmax: SoftmaxKind::Exact,
        fraction_bits: 16,
        init: Init::He,
        seed: 1,
    }
}
