//! Mean and deviation of some of the records' values over all training records, computed on shares: nobody is shown them. Records are
//! standardised by them on shares, and a model that is given away takes records as they were shared.
//!
//! Who hands in a value v that lies within public bounds hands in w, how far v is from their middle in units of 1/2000 of their width: so
//! |w| <= 1000. Over n records mean = sum w / n and variance = sum (w - mean)^2 / n. No deviation is taken to be less than a unit, so that
//! nothing diverges where all values are the same. A record's value becomes z = (w - mean) / deviation, clipped to what the network's inputs
//! may be, (-8, 8).
//!
//! A column may be standardised by its minimum and maximum instead, or by its median and quartiles ([`Scaling`]): these are exact.
//!
//! The maximum errors, which `tests/networks/statistics.rs` holds: of the mean 2^-14 units, of 1 / deviation 2^-16 of it, of z two steps of
//! its last bit, and 2^-16 of z.

mod layout;
mod present;
mod quantiles;
mod range;
mod trained;

pub(crate) use layout::Layout;
pub use present::Gaps;
pub use quantiles::SAMPLE as QUANTILES_OF;

use crate::layers::mean::over_finely;
use crate::optimisers::clip::clipped;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Format, Index, Product, Result as EngineResult, Scatter, Sum};

/// Values are below 2^this in magnitude before they are standardised.
pub const WHOLE: u8 = 10;
/// The mean, and 1 / deviation, which is 2^-10 to 1.
const MEAN: Format = Format { frac: 16, bits: 16 + WHOLE };
const INVERSE: Format = Format { frac: 20 + WHOLE, bits: 21 + WHOLE };
/// The variance over 2^20, the largest that there is: as powers of two, it is taken to be at least the first.
const POWERS: [i8; 2] = [-2 * WHOLE.cast_signed(), 0];
/// Fraction bits of the variance, and of 1/n in it and in the mean.
const VARIANCE: u8 = 18;
const SHARES: [u8; 2] = [27, 21];
/// Records whose squares are added up before anything is truncated, at most: their sum stays in the ring.
const ROWS: usize = 1 << 14;
/// Fraction bits of such a sum at least, and of that of all over a power of two, at most.
const SUMS: [u8; 2] = [10, 24];
/// Values that are worked on at a time, about.
const AT_ONCE: usize = 1 << 20;
/// To what they are booked.
const LAYER: &str = "statistics";

/// By what a column is standardised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// (w - mean) / deviation.
    Deviation,
    /// (w - minimum) / (maximum - minimum), which of the training records is 0 to 1. The difference is taken to be at least two units.
    Range,
    /// (w - median) / (upper quartile - lower quartile), of at most [`QUANTILES_OF`] records. The difference is taken to be at least two units.
    Quantiles,
}

/// What nobody knows of the columns: a row each, with a number a column.
#[derive(Clone)]
pub struct Statistics<N> {
    /// The mean, the minimum or the median: in units.
    pub mean: N,
    /// 1 / deviation, 1 / (maximum - minimum) or 1 / (upper quartile - lower quartile).
    pub inverse: N,
}

/// Columns that are worked on at a time, of so many, for so many records.
fn groups(rows: usize, columns: usize) -> impl Iterator<Item = Vec<usize>> {
    let most = (AT_ONCE / rows.max(1)).max(1);
    (0..columns).step_by(most).map(move |first| (first..columns.min(first + most)).collect())
}

/// Records that are worked on at a time, of so many with so many columns: as many each time, as near as can be. What they are expanded from is read
/// once by rows, and once for each column by columns.
fn blocks(rows: usize, columns: usize) -> impl Iterator<Item = Vec<usize>> {
    let count = (rows * columns).div_ceil(AT_ONCE).max(1);
    let most = rows.div_ceil(count).max(1);
    (0..rows.max(1)).step_by(most).map(move |first| (first..rows.min(first + most)).collect())
}

/// A row, for every one of so many.
fn spread<E: Engine>(e: &E, row: &E::Num, rows: usize) -> E::Num {
    let columns = e.shape(row)[1];
    e.gather(row, Index::Flat([rows, columns], &(0..rows * columns).map(|i| i % columns).collect::<Vec<_>>()))
}

