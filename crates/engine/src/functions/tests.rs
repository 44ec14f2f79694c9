//! The functions against `f64`, over their whole input range.

use super::*;
use crate::{Engine, Fixed, Float, Format};
use ndarray::Array2;

fn column(n: usize, low: f64, high: f64) -> Array2<f64> {
    Array2::from_shape_fn((n, 1), |(i, _)| low + (high - low) * i as f64 / (n - 1) as f64)
}

fn worst<E: Engine>(e: &mut E, x: &Array2<f64>, y: &E::Num, f: impl Fn(f64) -> f64) -> f64 {
    let y = e.open(y).unwrap().unwrap();
    x.iter().zip(&y).map(|(x, y)| (f(*x) - y).abs()).fold(0.0, f64::max)
}

#[test]
fn exp_is_within_its_stated_error() {
    fn run<E: Engine>(mut e: E) -> f64 {
        let x = column(100_000, -40.0, 0.0);
        let s = e.public(&x, Format::new(16, 8)).unwrap();
        let y = exp(&mut e, &s, Format::new(24, 1)).unwrap();
        // The input is rounded to 2^-17.
        worst(&mut e, &x.mapv(|v| (v * 65536.0).round() / 65536.0), &y, f64::exp)
    }
    let (float, fixed) = (run(Float), run(Fixed::default()));
    println!("exp: float {float:e}, fixed {fixed:e}");
    assert!(float < 17f64.exp2().recip() && fixed < 16f64.exp2().recip());
}

#[test]
fn reciprocal_is_within_its_stated_error() {
    for most in [2.0, 10.0, 64.0] {
        let mut e = Fixed::default();
        let x = column(50_000, 1.0, most).mapv(|v| (v * 16f64.exp2()).round() / 16f64.exp2());
        let s = e.public(&x, Format::new(24, 7)).unwrap();
        let y = reciprocal(&mut e, &s, most).unwrap();
        let err = worst(&mut e, &x, &y, f64::recip);
        println!("reciprocal to {most}: {err:e}");
        assert!(err < 20f64.exp2().recip());
    }
}

#[test]
fn ln_is_within_its_stated_error() {
    for (most, bound) in [(2.0, 14f64), (10.0, 14.0), (64.0, 7.0)] {
        let mut e = Fixed::default();
        let x = column(50_000, 1.0, most).mapv(|v| (v * 16f64.exp2()).round() / 16f64.exp2());
        let s = e.public(&x, Format::new(24, 7)).unwrap();
        let y = ln(&mut e, &s, most, Format::new(16, 4)).unwrap();
        let err = worst(&mut e, &x, &y, f64::ln);
        println!("ln to {most}: {err:e}");
        assert!(err < bound.exp2().recip());
    }
}

#[test]
fn sigmoid_is_within_its_stated_error() {
    fn run<E: Engine>(mut e: E, frac: u8, whole: i8) -> f64 {
        let most = f64::from(whole).exp2();
        let x = column(100_001, -most * 0.999, most * 0.999).mapv(|v| (v * 65536.0).round() / 65536.0);
        let s = e.public(&x, Format::new(frac, whole)).unwrap();
        let y = sigmoid(&mut e, &s, Format::new(24, 1)).unwrap();
        worst(&mut e, &x, &y, |x| 1.0 / (1.0 + (-x).exp()))
    }
    for (frac, whole) in [(16, 5), (16, 8), (16, 20), (28, 8)] {
        let (float, fixed) = (run(Float, frac, whole), run(Fixed::default(), frac, whole));
        println!("sigmoid to 2^{whole}: float {float:e}, fixed {fixed:e}");
        assert!(float < 15f64.exp2().recip() && fixed < 15f64.exp2().recip());
    }
}

#[test]
fn inverse_sqrt_is_within_its_stated_error() {
    fn run<E: Engine>(mut e: E, powers: [i8; 2], frac: u8) -> f64 {
        // As many numbers in each power of two.
        let x = column(20_001, f64::from(powers[0]), f64::from(powers[1]) - 1e-4);
        let x = x.mapv(|v| (v.exp2() * 28f64.exp2()).ceil() / 28f64.exp2());
        let s = e.public(&x, Format::new(frac, powers[1])).unwrap();
        let out = Format::new(24, (1 - powers[0]) / 2 + 1);
        let y = inverse_sqrt(&mut e, &s, powers, out).unwrap();
        let y = e.open(&y).unwrap().unwrap();
        // What one unit of the result does not explain, relatively.
        x.iter().zip(&y).map(|(x, y)| ((y - x.sqrt().recip()).abs() - 24f64.exp2().recip()) * x.sqrt()).fold(0.0, f64::max)
    }
    for (powers, frac) in [([-18, 5], 28), ([-4, 8], 28), ([0, 1], 28), ([-10, 3], 30)] {
        let (float, fixed) = (run(Float, powers, frac), run(Fixed::default(), powers, frac));
        println!("inverse square root in {powers:?}: float {float:e}, fixed {fixed:e}");
        assert!(float < 18f64.exp2().recip() && fixed < 18f64.exp2().recip());
    }
}

