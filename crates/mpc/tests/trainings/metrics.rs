//! Figures of the records held out on both suites: what is told is what `Fixed` tells, where the outputs are exact to the last bit, and takes what
//! is planned.

use crate::common::{Tested, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Format, fixed};
use trefoil_mpc::masked::{Masked, MaskedPlan};
use trefoil_mpc::plan::Planner;
use trefoil_mpc::securenn::{SecureNn, SecureNnPlan, Truncation};
use trefoil_mpc::simulate;
use trefoil_nn::{Data, Figure, Graph, Metric, Open, Outputs, Trainer, Training};

const VALUES: [Metric; 4] = [Metric::R2, Metric::AbsoluteError, Metric::Rmse, Metric::SquaredError];

fn training(outputs: usize, binary: bool, metrics: &[Metric]) -> Trainer {
    let training = Training::of(Graph::perceptron(&[4, outputs]), 32).unwrap().with(|t| {
        if binary {
            t.records.outputs = Outputs::Binary;
        }
        t.spec.batch = 8;
        t.open = Open { metric: metrics.first().copied(), also: metrics.iter().copied().collect(), ..Open::default() };
    });
    training.trainer().unwrap()
}

/// The figures of records whose outputs are their first inputs.
fn figures<E: Engine>(e: &mut E, t: &Trainer, rows: usize, data: impl Fn(&mut E, &Array2<f64>, Format) -> E::Num) -> Vec<Figure> {
    let outputs = t.network().outputs();
    let x = Array2::from_shape_fn((rows, 4), |(i, j)| ((i * 37 + j * 101 + i * i * 13) % 256) as f64 / 256.0);
    let label = |i: usize| (i * i + i / 3) % 7 % outputs.max(2);
    let y = Array2::from_shape_fn((rows, outputs), |(i, j)| match (outputs, t.training().records.outputs) {
        (_, Outputs::Value) => x[[i, 1]] * 2.0 - 0.5,
        (1, _) => label(i) as f64,
        _ => f64::from(u8::from(label(i) == j)),
    });
    let mut state = t.initial(e).unwrap();
    let weight = Array2::from_shape_fn((outputs, 4), |(i, j)| if i == j { 1.0 } else { 0.0 });
    state.params[0] = e.public(&weight, t.scales().weight).unwrap();
    // One output is below 0 for half of the records.
    let bias = Array2::from_elem((1, outputs), if outputs == 1 { -0.5 } else { 0.0 });
    state.params[1] = e.public(&bias, t.scales().weight).unwrap();
    let data = Data { x: data(e, &x, t.training().shared()), y: data(e, &y, t.label_format()) };
    t.figures(e, &state, &data).unwrap()
}

fn tells_what_fixed_tells<S: Tested, P: Planner>(planner: impl Fn() -> P) {
    let classes = [Metric::Precision, Metric::Accuracy, Metric::F1, Metric::LogLoss];
    let table = [Metric::Confusion, Metric::Recall];
    for (outputs, binary, metrics, rows) in [
        (3, false, &classes[..], 50),
        (3, false, &table, 50),
        (1, true, &[Metric::Auc, Metric::Confusion], 50),
        (2, false, &[Metric::Auc, Metric::Recall], 1001),
        (1, false, &VALUES, 50),
    ] {
        let t = training(outputs, binary, metrics);
        let want = figures(&mut Fixed::default(), &t, rows, |e, x, f| e.public(x, f).unwrap());
        let of = |e: &mut S, x: &Array2<f64>, f: Format| secret(e, &fixed::encode(x, f).unwrap(), f, f.bits);
        let parties = simulate(2, |p| {
            with_engine::<S, _>(p, |e| Ok((figures(e, &t, rows, of), u64::from(e.party().depth()), e.party().cost.sent)))
        });
        let [(got, r0, s0), (again, r1, s1), (none, _, s2)] = parties.map(|p| p.unwrap().0);
        assert_eq!((&got, none.len(), got.len()), (&again, 0, metrics.len()));
        for (got, want) in got.iter().zip(&want) {
            println!("{}: {got:?}", S::NAME);
            let near = (got.value.unwrap() - want.value.unwrap()).abs() < 3e-4;
            assert!(near && got.classes == want.classes && got.counts == want.counts, "{}: {got:?} {want:?}", S::NAME);
        }
        let mut e = planner();
        assert!(figures(&mut e, &t, rows, |e, x, f| e.secret(x.dim().into(), f)).is_empty());
        let total = e.books().total();
        println!("{}: {metrics:?} of {rows} take {} rounds and {} bytes", S::NAME, total.rounds, total.bytes());
        assert_eq!((total.rounds, total.sent()), (r0.max(r1), [s0, s1, s2]), "{} {metrics:?}", S::NAME);
    }
}

#[test]
fn figures_on_shares_are_those_of_fixed_and_take_what_is_planned() {
    tells_what_fixed_tells::<Masked, _>(MaskedPlan::default);
    tells_what_fixed_tells::<SecureNn, _>(|| SecureNnPlan::new(Truncation::Dealer));
}
