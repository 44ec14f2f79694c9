//! Softmax, true to its definition: row maximum, exp, sum, reciprocal.

use super::{INNER, exp, ln, reciprocal};
use crate::{Engine, Format, Index, Product, Result, Sum};

/// What softmax and the cross entropy's value have in common.
#[derive(Clone, Debug)]
pub struct Softmax<N> {
    /// x - max(x), by row.
    pub shifted: N,
    exp: N,
    sum: N,
}

impl<N: Clone> Softmax<N> {
    /// Prepares the softmax of each row of `x`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn of<E: Engine<Num = N>>(e: &mut E, x: &N) -> Result<Self> {
        let max = e.row_max(x)?;
        let shifted = e.sub(x, &max)?;
        let exp = exp(e, &shifted, Format::new(24, 1))?;
        let sum = e.sum(&exp, Sum::Cols);
        Ok(Softmax { shifted, exp, sum })
    }

    /// The probabilities, in `out`'s format; the absolute error is below 2^-14.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn probabilities<E: Engine<Num = N>>(&self, e: &mut E, out: Format) -> Result<N> {
        let [_, classes] = e.shape(&self.exp);
        let inverse = reciprocal(e, &self.sum, classes as f64)?;
        let inverse = e.gather(&inverse, Index::Cols(&vec![0; classes]));
        debug_assert_eq!(e.format(&inverse).frac, INNER);
        let [p] = e.products([Product::mul(&self.exp, &inverse, out)])?;
        Ok(p)
    }

    /// ln(sum exp(x - max)), one column.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn log_sum<E: Engine<Num = N>>(&self, e: &mut E, out: Format) -> Result<N> {
        let [_, classes] = e.shape(&self.exp);
        ln(e, &self.sum, classes as f64, out)
    }
}

/// The softmax of each row of `x`, in `out`'s format.
///
/// # Errors
/// Those of the engine.
pub fn softmax<E: Engine>(e: &mut E, x: &E::Num, out: Format) -> Result<E::Num> {
    Softmax::of(e, x)?.probabilities(e, out)
}
