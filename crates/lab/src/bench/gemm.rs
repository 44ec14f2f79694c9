//! The matrix product alone, on one thread, beside the loop that one would write first.

use super::settings::{Bench, Measurement};
use crate::summary::median;
use std::hint::black_box;
use std::time::Instant;
use trefoil_ring::{Tensor, matrix};
use trefoil_server::{Error, Result, machine};

const SHAPE: [usize; 3] = [128, 784, 256];
const MACS: f64 = (SHAPE[0] * SHAPE[1] * SHAPE[2]) as f64;
/// Products that do not count.
const WARM_UP: usize = 3;

/// Both in turn, so that they meet the same machine.
pub fn measure(name: &str, bench: &Bench<'_>) -> Result<Measurement> {
    let (ours, plain) = alone(|| times(bench.iterations, true))?;
    let peak_rss = machine::peak_rss();
    let mean = ours.iter().sum::<f64>() / ours.len().max(1) as f64;
    Ok(Measurement {
        name: name.into(),
        suite: "none".into(),
        optimiser: None,
        links: "none".into(),
        iterations: ours.len(),
        steady_s: mean,
        median_s: median(&ours),
        min_s: ours.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: ours.iter().copied().fold(0.0, f64::max),
        cpu_s: Default::default(),
        floor_s: mean,
        cpu_to_floor: None,
        bytes_total: 0,
        bytes_by_link: Default::default(),
        rounds: 0.0,
        peak_rss_bytes: [("here".to_owned(), peak_rss)].into(),
        queue_bound_bytes: 0,
        queue_peak_bytes: Default::default(),
        threads: 1,
        machine: machine::describe(),
        commit: machine::commit().into(),
        gmac_per_s: Some(MACS / median(&ours) / 1e9),
        gmac_per_s_reference: Some(MACS / median(&plain) / 1e9),
    })
}

/// Multiply-accumulates in a second of processor time of our product on one thread: a floor of what the parties' products take, whatever
/// else this machine does meanwhile.
pub fn rate() -> Result<f64> {
    alone(|| {
        let (from, started, mut products) = (machine::cpu_seconds(), Instant::now(), 0.0);
        loop {
            products += times(10, false).0.len() as f64 + WARM_UP as f64;
            // Hundredths are counted, so half a second is good for 2 percent. Where nothing is counted, time has to do.
            let (cpu, wall) = (machine::cpu_seconds() - from, started.elapsed().as_secs_f64());
            if cpu > 0.5 {
                return products * MACS / cpu;
            }
            if cpu <= 0.0 && wall > 5.0 {
                return products * MACS / wall;
            }
        }
    })
}

/// Seconds of each product, ours and plain.
fn times(iterations: usize, plain: bool) -> (Vec<f64>, Vec<f64>) {
    let [m, k, n] = SHAPE;
    let x = Tensor::from_shape_fn((m, k), |(i, j)| (i as u64 * 31 + j as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let y = Tensor::from_shape_fn((k, n), |(i, j)| (i as u64 * 17 + j as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..iterations + WARM_UP {
        let started = Instant::now();
        black_box(matrix::product(black_box(&x), false, black_box(&y), false));
        ours.push(started.elapsed().as_secs_f64());
        if plain {
            let started = Instant::now();
            black_box(reference(black_box(&x), black_box(&y)));
            theirs.push(started.elapsed().as_secs_f64());
        }
    }
    (ours.split_off(WARM_UP), theirs.split_off(if plain { WARM_UP } else { 0 }))
}

/// Runs `f` on one thread, whatever this machine has.
fn alone<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    Ok(pool.map_err(|e| Error::config("thread", e, "one"))?.install(f))
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
