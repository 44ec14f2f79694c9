//! Every layer on the suites: after a few steps the parameters are those of `Fixed` but for rounding, a residual network with batch
//! normalisation and dropout learns on shares what it learns in floating point, and each layer costs what `docs/layers.md` says.

use crate::common::networks::{dropout, leaky, networks, norm, residual};
use crate::common::{Tested, blobs, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::graph::{Kind, Node, Shape};
use trefoil_nn::layers::{AvgPool2d, Conv2d, Formats, MaxPool2d, Mode, Pair};
use trefoil_nn::network::{Cut, Network};
use trefoil_nn::{ClassWeighting, Data, Error, Event, Graph, LABEL, Metric, Outputs, Schedule, Trainer, Training};

const INPUT: Format = Format::new(8, 0);

fn config(network: Graph, rows: usize, epochs: u64, seed: u64) -> Training {
    Training::of(network, rows).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs, t.spec.seed) = (16, epochs, seed);
        (t.spec.lr, t.spec.lr_schedule) = (0.125, Schedule::Constant);
    })
}

fn shared<S: Tested>(e: &mut S, x: &Array2<f64>, format: Format, seed: u8) -> S::Num {
    secret(e, &trefoil_engine::fixed::encode(x, format).unwrap(), format, seed)
}

/// The parameters after some steps, running values included.
fn parameters<E: Engine>(
    e: &mut E,
    c: &Training,
    weighting: &ClassWeighting,
    steps: u64,
    data: impl Fn(&mut E, &Array2<f64>, Format) -> E::Num,
) -> Option<Vec<Array2<f64>>> {
    let (x, y) = blobs(48, 3);
    let y = if c.records.outputs == Outputs::Binary { y.slice_move(ndarray::s![.., 0..1]) } else { y };
    let t = c.clone().with(|t| t.spec.class_weights = weighting.clone()).trainer().unwrap();
    let all = Data { x: data(e, &x, INPUT), y: data(e, &y, LABEL) };
    let start = t.initial(e).unwrap();
    let state = e.drive(start, 0..steps, |e, state, step| t.step(e, state, &all, step)).unwrap();
    // Whoever is shown nothing takes part in all of them.
    let opened: Vec<_> = state.params.iter().map(|w| e.open(w).unwrap()).collect();
    opened.into_iter().collect()
}

fn follows_fixed<S: Tested>(c: &Training, weighting: &ClassWeighting) {
    let public = |e: &mut Fixed, x: &Array2<f64>, f: Format| e.public(x, f).unwrap();
    let want = parameters(&mut Fixed::default(), c, weighting, 4, public).unwrap();
    let start = parameters(&mut Fixed::default(), c, weighting, 0, public).unwrap();
    let [p0, p1, _] = simulate(1, |p| {
        with_engine::<S, _>(p, |e| Ok(parameters(e, c, weighting, 4, |e, x, f| shared(e, x, f, if f == INPUT { 1 } else { 2 }))))
    });
    let got = p0.unwrap().0.unwrap();
    assert_eq!(got, p1.unwrap().0.unwrap());
    let most = |d: Array2<f64>| d.iter().fold(0f64, |m, v| m.max(v.abs()));
    for (((got, want), start), param) in got.iter().zip(&want).zip(&start).zip(c.graph().unwrap().params().unwrap()) {
        let (far, moved) = (most(got - want), most(want - start));
        println!("{}: {} of {} is {far:e} from Fixed, moved {moved:e}", S::NAME, param.name, c.graph().unwrap());
        // Batch normalisation takes away what the bias before it does.
        let idle = param.name.ends_with(".bias") && !param.name.starts_with("bn") && moved < 1e-3;
        assert!(far < 2e-3 && (idle || moved > 4.0 * far), "{}: {} of {}: {far:e}", S::NAME, param.name, c.graph().unwrap());
    }
}

