//! The optimisers' names.

use crate::choice::choice;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which optimiser trains.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    /// Gradient descent, with momentum or without.
    #[default]
    Sgd,
    /// With Nesterov's momentum.
    Nesterov,
    /// Kingma and Ba 2015.
    Adam,
    /// Reddi, Kale and Kumar 2018.
    Amsgrad,
}

impl OptimiserKind {
    /// All of them.
    pub const ALL: [OptimiserKind; 4] =
        [OptimiserKind::Sgd, OptimiserKind::Nesterov, OptimiserKind::Adam, OptimiserKind::Amsgrad];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            OptimiserKind::Sgd => "sgd",
            OptimiserKind::Nesterov => "nesterov",
            OptimiserKind::Adam => "adam",
            OptimiserKind::Amsgrad => "amsgrad",
        }
    }

    /// Whether it divides by the size of past gradients: its rates are far smaller then.
    pub fn adapts(self) -> bool {
        matches!(self, OptimiserKind::Adam | OptimiserKind::Amsgrad)
    }

    /// Whether it is the one that trains where nobody says.
    pub(crate) fn is_default(&self) -> bool {
        *self == OptimiserKind::default()
    }
}

impl fmt::Display for OptimiserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OptimiserKind {
    type Err = Error;
    fn from_str(text: &str) -> Result<OptimiserKind> {
        choice("optimiser", text, &OptimiserKind::ALL.map(|kind| (kind.name(), kind)))
    }
}
