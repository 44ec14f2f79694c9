//! x c / sqrt(s) within 1/400 relatively, for many numbers, over a public range that may be wide: the range is halved again and again by a
//! comparison, the rest is a polynomial.

use crate::{Engine, Error, Format, Product, Result};
use ndarray::Array2;

/// Fraction bits of the normalised number, of the polynomial's coefficients and of its value.
const NORMAL: u8 = 20;
const COEFFICIENT: u8 = 18;
const VALUE: u8 = 16;
/// 1 / sqrt(x) = sum_k c_k (x - 5/8)^k on [1/4, 1], within 0.00212 relatively: the best of degree 4.
const SERIES: [f64; 5] = [1.26562702, -0.97859268, 1.12412274, -2.46237051, 3.80445079];

/// One quotient by a root for each element: `out = x * factor / sqrt(s) + plus`.
#[derive(Debug)]
pub struct OverRoot<'a, N> {
    /// The dividends.
    pub x: &'a N,
    /// The radicands, in the shape of `x`.
    pub s: &'a N,
    /// Public: all of `s` are in [low, high]. What is outside gives anything.
    pub range: [f64; 2],
    /// Public.
    pub factor: f64,
    /// More than 2.01 `factor` / sqrt(high), as a power of two: formats depend on this, not on the factor.
    pub whole: i8,
    /// |x| sqrt(high / s) is below 2^this, as an integer.
    pub bits: u8,
    /// Added before the truncation.
    pub plus: Option<&'a N>,
    /// The result's format.
    pub out: Format,
}

/// The quotients. Formats depend on those of `x`, `s` and `plus`, and on how wide the range is; not on where it lies, nor on the factor.
///
/// With r the range's ratio, high / low: where s <= high / sqrt(r), s is multiplied by sqrt(r) and x by its root. That halves the power of two
/// which r is; after a few times r is at most 4, where the polynomial is. Of ranges of 2^8, 2^16 and 2^32 that is 2, 3 and 4 times.
///
/// Rounds: for each time those of a ReLU, then three products and two truncations.
///
/// # Errors
/// [`Error::Range`] if the range is empty or too wide for the ring, or `s` may be beyond it; those of the engine.
pub fn over_root<E: Engine>(e: &mut E, q: &OverRoot<'_, E::Num>) -> Result<E::Num> {
    let ([low, high], format) = (q.range, e.format(q.s));
    let most = format.bits.cast_signed() - format.frac.cast_signed();
    let times = halvings(high / low);
    if !(low > 0.0 && high >= low && high <= f64::from(most).exp2()) || times > 5 {
        return Err(Error::Range { what: "radicand", found: format!("{low:e} to {high:e}"), bits: format.bits });
    }
    // From here on all of s are in (0, 1]: high is `top` there, which is above 1/2.
    let (mut up, mut top) = (0, high / f64::from(most).exp2());
    while top <= 0.5 {
        (up, top) = (up + 1, top * 2.0);
    }
    let unit = Format { frac: format.bits, bits: format.bits };
    let lifted = e.claim(&e.times(q.s, f64::from(up).exp2(), 0)?, format.bits);
    let (mut s, mut x) = (e.times_2(&lifted, -most)?, q.x.clone());
    let one = |e: &E, v: f64, format: Format| e.public(&Array2::from_elem((1, 1), v), format);
    for k in (0..times).rev().map(|level| 1i32 << level) {
        let [by_s, by_x] = [f64::from(2 * k).exp2(), f64::from(k).exp2()];
        let limit = one(e, top / by_s, unit)?;
        let [small] = e.drelu([&e.claim(&e.add(&e.times(&s, -1.0, 0)?, &limit)?, unit.bits)])?;
        let (more_s, more_x) = (e.times(&s, by_s - 1.0, 0)?, e.times(&x, by_x - 1.0, 0)?);
        let [more_s, more_x] = e.select([(&small, &more_s), (&small, &more_x)])?;
        s = e.claim(&e.add(&s, &more_s)?, unit.bits);
        x = e.claim(&e.add(&x, &more_x)?, q.bits);
    }
    let y = polynomial(e, &s, top, q.factor / high.sqrt() / f64::from(q.whole).exp2())?;
    let [y] = e.products([Product { plus: q.plus, ..Product::mul(&x, &e.times_2(&y, q.whole)?, q.out) }])?;
    Ok(y)
}

/// How often a range's ratio is halved, as a power of two, until it is at most 4.
fn halvings(ratio: f64) -> u32 {
    (0..6).find(|n| ratio <= f64::from(2i32 << n).exp2()).unwrap_or(6)
}

/// scale sqrt(top / s) for `top` / 4 <= s <= `top` <= 1, where `scale` is below 1/2.01; with [`VALUE`] fraction bits, below 1.
fn polynomial<E: Engine>(e: &mut E, s: &E::Num, top: f64, scale: f64) -> Result<E::Num> {
    let unit = e.format(s);
    let centre = e.public(&Array2::from_elem((1, 1), 0.625 * top), unit)?;
    // |z| <= 3/8 `top`.
    let z = e.claim(&e.sub(s, &centre)?, unit.bits);
    let [z] = e.truncate([(&z, Format { frac: NORMAL, bits: NORMAL - 1 })])?;
    let [square] = e.products([Product::mul(&z, &z, Format { frac: NORMAL, bits: NORMAL - 2 })])?;
    let mut power = scale;
    let c = SERIES.map(|c| {
        let of_power = c * power;
        power /= top;
        of_power
    });
    let frac = NORMAL + COEFFICIENT;
    // (c_0 + c_1 z + c_2 z^2) + z^2 (c_3 z + c_4 z^2): the first is below 1, the second's right factor below 4.
    let pair = |e: &E, a: f64, b: f64| e.add(&e.times(&z, a, COEFFICIENT)?, &e.times(&square, b, COEFFICIENT)?);
    let constant = e.public(&Array2::from_elem((1, 1), c[0]), Format { frac, bits: frac })?;
    let low = e.claim(&e.add(&pair(e, c[1], c[2])?, &constant)?, frac);
    let high = e.claim(&pair(e, c[3], c[4])?, frac + 2);
    let [y] = e.products([Product::mul(&square, &high, Format { frac: VALUE, bits: VALUE }).plus(&low)])?;
    Ok(y)
}
