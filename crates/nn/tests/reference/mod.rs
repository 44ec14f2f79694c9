//! A multilayer perceptron written out in `f64`.

use ndarray::{Array2, Axis};
use trefoil_nn::Loss;

/// The reference: weights [outputs, inputs], biases [1, outputs], and their velocities.
pub struct Reference {
    pub params: Vec<Array2<f64>>,
    pub velocity: Vec<Array2<f64>>,
    pub loss: Loss,
}

impl Reference {
    pub fn new(params: Vec<Array2<f64>>, loss: Loss) -> Reference {
        let velocity = params.iter().map(|p| Array2::zeros(p.dim())).collect();
        Reference { params, velocity, loss }
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

    /// The mean cross entropy or squared error.
    pub fn loss(&self, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
        let sum = match self.loss {
            Loss::CrossEntropy(_) => -(self.log_softmax(x) * y).sum(),
            Loss::BinaryCrossEntropy => {
                let z = self.forward(x).pop().unwrap();
                z.mapv(|z| z.exp().ln_1p()).sum() - (&z * y).sum()
            }
            Loss::SquaredError => (self.forward(x).pop().unwrap() - y).mapv(|d| d * d).sum(),
        };
        sum / x.nrows() as f64
    }

    pub fn gradients(&self, x: &Array2<f64>, y: &Array2<f64>) -> Vec<Array2<f64>> {
        let z = self.forward(x);
        let output = match self.loss {
            Loss::CrossEntropy(_) => self.log_softmax(x).mapv(f64::exp),
            Loss::BinaryCrossEntropy => z.last().unwrap().mapv(|z| 1.0 / (1.0 + (-z).exp())),
            Loss::SquaredError => z.last().unwrap().clone(),
        };
        let mut d = (output - y) / x.nrows() as f64;
        let mut gradients = Vec::new();
        for i in (0..self.params.len() / 2).rev() {
            let h = if i == 0 { x.clone() } else { z[i].mapv(|v| v.max(0.0)) };
            gradients.splice(0..0, [d.t().dot(&h), d.sum_axis(Axis(0)).insert_axis(Axis(0))]);
            d = d.dot(&self.params[2 * i]) * z[i].mapv(|v| f64::from(v >= 0.0));
        }
        gradients
    }

    pub fn step(&mut self, x: &Array2<f64>, y: &Array2<f64>, lr: f64, [momentum, decay]: [f64; 2]) {
        let gradients = self.gradients(x, y);
        for ((w, u), g) in self.params.iter_mut().zip(&mut self.velocity).zip(gradients) {
            *u = &*u * momentum + (g + &*w * decay) * lr;
            *w -= &*u;
        }
    }
}
