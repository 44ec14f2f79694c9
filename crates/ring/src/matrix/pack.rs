//! Copies of blocks of the factors in the order in which the kernel reads them.

use ndarray::{ArrayView2, Axis};

/// One cache line of words: keeps wide loads from straddling two lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lane(pub(super) [u64; LANE]);

/// Words in a lane.
pub(super) const LANE: usize = 8;

/// Packs `y`, `[depth, columns]`, into panels of `lanes` lanes of columns. Within a panel the row
/// index is outermost: `depth * lanes` lanes a panel. Columns past the last are zeros.
pub(super) fn panels(packed: &mut Vec<Lane>, y: ArrayView2<u64>, lanes: usize) {
    let width = lanes * LANE;
    packed.resize(y.ncols().div_ceil(width) * lanes * y.nrows(), Lane([0; LANE]));
    let panels = packed.chunks_exact_mut(lanes * y.nrows());
    for (panel, columns) in panels.zip(y.axis_chunks_iter(Axis(1), width)) {
        if columns.ncols() < width {
            panel.fill(Lane([0; LANE]));
        }
        if columns.strides()[1] == 1 {
            for (to, from) in panel.chunks_exact_mut(lanes).zip(columns.rows()) {
                let (lanes, rest) = from.as_slice().unwrap_or(&[]).as_chunks::<LANE>();
                to.iter_mut().zip(lanes).for_each(|(to, from)| to.0 = *from);
                if let Some(to) = to.get_mut(lanes.len()) {
                    to.0[..rest.len()].copy_from_slice(rest);
                }
            }
        } else {
            for (j, from) in columns.columns().into_iter().enumerate() {
                let to = panel.iter_mut().skip(j / LANE).step_by(lanes);
                to.zip(from).for_each(|(to, &from)| to.0[j % LANE] = from);
            }
        }
    }
}

/// Packs `x`, `[rows, depth]`, into slivers of `height` rows. Within a sliver the depth is
/// outermost: `depth * height` words a sliver. Rows past the last are zeros.
pub(super) fn slivers(packed: &mut Vec<u64>, x: ArrayView2<u64>, height: usize) {
    packed.resize(x.nrows().div_ceil(height) * height * x.ncols(), 0);
    let slivers = packed.chunks_exact_mut(height * x.ncols());
    for (sliver, rows) in slivers.zip(x.axis_chunks_iter(Axis(0), height)) {
        if rows.nrows() < height {
            sliver.fill(0);
        }
        if rows.strides()[0] == 1 {
            // A transposed factor: what belongs side by side is side by side already.
            for (to, from) in sliver.chunks_exact_mut(height).zip(rows.columns()) {
                to.iter_mut().zip(from.as_slice().unwrap_or(&[])).for_each(|(to, &from)| *to = from);
            }
            continue;
        }
        for (i, from) in rows.rows().into_iter().enumerate() {
            let to = sliver[i..].iter_mut().step_by(height);
            match from.to_slice() {
                Some(from) => to.zip(from).for_each(|(to, from)| *to = *from),
                None => to.zip(from).for_each(|(to, from)| *to = *from),
            }
        }
    }
}
