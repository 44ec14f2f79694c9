//! The hospitals' records (examples/hospitals), made hard: four owners that measure in units of their own and see patients of their own kind, a
//! tenth of the values missing, and one patient in twenty ill. What statistics over all owners and class weights, both on shares, are worth:
//! against the same network in the clear on all records together, and against statistics and weights of one hospital alone.
//!
//! Three parties on threads of this process run the protocols of a job. docs/accuracy.md shows the output.

use ndarray::Array2;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use trefoil_data::records::{Records, Source};
use trefoil_data::schema::Schema;
use trefoil_data::{Dataset, Samples};
use trefoil_job::suites::Chosen;
use trefoil_job::train::{Parties, Progress, on_shares, training};
use trefoil_job::{Error, Result, SuiteName, plain};
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{ClassWeighting, Figure, Metric, TrainSpec};
use trefoil_ring::public::Public;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/hospitals/breast_cancer.csv");
const LABEL: &str = "diagnosis";
const SEEDS: u64 = 5;
/// Patients of all hospitals, one in so many of whom is ill, and whose values are off by so many deviations.
const PATIENTS: usize = 4000;
const ILL: usize = 20;
const NOISE: f64 = 1.5;
/// How far the area on shares may be from that in the clear.
const MOST: f64 = 0.005;
/// One value in so many is missing.
const MISSING: u64 = 10;
/// What a hospital multiplies what it has measured by, before it writes it down with four digits: three units for one quantity.
const UNITS: [f64; 4] = [1.0, 1000.0, 1.0 / 25.4, 1.0];

/// Patients as their hospitals have them: columns in the job's unit again, as each owner converts them, with nothing where a value is missing.
struct Patients {
    names: Vec<String>,
    values: Array2<f64>,
    ill: Vec<bool>,
    /// By hospital.
    of: Vec<usize>,
}

/// Draws them: each is a patient of the file with noise. The first hospital sees the smallest nuclei, the last one the largest.
fn draw(names: Vec<String>, file: &Array2<f64>, ill: &[bool], seed: u64) -> Patients {
    let mut random = Public::new(seed, &[1000]);
    let columns = names.len();
    let deviations: Vec<f64> = (0..columns).map(|j| moments(file.column(j).iter().copied())[1]).collect();
    let of_kind = |wanted: bool| (0..ill.len()).filter(|i| ill[*i] == wanted).collect::<Vec<_>>();
    let kinds = [of_kind(false), of_kind(true)];
    let mut values = Array2::zeros((PATIENTS, columns));
    let ill: Vec<bool> = (0..PATIENTS).map(|i| i % ILL == 0).collect();
    for (i, ill) in ill.iter().enumerate() {
        let kind = &kinds[usize::from(*ill)];
        let from = kind[random.below(kind.len() as u64) as usize];
        for (j, deviation) in deviations.iter().enumerate() {
            // Of deviation 1: the sum of three uniform numbers.
            let noise = random.signed_unit() + random.signed_unit() + random.signed_unit();
            values[[i, j]] = (file[[from, j]] + NOISE * deviation * noise).max(0.0);
        }
    }
    let mut order: Vec<usize> = (0..PATIENTS).collect();
    order.sort_by(|a, b| values[[*a, 0]].total_cmp(&values[[*b, 0]]));
    let mut of = vec![0; PATIENTS];
    order.iter().enumerate().for_each(|(place, i)| of[*i] = place * 4 / PATIENTS);
    for ((i, _), value) in values.indexed_iter_mut() {
        let unit = UNITS[of[i]];
        let written: f64 = format!("{:.3e}", *value * unit).parse().unwrap_or(f64::NAN);
        *value = if random.below(MISSING) == 0 { f64::NAN } else { written / unit };
    }
    Patients { names, values, ill, of }
}

/// Mean and deviation of what is there.
fn moments(values: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let there = values.filter(|v| !v.is_nan());
    let n = there.clone().count().max(1) as f64;
    let mean = there.clone().sum::<f64>() / n;
    [mean, (there.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-9)]
}

