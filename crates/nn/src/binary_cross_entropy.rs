//! The cross entropy of one output: L = -ln p where the label is 1, -ln (1 - p) where it is 0, with p = sigmoid(z), averaged over the batch.
//!
//! The gradient by the output is p - y. The value, ln(1 + exp(z)) - y z = max(z, 0) - y z + ln(1 + exp(-|z|)), is computed for evaluation
//! only.

use crate::scales::Scales;
use ndarray::Array2;
use trefoil_engine::functions::{exp, ln};
use trefoil_engine::{Engine, Format, Product, Result};

/// p - y: [batch, 1], for outputs and labels 0 and 1 of that shape.
///
/// # Errors
/// Those of the engine.
pub fn gradient<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num, scales: &Scales) -> Result<E::Num> {
    let p = e.sigmoid(z, Format::new(scales.error.frac, 1))?;
    let d = e.sub(&p, y)?;
    // |p - y| <= 1 up to the error of p.
    Ok(e.claim(&d, scales.error.bits))
}

/// The loss of each row within 2^-13: one column.
///
/// # Errors
/// Those of the engine.
pub fn losses<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num) -> Result<E::Num> {
    let format = e.format(z);
    let (positive, _) = e.relu(z)?;
    // -|z| = z - 2 max(z, 0).
    let small = exp(e, &e.sub(z, &e.times(&positive, 2.0, 0)?)?, Format::new(24, 1))?;
    let one = e.public(&Array2::ones((1, 1)), Format::new(24, 1))?;
    let rest = ln(e, &e.add(&small, &one)?, 2.0, Format::new(format.frac, 1))?;
    let [at_label] = e.products([Product::mul(z, y, format)])?;
    e.add(&e.sub(&positive, &at_label)?, &rest)
}
