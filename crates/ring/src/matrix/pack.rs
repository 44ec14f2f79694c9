//! Copies of blocks of the factors in the order in which the kernel reads them.

use ndarray::{ArrayView1, ArrayView2, Axis};

/// One cache line of words: keeps wide loads from straddling two lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lane(pub(super) [u64; LANE]);

/// Words in a lane.
pub(super) const LANE: usize = 8;

/// Packs `y`, `[depth, columns]`, into panels of `lanes` lanes of columns. Within a panel the row
/// index is outermost: `depth * lanes` lanes a panel. Columns past the last are zeros. With
/// `cross`, the lane of [`crossed`] follows each lane.
pub(super) fn panels<'a>(packed: &'a mut Vec<Lane>, y: ArrayView2<u64>, lanes: usize, cross: bool) -> &'a [Lane] {
    let (width, each) = (lanes * LANE, 1 + usize::from(cross));
    let packed = space(packed, y.ncols().div_ceil(width) * lanes * each * y.nrows(), Lane([0; LANE]));
    let panels = packed.chunks_exact_mut(lanes * each * y.nrows());
    for (panel, columns) in panels.zip(y.axis_chunks_iter(Axis(1), width)) {
        if columns.ncols() < width {
            panel.fill(Lane([0; LANE]));
        }
        if columns.strides()[1] == 1 {
            for (to, from) in panel.chunks_exact_mut(lanes * each).zip(columns.rows()) {
                let (whole, rest) = from.as_slice().unwrap_or(&[]).as_chunks::<LANE>();
                let mut to = to.iter_mut().step_by(each);
                whole.iter().zip(to.by_ref()).for_each(|(from, to)| to.0 = *from);
                if let Some(to) = to.next() {
                    to.0[..rest.len()].copy_from_slice(rest);
                }
            }
        } else {
            // A transposed factor: eight columns are read at once, each in order.
            for (l, columns) in columns.axis_chunks_iter(Axis(1), LANE).enumerate() {
                let (mut columns, count) = (columns.columns().into_iter(), columns.ncols());
                let from: [ArrayView1<u64>; LANE] =
                    std::array::from_fn(|_| columns.next().unwrap_or_else(|| ArrayView1::from(&[])));
                for (i, to) in panel.iter_mut().skip(l * each).step_by(lanes * each).enumerate() {
                    (0..count).for_each(|j| to.0[j] = from[j][i]);
                }
            }
        }
        if cross {
            panel.as_chunks_mut().0.iter_mut().for_each(|[y, to]| to.0 = y.0.map(crossed));
        }
    }
    packed
}

/// The first `n` elements; what stands in them is written over.
fn space<T: Copy>(packed: &mut Vec<T>, n: usize, zero: T) -> &mut [T] {
    if packed.len() < n {
        packed.resize(n, zero);
    }
    &mut packed[..n]
}

/// Packs `x`, `[rows, depth]`, into slivers of `height` rows. Within a sliver the depth is
/// outermost: `depth * height` words a sliver. Rows past the last are zeros. With `cross`,
/// the `height` words of [`crossed`] follow each `height` words.
pub(super) fn slivers<'a>(packed: &'a mut Vec<u64>, x: ArrayView2<u64>, height: usize, cross: bool) -> &'a [u64] {
    let stride = height * (1 + usize::from(cross));
    let packed = space(packed, x.nrows().div_ceil(height) * stride * x.ncols(), 0);
    let slivers = packed.chunks_exact_mut(stride * x.ncols());
    for (sliver, rows) in slivers.zip(x.axis_chunks_iter(Axis(0), height)) {
        if rows.nrows() < height {
            sliver.fill(0);
        }
        if rows.strides()[0] == 1 {
            // A transposed factor: what belongs side by side is side by side already.
            for (to, from) in sliver.chunks_exact_mut(stride).zip(rows.columns()) {
                to.iter_mut().zip(from.as_slice().unwrap_or(&[])).for_each(|(to, &from)| *to = from);
            }
        } else {
            for (i, from) in rows.rows().into_iter().enumerate() {
                let to = sliver[i..].iter_mut().step_by(stride);
                match from.to_slice() {
                    Some(from) => to.zip(from).for_each(|(to, from)| *to = *from),
                    None => to.zip(from).for_each(|(to, from)| *to = *from),
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

/// Of x = x_0 + 2^52 x_1: x_1, and 2^40 times the 12 low bits of x_0. See ifma.rs.
pub(super) fn crossed(x: u64) -> u64 {
    x >> 52 | (x & 0xfff) << 40
}
