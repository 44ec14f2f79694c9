//! Clipping by value: each element of a gradient is put into \[-c, c\], as PyTorch's `clip_grad_value_` does.
//!
//! x - [x >= c] (x - c) + [-x >= c] (-x - c): two comparisons in the same three rounds, and two selections in one. What is clipped has been
//! truncated; so nothing can join that truncation, and momentum takes one of its own.

use crate::{Error, Result};
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Result as EngineResult};

/// A bound that can be one.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn check(bound: Option<f64>) -> Result<()> {
    match bound {
        Some(c) if !(c >= (-10f64).exp2() && c <= 1024.0) => Err(Error::config("clip", c, "2^-10 to 1024")),
        _ => Ok(()),
    }
}

/// Each element of `x` in [-`bound`, `bound`], below 2^`bits` as an integer. The bound is rounded to the fraction bits of `x`; it is at least
/// 16 units of their last, and no more than `x` may have.
///
/// # Errors
/// Those of the engine.
pub(crate) fn clip<E: Engine>(e: &mut E, x: &E::Num, bound: f64, bits: u8) -> EngineResult<E::Num> {
    Ok(clipped(e, x, bound, bits)?.0)
}

/// And which elements are the bound or above it, or likewise below.
///
/// # Errors
/// Those of the engine.
pub(crate) fn clipped<E: Engine>(e: &mut E, x: &E::Num, bound: f64, bits: u8) -> EngineResult<(E::Num, [E::Bit; 2])> {
    let format = e.format(x);
    let unit = f64::from(-format.frac.cast_signed()).exp2();
    let bound = Array2::from_elem((1, 1), bound.max(16.0 * unit).min(f64::from(format.bits).exp2() * unit));
    let bound = e.public(&bound, Format { bits: format.bits + 1, ..format })?;
    e.settle(&[x])?;
    let (above, below) = (e.sub(x, &bound)?, e.sub(&e.times(x, -1.0, 0)?, &bound)?);
    let [is_above, is_below] = e.drelu([&above, &below])?;
    let [above, below] = e.select([(&is_above, &above), (&is_below, &below)])?;
    let clipped = e.add(&e.sub(x, &above)?, &below)?;
    Ok((e.claim(&clipped, bits), [is_above, is_below]))
}
