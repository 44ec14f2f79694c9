//! The wrapping matrix product over Z_(2^64), blocked and packed.
//!
//! Both factors are cut along the inner dimension into slices of `DEPTH`. A slice of `op(y)` is
//! packed into panels of a few columns, a block of rows of a slice of `op(x)` into slivers of a
//! few rows, both padded with zeros, so that the `kernel` reads memory in order whatever the
//! transposes. A sum of products is one product with a longer inner dimension: slices of one follow
//! those of the other, and a block of the result gets them all while it is in the cache. Time and
//! addresses depend on shapes only.

// Instructions that not every machine has.
mod factor;
#[allow(unsafe_code)]
mod kernel;
mod pack;

use crate::Tensor;
pub use factor::{Factor, Gathered};
use kernel::{Block, Kernel};
use pack::{LANE, Lane, Source};
use rayon::prelude::*;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// See [`multiplied`].
static MULTIPLIED: AtomicU64 = AtomicU64::new(0);

/// Multiply-accumulates of all products of this process so far: what a measurement compares its processor time with.
pub fn multiplied() -> u64 {
    MULTIPLIED.load(Ordering::Relaxed)
}

/// The same of the products that this thread has asked for, whoever computed them.
pub fn multiplied_here() -> u64 {
    MULTIPLIED_HERE.get()
}

/// Inner dimension of one slice, at most: a panel and a sliver of it stay in the first-level cache.
const DEPTH: usize = 160;
/// Rows of `op(x)` in one block: its slivers stay in the second-level cache.
const ROWS: usize = 128;
/// Columns of `op(y)` packed at a time.
const COLUMNS: usize = 512;
/// Lanes of panels that are packed before the rows of `op(x)` are gone through, 128 KiB: they stay in the second-level cache beside a block.
const PANELS: usize = 1 << 11;
/// Rows of `op(x)` up to which nothing is packed: it would cost more than it saves.
const FEW: usize = 3;
/// So many lower bits of a product can be had sooner than all 64.
pub const LOWER: u8 = 52;
/// Multiply-accumulates below which threads cost more than they save.
const WORTH_THREADS: usize = 1 << 20;