/// A schema with these columns.
fn schema(columns: Vec<Value>) -> Result<Schema> {
    let schema = json!({ "task": "classification", "label": LABEL, "classes": ["benign", "malignant"], "holdout": 0, "clipped": 1.0, "columns": columns });
    serde_json::from_value(schema).map_err(|e| Error::config("schema", e, "that of the hospitals"))
}

impl Patients {
    /// All of them as a file.
    fn write(&self, path: &Path) -> Result<()> {
        let mut text = format!("{},{LABEL}\n", self.names.join(","));
        for (row, ill) in self.values.outer_iter().zip(&self.ill) {
            for value in row {
                let _ = if value.is_nan() { write!(text, ",") } else { write!(text, "{value},") };
            }
            text += if *ill { "malignant\n" } else { "benign\n" };
        }
        std::fs::write(path, text).map_err(|e| Error::config(path.display().to_string(), e, "a file for the records"))
    }

    /// Columns by the public statistics of these records: what is missing is their mean, and says so.
    fn public(&self, records: &[usize]) -> Result<Schema> {
        let column = |(j, name): (usize, &String)| {
            let [mean, deviation] = moments(records.iter().map(|i| self.values[[*i, j]]));
            json!({ "kind": "number", "name": name, "mean": mean, "deviation": deviation, "missing": [""], "fill": mean, "indicator": true })
        };
        schema(self.names.iter().enumerate().map(column).collect())
    }

    /// Columns by statistics that nobody is shown: bounds that anybody could have named, from 0 to a power of ten; where a value is
    /// missing their mean, on shares.
    fn secure(&self) -> Result<Schema> {
        let column = |(j, name): (usize, &String)| {
            let most = self.values.column(j).iter().fold(1e-3, |m: f64, v| m.max(*v));
            let most = 10f64.powf(most.log10().ceil());
            json!({ "kind": "number", "name": name, "scale": "secure", "within": [0.0, most], "missing": [""], "fill": "mean", "indicator": true })
        };
        schema(self.names.iter().enumerate().map(column).collect())
    }
}

/// What the records of a file are trained by.
struct Way<'a> {
    schema: &'a Schema,
    weights: ClassWeighting,
    on_shares: bool,
}

/// The area under the curve of held-out records, and the share of the ill among them that are found.
fn run(file: &Path, seed: u64, [train, test]: [&[usize]; 2], way: &Way<'_>) -> Result<[f64; 2]> {
    let schema = way.schema;
    let all = Samples::joined(&Samples::read(&mut Records::open(&Source::of(file), schema, &[], true)?)?);
    let data = Dataset { name: "hospitals".into(), schema: schema.clone(), train: all.select(train), test: all.select(test) };
    let spec = TrainSpec { epochs: 6, batch: 64, lr: 0.02, seed, class_weights: way.weights.clone(), ..TrainSpec::default() };
    let mut training = training(spec, &data);
    // Computed on shares: what fills a missing value is known to nobody, and so no model in the clear could answer of such a record.
    training.open.metric = Some(Metric::Auc);
    training.open.also = [Metric::Recall].into_iter().collect();
    let (trainer, stop) = (training.trainer()?, AtomicBool::new(false));
    let chosen = Chosen { suite: SuiteName::Masked, truncation: Truncation::Dealer };
    let last = Mutex::new(vec![]);
    let keep = |figures: &[Figure]| *last.lock().unwrap_or_else(PoisonError::into_inner) = figures.to_vec();
    let say = |progress| {
        if let Progress::Epoch(epoch) = progress {
            keep(&epoch.figures);
        }
    };
    match way.on_shares {
        true => on_shares(&trainer, chosen, schema, [&data.train, &data.test], Parties::Threads, &stop, &say).map(drop)?,
        false => plain::train(&trainer, schema, [&data.train, &data.test], &stop, &mut |_, _, _, all| keep(all)).map(drop)?,
    }
    let figures = last.into_inner().unwrap_or_else(PoisonError::into_inner);
    let auc = figures.first().and_then(|figure| figure.value);
    let recall = figures.get(1).and_then(|figure| figure.classes.get(1).copied().flatten());
    Ok([auc, recall].map(|figure| figure.unwrap_or(f64::NAN)))
}

