//! Indexing: which elements of a matrix stand where in another. It is public and moves nothing between parties.

use ndarray::Array2;

/// A rearrangement of elements; repeats are allowed, so it also broadcasts.
#[derive(Clone, Copy, Debug)]
pub enum Index<'a> {
    /// These rows, in this order.
    Rows(&'a [usize]),
    /// These columns, in this order.
    Cols(&'a [usize]),
    /// A matrix of the given shape whose elements are those at these places, counted row by row.
    Flat([usize; 2], &'a [usize]),
    /// The same of each block alike, so that what is said of one record serves a batch: the elements, counted row by row, are cut
    /// into blocks of `of`; each gives its elements at these places, and a zero for a place beyond its end. The result has `cols` columns.
    Blocks {
        /// Elements of a block.
        of: usize,
        /// Columns of the result.
        cols: usize,
        /// Places in a block.
        at: &'a [usize],
    },
}

impl Index<'_> {
    /// The shape that indexing a matrix of `shape` gives.
    pub fn shape(&self, shape: [usize; 2]) -> [usize; 2] {
        match *self {
            Index::Rows(rows) => [rows.len(), shape[1]],
            Index::Cols(cols) => [shape[0], cols.len()],
            Index::Flat(shape, _) => shape,
            Index::Blocks { of, cols, at } => [shape[0] * shape[1] / of.max(1) * at.len() / cols.max(1), cols],
        }
    }

    /// The rearranged matrix.
    ///
    /// Panics if an index is out of range, save for blocks: an index comes from shapes, which are public and have been checked.
    pub fn of<T: Copy + Default>(&self, x: &Array2<T>) -> Array2<T> {
        let [rows, cols] = self.shape([x.nrows(), x.ncols()]);
        let rows_of_x = x.as_standard_layout();
        let elements = rows_of_x.as_slice().unwrap_or(&[]);
        let mut out = Vec::with_capacity(rows * cols);
        match *self {
            Index::Rows(rows) => rows.iter().for_each(|i| out.extend_from_slice(&elements[i * x.ncols()..][..x.ncols()])),
            Index::Cols(cols) => {
                elements.chunks_exact(x.ncols().max(1)).for_each(|row| out.extend(cols.iter().map(|j| row[*j])));
            }
            Index::Flat(_, at) => out.extend(at.iter().map(|i| elements[*i])),
            Index::Blocks { of, at, .. } => {
                for block in elements.chunks_exact(of.max(1)) {
                    out.extend(at.iter().map(|i| block.get(*i).copied().unwrap_or_default()));
                }
            }
        }
        let Ok(out) = Array2::from_shape_vec((rows, cols), out) else {
            unreachable!("an index gives as many elements as its shape says")
        };
        out
    }
}
