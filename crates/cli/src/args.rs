//! The options that several commands share: which records, and how to train on them.

use crate::reading::ReadArgs;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use std::path::PathBuf;
use trefoil_data::records::Source as Records;
use trefoil_data::{Dataset, Samples, digits, guessed, mnist};
use trefoil_job::{StartModel, train};
use trefoil_net::shaped::Profile;
use trefoil_nn::graph::{Form, Kind};
use trefoil_nn::{Graph, Metric, Schedule, TrainSpec, Training};
use trefoil_server::{Error, Result};

/// Where MNIST's files are unless told otherwise.
pub const MNIST_DIR: &str = "data/mnist";

/// A kind of dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Handwritten digits that are part of this program
    Digits,
    /// MNIST, from a folder
    Mnist,
    /// A CSV file
    Csv,
}

/// Which records.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Records to use [default: digits, or csv with --csv]
    #[arg(long, value_enum, value_name = "NAME")]
    dataset: Option<Source>,

    /// Folder with MNIST's four IDX files, plain or gzip [default: data/mnist]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// CSV or Parquet file; columns other than the label are numbers or, all their values, one of a few texts
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// The CSV file's label column, by its name or by its index from 0
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    #[command(flatten)]
    reading: ReadArgs,

    /// Public seed of the split, the initial weights and the order of the batches; never of masks
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl DataArgs {
    /// The kind of dataset that is meant.
    ///
    /// # Errors
    /// Options that belong to another kind.
    pub fn source(&self) -> Result<Source> {
        let source = self.dataset.unwrap_or(if self.csv.is_some() { Source::Csv } else { Source::Digits });
        let wrong = |option: &str, kind: &str| {
            Err(Error::config(option, format!("--dataset {}", name(source)), format!("--dataset {kind}")))
        };
        if source != Source::Csv && self.csv.is_some() {
            return wrong("--csv", "csv");
        }
        if source != Source::Csv && self.label.is_some() {
            return wrong("--label", "csv");
        }
        if source != Source::Mnist && self.data_dir.is_some() {
            return wrong("--data-dir", "mnist");
        }
        Ok(source)
    }

    /// The CSV file that is meant, if one is.
    ///
    /// # Errors
    /// An encoding that nobody knows.
    pub fn csv_file(&self) -> Result<Option<Records>> {
        self.csv.as_deref().map(|file| self.reading.source(file)).transpose()
    }

    /// Reads the records.
    ///
    /// # Errors
    /// Options that do not fit together; a file that is missing or malformed, by name.
    pub fn load(&self) -> Result<Dataset> {
        let missing = |option: &str, expected: &str| Error::config(option, "nothing", expected);
        Ok(match self.source()? {
            Source::Digits => digits::load()?,
            Source::Mnist => mnist::load(self.data_dir.as_deref().unwrap_or(MNIST_DIR.as_ref()))?,
            Source::Csv => {
                let file = self.csv_file()?.ok_or_else(|| missing("--csv", "the CSV file, with --dataset csv"))?;
                let label = self
                    .label
                    .as_deref()
                    .ok_or_else(|| missing("--label", "the name or index of the CSV file's label column"))?;
                guessed::load(&file, label)?
            }
        })
    }
}

/// The word that the option has for it.
fn name(source: Source) -> String {
    source.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

/// The shape of the links between parties, from an option. Links and neural networks have both been called networks, so who
/// takes one for the other is told which is which.
///
/// # Errors
/// Neither a delay nor a rate.
pub fn links(text: &str) -> std::result::Result<Profile, String> {
    text.parse::<Profile>().map_err(|e| match text.parse::<Graph>() {
        Ok(_) => "that is a neural network (demo and plain: --network; bench: in the benchmark's name), \
                  expected the shape of links, such as 40ms,100Mbps"
            .into(),
        Err(_) => e.to_string(),
    })
}

/// How to train: everything that the float baseline shares with the training on shares.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    given: Given,

    /// Train on the first records alone, so many of them [default: all]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,

    /// Start from this model's weights in place of random ones: safetensors, NumPy or ONNX
    #[arg(long, value_name = "MODEL")]
    start: Option<PathBuf>,

    /// Figures of the records held out that are opened beside accuracy, such as auc,confusion,f1: confusion, precision, recall, f1, auc,
    /// log-loss
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    metrics: Vec<Metric>,

    /// Data owners that the records are split between
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub owners: usize,
}

