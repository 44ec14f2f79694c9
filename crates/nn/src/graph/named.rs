//! Networks by name.

use super::{Graph, Kind, Node, Shape};
use crate::layers::{Conv2d, Linear, MaxPool2d, Pair};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A network as a job has it: by a name that [`Graph`] can be parsed from, or layer by layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Form {
    /// `lenet`.
    Name(String),
    /// All of it.
    Graph(Graph),
}

impl Form {
    /// The network.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that there is not, and for what is no network.
    pub fn graph(&self) -> Result<Graph> {
        let graph = match self {
            Form::Name(name) => name.parse()?,
            Form::Graph(graph) => graph.clone(),
        };
        graph.check()?;
        Ok(graph)
    }
}

/// From all widths of a perceptron, from inputs to outputs, `784-128-128-10`, or by a name from the literature: `securenn-a`
/// (SecureNN, PETS 2019, section 6), `lenet`.
impl FromStr for Graph {
    type Err = Error;

    fn from_str(text: &str) -> Result<Graph> {
        if text == "lenet" {
            return Ok(lenet());
        }
        let sizes = if text == "securenn-a" { "784-128-128-10" } else { text };
        match sizes.split('-').map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>() {
            Some(sizes) if sizes.len() > 1 => Ok(Graph::perceptron(&sizes)),
            _ => Err(Error::config(
                "network",
                format!("{text:?}"),
                "widths from inputs to outputs, such as 784-128-128-10, or securenn-a or lenet",
            )),
        }
    }
}

/// LeNet as secure training is measured on (SecureNN, Falcon, Piranha): 20 and 50 filters of 5 x 5, each with
/// max-pooling by 2 and ReLU, then 500 and 10. ReLU comes after the pooling, where it is the same and there is a quarter of it.
fn lenet() -> Graph {
    let conv = |filters| Kind::Conv2d(Conv2d { filters, kernel: Pair([5, 5]), stride: Pair([1, 1]), padding: Pair([0, 0]) });
    let pool = || Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 2]), stride: None, padding: Pair([0, 0]) });
    let linear = |outputs| Kind::Linear(Linear { outputs });
    let ops = [conv(20), pool(), Kind::Relu, conv(50), pool(), Kind::Relu, Kind::Flatten, linear(500), Kind::Relu, linear(10)];
    Graph { input: Shape::Image([1, 28, 28]), nodes: ops.into_iter().map(Node::new).collect() }
}
