//! Check 2: the exact truncations are never wrong and unbiased; the local one fails as often as |v| / 2^64 says.

use crate::common::{masked_programs, on_masked, opened};
use trefoil_engine::Kind;
use trefoil_mpc::securenn::truncate::{truncate, truncate_local};
use trefoil_mpc::{Party, Prg, masked};
use trefoil_ring::Tensor;

const N: usize = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

/// `n` random numbers of either sign, the i-th of a size in 2^k..2^(k+1), where k runs from 20 to 60.
fn sizes(seed: u8, n: usize) -> Vec<u64> {
    let size = |(i, w): (usize, u64)| {
        let k = 20 + i % 41;
        let v = 1 << k | w >> (64 - k);
        if w & 1 == 0 { v } else { v.wrapping_neg() }
    };
    Prg::from_seed(&[seed; 32]).words(n).into_iter().enumerate().map(size).collect()
}

/// The errors of results of one kind, added up.
struct Errors {
    name: &'static str,
    f: u8,
    sum: i128,
    variance: f64,
}

impl Errors {
    fn of(name: &'static str, f: u8) -> Errors {
        Errors { name, f, sum: 0, variance: 0.0 }
    }

    /// No y is a unit or more from v / 2^f.
    fn add(&mut self, v: &[u64], y: impl IntoIterator<Item = u64>) {
        for (v, y) in v.iter().zip(y) {
            let error = (i128::from(y as i64) << self.f) - i128::from(*v as i64);
            assert!(error.abs() < 1 << self.f, "{} by 2^{}: {} became {}", self.name, self.f, *v as i64, y as i64);
            self.sum += error;
            // A result is one up with probability p, the fraction cut off.
            let p = (*v & ((1 << self.f) - 1)) as f64 / f64::from(self.f).exp2();
            self.variance += p * (1.0 - p);
        }
    }

    /// The mean is within four standard errors of 0.
    fn unbiased(&self) {
        let error = self.sum as f64 / f64::from(self.f).exp2() / self.variance.sqrt();
        assert!(error.abs() < 4.0, "{} by 2^{}: a mean error of {error} standard errors", self.name, self.f);
    }
}

/// N samples in ten parts, so that memory stays small.
const PARTS: u8 = 10;

#[test]
fn dealer_assisted_truncation_is_unbiased_and_never_wrong() {
    const F: u8 = 16;
    let mut errors = Errors::of("securenn", F);
    for part in 0..PARTS {
        let v = sizes(part, N / usize::from(PARTS));
        errors.add(&v, opened(&v, |p, x| Ok(truncate(p, &[(x, F)])?.swap_remove(0))));
    }
    errors.unbiased();
}

#[test]
fn the_masked_suite_is_unbiased_and_never_wrong() {
    for f in [1, 8, 16, 40, 58] {
        let (mut product, mut alone) = (Errors::of("masked product", f), Errors::of("masked truncation", f));
        for part in 0..PARTS {
            let v = sizes(part, N / usize::from(PARTS));
            let row = Tensor::from_shape_fn((1, v.len()), |(_, j)| v[j]);
            let by_one = |p: &mut Party, x: &masked::Share| {
                let one = masked_programs::dealt(p, &Tensor::ones((1, x.len())), 4);
                let z = masked::product::Factors {
                    kind: Kind::Mul,
                    x,
                    y: &one,
                    scatter: None,
                    known: 64,
                    plus: None,
                    shape: x.shape,
                    f,
                };
                Ok(masked::product::products(p, &[z])?.swap_remove(0))
            };
            product.add(&v, on_masked(&row, by_one));
            alone.add(&v, on_masked(&row, |p, x| Ok(masked::truncate::truncate(p, &[(x, f)])?.swap_remove(0))));
        }
        product.unbiased();
        alone.unbiased();
    }
}

#[test]
fn local_truncation_fails_as_often_as_it_should() {
    const F: u8 = 16;
    for k in 56..=62 {
        let n = N / 5;
        let v: Vec<u64> = (0..n).map(|i| if i % 2 == 0 { 1u64 << k } else { (1u64 << k).wrapping_neg() }).collect();
        let got = opened(&v, |p, x| Ok(truncate_local(p, x, F)));
        let wrong = |(v, y): &(&u64, u64)| y.wrapping_sub((**v as i64 >> F) as u64) > 1;
        let failures = v.iter().zip(got).filter(wrong).count() as f64;
        let rate = f64::from(k - 64).exp2();
        let deviation = (n as f64 * rate * (1.0 - rate)).sqrt();
        assert!((failures - n as f64 * rate).abs() < 6.0 * deviation, "2^{k}: {failures} of {n}, expected {}", n as f64 * rate);
    }
}