/// The settings that were given; others keep the defaults of the kind of records.
#[derive(Clone, Debug)]
struct Given(ArgMatches);

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        TrainSpec::augment_args_for_update(command)
    }
    fn augment_args_for_update(command: Command) -> Command {
        Given::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Given, clap::Error> {
        Ok(Given(matches.clone()))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Given(matches.clone());
        Ok(())
    }
}

impl TrainArgs {
    /// The records to train on, and those held out.
    ///
    /// # Errors
    /// As for [`DataArgs::load`]; fewer records than are asked for.
    pub fn load(&self, args: &DataArgs) -> Result<Dataset> {
        let data = args.load()?;
        let Some(rows) = self.rows else { return Ok(data) };
        if rows == 0 || rows > data.train.rows() {
            return Err(Error::config("--rows", rows, format!("1 to {}, the records of {}", data.train.rows(), data.name)));
        }
        Ok(Dataset { train: data.train.take(rows), ..data })
    }

    /// The model to start from, if one is named.
    ///
    /// # Errors
    /// The file is none.
    pub fn start(&self) -> Result<Option<StartModel>> {
        Ok(self.start.as_deref().map(StartModel::load).transpose()?)
    }

    /// The training on these records, with the defaults of their kind: 15 epochs in batches of 128 at rates from 0.1 down by a cosine for the
    /// digits, one epoch at a constant rate for MNIST, 10 epochs in batches of 32 from 0.05 down for a CSV file; with convolutions from 0.03 down.
    ///
    /// # Errors
    /// More owners than records, or none.
    pub fn training(&self, data: &Dataset, args: &DataArgs, start: Option<&StartModel>) -> Result<Training> {
        let most = data.train.rows().min(data.test.rows());
        if self.owners == 0 || self.owners > most {
            let expected = format!("1 to {most}: each needs a record to train on and one held out");
            return Err(Error::config("--owners", self.owners, expected));
        }
        let all = TrainSpec { hidden: vec![256], seed: args.seed, ..TrainSpec::default() };
        let mut spec = match args.source()? {
            Source::Digits => TrainSpec { epochs: 15, batch: 128, lr: 0.1, ..all },
            Source::Mnist => TrainSpec { epochs: 1, batch: 128, lr: 0.1, lr_schedule: Schedule::Constant, ..all },
            Source::Csv => TrainSpec { batch: data.train.rows().min(32), ..all },
        };
        spec.update_from_arg_matches(&self.given.0).map_err(|e| Error::config("options", e, "settings of a training"))?;
        let adapts = spec.optimiser.adapts();
        if adapts && !self.given.0.contains_id("lr") {
            spec.lr = 0.001;
        }
        // A convolution's gradient is a sum over all its places: at a perceptron's rate it diverges.
        let network = spec.network.as_ref().map(Form::graph).transpose()?;
        if network.is_some_and(|network| network.nodes.iter().any(|node| matches!(node.op, Kind::Conv2d(_)))) && !adapts {
            let given = |option| self.given.0.contains_id(option);
            spec.lr = if given("lr") { spec.lr } else { 0.03 };
            spec.lr_schedule = if given("lr_schedule") { spec.lr_schedule } else { Schedule::Cosine };
        }
        if spec.network.is_some() {
            spec.hidden = TrainSpec::default().hidden;
        }
        spec.start = start.map(StartModel::hash);
        let mut training = train::training(spec, data);
        training.open.also = self.metrics.iter().copied().collect();
        Ok(training)
    }

    /// The records in the order in which the parties would hold them, so that the baseline alone is the demo's.
    ///
    /// # Errors
    /// More owners than records, or none.
    pub fn ordered(&self, data: &Dataset, seed: u64) -> Result<Dataset> {
        let part = |samples: &Samples| Ok::<_, Error>(Samples::joined(&samples.split(self.owners, seed)?));
        let (train, test) = (part(&data.train)?, part(&data.test)?);
        Ok(Dataset { name: data.name.clone(), schema: data.schema.clone(), train, test })
    }
}
