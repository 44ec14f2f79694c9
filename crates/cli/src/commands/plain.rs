//! `trefoil plain`: the float baseline alone.

use crate::args::{DataArgs, TrainArgs};
use crate::output::{json, print};
use crate::progress::Reporter;
use crate::table::{Table, percent};
use clap::Args;
use trefoil_node::demo::Progress;
use trefoil_node::{Result, SuiteName, machine, plain};

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
    epochs: u64,
    batch: usize,
    lr: f64,
    momentum: f64,
    steps: u64,
    seed: u64,
    float_test_accuracy: f64,
    loss: f64,
    seconds_float: f64,
    machine: String,
    version: String,
}

impl Plain {
    /// Trains in the clear.
    pub fn run(self) -> Result<()> {
        let stop = super::stop_flag()?;
        let data = self.data.load()?;
        let job = self.train.job(&data, &self.data, SuiteName::Securenn, "dealer")?;
        let trainer = job.trainer()?;
        let data = self.train.ordered(&data, job.seed)?;
        let mut reporter = Reporter::new();
        let mut on = |epoch, loss, accuracy| reporter.on(Progress::FloatEpoch { epoch, loss, accuracy });
        let trained = plain::train(&trainer, &data.train, &data.test, stop, &mut on)?;
        let result = Trained {
            network: job.network.to_string(),
            epochs: job.epochs,
            batch: job.batch,
            lr: job.lr,
            momentum: job.momentum,
            steps: trainer.total_steps(),
            seed: job.seed,
            float_test_accuracy: trained.accuracy(),
            loss: trained.epochs.last().map_or(f64::NAN, |e| e.0),
            seconds_float: trained.seconds,
            machine: machine::describe(),
            version: machine::version(),
            dataset: job.dataset,
        };
        if self.json {
            return json(&result);
        }
        let mut table = Table::new(["network", "dataset", "steps", "accuracy", "loss", "seconds"]);
        let (accuracy, loss, seconds) =
            (percent(result.float_test_accuracy), format!("{:.4}", result.loss), format!("{:.1}", result.seconds_float));
        table.row([result.network, result.dataset, result.steps.to_string(), accuracy, loss, seconds]);
        print(table);
        Ok(())
    }
}
