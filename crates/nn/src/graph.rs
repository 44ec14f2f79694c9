//! The network as data: a list of nodes with their settings, from which everything else follows.
//!
//! Training, evaluation, prediction in the clear, model files and ONNX all read the [`Graph`]; nobody derives shapes, parameters or
//! names anew. It is part of what parties and owners agree to, so it can be written down:
//!
//! ```
//! use trefoil_nn::Graph;
//! let text = r#"{"input": [1, 28, 28], "nodes": [{"op": {"linear": {"outputs": 32}}}, {"op": "relu"}, {"op": {"linear": {"outputs": 10}}}]}"#;
//! let graph: Graph = serde_json::from_str(text).unwrap();
//! assert_eq!(graph.outputs().unwrap(), 10);
//! assert_eq!(graph, Graph { input: trefoil_nn::Shape::Image([1, 28, 28]), ..Graph::perceptron(&[784, 32, 10]) });
//! ```

pub(crate) mod kind;
mod named;
mod one_or_more;
mod reorder;
mod shape;

pub use kind::Kind;
pub use named::{Form, NAMED};
pub use shape::Shape;

use crate::layers::{Linear, Start};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More nodes than this are taken for a mistake.
const MOST_NODES: usize = 256;
/// Values of a record at a node, and parameters of a network, at most: 128 MiB as words.
pub const MOST_VALUES: usize = 1 << 24;
/// What nodes call the record that the network is given.
pub const RECORD: &str = "input";
/// The longest name of a node.
const MOST_NAME: usize = 64;

/// A network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// What a record is.
    pub input: Shape,
    /// The layers, each after those that it takes its input from. The last one's output is the network's.
    pub nodes: Vec<Node>,
}

/// A layer in its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it does.
    pub op: Kind,
    /// What it is called: its parameters are `NAME.weight` and `NAME.bias`. By default its kind's short name and its number among
    /// those of its kind, from 1 on: `fc1`, `relu1`, `fc2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The nodes whose outputs it takes, one name or a list, [`RECORD`] for the record; by default the one before it. An output may be
    /// taken several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "one_or_more")]
    pub from: Vec<String>,
}

impl Node {
    /// After the one before it, under its default name.
    pub fn new(op: Kind) -> Node {
        Node { op, name: None, from: Vec::new() }
    }
}

/// A parameter: something that training changes, and that the model has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// As PyTorch has it: `fc1.weight`.
    pub name: String,
    /// As PyTorch has it: \[outputs, inputs\], or \[outputs\] for a bias.
    pub dims: Vec<usize>,
    /// How it starts.
    pub start: Start,
    /// Whether a gradient changes it. What is not trained follows the batches, as a running mean does.
    pub trained: bool,
}

impl Param {
    /// As a matrix: what PyTorch's dimensions behind the first are side by side, and a bias is one row.
    pub fn shape(&self) -> [usize; 2] {
        match self.dims[..] {
            [n] => [1, n],
            _ => [self.dims.first().copied().unwrap_or(0), self.dims.iter().skip(1).product()],
        }
    }
}

impl Graph {
    /// Linear layers with ReLU between them: inputs, hidden layers, outputs.
    pub fn perceptron(sizes: &[usize]) -> Graph {
        let (input, layers) = sizes.split_first().map_or((0, sizes), |(n, rest)| (*n, rest));
        let mut nodes = Vec::new();
        for outputs in layers {
            if !nodes.is_empty() {
                nodes.push(Node::new(Kind::Relu));
            }
            nodes.push(Node::new(Kind::Linear(Linear { outputs: *outputs })));
        }
        Graph { input: Shape::Flat(input), nodes }
    }

    /// The nodes' names.
    pub fn names(&self) -> Vec<String> {
        let number = |i: usize| self.nodes[..=i].iter().filter(|n| n.op.short() == self.nodes[i].op.short()).count();
        let name = |(i, node): (usize, &Node)| node.name.clone().unwrap_or_else(|| format!("{}{}", node.op.short(), number(i)));
        self.nodes.iter().enumerate().map(name).collect()
    }

