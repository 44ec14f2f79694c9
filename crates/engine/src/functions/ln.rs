//! ln on [1, classes], for the value of the cross entropy.

use super::{INNER, coefficients, series};
use crate::{Engine, Format, Result};
use ndarray::Array2;

/// ln(s) for 1 <= s <= `most`, in `out`'s format. The absolute error is below 2^-14 for `most` <= 10 and 2^-7 for
/// `most` <= 64 (17 coefficients; the series converges as (1 - 2/(1 + sqrt(most)))^k).
///
/// # Errors
/// Those of the engine.
pub fn ln<E: Engine>(e: &mut E, s: &E::Num, most: f64, out: Format) -> Result<E::Num> {
    let (mid, half) = ((most + 1.0) / 2.0, (most - 1.0).max(1.0) / 2.0);
    // t = (s - mid) / half in [-1, 1].
    let mid_num = e.public(&Array2::from_elem((1, 1), mid), Format { frac: e.format(s).frac, bits: e.format(s).bits })?;
    let t = e.sub(s, &mid_num)?;
    let t = e.times(&t, 1.0 / half, 24)?;
    let [t] = e.truncate([(&t, Format { frac: INNER, bits: INNER + 1 })])?;
    let c = coefficients(17, |t| (mid + half * t).ln());
    series(e, &t, &c, out)
}
