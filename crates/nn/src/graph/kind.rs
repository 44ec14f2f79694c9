//! The layers that there are: the one list in which each of them stands.

use super::Shape;
use crate::layers::{Add, AvgPool2d, BatchNorm, Conv2d, Dropout, Layer, LeakyRelu, Linear, MaxPool2d, Start};
use serde::{Deserialize, Serialize};

/// The layers that there are, with their settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Fully connected.
    Linear(Linear),
    /// max(x, 0).
    Relu,
    /// max(x, 0), and a small slope below 0.
    LeakyRelu(LeakyRelu),
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// A convolution.
    Conv2d(Conv2d),
    /// The largest of each window.
    MaxPool2d(MaxPool2d),
    /// The mean of each window.
    AvgPool2d(AvgPool2d),
    /// The mean of each channel.
    GlobalAvgPool2d,
    /// Each feature, or each channel of an image, brought to mean 0 and variance 1, then scaled and moved.
    BatchNorm(BatchNorm),
    /// Zeros in random places, in training.
    Dropout(Dropout),
    /// An image as one row of numbers.
    Flatten,
    /// The sum of several nodes' outputs.
    Add,
}

/// `$of` with the layer behind a kind, or `$add` for the one that has several inputs.
macro_rules! with_layer {
    ($kind:expr, $layer:ident => $of:expr, $add:expr) => {{
        use $crate::graph::Kind;
        use $crate::layers::{Flatten, GlobalAvgPool2d, Relu, Sigmoid, Tanh};
        match $kind {
            Kind::Linear($layer) => $of,
            Kind::Relu => {
                let $layer = &Relu;
                $of
            }
            Kind::LeakyRelu($layer) => $of,
            Kind::Sigmoid => {
                let $layer = &Sigmoid;
                $of
            }
            Kind::Tanh => {
                let $layer = &Tanh;
                $of
            }
            Kind::Conv2d($layer) => $of,
            Kind::MaxPool2d($layer) => $of,
            Kind::AvgPool2d($layer) => $of,
            Kind::GlobalAvgPool2d => {
                let $layer = &GlobalAvgPool2d;
                $of
            }
            Kind::BatchNorm($layer) => $of,
            Kind::Dropout($layer) => $of,
            Kind::Flatten => {
                let $layer = &Flatten;
                $of
            }
            Kind::Add => $add,
        }
    }};
}
pub(crate) use with_layer;

/// A parameter's name, PyTorch's dimensions, and how it starts.
type Found = Vec<(&'static str, Vec<usize>, Start)>;

impl Kind {
    /// Whether its output is a product that is cut to a format of its own; else it has that of what it is given.
    pub(crate) fn has_products(&self) -> bool {
        match self {
            Kind::Linear(_) | Kind::Conv2d(_) | Kind::BatchNorm(_) | Kind::Sigmoid | Kind::Tanh => true,
            Kind::LeakyRelu(_) | Kind::AvgPool2d(_) | Kind::GlobalAvgPool2d => true,
            Kind::Relu | Kind::MaxPool2d(_) | Kind::Dropout(_) | Kind::Flatten | Kind::Add => false,
        }
    }

    /// Whether the range of its output is promised: more could come of what it is given. Others give no more than they are given, or no
    /// more than the mathematics lets them.
    pub(crate) fn is_promised(&self) -> bool {
        match self {
            Kind::Linear(_) | Kind::Conv2d(_) | Kind::BatchNorm(_) | Kind::Add => true,
            Kind::Relu | Kind::LeakyRelu(_) | Kind::Sigmoid | Kind::Tanh | Kind::Flatten => false,
            // Dropout gives as much as it is given in evaluation; what it gives in training is promised, and seen by nobody.
            Kind::MaxPool2d(_) | Kind::AvgPool2d(_) | Kind::GlobalAvgPool2d | Kind::Dropout(_) => false,
        }
    }

    /// The short name that nodes are called by.
    pub(super) fn short(&self) -> &'static str {
        match self {
            Kind::Linear(_) => "fc",
            Kind::Relu | Kind::LeakyRelu(_) => "relu",
            Kind::Sigmoid => "sigmoid",
            Kind::Tanh => "tanh",
            Kind::Conv2d(_) => "conv",
            Kind::MaxPool2d(_) | Kind::AvgPool2d(_) | Kind::GlobalAvgPool2d => "pool",
            Kind::BatchNorm(_) => "bn",
            Kind::Dropout(_) => "dropout",
            Kind::Flatten => "flatten",
            Kind::Add => "add",
        }
    }

    /// How many inputs it may have: at least, and at most.
    pub(super) fn takes(&self) -> [usize; 2] {
        match self {
            Kind::Add => [2, Add::MOST],
            _ => [1, 1],
        }
    }

    /// What it makes of its inputs, which are of one shape.
    pub(super) fn shape(&self, input: Shape) -> Result<Shape, String> {
        with_layer!(self, layer => layer.shape(input), Ok(input))
    }

    pub(super) fn params(&self, input: Shape) -> Found {
        with_layer!(self, layer => layer.params(input), Vec::new())
    }

    pub(super) fn running(&self, input: Shape) -> Found {
        with_layer!(self, layer => layer.running(input), Vec::new())
    }
}
