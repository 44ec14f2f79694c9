//! How many truncations of a run are expected to go wrong.
//!
//! The dealer-assisted truncation cannot fail within its range. The local one fails with probability |v| / 2^64 an element
//! (docs/truncation.md), so that a run's expectation follows from its shapes and formats alone.

use trefoil_mpc::securenn::Truncation;
use trefoil_nn::Trainer;

/// More expected wraps than this in a run, and it is refused: a wrap destroys the model.
pub const MOST: f64 = 1.0 / 1024.0;

/// The expected number of wraps of a whole training: an upper bound from the ranges that the formats promise.
pub fn expected(truncation: Truncation, trainer: &Trainer) -> f64 {
    match truncation {
        Truncation::Dealer => 0.0,
        Truncation::Local => trainer.local_wraps(),
    }
}
