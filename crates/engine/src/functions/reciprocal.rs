//! 1/s on [1, most] without division: a line, then a product whose error squares with every factor.

use super::INNER;
use crate::{Engine, Format, Product, Result};
use ndarray::Array2;

/// 1/s for 1 <= s <= `most`, with [`INNER`] fraction bits. The absolute error is below 2^-20.
///
/// y = a - b s with b = 8 / (4 most + (1 + most)^2), a = b (1 + most) has the relative error e = 1 - s y, |e| <= E = 1 - b most, at
/// both ends and in the middle; y (1 + e)(1 + e^2)(1 + e^4).. has the error e^(2^k). See docs/softmax.md.
///
/// # Errors
/// Those of the engine.
pub fn reciprocal<E: Engine>(e: &mut E, s: &E::Num, most: f64) -> Result<E::Num> {
    let unit = Format { frac: INNER, bits: INNER + 1 };
    let one = e.public(&Array2::ones((1, 1)), unit)?;
    let b = 8.0 / (4.0 * most + (1.0 + most).powi(2));
    let slope = e.times(s, -b, 24)?;
    // a is at most 2, and 2 where `most` is 1: one bit more than 1/s needs.
    let wider = Format { bits: e.format(&slope).bits + 1, ..e.format(&slope) };
    let a = e.public(&Array2::from_elem((1, 1), b * (1.0 + most)), wider)?;
    let [mut y] = e.truncate([(&e.add(&slope, &a)?, unit)])?;
    let [sy] = e.products([Product::mul(s, &y, Format { bits: INNER + 2, ..unit })])?;
    let mut err = e.claim(&e.sub(&e.claim(&sy, INNER), &one)?, unit.bits); // -e; squares from here on
    let mut factor = e.claim(&e.sub(&one_like(e, &err)?, &err)?, unit.bits + 1);
    let mut bound = 1.0 - b * most;
    loop {
        bound *= bound;
        let last = bound < 24f64.exp2().recip();
        if last {
            [y] = e.products([Product::mul(&y, &factor, unit)])?;
            return Ok(y);
        }
        [y, err] = e.products([Product::mul(&y, &factor, unit), Product::mul(&err, &err, unit)])?;
        factor = e.claim(&e.add(&err, &one)?, unit.bits + 1);
    }
}

/// Ones in the shape of `x`.
fn one_like<E: Engine>(e: &E, x: &E::Num) -> Result<E::Num> {
    let [rows, cols] = e.shape(x);
    e.public(&Array2::ones((rows, cols)), Format { frac: INNER, bits: INNER + 1 })
}
