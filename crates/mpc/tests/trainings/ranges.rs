//! The range monitor on shares: what it counts is what it counts in the clear, and a training whose activations have left their range ends
//! while its weights are in range.

use crate::common::{Tested, blobs, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Format};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::{Conv2d, Linear, MaxPool2d, Pair};
use trefoil_nn::{Data, Error, Graph, LABEL, Schedule, State, Trainer, Training};

#[path = "../../../nn/tests/networks/astray.rs"]
mod astray;
use astray::{giving, network, with_weights};

const ROWS: usize = 24;

/// Two convolutions and max-pooling, so that what leaves its range goes to comparisons alone.
fn pooled_network() -> Graph {
    let conv = |filters| {
        let (kernel, stride, padding) = (Pair([1, 1]), Pair([1, 1]), Pair([0, 0]));
        Kind::Conv2d(Conv2d { filters, kernel, stride, padding })
    };
    let pool = Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 2]), stride: None, padding: Pair([0, 0]) });
    let nodes = [conv(64), conv(4), pool, Kind::Flatten, Kind::Linear(Linear { outputs: 3 })];
    Graph { input: Shape::Image([2, 2, 2]), nodes: nodes.map(Node::new).into() }
}

/// Weights with which each channel of the second convolution is this everywhere, whatever the record is. None is above 4 for channels below 2^10.
fn giving_channels<E: Engine>(e: &E, t: &Trainer, channels: [f64; 4]) -> State<E::Num> {
    with_weights(e, t, |name, i| match name {
        "conv1.bias" => 4.0,
        "conv2.weight" => channels[i] / 256.0,
        _ => 0.0,
    })
}

/// A network that goes astray in one way or the other.
#[derive(Clone, Copy, Debug)]
enum Astray {
    Sum([f64; 4]),
    Pooled([f64; 4]),
}

impl Astray {
    fn network(self) -> Graph {
        if let Astray::Sum(_) = self { network() } else { pooled_network() }
    }

    fn state<E: Engine>(self, e: &E, t: &Trainer) -> State<E::Num> {
        match self {
            Astray::Sum(sum) => giving(e, t, sum),
            Astray::Pooled(channels) => giving_channels(e, t, channels),
        }
    }
}

/// At a rate of zero, which leaves weights as they are.
fn training(astray: Astray) -> Training {
    Training::of(astray.network(), ROWS).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs, t.spec.momentum) = (12, 1, 0.0);
        (t.spec.lr, t.spec.lr_schedule) = (0.0, Schedule::Constant);
    })
}

/// What is counted of weights and of activations, and how the training ends.
fn outcome<E: Engine>(
    e: &mut E,
    astray: Astray,
    data: impl Fn(&mut E, &Array2<f64>, Format) -> E::Num,
) -> (Option<u64>, Option<u64>, Result<(), Error>) {
    let t = training(astray).trainer().unwrap();
    let (x, y) = blobs(ROWS, 3);
    let all = Data { x: data(e, &x, Format::new(8, 0)), y: data(e, &y, LABEL) };
    let state = astray.state(e, &t);
    let weights = t.weights_out_of_range(e, &state).unwrap();
    let activations = t.activations_out_of_range(e, &state, &all).unwrap();
    (weights, activations, t.train(e, state, 0, &all, &all, &mut |_, _| Ok::<(), Error>(())).map(|_| ()))
}

fn ends_as_in_the_clear<S: Tested>(astray: Astray, found: u64) {
    let check = |(weights, activations, end): (Option<u64>, Option<u64>, Result<(), Error>)| {
        assert_eq!((weights, activations), (Some(0), Some(found)), "{}: {astray:?}", S::NAME);
        match end {
            Ok(()) => assert_eq!(found, 0, "{}: {astray:?}", S::NAME),
            Err(Error::Activations { epoch: 1, blocks, .. }) => assert_eq!(blocks, found, "{}: {astray:?}", S::NAME),
            Err(e) => panic!("{}: {astray:?}: {e}", S::NAME),
        }
    };
    // In the clear a product that leaves its range is an error at once.
    if matches!(astray, Astray::Sum(_)) || found == 0 {
        check(outcome(&mut Fixed::default(), astray, |e, x, f| e.public(x, f).unwrap()));
    }
    let [p0, p1, p2] = simulate(5, |p| {
        with_engine::<S, _>(p, |e| {
            Ok(outcome(e, astray, |e, x, f| {
                secret(e, &trefoil_engine::fixed::encode(x, f).unwrap(), f, if f == LABEL { 2 } else { 1 })
            }))
        })
    });
    check(p0.unwrap().0);
    check(p1.unwrap().0);
    // Nothing is opened to P2. Where it takes part in what is opened next, it is left alone in it.
    let (weights, activations, end) = p2.unwrap().0;
    assert!(weights.is_none() && activations.is_none() && (end.is_ok() || S::PROVEN && found > 0));
}

#[test]
fn activations_that_leave_their_range_end_a_training_on_shares() {
    for (sum, records) in [
        ([255.9, -255.9, 255.9, -255.9], 0),
        ([0.0, 0.0, 511.8, 0.0], 0),
        ([0.0, 512.2, 0.0, 0.0], ROWS as u64),
        ([-700.0, 0.0, 0.0, 700.0], ROWS as u64),
    ] {
        ends_as_in_the_clear::<Masked>(Astray::Sum(sum), records);
        ends_as_in_the_clear::<SecureNn>(Astray::Sum(sum), records);
        ends_as_in_the_clear::<Verified>(Astray::Sum(sum), records);
    }
}

/// What is narrow says so too: a channel has a block of four places.
#[test]
fn activations_that_leave_their_range_before_pooling_end_a_training_on_shares() {
    for (channels, blocks) in
        [([255.9, -255.9, 0.0, 200.0], 0), ([256.3, 0.0, 0.0, -256.3], 2), ([900.0, -900.0, 255.0, 700.0], 3)]
    {
        ends_as_in_the_clear::<Masked>(Astray::Pooled(channels), blocks * ROWS as u64);
        ends_as_in_the_clear::<SecureNn>(Astray::Pooled(channels), blocks * ROWS as u64);
    }
}
