//! 1 / sqrt(s) within 2^-18 relatively, over a public range of powers of two: the power by comparisons, the rest by a series of degree 8.

use super::{INNER, coefficients, series};
use crate::{Engine, Format, Index, Product, Result, Scatter};
use ndarray::Array2;

/// Fraction bits of the powers' roots, and of the series.
const ROOT: u8 = 24;

/// 1 / sqrt(s) for 2^`low` <= s < 2^`high`, in `out`'s format, for a row or a column of numbers; the error is below 2^-18 of the result plus
/// one unit of `out`. What is outside of the range gives anything.
///
/// With 2^k <= s < 2^(k+1), s 2^-k is in [1, 2), where the series is; the result is that times 2^(-k/2). Both powers are sums over the
/// comparisons of s with all powers at once, and public constants. Fit for few numbers: each takes `high` - `low` - 1 comparisons.
///
/// Rounds: those of a ReLU, five products and a truncation.
///
/// # Errors
/// [`crate::Error::Range`] if the range is too wide for the ring; those of the engine.
pub fn inverse_sqrt<E: Engine>(e: &mut E, s: &E::Num, [low, high]: [i8; 2], out: Format) -> Result<E::Num> {
    let shape = e.shape(s);
    let n = shape[0] * shape[1];
    let powers: Vec<i8> = (low + 1..high).collect();
    // 2^-k has as many fraction bits as the largest power needs.
    let whole = high.max(0).unsigned_abs();
    let power = Format::new(whole, (-low).max(0) + 1);
    let root = Format::new(ROOT, (-low).max(0) / 2 + 2);
    // The product with 2^-k needs one fraction bit more than the series' argument.
    let need = (INNER + 1).saturating_sub(whole + e.format(s).frac);
    let s = e.times_2(&e.times(s, f64::from(need).exp2(), 0)?, -need.cast_signed())?;
    let format = e.format(&s);
    let repeated =
        e.gather(&s, Index::Flat([1, n * powers.len()], &(0..n * powers.len()).map(|i| i % n.max(1)).collect::<Vec<_>>()));
    let row = |f: &dyn Fn(f64) -> f64| Array2::from_shape_fn((1, n * powers.len()), |(_, i)| f(f64::from(powers[i / n])));
    let limits = e.public(&row(&f64::exp2), Format { bits: format.frac.saturating_add_signed(high), ..format })?;
    let [at_least] = e.drelu([&e.sub(&repeated, &limits)?])?;
    // Going up by a power takes half of 2^-k away, and a part of its root.
    let by_power = e.public(&row(&|k| (-k).exp2()), power)?;
    let by_root = e.public(&row(&|k| ((1.0 - k) / 2.0).exp2() - (-k / 2.0).exp2()), root)?;
    let [by_power, by_root] = e.select([(&at_least, &by_power), (&at_least, &by_root)])?;
    let to = Scatter::new(shape, (0..n * powers.len()).map(|i| i % n.max(1)).collect());
    let rest = |e: &E, start: f64, taken: &E::Num, format: Format| -> Result<E::Num> {
        let sum = e.claim(&e.scatter(taken, &to)?, format.bits);
        let start = e.public(&Array2::from_elem((shape[0], shape[1]), start), format)?;
        Ok(e.claim(&e.sub(&start, &sum)?, format.bits))
    };
    let (low, inner) = (f64::from(low), Format { frac: INNER + 1, bits: INNER + 3 });
    let scale = rest(e, (-low).exp2(), &by_power, power)?;
    let root_scale = rest(e, (-low / 2.0).exp2(), &by_root, root)?;
    let [u] = e.products([Product::mul(&s, &scale, inner)])?;
    // t = 2 u - 3 in [-1, 1].
    let three = e.public(&Array2::from_elem((1, 1), 3.0), Format { frac: INNER, bits: INNER + 3 })?;
    let t = e.sub(&e.times_2(&u, 1)?, &three)?;
    let v = series(e, &t, &coefficients(9, |t| ((t + 3.0) / 2.0).sqrt().recip()), Format::new(ROOT, 1))?;
    let [y] = e.products([Product::mul(&v, &root_scale, out)])?;
    Ok(y)
}