/// The same numbers with more fraction bits.
fn finer<E: Engine>(e: &E, x: &E::Num, format: Format) -> EngineResult<E::Num> {
    let more = format.frac.saturating_sub(e.format(x).frac);
    let x = e.times_2(&e.times(x, f64::from(more).exp2(), 0)?, -more.cast_signed())?;
    Ok(e.claim(&x, format.bits))
}

/// The places below `width` that are not among these, which are in their order.
fn others(of: &[usize], width: usize) -> Vec<usize> {
    (0..width).filter(|i| of.binary_search(i).is_err()).collect()
}

/// The columns at `places` and all others, from where they stand side by side to where they belong; of no others there is no matrix.
fn in_order<E: Engine>(e: &E, places: &[usize], there: E::Num, rest: Option<E::Num>) -> EngineResult<E::Num> {
    let Some(rest) = rest else { return Ok(there) };
    let others = others(places, places.len() + e.shape(&rest)[1]);
    Ok(in_places(e, &[places, &others].concat(), &e.beside(&[&there, &rest])?))
}

/// Each column to its place.
fn in_places<E: Engine>(e: &E, places: &[usize], x: &E::Num) -> E::Num {
    let mut from = vec![0; places.len()];
    places.iter().enumerate().for_each(|(at, place)| from[*place] = at);
    e.gather(x, Index::Cols(&from))
}

