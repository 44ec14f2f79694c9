//! A training that starts from a model in place of random weights.
//!
//! The model is public: its hash stands among the settings, and whoever takes part has the file. It is trained further as if the seed had
//! made its weights, so momentum and what else an optimiser keeps start at zero.

use crate::graph::{Graph, Kind, Param, Shape};
use crate::layers::{AvgPool2d, BatchNorm, Constant, LeakyRelu, MaxPool2d};
use crate::{Error, Model, Result, Trainer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use trefoil_engine::{Engine, Error as EngineError, Result as EngineResult};

/// SHA-256 of a model's file: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelHash(#[serde(with = "hex::serde")] pub [u8; 32]);

impl fmt::Display for ModelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a training begins with: the values of all parameters in turn, shared between copies of a trainer.
pub(crate) type StartValues = Arc<[Array2<f64>]>;

impl Trainer {
    /// The same training from this model's weights on, and from the running values that it has.
    ///
    /// The networks must compute the same; what nodes are called, dropout, and how an image becomes a row of numbers do not matter.
    ///
    /// # Errors
    /// [`Error::Config`] if the model's network is another, or a weight is outside of the range that training has for it.
    pub fn starting_from(mut self, model: &Model) -> Result<Trainer> {
        let graph = self.network.graph();
        if steps_of(model.graph())? != steps_of(graph)? {
            return Err(Error::config(
                "model to start from",
                model.graph(),
                format!("{graph}, layer by layer as the job has it"),
            ));
        }
        let params = self.network.params().iter().zip(model.params());
        let values = params.map(|(param, (of_model, values))| self.fitting(param, of_model, values));
        self.start = Some(values.collect::<Result<Vec<_>>>()?.into());
        Ok(self)
    }

    /// A parameter's values, rounded to what training has of them.
    fn fitting(&self, param: &Param, of_model: &Param, values: &Array2<f32>) -> Result<Array2<f64>> {
        let (name, format) = (&of_model.name, self.scales.param(param));
        if of_model.dims != param.dims {
            return Err(Error::config(
                "model to start from",
                format!("{name} of {:?}", of_model.dims),
                format!("{:?}", param.dims),
            ));
        }
        let (unit, bound) = (f64::from(format.frac).exp2(), f64::from(format.bits - format.frac).exp2());
        let values = values.mapv(|v| (f64::from(v) * unit).round() / unit);
        match values.iter().find(|v| v.abs() >= bound) {
            Some(v) => {
                Err(Error::config("model to start from", format!("{v} in {name}"), format!("values below {bound} in magnitude")))
            }
            None => Ok(values),
        }
    }

    /// The values to start from, on an engine; `None` where the seed makes them.
    pub(crate) fn start_values<E: Engine>(&self, e: &E) -> EngineResult<Option<Vec<E::Num>>> {
        let Some(values) = &self.start else {
            return match self.training.spec.start {
                // Random weights would be another training than the one that was agreed to.
                Some(_) => Err(EngineError::Protocol("the model to start from is not here".into())),
                None => Ok(None),
            };
        };
        let params = self.network.params().iter().zip(values.iter());
        params.map(|(param, values)| e.public(values, self.scales.param(param))).collect::<EngineResult<Vec<_>>>().map(Some)
    }
}

/// What is done to the values of which steps, where `None` is the record; and what they are, where that matters.
#[derive(PartialEq)]
struct Step {
    op: Kind,
    of: Option<Shape>,
    sources: Vec<Option<usize>>,
}

fn single(x: Constant) -> Constant {
    Constant(f64::from(x.0 as f32))
}

/// What a network does to a record, and to which of the values before: without names, and without what only rearranges a record or only
/// matters in training.
fn steps_of(graph: &Graph) -> Result<(usize, Vec<Step>)> {
    let mut steps = Vec::new();
    // Of each node: the step whose value it gives on, or the record.
    let mut gives: Vec<Option<usize>> = Vec::new();
    for ((node, sources), input) in graph.nodes.iter().zip(graph.sources()?).zip(graph.inputs()?) {
        let sources: Vec<Option<usize>> = sources.into_iter().map(|source| source.and_then(|i| gives[i])).collect();
        // Of a row of numbers and an image with as many only the layers below make something else.
        let (op, of) = match node.op.clone() {
            Kind::Flatten | Kind::Dropout(_) => {
                gives.push(sources.first().copied().flatten());
                continue;
            }
            Kind::MaxPool2d(pool) => {
                (Kind::MaxPool2d(MaxPool2d { stride: Some(pool.stride.unwrap_or(pool.kernel)), ..pool }), Some(input))
            }
            Kind::AvgPool2d(pool) => {
                (Kind::AvgPool2d(AvgPool2d { stride: Some(pool.stride.unwrap_or(pool.kernel)), ..pool }), Some(input))
            }
            // How fast running values follow is the training's affair; files hold 32-bit numbers.
            Kind::BatchNorm(norm) => (Kind::BatchNorm(BatchNorm { eps: single(norm.eps), ..BatchNorm::default() }), Some(input)),
            Kind::LeakyRelu(relu) => (Kind::LeakyRelu(LeakyRelu { slope: single(relu.slope) }), None),
            op @ (Kind::Conv2d(_) | Kind::GlobalAvgPool2d) => (op, Some(input)),
            op => (op, None),
        };
        steps.push(Step { op, of, sources });
        gives.push(Some(steps.len() - 1));
    }
    Ok((graph.input.len(), steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Training;
    use trefoil_engine::{Fixed, Float};

    fn trainer(network: &str) -> Trainer {
        Training::of(serde_json::from_str(network).unwrap(), 64).unwrap().trainer().unwrap()
    }

    const OURS: &str = r#"{"input": [1, 6, 6], "nodes": [{"op": {"conv2d": {"filters": 2, "kernel": 3}}}, {"op": {"maxpool2d": {"kernel": 2}}},
        {"op": "relu"}, {"op": {"dropout": {"p": 0.5}}}, {"op": {"linear": {"outputs": 3}}}]}"#;
    const THEIRS: &str = r#"{"input": [1, 6, 6], "nodes": [{"op": {"conv2d": {"filters": 2, "kernel": 3}}, "name": "first"},
        {"op": {"maxpool2d": {"kernel": 2, "stride": 2}}}, {"op": "relu"}, {"op": "flatten"}, {"op": {"linear": {"outputs": 3}}, "name": "head"}]}"#;

    fn model(network: &str, value: impl Fn(usize) -> f64) -> Model {
        let graph: Graph = serde_json::from_str(network).unwrap();
        let mut n = 0;
        let mut next = || {
            n += 1;
            value(n)
        };
        let params: Vec<_> = graph.params().unwrap().iter().map(|p| Array2::from_shape_simple_fn(p.shape(), &mut next)).collect();
        Model::new(&graph, &params, "").unwrap()
    }

    /// Of another file, under other names, without the dropout.
    #[test]
    fn a_training_goes_on_where_the_model_stands() {
        let model = model(THEIRS, |n| n as f64 / 7.0 - 4.0);
        let t = trainer(OURS).starting_from(&model).unwrap();
        let start = t.initial(&Float).unwrap();
        for ((x, (param, values)), ours) in start.params.iter().zip(model.params()).zip(t.network().params()) {
            let unit = f64::from(t.scales().param(ours).frac).exp2();
            assert_eq!(x.value, values.mapv(|v| (f64::from(v) * unit).round() / unit), "{}", param.name);
        }
        let fixed = t.initial(&Fixed::default()).unwrap();
        let same =
            |(a, b): (&<Fixed as Engine>::Num, &<Float as Engine>::Num)| Fixed::default().open(a).unwrap().unwrap() == b.value;
        assert!(fixed.params.iter().zip(&start.params).all(same));
        assert!(start.kept.iter().all(|k| k.value.iter().all(|v| *v == 0.0)));
    }

    #[test]
    fn other_networks_and_ranges_are_refused() {
        let refused = |model: &Model| trainer(OURS).starting_from(model).unwrap_err().to_string();
        let other = THEIRS.replace(r#""kernel": 3"#, r#""kernel": [3, 3], "padding": 1"#).replace(r#"{"op": "relu"},"#, "");
        let e = refused(&model(&other, |_| 0.0));
        assert!(e.starts_with("model to start from: found 1x6x6-first-pool1"), "{e}");
        // As many values, in another image.
        let other = THEIRS.replace("[1, 6, 6]", "[1, 4, 9]");
        let e = refused(&model(&other, |_| 0.0));
        assert!(e.starts_with("model to start from: found 1x4x9-first"), "{e}");
        let e = refused(&model(THEIRS, |n| if n == 5 { -16.0 } else { 0.0 }));
        assert_eq!(e, "model to start from: found -16 in first.weight, expected values below 16 in magnitude");
    }

    /// A training that was agreed to start from a model never starts from anything else.
    #[test]
    fn without_the_model_nothing_starts() {
        let mut training = Training::of(serde_json::from_str(OURS).unwrap(), 64).unwrap();
        training.spec.start = Some(ModelHash([7; 32]));
        let t = training.trainer().unwrap();
        assert!(t.initial(&Float).is_err());
        let t = t.starting_from(&model(THEIRS, |_| 0.5)).unwrap();
        assert!(t.initial(&Float).is_ok());
    }

    #[test]
    fn a_hash_has_one_text() {
        let text = format!("\"{}\"", "0a".repeat(32));
        let hash: ModelHash = serde_json::from_str(&text).unwrap();
        assert_eq!((hash, serde_json::to_string(&hash).unwrap()), (ModelHash([10; 32]), text));
        for bad in ["\"0a\"", "7", "\"zz\""] {
            assert!(serde_json::from_str::<ModelHash>(bad).is_err());
        }
    }
}
