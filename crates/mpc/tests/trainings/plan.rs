//! What is planned without values is what the transport counts: of preparing the data, of the first step and later ones, of an epoch's
//! figures and of inference, on both suites, by link and by layer, whatever layers, loss, optimiser and truncation there are.

use crate::common::networks::{networks, pooled};
use crate::common::with_this_engine;
use proptest::prelude::*;
use std::collections::BTreeMap;
use trefoil_engine::{Engine, Format};
use trefoil_mpc::masked::{Masked, MaskedPlan};
use trefoil_mpc::plan::Planner;
use trefoil_mpc::securenn::{SecureNn, SecureNnPlan, Truncation};
use trefoil_mpc::{Cost, Party, Suite, simulate};
use trefoil_nn::{
    ClassWeighting, Data, Error, Event, Graph, Metric, Open, OptimiserKind, Outputs, Scaling, Schedule, State, TrainSpec,
    Trainer, Training,
};
use trefoil_ring::Tensor;

/// Rounds, bytes from each party to each other one, and bytes by layer.
type Spent = (u64, [[u64; 3]; 3], BTreeMap<String, u64>);

/// Events up to the third step, the last one of an epoch.
const STEPS: usize = 4;

fn config(network: Graph, rows: usize, batch: usize) -> Training {
    Training::of(network, rows).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs) = (batch, 2);
        (t.spec.lr, t.spec.lr_schedule) = (0.125, Schedule::Constant);
        t.records.test_rows = 7;
    })
}

/// What `seen` finds when the data is prepared, and after each step and each epoch, of at most `events`; then after two queries.
fn run<E: Engine, S>(
    e: &mut E,
    t: &Trainer,
    events: usize,
    matrix: impl Fn(&E, [usize; 2], Format) -> E::Num,
    seen: impl Fn(&mut E) -> S,
) -> Vec<S> {
    let (state, train, test) = {
        let of = |shape, format| matrix(e, shape, format);
        (t.state_of(of), t.data_of(t.training().records.train_rows, of), t.data_of(7, of))
    };
    let mut found = vec![seen(e)];
    let mut last: Option<State<E::Num>> = None;
    let end = t.train(e, state, 0, &train, &test, &mut |e, event| {
        match event {
            Event::Start => found.push(seen(e)),
            Event::Step { state, .. } | Event::Epoch { state, .. } => {
                last = Some(state.clone());
                found.push(seen(e));
            }
            Event::Statistics { .. } | Event::OpenedStatistics { .. } => return Ok(()),
            Event::Figures { .. } | Event::Opening { .. } | Event::Opened { .. } => return Ok(()),
        }
        // Whatever error it is: enough is seen.
        if found.len() > events { Err(Error::Diverged { epoch: 0, loss: 0.0, most: 0.0 }) } else { Ok(()) }
    });
    assert!(end.is_ok() || found.len() > events, "{}", end.err().map_or_else(String::new, |e| e.to_string()));
    let state = last.unwrap();
    for _ in 0..2 {
        let Data { x, .. } = t.data_of(3, |shape, format| matrix(e, shape, format));
        let x = t.standardised(e, &state, &x).unwrap();
        let y = t.forward(e, &state, &x).unwrap();
        e.settle(&[&y]).unwrap();
        found.push(seen(e));
    }
    found
}

fn planned<E: Planner>(mut e: E, t: &Trainer, events: usize) -> Vec<Spent> {
    let seen = |e: &mut E| {
        let by_layer = e.books().by_layer().into_iter().map(|(layer, price)| (layer.to_owned(), price.bytes()));
        (e.books().total().rounds, e.books().total().sent(), by_layer.collect())
    };
    run(&mut e, t, events, |e, shape, format| e.secret(shape, format), seen)
}