#[test]
fn parameters_are_those_of_fixed() {
    for network in networks() {
        let c = config(network.clone(), 48, 8, 1);
        follows_fixed::<Masked>(&c, &ClassWeighting::default());
        follows_fixed::<SecureNn>(&c, &ClassWeighting::default());
        // Convolutions' gradients cannot be proven yet. Sums of batch normalisation are products whose elements are added up elsewhere.
        if !network.nodes.iter().any(|node| matches!(node.op, Kind::Conv2d(_))) {
            follows_fixed::<Verified>(&c, &ClassWeighting::default());
        }
    }
}

#[test]
fn losses_and_weights_of_classes_are_those_of_fixed() {
    let one = config(Graph::perceptron(&[8, 6, 1]), 48, 8, 1);
    let one = one.with(|t| (t.records.outputs, t.open.metric) = (Outputs::Binary, Some(Metric::Auc)));
    let three = config(Graph::perceptron(&[8, 6, 3]), 48, 8, 1);
    let all = |c, weights: &[f64]| (c, ClassWeighting::Given(weights.to_vec()));
    let balanced = [(&one, ClassWeighting::Balanced), (&three, ClassWeighting::Balanced)];
    for (c, weighting) in [all(&one, &[]), all(&one, &[0.5, 3.0]), all(&three, &[0.5, 2.0, 1.0])].into_iter().chain(balanced) {
        follows_fixed::<Masked>(c, &weighting);
        follows_fixed::<SecureNn>(c, &weighting);
        follows_fixed::<Verified>(c, &weighting);
    }
}

/// Trains on 240 records: the loss, and the accuracy on 99 others.
fn learn<E: Engine>(e: &mut E, mut data: impl FnMut(&mut E, &Array2<f64>, Format) -> E::Num) -> (Option<f64>, Option<f64>) {
    let t = Trainer::new(config(residual(), 240, 2, 7)).unwrap();
    let mut part = |e: &mut E, (x, y): (Array2<f64>, Array2<f64>)| Data { x: data(e, &x, INPUT), y: data(e, &y, LABEL) };
    let (train, test) = (part(e, blobs(240, 17)), part(e, blobs(99, 57)));
    let start = t.initial(e).unwrap();
    let mut last = (None, None);
    let end = t.train(e, start, 0, &train, &test, &mut |_, event| {
        if let Event::Epoch { loss, metric, .. } = event {
            last = (loss, metric);
        }
        Ok::<(), Error>(())
    });
    end.map(|_| ()).unwrap();
    last
}

#[test]
fn a_residual_network_learns_on_shares_what_it_learns_in_float() {
    let float = learn(&mut Float, |e, x, f| e.public(x, f).unwrap());
    let [p0, p1, p2] = simulate(7, |p| {
        with_engine::<Masked, _>(p, |e| {
            let mut dealt = 0;
            Ok(learn(e, |e, x, f| {
                dealt += 1;
                shared(e, x, f, dealt)
            }))
        })
    });
    let found = p0.unwrap().0;
    assert_eq!(found, p1.unwrap().0);
    assert_eq!(p2.unwrap().0, (None, None));
    println!("float {float:?}, on shares {found:?}");
    let ((loss, accuracy), (want_loss, want_accuracy)) = (found, float);
    assert!(want_accuracy.unwrap() > 0.95 && (accuracy.unwrap() - want_accuracy.unwrap()).abs() < 0.02);
    assert!((loss.unwrap() - want_loss.unwrap()).abs() < 0.01);
}

/// Records of the page's table.
const ROWS: usize = 16;

