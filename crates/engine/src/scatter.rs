//! The adjoint of a gather: elements are added up in new places.

use crate::format::log2_up;
use crate::{Error, Format, Result};
use ndarray::Array2;
use std::sync::Arc;

/// Where each element of a matrix is added to another one. Public, as all shapes are; cheap to clone.
///
/// ```
/// use ndarray::array;
/// use trefoil_engine::{Engine, Float, Format, Scatter};
/// let x = Float.public(&array![[1.0, 2.0], [3.0, 4.0]], Format::new(8, 4)).unwrap();
/// // 1 and 3 meet in the first place, 2 goes to the last one, 4 is dropped.
/// let y = Float.scatter(&x, &Scatter::new([1, 3], vec![0, 2, 0, usize::MAX])).unwrap();
/// assert_eq!(y.value, array![[4.0, 0.0, 2.0]]);
/// ```
#[derive(Clone, Debug)]
pub struct Scatter {
    shape: [usize; 2],
    /// How many blocks of elements there are, each of which is added up in as many places of its own.
    blocks: usize,
    /// The places of a block's elements in its part of the result.
    to: Arc<[usize]>,
    most: usize,
}

impl Scatter {
    /// Element i, counted row by row, is added to place `to[i]` of a matrix of `shape`, counted likewise; a place beyond its end drops it.
    pub fn new(shape: [usize; 2], to: Vec<usize>) -> Scatter {
        Scatter { shape, ..Scatter::rows(1, shape[0] * shape[1], to) }
    }

    /// The same for each of `rows` records alike: as many elements as there are places are added up to a row of `width`.
    pub fn rows(rows: usize, width: usize, to: Vec<usize>) -> Scatter {
        let mut count = vec![0usize; width];
        to.iter().for_each(|&i| {
            if let Some(n) = count.get_mut(i) {
                *n += 1;
            }
        });
        Scatter { shape: [rows, width], blocks: rows, to: to.into(), most: count.into_iter().max().unwrap_or(0) }
    }

    /// The shape of the result.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The format of the sums: as many elements are added as meet in one place at most.
    pub fn format(&self, x: Format) -> Format {
        Format { bits: x.bits.saturating_add(log2_up(self.most)), ..x }
    }

    /// Refuses a matrix with another number of elements than there are places for.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self, shape: [usize; 2]) -> Result<()> {
        match shape[0] * shape[1] == self.blocks * self.to.len() {
            true => Ok(()),
            false => Err(Error::Shape { what: "places of a scatter", left: shape, right: [self.blocks, self.to.len()] }),
        }
    }

    /// The sums, from `zero` on.
    pub fn of<T: Copy>(&self, x: &Array2<T>, zero: T, add: impl Fn(T, T) -> T) -> Array2<T> {
        let mut out = Array2::from_elem(self.shape, zero);
        let (x, width) = (x.as_standard_layout(), (self.shape[0] * self.shape[1] / self.blocks.max(1)).max(1));
        if let (Some(out), Some(x)) = (out.as_slice_mut(), x.as_slice()) {
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(self.to.len().max(1))) {
                for (x, &at) in x.iter().zip(self.to.iter()) {
                    if let Some(sum) = out.get_mut(at) {
                        *sum = add(*sum, *x);
                    }
                }
            }
        }
        out
    }

    /// The same as matrices of the result's shape that add up to it, element by element: of the elements that meet in a place each of them has one, or 0. At least one matrix.
    pub fn apart(&self, x: &Array2<u64>) -> Vec<Array2<u64>> {
        let mut out = vec![Array2::zeros(self.shape); self.most.max(1)];
        let (x, width) = (x.as_standard_layout(), (self.shape[0] * self.shape[1] / self.blocks.max(1)).max(1));
        let mut met = vec![0; width];
        for (i, x) in x.iter().enumerate() {
            let (block, i) = (i / self.to.len().max(1), i % self.to.len().max(1));
            if i == 0 {
                met.fill(0);
            }
            let at = self.to[i];
            if let Some(met) = met.get_mut(at) {
                let place = block * width + at;
                if let Some(out) = out[*met].as_slice_mut() {
                    out[place] = *x;
                }
                *met += 1;
            }
        }
        out
    }

    /// The same over the ring.
    pub fn words(&self, x: &Array2<u64>) -> Array2<u64> {
        self.of(x, 0, u64::wrapping_add)
    }
}
