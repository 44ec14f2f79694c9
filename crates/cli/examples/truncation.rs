//! How often truncation fails: the local form (SecureML) at several sizes, then the dealer-assisted form over 10^8 elements.
//!
//! Three parties in this process run the protocols that training runs. docs/truncation.md shows and explains the output.

use trefoil_mpc::securenn::truncate::{truncate, truncate_local};
use trefoil_mpc::securenn::{Share, share};
use trefoil_mpc::{Party, Prg, Result, simulate};
use trefoil_ring::Tensor;

const F: u8 = 16;

/// How many of the `v` come out as neither floor(v / 2^F) nor one more. The shares of v are fresh.
fn wrong(seed: u64, v: &[u64], cut: impl Fn(&mut Party, &Share) -> Result<Share> + Sync) -> Result<usize> {
    let row = Tensor::from_shape_fn((1, v.len()), |(_, j)| v[j]);
    let [p0, _, _] = simulate(seed, |p| {
        let public = Share::public(p, &row);
        let shared = share::reshare(p, &public)?;
        let result = cut(p, &shared)?;
        share::reconstruct(p, &result)
    });
    let opened = p0?.0.unwrap_or_default();
    Ok(v.iter().zip(&opened).filter(|(v, y)| y.wrapping_sub((**v as i64 >> F) as u64) > 1).count())
}

fn main() -> Result<()> {
    const N: usize = 10_000_000;
    println!("local form, {N} elements of either sign a row, f = {F}");
    println!("|v|    failures   measured    |v|/2^64");
    for k in 56..=62 {
        let v: Vec<u64> = (0..N).map(|i| if i % 2 == 0 { 1u64 << k } else { (1u64 << k).wrapping_neg() }).collect();
        let failures = wrong(k, &v, |p, x| Ok(truncate_local(p, x, F)))?;
        println!("2^{k}  {failures:>9}   {:.6}    {:.6}", failures as f64 / N as f64, (k as f64 - 64.0).exp2());
    }

    const PARTS: u64 = 100;
    const PART: usize = 1_000_000;
    let mut failures = 0;
    for part in 0..PARTS {
        // Sizes from 2^20 to 2^62, either sign.
        let words = Prg::from_seed(&[part as u8; 32]).words(PART);
        let v: Vec<u64> = words.iter().enumerate().map(|(i, w)| ((*w as i64) >> 1 >> (i % 43)) as u64).collect();
        failures += wrong(1000 + part, &v, |p, x| Ok(truncate(p, &[(x, F)])?.swap_remove(0)))?;
    }
    println!("dealer-assisted form, {} elements, |v| up to 2^62: {failures} wrong", PARTS * PART as u64);
    if failures > 0 {
        std::process::exit(1);
    }
    Ok(())
}
