//! Statistics of columns that lack values: those of the values that there are, whose number nobody is shown.
//!
//! Where a value v is missing, w is 0 and the number behind it, m, is 1. Of n records, and N the least power of two that is no less, q =
//! (n - sum m) / N is the share that has one, taken to be at least 2^-10. The mean is sum w / N / q: near to it by one product with 1 / q =
//! (1 / sqrt q)^2, and then what is left of the sum by another. Of the squares sum w (w - near) - near (sum w - near q N) is left: a value
//! that is missing adds nothing to either.
//!
//! The maximum errors: of the mean 2^-14 units, of 1 / deviation 2^-15 / q of it.

use super::{MEAN, Statistics, VARIANCE, WHOLE, blocks, by_parts, finer, inverse_root, together};
use crate::statistics::POWERS;
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Index, Product, Result, Sum};

/// Values that are missing.
#[derive(Clone)]
pub struct Gaps<N> {
    /// Of which columns, in their order.
    pub columns: Vec<usize>,
    /// For each of them 1 where a value is missing, and else 0, without fraction bits: [records, columns]. The value itself is 0 there.
    pub missing: N,
}

/// The share of values that are there is taken to be at least 2^-this.
const LEAST: u8 = 10;
/// 1 / sqrt of it, 1 to 2^5: as finely as it is computed, and as it meets the squares.
const ROOT: [Format; 2] = [Format::new(22, 6), Format::new(18, 6)];
/// 1 / share.
const PER_SHARE: Format = Format::new(20, 11);
/// The sum of the values over N, the first time.
const SUM: Format = Format::new(18, 10);
/// What is left of it then, at most: fraction bits; below 2^-5.
const LEFT: u8 = 28;
/// The sum of the squares over N.
const SQUARES: Format = Format::new(16, 21);

impl<N: Clone> Statistics<N> {
    /// Mean and 1 / deviation of the values that are there.
    pub(super) fn present<E: Engine<Num = N>>(e: &mut E, w: &N, missing: &N) -> Result<Self> {
        let ([n, _], frac) = (e.shape(w), e.format(w).frac);
        let power = n.max(1).next_power_of_two().ilog2() as u8;
        let over = |e: &E, x: &N| e.times_2(x, -power.cast_signed());
        let sum = over(e, &e.sum(w, Sum::Rows))?;
        let sum = e.claim(&sum, frac + power + WHOLE);
        let public = |e: &E, v: f64, format| e.public(&Array2::from_elem((1, 1), v), format);
        // The share that is missing, and from it the one that is there; taken to be large enough, so that nothing diverges.
        let lacking = over(e, &e.sum(missing, Sum::Rows))?;
        let unit = Format { frac: power, bits: power + 1 };
        let share = e.sub(&e.times(&lacking, -1.0, 0)?, &public(e, -(n as f64) / f64::from(power).exp2(), unit)?)?;
        let share = e.claim(&share, unit.bits);
        let least = public(e, f64::from(LEAST).exp2().recip(), Format::new(LEAST, 1))?;
        let (above, _) = e.relu(&e.sub(&share, &least)?)?;
        let enough = e.add(&above, &least)?;
        let enough = e.claim(&enough, e.format(&enough).frac + 1);
        let root = e.inverse_sqrt(&enough, [-LEAST.cast_signed(), 1], ROOT[0])?;
        let [per_share] = e.products([Product::mul(&root, &root, PER_SHARE)])?;
        let [first, root] = e.truncate([(&sum, cut(e.format(&sum), SUM)), (&root, ROOT[1])])?;
        e.settle(&[&per_share, &first, &root])?;

        let [near] = e.products([Product::mul(&first, &per_share, Format { frac, bits: frac + WHOLE })])?;
        e.settle(&[&near])?;
        let of = |x: Format, whole: u8| Format { frac: x.frac + frac, bits: x.frac + frac + whole };
        let (exact, taken) = (of(e.format(&share), WHOLE + 1), of(e.format(&enough), WHOLE + 1));
        let [there, taken] = e.products([Product::mul(&near, &share, exact), Product::mul(&near, &enough, taken)])?;
        // Where more than a few values are missing, near is taken to be nearer to 0 than the mean: then this is larger, but below 2.
        let apart = e.sub(&sum, &there)?;
        let apart = e.claim(&apart, exact.frac + 1);
        let left = e.sub(&sum, &taken)?;
        let format = e.format(&left);
        let left = e.claim(&left, format.frac - 5);
        let [left] = e.truncate([(&left, cut(e.format(&left), Format { frac: LEFT, bits: LEFT - 5 }))])?;
        let [more] = e.products([Product::mul(&left, &per_share, Format { frac: MEAN.frac, bits: MEAN.bits })])?;
        let mean = e.add(&finer(e, &near, MEAN)?, &more)?;
        let mean = e.claim(&mean, MEAN.bits);

        let squares = around(e, w, &near)?;
        let squares = over(e, &squares)?;
        let [squares] = e.truncate([(&squares, cut(e.format(&squares), SQUARES))])?;
        let [apart] = e.products([Product::mul(&near, &apart, SQUARES)])?;
        let squares = e.claim(&e.sub(&finer(e, &squares, SQUARES)?, &apart)?, SQUARES.bits);
        e.settle(&[&squares])?;
        // Times 1 / share, by its root twice: neither product leaves the ring.
        let [squares] = e.products([Product::mul(&squares, &root, SQUARES)])?;
        let format = Format { frac: VARIANCE, bits: VARIANCE + 2 * WHOLE };
        let [variance] = e.products([Product::mul(&squares, &root, format)])?;
        e.settle(&[&mean, &variance])?;
        let inverse = inverse_root(e, &e.times_2(&variance, POWERS[0])?, WHOLE)?;
        Ok(Statistics { mean, inverse })
    }

