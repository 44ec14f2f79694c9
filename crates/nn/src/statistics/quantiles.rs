//! Median and quartiles of columns, by bisection.
//!
//! The quantile of a part p of n values is the one that floor(p (n - 1)) values stand before, in order: the largest t on the grid of values
//! that no more than so many are less than. It is found digit by digit, from the largest on: each step compares all values with one number a
//! quantile, which nobody is shown, adds up what the comparisons say, and compares that with the rank. Exact, of at most [`SAMPLE`] records:
//! of more a public sample is taken, whose quantiles are at a rank in all records that is off by more than 2 % of them with a chance below
//! 10^-5 (2 exp(-2 0.02^2 2^14), the inequality of Dvoretzky, Kiefer and Wolfowitz).

use super::{Statistics, WHOLE, groups};
use crate::order::{Use, order};
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Index, Result, Sum};

/// Records that quantiles are of, at most.
pub const SAMPLE: usize = 1 << 14;
/// The lower quartile, the median and the upper quartile.
const PARTS: [f64; 3] = [0.25, 0.5, 0.75];

impl<N: Clone> Statistics<N> {
    /// Median and 1 / (upper quartile - lower quartile).
    pub(super) fn quantiles<E: Engine<Num = N>>(e: &mut E, w: &N) -> Result<Self> {
        let [n, columns] = e.shape(w);
        let sampled = (n > SAMPLE).then(|| {
            let rows: Vec<usize> = order(n, 0, Use::Quantiles).into_iter().take(SAMPLE).collect();
            e.gather(w, Index::Rows(&rows))
        });
        let w = sampled.as_ref().unwrap_or(w);
        let rows = e.shape(w)[0];
        let mut all = [vec![], vec![], vec![]];
        for group in groups(rows * PARTS.len(), columns) {
            let of = bisected(e, &e.gather(w, Index::Cols(&group)))?;
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
fn bisected<E: Engine>(e: &mut E, w: &E::Num) -> Result<E::Num> {
    let ([n, columns], Format { frac, .. }) = (e.shape(w), e.format(w));
    let wide = PARTS.len() * columns;
    let each = e.gather(w, Index::Cols(&(0..wide).map(|i| i % columns.max(1)).collect::<Vec<_>>()));
    let row =
        |e: &E, v: &dyn Fn(usize) -> f64, format: Format| e.public(&Array2::from_shape_fn((1, wide), |(_, i)| v(i)), format);
    let bits = n.max(1).ilog2() as u8 + 2;
    let ones = e.public(&Array2::ones((n, wide)), Format { frac: 0, bits: 1 })?;
    // Values that are not less than the quantile: all but those that stand before it.
    let least =
        row(e, &|i| n as f64 - (PARTS[i / columns.max(1)] * n.saturating_sub(1) as f64).floor(), Format { frac: 0, bits })?;
    let digit = |d: i8| f64::from(d).exp2();
    let mut t = row(e, &|_| -digit(WHOLE.cast_signed()), Format { frac, bits: frac + WHOLE + 1 })?;
    for d in (-frac.cast_signed()..=WHOLE.cast_signed()).rev() {
        let step = row(e, &|_| digit(d), Format { frac, bits: frac + WHOLE + 1 })?;
        let tried = e.claim(&e.add(&t, &step)?, frac + WHOLE + 1);
        let apart = e.claim(&e.sub(&each, &tried)?, frac + WHOLE + 1);
        let [not_less] = e.drelu([&apart])?;
        let [counted] = e.select([(&not_less, &ones)])?;
        let count = e.claim(&e.sum(&counted, Sum::Rows), bits);
        let [taken] = e.drelu([&e.sub(&count, &least)?])?;
        let [step] = e.select([(&taken, &step)])?;
        t = e.claim(&e.add(&t, &step)?, frac + WHOLE + 1);
    }
    Ok(e.claim(&t, frac + WHOLE))
}
