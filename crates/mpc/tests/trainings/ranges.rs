//! The range monitor on shares: what it counts is what it counts in the clear, and a training whose activations have left their range ends
//! while its weights are in range.

use crate::common::{Tested, blobs, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Format};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::{Data, Error, LABEL, Schedule, Training};

#[path = "../../../nn/tests/networks/astray.rs"]
mod astray;
use astray::{giving, network};

const ROWS: usize = 24;

/// At a rate of zero, which leaves weights as they are.
fn training() -> Training {
    Training::of(network(), ROWS).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs, t.spec.momentum) = (12, 1, 0.0);
        (t.spec.lr, t.spec.lr_schedule) = (0.0, Schedule::Constant);
    })
}

/// What is counted of weights and of activations, and how the training ends.
fn outcome<E: Engine>(
    e: &mut E,
    sum: [f64; 4],
    data: impl Fn(&mut E, &Array2<f64>, Format) -> E::Num,
) -> (Option<u64>, Option<u64>, Result<(), Error>) {
    let t = training().trainer().unwrap();
    let (x, y) = blobs(ROWS, 3);
    let all = Data { x: data(e, &x, Format::new(8, 0)), y: data(e, &y, LABEL) };
    let state = giving(e, &t, sum);
    let weights = t.weights_out_of_range(e, &state).unwrap();
    let activations = t.activations_out_of_range(e, &state, &all).unwrap();
    (weights, activations, t.train(e, state, 0, &all, &all, &mut |_, _| Ok::<(), Error>(())).map(|_| ()))
}

fn ends_as_in_the_clear<S: Tested>(sum: [f64; 4], records: u64) {
    let check = |(weights, activations, end): (Option<u64>, Option<u64>, Result<(), Error>)| {
        assert_eq!((weights, activations), (Some(0), Some(records)), "{}: {sum:?}", S::NAME);
        match end {
            Ok(()) => assert_eq!(records, 0, "{}: {sum:?}", S::NAME),
            Err(Error::Activations { epoch: 1, blocks, .. }) => assert_eq!(blocks, records, "{}: {sum:?}", S::NAME),
            Err(e) => panic!("{}: {sum:?}: {e}", S::NAME),
        }
    };
    check(outcome(&mut Fixed::default(), sum, |e, x, f| e.public(x, f).unwrap()));
    let [p0, p1, p2] = simulate(5, |p| {
        with_engine::<S, _>(p, |e| {
            Ok(outcome(e, sum, |e, x, f| {
                secret(e, &trefoil_engine::fixed::encode(x, f).unwrap(), f, if f == LABEL { 2 } else { 1 })
            }))
        })
    });
    check(p0.unwrap().0);
    check(p1.unwrap().0);
    // Nothing is opened to P2.
    assert!(matches!(p2.unwrap().0, (None, None, Ok(()))));
}

#[test]
fn activations_that_leave_their_range_end_a_training_on_shares() {
    for (sum, records) in [
        ([255.9, -255.9, 255.9, -255.9], 0),
        ([0.0, 0.0, 511.8, 0.0], 0),
        ([0.0, 512.2, 0.0, 0.0], ROWS as u64),
        ([-700.0, 0.0, 0.0, 700.0], ROWS as u64),
    ] {
        ends_as_in_the_clear::<Masked>(sum, records);
        ends_as_in_the_clear::<SecureNn>(sum, records);
    }
}
