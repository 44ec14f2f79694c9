//! An owner that hands in what it has not promised: the range check counts it against it, and were it not asked, a figure that is opened is
//! bounded all the same.
//!
//! The attack: the number of correct records is a sum of bits times labels. Held-out records with the label 2^(6 + i) in place of 1 would
//! make each of its bits the model's answer on one record; a target of 2^30 would make the squared error the model's output.

use crate::common::{Tested, with_engine};
use trefoil_engine::Format;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::range::{Block, Range, violations};
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::{Data, Error, Event, Graph, Loss, Schedule, Trainer, Training};
use trefoil_ring::Tensor;

const INPUT: Format = Format::new(8, 0);
const ROWS: usize = 32;
const HELD_OUT: usize = 12;

fn config(outputs: usize) -> Training {
    Training::of(Graph::perceptron(&[4, outputs]), ROWS).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs) = (16, 1);
        (t.spec.lr, t.spec.lr_schedule) = (0.0625, Schedule::Constant);
    })
}

fn records(rows: usize) -> Tensor {
    Tensor::from_shape_fn((rows, 4), |(i, j)| (i * 37 + j * 101) as u64 % 256)
}

fn honest_labels(rows: usize, t: &Trainer) -> Tensor {
    match t.loss_kind() {
        Loss::SquaredError => Tensor::from_shape_fn((rows, 1), |(i, _)| (i as u64 * 700).wrapping_sub(3000)),
        Loss::CrossEntropy(_) | Loss::BinaryCrossEntropy => Tensor::from_shape_fn((rows, 3), |(i, j)| u64::from(i % 3 == j)),
    }
}

/// What the check counts against an owner of these labels, what is told of figures, and how the training ends.
type Outcome = (u64, Vec<(Option<f64>, Option<f64>)>, Option<String>);

fn trained<S: Tested>(t: &Trainer, held_out: &Tensor) -> Outcome {
    let words = [records(ROWS), honest_labels(ROWS, t), records(HELD_OUT), held_out.clone()];
    let formats = [INPUT, t.label_format(), INPUT, t.label_format()];
    let dealt: Vec<_> = words.iter().enumerate().map(|(i, x)| S::deal(x, [i as u8 + 1; 32])).collect();
    let label = match t.loss_kind() {
        Loss::SquaredError => Range { bits: 16, signed: true },
        Loss::CrossEntropy(_) | Loss::BinaryCrossEntropy => Range { bits: 1, signed: false },
    };
    let run = simulate(3, |p| {
        with_engine::<S, _>(p, |e| {
            let id = e.party().id;
            let kept: Vec<_> =
                words.iter().zip(&dealt).map(|(x, parts)| S::accept(id, x.len(), &parts[id.index()]).unwrap()).collect();
            let block = Block {
                owner: 0,
                shape: [held_out.nrows(), held_out.ncols()],
                range: label,
                one_hot: label.bits == 1,
                kept: kept[3].clone(),
            };
            let counted = violations(e, &[5; 32], 1, &[block])?[0];
            let mut nums = words.iter().zip(kept).zip(formats).map(|((x, kept), f)| e.input([x.nrows(), x.ncols()], f, kept));
            let mut data = || Data { x: nums.next().unwrap(), y: nums.next().unwrap() };
            let (train, test) = (data(), data());
            let (start, mut told) = (t.initial(e)?, vec![]);
            let end = t.train(e, start, 0, &train, &test, &mut |_, event| {
                if let Event::Epoch { loss, metric, .. } = event {
                    told.push((loss, metric));
                }
                Ok::<(), Error>(())
            });
            Ok((counted, told, end.err().map(|e| e.to_string())))
        })
    });
    let [p0, p1, _] = run.map(|party| party.unwrap().0);
    assert_eq!(p0, p1);
    p0
}

fn labels_beyond_a_bit<S: Tested>() {
    let t = Trainer::new(config(3)).unwrap();
    let honest = honest_labels(HELD_OUT, &t);
    let (counted, told, end) = trained::<S>(&t, &honest);
    assert!(counted == 0 && end.is_none() && matches!(told[..], [(Some(_), Some(_))]), "{}: {end:?}", S::NAME);

    let lie = Tensor::from_shape_fn(honest.dim(), |(i, _)| 1 << (6 + i));
    let (counted, told, end) = trained::<S>(&t, &lie);
    assert!(counted > 0, "{}: the check counts it", S::NAME);
    let end = end.expect("the training ends");
    assert!(
        told.is_empty() && end.starts_with("number of correct records: opened was a figure outside of its bound, 0 to 12"),
        "{end}"
    );
}

#[test]
fn labels_beyond_a_bit_read_nothing_off_the_accuracy() {
    labels_beyond_a_bit::<SecureNn>();
    labels_beyond_a_bit::<Masked>();
    labels_beyond_a_bit::<Verified>();
}

fn a_target_out_of_range<S: Tested>() {
    let t = Trainer::new(config(1)).unwrap();
    let honest = honest_labels(HELD_OUT, &t);
    let (counted, told, end) = trained::<S>(&t, &honest);
    assert!(counted == 0 && end.is_none() && told.len() == 1, "{}: {end:?}", S::NAME);
    let fair = told[0].1.unwrap() * HELD_OUT as f64;

    let mut lie = honest.clone();
    lie[[3, 0]] = 1 << 30;
    let (counted, told, end) = trained::<S>(&t, &lie);
    assert!(counted > 0 && end.is_none(), "{}: {end:?}", S::NAME);
    // The record counts as what one may count at most, whatever the model says of it: the others' errors and 1024.
    let mse = told[0].1.unwrap() * HELD_OUT as f64;
    assert!(mse > 1024.0 && mse < 1024.0 + fair, "{}: {mse}, without the lie {fair}", S::NAME);
}

#[test]
fn a_target_out_of_range_reads_nothing_off_the_squared_error() {
    a_target_out_of_range::<SecureNn>();
    a_target_out_of_range::<Masked>();
    a_target_out_of_range::<Verified>();
}