/// With zeros as owners hand them in: what a training takes does not depend on values.
fn counted<S: Suite>(engine: impl Fn(Party) -> S + Sync, t: &Trainer, events: usize) -> Vec<Spent> {
    let parties = simulate(3, |p| {
        let id = p.id;
        with_this_engine(p, &engine, |e| {
            let matrix = |e: &S, shape: [usize; 2], format| {
                let zeros = Tensor::zeros(shape);
                let kept = S::accept(id, zeros.len(), &S::deal(&zeros, [shape[0] as u8; 32])[id.index()]).unwrap();
                e.input(shape, format, kept)
            };
            Ok(run(e, t, events, matrix, |e: &mut S| (u64::from(e.party().depth()), e.party().cost.clone())))
        })
    });
    let [p0, p1, p2] = parties.map(|p| p.unwrap().0);
    let mut all: Vec<Spent> = Vec::new();
    for (i, (rounds, cost)) in p0.iter().enumerate() {
        let costs: [&Cost; 3] = [cost, &p1[i].1, &p2[i].1];
        let mut by_layer = BTreeMap::new();
        for ((layer, _), entry) in costs.iter().flat_map(|c| &c.entries).filter(|(_, entry)| entry.payload_bytes > 0) {
            *by_layer.entry(layer.clone()).or_default() += entry.payload_bytes;
        }
        all.push(((*rounds).max(p1[i].0), costs.map(|c| c.sent), by_layer));
    }
    all
}

fn compare(t: &Training, events: usize) {
    let t = t.trainer().unwrap();
    let masked = ("masked", planned(MaskedPlan::default(), &t, events), counted(Masked::new, &t, events));
    // What is truncated locally goes wrong now and then, which an epoch's figures would tell: the steps before them are compared.
    let truncations = [("securenn", Truncation::Dealer, events), ("securenn, local", Truncation::Local, events.min(STEPS))];
    let securenn = truncations.map(|(name, truncation, events)| {
        let counted = counted(|party| SecureNn::new(party, truncation), &t, events);
        (name, planned(SecureNnPlan::new(truncation), &t, events), counted)
    });
    for (suite, planned, counted) in [masked].into_iter().chain(securenn) {
        assert_eq!(planned.len(), counted.len());
        for (i, (planned, counted)) in planned.iter().zip(&counted).enumerate() {
            assert_eq!(planned, counted, "{suite}, {} after {i} events", t.network().graph());
        }
        let step = |i: usize| (planned[i].0 - planned[i - 1].0, total(&planned[i]) - total(&planned[i - 1]));
        println!("{suite}, {}: the third step takes {:?}", t.network().graph(), step(4));
    }
}

fn total(spent: &Spent) -> u64 {
    spent.1.iter().flatten().sum()
}

#[test]
fn layers_take_what_is_planned() {
    for network in networks().into_iter().chain([pooled()]) {
        compare(&config(network, 48, 16), usize::MAX);
    }
}

#[test]
fn losses_and_metrics_take_what_is_planned() {
    let three = config(Graph::perceptron(&[8, 6, 3]), 48, 16);
    let weighed = three.clone().with(|t| t.spec.class_weights = vec![0.5, 2.0, 1.0].into());
    let balanced = three.clone().with(|t| t.spec.class_weights = ClassWeighting::Balanced);
    let silent = three.clone().with(|t| t.open = Open::default());
    let watched = three.clone().with(|t| t.open = Open { activations: true, ..Open::default() });
    let approximate = three.with(|t| t.spec.softmax = trefoil_nn::SoftmaxKind::Asm);
    let value = config(Graph::perceptron(&[8, 6, 1]), 48, 16);
    let binary = value.clone().with(|t| (t.records.outputs, t.open.metric) = (Outputs::Binary, Some(Metric::Auc)));
    for c in [weighed, balanced, silent, watched, approximate, value, binary] {
        compare(&c, usize::MAX);
    }
}

/// Of a training's settings.
type Change = fn(&mut TrainSpec);