    /// Where each node's inputs come from: a node's place, or the record.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is not that of an earlier node.
    pub fn sources(&self) -> Result<Vec<Vec<Option<usize>>>> {
        let names = self.names();
        let source = |i: usize, from: &String| match names[..i].iter().position(|name| name == from) {
            Some(at) => Ok(Some(at)),
            None if from == RECORD => Ok(None),
            None => Err(Error::config("network: input of a node", format!("{from:?} of {}", names[i]), "an earlier node's name")),
        };
        let sources = |(i, node): (usize, &Node)| match &node.from[..] {
            [] => Ok(vec![i.checked_sub(1)]),
            from => from.iter().map(|from| source(i, from)).collect(),
        };
        self.nodes.iter().enumerate().map(sources).collect()
    }

    /// The shape that each node is given, and that it gives.
    fn each(&self) -> Result<Vec<[Shape; 2]>> {
        let (names, sources) = (self.names(), self.sources()?);
        let mut shapes: Vec<[Shape; 2]> = Vec::new();
        for ((node, name), sources) in self.nodes.iter().zip(&names).zip(sources) {
            let inputs: Vec<Shape> = sources.iter().map(|source| source.map_or(self.input, |i| shapes[i][1])).collect();
            let first = inputs.first().copied().unwrap_or(self.input);
            let [least, most] = node.op.takes();
            if !(least..=most).contains(&inputs.len()) {
                let expected = if most == 1 { "1".to_owned() } else { format!("{least} to {most}") };
                return Err(Error::config("network", format!("{name} of {} inputs", inputs.len()), expected));
            }
            if let Some(other) = inputs.iter().find(|shape| **shape != first) {
                return Err(Error::config("network", format!("{name} on {first} and {other}"), "inputs of one shape"));
            }
            let shape =
                node.op.shape(first).map_err(|expected| Error::config("network", format!("{name} on {first}"), expected))?;
            if !(1..=MOST_VALUES).contains(&shape.len()) {
                let expected = format!("1 to {MOST_VALUES} values");
                return Err(Error::config("network", format!("{name} with an output of {shape}, in {}", self.brief()), expected));
            }
            shapes.push([first, shape]);
        }
        Ok(shapes)
    }

    /// The shape that each node gives a record.
    ///
    /// # Errors
    /// [`Error::Config`] naming the node that does not fit what it is given, or is larger than a network may be.
    pub fn shapes(&self) -> Result<Vec<Shape>> {
        Ok(self.each()?.into_iter().map(|[_, shape]| shape).collect())
    }

    /// The shape that each node is given; several inputs have the same.
    ///
    /// # Errors
    /// As for [`Graph::shapes`].
    pub fn inputs(&self) -> Result<Vec<Shape>> {
        Ok(self.each()?.into_iter().map(|[input, _]| input).collect())
    }

    /// Outputs: the classes, or 1.
    ///
    /// # Errors
    /// As for [`Graph::shapes`], and without a node.
    pub fn outputs(&self) -> Result<usize> {
        match self.shapes()?.last() {
            Some(shape) => Ok(shape.len()),
            None => Err(Error::config("network", "no layers", "at least one")),
        }
    }

    /// The most values that a record becomes on its way, a convolution's columns included; 0 where it is no network.
    pub fn widest(&self) -> usize {
        let columns = |(node, input): (&Node, Shape)| match &node.op {
            Kind::Conv2d(layer) => layer.columns(input),
            _ => 0,
        };
        let columns = self.inputs().map_or(0, |inputs| self.nodes.iter().zip(inputs).map(columns).max().unwrap_or(0));
        let values = self.shapes().map_or(0, |shapes| shapes.iter().map(Shape::len).max().unwrap_or(0));
        columns.max(values).max(self.input.len())
    }

