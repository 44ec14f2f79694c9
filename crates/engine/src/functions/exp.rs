//! exp on non-positive numbers: clamped at -16, then a Chebyshev series of degree 16.

use super::{INNER, coefficients, series};
use crate::{Engine, Format, Result};
use ndarray::Array2;

/// Inputs below this count as this: exp(-16) = 1.1e-7.
pub const EXP_FLOOR: f64 = -16.0;

/// exp(x) for x <= 0, in `out`'s format; the absolute error is below 2^-16 plus one unit of `out`.
///
/// Rounds: those of a ReLU, four products and a truncation.
///
/// # Errors
/// Those of the engine.
pub fn exp<E: Engine>(e: &mut E, x: &E::Num, out: Format) -> Result<E::Num> {
    let half = -EXP_FLOOR / 2.0;
    let floor = e.public(&Array2::from_elem((1, 1), EXP_FLOOR), Format::new(0, 6))?;
    // y = max(x, floor) - floor in [0, 16], and t = y/8 - 1 in [-1, 1].
    let above = e.sub(x, &floor)?;
    let (y, _) = e.relu(&above)?;
    let y = e.times_2(&y, -(half.log2() as i8))?;
    let unit = e.public(&Array2::ones((1, 1)), Format { frac: INNER, bits: INNER + 1 })?;
    let y = e.claim(&y, e.format(&y).frac + 2);
    let t = e.sub(&y, &unit)?;
    let c = coefficients(17, |t| (half * (t - 1.0)).exp());
    series(e, &t, &c, out)
}
