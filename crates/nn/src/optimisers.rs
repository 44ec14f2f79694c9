//! The optimisers, a file each: what makes gradients into changes of the parameters.
//!
//! Layers compute gradients and nothing else. The learning rate, the division by the batch and what an optimiser remembers are its own
//! affair; it says where they enter, so that they cost as little as they can.

pub mod sgd;

pub use sgd::Sgd;

use crate::network::Cut;
use trefoil_engine::{Engine, Result};

/// An optimiser.
pub trait Optimiser {
    /// How many matrices it keeps for each parameter.
    fn keeps(&self) -> usize;

    /// The gradient by the outputs as it goes through the network, times a public factor that may hold the rate: everything behind it
    /// is linear in it. Local.
    ///
    /// # Errors
    /// Those of the engine.
    fn begin<E: Engine>(&self, e: &E, d: &E::Num, epoch: u64) -> Result<E::Num>;

    /// What becomes of each parameter's gradient where it is a product: its format, and what joins it before it is truncated. Local.
    ///
    /// # Errors
    /// Those of the engine.
    fn cuts<E: Engine>(&self, e: &E, params: &[E::Num], kept: &[E::Num], epoch: u64) -> Result<Vec<Cut<E::Num>>>;

    /// Changes the parameters and what is kept by the gradients that came of it.
    ///
    /// # Errors
    /// Those of the engine.
    fn apply<E: Engine>(&self, e: &mut E, params: &mut [E::Num], kept: &mut [E::Num], gradients: Vec<E::Num>) -> Result<()>;
}