/// Rounds and bytes of all links on the masked suite, forward and backward, for [`ROWS`] records, with every lift done at the end of either.
fn spent(network: &Graph) -> [[u64; 2]; 2] {
    let parties = simulate(3, |p| {
        with_engine::<Masked, _>(p, |e| {
            let (network, rows) = (Network::new(network.clone()).unwrap(), ROWS);
            let formats = vec![Formats { out: Format::new(16, 8), widen: 0 }; network.names().len()];
            let noise = |n: usize, seed: u8| {
                let words = trefoil_mpc::Prg::from_seed(&[seed; 32]).words(rows * n);
                Array2::from_shape_fn((rows, n), |(i, j)| (words[i * n + j] >> 54) as f64 / 1024.0 - 0.5)
            };
            let x = shared(e, &noise(network.width(), 1), Format::new(16, 8), 1);
            let d = shared(e, &noise(network.outputs(), 2), Format::new(26, 1), 2);
            let halves = |shape: [usize; 2]| Array2::from_elem(shape, 0.5);
            let weight = Format::new(24, 4);
            let params: Vec<_> = network.params().iter().map(|p| e.public(&halves(p.shape()), weight).unwrap()).collect();
            let spent = |e: &Masked| [u64::from(e.party.depth()), e.party.cost.total().payload_bytes];
            let start = spent(e);
            let (y, tape) = network.forward(e, &params, &formats, &x, Mode::Train { seed: 1, step: 0 }).unwrap();
            e.settle(&[&y]).unwrap();
            let middle = spent(e);
            let cuts = params.iter().map(|_| Cut { format: Format::new(24, 4), join: None }).collect();
            let found = network.backward(e, tape, d, cuts).unwrap();
            e.settle(&found.iter().collect::<Vec<_>>()).unwrap();
            let end = spent(e);
            Ok([[middle[0] - start[0], middle[1] - start[1]], [end[0] - middle[0], end[1] - middle[1]]])
        })
    });
    let [p0, p1, p2] = parties.map(|p| p.unwrap().0);
    [0, 1].map(|i| [p0[i][0].max(p1[i][0]), p0[i][1] + p1[i][1] + p2[i][1]])
}

/// What a layer adds to a network: rounds, and bytes for each element of its input, forward and backward.
fn adds(op: &Kind, from: &[&str]) -> [(i64, f64); 2] {
    let before = Kind::Conv2d(Conv2d { filters: 4, kernel: Pair([1, 1]), stride: Pair([1, 1]), padding: Pair([0, 0]) });
    let node = |op: Kind, from: &[&str]| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(op) };
    let input = Shape::Image([4, 8, 8]);
    let without = spent(&Graph { input, nodes: vec![node(before.clone(), &[])] });
    let with = spent(&Graph { input, nodes: vec![node(before, &[]), node(op.clone(), from)] });
    let more = |i: usize, j: usize| with[i][j].cast_signed() - without[i][j].cast_signed();
    [0, 1].map(|i| (more(i, 0), more(i, 1) as f64 / (ROWS * input.len()) as f64))
}

/// The table in the documentation is what is measured here.
#[test]
fn layers_cost_what_their_page_says() {
    let page = include_str!("../../../../docs/layers.md");
    let max = Kind::MaxPool2d(MaxPool2d { kernel: Pair([2, 2]), stride: None, padding: Pair([0, 0]) });
    let avg = Kind::AvgPool2d(AvgPool2d { kernel: Pair([2, 2]), stride: None, padding: Pair([0, 0]) });
    let all: [(&str, Kind, &[&str]); 11] = [
        ("relu", Kind::Relu, &[]),
        ("leakyrelu", leaky(), &[]),
        ("sigmoid", Kind::Sigmoid, &[]),
        ("tanh", Kind::Tanh, &[]),
        ("maxpool2d", max, &[]),
        ("avgpool2d", avg, &[]),
        ("globalavgpool2d", Kind::GlobalAvgPool2d, &[]),
        ("batchnorm", norm(), &[]),
        ("dropout", dropout(0.5), &[]),
        ("flatten", Kind::Flatten, &[]),
        ("add", Kind::Add, &["input", "conv1"]),
    ];
    let mut missing = Vec::new();
    for (name, op, from) in all {
        let [(rounds, bytes), (rounds_back, bytes_back)] = adds(&op, from);
        let row = format!("| `{name}` | {rounds} | {bytes:.1} | {rounds_back} | {bytes_back:.1} |");
        if !page.contains(&row) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "not in docs/layers.md:\n{}", missing.join("\n"));
}
