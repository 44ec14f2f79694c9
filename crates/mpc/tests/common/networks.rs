//! Small networks that have all layers, on images of 2 x 4.

use trefoil_nn::Graph;
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::{AvgPool2d, BatchNorm, Constant, Conv2d, Dropout, LeakyRelu, Linear, MaxPool2d, Pair};

pub fn conv(filters: usize) -> Kind {
    Kind::Conv2d(Conv2d { filters, kernel: Pair([3, 3]), stride: Pair([1, 1]), padding: Pair([1, 1]) })
}

pub fn linear(outputs: usize) -> Kind {
    Kind::Linear(Linear { outputs })
}

pub fn norm() -> Kind {
    Kind::BatchNorm(BatchNorm::default())
}

pub fn leaky() -> Kind {
    Kind::LeakyRelu(LeakyRelu { slope: Constant(0.01) })
}

pub fn dropout(p: f64) -> Kind {
    Kind::Dropout(Dropout { p: Constant(p) })
}

pub fn graph(nodes: Vec<(Kind, &[&str])>) -> Graph {
    let node = |(op, from): (Kind, &[&str])| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(op) };
    Graph { input: Shape::Image([1, 2, 4]), nodes: nodes.into_iter().map(node).collect() }
}

/// A block with a way around it, as in a residual network.
pub fn residual() -> Graph {
    graph(vec![
        (conv(6), &[]),
        (norm(), &[]),
        (leaky(), &[]),
        (conv(6), &[]),
        (norm(), &[]),
        (Kind::Add, &["bn2", "relu1"]),
        (leaky(), &[]),
        (Kind::Flatten, &[]),
        (dropout(0.25), &[]),
        (linear(3), &[]),
    ])
}

/// Three that have most layers.
pub fn networks() -> [Graph; 3] {
    [
        residual(),
        graph(vec![(linear(6), &[]), (norm(), &[]), (Kind::Sigmoid, &[]), (linear(6), &[]), (Kind::Tanh, &[]), (linear(3), &[])]),
        graph(vec![(conv(5), &[]), (dropout(0.5), &[]), (Kind::GlobalAvgPool2d, &[]), (linear(3), &[])]),
    ]
}

/// One with the layers that those have not.
pub fn pooled() -> Graph {
    let max = Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 3]), stride: Some(Pair([1, 1])), padding: Pair([0, 0]) });
    let avg = Kind::AvgPool2d(AvgPool2d { kernel: Pair([1, 2]), stride: None, padding: Pair([0, 0]) });
    graph(vec![
        (conv(4), &[]),
        (max, &[]),
        (Kind::Relu, &[]),
        (avg, &[]),
        (Kind::Flatten, &[]),
        (linear(5), &[]),
        (Kind::Relu, &[]),
        (linear(3), &[]),
    ])
}
