//! `trefoil evaluate MODEL.safetensors`: accuracy in the clear.

use crate::args::DataArgs;
use crate::output::{json, print};
use crate::table::Table;
use clap::Args;
use std::path::PathBuf;
use trefoil_data::schema::Schema;
use trefoil_job::evaluate;
use trefoil_lab::demo;
use trefoil_lab::units::percent;
use trefoil_nn::Model;
use trefoil_server::{Error, Result};

/// Options of `trefoil evaluate`.
#[derive(Args)]
pub struct Evaluate {
    /// The model file
    #[arg(value_name = "MODEL.safetensors")]
    model: PathBuf,

    #[command(flatten)]
    data: DataArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Evaluated {
    model: String,
    network: String,
    dataset: String,
    rows: usize,
    accuracy: f64,
}

impl Evaluate {
    /// Evaluates on the held-out records, or on a file that a job's model fits.
    pub fn run(self) -> Result<()> {
        let model = evaluate::load(&self.model)?;
        if let Some(schema) = evaluate::schema(&model) {
            return self.by_schema(&model, &schema);
        }
        let data = self.data.load()?;
        let found = if demo::pixels(&data.schema) { demo::PIXELS } else { "columns of a file" };
        let expected = model.input();
        if !expected.is_empty() && found != expected {
            return Err(Error::config(
                format!("features of {}", data.name),
                found,
                format!("{expected}, as the model file says"),
            ));
        }
        let result = Evaluated {
            model: self.model.display().to_string(),
            network: model.network(),
            accuracy: evaluate::figures(&model, &data.schema, &data.test)?.accuracy.unwrap_or_default(),
            rows: data.test.rows(),
            dataset: data.name,
        };
        if self.json {
            return json(&result);
        }
        let mut table = Table::new(["model", "network", "dataset", "records held out", "accuracy"]);
        table.row([result.model, result.network, result.dataset, result.rows.to_string(), percent(result.accuracy)]);
        print(table);
        Ok(())
    }

    /// A job's model prepares records itself: all of the file count.
    fn by_schema(&self, model: &Model, schema: &Schema) -> Result<()> {
        let source = self.data.csv_file()?.ok_or_else(|| {
            Error::config("--csv", "nothing", "a file with the columns of the model's job (`trefoil model show` lists them)")
        })?;
        let result = evaluate::evaluate(model, schema, &source)?;
        if self.json {
            return json(&result);
        }
        let mut table = Table::new(["model", "records", "figure", "value"]);
        let (name, rows) = (self.model.display().to_string(), result.rows.to_string());
        let figures = [
            ("accuracy", result.accuracy.map(percent)),
            ("area under the ROC curve", result.auc.map(|v| format!("{v:.4}"))),
            ("mean squared error (in squared deviations of the target)", result.squared_error.map(|v| format!("{v:.4}"))),
        ];
        for (figure, value) in figures.into_iter().filter_map(|(figure, value)| Some((figure, value?))) {
            table.row([name.clone(), rows.clone(), figure.into(), value]);
        }
        print(table);
        Ok(())
    }
}
