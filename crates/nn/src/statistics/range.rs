//! Minimum and maximum of columns, by a tournament.

use super::{Statistics, WHOLE, below, blocks, finer, inverse_root};
use crate::statistics::MEAN;
use trefoil_engine::{Engine, Format, Index, Product, Result};

/// Fraction bits of the square of the difference.
const SQUARE: u8 = 16;

impl<N: Clone> Statistics<N> {
    /// Minimum and 1 / (maximum - minimum).
    pub(super) fn range<E: Engine<Num = N>>(e: &mut E, w: &N) -> Result<Self> {
        let [least, apart] = extremes(e, w)?;
        Statistics::by_width(e, &least, &apart)
    }

    /// What is subtracted, and one over a width, which is taken to be at least two units.
    pub(super) fn by_width<E: Engine<Num = N>>(e: &mut E, least: &N, apart: &N) -> Result<Self> {
        let frac = e.format(apart).frac;
        e.settle(&[least, apart])?;
        // Below 2^11, so that the square over 2^22 is below 1.
        let whole = WHOLE + 1;
        let apart = e.claim(apart, frac + whole);
        let [square] = e.products([Product::mul(&apart, &apart, Format { frac: SQUARE, bits: SQUARE + 2 * whole })])?;
        let square = e.times_2(&square, -2 * whole.cast_signed())?;
        let inverse = inverse_root(e, &square, whole)?;
        Ok(Statistics { mean: finer(e, least, MEAN)?, inverse })
    }
}

/// The minimum of each column, and how far the maximum is from it: of blocks of records, and then of what is left of each block.
fn extremes<E: Engine>(e: &mut E, w: &E::Num) -> Result<[E::Num; 2]> {
    let ([n, columns], format) = (e.shape(w), e.format(w));
    let mut left = Vec::new();
    for block in blocks(n, columns) {
        let block = e.gather(w, Index::Rows(&block));
        left.push(largest_and_smallest(e, &block)?);
    }
    let left = below(e, &left)?;
    let all = largest(e, left)?;
    let of = |from: usize| e.gather(&all, Index::Cols(&(from..from + columns).collect::<Vec<_>>()));
    let (most, least) = (of(0), of(columns));
    Ok([e.claim(&e.times(&least, -1.0, 0)?, format.bits), e.add(&most, &least)?])
}

/// One row: the largest of each column, and the largest of each column's negative. The first meeting serves both.
fn largest_and_smallest<E: Engine>(e: &mut E, w: &E::Num) -> Result<E::Num> {
    let bits = e.format(w).bits;
    let (a, b) = meet(e, w);
    let above = e.sub(&b, &a)?;
    let (above, _) = e.relu(&above)?;
    let larger = e.claim(&e.add(&a, &above)?, bits);
    let smaller = e.claim(&e.sub(&b, &above)?, bits);
    // The smallest is the largest of the negative ones.
    let negative = e.claim(&e.times(&smaller, -1.0, 0)?, bits);
    let both = e.beside(&[&larger, &negative])?;
    largest(e, both)
}

/// The largest of each column, one row.
fn largest<E: Engine>(e: &mut E, mut x: E::Num) -> Result<E::Num> {
    let bits = e.format(&x).bits;
    while e.shape(&x)[0] > 1 {
        let (a, b) = meet(e, &x);
        let above = e.sub(&b, &a)?;
        let (above, _) = e.relu(&above)?;
        x = e.claim(&e.add(&a, &above)?, bits);
    }
    Ok(x)
}

/// Half of the rows, and the half that it meets; of an odd number the one in the middle meets itself.
fn meet<E: Engine>(e: &E, x: &E::Num) -> (E::Num, E::Num) {
    let n = e.shape(x)[0];
    let half = n.div_ceil(2);
    let of = |from: usize| e.gather(x, Index::Rows(&(from..from + half).collect::<Vec<_>>()));
    (of(0), of(n - half))
}
