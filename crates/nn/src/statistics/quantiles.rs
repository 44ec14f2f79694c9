//! Median and quartiles of columns, by bisection.
//!
//! The quantile of a part p of n values is the one that floor(p (n - 1)) values stand before, in order: the largest t on the grid of values
//! that no more than so many are less than. It is found digit by digit, from the largest on: each step compares all values with one number a
//! quantile, which nobody is shown, adds up what the comparisons say, and compares that with the rank. Exact, of at most [`SAMPLE`] records:
//! of more a public sample is taken, whose quantiles are at a rank in all records that is off by more than 2 % of them with a chance below
//! 10^-5 (2 exp(-2 0.02^2 2^14), the inequality of Dvoretzky, Kiefer and Wolfowitz).
//!
//! Where values may be missing, n is the number of those that are there, which nobody is shown: a value that is missing counts for no side of a
//! comparison, and the rank is met as 4 (values that are not less) >= (4 - 4 p) n + 4 p, in whole numbers. A sample has fewer values then: of a
//! share q that is there the rank is off by 2 % / sqrt(q). Of no value at all the quantiles are 0,
//! the middle of the bounds.

use super::{Statistics, WHOLE, groups};
use crate::order::{Use, order};
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Index, Result, Sum};

/// Records that quantiles are of, at most.
pub const SAMPLE: usize = 1 << 14;
/// The lower quartile, the median and the upper quartile.
const PARTS: [f64; 3] = [0.25, 0.5, 0.75];
/// All of these are whole numbers in units of one over it.
const QUARTERS: f64 = 4.0;

impl<N: Clone> Statistics<N> {
    /// Median and 1 / (upper quartile - lower quartile), of the values that are there where some may be missing.
    pub(super) fn quantiles<E: Engine<Num = N>>(e: &mut E, w: &N, missing: Option<&N>) -> Result<Self> {
        let [n, columns] = e.shape(w);
        let sample: Option<Vec<usize>> = (n > SAMPLE).then(|| order(n, 0, Use::Quantiles).into_iter().take(SAMPLE).collect());
        let sampled = |e: &E, x: &N| sample.as_ref().map_or_else(|| x.clone(), |rows| e.gather(x, Index::Rows(rows)));
        let (w, missing) = (sampled(e, w), missing.map(|missing| sampled(e, missing)));
        let rows = e.shape(&w)[0];
        let mut all = [vec![], vec![], vec![]];
        for group in groups(rows * PARTS.len(), columns) {
            let of = |x: &N| e.gather(x, Index::Cols(&group));
            let (w, missing) = (of(&w), missing.as_ref().map(of));
            let of = bisected(e, &w, missing.as_ref())?;
            for (part, all) in all.iter_mut().enumerate() {
                let at: Vec<usize> = (0..group.len()).map(|i| part * group.len() + i).collect();
                all.push(e.gather(&of, Index::Cols(&at)));
            }
        }
        let beside = |e: &E, parts: &[N]| e.beside(&parts.iter().collect::<Vec<_>>());
        let [lower, median, upper] = [beside(e, &all[0])?, beside(e, &all[1])?, beside(e, &all[2])?];
        let apart = e.sub(&upper, &lower)?;
        Statistics::by_width(e, &median, &apart)
    }
}

/// All columns' quantiles of the first part, then those of the second, and of the third.
fn bisected<E: Engine>(e: &mut E, w: &E::Num, missing: Option<&E::Num>) -> Result<E::Num> {
    let ([n, columns], Format { frac, .. }) = (e.shape(w), e.format(w));
    let wide = PARTS.len() * columns;
    let each_part = (0..wide).map(|i| i % columns.max(1)).collect::<Vec<_>>();
    let each = e.gather(w, Index::Cols(&each_part));
    let row =
        |e: &E, v: &dyn Fn(usize) -> f64, format: Format| e.public(&Array2::from_shape_fn((1, wide), |(_, i)| v(i)), format);
    let bits = n.max(1).ilog2() as u8 + 2;
    let ones = e.public(&Array2::ones((n, wide)), Format { frac: 0, bits: 1 })?;
    let part = |i: usize| PARTS[i / columns.max(1)];
    // Values that are not less than the quantile: all but those that stand before it.
    let (there, unit, least, any) = match missing {
        None => {
            let least = |i| n as f64 - (part(i) * n.saturating_sub(1) as f64).floor();
            (ones, 1.0, row(e, &least, Format { frac: 0, bits })?, None)
        }
        Some(missing) => {
            let there = e.claim(&e.sub(&ones, &e.gather(missing, Index::Cols(&each_part)))?, 1);
            let count = e.sum(&e.gather(&there, Index::Cols(&(0..columns).collect::<Vec<_>>())), Sum::Rows);
            let one = e.public(&Array2::ones((1, 1)), Format { frac: 0, bits: 1 })?;
            let [any] = e.drelu([&e.sub(&count, &one)?])?;
            let parts = PARTS.map(|p| e.times(&count, QUARTERS * (1.0 - p), 0));
            let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
            let rest = row(e, &|i| QUARTERS * part(i), Format { frac: 0, bits: 2 })?;
            let least = e.add(&e.beside(&parts.iter().collect::<Vec<_>>())?, &rest)?;
            let any = e.gather_bits(&any, Index::Cols(&each_part));
            (there, QUARTERS, e.claim(&least, bits + 2), Some(any))
        }
    };
    let digit = |d: i8| f64::from(d).exp2();
    let mut t = row(e, &|_| -digit(WHOLE.cast_signed()), Format { frac, bits: frac + WHOLE + 1 })?;
    for d in (-frac.cast_signed()..=WHOLE.cast_signed()).rev() {
        let step = row(e, &|_| digit(d), Format { frac, bits: frac + WHOLE + 1 })?;
        let tried = e.claim(&e.add(&t, &step)?, frac + WHOLE + 1);
        let apart = e.claim(&e.sub(&each, &tried)?, frac + WHOLE + 1);
        let [not_less] = e.drelu([&apart])?;
        let [counted] = e.select([(&not_less, &there)])?;
        let count = e.claim(&e.sum(&counted, Sum::Rows), bits);
        let count = e.times(&count, unit, 0)?;
        let [taken] = e.drelu([&e.sub(&count, &least)?])?;
        let [step] = e.select([(&taken, &step)])?;
        t = e.claim(&e.add(&t, &step)?, frac + WHOLE + 1);
    }
    if let Some(any) = any {
        [t] = e.select([(&any, &t)])?;
    }
    Ok(e.claim(&t, frac + WHOLE))
}
