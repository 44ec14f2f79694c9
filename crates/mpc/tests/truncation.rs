//! Check 2: the dealer-assisted truncation is never wrong and unbiased; the local one fails as often as |v| / 2^64 says.

mod common;

use common::opened;
use trefoil_mpc::securenn::truncate::{truncate, truncate_local};
use trefoil_mpc::{Prg, Result};

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

#[test]
fn dealer_assisted_truncation_is_unbiased_and_never_wrong() -> Result<()> {
    const F: u8 = 16;
    // In parts, so that memory stays small.
    let (parts, n) = (10, N / 10);
    let mut sum = 0i128;
    for part in 0..parts {
        let v = sizes(part, n);
        let got = opened(&v, |p, x| Ok(truncate(p, &[(x, F)])?.swap_remove(0)));
        for (v, y) in v.iter().zip(got) {
            // In units of 2^-F of the result's last place.
            let error = (y << F).wrapping_sub(*v) as i64;
            assert!(error.abs() < 1 << F, "{} became {}", *v as i64, y as i64);
            sum += i128::from(error);
        }
    }
    // A result is one up with probability p, the fraction cut off; p (1 - p) is 1/6 on average.
    let deviation = (N as f64 / 6.0).sqrt() * f64::from(1 << F);
    assert!((sum as f64).abs() < 4.0 * deviation, "mean error {} of 4 standard errors", sum as f64 / deviation / 4.0);
    Ok(())
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
