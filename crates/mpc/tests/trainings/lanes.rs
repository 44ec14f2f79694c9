//! A party as a cluster: the same training in one, two and four lanes ends with the same model bit for bit, under the same masks.

use crate::common::{Tested, blobs, secret};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use trefoil_engine::{Engine, Format, Lane};
use trefoil_mpc::lanes::Threads;
use trefoil_mpc::masked::{Masked, MaskedPlan, Num};
use trefoil_mpc::plan::{Inside, Planner, Said};
use trefoil_mpc::{Id, Lanes, Party, Ranks, Seeds};
use trefoil_net::{Net, local};
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::{AvgPool2d, BatchNorm, Constant, Conv2d, Dropout, LeakyRelu, Linear, MaxPool2d, Pair};
use trefoil_nn::{ClassWeighting, Data, Graph, OptimiserKind, Schedule, State, Trainer, Training};

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

/// What one rank of one party ends with.
#[derive(Default)]
struct End {
    digest: Option<Digest>,
    /// Rank 0: what the training goes on from.
    state: Option<State<Num>>,
    /// Payload sent to P0, P1 and P2.
    sent: [u64; 3],
    rounds: u64,
    /// Rank 0: what the others say when they are asked, after the last step.
    answers: Vec<String>,
    /// Loss, figures and activations out of range of all records; loss and figures of a few less, which lanes do not divide.
    figures: Vec<Option<f64>>,
    /// What it has said to other ranks of its party.
    said: Said,
}

/// Ranks that count what they say.
struct Counted(Threads, Arc<Mutex<Said>>);

impl Ranks for Counted {
    fn rank(&self) -> usize {
        self.0.rank()
    }
    fn size(&self) -> usize {
        self.0.size()
    }
    fn send(&mut self, to: usize, words: Vec<u64>) -> Result<(), String> {
        *self.1.lock().unwrap() += Said { messages: 1, words: words.len() as u64 };
        self.0.send(to, words)
    }
    fn receive(&mut self) -> Result<(usize, Vec<u64>), String> {
        self.0.receive()
    }
}

/// One rank of one party, in one session: the training's steps from a state, or from the beginning.
fn rank(
    id: Id,
    net: impl Net + 'static,
    ranks: Threads,
    training: &Training,
    from: Option<State<Num>>,
    steps: Range<u64>,
) -> End {
    let said = Arc::<Mutex<Said>>::default();
    let lanes = Lanes::new(Counted(ranks, said.clone()));
    let t = Trainer::new(training.clone()).unwrap();
    let lane = lanes.lane();
    t.fits_lanes(lane.of).unwrap();
    let party = Party::new(id, net, Seeds::insecure(id, 5)).with_lanes(Arc::new(Mutex::new(lanes)));
    let party = party.answering(|p| format!("{:?}", p.cost.sent).into_bytes());
    let mut e = Masked::new(party);
    if !lane.leads() {
        t.follow(&mut e).unwrap();
        return ended(&e.party, &said);
    }
    let (x, y) = blobs(ROWS, 3);
    let mut data = |x, format, seed| secret(&mut e, &trefoil_engine::fixed::encode(x, format).unwrap(), format, seed);
    let (x, y) = (data(&x, INPUT, 1), data(&y, t.label_format(), 2));
    let all = Data { x: e.spread(&x).unwrap(), y: e.spread(&y).unwrap() };
    let start = from.unwrap_or_else(|| t.initial(&e).unwrap());
    let state = e.drive(start, steps, |e, state, step| t.step(e, state, &all, step)).unwrap();
    let ended = ended(&e.party, &said);
    let mut figures = vec![];
    for data in [&all, &all.select(&e, &(0..ROWS - 1).collect::<Vec<_>>())] {
        figures.push(t.loss(&mut e, &state, data).unwrap());
        figures.push(t.metric(&mut e, &state, data).unwrap());
        figures.push(t.activations_out_of_range(&mut e, &state, data).unwrap().map(|n| n as f64));
    }
    let answers = e.party.ask().unwrap().into_iter().map(|answer| String::from_utf8(answer).unwrap()).collect();
    e.party.dismiss().unwrap();
    let words =
        state.params.iter().chain(&state.kept).map(|x| Masked::words(&mut e, x).map(|x| x.into_raw_vec_and_offset().0)).collect();
    End { digest: words, state: Some(state), answers, figures, ..ended }
}

