//! The maximum of each row, as a tournament: log2(columns) rounds of comparisons.

use crate::{Engine, Index, Result, Sum};

/// The largest element of each row, exactly; one column.
///
/// # Errors
/// Those of the engine.
pub fn row_max<E: Engine>(e: &mut E, x: &E::Num) -> Result<E::Num> {
    let bits = e.format(x).bits;
    let mut x = x.clone();
    while e.shape(&x)[1] > 1 {
        let [_, n] = e.shape(&x);
        // Where the number of columns is odd, the last one meets itself.
        let left: Vec<usize> = (0..n).step_by(2).collect();
        let right: Vec<usize> = left.iter().map(|&j| (j + 1).min(n - 1)).collect();
        let (a, b) = (e.gather(&x, Index::Cols(&left)), e.gather(&x, Index::Cols(&right)));
        // max(a, b) = b + ReLU(a - b)
        let (gain, _) = e.relu(&e.sub(&a, &b)?)?;
        x = e.add(&b, &gain)?;
        x = e.claim(&x, bits);
    }
    Ok(x)
}

/// The same from the comparison of all pairs at once: deeper circuits cost some engines more than wider ones.
///
/// # Errors
/// Those of the engine.
pub fn row_max_of_pairs<E: Engine>(e: &mut E, x: &E::Num) -> Result<E::Num> {
    let best = super::argmax(e, x)?;
    let [only] = e.select([(&best, x)])?;
    let bits = e.format(x).bits;
    Ok(e.claim(&e.sum(&only, Sum::Cols), bits))
}
