//! The position of the largest element of each row, as a one-hot row of bits.

use crate::{Engine, Index, Result};

/// One-hot bits of the first largest element of each row.
///
/// All pairs are compared at once; class i wins where it is at least every later class and larger than every earlier one.
///
/// # Errors
/// Those of the engine.
pub fn argmax<E: Engine>(e: &mut E, x: &E::Num) -> Result<E::Bit> {
    let [_, n] = e.shape(x);
    if n <= 1 {
        // The only class wins, as 0 >= 0 does.
        let [bit] = e.drelu([&e.sub(x, x)?])?;
        return Ok(bit);
    }
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
    let (left, right): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
    let (a, b) = (e.gather(x, Index::Cols(&left)), e.gather(x, Index::Cols(&right)));
    let [at_least] = e.drelu([&e.sub(&a, &b)?])?;
    // The k-th opponent of class i; where the opponent comes first, its bit is negated.
    let mut bits = Vec::new();
    for k in 0..n - 1 {
        let opponent = |i: usize| if k < i { k } else { k + 1 };
        let place = |i: usize| pairs.iter().position(|&p| p == (i.min(opponent(i)), i.max(opponent(i)))).unwrap_or_default();
        let bit = e.gather_bits(&at_least, Index::Cols(&(0..n).map(place).collect::<Vec<_>>()));
        bits.push(e.flip(&bit, &(0..n).map(|i| opponent(i) < i).collect::<Vec<_>>()));
    }
    e.all(&bits.iter().collect::<Vec<_>>())
}