impl<N: Clone> Statistics<N> {
    /// Of these columns, each by its scaling; without records, anything.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn of<E: Engine<Num = N>>(e: &mut E, w: &N, by: &[Scaling]) -> EngineResult<Self> {
        Statistics::of_present(e, w, by, None)
    }

    /// The same of the values that are there, where some may be missing; of such columns mean and deviation, or median and quartiles.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn of_present<E: Engine<Num = N>>(e: &mut E, w: &N, by: &[Scaling], gaps: Option<&Gaps<N>>) -> EngineResult<Self> {
        let lacking = gaps.map_or(&[][..], |gaps| &gaps.columns);
        let (mut places, mut all) = (vec![], vec![]);
        let (whole, lacks) = (false, true);
        for (kind, may_lack) in [
            (Scaling::Range, whole),
            (Scaling::Deviation, whole),
            (Scaling::Deviation, lacks),
            (Scaling::Quantiles, whole),
            (Scaling::Quantiles, lacks),
        ] {
            // Which of all columns, and where each stands among those that may lack values.
            let at = |i: &usize| lacking.binary_search(i).ok();
            let columns: Vec<usize> = (0..by.len()).filter(|i| by[*i] == kind && at(i).is_some() == may_lack).collect();
            if columns.is_empty() {
                continue;
            }
            let w = e.gather(w, Index::Cols(&columns));
            let among: Vec<usize> = columns.iter().filter_map(at).collect();
            let missing = gaps.filter(|_| may_lack).map(|gaps| e.gather(&gaps.missing, Index::Cols(&among)));
            all.push(match (kind, &missing) {
                (Scaling::Range, _) => Statistics::range(e, &w)?,
                (Scaling::Deviation, None) => Statistics::deviation(e, &w)?,
                (Scaling::Deviation, Some(missing)) => Statistics::present(e, &w, missing)?,
                (Scaling::Quantiles, missing) => Statistics::quantiles(e, &w, missing.as_ref())?,
            });
            places.extend(columns);
        }
        let of = |part: fn(&Statistics<N>) -> &N| -> EngineResult<N> {
            Ok(in_places(e, &places, &e.beside(&all.iter().map(part).collect::<Vec<_>>())?))
        };
        Ok(Statistics { mean: of(|s| &s.mean)?, inverse: of(|s| &s.inverse)? })
    }

    /// Mean and 1 / deviation.
    fn deviation<E: Engine<Num = N>>(e: &mut E, w: &N) -> EngineResult<Self> {
        let ([n, columns], frac) = (e.shape(w), e.format(w).frac);
        let sum = e.sum(w, Sum::Rows);
        let mean = over_finely(e, &sum, n, SHARES[0], MEAN)?;
        let mean = finer(e, &mean, MEAN)?;
        e.settle(&[&mean])?;
        // A variance around a number that is so near to the mean is larger by the square of the distance, which is nothing to it.
        let [near] = e.truncate([(&mean, Format { frac, bits: frac + WHOLE })])?;
        e.settle(&[&near])?;
        let mut sums = Vec::new();
        for block in blocks(n, columns) {
            let w = e.gather(w, Index::Rows(&block));
            let apart = e.claim(&e.sub(&w, &near)?, frac + WHOLE + 1);
            sums.push(squares(e, &apart, n)?);
        }
        let sum = together(e, &sums)?;
        let format = Format { frac: VARIANCE, bits: VARIANCE + 2 * WHOLE };
        let variance = over_finely(e, &sum, n, SHARES[1], format)?;
        let variance = e.times_2(&finer(e, &variance, format)?, POWERS[0])?;
        let inverse = inverse_root(e, &variance, WHOLE)?;
        Ok(Statistics { mean, inverse })
    }

    /// These columns standardised, in `out`'s format.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn standardise<E: Engine<Num = N>>(&self, e: &mut E, w: &N, out: Format) -> EngineResult<N> {
        self.standardise_present(e, w, None, out)
    }

    /// The same where some values may be missing: these become 0, which is the mean or the median.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn standardise_present<E: Engine<Num = N>>(
        &self,
        e: &mut E,
        w: &N,
        gaps: Option<&Gaps<N>>,
        out: Format,
    ) -> EngineResult<N> {
        Ok(self.standardise_counted(e, w, gaps, out, false)?.0)
    }

    /// And how many of each column's values were clipped, one row, if that is to be `counted`.
    pub(crate) fn standardise_counted<E: Engine<Num = N>>(
        &self,
        e: &mut E,
        w: &N,
        gaps: Option<&Gaps<N>>,
        out: Format,
        counted: bool,
    ) -> EngineResult<(N, Option<N>)> {
        let [rows, columns] = e.shape(w);
        if rows == 0 {
            return Ok((e.claim(w, out.bits), None));
        }
        let lacking = gaps.map_or(&[][..], |gaps| &gaps.columns);
        let bound = f64::from(out.bits - out.frac).exp2() - f64::from(-out.frac.cast_signed()).exp2();
        let (mut places, mut done, mut counts) = (vec![], vec![], vec![]);
        for (of, missing) in [(others(lacking, columns), None), (lacking.to_vec(), gaps.map(|gaps| &gaps.missing))] {
            for group in groups(rows, of.len()) {
                let at: Vec<usize> = group.iter().map(|i| of[*i]).collect();
                let [w, mean, inverse] = [w, &self.mean, &self.inverse].map(|x| e.gather(x, Index::Cols(&at)));
                let apart = match missing {
                    None => e.sub(&w, &mean)?,
                    Some(missing) => Statistics::apart(e, [&w, &e.gather(missing, Index::Cols(&group)), &mean])?,
                };
                let inverse = spread(e, &inverse, rows);
                let wide = Format { frac: out.frac, bits: out.frac + WHOLE + 2 };
                let [z] = e.products([Product::mul(&apart, &inverse, wide)])?;
                let (z, beyond) = clipped(e, &z, bound, out.bits)?;
                if counted {
                    counts.push(count(e, beyond, [rows, at.len()])?);
                }
                done.push(z);
                places.extend(at);
            }
        }
        let whole = |e: &E, parts: &[N]| e.beside(&parts.iter().collect::<Vec<_>>()).map(|all| in_places(e, &places, &all));
        let counts = if counted { Some(whole(e, &counts)?) } else { None };
        Ok((whole(e, &done)?, counts))
    }

    /// Of a linear layer's weight and bias those of the layer that does the same to columns which are not standardised: at `places`
    /// W diag(1 / deviation), and b - W (mean / deviation).
    fn folded<E: Engine<Num = N>>(&self, e: &mut E, places: &[usize], [weight, bias]: [&N; 2]) -> EngineResult<[N; 2]> {
        let ([outputs, width], format) = (e.shape(weight), e.format(weight));
        let shift = Format { frac: INVERSE.frac - WHOLE, bits: INVERSE.bits };
        let [shift] = e.products([Product::mul(&self.mean, &self.inverse, shift)])?;
        e.settle(&[weight, bias, &shift])?;
        let w = e.gather(weight, Index::Cols(places));
        let (inverse, shift) = (spread(e, &self.inverse, outputs), spread(e, &shift, outputs));
        let fine = Format { frac: format.frac + WHOLE, bits: format.bits + WHOLE };
        let [there, shifted] = e.products([
            Product::mul(&w, &inverse, fine),
            Product::mul(&w, &shift, Format { bits: format.bits + WHOLE + 1, ..format }),
        ])?;
        let shifted = e.sum(&shifted, Sum::Cols);
        let shifted = e.gather(&shifted, Index::Flat([1, outputs], &(0..outputs).collect::<Vec<_>>()));
        let others = others(places, width);
        let rest = finer(e, &e.gather(weight, Index::Cols(&others)), fine)?;
        Ok([in_order(e, places, there, (!others.is_empty()).then_some(rest))?, e.sub(bias, &shifted)?])
    }
}

