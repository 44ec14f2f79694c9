//! The matrix product alone, on one thread, beside the loop that one would write first.

use super::{Bench, Measurement};
use crate::machine;
use crate::summary::median;
use std::hint::black_box;
use std::time::Instant;
use trefoil_ring::{Tensor, matrix};

const SHAPE: [usize; 3] = [128, 784, 256];

/// Both in turn, so that they meet the same machine.
pub fn measure(name: &str, bench: &Bench<'_>) -> Measurement {
    let [m, k, n] = SHAPE;
    let x = Tensor::from_shape_fn((m, k), |(i, j)| (i as u64 * 31 + j as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let y = Tensor::from_shape_fn((k, n), |(i, j)| (i as u64 * 17 + j as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    let (mut ours, mut plain) = (vec![], vec![]);
    for _ in 0..bench.iterations + super::WARM_UP {
        let started = Instant::now();
        black_box(matrix::product(black_box(&x), false, black_box(&y), false));
        ours.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        black_box(reference(black_box(&x), black_box(&y)));
        plain.push(started.elapsed().as_secs_f64());
    }
    let counted = &ours[super::WARM_UP..];
    let rate = |seconds: f64| (m * k * n) as f64 / seconds / 1e9;
    Measurement {
        name: name.into(),
        suite: "none".into(),
        links: "none".into(),
        iterations: counted.len(),
        median_s: median(counted),
        min_s: counted.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: counted.iter().copied().fold(0.0, f64::max),
        bytes_total: 0,
        bytes_by_link: Default::default(),
        rounds: 0.0,
        peak_rss_bytes: [("here".to_owned(), machine::peak_rss())].into(),
        threads: 1,
        machine: machine::describe(),
        commit: machine::commit().into(),
        gmac_per_s: Some(rate(median(counted))),
        gmac_per_s_reference: Some(rate(median(&plain[super::WARM_UP..]))),
    }
}

/// i-k-j over contiguous rows.
fn reference(x: &Tensor, y: &Tensor) -> Vec<u64> {
    let [m, k, n] = SHAPE;
    let (x, y) = (x.as_slice().unwrap_or(&[]), y.as_slice().unwrap_or(&[]));
    let mut z = vec![0u64; m * n];
    for i in 0..m {
        let row = &mut z[i * n..(i + 1) * n];
        for j in 0..k {
            let a = x[i * k + j];
            for (z, y) in row.iter_mut().zip(&y[j * n..(j + 1) * n]) {
                *z = z.wrapping_add(a.wrapping_mul(*y));
            }
        }
    }
    z
}
