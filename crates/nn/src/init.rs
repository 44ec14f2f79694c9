//! Initial weights from a public seed; biases start at zero.
//!
//! Uniform, not normal: only the basic operations and the square root are rounded alike on every machine, and all
//! parties must start from the same weights to the last bit.

use crate::choice::choice;
use crate::layers::Start;
use crate::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use trefoil_engine::Format;
use trefoil_ring::public::Public;

/// How wide the initial weights are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// He et al. 2015, for ReLU: variance 2 / inputs.
    #[default]
    He,
    /// Glorot and Bengio 2010: variance 2 / (inputs + outputs), counted as PyTorch does.
    Glorot,
}

impl FromStr for Init {
    type Err = Error;
    fn from_str(text: &str) -> Result<Init> {
        choice("initial weights", text, &[("he", Init::He), ("glorot", Init::Glorot)])
    }
}

impl Init {
    /// A parameter of this shape as it starts, rounded to `format`: number `layer` of those that start at random.
    pub fn values(self, shape: [usize; 2], start: Start, seed: u64, layer: usize, format: Format) -> Array2<f64> {
        let fan = match (start, self) {
            (Start::Zero, _) => return Array2::zeros(shape),
            (Start::One, _) => return Array2::ones(shape),
            (Start::Random { fan_in, .. }, Init::He) => fan_in,
            (Start::Random { fan_in, fan_out }, Init::Glorot) => fan_in + fan_out,
        };
        let bound = (6.0 / fan as f64).sqrt();
        let unit = f64::from(format.frac).exp2();
        let mut public = Public::new(seed, &[5, layer as u64]);
        Array2::from_shape_simple_fn(shape, || (public.signed_unit() * bound * unit).round() / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variance_mean_and_rounding() {
        let format = Format::new(24, 3);
        let random = Start::Random { fan_in: 300, fan_out: 200 };
        for (init, variance) in [(Init::He, 2.0 / 300.0), (Init::Glorot, 2.0 / 500.0)] {
            let w = init.values([200, 300], random, 7, 0, format);
            assert!((w.var(0.0) / variance - 1.0).abs() < 0.02);
            assert!(w.mean().unwrap_or(1.0).abs() < 0.001);
            assert!(w.iter().all(|v| (v * 24f64.exp2()).fract() == 0.0));
            assert_eq!(w, init.values([200, 300], random, 7, 0, format));
            assert_ne!(w, init.values([200, 300], random, 7, 1, format));
            assert_ne!(w, init.values([200, 300], random, 8, 0, format));
        }
    }
}
