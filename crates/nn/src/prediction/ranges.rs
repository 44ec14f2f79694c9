//! How large the numbers of a network can become: what its owner tells the parties of its weights.

use crate::graph::{Graph, Kind};
use crate::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Weights of trainings are promised to be below 2^4, and layers' values below 2^8. Ranges are never said to be narrower, so that of
/// models within them nothing is told.
const WEIGHT: u8 = 4;
const ACTIVATION: u8 = 8;
/// Beyond this nothing fits into the ring.
const MOST: u8 = 60;
/// The coarsest unit of weights and layers' values.
const UNIT: f64 = 1.0 / (1u64 << super::LEAST_BITS) as f64;

/// Powers of two that the numbers of a prediction stay below, in magnitude. They are **public**: of weights that are larger than a
/// training's, of a layer with large sums of weights, and of records that are larger than 1, they tell the power of two.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranges {
    /// Of a record's values.
    pub input: u8,
    /// The fraction bits of a record's values, where these have no more: 8 for pixels p/256. Else they have as many as layers' values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_frac: Option<u8>,
    /// Of all weights and biases.
    pub weights: u8,
    /// Of each node's output.
    pub nodes: Vec<u8>,
}

impl Ranges {
    /// The ranges that records below 2^`input` cannot leave, from a network without batch normalisation and its weights.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no network, or the parameters are not its own.
    pub fn of(graph: &Graph, params: &[Array2<f64>], input: u8, input_frac: Option<u8>) -> Result<Ranges> {
        let (names, sources, all) = (graph.names(), graph.sources()?, graph.params()?);
        if all.len() != params.len() {
            return Err(Error::config("parameters", params.len(), format!("the {} of {graph}", all.len())));
        }
        let mut left = params.iter();
        let mut bounds: Vec<f64> = Vec::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            let given = sources[i].iter().map(|source| source.map_or(f64::from(input).exp2(), |at| bounds[at]));
            let [sum, most] = given.fold([0.0, 0.0], |[sum, most], x| [sum + x, f64::max(most, x)]);
            let bound = match &node.op {
                Kind::Linear(_) | Kind::Conv2d(_) => match [left.next(), left.next()] {
                    [Some(weight), Some(bias)] => most_of(weight, bias, most),
                    _ => return Err(Error::config("parameters", "too few", format!("those of {}", names[i]))),
                },
                Kind::BatchNorm(_) => return Err(Error::config("network", &names[i], "batch normalisation folded into weights")),
                Kind::Sigmoid | Kind::Tanh => 1.0,
                Kind::Add => sum,
                Kind::Relu | Kind::LeakyRelu(_) | Kind::MaxPool2d(_) | Kind::AvgPool2d(_) => most,
                Kind::GlobalAvgPool2d | Kind::Dropout(_) | Kind::Flatten => most,
            };
            // Every node's rounding.
            bounds.push(bound * (1.0 + 1.0 / 1024.0) + 2.0 * UNIT);
        }
        let largest = params.iter().flatten().fold(0.0, |most, w| f64::max(most, w.abs()));
        let nodes = bounds.into_iter().map(|bound| exponent(bound).max(ACTIVATION)).collect();
        Ok(Ranges { input, input_frac, weights: exponent(largest).max(WEIGHT), nodes })
    }
}

/// The largest |x W^T + b| with |x| at most `x`, once W and b are rounded.
fn most_of(weight: &Array2<f64>, bias: &Array2<f64>, x: f64) -> f64 {
    let row =
        |(w, b): (ndarray::ArrayView1<'_, f64>, &f64)| w.iter().fold(0.0, |sum, w| sum + w.abs() + UNIT / 2.0) * x + b.abs();
    weight.rows().into_iter().zip(bias).map(row).fold(0.0, f64::max)
}

/// The least power of two above this.
fn exponent(bound: f64) -> u8 {
    (0..MOST).find(|power| f64::from(*power).exp2() > bound).unwrap_or(MOST)
}
