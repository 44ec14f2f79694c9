//! Minimum and maximum of columns, by a tournament.

use super::{Statistics, WHOLE, finer, groups, inverse_root};
use crate::statistics::MEAN;
use trefoil_engine::{Engine, Format, Index, Product, Result};

/// Fraction bits of the square of the difference.
const SQUARE: u8 = 16;

impl<N: Clone> Statistics<N> {
    /// Minimum and 1 / (maximum - minimum).
    pub(super) fn range<E: Engine<Num = N>>(e: &mut E, w: &N) -> Result<Self> {
        let [n, columns] = e.shape(w);
        let mut both = Vec::new();
        for group in groups(n, columns) {
            both.push(extremes(e, &e.gather(w, Index::Cols(&group)))?);
        }
        let [least, apart] = [0, 1].map(|i| both.iter().map(|both| &both[i]).collect::<Vec<_>>());
        let (least, apart) = (e.beside(&least)?, e.beside(&apart)?);
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

/// The minimum of each column, and how far the maximum is from it. Half of the records meets the other half, until one is left; of an odd
/// number the one in the middle meets itself. The first meeting serves both.
fn extremes<E: Engine>(e: &mut E, w: &E::Num) -> Result<[E::Num; 2]> {
    let (columns, format) = (e.shape(w)[1], e.format(w));
    let meet = |e: &E, x: &E::Num| {
        let n = e.shape(x)[0];
        let half = n.div_ceil(2);
        let of = |from: usize| e.gather(x, Index::Rows(&(from..from + half).collect::<Vec<_>>()));
        (of(0), of(n - half))
    };
    let negative = |e: &E, x: &E::Num| -> Result<E::Num> { Ok(e.claim(&e.times(x, -1.0, 0)?, format.bits)) };
    let (a, b) = meet(e, w);
    let above = e.sub(&b, &a)?;
    let (above, _) = e.relu(&above)?;
    let larger = e.claim(&e.add(&a, &above)?, format.bits);
    let smaller = e.claim(&e.sub(&b, &above)?, format.bits);
    // The smallest is the largest of the negative ones.
    let mut x = e.beside(&[&larger, &negative(e, &smaller)?])?;
    while e.shape(&x)[0] > 1 {
        let (a, b) = meet(e, &x);
        let above = e.sub(&b, &a)?;
        let (above, _) = e.relu(&above)?;
        x = e.claim(&e.add(&a, &above)?, format.bits);
    }
    let of = |from: usize| e.gather(&x, Index::Cols(&(from..from + columns).collect::<Vec<_>>()));
    let (most, least) = (of(0), of(columns));
    Ok([negative(e, &least)?, e.add(&most, &least)?])
}
