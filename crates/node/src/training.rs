//! What is to be trained. All of it is public, and all parties and owners must hold the same.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use trefoil_data::Dataset;
use trefoil_engine::Format;
use trefoil_mpc::securenn::Truncation;
use trefoil_nn::{Config, Graph, Init, Loss, Metric, Open, Schedule, Trainer};

/// The protocol suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuiteName {
    /// Masked values, and a helper that runs ahead.
    Masked,
    /// Additive shares, and a helper in every comparison.
    Securenn,
}

impl std::fmt::Display for SuiteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SuiteName::Masked => f.write_str("masked"),
            SuiteName::Securenn => f.write_str("securenn"),
        }
    }
}

impl std::str::FromStr for SuiteName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "masked" => Ok(SuiteName::Masked),
            "securenn" => Ok(SuiteName::Securenn),
            other => Err(Error::config("suite", other, "masked or securenn")),
        }
    }
}

/// A training job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Protocol suite.
    pub suite: SuiteName,
    /// The dataset's name, for people.
    pub dataset: String,
    /// The network.
    pub network: Graph,
    /// Times that the records are gone through.
    pub epochs: u64,
    /// Records in a step.
    pub batch: usize,
    /// Learning rate at the start.
    pub lr: f64,
    /// `constant`, `cosine`, or rates with the epoch from which on they hold: `0.1,0.05@5`.
    pub lr_schedule: String,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// `exact` or `asm`.
    pub softmax: String,
    /// `dealer` or `local`.
    pub truncation: String,
    /// Fraction bits of activations.
    pub fraction_bits: u8,
    /// Public seed of split, initial weights and batch order.
    pub seed: u64,
    /// Whether a number is learnt rather than a class.
    #[serde(default)]
    pub regression: bool,
    /// What is opened after each epoch.
    #[serde(skip, default = "all")]
    pub open: Open,
    /// Fraction bits of a record's values.
    pub input_frac: u8,
    /// Range of a record's values: the integer is below 2^this.
    pub input_bits: u8,
    /// Training records of all owners.
    pub train_rows: usize,
    /// Held-out records of all owners.
    pub test_rows: usize,
}

/// Loss and accuracy.
pub fn all() -> Open {
    Open { loss: true, metric: Some(Metric::Accuracy) }
}

impl Training {
    /// The job with the shape of a dataset filled in: name, rows and input format.
    pub fn for_data(mut self, data: &Dataset) -> Training {
        self.dataset.clone_from(&data.name);
        (self.input_frac, self.input_bits) = crate::demo::job::schema(data).input();
        (self.train_rows, self.test_rows) = (data.train.rows(), data.test.rows());
        self
    }

    /// The training that this job describes, checked to fit into the ring.
    ///
    /// # Errors
    /// A setting that cannot be used, by name.
    pub fn trainer(&self) -> Result<Trainer> {
        Ok(Trainer::new(Config {
            network: self.network.clone(),
            input: self.input(),
            rows: self.train_rows,
            batch: self.batch,
            epochs: self.epochs,
            schedule: Schedule::parse(&self.lr_schedule, self.lr)?,
            momentum: self.momentum,
            loss: if self.regression { Loss::SquaredError } else { Loss::CrossEntropy(self.softmax.parse()?) },
            open: self.open,
            fraction_bits: self.fraction_bits,
            init: Init::He,
            seed: self.seed,
        })?)
    }

    /// With as many fraction bits as fit, up to these.
    pub fn with_most_bits(self, most: u8) -> Training {
        let with = |fraction_bits| Training { fraction_bits, ..self.clone() };
        (8..=most).rev().map(with).find(|t| t.trainer().is_ok()).unwrap_or(self)
    }

    /// The format of a record's values.
    pub fn input(&self) -> Format {
        Format { frac: self.input_frac, bits: self.input_bits }
    }

    /// How products lose their extra fraction bits.
    ///
    /// # Errors
    /// Neither `dealer` nor `local`.
    pub fn truncation(&self) -> Result<Truncation> {
        match self.truncation.as_str() {
            "dealer" => Ok(Truncation::Dealer),
            "local" => Ok(Truncation::Local),
            other => Err(Error::config("truncation", other, "dealer or local")),
        }
    }
}