    /// The parameters of each node in turn.
    ///
    /// # Errors
    /// As for [`Graph::shapes`].
    pub fn params(&self) -> Result<Vec<Param>> {
        let mut all = Vec::new();
        for ((node, name), input) in self.nodes.iter().zip(self.names()).zip(self.inputs()?) {
            for (trained, params) in [(true, node.op.params(input)), (false, node.op.running(input))] {
                let param = |(param, dims, start)| Param { name: format!("{name}.{param}"), dims, start, trained };
                all.extend(params.into_iter().map(param));
            }
        }
        Ok(all)
    }

    /// Refuses what is no network, or a larger one than may be.
    ///
    /// # Errors
    /// [`Error::Config`] saying what is wrong.
    pub fn check(&self) -> Result<()> {
        let refuse = |found: String, expected: &str| Err(Error::config("network", found, expected));
        if self.nodes.is_empty() || self.nodes.len() > MOST_NODES {
            return refuse(format!("{} nodes", self.nodes.len()), "1 to 256");
        }
        if !(1..=MOST_VALUES).contains(&self.input.len()) {
            return refuse(format!("records of {}", self.input), "1 to 2^24 values");
        }
        let names = self.names();
        let wrong =
            |n: &&String| n.is_empty() || n.len() > MOST_NAME || n.chars().any(|c| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(name) = names.iter().find(|name| wrong(name) || *name == RECORD) {
            return refuse(format!("a node called {name:?}"), "1 to 64 letters, digits and _, and not input, the record's name");
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = names.iter().find(|n| !seen.insert(*n)) {
            return refuse(format!("two nodes called {name}"), "a name of its own for each");
        }
        self.outputs()?;
        let sources = self.sources()?;
        let unused = |i: &usize| i + 1 < names.len() && !sources.iter().flatten().any(|source| *source == Some(*i));
        if let Some(i) = (0..names.len()).find(unused) {
            return refuse(format!("{}, whose output is not used", names[i]), "a node that takes it");
        }
        let parameters = self.params()?.iter().try_fold(0usize, |sum, p| {
            let n = p.dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
            sum.checked_add(n).filter(|n| *n <= MOST_VALUES)
        });
        match parameters {
            Some(_) => Ok(()),
            None => refuse(self.brief(), "at most 2^24 weights and biases"),
        }
    }

    /// Its name, fit for one line of an error.
    fn brief(&self) -> String {
        self.to_string().chars().take(200).collect()
    }

    /// The sizes of a perceptron; `None` for any other network.
    fn sizes(&self) -> Option<Vec<usize>> {
        let outputs = self.nodes.iter().filter_map(|n| match n.op {
            Kind::Linear(Linear { outputs }) => Some(outputs),
            _ => None,
        });
        let sizes: Vec<usize> = [self.input.len()].into_iter().chain(outputs).collect();
        let same = Graph { input: self.input, ..Graph::perceptron(&sizes) } == *self;
        same.then_some(sizes)
    }

    /// The sizes of a perceptron's hidden layers; `None` for any other network.
    pub fn hidden(&self) -> Option<Vec<usize>> {
        let sizes = self.sizes()?;
        Some(sizes.get(1..sizes.len().saturating_sub(1)).unwrap_or_default().to_vec())
    }

    /// Whether it is linear layers with ReLU between them and nothing else, so that its sizes say all of it.
    pub fn is_perceptron(&self) -> bool {
        self.sizes().is_some()
    }
}

/// "784-256-10", or the record's shape and the nodes' names in turn.
impl std::fmt::Display for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = match self.sizes() {
            Some(sizes) => sizes.iter().map(ToString::to_string).collect(),
            None => [self.input.to_string()].into_iter().chain(self.names()).collect::<Vec<_>>(),
        };
        f.write_str(&parts.join("-"))
    }
}

#[cfg(test)]
mod tests;