fn ended(p: &Party, said: &Mutex<Said>) -> End {
    End { sent: p.cost.sent, rounds: p.depth().into(), said: *said.lock().unwrap(), ..End::default() }
}

/// Trains in so many lanes: three parties of as many threads. What the ranks end with, lane after lane.
fn ends(lanes: usize, training: &Training, steps: u64) -> Vec<[End; 3]> {
    session(lanes, training, [None, None, None], 0..steps)
}

/// The same from what each party's rank 0 has kept.
fn session(lanes: usize, training: &Training, mut from: [Option<State<Num>>; 3], steps: Range<u64>) -> Vec<[End; 3]> {
    let mut ranks: Vec<_> = (0..3).map(|_| Threads::new(lanes).into_iter()).collect();
    thread::scope(|scope| {
        let mut parties = vec![];
        for _ in 0..lanes {
            for (id, net) in Id::ALL.into_iter().zip(local::network(Duration::from_secs(20))) {
                let (ranks, steps) = (ranks[id.index()].next().unwrap(), steps.clone());
                // Lane 0 comes first.
                let from = from[id.index()].take();
                parties.push(scope.spawn(move || rank(id, net, ranks, training, from, steps)));
            }
        }
        let mut ends = parties.into_iter().map(|party| party.join().unwrap());
        (0..lanes).map(|_| [0; 3].map(|_| ends.next().unwrap())).collect()
    })
}

/// The model that this ends with, and its figures.
fn trained(lanes: usize, training: &Training, steps: u64) -> (Digest, Vec<Option<f64>>) {
    let [p0, p1, _] = ends(lanes, training, steps).swap_remove(0);
    assert_eq!((&p0.digest, &p0.figures), (&p1.digest, &p1.figures));
    assert!(p0.figures.iter().all(Option::is_some));
    (p0.digest.unwrap(), p0.figures)
}

/// What the third step takes in a lane: rounds, bytes, and what this party's ranks say.
fn planned(lane: Lane, training: &Training) -> (u64, [[u64; 3]; 3], Inside) {
    let (t, mut e) = (Trainer::new(training.clone()).unwrap(), MaskedPlan::of_lane(lane));
    let (mut state, data) = {
        let of = |shape, format| e.secret(shape, format);
        let data = t.data_of(ROWS, of);
        (t.state_of(of), data)
    };
    let data = Data { x: e.spread(&data.x).unwrap(), y: e.spread(&data.y).unwrap() };
    let mut before = e.books().clone();
    for step in 0..3 {
        before = e.books().clone();
        t.step(&mut e, &mut state, &data, step).unwrap();
    }
    let third = e.books() - &before;
    (third.total().rounds, third.total().sent(), third.inside)
}

/// To the byte: what lane 0 and others exchange with the same lane of other parties, and what ranks of one party say.
fn takes_what_is_planned(training: &Training) {
    for lanes in [2, 4] {
        let [two, three] = [2, 3].map(|steps| ends(lanes, training, steps));
        for rank in 0..lanes {
            let (rounds, sent, inside) = planned(Lane { rank, of: lanes }, training);
            let since = |of: fn(&End) -> u64, i: usize| of(&three[rank][i]) - of(&two[rank][i]);
            assert_eq!(rounds, since(|end| end.rounds, 0).max(since(|end| end.rounds, 1)), "rounds of rank {rank} of {lanes}");
            for i in 0..3 {
                let counted = [0, 1, 2].map(|j: usize| three[rank][i].sent[j] - two[rank][i].sent[j]);
                assert_eq!(sent[i], counted, "bytes that rank {rank} of {lanes} of P{i} sends");
            }
            let said = Said { messages: since(|end| end.said.messages, 0), words: since(|end| end.said.words, 0) };
            let children = (2 * rank + 1..2 * rank + 3).filter(|rank| *rank < lanes).count() as u64;
            let times = |said: Said, n: u64| Said { messages: n * said.messages, words: n * said.words };
            let mut expected = times(inside.spread, children);
            expected += inside.rows;
            expected += if rank == 0 { Said::default() } else { inside.summed };
            assert_eq!(said, expected, "rank {rank} of {lanes}");
        }
    }
}

