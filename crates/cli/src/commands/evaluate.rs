//! `trefoil evaluate MODEL.safetensors`: accuracy in the clear.

use crate::args::DataArgs;
use crate::output::{json, print};
use crate::table::{Table, percent};
use clap::Args;
use std::path::PathBuf;
use trefoil_node::demo::input_name;
use trefoil_node::nn::Model;
use trefoil_node::{Error, Result};

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
    /// Evaluates on the held-out records.
    pub fn run(self) -> Result<()> {
        let model = Model::load(&self.model)?;
        let data = self.data.load()?;
        let (found, expected) = (input_name(data.train.frac), model.input());
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
            accuracy: model.accuracy(&data.test.x, &data.test.y)?,
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
}
