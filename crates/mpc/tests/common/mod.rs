//! What the protocol tests share: inputs, and runs of a protocol by three parties.
#![allow(dead_code, unused_imports)] // each program of tests uses its own part

pub mod joint;
pub mod liar;
pub mod masked_programs;
pub mod networks;
pub mod owner;
pub mod privacy;
pub mod programs;
pub mod proofs;
pub mod record;
pub mod sabotage;
pub mod stats;
pub mod suites;
pub mod taps;
pub mod training;
pub mod views;

pub use suites::{Tested, secret, with_engine, with_this_engine};

use trefoil_mpc::securenn::{Share, share};
use trefoil_mpc::{Party, Prg, Result, masked, simulate};
use trefoil_ring::Tensor;

/// The edges of the range of `bits` bits (below 2^bits in absolute value), then random values in it.
pub fn edges(bits: u8, n: usize) -> Vec<u64> {
    let max = (1i64 << bits.min(62)) - 1 + if bits > 62 { i64::MAX - ((1 << 62) - 1) } else { 0 };
    let mut x: Vec<i64> = vec![0, 1, -1, 2, -2, max, -max, max - 1, 1 - max];
    let shift = 63 - bits;
    x.extend(Prg::from_seed(&[7; 32]).words(n).iter().enumerate().map(|(i, v)| (*v as i64 >> shift) >> (i % usize::from(bits))));
    x.truncate(n.max(9));
    x.into_iter().map(|v| v as u64).collect()
}

/// Records around three centres in eight dimensions, or images of 2 x 4, with their one-hot labels.
pub fn blobs(rows: usize, seed: u64) -> (ndarray::Array2<f64>, ndarray::Array2<f64>) {
    let words = Prg::from_seed(&[seed as u8; 32]).words(rows * 8);
    let x = ndarray::Array2::from_shape_fn((rows, 8), |(i, j)| {
        let noise = (words[i * 8 + j] >> 57) as f64 / 256.0;
        noise + if j % 3 == i % 3 { 0.375 } else { 0.0 }
    });
    (x, ndarray::Array2::from_shape_fn((rows, 3), |(i, j)| f64::from(u8::from(i % 3 == j))))
}

/// Shares `x`, runs `f` as three parties and opens the result at P0.
pub fn on_shares(x: &Tensor, f: impl Fn(&mut Party, &Share) -> Result<Share> + Sync) -> Tensor {
    let x = Share::from_words([x.nrows(), x.ncols()], Some(x.iter().copied().collect())).value.unwrap();
    let [p0, p1, _] = simulate(1, |p| {
        let public = Share::public(p, &x);
        let shared = share::reshare(p, &public)?;
        let y = f(p, &shared)?;
        share::reconstruct(p, &y)
    });
    let (a, b) = (p0.unwrap().0.unwrap(), p1.unwrap().0.unwrap());
    assert_eq!(a, b);
    a
}

/// The same for a row of elements.
pub fn opened(x: &[u64], f: impl Fn(&mut Party, &Share) -> Result<Share> + Sync) -> Vec<u64> {
    on_shares(&Tensor::from_shape_fn((1, x.len()), |(_, j)| x[j]), f).into_iter().collect()
}

/// The same on the masked suite, with `x` as an owner hands it in.
pub fn on_masked(x: &Tensor, f: impl Fn(&mut Party, &masked::Share) -> Result<masked::Share> + Sync) -> Tensor {
    let [p0, p1, _] = simulate(1, |p| {
        let x = masked_programs::dealt(p, x, 3);
        let y = f(p, &x)?;
        masked::share::reconstruct(p, &y)
    });
    let (a, b) = (p0.unwrap().0.unwrap(), p1.unwrap().0.unwrap());
    assert_eq!(a, b);
    a
}