    /// How far values are from the mean; those that are missing are 0.
    pub(super) fn apart<E: Engine<Num = N>>(e: &mut E, [w, missing, mean]: [&N; 3]) -> Result<N> {
        let rows = e.shape(w)[0];
        let format = e.format(mean);
        let [filled] = e.products([Product::mul(missing, &super::spread(e, mean, rows), format)])?;
        let apart = e.add(&e.sub(w, mean)?, &filled)?;
        Ok(e.claim(&apart, format.bits + 1))
    }
}

/// A format, or the same with fewer bits where it has no more.
fn cut(of: Format, to: Format) -> Format {
    let over = of.frac.saturating_sub(to.frac);
    Format { frac: of.frac - over, bits: of.bits - over }
}

/// The sum of w (w - near) of each column, one row.
fn around<E: Engine>(e: &mut E, w: &E::Num, near: &E::Num) -> Result<E::Num> {
    let ([n, columns], Format { frac, .. }) = (e.shape(w), e.format(w));
    let whole = 2 * WHOLE + 1;
    // As finely as the sum of all stays in the ring.
    let rows = n.max(1).next_power_of_two().ilog2() as u8;
    let fine = (trefoil_engine::MAX_BITS - 2).saturating_sub(whole + rows).min(2 * frac);
    let mut sums = Vec::new();
    for block in blocks(n, columns) {
        let w = e.claim(&e.gather(w, Index::Rows(&block)), frac + WHOLE);
        let apart = e.claim(&e.sub(&w, near)?, frac + WHOLE + 1);
        let to = by_parts(block.len(), columns);
        let product = Format { frac: fine, bits: fine + whole };
        let [part] = e.products([Product { scatter: Some(&to), ..Product::mul(&w, &apart, to.format(product)) }])?;
        let sum = e.sum(&part, Sum::Rows);
        sums.push(e.claim(&sum, fine + whole + rows));
    }
    together(e, &sums)
}
