//! Networks by name.

use super::{Graph, Kind, Node, Shape};
use crate::layers::{Conv2d, Linear, MaxPool2d, Pair};
use crate::{Error, Result};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// A network as a job has it: by a name that [`Graph`] can be parsed from, or layer by layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Form {
    /// `lenet`.
    Name(String),
    /// All of it.
    Graph(Graph),
}

/// By what it is, a text or a table, so that a mistake in a table is told as what it is.
impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Form, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a network's name, or a table with its input and nodes")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Form, E> {
                Ok(Form::Name(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Form, A::Error> {
                Graph::deserialize(MapAccessDeserializer::new(map)).map(Form::Graph)
            }
        }
        from.deserialize_any(Either)
    }
}

/// A name, if there is a network of that name.
impl FromStr for Form {
    type Err = Error;

    fn from_str(text: &str) -> Result<Form> {
        // Who takes the links for a network is told which is which.
        let hint = |e: Error| match e {
            Error::Config { what, found, expected } => {
                Error::config(what, found, format!("{expected} (the shape of links is --links)"))
            }
            other => other,
        };
        text.parse::<Graph>().map(|_| Form::Name(text.to_owned())).map_err(hint)
    }
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

/// Names from the literature that a [`Graph`] can be parsed from. In all of them ReLU comes after max-pooling, where it is the same and there
/// is less of it, and there is none on the outputs.
///
/// | name | source |
/// |---|---|
/// | `securenn-a` to `securenn-d` | networks A to D of SecureNN (PETS 2019, section 6), in the order of Keller and Sun (ICML 2022): those of SecureML, MiniONN, LeNet and Chameleon |
/// | `minionn`, `lenet` | B and C by their own names |
/// | `cifar-alexnet`, `cifar-vgg16` | Falcon's and Piranha's for CIFAR-10 |
pub const NAMED: [&str; 8] =
    ["securenn-a", "securenn-b", "securenn-c", "securenn-d", "minionn", "lenet", "cifar-alexnet", "cifar-vgg16"];

/// From all widths of a perceptron, from inputs to outputs, `784-128-128-10`, or by one of [`NAMED`].
impl FromStr for Graph {
    type Err = Error;

    fn from_str(text: &str) -> Result<Graph> {
        match text {
            "securenn-a" => return Ok(Graph::perceptron(&[784, 128, 128, 10])),
            "securenn-b" | "minionn" => return Ok(two_convolutions([16, 16, 100])),
            "securenn-c" | "lenet" => return Ok(two_convolutions([20, 50, 500])),
            "securenn-d" => return Ok(chameleon()),
            "cifar-alexnet" => return Ok(alexnet()),
            "cifar-vgg16" => return Ok(vgg16()),
            _ => {}
        }
        match text.split('-').map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>() {
            Some(sizes) if sizes.len() > 1 => Ok(Graph::perceptron(&sizes)),
            _ => Err(Error::config(
                "network",
                format!("{text:?}"),
                format!("widths from inputs to outputs, such as 784-128-128-10, or one of {}", NAMED.join(", ")),
            )),
        }
    }
}

fn conv(filters: usize, kernel: usize, stride: usize, padding: usize) -> Kind {
    Kind::Conv2d(Conv2d { filters, kernel: Pair([kernel; 2]), stride: Pair([stride; 2]), padding: Pair([padding; 2]) })
}

fn pool(kernel: usize, stride: usize) -> Kind {
    Kind::MaxPool2d(MaxPool2d { kernel: Pair([kernel; 2]), stride: Some(Pair([stride; 2])), padding: Pair([0; 2]) })
}

fn linear(outputs: usize) -> Kind {
    Kind::Linear(Linear { outputs })
}

fn graph(input: [usize; 3], ops: impl IntoIterator<Item = Kind>) -> Graph {
    Graph { input: Shape::Image(input), nodes: ops.into_iter().map(Node::new).collect() }
}

/// Two convolutions of 5 x 5, each with max-pooling by 2 and ReLU, then one hidden layer: LeNet as secure training is measured on (SecureNN,
/// Falcon, Piranha) with 20 and 50 filters and 500, MiniONN's network for MNIST with 16, 16 and 100.
fn two_convolutions([first, second, hidden]: [usize; 3]) -> Graph {
    let pool = || Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 2]), stride: None, padding: Pair([0, 0]) });
    let convolutions = [conv(first, 5, 1, 0), pool(), Kind::Relu, conv(second, 5, 1, 0), pool(), Kind::Relu];
    graph([1, 28, 28], convolutions.into_iter().chain([Kind::Flatten, linear(hidden), Kind::Relu, linear(10)]))
}