fn main() -> Result<()> {
    let text = std::fs::read_to_string(FILE).map_err(|e| Error::config(FILE, e, "the hospitals' records"))?;
    let mut lines = text.lines();
    let names: Vec<String> =
        lines.next().unwrap_or_default().split(',').map(str::to_owned).filter(|name| name != LABEL).collect();
    let lines: Vec<&str> = lines.collect();
    let ill: Vec<bool> = lines.iter().map(|line| line.ends_with("malignant")).collect();
    let values: Vec<f64> =
        lines.iter().flat_map(|line| line.split(',').take(names.len())).map(|v| v.parse().unwrap_or(f64::NAN)).collect();
    let raw = Array2::from_shape_vec((lines.len(), names.len()), values).map_err(|e| Error::config(FILE, e, "whole rows"))?;
    let path = std::env::temp_dir().join(format!("trefoil-hospitals-{}.csv", std::process::id()));
    let mut all: [Vec<[f64; 2]>; 4] = Default::default();
    let head = ["all, in the clear", "all, on shares", "one hospital's", "all, no weights"];
    println!("seed    {}", head.map(|name| format!("{name:<20}")).concat());
    let show = |row: String, of: [[f64; 2]; 4]| {
        let cells = of.map(|[auc, found]| format!("{:<20}", format!("{auc:.4} {:.0}%", 100.0 * found)));
        println!("{row:<8}{}", cells.concat());
    };
    for seed in 1..=SEEDS {
        let patients = draw(names.clone(), &raw, &ill, seed);
        patients.write(&path)?;
        let [test, train]: [Vec<usize>; 2] =
            [true, false].map(|wanted| (0..PATIENTS).filter(|i| (i / ILL).is_multiple_of(4) == wanted).collect());
        let first: Vec<usize> = train.iter().copied().filter(|i| patients.of[*i] == 0).collect();
        let counted = |records: &[usize]| {
            let (n, ill) = (records.len() as f64, records.iter().filter(|i| patients.ill[**i]).count().max(1) as f64);
            ClassWeighting::Given(vec![n / (2.0 * (n - ill)), (n / (2.0 * ill)).min(64.0)])
        };
        let (pooled, one, secure) = (patients.public(&train)?, patients.public(&first)?, patients.secure()?);
        let way = |schema, weights, on_shares| Way { schema, weights, on_shares };
        let ways = [
            way(&pooled, counted(&train), false),
            way(&secure, ClassWeighting::Balanced, true),
            way(&one, counted(&first), true),
            way(&secure, ClassWeighting::default(), true),
        ];
        let mut found = [[f64::NAN; 2]; 4];
        for (found, way) in found.iter_mut().zip(&ways) {
            *found = run(&path, seed, [&train, &test], way)?;
        }
        all.iter_mut().zip(found).for_each(|(all, found)| all.push(found));
        show(seed.to_string(), found);
    }
    let _ = std::fs::remove_file(&path);
    let median = |mut x: Vec<f64>| {
        x.sort_by(f64::total_cmp);
        x[x.len() / 2]
    };
    let medians = all.map(|of| [0, 1].map(|i| median(of.iter().map(|x| x[i]).collect())));
    show("median".into(), medians);
    let [[clear, _], [shares, _], ..] = medians;
    match (clear - shares).abs() <= MOST {
        true => Ok(()),
        false => Err(Error::config(
            "area on shares",
            format!("{shares:.4}"),
            format!("within {MOST} of that in the clear, {clear:.4}"),
        )),
    }
}