#[test]
fn quotients_by_roots_are_within_their_stated_error() {
    fn run<E: Engine>(mut e: E, range: [f64; 2], whole: i8, factor: f64) -> f64 {
        let (rows, unit) = (20_001, 40f64.exp2());
        let s = column(rows, range[0].log2(), range[1].log2())
            .mapv(|v| (v.exp2() * unit).round() / unit)
            .mapv(|v| v.clamp(range[0], range[1]));
        // Dividends up to twice their root, of both signs.
        let x = Array2::from_shape_fn((rows, 1), |(i, _)| s[[i, 0]].sqrt() * ((i * 7919 % 4001) as f64 / 1000.0 - 2.0));
        let x = x.mapv(|v| (v * 24f64.exp2()).round() / 24f64.exp2());
        let (s_num, x_num) = (e.public(&s, Format::new(40, 4)).unwrap(), e.public(&x, Format::new(24, 4)).unwrap());
        let (plus, out) = (e.public(&Array2::from_elem((1, 1), 0.25), Format { frac: 8, bits: 8 }).unwrap(), Format::new(24, 6));
        let q = OverRoot { x: &x_num, s: &s_num, range, factor, whole, bits: 24 + 4, plus: Some(&plus), out };
        let y = e.over_root(&q).unwrap();
        assert_eq!(e.format(&y), out);
        let y = e.open(&y).unwrap().unwrap();
        let want = |i: usize| x[[i, 0]] * factor / s[[i, 0]].sqrt();
        (0..rows).map(|i| ((y[[i, 0]] - 0.25 - want(i)).abs() - 24f64.exp2().recip()) / (2.0 * factor)).fold(0.0, f64::max)
    }
    // As wide as it goes, its parts, one without a comparison; and factors that leave the value few bits.
    for (range, whole, factor) in [
        ([2f64.powi(-29), 7.9], 0, 1.3),
        ([2f64.powi(-29), 7.9], 0, 0.1),
        ([1e-4, 3.0], 1, 1.7),
        ([1e-3, 0.2], 2, 0.8),
        ([0.5, 1.0], 2, 1.9),
        ([1.0, 4.0], 0, 0.9),
    ] {
        let (float, fixed) = (run(Float, range, whole, factor), run(Fixed::default(), range, whole, factor));
        println!("quotient by a root in {range:?}: float {float:e}, fixed {fixed:e}");
        assert!(float < 1e-12 && fixed < 1.0 / 400.0);
    }
}

#[test]
fn a_range_that_is_too_wide_for_a_root_is_refused() {
    let e = &mut Fixed::default();
    let x = e.public(&Array2::ones((1, 1)), Format::new(20, 4)).unwrap();
    for range in [[0.0, 1.0], [2.0, 1.0], [1.0, 17.0], [1e-12, 1.0], [f64::NAN, 1.0]] {
        let q = OverRoot { x: &x, s: &x, range, factor: 0.1, whole: 1, bits: 24, plus: None, out: Format::new(16, 4) };
        let error = e.over_root(&q).unwrap_err().to_string();
        assert!(error.contains("found") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn softmax_argmax_and_maximum_are_those_of_float() {
    let mut fixed = Fixed::default();
    let x = Array2::from_shape_fn((500, 10), |(i, j)| (((i * 7919 + j * 104_729) % 20_011) as f64 - 10_000.0) / 700.0);
    let s = fixed.public(&x, Format::new(16, 8)).unwrap();
    let p = softmax(&mut fixed, &s, Format::new(16, 1)).unwrap();
    let p = fixed.open(&p).unwrap().unwrap();
    let bits = argmax(&mut fixed, &s).unwrap();
    let mut err = 0f64;
    for (i, row) in x.rows().into_iter().enumerate() {
        let max = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
        for (j, v) in row.iter().enumerate() {
            err = err.max((p[[i, j]] - (v - max).exp() / sum).abs());
        }
        assert_eq!(bits.row(i).iter().filter(|b| **b).count(), 1);
    }
    println!("softmax: {err:e}");
    assert!(err < 14f64.exp2().recip());
}

#[test]
fn division_is_exact() {
    let pairs: Vec<(f64, f64)> = (1..60).flat_map(|y| (0..=y).map(move |x| (f64::from(x), f64::from(y)))).collect();
    let mut e = Fixed::default();
    let column = |of: fn(&(f64, f64)) -> f64| Array2::from_shape_fn((pairs.len(), 1), |(i, _)| of(&pairs[i]));
    let (x, y) = (column(|p| p.0), column(|p| p.1));
    let format = Format { frac: 0, bits: 6 };
    let (x, y) = (e.public(&x, format).unwrap(), e.public(&y, format).unwrap());
    let q = division(&mut e, &x, &y, 16).unwrap();
    let q = e.open(&q).unwrap().unwrap();
    for ((x, y), q) in pairs.iter().zip(&q) {
        assert_eq!(*q * 65536.0, (x * 65536.0 / y).floor(), "{x} / {y}");
    }
}
