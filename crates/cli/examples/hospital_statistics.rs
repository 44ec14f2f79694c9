//! What statistics over all owners are worth: the hospitals' records (examples/hospitals), of which each hospital has another kind, are
//! standardised by the statistics of one hospital, by those of all on shares, and by those of all in the clear.
//!
//! Three parties on threads of this process run the protocols of a job. docs/training.md shows the output.

use ndarray::Array2;
use std::sync::atomic::AtomicBool;
use trefoil_data::records::{Records, Source};
use trefoil_data::schema::{Column, Partition, Scale, Schema, Task};
use trefoil_data::{Dataset, Samples};
use trefoil_job::suites::Chosen;
use trefoil_job::train::{Parties, on_shares, training};
use trefoil_job::{Error, Result, SuiteName, evaluate, plain};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Metric, TrainSpec};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/hospitals/breast_cancer.csv");
const LABEL: &str = "diagnosis";
const SEEDS: u64 = 5;

/// All records as this schema encodes them.
fn all(schema: &Schema) -> Result<Samples> {
    Ok(Samples::joined(&Samples::read(&mut Records::open(&Source::of(FILE), schema, &[], true)?)?))
}

/// Records of these columns.
fn schema(columns: Vec<Column>) -> Schema {
    let classes = ["benign", "malignant"].map(str::to_owned).to_vec();
    let (task, partition, label) = (Task::Classification, Partition::Horizontal, LABEL.to_owned());
    Schema {
        task,
        partition,
        label,
        classes,
        target: None,
        id: None,
        join: Default::default(),
        pad: None,
        doubles: Default::default(),
        holdout: 0,
        seed: 0,
        clipped: 1.0,
        columns,
    }
}

/// Mean and deviation of these records in each column.
fn public(names: &[String], raw: &Array2<f64>, records: &[usize]) -> Vec<Column> {
    let of = |(j, name): (usize, &String)| {
        let n = records.len() as f64;
        let mean = records.iter().map(|i| raw[[*i, j]]).sum::<f64>() / n;
        let variance = records.iter().map(|i| (raw[[*i, j]] - mean).powi(2)).sum::<f64>() / n;
        Column::number(name, mean, variance.sqrt().max(1e-9))
    };
    names.iter().enumerate().map(of).collect()
}

/// The area under the curve of held-out records, after a training on shares or, in floating point, in the clear.
fn auc(schema: &Schema, seed: u64, [train, test]: [&[usize]; 2], on: bool) -> Result<f64> {
    let samples = all(schema)?;
    let data =
        Dataset { name: "hospitals".into(), schema: schema.clone(), train: samples.select(train), test: samples.select(test) };
    let mut training = training(TrainSpec { epochs: 8, seed, ..TrainSpec::default() }, &data);
    training.open.metric = Some(Metric::Auc);
    let (trainer, stop) = (training.trainer()?, AtomicBool::new(false));
    let chosen = Chosen { suite: SuiteName::Masked, truncation: Truncation::Dealer };
    let params = match on {
        true => on_shares(&trainer, chosen, schema, [&data.train, &data.test], Parties::Threads, &stop, &|_| ())?,
        false => plain::train(&trainer, schema, [&data.train, &data.test], &stop, &mut |_, _, _, _| ())?.params,
    };
    let model = evaluate::model(schema, &training.graph()?, &params)?;
    Ok(evaluate::figures(&model, schema, &data.test)?.auc.unwrap_or(f64::NAN))
}

fn main() -> Result<()> {
    let text = std::fs::read_to_string(FILE).map_err(|e| Error::config(FILE, e, "the hospitals' records"))?;
    let mut lines = text.lines();
    let names: Vec<String> =
        lines.next().unwrap_or_default().split(',').map(str::to_owned).filter(|name| name != LABEL).collect();
    let values: Vec<f64> =
        lines.flat_map(|line| line.split(',').take(names.len())).map(|v| v.parse().unwrap_or(f64::NAN)).collect();
    let raw = Array2::from_shape_vec((values.len() / names.len(), names.len()), values)
        .map_err(|e| Error::config(FILE, e, "whole rows"))?;
    // Bounds that anybody could have named: from 0 to a power of ten.
    let most = |j: usize| 10f64.powf(raw.column(j).iter().fold(1e-3, |m: f64, v| m.max(*v)).log10().ceil());
    let bounded = names.iter().enumerate().map(|(j, name)| Column::secure(name, Scale::Secure, [0.0, most(j)]));
    let secure = schema(bounded.collect());
    // The first hospital sees the smallest nuclei, the last one the largest.
    let mut order: Vec<usize> = (0..raw.nrows()).collect();
    order.sort_by(|a, b| raw[[*a, 0]].total_cmp(&raw[[*b, 0]]));
    let mut figures: [Vec<f64>; 3] = Default::default();
    println!("seed    all, in the clear  all, on shares  one hospital's");
    for seed in 1..=SEEDS {
        let held = |place: &usize| (place * 7 + seed as usize * 3).is_multiple_of(5);
        let [test, train]: [Vec<usize>; 2] = [true, false]
            .map(|wanted| (0..order.len()).filter(|place| held(place) == wanted).map(|place| order[place]).collect());
        let first: Vec<usize> = train.iter().copied().take(train.len() / 4).collect();
        let [pooled, one] = [&train, &first].map(|records| schema(public(&names, &raw, records)));
        let found = [(&pooled, false), (&secure, true), (&one, true)];
        for (all, (schema, on)) in figures.iter_mut().zip(found) {
            all.push(auc(schema, seed, [&train, &test], on)?);
        }
        let [a, b, c] = figures.each_ref().map(|all| all.last().copied().unwrap_or(f64::NAN));
        println!("{seed:<7} {a:<18.4} {b:<15.4} {c:.4}");
    }
    let [a, b, c] = figures.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    });
    println!("median  {a:<18.4} {b:<15.4} {c:.4}");
    Ok(())
}