/// Chameleon's network (Riazi et al., ASIACCS 2018): one convolution of 5 filters of 5 x 5 by 2, which makes 14 x 14 of an image, then 100.
/// Falcon's code has 2 x 2 windows without padding there.
fn chameleon() -> Graph {
    graph([1, 28, 28], [conv(5, 5, 2, 2), Kind::Relu, Kind::Flatten, linear(100), Kind::Relu, linear(10)])
}

/// AlexNet for CIFAR-10 as in Falcon (`src/secondary.cpp`), on 32 x 32 pixels in place of Falcon's 33 x 33, so that the second pooling moves
/// by 1 over 2 x 2, as in Piranha; and without batch normalisation.
fn alexnet() -> Graph {
    let narrow = |filters| [conv(filters, 3, 1, 1), Kind::Relu];
    let ops = [conv(96, 11, 4, 9), pool(3, 2), Kind::Relu, conv(256, 5, 1, 1), pool(2, 1), Kind::Relu];
    let ops = ops.into_iter().chain([384, 384, 256].into_iter().flat_map(narrow)).chain([Kind::Flatten]);
    graph([3, 32, 32], ops.chain([linear(256), Kind::Relu, linear(256), Kind::Relu, linear(10)]))
}

/// VGG16 for CIFAR-10: Falcon's 13 convolutions of 3 x 3 (`src/secondary.cpp`), and Piranha's 256, 256 and 10 behind them, where Falcon has
/// 4096, 4096 and 1000.
fn vgg16() -> Graph {
    let mut ops = Vec::new();
    for (filters, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for i in 1..=count {
            ops.push(conv(filters, 3, 1, 1));
            if i == count {
                ops.push(pool(2, 2));
            }
            ops.push(Kind::Relu);
        }
    }
    graph([3, 32, 32], ops.into_iter().chain([Kind::Flatten, linear(256), Kind::Relu, linear(256), Kind::Relu, linear(10)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters as in the tables of others, counted by hand.
    #[test]
    fn names_are_networks() {
        let count = |name: &str| -> usize {
            let graph: Graph = name.parse().unwrap();
            graph.check().unwrap();
            graph.params().unwrap().iter().map(|p| p.dims.iter().product::<usize>()).sum()
        };
        let found = NAMED.map(count);
        let lenet = 20 * 25 + 20 + 50 * 500 + 50 + 500 * 800 + 500 + 5010;
        let minionn = 16 * 25 + 16 + 16 * 400 + 16 + 100 * 256 + 100 + 1010;
        let d = 5 * 25 + 5 + 100 * 980 + 100 + 1010;
        let alexnet =
            96 * 363 + 96 + 256 * 2400 + 256 + 384 * 2304 + 384 + 384 * 3456 + 384 + 256 * 3456 + 256 + 2 * 65_792 + 2570;
        // 14,714,688 is what the convolutions of VGG16 have everywhere.
        let vgg16 = 14_714_688 + 256 * 512 + 256 + 65_792 + 2570;
        assert_eq!(found, [118_282, minionn, lenet, d, minionn, lenet, alexnet, vgg16]);
    }
}
