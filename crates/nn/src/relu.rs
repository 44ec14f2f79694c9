//! max(x, 0), element by element. The bit of the forward pass serves the backward pass.

use crate::{Gradients, Layer};
use trefoil_engine::{Engine, Result};

/// The layer; it has no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

impl<E: Engine> Layer<E> for Relu {
    /// [x >= 0].
    type Kept = E::Bit;

    fn forward(&self, e: &mut E, x: &E::Num) -> Result<(E::Num, E::Bit)> {
        e.relu(x)
    }

    fn backward(&self, e: &mut E, bit: &E::Bit, d: &E::Num, _: &[E::Num], want_dx: bool) -> Result<Gradients<E::Num>> {
        if !want_dx {
            return Ok((None, Vec::new()));
        }
        let [dx] = e.select([(bit, d)])?;
        Ok((Some(dx), Vec::new()))
    }

    fn params(&mut self) -> Vec<&mut E::Num> {
        Vec::new()
    }
}
