//! Chebyshev series: a smooth function on an interval in logarithmically many rounds.
//!
//! T_(m+n) = 2 T_m T_n - T_|m-n| gives T_1 .. T_(2^k) in k rounds of products; the series is then a public linear
//! combination. All T stay in [-1, 1], so that fixed point suits them.

use super::INNER;
use crate::{Engine, Format, Product, Result};
use ndarray::Array2;

/// The first `n` coefficients of `f` on [-1, 1]: f(t) = sum_k c_k T_k(t), by Chebyshev-Gauss quadrature at 64 points.
pub fn coefficients(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    const POINTS: usize = 64;
    let angle = |j: usize| std::f64::consts::PI * (j as f64 + 0.5) / POINTS as f64;
    let c = |k: usize| {
        let sum: f64 = (0..POINTS).map(|j| f(angle(j).cos()) * (k as f64 * angle(j)).cos()).sum();
        sum * if k == 0 { 1.0 } else { 2.0 } / POINTS as f64
    };
    (0..n).map(c).collect()
}

/// sum_k c_k T_k(t) for t in [-1, 1] with [`INNER`] fraction bits, in `out`'s format.
///
/// The error from fixed point is below 2^-18 for up to 17 coefficients that add up to about 1.
///
/// # Errors
/// Those of the engine.
pub fn series<E: Engine>(e: &mut E, t: &E::Num, c: &[f64], out: Format) -> Result<E::Num> {
    const COEFFICIENT: u8 = 24;
    let unit = Format { frac: INNER, bits: INNER + 1 };
    let one = e.public(&Array2::ones((1, 1)), unit)?;
    // All T of a level are one product: side by side, as columns.
    let [_, n] = e.shape(t);
    let mut terms = vec![e.claim(t, unit.bits)];
    while terms.len() + 1 < c.len() {
        let m = terms.len();
        let new: Vec<usize> = (m + 1..=(2 * m).min(c.len() - 1)).collect();
        let left = e.beside(&vec![&terms[m - 1]; new.len()])?;
        let right = e.beside(&new.iter().map(|k| &terms[k - m - 1]).collect::<Vec<_>>())?;
        // 2 T_m T_(k-m): the factor 2 moves the point of the untruncated product.
        let [double] = e.products([Product::mul(&left, &right, Format { frac: INNER + 1, bits: INNER + 2 })])?;
        let double = e.times_2(&double, 1)?;
        for (i, k) in new.iter().enumerate() {
            let columns: Vec<usize> = (i * n..(i + 1) * n).collect();
            let part = e.gather(&double, crate::Index::Cols(&columns));
            let minus = if 2 * m == *k { one.clone() } else { terms[2 * m - k - 1].clone() };
            let term = e.sub(&part, &minus)?;
            terms.push(e.claim(&term, unit.bits));
        }
    }
    let bits = (INNER + COEFFICIENT + out.bits).saturating_sub(out.frac) + 1;
    let c0 = e.public(&Array2::from_elem((1, 1), c[0]), Format { frac: INNER + COEFFICIENT, bits })?;
    let mut sum = e.add(&e.claim(&e.times(&terms[0], c[1], COEFFICIENT)?, bits), &c0)?;
    for (t, &c) in terms[1..].iter().zip(&c[2..]) {
        sum = e.add(&e.claim(&sum, bits), &e.times(t, c, COEFFICIENT)?)?;
    }
    let [y] = e.truncate([(&e.claim(&sum, bits), out)])?;
    Ok(y)
}
