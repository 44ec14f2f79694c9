//! The matrix product at the shapes of a 784-256-10 network with batch 128, of LeNet's convolutions, and with one record, one thread.
//! `cargo bench -p trefoil-ring`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use divan::{Bencher, counter::ItemsCount};
use trefoil_ring::{
    Tensor,
    matrix::{Factor, LOWER, product, products_into},
};

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    divan::main();
}

/// Name, rows, inner dimension, columns, transposes.
const SHAPES: [(&str, usize, usize, usize, bool, bool); 8] = [
    ("forward", 128, 784, 256, false, true),
    ("dw", 256, 128, 784, true, false),
    ("dx", 128, 256, 784, false, false),
    ("head", 128, 256, 10, false, true),
    ("conv1", 73728, 25, 20, false, true),
    ("conv2", 8192, 500, 50, false, true),
    ("one", 1, 784, 256, false, false),
    ("one_t", 1, 784, 256, false, true),
];

fn factors(shape: &str) -> (Tensor, bool, Tensor, bool, u64) {
    let (_, m, k, n, tx, ty) = SHAPES.into_iter().find(|s| s.0 == shape).expect("known shape");
    let mut state = 1u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state
    };
    let x = Tensor::from_shape_simple_fn(if tx { (k, m) } else { (m, k) }, &mut word);
    let y = Tensor::from_shape_simple_fn(if ty { (n, k) } else { (k, n) }, &mut word);
    (x, tx, y, ty, (m * k * n) as u64)
}

#[divan::bench(args = SHAPES.map(|s| s.0))]
fn packed(bencher: Bencher, shape: &str) {
    let (x, tx, y, ty, work) = factors(shape);
    bencher.counter(ItemsCount::new(work)).bench_local(|| product(&x, tx, &y, ty));
}

/// Two products, added up, of which so many lower bits are wanted.
fn twice(bencher: Bencher, shape: &str, bits: u8) {
    let (x, tx, y, ty, work) = factors(shape);
    let terms = [[Factor::from(&x), Factor::from(&y)]; 2];
    bencher.counter(ItemsCount::new(2 * work)).bench_local(|| {
        let mut out = Tensor::zeros((if tx { x.ncols() } else { x.nrows() }, if ty { y.nrows() } else { y.ncols() }));
        products_into(&mut out, &terms, tx, ty, bits);
        out
    });
}

/// What a server of `masked` makes.
#[divan::bench(args = SHAPES.map(|s| s.0))]
fn both(bencher: Bencher, shape: &str) {
    twice(bencher, shape, 64);
}

/// The same where the result is narrow.
#[divan::bench(args = SHAPES.map(|s| s.0))]
fn lower(bencher: Bencher, shape: &str) {
    twice(bencher, shape, LOWER);
}

/// The plain triple loop in the order i, k, j.
#[divan::bench(args = SHAPES.map(|s| s.0))]
fn reference(bencher: Bencher, shape: &str) {
    let (x, tx, y, ty, work) = factors(shape);
    let x = if tx { x.t() } else { x.view() }.as_standard_layout().into_owned();
    let y = if ty { y.t() } else { y.view() }.as_standard_layout().into_owned();
    bencher.counter(ItemsCount::new(work)).bench_local(|| {
        let mut out = Tensor::zeros((x.nrows(), y.ncols()));
        for (mut out, x) in out.rows_mut().into_iter().zip(x.rows()) {
            for (x, y) in x.iter().zip(y.rows()) {
                out.zip_mut_with(&y, |out, y| *out = out.wrapping_add(x.wrapping_mul(*y)));
            }
        }
        out
    });
}
