//! Local work of the protocols: `cargo bench -p trefoil-mpc`.
//!
//! The generator, and one comparison of the masked suite by three threads over channels (so that its time holds the work of
//! all three parties).

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use trefoil_mpc::masked::{Share, drelu};
use trefoil_mpc::{Prg, simulate};
use trefoil_ring::{Tensor, planes};

fn main() {
    divan::main();
}

const WORDS: usize = 1 << 20;

/// AES-128 in counter mode: words of Z_2^64.
#[divan::bench]
fn generator_words(bencher: Bencher) {
    let mut prg = Prg::from_seed(&[1; 32]);
    bencher.counter(BytesCount::new(8 * WORDS)).bench_local(|| black_box(prg.words(WORDS)));
}

/// The same, with residues modulo 67 by rejection.
#[divan::bench]
fn generator_residues(bencher: Bencher) {
    let mut prg = Prg::from_seed(&[1; 32]);
    bencher.counter(ItemsCount::new(WORDS)).bench_local(|| black_box(prg.residues(WORDS)));
}

/// Words to bit planes.
#[divan::bench(args = [25, 40, 64])]
fn bit_planes(bencher: Bencher, bits: usize) {
    let x = Prg::from_seed(&[2; 32]).words(WORDS);
    bencher.counter(ItemsCount::new(WORDS)).bench_local(|| black_box(planes::split(black_box(&x), bits)));
}

/// DReLU of the masked suite on 2^17 elements.
#[divan::bench(args = [25, 40, 64])]
fn masked_drelu(bencher: Bencher, b: u8) {
    let n = 1 << 17;
    let x = Tensor::from_shape_fn((1, n), |(_, i)| (i as u64).wrapping_sub(n as u64 / 2));
    bencher.counter(ItemsCount::new(n)).bench_local(|| {
        simulate(1, |p| {
            let share = Share::public(p, &x);
            drelu::drelu(p, &[(&share, b)], &[])
        })
    });
}
