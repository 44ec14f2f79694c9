//! A training by three parties in this process, against the float baseline.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use trefoil_data::records::{Cells, Table};
use trefoil_data::schema::Task;
use trefoil_data::{Dataset, guessed};
use trefoil_job::suites::Chosen;
use trefoil_job::train::{self, Epoch, Parties, Progress};
use trefoil_job::{Error, SuiteName, plain};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Keep, LossKind, Schedule, TrainSpec, Trainer};

/// Points in the plane, the two classes of which a line divides; the target of a regression is their distance from it.
fn dataset(task: Task) -> Dataset {
    let table = |from: u32, to: u32| {
        let point = |i: u32| [f64::from(i * 37 % 101) - 50.0, f64::from(i * 53 % 97) / 10.0];
        let points: Vec<[f64; 2]> = (from..to).map(point).collect();
        let distance = |p: &[f64; 2]| p[0] / 50.0 + p[1] / 5.0 - 1.0;
        let labels = match task {
            Task::Classification => Cells::Integers(points.iter().map(|p| i64::from(distance(p) > 0.0)).collect()),
            Task::Regression => Cells::Floats(points.iter().map(distance).collect()),
        };
        let names = ["a", "b", "y"].map(String::from).to_vec();
        Table::new("points", names, points.len(), vec![Cells::Floats(points.concat()), labels]).unwrap()
    };
    guessed::in_memory(&table(0, 96), Some(&table(96, 160)), "y", task).unwrap()
}

fn trainer(data: &Dataset, spec: TrainSpec) -> Trainer {
    let spec = TrainSpec { lr_schedule: Schedule::Constant, ..spec };
    train::training(spec, data).trainer().unwrap()
}

fn chosen(suite: SuiteName) -> Chosen {
    Chosen { suite, truncation: Truncation::Dealer }
}

/// On shares and in floating point: the same weights but for rounding, the same figures, and what it took.
#[test]
fn on_shares_as_in_the_clear() {
    let all = [
        (SuiteName::Masked, Task::Classification, TrainSpec::default()),
        (SuiteName::Masked, Task::Regression, TrainSpec::default()),
        (
            SuiteName::Securenn,
            Task::Classification,
            TrainSpec { loss: Some(LossKind::BinaryCrossEntropy), ..TrainSpec::default() },
        ),
        (SuiteName::Masked, Task::Classification, TrainSpec { keep: Keep::Best, patience: Some(2), ..TrainSpec::default() }),
    ];
    for (suite, task, spec) in all {
        let (data, stop) = (dataset(task), AtomicBool::new(false));
        let trainer = trainer(&data, TrainSpec { epochs: 6, ..spec });
        let (heard, samples) = (Mutex::new(Vec::new()), [&data.train, &data.test]);
        let say = |progress| heard.lock().unwrap().push(progress);
        let params = train::on_shares(&trainer, chosen(suite), &data.schema, samples, Parties::Threads, &stop, &say).unwrap();
        let float = plain::train(&trainer, &data.schema, samples, &stop, &mut |_, _, _, _| ()).unwrap();
        let differences = params.iter().zip(&float.params).flat_map(|(a, b)| (a - b).into_iter().map(f64::abs));
        let farthest = differences.fold(0.0, f64::max);
        assert!(farthest < 0.01 && params.len() == 4, "{suite}: {farthest}");

        let heard = heard.into_inner().unwrap();
        let of_epoch = |p: &Progress| if let Progress::Epoch(epoch) = p { Some(epoch.clone()) } else { None };
        let epochs: Vec<Epoch> = heard.iter().filter_map(of_epoch).collect();
        assert!(epochs.iter().map(|e| e.epoch).eq(1..=epochs.len() as u64) && epochs.len() == float.epochs.len());
        for (epoch, (loss, metric)) in epochs.iter().zip(&float.epochs) {
            assert!((epoch.loss.unwrap() - loss).abs() < 0.01, "{epoch:?}, in the clear {loss}");
            assert!((epoch.metric.unwrap() - metric).abs() < 0.05, "{epoch:?}, in the clear {metric}");
            assert!(epoch.bytes > 0 && epoch.rounds > 0 && epoch.seconds > 0.0);
        }
        // All epochs are alike, but for what is prepared once.
        assert!(epochs[1..].iter().all(|e| (e.bytes, e.rounds) == (epochs[1].bytes, epochs[1].rounds)), "{epochs:?}");
        let steps = heard.iter().filter(|p| matches!(p, Progress::Step(_, 18))).count();
        assert_eq!(steps, 3 * epochs.len());
    }
}

#[test]
fn a_training_stops_between_steps() {
    let (data, stop) = (dataset(Task::Classification), AtomicBool::new(false));
    let trainer = trainer(&data, TrainSpec { epochs: 100_000, ..TrainSpec::default() });
    let last = Mutex::new(0);
    let say = |progress| {
        if let Progress::Step(step, _) = progress {
            *last.lock().unwrap() = step;
            stop.store(step >= 4, Ordering::Relaxed);
        }
    };
    for suite in [SuiteName::Masked, SuiteName::Securenn] {
        let run =
            train::on_shares(&trainer, chosen(suite), &data.schema, [&data.train, &data.test], Parties::Threads, &stop, &say);
        assert!(matches!(run, Err(Error::Interrupted)), "{:?}", run.err());
        assert_eq!(*last.lock().unwrap(), 4);
        stop.store(false, Ordering::Relaxed);
    }
}

/// What goes wrong in the training is told, not that a party has closed its links.
#[test]
fn the_cause_is_told() {
    let (data, stop) = (dataset(Task::Regression), AtomicBool::new(false));
    let trainer = trainer(&data, TrainSpec { lr: 8.0, ..TrainSpec::default() });
    let samples = [&data.train, &data.test];
    let run = train::on_shares(&trainer, chosen(SuiteName::Masked), &data.schema, samples, Parties::Threads, &stop, &|_| ());
    let error = run.unwrap_err().to_string();
    assert!(error.contains("smaller learning rate"), "{error}");
}
