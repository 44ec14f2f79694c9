//! What a proof of a step computes, at the sizes of 784-256-10 with batch 128 (docs/verified.md), one thread.
//! `cargo bench -p trefoil-ring --bench proof`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use divan::{Bencher, counter::ItemsCount};
use trefoil_ring::Tensor;
use trefoil_ring::matrix::product;
use trefoil_ring::proof::{DEGREE, SLOTS, Weights};

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    divan::main();
}

fn words(n: usize) -> Vec<u64> {
    let mut state = 1u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1442695040888963407);
        state ^ state >> 29
    };
    (0..n).map(|_| word()).collect()
}

/// Rows and columns of matrices of which a proof takes a weighted sum: records, the first layer's weights, and gradients.
const MATRICES: [(usize, usize); 3] = [(128, 784), (784, 256), (256, 128)];

/// The 0/1 matrix of 47 rows times words; items are words of the matrix.
#[divan::bench(args = MATRICES)]
fn weighted_sum(bencher: Bencher, (rows, columns): (usize, usize)) {
    let (weights, x) = (Weights::new(&words(rows)), words(rows * columns));
    bencher.counter(ItemsCount::new(rows * columns)).bench_local(|| weights.sum(&x, columns));
}

/// Terms that P2 proves in a step, and those that each server does.
const TERMS: [usize; 2] = [704_000, 467_200];

/// The first stage, as its prover; items are terms.
#[divan::bench(args = TERMS)]
fn first_stage(bencher: Bencher, terms: usize) {
    let (weights, x, y) = (Weights::new(&words(terms / SLOTS)), words(terms), words(terms + 1));
    bencher.counter(ItemsCount::new(terms)).bench_local(|| weights.stage(&x, &y[1..]));
}

/// What follows it: the slots of each row folded into one element of the ring, which is a product of matrices. As verifier of one side; a prover has two.
#[divan::bench(args = TERMS)]
fn fold_slots(bencher: Bencher, terms: usize) {
    let x = Tensor::from_shape_vec((terms / SLOTS, SLOTS), words(terms)).expect("rows of slots");
    let eq = Tensor::from_shape_vec((SLOTS, DEGREE), words(SLOTS * DEGREE)).expect("an element a slot");
    bencher.counter(ItemsCount::new(terms)).bench_local(|| product(&x, false, &eq, false));
}

/// The inner product of two vectors over the ring, before its antidiagonals are added up: the first of the binary folds has two of half of the rows.
#[divan::bench(args = TERMS)]
fn inner_product(bencher: Bencher, terms: usize) {
    let half = terms / SLOTS / 2;
    let [x, y] = [0, 1].map(|i| Tensor::from_shape_vec((half, DEGREE), words(half * DEGREE + i).split_off(i)).expect("elements"));
    bencher.counter(ItemsCount::new(half)).bench_local(|| product(&x, true, &y, false));
}