thread_local! {
    /// See [`multiplied_here`].
    static MULTIPLIED_HERE: Cell<u64> = const { Cell::new(0) };
    /// Where this thread packs: a few mebibytes at most, by the constants above. They hold the last product's factors until the next one's.
    static PACKED: RefCell<(Vec<Lane>, Vec<u64>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// `op(x) op(y)` over Z_(2^64), where `op` transposes if the flag behind the factor is set.
/// The result is `[rows of op(x), columns of op(y)]`.
///
/// Panics if the inner dimensions differ: the caller has checked the shapes.
pub fn product(x: &Tensor, tx: bool, y: &Tensor, ty: bool) -> Tensor {
    let rows = if tx { x.ncols() } else { x.nrows() };
    let columns = if ty { y.nrows() } else { y.ncols() };
    let mut out = Tensor::zeros((rows, columns));
    product_into(&mut out, x, tx, y, ty);
    out
}

/// `out += op(x) op(y)`, as [`product`].
///
/// Panics if the shapes do not fit: the caller has checked them.
pub fn product_into<'a>(out: &mut Tensor, x: impl Into<Factor<'a>>, tx: bool, y: impl Into<Factor<'a>>, ty: bool) {
    products_into(out, &[[x.into(), y.into()]], tx, ty, 64);
}

/// `out += op(x) op(y)` for each `[x, y]`, as [`product`], of which the `bits` lower bits are wanted: above them may be anything. Up to [`LOWER`] of them
/// can be had sooner than all 64.
///
/// Panics if the shapes do not fit: the caller has checked them.
pub fn products_into(out: &mut Tensor, terms: &[[Factor<'_>; 2]], tx: bool, ty: bool, bits: u8) {
    // What is to be transposed is made: nothing that is large needs it.
    let made: Vec<_> = terms.iter().map(|[x, y]| [tx.then(|| x.to_tensor()), ty.then(|| y.to_tensor())]).collect();
    let terms = terms.iter().zip(&made);
    let terms = terms.map(|([x, y], [x_made, y_made])| [Source::of(*x, x_made.as_deref()), Source::of(*y, y_made.as_deref())]);
    accumulate(Kernel::best(bits), out, &terms.collect::<Vec<_>>());
}

/// A part of a term's inner dimension.
struct Slice<'a> {
    x: Source<'a>,
    y: Source<'a>,
    depth: Range<usize>,
}

/// `out += x y` for each `[x, y]` with the given kernel.
fn accumulate(kernel: Kernel, out: &mut Tensor, terms: &[[Source<'_>; 2]]) {
    let (rows, columns) = out.dim();
    let mut work = 0_usize;
    for [x, y] in terms {
        let ([above, inner], [depth, beside]) = (x.shape(), y.shape());
        assert_eq!(inner, depth, "matrix product: inner dimensions differ");
        assert_eq!((rows, columns), (above, beside), "matrix product: shape of the result");
        work = work.saturating_add(rows.saturating_mul(columns).saturating_mul(inner));
    }
    if work == 0 {
        return;
    }
    if !out.is_standard_layout() {
        *out = out.as_standard_layout().into_owned();
    }
    let Some(out) = out.as_slice_mut() else { unreachable!("the layout was just made standard") };
    let threads = rayon::current_num_threads();
    MULTIPLIED.fetch_add(work as u64, Ordering::Relaxed);
    MULTIPLIED_HERE.set(MULTIPLIED_HERE.get() + work as u64);
    let parallel = threads > 1 && work > WORTH_THREADS;
    let mut slices: Vec<Slice<'_>> = vec![];
    for (x, y) in terms.iter().map(|[x, y]| (*x, *y)) {
        match y {
            Source::Array(y) if rows <= FEW => {
                out.chunks_exact_mut(columns).enumerate().for_each(|(i, out)| kernel.run_row(out, &x.row(i), y));
            }
            _ => slices.extend(slices_of(x, y)),
        }
    }
    let share = if parallel { rows.div_ceil(threads) } else { rows };
    let share = share.min(ROWS).next_multiple_of(kernel.layout().rows);

    // Taken up again from slice to slice, from block to block, and by the next product.
    let (mut space, mut slivers) = PACKED.take();
    for first_column in (0..columns).step_by(COLUMNS) {
        let width = COLUMNS.min(columns - first_column);
        let lanes = |slice: &Slice<'_>| kernel.layout().panels(slice.depth.len(), width);
        // Some slices at a time.
        let mut rest = &slices[..];
        while let [first, ..] = rest {
            let together = (PANELS / lanes(first)).clamp(1, rest.len());
            let (now, later) = rest.split_at(together);
            rest = later;
            let mut panels = pack::space(&mut space, now.iter().map(lanes).sum(), Lane([0; LANE]));
            let mut packed = vec![];
            for slice in now {
                let of_slice;
                (of_slice, panels) = panels.split_at_mut(lanes(slice));
                pack::panels(of_slice, slice.y, [slice.depth.clone(), first_column..first_column + width], kernel);
                packed.push(&*of_slice);
            }
            let task = |slivers: &mut Vec<u64>, (index, out): (usize, &mut [u64])| {
                let block = index * share..rows.min((index + 1) * share);
                for (slice, panels) in now.iter().zip(&packed) {
                    let slivers = pack::slivers(slivers, slice.x, [block.clone(), slice.depth.clone()], kernel);
                    kernel.run(Block { slivers, panels, depth: slice.depth.len(), out, columns, first: first_column, width });
                }
            };
            if parallel {
                out.par_chunks_mut(share * columns).enumerate().for_each_init(Vec::new, task);
            } else {
                out.chunks_mut(share * columns).enumerate().for_each(|block| task(&mut slivers, block));
            }
        }
    }
    PACKED.set((space, slivers));
}

/// As equal as can be: a last one of a few would cost as much as any to end.
fn slices_of<'a>(x: Source<'a>, y: Source<'a>) -> impl Iterator<Item = Slice<'a>> {
    let [_, inner] = x.shape();
    let slice = inner.div_ceil(inner.div_ceil(DEPTH).max(1)).max(1);
    (0..inner).step_by(slice).map(move |from| Slice { x, y, depth: from..inner.min(from + slice) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ArrayView2};
    use proptest::prelude::*;

    /// Words without pattern (splitmix64), so that every bit of the products counts.
    fn words(rows: usize, columns: usize, seed: u64) -> Tensor {
        let mut state = seed;
        Array2::from_shape_simple_fn((rows, columns), || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        })
    }

    fn naive(x: ArrayView2<u64>, y: ArrayView2<u64>) -> Tensor {
        Array2::from_shape_fn((x.nrows(), y.ncols()), |(i, j)| {
            (0..x.ncols()).fold(0, |sum: u64, p| sum.wrapping_add(x[[i, p]].wrapping_mul(y[[p, j]])))
        })
    }

    fn check_all(rows: usize, inner: usize, columns: usize, seed: u64) {
        let (x, y) = (words(rows, inner, seed), words(inner, columns, !seed));
        let expected = naive(x.view(), y.view());
        let (xt, yt) = (x.t().as_standard_layout().into_owned(), y.t().as_standard_layout().into_owned());
        assert_eq!(product(&x, false, &y, false), expected);
        assert_eq!(product(&xt, true, &y, false), expected);
        assert_eq!(product(&x, false, &yt, true), expected);
        assert_eq!(product(&xt, true, &yt, true), expected);
        let start = words(rows, columns, seed ^ 1);
        let sum = crate::words::add(&start, &expected);
        for kernel in Kernel::available(64) {
            for (x, y) in [(x.view(), y.view()), (xt.t(), yt.t()), (x.view(), yt.t()), (xt.t(), y.view())] {
                let mut out = start.clone();
                accumulate(kernel, &mut out, &[[Source::Array(x), Source::Array(y)]]);
                assert_eq!(out, sum, "{kernel:?} on {rows} x {inner} x {columns}");
            }
        }
    }

    #[test]
    fn empty_and_single() {
        for rows in [0, 1] {
            for inner in [0, 1] {
                for columns in [0, 1] {
                    check_all(rows, inner, columns, 7);
                }
            }
        }
    }

    #[test]
    fn every_block_edge() {
        // One below, at and one above the sizes of tiles, slices and blocks.
        for inner in [DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH + 1] {
            check_all(9, inner, 17, 1);
        }
        for rows in [ROWS - 1, ROWS, ROWS + 1] {
            check_all(rows, 3, 15, 2);
        }
        for columns in [COLUMNS - 1, COLUMNS, COLUMNS + 1] {
            check_all(7, 3, columns, 3);
        }
    }

    /// Several products with inner dimensions of their own, more and fewer than what is packed at once, are the sum of each.
    #[test]
    fn a_sum_of_products() {
        for (rows, columns, inner) in
            [(1, 9, vec![3, 0, 5]), (9, 17, vec![DEPTH + 1, 1, 2 * DEPTH]), (130, COLUMNS + 3, vec![170, 400])]
        {
            let factors: Vec<[Tensor; 2]> =
                inner.iter().map(|n| [words(rows, *n, *n as u64), words(*n, columns, !*n as u64)]).collect();
            let start = words(rows, columns, 5);
            let expected = factors.iter().fold(start.clone(), |sum, [x, y]| crate::words::add(&sum, &naive(x.view(), y.view())));
            for kernel in Kernel::available(64) {
                let terms: Vec<_> = factors.iter().map(|[x, y]| [Source::Array(x.view()), Source::Array(y.view())]).collect();
                let mut out = start.clone();
                accumulate(kernel, &mut out, &terms);
                assert!(out == expected, "{kernel:?} on {rows} x {inner:?} x {columns}");
            }
        }
    }

    /// Of the kernels for lower bits these are right, whatever the upper ones of the factors are, and in the place where the sum begins.
    #[test]
    fn lower_bits() {
        let lower = |x: Tensor| x.mapv(|x| x & ((1 << 52) - 1));
        for (rows, inner, columns) in [(1, 3, 5), (8, 160, 16), (9, 161, 17), (131, 25, 20), (7, 400, 530)] {
            let (x, y, start) = (words(rows, inner, 3), words(inner, columns, 4), words(rows, columns, 5));
            let expected = lower(crate::words::add(&start, &naive(x.view(), y.view())));
            for kernel in Kernel::available(52) {
                let mut out = start.clone();
                accumulate(kernel, &mut out, &[[Source::Array(x.view()), Source::Array(y.view())]]);
                assert!(lower(out) == expected, "{kernel:?} on {rows} x {inner} x {columns}");
            }
            let mut out = start.clone();
            products_into(&mut out, &[[Factor::from(&x), Factor::from(&y)]], false, false, 52);
            assert!(lower(out) == expected);
        }
    }

    #[test]
    fn threads_do_not_change_the_result() {
        let (x, y) = (words(203, 90, 1), words(90, 70, 2));
        let expected = naive(x.view(), y.view());
        const { assert!(203 * 90 * 70 > WORTH_THREADS) };
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| product(&x, false, &y, false)), expected);
        }
    }

    /// A factor that is read from elsewhere is what it would be if it were made: with places beyond a block's end, and repeats.
    #[test]
    fn gathered_factors() {
        let (of, columns, blocks) = (37, 41, 5);
        let (elements, mut at) = (words(blocks, of, 1), vec![]);
        // 57 rows of a block, which are no multiple of any tile's.
        for i in 0..57 * columns {
            at.push((i * i % (of + 3)) as u32);
        }
        let gathered = Gathered { x: elements.as_slice().unwrap(), of, at: &at, columns };
        let made = Factor::from(gathered).to_tensor().into_owned();
        assert_eq!(
            (made.dim(), made[[58, 3]]),
            ((57 * blocks, columns), {
                let at = at[columns + 3] as usize;
                if at < of { elements[[1, at]] } else { 0 }
            })
        );
        let rows = made.nrows();
        for (width, seed) in [(1, 2), (30, 3), (530, 4)] {
            let (y, x) = (words(columns, width, seed), words(width, rows, !seed));
            for kernel in Kernel::available(64) {
                let mut out = [Tensor::zeros((rows, width)), Tensor::zeros((width, columns))];
                accumulate(kernel, &mut out[0], &[[Source::Gathered(gathered), Source::Array(y.view())]]);
                accumulate(kernel, &mut out[1], &[[Source::Array(x.view()), Source::Gathered(gathered)]]);
                assert!(out[0] == product(&made, false, &y, false) && out[1] == product(&x, false, &made, false), "{kernel:?}");
            }
            let (xt, mut out) = (x.t().as_standard_layout().into_owned(), Tensor::zeros((columns, width)));
            product_into(&mut out, gathered, true, &xt, false);
            assert_eq!(out, product(&made, true, &xt, false));
        }
    }

    #[test]
    fn any_layout_of_the_result() {
        let (x, y) = (words(3, 4, 1), words(4, 5, 2));
        let mut out = Tensor::zeros((5, 3)).reversed_axes();
        product_into(&mut out, &x, false, &y, false);
        assert_eq!(out, product(&x, false, &y, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_definition(rows in 0usize..40, inner in 0usize..60, columns in 0usize..50, seed: u64) {
            check_all(rows, inner, columns, seed);
        }
    }
}
