//! What training makes small: the loss of a network's outputs against the labels.

use crate::choice::choice;
use crate::cross_entropy::{self, SoftmaxKind};
use crate::scales::Scales;
use crate::{Error, binary_cross_entropy, squared_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use trefoil_engine::{Engine, Format, Result};

/// The format of one-hot labels.
pub const LABEL: Format = Format { frac: 0, bits: 1 };
/// The format of the targets of a regression: standardised, in (-8, 8).
pub const TARGET: Format = Format { frac: 12, bits: 15 };

/// The loss, which decides the task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Classification: 2 to 64 outputs, labels one-hot.
    CrossEntropy(SoftmaxKind),
    /// Two classes with one output, a logit; labels are 0 and 1.
    BinaryCrossEntropy,
    /// Regression: one output, labels are real numbers.
    SquaredError,
}

/// Which loss trains a classification, by the name that a job has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// An output for each class.
    CrossEntropy,
    /// One output for two classes.
    BinaryCrossEntropy,
}

impl LossKind {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            LossKind::CrossEntropy => "cross-entropy",
            LossKind::BinaryCrossEntropy => "binary-cross-entropy",
        }
    }
}

impl fmt::Display for LossKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LossKind {
    type Err = Error;
    fn from_str(text: &str) -> crate::Result<LossKind> {
        choice("loss", text, &[LossKind::CrossEntropy, LossKind::BinaryCrossEntropy].map(|kind| (kind.name(), kind)))
    }
}

impl Default for Loss {
    fn default() -> Loss {
        Loss::CrossEntropy(SoftmaxKind::default())
    }
}

impl Loss {
    /// The gradient by the outputs, in the shape of the outputs `z` and the labels `y`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn gradient<E: Engine>(self, e: &mut E, z: &E::Num, y: &E::Num, scales: &Scales) -> Result<E::Num> {
        match self {
            Loss::CrossEntropy(kind) => cross_entropy::gradient(e, kind, z, y, scales),
            Loss::BinaryCrossEntropy => binary_cross_entropy::gradient(e, z, y, scales),
            Loss::SquaredError => squared_error::gradient(e, z, y, scales),
        }
    }

    /// The loss of each row: one column. For regression this is the squared error, not half of it.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn losses<E: Engine>(self, e: &mut E, z: &E::Num, y: &E::Num, scales: &Scales) -> Result<E::Num> {
        match self {
            Loss::CrossEntropy(_) => cross_entropy::losses(e, z, y),
            Loss::BinaryCrossEntropy => binary_cross_entropy::losses(e, z, y),
            Loss::SquaredError => squared_error::losses(e, z, y, scales),
        }
    }
}
