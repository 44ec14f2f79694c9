//! Division as long division, a bit at a time, as the papers do it (SecureNN, algorithm 8).
//!
//! The paper shifts the divisor down, which is not local on shares, and starts at the first fraction bit, which misses
//! x = y. Here the dividend is shifted up, multiples of y by powers of two are local, and the first quotient bit is
//! that of 2^0.

use crate::{Engine, Format, Index, Result};
use ndarray::Array2;

/// floor(2^frac x / y) with `frac` fraction bits, for 0 <= x <= y and y > 0, where y is one column and x and y have equal
/// fraction bits. The result is exact. y = 0, or x of 2 y or more, gives all ones.
///
/// Rounds: `frac` + 1 times a comparison and a selection.
///
/// # Errors
/// [`crate::Error::Range`] unless 2^frac y stays in the ring; those of the engine.
pub fn division<E: Engine>(e: &mut E, x: &E::Num, y: &E::Num, frac: u8) -> Result<E::Num> {
    let [rows, columns] = e.shape(x);
    let y = e.gather(y, Index::Cols(&vec![0; columns]));
    // Where x is larger than was said, the comparisons are still those of whole numbers.
    let bits = e.format(&y).bits.max(e.format(x).bits) + frac + 1;
    // What is left of 2^frac x, and the quotient so far.
    let mut rest = e.times(x, f64::from(frac).exp2(), 0)?;
    let out = Format { frac, bits: frac + 1 };
    let mut q = e.public(&Array2::zeros((rows, columns)), out)?;
    for i in 0..=frac {
        let part = e.times(&y, f64::from(frac - i).exp2(), 0)?;
        let value = e.public(&Array2::from_elem((rows, columns), (-f64::from(i)).exp2()), out)?;
        let difference = e.sub(&rest, &part)?;
        let [fits] = e.drelu([&e.claim(&difference, bits)])?;
        let [taken, bit] = e.select([(&fits, &part), (&fits, &value)])?;
        rest = e.claim(&e.sub(&rest, &taken)?, bits);
        q = e.claim(&e.add(&q, &bit)?, out.bits);
    }
    Ok(q)
}
