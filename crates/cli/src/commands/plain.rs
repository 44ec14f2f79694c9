//! `trefoil plain`: the float baseline alone.

use crate::args::{DataArgs, TrainArgs};
use crate::output::{json, print};
use crate::progress::Reporter;
use crate::table::Table;
use clap::Args;
use trefoil_job::{StartModel, plain};
use trefoil_lab::demo::Progress;
use trefoil_lab::units::percent;
use trefoil_nn::{Figure, TrainSpec};
use trefoil_server::{Result, machine};

/// Options of `trefoil plain`.
#[derive(Args)]
pub struct Plain {
    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    train: TrainArgs,

    /// Print the result as JSON on standard output
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Trained {
    network: String,
    dataset: String,
    train: TrainSpec,
    steps: u64,
    float_test_accuracy: f64,
    loss: f64,
    figures: Vec<Figure>,
    seconds_float: f64,
    machine: String,
    version: String,
}

impl Plain {
    /// Trains in the clear.
    pub fn run(self) -> Result<()> {
        let stop = super::stop_flag()?;
        let data = self.train.load(&self.data)?;
        let start = self.train.start()?;
        let training = self.train.training(&data, &self.data, start.as_ref())?;
        let trainer = StartModel::trainer(start.as_ref(), &training, &data.schema)?;
        let data = self.train.ordered(&data, training.spec.seed)?;
        let mut reporter = Reporter::new();
        let mut on = |epoch, loss, accuracy, _: &[Figure]| reporter.on(Progress::FloatEpoch { epoch, loss, accuracy });
        let trained = plain::train(&trainer, &data.schema, [&data.train, &data.test], stop, &mut on)?;
        let (loss, float_test_accuracy) = trained.figures();
        let result = Trained {
            network: trainer.network().graph().to_string(),
            train: training.spec,
            steps: trainer.steps_per_epoch() * trained.epochs.len() as u64,
            float_test_accuracy,
            loss,
            figures: trained.held_out().to_vec(),
            seconds_float: trained.seconds,
            machine: machine::describe(),
            version: machine::version(),
            dataset: data.name.clone(),
        };
        if self.json {
            return json(&result);
        }
        let mut table = Table::new(["network", "dataset", "steps", "accuracy", "loss", "seconds"]);
        let (accuracy, loss, seconds) =
            (percent(result.float_test_accuracy), format!("{:.4}", result.loss), format!("{:.1}", result.seconds_float));
        let told = Figure::told(&result.figures, &data.schema.classes);
        table.row([result.network, result.dataset, result.steps.to_string(), accuracy, loss, seconds]);
        print(table);
        told.iter().for_each(|line| print(format_args!("{line}\n")));
        Ok(())
    }
}