/// How many of each column's values are above a bound or below it, one row.
fn count<E: Engine>(e: &mut E, [above, below]: [E::Bit; 2], [rows, columns]: [usize; 2]) -> EngineResult<E::Num> {
    let ones = e.public(&Array2::ones((rows, columns)), Format { frac: 0, bits: 1 })?;
    let [above, below] = e.select([(&above, &ones), (&below, &ones)])?;
    let both = e.add(&e.sum(&above, Sum::Rows), &e.sum(&below, Sum::Rows))?;
    Ok(e.claim(&both, rows.ilog2() as u8 + 2))
}

/// 1 / sqrt(s) 2^-`power` of numbers that are taken to be at least 2^-20.
fn inverse_root<E: Engine>(e: &mut E, s: &E::Num, power: u8) -> EngineResult<E::Num> {
    let format = e.format(s);
    let least = e.public(&Array2::from_elem((1, 1), f64::from(POWERS[0]).exp2()), format)?;
    let above = e.sub(s, &least)?;
    let (above, _) = e.relu(&above)?;
    let s = e.claim(&e.add(&above, &least)?, format.bits);
    let frac = INVERSE.frac - power;
    let inverse = e.inverse_sqrt(&s, POWERS, Format { frac, bits: frac + WHOLE + 1 })?;
    let inverse = e.claim(&e.times_2(&inverse, -power.cast_signed())?, INVERSE.bits);
    e.settle(&[&inverse])?;
    Ok(inverse)
}

/// The sums of as many rows as stay in the ring.
fn by_parts(rows: usize, columns: usize) -> Scatter {
    let places = (0..rows * columns).map(|i| i / columns / ROWS * columns + i % columns);
    Scatter::new([rows.div_ceil(ROWS).max(1), columns], places.collect())
}

/// Rows of equal width, one below the other.
fn below<E: Engine>(e: &E, rows: &[E::Num]) -> EngineResult<E::Num> {
    let all = e.beside(&rows.iter().collect::<Vec<_>>())?;
    let elements = e.shape(&all)[1];
    Ok(e.gather(&all, Index::Flat([rows.len(), elements / rows.len().max(1)], &(0..elements).collect::<Vec<_>>())))
}

/// Their sum, where what they are bounds it as well.
fn together<E: Engine>(e: &E, rows: &[E::Num]) -> EngineResult<E::Num> {
    let all = below(e, rows)?;
    Ok(e.claim(&e.sum(&all, Sum::Rows), e.format(&all).bits))
}

/// The sum of the squares of each column, one row, in the format of that of `n` rows.
fn squares<E: Engine>(e: &mut E, apart: &E::Num, n: usize) -> EngineResult<E::Num> {
    let ([rows, columns], format) = (e.shape(apart), e.format(apart));
    let to = by_parts(rows, columns);
    let [least, most] = SUMS;
    let frac = most.saturating_sub(n.max(1).ilog2() as u8).max(least).min(2 * format.frac);
    let square = Format { frac, bits: frac + 2 * (format.bits - format.frac) };
    let [sums] = e.products([Product { scatter: Some(&to), ..Product::mul(apart, apart, to.format(square)) }])?;
    let sum = e.sum(&sums, Sum::Rows);
    Ok(e.claim(&sum, Format::new(frac, 2 * WHOLE.cast_signed()).sum(n).bits))
}

/// Shapes and formats of statistics of so many columns.
pub(crate) fn parts(columns: usize) -> [([usize; 2], Format); 2] {
    [MEAN, INVERSE].map(|format| ([1, columns], format))
}
