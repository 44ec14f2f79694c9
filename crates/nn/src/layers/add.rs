//! The sum of several outputs of one shape, as in residual networks: y = x_1 + x_2 + ..
//!
//! Local, forward and backward: the gradient by each input is that by the output. That the sum keeps the range of activations is
//! promised, as it is of every product's result.

use trefoil_engine::{Engine, Error, Format, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Add;

impl Add {
    /// More inputs than this are taken for a mistake.
    pub const MOST: usize = 16;

    /// The sum, which `out` promises to be in its range. Fraction bits are those of the input that has the most.
    ///
    /// # Errors
    /// Those of the engine, and without an input.
    pub fn forward<E: Engine>(self, e: &E, x: &[&E::Num], out: Format) -> Result<E::Num> {
        let (first, rest) = x.split_first().ok_or(Error::Shape { what: "sum of no matrices", left: [0, 0], right: [0, 0] })?;
        let mut sum = (*first).clone();
        for x in rest {
            let next = e.add(&sum, x)?;
            let bits = e.format(&next).bits.min((e.format(&next).frac + out.bits).saturating_sub(out.frac));
            sum = e.claim(&next, bits);
        }
        Ok(sum)
    }

    /// The sum of the gradients that come back to an output from those that use it. It is promised to stay in the widest range of theirs.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn gradients<E: Engine>(e: &E, x: &E::Num, y: &E::Num) -> Result<E::Num> {
        let sum = e.add(x, y)?;
        Ok(e.claim(&sum, e.format(&sum).bits - 1))
    }
}
