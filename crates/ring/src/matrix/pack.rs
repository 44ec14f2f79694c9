//! Copies of blocks of the factors in the order in which the kernel reads them.

use super::{Factor, Gathered};
use crate::Tensor;
use ndarray::{ArrayView1, ArrayView2, Axis, s};
use std::ops::Range;

/// Where a factor's elements are read.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Array(ArrayView2<'a, u64>),
    Gathered(Gathered<'a>),
}

impl<'a> Source<'a> {
    /// A factor, or the transpose of what was made of it.
    pub(super) fn of(factor: Factor<'a>, transposed: Option<&'a Tensor>) -> Self {
        match (transposed, factor) {
            (Some(made), _) => Source::Array(made.t()),
            (None, Factor::Whole(x)) => Source::Array(x.view()),
            (None, Factor::Gathered(x)) => Source::Gathered(x),
        }
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> [usize; 2] {
        match self {
            Source::Array(x) => [x.nrows(), x.ncols()],
            Source::Gathered(x) => [x.rows(), x.columns],
        }
    }
}

/// One cache line of words: keeps wide loads from straddling two lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lane(pub(super) [u64; LANE]);

/// Words in a lane.
pub(super) const LANE: usize = 8;

/// Packs a block of `y`, `[depth, columns]`, into panels of `lanes` lanes of columns. Within a panel the row
/// index is outermost: `depth * lanes` lanes a panel. Columns past the last are zeros. With
/// `cross`, the lane of [`crossed`] follows each lane.
pub(super) fn panels<'a>(
    packed: &'a mut Vec<Lane>,
    y: Source<'_>,
    [depth, columns]: [Range<usize>; 2],
    lanes: usize,
    cross: bool,
) -> &'a [Lane] {
    let (width, each) = (lanes * LANE, 1 + usize::from(cross));
    let packed = space(packed, columns.len().div_ceil(width) * lanes * each * depth.len(), Lane([0; LANE]));
    let panels = packed.chunks_exact_mut(lanes * each * depth.len());
    for (panel, first) in panels.zip(columns.clone().step_by(width)) {
        let columns = first..columns.end.min(first + width);
        if columns.len() < width {
            panel.fill(Lane([0; LANE]));
        }
        match y {
            Source::Array(y) => panel_of_array(panel, y.slice_move(s![depth.clone(), columns]), lanes, each),
            Source::Gathered(y) => {
                for (to, i) in panel.chunks_exact_mut(lanes * each).zip(depth.clone()) {
                    for (j, word) in y.row(i, columns.clone()).enumerate() {
                        to[j / LANE * each].0[j % LANE] = word;
                    }
                }
            }
        }
        if cross {
            panel.as_chunks_mut().0.iter_mut().for_each(|[y, to]| to.0 = y.0.map(crossed));
        }
    }
    packed
}

/// A panel's columns, `each` lanes apart.
fn panel_of_array(panel: &mut [Lane], columns: ArrayView2<u64>, lanes: usize, each: usize) {
    if columns.strides()[1] == 1 {
        for (to, from) in panel.chunks_exact_mut(lanes * each).zip(columns.rows()) {
            let (whole, rest) = from.as_slice().unwrap_or(&[]).as_chunks::<LANE>();
            let mut to = to.iter_mut().step_by(each);
            whole.iter().zip(to.by_ref()).for_each(|(from, to)| to.0 = *from);
            if let Some(to) = to.next() {
                to.0[..rest.len()].copy_from_slice(rest);
            }
        }
        return;
    }
    // A transposed factor: eight columns are read at once, each in order.
    for (l, columns) in columns.axis_chunks_iter(Axis(1), LANE).enumerate() {
        let (mut columns, count) = (columns.columns().into_iter(), columns.ncols());
        let from: [ArrayView1<u64>; LANE] = std::array::from_fn(|_| columns.next().unwrap_or_else(|| ArrayView1::from(&[])));
        for (i, to) in panel.iter_mut().skip(l * each).step_by(lanes * each).enumerate() {
            (0..count).for_each(|j| to.0[j] = from[j][i]);
        }
    }
}

/// The first `n` elements; what stands in them is written over.
fn space<T: Copy>(packed: &mut Vec<T>, n: usize, zero: T) -> &mut [T] {
    if packed.len() < n {
        packed.resize(n, zero);
    }
    &mut packed[..n]
}

/// Packs a block of `x`, `[rows, depth]`, into slivers of `height` rows. Within a sliver the depth is
/// outermost: `depth * height` words a sliver. Rows past the last are zeros. With `cross`,
/// the `height` words of [`crossed`] follow each `height` words.
pub(super) fn slivers<'a>(
    packed: &'a mut Vec<u64>,
    x: Source<'_>,
    [rows, depth]: [Range<usize>; 2],
    height: usize,
    cross: bool,
) -> &'a [u64] {
    let stride = height * (1 + usize::from(cross));
    let packed = space(packed, rows.len().div_ceil(height) * stride * depth.len(), 0);
    let slivers = packed.chunks_exact_mut(stride * depth.len());
    for (sliver, first) in slivers.zip(rows.clone().step_by(height)) {
        let rows = first..rows.end.min(first + height);
        if rows.len() < height {
            sliver.fill(0);
        }
        match x {
            Source::Array(x) => sliver_of_array(sliver, x.slice_move(s![rows, depth.clone()]), stride),
            Source::Gathered(x) => {
                for (to, i) in rows.enumerate() {
                    sliver[to..].iter_mut().step_by(stride).zip(x.row(i, depth.clone())).for_each(|(to, word)| *to = word);
                }
            }
        }
        if cross {
            for rows in sliver.chunks_exact_mut(stride) {
                let (x, to) = rows.split_at_mut(height);
                to.iter_mut().zip(x).for_each(|(to, x)| *to = crossed(*x));
            }
        }
    }
    packed
}

/// A sliver's rows, side by side.
fn sliver_of_array(sliver: &mut [u64], rows: ArrayView2<u64>, stride: usize) {
    if rows.strides()[0] == 1 {
        // A transposed factor: what belongs side by side is side by side already.
        for (to, from) in sliver.chunks_exact_mut(stride).zip(rows.columns()) {
            to.iter_mut().zip(from.as_slice().unwrap_or(&[])).for_each(|(to, &from)| *to = from);
        }
        return;
    }
    for (i, from) in rows.rows().into_iter().enumerate() {
        let to = sliver[i..].iter_mut().step_by(stride);
        match from.to_slice() {
            Some(from) => to.zip(from).for_each(|(to, from)| *to = *from),
            None => to.zip(from).for_each(|(to, from)| *to = *from),
        }
    }
}

/// Of x = x_0 + 2^52 x_1: x_1, and 2^40 times the 12 low bits of x_0. See ifma.rs.
pub(super) fn crossed(x: u64) -> u64 {
    x >> 52 | (x & 0xfff) << 40
}
