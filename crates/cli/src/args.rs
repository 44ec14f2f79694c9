//! The options that several commands share: which records, and how to train on them.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use trefoil_node::data::{Dataset, csv, digits, mnist};
use trefoil_node::demo::joined;
use trefoil_node::net::shaped::Profile;
use trefoil_node::nn::Graph;
use trefoil_node::{Error, Result, SuiteName, Training};

/// Of activations, where the network leaves room for them.
const FRACTION_BITS: u8 = 16;

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

    /// CSV file with a header; every other column than the label must be a number in every record
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// The CSV file's label column, by its name or by its index from 0
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

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
    pub fn csv_file(&self) -> Option<&PathBuf> {
        self.csv.as_ref()
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
                let file = self.csv.as_deref().ok_or_else(|| missing("--csv", "the CSV file, with --dataset csv"))?;
                let label = self
                    .label
                    .as_deref()
                    .ok_or_else(|| missing("--label", "the name or index of the CSV file's label column"))?;
                csv::load(file, label, self.seed)?
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
    text.parse::<Profile>().map_err(|e| match text.parse::<Network>() {
        Ok(_) => "that is a neural network (demo and plain: --network; bench: in the benchmark's name), \
                  expected the shape of links, such as 40ms,100Mbps"
            .into(),
        Err(_) => e.to_string(),
    })
}

/// A neural network as an option names it: all its widths from inputs to outputs, `784-128-128-10`, or a name from the
/// literature.
#[derive(Clone, Debug)]
struct Network {
    name: String,
    graph: Graph,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Network, String> {
        if text.parse::<Profile>().is_ok() {
            return Err("that is a shape of links (--links), expected a neural network, such as 784-128-128-10".into());
        }
        match text.parse() {
            Ok(graph) => Ok(Network { name: text.to_owned(), graph }),
            Err(_) => Err("expected a network's widths from inputs to outputs, such as 784-128-128-10, or a name such as lenet or securenn-a \
                           (--hidden has hidden layers alone)"
                .into()),
        }
    }
}

/// How to train: everything that the float baseline shares with the training on shares.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// Sizes of the hidden layers: 256, or 128,128
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "256")]
    hidden: Vec<usize>,

    /// The neural network with its inputs and outputs, such as 784-128-128-10, or by name: securenn-a to securenn-d, minionn, lenet, cifar-alexnet,
    /// cifar-vgg16; in place of --hidden
    #[arg(long, value_name = "NETWORK", conflicts_with = "hidden")]
    network: Option<Network>,

    /// Times that the records are gone through [default: digits 15, mnist 1, csv 10]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,

    /// Records in a step [default: digits 128, mnist 128, csv 32]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// Learning rate [default: digits 0.1, mnist 0.1, csv 0.05]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,

    /// constant, cosine, or rates with the epoch from which on they hold, such as 0.1,0.05@5 [default: digits cosine,
    /// mnist constant, csv cosine]
    #[arg(long, value_name = "SCHEDULE")]
    lr_schedule: Option<String>,

    /// Momentum; 0 for none
    #[arg(long, value_name = "M", default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f64,

    /// How logits become probabilities: exact, or asm (ReLU over its sum, as in the SecureNN paper)
    #[arg(long, value_name = "KIND", default_value = "exact")]
    softmax: String,

    /// Fraction bits of activations in fixed point [default: 16, or as many as the network's sums leave room for]
    #[arg(long, value_name = "BITS")]
    fraction_bits: Option<u8>,

    /// Data owners that the records are split between
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub owners: usize,
}

impl TrainArgs {
    /// The job on these records, with the defaults of their kind.
    ///
    /// # Errors
    /// More owners than records, or none.
    pub fn job(&self, data: &Dataset, args: &DataArgs, suite: SuiteName, truncation: &str) -> Result<Training> {
        let most = data.train.rows().min(data.test.rows());
        if self.owners == 0 || self.owners > most {
            let expected = format!("1 to {most}: each needs a record to train on and one held out");
            return Err(Error::config("--owners", self.owners, expected));
        }
        let (epochs, batch, lr, schedule) = match args.source()? {
            Source::Digits => (15, 128, 0.1, "cosine"),
            Source::Mnist => (1, 128, 0.1, "constant"),
            Source::Csv => (10, data.train.rows().min(32), 0.05, "cosine"),
        };
        let job = Training {
            suite,
            dataset: String::new(),
            network: self.graph(data)?,
            epochs: self.epochs.unwrap_or(epochs),
            batch: self.batch.unwrap_or(batch),
            lr: self.lr.unwrap_or(lr),
            lr_schedule: self.lr_schedule.clone().unwrap_or_else(|| schedule.into()),
            momentum: self.momentum,
            softmax: self.softmax.clone(),
            truncation: truncation.into(),
            fraction_bits: self.fraction_bits.unwrap_or(FRACTION_BITS),
            seed: args.seed,
            regression: false,
            open: trefoil_node::training::all(),
            input_frac: 0,
            input_bits: 0,
            train_rows: 0,
            test_rows: 0,
        };
        let job = job.for_data(data);
        Ok(if self.fraction_bits.is_some() { job } else { job.with_most_bits(FRACTION_BITS) })
    }

    /// The network, whose inputs and outputs must be those of the records.
    fn graph(&self, data: &Dataset) -> Result<Graph> {
        let (inputs, outputs) = (data.features(), data.classes);
        match &self.network {
            None => Ok(Graph::perceptron(&[&[inputs], &self.hidden[..], &[outputs]].concat())),
            Some(network) if network.graph.input.len() == inputs && network.graph.outputs().ok() == Some(outputs) => {
                Ok(network.graph.clone())
            }
            Some(network) => {
                let expected = format!("{inputs} inputs and {outputs} outputs, as {} has", data.name);
                Err(Error::config("--network", &network.name, expected))
            }
        }
    }

    /// The records in the order in which the parties would hold them, so that the baseline alone is the demo's.
    ///
    /// # Errors
    /// More owners than records, or none.
    pub fn ordered(&self, data: &Dataset, seed: u64) -> Result<Dataset> {
        let part = |t: &trefoil_node::data::Table| Ok::<_, Error>(joined(&t.split(self.owners, seed)?, t.frac));
        Ok(Dataset { name: data.name.clone(), classes: data.classes, train: part(&data.train)?, test: part(&data.test)? })
    }
}
