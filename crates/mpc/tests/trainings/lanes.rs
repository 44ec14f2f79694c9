//! A party as a cluster: the same training in one, two and four lanes ends with the same model bit for bit, under the same masks.

use crate::common::{Tested, blobs, secret};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use trefoil_engine::{Engine, Format};
use trefoil_mpc::lanes::Threads;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::{Id, Lanes, Party, Seeds};
use trefoil_net::{Net, local};
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::{AvgPool2d, BatchNorm, Constant, Conv2d, Dropout, LeakyRelu, Linear, MaxPool2d, Pair};
use trefoil_nn::{ClassWeighting, Data, Graph, OptimiserKind, Schedule, Trainer, Training};

const INPUT: Format = Format::new(8, 0);
const ROWS: usize = 48;

fn config(network: Graph) -> Training {
    Training::of(network, ROWS).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs) = (16, 2);
        (t.spec.lr, t.spec.lr_schedule) = (0.25, Schedule::Constant);
    })
}

fn images(ops: impl IntoIterator<Item = Kind>) -> Training {
    config(Graph { input: Shape::Image([1, 2, 4]), nodes: ops.into_iter().map(Node::new).collect() })
}

/// What a server holds at the end of each parameter: the value under its mask.
type Digest = Vec<Vec<u64>>;

/// One rank of one party.
fn rank(id: Id, net: impl Net + 'static, lanes: Lanes, training: &Training, steps: u64) -> Option<Digest> {
    let t = Trainer::new(training.clone()).unwrap();
    let lane = lanes.lane();
    t.fits_lanes(lane.of).unwrap();
    let party = Party::new(id, net, Seeds::insecure(id, 5)).with_lanes(Arc::new(Mutex::new(lanes)));
    let mut e = Masked::new(party);
    if !lane.leads() {
        t.follow(&mut e).unwrap();
        return None;
    }
    let (x, y) = blobs(ROWS, 3);
    let mut data = |x, format, seed| secret(&mut e, &trefoil_engine::fixed::encode(x, format).unwrap(), format, seed);
    let all = Data { x: data(&x, INPUT, 1), y: data(&y, t.label_format(), 2) };
    let start = t.initial(&e).unwrap();
    let state = e.drive(start, 0..steps, |e, state, step| t.step(e, state, &all, step)).unwrap();
    e.party.dismiss().unwrap();
    state.params.iter().chain(&state.kept).map(|x| Masked::words(&mut e, x).map(|x| x.into_raw_vec_and_offset().0)).collect()
}

/// Trains in so many lanes: three parties of as many threads.
fn trained(lanes: usize, training: &Training, steps: u64) -> Digest {
    let mut ranks: Vec<Vec<Lanes>> = (0..3).map(|_| Threads::new(lanes).into_iter().map(Lanes::new).collect()).collect();
    thread::scope(|scope| {
        let mut parties = vec![];
        for _ in 0..lanes {
            for (id, net) in Id::ALL.into_iter().zip(local::network(Duration::from_secs(20))) {
                let lanes = ranks[id.index()].remove(0);
                parties.push(scope.spawn(move || rank(id, net, lanes, training, steps)));
            }
        }
        let ends: Vec<_> = parties.into_iter().map(|party| party.join().unwrap()).collect();
        assert_eq!(ends[0], ends[1]);
        ends.into_iter().next().flatten().unwrap()
    })
}

fn the_same_in_any_number_of_lanes(training: &Training) {
    let one = trained(1, training, 4);
    for lanes in [2, 4] {
        let many = trained(lanes, training, 4);
        let differ = |(a, b): (&Vec<u64>, &Vec<u64>)| a.iter().zip(b).filter(|(a, b)| a != b).count();
        let differ: Vec<usize> = many.iter().zip(&one).map(differ).collect();
        assert!(many == one, "{lanes} lanes end with another model than one: by parameter, {differ:?} numbers differ");
    }
}

#[test]
fn perceptron() {
    let training = config(Graph::perceptron(&[8, 16, 3])).with(|t| t.spec.momentum = 0.9);
    the_same_in_any_number_of_lanes(&training);
}

#[test]
fn adam_with_weights_of_classes_and_dropout() {
    let ops = [
        Kind::Linear(Linear { outputs: 6 }),
        Kind::LeakyRelu(LeakyRelu { slope: Constant(0.125) }),
        Kind::Dropout(Dropout { p: Constant(0.3) }),
        Kind::Linear(Linear { outputs: 3 }),
    ];
    let graph = Graph { input: Shape::Flat(8), nodes: ops.into_iter().map(Node::new).collect() };
    let training = config(graph).with(|t| {
        (t.spec.optimiser, t.spec.lr) = (OptimiserKind::Adam, 0.01);
        t.spec.class_weights = ClassWeighting::Balanced;
    });
    the_same_in_any_number_of_lanes(&training);
}

#[test]
fn convolutions_and_pooling() {
    let training = images([
        Kind::Conv2d(Conv2d { filters: 4, kernel: Pair([2, 2]), stride: Pair([1, 1]), padding: Pair([1, 1]) }),
        Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 3]), stride: Some(Pair([1, 1])), padding: Pair([0, 0]) }),
        Kind::Relu,
        Kind::Conv2d(Conv2d { filters: 3, kernel: Pair([2, 2]), stride: Pair([1, 1]), padding: Pair([1, 0]) }),
        Kind::AvgPool2d(AvgPool2d { kernel: Pair([3, 1]), stride: None, padding: Pair([0, 0]) }),
        Kind::Sigmoid,
        Kind::Flatten,
        Kind::Linear(Linear { outputs: 3 }),
    ]);
    the_same_in_any_number_of_lanes(&training);
}

#[test]
fn what_lanes_cannot_do_is_named() {
    let t = Trainer::new(images([Kind::BatchNorm(BatchNorm::default()), Kind::Flatten, Kind::Linear(Linear { outputs: 3 })]))
        .unwrap();
    let refused = t.fits_lanes(2).err().unwrap().to_string();
    assert!(refused.contains("bn1") || refused.contains("batch normalisation"), "{refused}");
    t.fits_lanes(1).unwrap();
    assert!(
        Trainer::new(config(Graph::perceptron(&[8, 3]))).unwrap().fits_lanes(3).err().unwrap().to_string().contains("divides")
    );
}
