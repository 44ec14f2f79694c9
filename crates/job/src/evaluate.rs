//! A job's model on a file in the clear: the model says itself how a record is prepared.

use crate::{Error, Result};
use ndarray::{Array2, ArrayView1, Axis};
use serde::Serialize;
use std::path::Path;
use trefoil_data::Samples;
use trefoil_data::records::{self, Records, Source};
use trefoil_data::schema::{self, Schema, Task};
use trefoil_nn::model::{Column, Dates, Input, Missing, OfDates, Target};
use trefoil_nn::{Graph, Model};

/// What a model makes of a file's records.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluated {
    /// All of the file.
    pub rows: usize,
    /// Classification: the share of records in the right class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Two classes, both present: the area under the ROC curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Regression: the mean squared error, in squares of the target's deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squared_error: Option<f64>,
}

/// The schema that a job's model carries; `None` for a model that was trained otherwise.
pub fn schema(model: &Model) -> Option<Schema> {
    serde_json::from_str(model.input()).ok()
}

/// A model with all that its user must do to a record before it goes in, and the names of its classes.
///
/// # Errors
/// The parameters are not the network's, or the records not.
pub fn model(schema: &Schema, network: &Graph, params: &[Array2<f64>]) -> Result<Model> {
    let text = serde_json::to_string(schema).unwrap_or_default();
    let model = Model::new(network, params, &text)?.with_input(input(schema))?;
    Ok(match schema.task {
        Task::Classification => model.with_classes(&schema.classes)?,
        Task::Regression => model,
    })
}

/// A model from its file, with what a job's says of its records.
///
/// # Errors
/// The file holds no model, or one that its schema does not fit.
pub fn load(path: &Path) -> Result<Model> {
    prepared(Model::load(path)?)
}

/// Whether a file's name says a format of models.
pub fn is_model_name(path: &Path) -> bool {
    ["safetensors", "npz", "onnx"].contains(&extension(path))
}

/// Writes a model's file, in the format that its name says: all of it or, where that fails, nothing.
///
/// # Errors
/// The name says none; the file cannot be written.
pub fn save(model: &Model, path: &Path) -> Result<()> {
    match extension(path) {
        "npz" => model.save_npz(path)?,
        "onnx" => model.save_onnx(path)?,
        "safetensors" => model.save(path)?,
        _ => return Err(Error::config("name of a model's file", path.display(), "one that ends in .safetensors, .npz or .onnx")),
    }
    Ok(())
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default()
}

/// A model as it was read, with what a job's says of its records.
///
/// # Errors
/// Its schema does not fit it.
pub fn prepared(model: Model) -> Result<Model> {
    match schema(&model) {
        Some(schema) if model.prepared().is_none() => Ok(model.with_input(input(&schema))?),
        _ => Ok(model),
    }
}

/// The preparation that a schema describes. Features are not rounded, as they are when they are shared.
pub fn input(schema: &Schema) -> Input {
    prepared_by(schema, false)
}

/// The same of records that go to parties, who have on shares what fills a missing value: a number behind it says that it is.
pub fn asked(schema: &Schema) -> Input {
    prepared_by(schema, true)
}

