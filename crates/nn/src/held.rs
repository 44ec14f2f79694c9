//! What keeps each quantity of a training in the range that its format promises.
//!
//! Formats are found by trying, with the range that each quantity is said to have ([`scales`](crate::scales)), and nothing wraps as long as
//! that is true. Why it is true, if there is a reason, is told here.

use crate::evaluate::MOST_LOSS;
use crate::graph::Kind;
use crate::layers::Mode;
use crate::layers::batch_norm::VARIANCE;
use crate::{Loss, Result, Trainer};
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Format, ShapeNum, Shapes};

/// What keeps a quantity below its bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// The mathematics, or a check of every upload before the first step.
    Proven,
    /// Promised, and looked at after each epoch: a training in which it is found out of range ends ([`monitor`](crate::monitor)).
    Watched,
    /// What is more is cut off.
    Clipped,
    /// Promised, and nothing looks after it.
    Promised,
}

impl Held {
    /// All of them, the surest first.
    pub const ALL: [Held; 4] = [Held::Proven, Held::Clipped, Held::Watched, Held::Promised];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Held::Proven => "proven",
            Held::Watched => "watched after each epoch",
            Held::Clipped => "clipped",
            Held::Promised => "promised, and not watched",
        }
    }
}

/// A kind of quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// The records' values.
    Records,
    /// A node's output.
    Node,
    /// A weight, a bias or a running value.
    Parameter,
    /// What there is in a step or in an evaluation only.
    Passing,
}

/// A quantity, and what keeps it below its bound.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bounded {
    /// A node's name, a parameter's, or words for what it is.
    pub name: String,
    /// Of which kind it is.
    pub quantity: Quantity,
    /// It is below 2^this in absolute value; nothing where that follows from other quantities' formats.
    pub power: Option<i8>,
    /// What keeps it there.
    pub held: Held,
}

impl Trainer {
    /// What keeps each quantity of this training in its range: the records, each node's output, each parameter, and what passes by in a step.
    ///
    /// # Errors
    /// Those of the engine; a trainer has been tried, so there are none.
    pub fn bounds(&self) -> Result<Vec<Bounded>> {
        let power = |format: Format| Some(format.bits.cast_signed() - format.frac.cast_signed());
        let bounded = |name: &str, quantity, power, held| Bounded { name: name.to_owned(), quantity, power, held };
        let (spec, network, open) = (&self.training().spec, self.network(), self.training().open);
        let watched = if open.activations { Held::Watched } else { Held::Promised };
        let input = self.training().records.input();
        let mut all = vec![bounded("records", Quantity::Records, power(input), Held::Proven)];
        if !self.training().secure.is_empty() {
            all.push(bounded("records as they are shared", Quantity::Records, power(self.training().shared()), Held::Proven));
            all.push(bounded("records that are standardised on shares", Quantity::Records, power(input), Held::Clipped));
        }

        let (e, mut formats) = (&mut Shapes::default(), Vec::new());
        let (state, x) = (self.state_of(ShapeNum::new), ShapeNum::new([1, network.width()], input));
        let seen = |_, y: &ShapeNum| formats.push(Shapes::default().format(y));
        network.forward_seen(e, &state.params, &self.formats, &x, Mode::Evaluate, seen)?;
        let nodes = || network.names().iter().zip(&network.graph().nodes);
        for ((name, node), format) in nodes().zip(formats) {
            let held = match node.op {
                // In training it gives more than it is given.
                Kind::Dropout(_) => Held::Promised,
                _ if node.op.is_promised() => watched,
                _ => Held::Proven,
            };
            all.push(bounded(name, Quantity::Node, power(format), held));
        }
        for param in network.params() {
            all.push(bounded(&param.name, Quantity::Parameter, power(self.scales().param(param)), Held::Watched));
        }

        let mut passing = |name: &str, power, held| all.push(bounded(name, Quantity::Passing, power, held));
        passing("loss of a record", Some(MOST_LOSS.log2() as i8), Held::Clipped);
        // Of probabilities and labels, or of an output and a target.
        let by_outputs = if self.loss_kind() == Loss::SquaredError { watched } else { Held::Proven };
        passing("gradient by the outputs", power(self.scales().error), by_outputs);
        passing("gradients by hidden layers' outputs", None, Held::Promised);
        let by_parameters = if spec.clip.is_some() { Held::Clipped } else { Held::Promised };
        passing("gradients by parameters", None, by_parameters);
        passing("steps of parameters", power(self.scales().step), Held::Promised);
        if !self.keeps().is_empty() {
            passing("what the optimiser keeps", None, Held::Promised);
        }
        for (name, _) in nodes().filter(|(_, node)| matches!(node.op, Kind::BatchNorm(_))) {
            passing(&format!("batch variances of {name}"), Some(VARIANCE[0].cast_signed()), Held::Promised);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Form, Node, Shape};
    use crate::layers::{BatchNorm, Dropout, Linear};
    use crate::{Graph, Training};

    fn held(bounds: &[Bounded], name: &str) -> (Option<i8>, Held) {
        let found = bounds.iter().find(|b| b.name == name).unwrap();
        (found.power, found.held)
    }

    #[test]
    fn each_quantity_says_what_keeps_it() {
        let dropout = Kind::Dropout(serde_json::from_str::<Dropout>("{}").unwrap());
        let ops = [Kind::Linear(Linear { outputs: 6 }), Kind::BatchNorm(BatchNorm::default()), Kind::Sigmoid, dropout];
        let nodes = ops.into_iter().chain([Kind::Linear(Linear { outputs: 3 })]).map(Node::new).collect();
        let network = Graph { input: Shape::Flat(4), nodes };
        let training = Training::of(Graph::perceptron(&[4, 3]), 32).unwrap().with(|t| {
            (t.spec.network, t.spec.batch) = (Some(Form::Graph(network)), 8);
        });
        let bounds = training.trainer().unwrap().bounds().unwrap();
        for (name, power, expected) in [
            ("records", Some(0), Held::Proven),
            ("fc1", Some(8), Held::Watched),
            ("bn1", Some(8), Held::Watched),
            ("sigmoid1", Some(1), Held::Proven),
            ("dropout1", Some(1), Held::Promised),
            ("fc2.weight", Some(4), Held::Watched),
            ("bn1.running_var", Some(8), Held::Watched),
            ("loss of a record", Some(10), Held::Clipped),
            ("gradient by the outputs", Some(1), Held::Proven),
            ("gradients by parameters", None, Held::Promised),
            ("batch variances of bn1", Some(8), Held::Promised),
            ("what the optimiser keeps", None, Held::Promised),
        ] {
            assert_eq!(held(&bounds, name), (power, expected), "{name}");
        }
        let bounds = training.clone().with(|t| t.spec.clip = Some(0.5)).trainer().unwrap().bounds().unwrap();
        assert_eq!(held(&bounds, "gradients by parameters").1, Held::Clipped);
        // Where nobody looks, nothing is watched but the parameters.
        let bounds = training.with(|t| t.open.activations = false).trainer().unwrap().bounds().unwrap();
        assert_eq!(held(&bounds, "fc1"), (Some(8), Held::Promised));
        assert_eq!(held(&bounds, "fc1.weight").1, Held::Watched);
        assert_eq!(serde_json::to_value(&bounds[0]).unwrap()["held"], "proven");
    }
}
