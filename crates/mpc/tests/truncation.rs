//! Check 2: the exact truncations are never wrong and unbiased; the local one fails as often as |v| / 2^64 says.

mod common;

use common::{masked_programs, on_masked, opened};
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

/// No result is a unit or more from v / 2^f, and the mean error over all `v` is within four standard errors of 0.
fn unbiased(name: &str, f: u8, v: &[u64], y: impl Iterator<Item = u64>) {
    let (mut sum, mut variance) = (0i128, 0.0);
    for (v, y) in v.iter().zip(y) {
        let error = ((y as i64 as i128) << f) - *v as i64 as i128;
        assert!(error.abs() < 1 << f, "{name} by 2^{f}: {} became {}", *v as i64, y as i64);
        sum += error;
        // A result is one up with probability p, the fraction cut off.
        let p = (*v & ((1 << f) - 1)) as f64 / f64::from(f).exp2();
        variance += p * (1.0 - p);
    }
    let error = sum as f64 / f64::from(f).exp2() / variance.sqrt().max(1e-9);
    assert!(error.abs() < 4.0, "{name} by 2^{f}: mean error of {error} standard errors");
}

/// Samples in parts, so that memory stays small.
fn in_parts(mut check: impl FnMut(u8)) {
    (0..10).for_each(|part| check(part));
}

#[test]
fn dealer_assisted_truncation_is_unbiased_and_never_wrong() {
    const F: u8 = 16;
    let (mut v, mut y) = (vec![], vec![]);
    in_parts(|part| {
        let some = sizes(part, N / 10);
        y.extend(opened(&some, |p, x| Ok(truncate(p, &[(x, F)])?.swap_remove(0))));
        v.extend(some);
    });
    unbiased("securenn", F, &v, y.into_iter());
}

#[test]
fn the_masked_suite_is_unbiased_and_never_wrong() {
    const FS: [u8; 5] = [1, 8, 16, 40, 58];
    let (mut v, mut product, mut alone) = (vec![], FS.map(|_| vec![]), FS.map(|_| vec![]));
    in_parts(|part| {
        let some = sizes(part, N / 10);
        let row = Tensor::from_shape_fn((1, some.len()), |(_, j)| some[j]);
        for (f, (product, alone)) in FS.into_iter().zip(product.iter_mut().zip(&mut alone)) {
            let by_one = |p: &mut Party, x: &masked::Share| {
                let one = masked_programs::dealt(p, &Tensor::ones((1, x.len())), 4);
                let z = masked::product::Factors { kind: Kind::Mul, x, y: &one, plus: None, shape: x.shape, f };
                Ok(masked::product::products(p, &[z])?.swap_remove(0))
            };
            product.extend(on_masked(&row, by_one));
            alone.extend(on_masked(&row, |p, x| Ok(masked::truncate::truncate(p, &[(x, f)])?.swap_remove(0))));
        }
        v.extend(some);
    });
    for (f, (product, alone)) in FS.into_iter().zip(product.into_iter().zip(alone)) {
        unbiased("masked product", f, &v, product.into_iter());
        unbiased("masked truncation", f, &v, alone.into_iter());
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
