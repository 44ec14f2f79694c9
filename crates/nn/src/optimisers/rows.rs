//! Parameters as one row: what is done to each number alike is done to all of them at once, in the rounds of one.

use crate::network::lift;
use trefoil_engine::{Engine, Format, Index, Result};

/// All numbers side by side, in one row: local. They have as many fraction bits as each other.
///
/// # Errors
/// Those of the engine.
pub(super) fn row<E: Engine>(e: &E, x: &[E::Num]) -> Result<E::Num> {
    let bits = x.iter().map(|x| e.format(x).bits).max().unwrap_or(0);
    let flat = |x: &E::Num| {
        let n = e.shape(x).iter().product();
        e.claim(&e.gather(x, Index::Flat([1, n], &(0..n).collect::<Vec<_>>())), bits)
    };
    e.beside(&x.iter().map(flat).collect::<Vec<_>>().iter().collect::<Vec<_>>())
}

/// The matrices of these shapes that stand in a row: local.
pub(super) fn matrices<E: Engine>(e: &E, row: &E::Num, shapes: &[[usize; 2]]) -> Vec<E::Num> {
    let mut from = 0;
    let mut next = |&[rows, columns]: &[usize; 2]| {
        let at: Vec<usize> = (from..from + rows * columns).collect();
        from += rows * columns;
        e.gather(row, Index::Flat([rows, columns], &at))
    };
    shapes.iter().map(&mut next).collect()
}

/// Truncates the single rows among `x` together: side by side, at the finest of their scales.
///
/// # Errors
/// Those of the engine.
pub(super) fn truncate<E: Engine>(e: &mut E, format: Format, x: &mut [E::Num]) -> Result<()> {
    let fine: Vec<usize> = (0..x.len()).filter(|&i| e.format(&x[i]).frac != format.frac).collect();
    let Some(frac) = fine.iter().map(|&i| e.format(&x[i]).frac).max() else { return Ok(()) };
    let frac = frac.max(format.frac);
    let lifted = fine.iter().map(|&i| lift(e, &x[i], frac - e.format(&x[i]).frac)).collect::<Result<Vec<_>>>()?;
    let bits = lifted.iter().map(|x| e.format(x).bits).max().unwrap_or(0);
    let lifted: Vec<_> = lifted.iter().map(|x| e.claim(x, bits)).collect();
    let row = e.beside(&lifted.iter().collect::<Vec<_>>())?;
    let [row] = e.truncate([(&row, format)])?;
    let mut from = 0;
    for i in fine {
        let columns: Vec<usize> = (from..from + e.shape(&x[i])[1]).collect();
        from += columns.len();
        x[i] = e.gather(&row, Index::Cols(&columns));
    }
    Ok(())
}
