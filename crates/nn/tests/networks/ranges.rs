//! The range monitor: activations that leave what is promised of them while all weights are in range.

use crate::astray::{giving, network};
use crate::common::{blobs, config, one_hot, regression};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_nn::{Data, Error, Open, Schedule, Trainer, Training};

const RECORDS: usize = 60;

/// At a rate of zero, which leaves weights as they are.
fn training() -> Training {
    config(&[8, 3], RECORDS, 16).with(|t| {
        t.spec.network = Some(trefoil_nn::graph::Form::Graph(network()));
        (t.spec.lr, t.spec.lr_schedule, t.spec.momentum) = (0.0, Schedule::Constant, 0.0);
        t.spec.epochs = 2;
    })
}

fn records<E: Engine>(e: &E, t: &Trainer) -> Data<E::Num> {
    let (x, labels) = blobs(RECORDS, 7);
    t.data(e, &x, &one_hot(&labels, 3)).unwrap()
}

/// What each of four must stay below is 256.
const CASES: [([f64; 4], u64); 7] = [
    ([0.0; 4], 0),
    ([255.9, -255.9, 255.9, -255.9], 0),
    ([0.0, 0.0, 511.8, 0.0], 0),
    ([0.0, 512.2, 0.0, 0.0], 1),
    ([0.0, 0.0, 0.0, -512.2], 1),
    ([300.0; 4], 1),
    ([700.0, 0.0, -700.0, 0.0], 1),
];

#[test]
fn activations_out_of_range_are_counted_and_those_that_keep_their_promise_are_not() {
    fn run<E: Engine>(e: &mut E, t: &Trainer) {
        let data = records(e, t);
        for (sum, blocks) in CASES {
            let state = giving(e, t, sum);
            assert_eq!(t.weights_out_of_range(e, &state).unwrap(), Some(0));
            let found = t.activations_out_of_range(e, &state, &data).unwrap();
            assert_eq!(found, Some(blocks * RECORDS as u64), "{sum:?}");
        }
    }
    // With 21 fraction bits there is no room for the squares, and the last bit is cut off first.
    for bits in [12, 16, 21] {
        let t = training().with(|t| t.spec.fraction_bits = Some(bits)).trainer().unwrap();
        run(&mut Float, &t);
        run(&mut Fixed::default(), &t);
    }
}

#[test]
fn activations_that_leave_their_range_end_a_training() {
    fn run<E: Engine>(e: &mut E, c: Training, sum: [f64; 4]) -> Result<(), Error> {
        let t = c.trainer()?;
        let (data, state) = (records(e, &t), giving(e, &t, sum));
        t.train(e, state, 0, &data, &data, &mut |_, _| Ok::<(), Error>(())).map(|_| ())
    }
    let silent = || training().with(|t| t.open = Open { activations: true, ..Open::default() });
    let blind = || training().with(|t| t.open.activations = false);
    for (sum, blocks) in CASES {
        for c in [training(), silent()] {
            for end in [run(&mut Float, c.clone(), sum), run(&mut Fixed::default(), c, sum)] {
                match end {
                    Ok(()) => assert_eq!(blocks, 0, "{sum:?}"),
                    Err(Error::Activations { epoch: 1, blocks: found, size: 4, bound: 256.0 }) => {
                        assert_eq!(found, blocks * RECORDS as u64, "{sum:?}");
                    }
                    Err(e) => panic!("{sum:?}: {e}"),
                }
            }
        }
        run(&mut Fixed::default(), blind(), sum).unwrap();
    }
    let why = run(&mut Float, training(), [600.0; 4]).unwrap_err().to_string();
    assert!(why.starts_with("epoch 1: activations out of range: found 60 blocks of 4 neighbouring outputs"), "{why}");
}

/// Formats alone decide what is compared: nothing that fitted without the monitor is refused for it.
#[test]
fn the_monitor_has_room_with_any_fraction_bits() {
    for bits in 8..=24 {
        let c = config(&[2, 2], 16, 1).with(|t| t.spec.fraction_bits = Some(bits));
        let Ok(t) = c.trainer() else { continue };
        let e = &mut Fixed::default();
        let (state, rows) = (t.initial(e).unwrap(), Array2::from_elem((16, 2), 0.5));
        let data = t.data(e, &rows, &one_hot(&[0; 16], 2)).unwrap();
        assert_eq!(t.activations_out_of_range(e, &state, &data).unwrap(), Some(0), "{bits}");
        assert_eq!(e.format(&data.x), Format::new(8, 0));
        assert!(bits <= 20 || t.scales().activation.bits > 28);
    }
}

/// What is alone in its block is held to its own bound: 2^6 in a regression.
#[test]
fn an_output_alone_is_held_to_its_own_bound() {
    let t = regression(&[], RECORDS).trainer().unwrap();
    let data = t.data(&Float, &Array2::from_elem((RECORDS, 4), 1.75), &Array2::zeros((RECORDS, 1))).unwrap();
    let mut state = t.initial(&Float).unwrap();
    for (weight, found) in [(9.0, 0), (9.25, RECORDS as u64)] {
        state.params[0] = Float.public(&Array2::from_elem((1, 4), weight), t.scales().weight).unwrap();
        assert_eq!(t.activations_out_of_range(&mut Float, &state, &data).unwrap(), Some(found), "{}", 7.0 * weight);
    }
}
