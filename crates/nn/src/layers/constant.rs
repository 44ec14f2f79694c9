//! A public number among a layer's settings.

use serde::{Deserialize, Serialize};

/// The number. Two are equal if their bits are, so that a network can be compared with another.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Constant(pub f64);

impl PartialEq for Constant {
    fn eq(&self, other: &Constant) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Constant {}
