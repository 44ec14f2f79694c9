//! The sigmoid within 2^-15 for every input: a Chebyshev series of degree 16 on [0, 16], 1 beyond, and reflected below 0.

use super::{INNER, coefficients, series};
use crate::{Engine, Format, Index, Result};
use ndarray::Array2;

/// Inputs beyond this, on either side, count as this: 1 - sigmoid(16) = 1.1e-7.
pub const SIGMOID_REACH: f64 = 16.0;
/// Fraction bits of an input that are looked at.
const INPUT: u8 = 24;

/// 1 / (1 + exp(-x)) in `out`'s format; the absolute error is below 2^-15 plus one unit of `out`.
///
/// Rounds: those of a ReLU, four products, a truncation and a selection.
///
/// # Errors
/// Those of the engine.
pub fn sigmoid<E: Engine>(e: &mut E, x: &E::Num, out: Format) -> Result<E::Num> {
    let format = e.format(x);
    let x = match format.frac.checked_sub(INPUT) {
        Some(more) if more > 0 => {
            let [x] = e.truncate([(x, Format { frac: INPUT, bits: format.bits.saturating_sub(more) })])?;
            x
        }
        _ => x.clone(),
    };
    let constant = |e: &E, c: f64, bits: u8| e.public(&Array2::from_elem((1, 1), c), Format { frac: bits - 6, bits });
    let reach = constant(e, SIGMOID_REACH, 6)?;
    let (above, below) = (e.sub(&x, &reach)?, e.add(&x, &reach)?);
    // All comparisons and selections side by side.
    let [rows, n] = e.shape(&x);
    let wide = e.format(&above).bits;
    let all = e.beside(&[&e.claim(&x, wide), &above, &below])?;
    let (parts, bits) = e.relu(&all)?;
    let part = |e: &E, i: usize| e.gather(&parts, Index::Cols(&(i * n..(i + 1) * n).collect::<Vec<_>>()));
    // |x| = 2 relu(x) - x, less what is beyond the reach: relu(x - 16), and relu(-x - 16) = relu(x + 16) - (x + 16).
    let size = e.sub(&e.times(&part(e, 0), 2.0, 0)?, &x)?;
    let size = e.sub(&e.sub(&size, &part(e, 1))?, &e.sub(&part(e, 2), &below)?)?;
    // In [0, 16]; t = size / 8 - 1.
    let half = SIGMOID_REACH / 2.0;
    let t = e.times_2(&size, -(half.log2() as i8))?;
    let t = e.claim(&t, e.format(&t).frac + 2);
    let one = e.public(&Array2::ones((1, 1)), Format { frac: INNER, bits: INNER + 1 })?;
    let t = e.sub(&t, &one)?;
    let c = coefficients(17, |t| 1.0 / (1.0 + (-half * (t + 1.0)).exp()) - 0.5);
    let rise = series(e, &t, &c, out)?;
    // 1/2 + rise where x >= 0, 1/2 - rise elsewhere.
    let positive = e.gather_bits(&bits, Index::Cols(&(0..n).collect::<Vec<_>>()));
    debug_assert_eq!(e.shape(&rise), [rows, n]);
    let [up] = e.select([(&positive, &rise)])?;
    let signed = e.sub(&e.times(&up, 2.0, 0)?, &rise)?;
    let middle = e.public(&Array2::from_elem((1, 1), 0.5), out)?;
    Ok(e.claim(&e.add(&signed, &middle)?, out.bits))
}