fn the_same_in_any_number_of_lanes(training: &Training) {
    let (one, figures) = trained(1, training, 4);
    for lanes in [2, 4] {
        let (many, theirs) = trained(lanes, training, 4);
        assert_eq!(figures[..3], theirs[..3], "figures of {lanes} lanes");
        // Records that lanes do not divide are evaluated in other parts, with other masks.
        let near = |(a, b): (&Option<f64>, &Option<f64>)| (a.unwrap() - b.unwrap()).abs() < 0.03;
        assert!(figures[3..].iter().zip(&theirs[3..]).all(near), "{figures:?}, in {lanes} lanes {theirs:?}");
        let differ = |(a, b): (&Vec<u64>, &Vec<u64>)| a.iter().zip(b).filter(|(a, b)| a != b).count();
        let differ: Vec<usize> = many.iter().zip(&one).map(differ).collect();
        assert!(many == one, "{lanes} lanes end with another model than one: by parameter, {differ:?} numbers differ");
    }
}

#[test]
fn perceptron() {
    let training = config(Graph::perceptron(&[8, 16, 3])).with(|t| t.spec.momentum = 0.9);
    the_same_in_any_number_of_lanes(&training);
    takes_what_is_planned(&training);
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
    takes_what_is_planned(&training);
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

/// Statistics are of the rows of all lanes. A convolution before and a layer behind, so that a gradient comes and goes.
#[test]
fn batch_normalisation() {
    let training = images([
        Kind::Conv2d(Conv2d { filters: 2, kernel: Pair([2, 2]), stride: Pair([1, 1]), padding: Pair([0, 0]) }),
        Kind::BatchNorm(BatchNorm::default()),
        Kind::Relu,
        Kind::Flatten,
        Kind::Linear(Linear { outputs: 4 }),
        Kind::BatchNorm(BatchNorm::default()),
        Kind::Linear(Linear { outputs: 3 }),
    ])
    .with(|t| t.spec.momentum = 0.9);
    the_same_in_any_number_of_lanes(&training);
    takes_what_is_planned(&training);
}

/// A session that begins at a checkpoint has as many lanes as there are ranks then.
#[test]
fn each_session_with_another_number_of_ranks() {
    let training = config(Graph::perceptron(&[8, 16, 3])).with(|t| t.spec.optimiser = OptimiserKind::Adam);
    let mut kept = [None, None, None];
    let mut digest = None;
    for (lanes, steps) in [(2, 0..2), (1, 2..3), (4, 3..5), (2, 5..6)] {
        let lane_0 = session(lanes, &training, kept, steps).swap_remove(0);
        digest = lane_0[0].digest.clone();
        kept = lane_0.map(|end| end.state);
    }
    assert!(digest.unwrap() == trained(1, &training, 6).0, "a training in four sessions ends with another model");
}

/// Rank 0 is told what the others have sent, whatever number of bytes that takes.
#[test]
fn what_other_ranks_have_spent() {
    let ends = ends(4, &config(Graph::perceptron(&[8, 16, 3])), 2);
    for i in 0..3 {
        let sent: Vec<_> = ends[1..].iter().map(|lane| format!("{:?}", lane[i].sent)).collect();
        assert_eq!(ends[0][i].answers, sent, "P{i}");
    }
}

#[test]
fn what_lanes_cannot_do_is_named() {
    assert!(
        Trainer::new(config(Graph::perceptron(&[8, 3]))).unwrap().fits_lanes(3).err().unwrap().to_string().contains("divides")
    );
}