#[test]
fn optimisers_take_what_is_planned() {
    let c = config(Graph::perceptron(&[8, 6, 3]), 48, 16);
    let all: [(&str, Change); 9] = [
        ("sgd without momentum", |s| s.momentum = 0.0),
        ("sgd with weight decay", |s| s.weight_decay = 0.01),
        ("sgd that is clipped", |s| s.clip = Some(0.03125)),
        ("sgd with both", |s| (s.weight_decay, s.clip) = (0.01, Some(0.03125))),
        ("sgd at rates that fall", |s| s.lr_schedule = Schedule::Cosine),
        ("nesterov", |s| s.optimiser = OptimiserKind::Nesterov),
        ("nesterov with both", |s| (s.optimiser, s.weight_decay, s.clip) = (OptimiserKind::Nesterov, 0.01, Some(0.03125))),
        ("adam", |s| (s.optimiser, s.lr) = (OptimiserKind::Adam, 0.03125)),
        ("amsgrad with both", |s| {
            (s.optimiser, s.lr, s.weight_decay, s.clip) = (OptimiserKind::Amsgrad, 0.03125, 0.01, Some(0.0625));
        }),
    ];
    for (name, change) in all {
        println!("{name}");
        compare(&c.clone().with(|t| change(&mut t.spec)), usize::MAX);
    }
}

/// Statistics of columns, which are computed before the first step, and what is standardised by them, queries too.
#[test]
fn columns_that_are_standardised_on_shares_take_what_is_planned() {
    let standard = config(Graph::perceptron(&[8, 6, 3]), 48, 16).with(|t| t.records = t.records.with_input(Format::new(12, 3)));
    for (secure, opened) in [
        (vec![(0, Scaling::Deviation), (3, Scaling::Range), (4, Scaling::Deviation)], false),
        ((0..8).map(|i| (i, Scaling::Deviation)).collect(), true),
    ] {
        compare(&standard.clone().with(|t| (t.secure, t.open.statistics) = (secure.clone(), opened)), usize::MAX);
        // The last of them may lack values, which the network is not told; and so may another, of which it is.
        let missing = if opened { vec![(7, false)] } else { vec![(0, true), (4, false)] };
        compare(&standard.clone().with(|t| (t.secure, t.missing) = (secure, missing)), usize::MAX);
    }
    // Quantiles, and counts of what is clipped.
    let secure = vec![(0, Scaling::Quantiles), (3, Scaling::Deviation)];
    compare(&standard.clone().with(|t| (t.secure, t.open.clipped) = (secure, true)), usize::MAX);
    // Quantiles of columns that may lack values, which the network is told of one and not of the other.
    let secure = vec![(0, Scaling::Quantiles), (2, Scaling::Quantiles), (3, Scaling::Deviation)];
    compare(&standard.with(|t| (t.secure, t.missing) = (secure, vec![(0, true), (2, false)])), usize::MAX);
}

/// The network of the README at a rate that is a power of two, and LeNet on few records.
#[test]
fn named_networks_take_what_is_planned() {
    let perceptron = config(Graph::perceptron(&[784, 256, 10]), 384, 128);
    compare(&perceptron, STEPS);
    let step = |p: &[Spent]| (p[4].0 - p[3].0, total(&p[4]) - total(&p[3]));
    assert_eq!(step(&planned(MaskedPlan::default(), &perceptron.trainer().unwrap(), STEPS)), (23, 11_255_932));
    compare(&config("lenet".parse().unwrap(), 12, 4), STEPS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// So do networks that nobody has looked at.
    #[test]
    fn any_perceptron_takes_what_is_planned(inputs in 1usize..9, hidden in prop::collection::vec(1usize..12, 0..3), classes in 2usize..5,
        batch in 1usize..9, momentum in any::<bool>()) {
        let sizes: Vec<usize> = [inputs].into_iter().chain(hidden).chain([classes]).collect();
        let c = config(Graph::perceptron(&sizes), 3 * batch, batch).with(|t| t.spec.momentum = if momentum { 0.9 } else { 0.0 });
        compare(&c, usize::MAX);
    }
}