fn prepared_by(schema: &Schema, on_shares: bool) -> Input {
    fn column(column: &schema::Column) -> Column {
        let numbers = |name: &str, count, subtract, divide, clip| Column::Numbers {
            name: name.to_owned(),
            count,
            subtract,
            divide,
            clip,
            log: false,
        };
        // What a column's values are brought to, as it stands behind their scaling.
        let clipped = |[lo, hi]: [f64; 2], scaled: &dyn Fn(f64) -> f64| {
            Some(column.clip().map_or([lo, hi], |[least, most]| [scaled(least).max(lo), scaled(most).min(hi)]))
        };
        let standard = |mean: f64, deviation: f64| clipped([-8.0, 8.0], &|v| (v - mean) / deviation);
        match column {
            schema::Column::Number { name, within: Some(within), .. } => {
                // As it is shared. What lies beyond the bounds was in nobody's records.
                let ([least, most], unit) = (*within, schema::secure_unit(*within));
                let middle = least / 2.0 + most / 2.0;
                let scaled = |v| (v - middle) / unit;
                numbers(name, 1, middle, unit, clipped([scaled(least), scaled(most)], &scaled))
            }
            // A checked column has both.
            schema::Column::Number { name, mean, deviation, .. } => {
                let (mean, deviation) = (mean.unwrap_or_default(), deviation.unwrap_or(1.0));
                numbers(name, 1, mean, deviation, standard(mean, deviation))
            }
            schema::Column::Range { name, min, max, .. } => numbers(name, 1, *min, max - min, Some([0.0, 1.0])),
            schema::Column::Pixels { name, count } => numbers(name, *count, 0.0, 256.0, None),
            schema::Column::Numbers { name, count, mean, deviation, .. } => {
                numbers(name, *count, *mean, *deviation, standard(*mean, *deviation))
            }
            schema::Column::Log { name, mean, deviation, .. } => {
                let clip = clipped([-8.0, 8.0], &|v| (v.ln() - mean) / deviation);
                let (name, subtract, divide) = (name.clone(), *mean, *deviation);
                Column::Numbers { name, count: 1, subtract, divide, clip, log: true }
            }
            schema::Column::Boolean { name } => Column::flag(name.clone()),
            schema::Column::Category { name, values, other, .. } => {
                Column::Category { name: name.clone(), values: values.clone(), other: *other }
            }
            schema::Column::Ordinal { name, values, .. } => Column::Ordinal { name: name.clone(), values: values.clone() },
            // It is the columns that it becomes.
            schema::Column::Date { name, .. } => Column::plain(name, 1),
        }
    }
    let made = |c: &schema::Column| match c.of_dates() {
        none if none.is_empty() => vec![column(c)],
        numbers => numbers.iter().map(|(_, c)| column(c)).collect(),
    };
    let target = schema.target.map(|t| Target { mean: t.mean, deviation: t.deviation });
    // The last bit of a number as it is shared.
    let step = f64::from(-schema.shared().0.cast_signed()).exp2();
    let flag = |c: &schema::Column| match on_shares && c.is_filled_on_shares() {
        true => Some(Column::flag_of(format!("{}_missing", c.name()), step)),
        false => c.indicator().map(Column::flag),
    };
    let columns = schema.columns.iter().flat_map(|c| made(c).into_iter().chain(flag(c))).collect();
    let dates = schema.columns.iter().filter_map(|c| {
        let of = |(number, column): (records::DateNumber, schema::Column)| OfDates {
            name: column.name().to_owned(),
            of: number.to_string(),
        };
        let columns = c.of_dates().into_iter().map(of).collect();
        c.dates().map(|dates| Dates { name: c.name().to_owned(), format: dates.format, columns })
    });
    let missing = schema.columns.iter().filter_map(|column| {
        let records::Missing { texts, fill, indicator } = column.missing()?;
        let name = column.name().to_owned();
        match column.scale() {
            // The middle of its bounds is shared as 0.
            Some((_, [least, most])) if on_shares && column.is_filled_on_shares() => {
                Some(Missing { name, texts, fill: Some((least / 2.0 + most / 2.0).to_string()), indicator: true })
            }
            _ => Some(Missing { name, texts, fill, indicator }),
        }
    });
    Input { columns, named: true, missing: missing.collect(), dates: dates.collect(), target }
}

/// Evaluates on all records of a file.
///
/// # Errors
/// The file does not fit the schema.
pub fn evaluate(model: &Model, schema: &Schema, source: &Source) -> Result<Evaluated> {
    // All of the file is a test here.
    let schema = Schema { holdout: 0, ..schema.clone() };
    let [all, _] = Samples::read(&mut Records::open(source, &schema, &[], true)?)?;
    figures(model, &schema, &all)
}

/// A network's inputs from records as they are shared.
fn inputs(schema: &Schema, x: Array2<f64>) -> Result<Array2<f64>> {
    let mut kept = vec![];
    for (column, mut span) in schema.features_of(&[])? {
        if column.is_filled_on_shares() {
            let missing = x.column(span.start + 1).iter().filter(|missing| **missing != 0.0).count();
            if missing > 0 {
                let what = format!("column {:?}", column.name());
                let expected =
                    "none: they were filled by a mean or a median that nobody was shown, and that is in no model's file";
                return Err(Error::config(what, format!("{missing} missing values"), expected));
            }
            span.end -= usize::from(column.indicator().is_none());
        }
        kept.extend(span);
    }
    Ok(if kept.len() == x.ncols() { x } else { x.select(Axis(1), &kept) })
}

/// Evaluates on records in memory.
///
/// # Errors
/// The model does not fit them.
pub fn figures(model: &Model, schema: &Schema, samples: &Samples) -> Result<Evaluated> {
    let [x, y] = samples.decoded(schema);
    let x = inputs(schema, x)?;
    let mut out = Evaluated { rows: samples.rows(), accuracy: None, auc: None, squared_error: None };
    match schema.task {
        Task::Regression => out.squared_error = Some(model.mean_squared_error(&x, y.as_slice().unwrap_or_default())?),
        Task::Classification => {
            let class = |row: ArrayView1<'_, f64>| row.iter().position(|v| *v > 0.5).unwrap_or(0);
            let labels: Vec<usize> = y.outer_iter().map(class).collect();
            out.accuracy = Some(model.accuracy(&x, &labels)?);
            let both = schema.outputs() == 2 && labels.contains(&0) && labels.contains(&1);
            out.auc = both.then(|| model.auc(&x, &labels)).transpose()?;
        }
    }
    Ok(out)
}
