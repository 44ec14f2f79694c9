//! The squared error of a regression: L = (z - y)^2 / 2, averaged over the batch. What is reported is (z - y)^2.
//!
//! The gradient by the output is z - y. It is not bounded by 1 as that of the cross entropy is: the output is promised to
//! stay below 2^6, targets below 2^3, so |z - y| < 2^7. In exchange the output has no more fraction bits than targets.

use crate::scales::Scales;
use trefoil_engine::{Engine, Format, Product, Result};

/// Fraction bits of the squares.
const FRAC: u8 = 16;

/// z - y: [batch, 1], for outputs and targets of that shape, in the format that the scales promise.
///
/// # Errors
/// Those of the engine.
pub fn gradient<E: Engine>(e: &E, z: &E::Num, y: &E::Num, scales: &Scales) -> Result<E::Num> {
    let d = e.sub(z, y)?;
    Ok(e.claim(&d, scales.error.bits))
}

/// (z - y)^2 of each row: one product, one column.
///
/// # Errors
/// Those of the engine.
pub fn losses<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num, scales: &Scales) -> Result<E::Num> {
    let d = gradient(e, z, y, scales)?;
    let square = 2 * (scales.error.bits - scales.error.frac);
    let [squares] = e.products([Product::mul(&d, &d, Format::new(FRAC, square.cast_signed()))])?;
    Ok(squares)
}
