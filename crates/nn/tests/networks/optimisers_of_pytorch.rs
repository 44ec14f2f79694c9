//! Trainings by each optimiser against PyTorch's, on floating point and on the ring: `reference/optimisers.json`, which
//! `reference/optimisers.py` writes.

use ndarray::Array2;
use serde::Deserialize;
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_nn::graph::{Form, Kind, Node};
use trefoil_nn::layers::Linear;
use trefoil_nn::{Graph, OptimiserKind, Outputs, Records, Shape, TrainSpec, Training};

#[derive(Deserialize)]
struct Reference {
    x: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    start: Vec<Vec<f64>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: TrainSpec,
    end: Vec<Vec<f64>>,
    /// The same with eps^2 under the root, for Adam and AMSGrad.
    under_root: Option<Vec<Vec<f64>>>,
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// The largest distances of two lists of parameters.
fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The parameters after the training.
fn end<E: Engine>(e: &mut E, all: &Reference, case: &Case) -> Vec<Vec<f64>> {
    let ops = [Kind::Linear(Linear { outputs: 5 }), Kind::Sigmoid, Kind::Linear(Linear { outputs: 1 })];
    let network = Graph { input: Shape::Flat(6), nodes: ops.into_iter().map(Node::new).collect() };
    let records = Records { features: 6, outputs: Outputs::Value, train_rows: all.x.len(), ..Records::default() };
    let records = records.with_input(Format::new(8, 2));
    let training =
        Training { spec: case.settings.clone(), records, open: trefoil_nn::Open::default(), secure: vec![], missing: vec![] };
    let t = training.with(|t| t.spec.network = Some(Form::Graph(network))).trainer().unwrap();
    let data = t.data(e, &matrix(&all.x), &matrix(&all.y)).unwrap();
    let mut state = t.initial(e).unwrap();
    for (w, start) in state.params.iter_mut().zip(&all.start) {
        let [rows, columns] = e.shape(w);
        *w = e.public(&Array2::from_shape_vec((rows, columns), start.clone()).unwrap(), t.scales().weight).unwrap();
    }
    for step in 0..t.total_steps() {
        t.step(e, &mut state, &data, step).unwrap();
    }
    state.params.iter().map(|w| e.open(w).unwrap().unwrap().into_iter().collect()).collect()
}

#[test]
fn every_optimiser_is_pytorchs() {
    let all: Reference = serde_json::from_str(include_str!("../reference/optimisers.json")).unwrap();
    for case in &all.cases {
        let what = format!(
            "{} with weight decay {}, clip {:?}",
            case.settings.optimiser, case.settings.weight_decay, case.settings.clip
        );
        let moved = distance(&all.start, &case.end);
        let (float, fixed) = (end(&mut Float, &all, case), end(&mut Fixed::default(), &all, case));
        let exact = case.under_root.as_ref().unwrap_or(&case.end);
        let far = [(&float, exact), (&fixed, exact), (&float, &case.end)].map(|(a, b)| distance(a, b));
        println!("{what}: moved {moved}, float {:e}, fixed {:e}, float from PyTorch's eps {:e}", far[0], far[1], far[2]);
        // A quotient on the ring is within 1/400.
        let of_fixed = if case.under_root.is_some() { 1e-2 * moved } else { 2e-4 };
        assert!(moved > 0.05 && far[0] < 1e-8 && far[1] < of_fixed && far[2] < 0.03 * moved, "{what}: {far:?}, moved {moved}");
    }
    assert!(OptimiserKind::ALL.iter().all(|kind| all.cases.iter().any(|case| case.settings.optimiser == *kind)));
}
