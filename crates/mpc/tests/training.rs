//! Check 5 in small: the same training, batch for batch, on every engine. After a few steps the weights are those of `Fixed` but for
//! rounding; after a training the accuracy is that of floating point.

mod common;

use common::{Tested, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::train::LABEL;
use trefoil_nn::{Config, Data, Error, Event, Init, Schedule, SoftmaxKind, Trainer};

const INPUT: Format = Format::new(8, 0);

fn config(rows: usize, epochs: u64, seed: u64) -> Config {
    Config {
        sizes: vec![8, 16, 3],
        input: INPUT,
        rows,
        batch: 16,
        epochs,
        schedule: Schedule::Constant(0.25),
        momentum: 0.9,
        softmax: SoftmaxKind::Exact,
        fraction_bits: 16,
        init: Init::He,
        seed,
    }
}

/// Records around three centres in eight dimensions, with their one-hot labels.
fn blobs(rows: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let words = trefoil_mpc::Prg::from_seed(&[seed as u8; 32]).words(rows * 8);
    let x = Array2::from_shape_fn((rows, 8), |(i, j)| {
        let noise = (words[i * 8 + j] >> 57) as f64 / 256.0;
        noise + if j % 3 == i % 3 { 0.375 } else { 0.0 }
    });
    (x, Array2::from_shape_fn((rows, 3), |(i, j)| f64::from(u8::from(i % 3 == j))))
}

/// The parameters after `steps` steps.
fn weights<E: Engine>(e: &mut E, steps: u64, data: impl Fn(&mut E, &Array2<f64>, Format) -> E::Num) -> Option<Vec<Array2<f64>>> {
    let t = Trainer::new(config(48, 8, 1)).unwrap();
    let (x, y) = blobs(48, 3);
    let all = Data { x: data(e, &x, INPUT), y: data(e, &y, LABEL) };
    let start = t.initial(e).unwrap();
    let mut state = e.drive(start, 0..steps, |e, state, step| t.step(e, state, &all, step)).unwrap();
    state.network.params::<E>().into_iter().map(|w| e.open(w).unwrap()).collect()
}

fn shared<S: Tested>(e: &mut S, x: &Array2<f64>, format: Format, seed: u8) -> S::Num {
    secret(e, &trefoil_engine::fixed::encode(x, format).unwrap(), format, seed)
}

/// Rounding differs by a unit of 2^-16 an operation; after five steps of rate 1/4 nothing has grown beyond this.
const WITHIN: f64 = 5e-4;

fn follows_fixed<S: Tested>() {
    let want = weights(&mut Fixed::default(), 5, |e, x, f| e.public(x, f).unwrap()).unwrap();
    let [p0, p1, p2] =
        simulate(1, |p| with_engine::<S, _>(p, |e| Ok(weights(e, 5, |e, x, f| shared(e, x, f, if f == LABEL { 2 } else { 1 })))));
    assert!(p2.unwrap().0.is_none());
    let got = p0.unwrap().0.unwrap();
    assert_eq!(got, p1.unwrap().0.unwrap());
    let mut moved = 0f64;
    let start = weights(&mut Fixed::default(), 0, |e, x, f| e.public(x, f).unwrap()).unwrap();
    for ((got, want), start) in got.iter().zip(&want).zip(&start) {
        let most = |d: Array2<f64>| d.iter().fold(0f64, |m, v| m.max(v.abs()));
        let far = most(got - want);
        println!("{}: {far:e}", S::NAME);
        assert!(far < WITHIN, "{}: {far:e} from Fixed", S::NAME);
        moved = moved.max(most(want - start));
    }
    assert!(moved > 100.0 * WITHIN, "the steps went somewhere: {moved}");
}

#[test]
fn weights_are_those_of_fixed() {
    follows_fixed::<SecureNn>();
    follows_fixed::<Masked>();
}

/// Trains on 240 records; the accuracy on 99 others.
fn accuracy<E: Engine>(e: &mut E, seed: u64, mut data: impl FnMut(&mut E, &Array2<f64>, Format) -> E::Num) -> Option<f64> {
    let t = Trainer::new(config(240, 2, seed)).unwrap();
    let mut part = |e: &mut E, (x, y): (Array2<f64>, Array2<f64>)| Data { x: data(e, &x, INPUT), y: data(e, &y, LABEL) };
    let (train, test) = (part(e, blobs(240, 10 + seed)), part(e, blobs(99, 50 + seed)));
    let start = t.initial(e).unwrap();
    let mut last = None;
    let end = t.train(e, start, 0, &train, &test, &mut |_, event| {
        if let Event::Epoch { correct, of, .. } = event {
            last = correct.map(|correct| correct as f64 / of as f64);
        }
        Ok::<(), Error>(())
    });
    assert!(end.is_ok());
    last
}

fn secure_accuracy<S: Tested>(seed: u64) -> f64 {
    let [p0, p1, _] = simulate(seed, |p| {
        with_engine::<S, _>(p, |e| {
            // Four matrices, each under masks of its own.
            let mut dealt = 0;
            Ok(accuracy(e, seed, |e, x, f| {
                dealt += 1;
                shared(e, x, f, dealt)
            }))
        })
    });
    let found = p0.unwrap().0.unwrap();
    assert_eq!(Some(found), p1.unwrap().0);
    found
}

#[test]
fn engines_end_at_one_accuracy() {
    for seed in 1..=5 {
        let float = accuracy(&mut Float, seed, |e, x, f| e.public(x, f).unwrap()).unwrap();
        let fixed = accuracy(&mut Fixed::default(), seed, |e, x, f| e.public(x, f).unwrap()).unwrap();
        for (name, found) in
            [("fixed", fixed), ("securenn", secure_accuracy::<SecureNn>(seed)), ("masked", secure_accuracy::<Masked>(seed))]
        {
            println!("seed {seed}: float {float}, {name} {found}");
            assert!(float > 0.9 && (found - float).abs() < 0.03, "seed {seed}: float {float}, {name} {found}");
        }
    }
}
