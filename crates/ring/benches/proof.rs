//! What a proof of a step computes, at the sizes of 784-256-10 with batch 128 (docs/verified.md), one thread.
//! `cargo bench -p trefoil-ring --bench proof`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use divan::{Bencher, counter::ItemsCount};
use trefoil_ring::Tensor;
use trefoil_ring::matrix::product;
use trefoil_ring::proof::binary::{self, BIT_SLOTS};
use trefoil_ring::proof::fold::{fold_shifted, fold_words};
use trefoil_ring::proof::small::{ABREAST, Abreast, Lanes, ROWS};
use trefoil_ring::proof::{DEGREE, SLOTS, Weights, galois};

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

/// What follows it: the slots of each row folded into one element of the ring, without and with the row's weight. As verifier of one side; a prover has both.
#[divan::bench(args = TERMS, consts = [false, true])]
fn fold_slots<const WEIGHED: bool>(bencher: Bencher, terms: usize) {
    let (x, weights) = (words(terms), words(terms / SLOTS));
    let weights = if WEIGHED { &weights[..] } else { &[] };
    let eq: Vec<[u64; DEGREE]> = (0..SLOTS).map(|j| words(DEGREE + j)[j..].try_into().expect("an element")).collect();
    let mut to = vec![Abreast::ZERO; terms / SLOTS / ABREAST + 1];
    bencher.counter(ItemsCount::new(terms)).bench_local(|| fold_words(&x, &eq, weights, &mut to, 0));
}

/// The inner product of two vectors over the ring, before its antidiagonals are added up: the first of the binary folds has two of half of the rows.
#[divan::bench(args = TERMS)]
fn inner_product(bencher: Bencher, terms: usize) {
    let half = terms / SLOTS / 2;
    let [x, y] = [0, 1].map(|i| Tensor::from_shape_vec((half, DEGREE), words(half * DEGREE + i).split_off(i)).expect("elements"));
    bencher.counter(ItemsCount::new(half)).bench_local(|| product(&x, true, &y, false));
}

/// Terms of P2 whose factors are bits, and lifts of a server, whose claims count modulo 2^16.
const SMALL: [usize; 2] = [540_672, 270_336];

/// The first stage of small terms, as its prover.
#[divan::bench(args = SMALL)]
fn first_stage_small(bencher: Bencher, terms: usize) {
    let bits = words(terms + 1).iter().map(|word| (word & 1) as i16).collect::<Vec<_>>();
    let [x, y] = [0, 1].map(|at| bits[at..].as_chunks().0.as_chunks().0.to_vec());
    let weights = Weights::new(&words(x.len() * ROWS));
    bencher.counter(ItemsCount::new(terms)).bench_local(|| weights.small_stage(&x, &y));
}

/// What follows it, of small words: bits at P2, shifted by 47 bits, and lifts, by 48; with the row's weight.
#[divan::bench(args = SMALL)]
fn fold_slots_small(bencher: Bencher, terms: usize) {
    let shift = if terms == SMALL[0] { 47 } else { 48 };
    let x: Vec<u64> = words(terms).iter().map(|word| (word & 1) << shift).collect();
    let weights = words(terms / SLOTS);
    let eq: Vec<[u64; DEGREE]> = (0..SLOTS).map(|j| words(DEGREE + j)[j..].try_into().expect("an element")).collect();
    let mut to = vec![Abreast::ZERO; terms / SLOTS / ABREAST + 1];
    bencher.counter(ItemsCount::new(terms)).bench_local(|| fold_shifted(&x, shift, &eq, &weights, &mut to, 0));
}

fn abreast(elements: usize) -> Vec<Abreast> {
    let words = words(elements * DEGREE);
    let lanes: Vec<Lanes> = words.as_chunks().0.iter().map(|lanes| Lanes(*lanes)).collect();
    lanes.as_chunks().0.iter().map(|element| Abreast(*element)).collect()
}

/// Both inner products of the first binary fold, by Karatsuba's method; items are elements of a half.
#[divan::bench(args = TERMS)]
fn inner_products_karatsuba(bencher: Bencher, terms: usize) {
    let (x, y) = (abreast(terms / SLOTS), abreast(terms / SLOTS + ABREAST));
    let half = x.len().div_ceil(2);
    bencher.counter(ItemsCount::new(half * ABREAST)).bench_local(|| galois::halves(&x, &y[1..], half));
}

/// A vector bound to a challenge; items are elements of the result.
#[divan::bench(args = TERMS)]
fn bind(bencher: Bencher, terms: usize) {
    let half = terms / SLOTS / 2;
    let (mut low, high) = (abreast(half), abreast(half + ABREAST));
    bencher.counter(ItemsCount::new(half)).bench_local(|| galois::bind(&mut low, &high[1..], 0x2a5a_6b3c_19d7));
}

/// Bits of a step that each of the three proves: comparisons.
const BITS: usize = 8_601_600;

/// The first stage of bits, as its prover; items are terms.
#[divan::bench]
fn first_stage_binary(bencher: Bencher) {
    let n = BITS / 64;
    let (weights, x, y) = (words(n / BIT_SLOTS), words(n), words(n + 1));
    bencher.counter(ItemsCount::new(BITS)).bench_local(|| binary::stage(&weights, &x, &y[1..]));
}

/// Slots of bits folded into elements of GF(2^64), one vector.
#[divan::bench]
fn fold_slots_binary(bencher: Bencher) {
    let (x, eq) = (words(BITS / 64), words(BIT_SLOTS));
    let eq = eq.try_into().expect("an element a slot");
    bencher
        .counter(ItemsCount::new(BITS))
        .bench_local(|| x.as_chunks().0.iter().map(|row| binary::fold(row, &eq)).collect::<Vec<_>>());
}

/// The inner product of two vectors over GF(2^64); the first binary fold has two of half of the rows, and two vectors that are bound.
#[divan::bench]
fn inner_product_binary(bencher: Bencher) {
    let half = BITS / BIT_SLOTS / 2;
    let (x, y) = (words(half), words(half + 1));
    bencher.counter(ItemsCount::new(half)).bench_local(|| binary::inner(&x, &y[1..]));
}
