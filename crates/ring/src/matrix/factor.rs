//! A factor of a product: a matrix, or one whose elements stand elsewhere and are read from there as the product packs them.

use crate::Tensor;
use std::borrow::Cow;

/// A factor.
#[derive(Clone, Copy)]
pub enum Factor<'a> {
    /// A matrix.
    Whole(&'a Tensor),
    /// A matrix that is not made.
    Gathered(Gathered<'a>),
}

/// A matrix whose elements are those of another in other places, block by block alike: the other's elements, row by row, are cut into blocks of
/// `of`; each gives the elements at the places `at`, row by row in rows of `columns`, and zeros for places beyond its end. A convolution's windows
/// are many times as large as the image that they are of, and every element of them is read once.
#[derive(Clone, Copy)]
pub struct Gathered<'a> {
    /// The other matrix's elements.
    pub x: &'a [u64],
    /// Elements of a block.
    pub of: usize,
    /// Places in a block: a multiple of `columns`.
    pub at: &'a [u32],
    /// Columns.
    pub columns: usize,
}

impl<'a> Gathered<'a> {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        (self.x.len() / self.of.max(1)) * self.in_block()
    }

    /// Rows that a block gives.
    fn in_block(&self) -> usize {
        self.at.len() / self.columns.max(1)
    }

    /// The elements of row `i` in the given columns.
    pub fn row(&self, i: usize, columns: std::ops::Range<usize>) -> impl ExactSizeIterator<Item = u64> + 'a {
        let (block, row) = (i / self.in_block(), i % self.in_block());
        let block = &self.x[block * self.of..][..self.of];
        let at = &self.at[row * self.columns..][columns];
        at.iter().map(|at| block.get(*at as usize).copied().unwrap_or_default())
    }

    /// All elements, row by row.
    pub fn to_words(&self) -> Vec<u64> {
        let mut out = Vec::with_capacity(self.rows() * self.columns);
        for block in self.x.chunks_exact(self.of.max(1)) {
            out.extend(self.at.iter().map(|at| block.get(*at as usize).copied().unwrap_or_default()));
        }
        out
    }
}

impl<'a> Factor<'a> {
    /// The matrix.
    pub fn to_tensor(&self) -> Cow<'a, Tensor> {
        match self {
            Factor::Whole(x) => Cow::Borrowed(x),
            Factor::Gathered(x) => {
                let Ok(made) = Tensor::from_shape_vec((x.rows(), x.columns), x.to_words()) else {
                    unreachable!("as many words as rows and columns")
                };
                Cow::Owned(made)
            }
        }
    }
}

impl<'a> From<&'a Tensor> for Factor<'a> {
    fn from(x: &'a Tensor) -> Factor<'a> {
        Factor::Whole(x)
    }
}

impl<'a> From<Gathered<'a>> for Factor<'a> {
    fn from(x: Gathered<'a>) -> Factor<'a> {
        Factor::Gathered(x)
    }
}
