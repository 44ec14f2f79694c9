//! Copies of blocks of the factors in the order in which the kernel reads them.

use super::kernel::Kernel;
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

    /// A row's elements.
    pub(super) fn row(&self, i: usize) -> Vec<u64> {
        match self {
            Source::Array(x) => x.row(i).to_vec(),
            Source::Gathered(x) => x.row(i, 0..x.columns).collect(),
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

/// How a kernel wants its factors packed.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Rows of a tile, and of a sliver.
    pub(super) rows: usize,
    /// Lanes of a tile's row, and of a panel's.
    pub(super) lanes: usize,
    /// Words of a sliver's column: a word for each row, and what the kernel puts behind them.
    pub(super) sliver: usize,
    /// Lanes of a panel's row: its words, and what the kernel puts behind them.
    pub(super) panel: usize,
}

impl Layout {
    /// Words, and nothing behind them.
    pub(super) const fn plain(rows: usize, lanes: usize) -> Layout {
        Layout { rows, lanes, sliver: rows, panel: lanes }
    }

    /// Lanes of the panels of so many rows and columns.
    pub(super) const fn panels(self, depth: usize, columns: usize) -> usize {
        columns.div_ceil(self.lanes * LANE) * self.panel * depth
    }
}

/// Packs a block of `y`, `[depth, columns]`, into the kernel's panels of a few lanes of columns. Within a panel the row
/// index is outermost. Columns past the last are zeros. `packed` has the size of [`Layout::panels`].
pub(super) fn panels(packed: &mut [Lane], y: Source<'_>, [depth, columns]: [Range<usize>; 2], kernel: Kernel) {
    let Layout { lanes, panel: each, .. } = kernel.layout();
    let width = lanes * LANE;
    let panels = packed.chunks_exact_mut(each * depth.len());
    for (panel, first) in panels.zip(columns.clone().step_by(width)) {
        let columns = first..columns.end.min(first + width);
        if columns.len() < width {
            panel.fill(Lane([0; LANE]));
        }
        match y {
            Source::Array(y) => panel_of_array(panel, y.slice_move(s![depth.clone(), columns]), each),
            Source::Gathered(y) => {
                for (to, i) in panel.chunks_exact_mut(each).zip(depth.clone()) {
                    for (j, word) in y.row(i, columns.clone()).enumerate() {
                        to[j / LANE].0[j % LANE] = word;
                    }
                }
            }
        }
        kernel.finish_panel(panel);
    }
}

/// A panel's columns; its rows are `each` lanes.
fn panel_of_array(panel: &mut [Lane], columns: ArrayView2<u64>, each: usize) {
    if columns.strides()[1] == 1 {
        for (to, from) in panel.chunks_exact_mut(each).zip(columns.rows()) {
            let (whole, rest) = from.as_slice().unwrap_or(&[]).as_chunks::<LANE>();
            let mut to = to.iter_mut();
            whole.iter().zip(to.by_ref()).for_each(|(from, to)| to.0 = *from);
            if !rest.is_empty()
                && let Some(to) = to.next()
            {
                to.0[..rest.len()].copy_from_slice(rest);
            }
        }
        return;
    }
    // A transposed factor: eight columns are read at once, each in order.
    for (l, columns) in columns.axis_chunks_iter(Axis(1), LANE).enumerate() {
        let (mut columns, count) = (columns.columns().into_iter(), columns.ncols());
        let from: [ArrayView1<u64>; LANE] = std::array::from_fn(|_| columns.next().unwrap_or_else(|| ArrayView1::from(&[])));
        for (i, to) in panel.iter_mut().skip(l).step_by(each).enumerate() {
            (0..count).for_each(|j| to.0[j] = from[j][i]);
        }
    }
}

/// The first `n` elements; what stands in them is written over.
pub(super) fn space<T: Copy>(packed: &mut Vec<T>, n: usize, zero: T) -> &mut [T] {
    if packed.len() < n {
        packed.resize(n, zero);
    }
    &mut packed[..n]
}

/// Packs a block of `x`, `[rows, depth]`, into the kernel's slivers of a few rows. Within a sliver the depth is
/// outermost. Rows past the last are zeros.
pub(super) fn slivers<'a>(
    packed: &'a mut Vec<u64>,
    x: Source<'_>,
    [rows, depth]: [Range<usize>; 2],
    kernel: Kernel,
) -> &'a [u64] {
    let Layout { rows: height, sliver: stride, .. } = kernel.layout();
    // From the beginning of a cache line on, as the lanes of panels are.
    let words = rows.len().div_ceil(height) * stride * depth.len();
    let packed = space(packed, words + LANE, 0);
    let from = packed.as_ptr().align_offset(align_of::<Lane>()).min(LANE);
    let packed = &mut packed[from..][..words];
    let slivers = packed.chunks_exact_mut(stride * depth.len());
    for (sliver, first) in slivers.zip(rows.clone().step_by(height)) {
        let rows = first..rows.end.min(first + height);
        if rows.len() < height {
            sliver.fill(0);
        }
        match x {
            Source::Array(x) => sliver_of_array(sliver, x.slice_move(s![rows, depth.clone()]), stride),
            Source::Gathered(x) => rows_of(sliver, stride, rows.map(|i| x.row(i, depth.clone()))),
        }
        kernel.finish_sliver(sliver);
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
    if rows.strides()[1] == 1 {
        rows_of(sliver, stride, rows.rows().into_iter().map(|row| row.to_slice().unwrap_or(&[]).iter().copied()));
    } else {
        rows_of(sliver, stride, rows.rows().into_iter().map(|row| row.into_iter().copied()));
    }
}

/// A sliver from its rows' words.
fn rows_of<R: Iterator<Item = u64>>(sliver: &mut [u64], stride: usize, mut rows: impl ExactSizeIterator<Item = R>) {
    // As many rows as the fastest kernel's slivers have: column by column, each written once.
    if rows.len() == 5
        && let [Some(a), Some(b), Some(c), Some(d), Some(e)] = std::array::from_fn(|_| rows.next())
    {
        for (to, ((((a, b), c), d), e)) in sliver.chunks_exact_mut(stride).zip(a.zip(b).zip(c).zip(d).zip(e)) {
            to[..5].copy_from_slice(&[a, b, c, d, e]);
        }
        return;
    }
    for (i, row) in rows.enumerate() {
        sliver[i..].iter_mut().step_by(stride).zip(row).for_each(|(to, word)| *to = word);
    }
}
