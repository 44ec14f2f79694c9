//! Records and their labels, and how they are split between owners.

use crate::shuffle::{Stream, shuffle};
use crate::{DataError, Result};
use ndarray::{Array2, Axis};

/// A classification task: records to train on and records held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// "digits", "mnist", or the CSV file's stem.
    pub name: String,
    /// Labels are below this.
    pub classes: usize,
    /// Records to train on.
    pub train: Table,
    /// Records held out.
    pub test: Table,
}

impl Dataset {
    /// Values in a record: the network's inputs.
    #[must_use]
    pub fn features(&self) -> usize {
        self.train.features()
    }
}

/// Records with labels, in the clear.
#[derive(Clone, PartialEq)]
pub struct Table {
    /// Shape `[records, features]`. Every value is a multiple of 2^-frac.
    pub x: Array2<f64>,
    /// `[records]`. Every label is below the dataset's number of classes.
    pub y: Vec<usize>,
    /// Fraction bits that represent `x` exactly.
    pub frac: u8,
}

/// Shape only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} x {}, frac {})", self.rows(), self.features(), self.frac)
    }
}

impl Table {
    /// Number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.x.nrows()
    }

    /// Values in a record.
    #[must_use]
    pub fn features(&self) -> usize {
        self.x.ncols()
    }

    /// The first `n` records, or all if there are fewer.
    #[must_use]
    pub fn take(&self, n: usize) -> Table {
        let index: Vec<usize> = (0..n.min(self.rows())).collect();
        self.select(&index)
    }

    /// The records at `index`, in that order.
    ///
    /// # Panics
    /// If an index is not below [`rows`](Self::rows).
    #[must_use]
    pub fn select(&self, index: &[usize]) -> Table {
        Table { x: self.x.select(Axis(0), index), y: index.iter().map(|&i| self.y[i]).collect(), frac: self.frac }
    }

    /// The labels as rows with a single 1: `[records, classes]`.
    ///
    /// # Panics
    /// If a label is not below `classes`.
    #[must_use]
    pub fn one_hot(&self, classes: usize) -> Array2<f64> {
        let mut out = Array2::zeros((self.y.len(), classes));
        for (i, &label) in self.y.iter().enumerate() {
            out[[i, label]] = 1.0;
        }
        out
    }

    /// The records split between `owners` data owners by a public seed: each record belongs to exactly one, and the
    /// numbers of records differ by at most one.
    ///
    /// # Errors
    /// [`DataError::Split`] without owners or with fewer records than owners.
    pub fn split(&self, owners: usize, seed: u64) -> Result<Vec<Table>> {
        (0..owners.max(1)).map(|owner| self.part(owner, owners, seed)).collect()
    }

    /// The part of one owner, counted from 0: `split(owners, seed)[owner]` without building the others.
    ///
    /// # Errors
    /// As [`split`](Self::split), and where `owner` is not below `owners`.
    pub fn part(&self, owner: usize, owners: usize, seed: u64) -> Result<Table> {
        let records = self.rows();
        if owner >= owners || records < owners {
            return Err(DataError::Split { records, parts: owners });
        }
        let order = shuffle(records, seed, Stream::Owners);
        let bound = |i: usize| (i as u128 * records as u128 / owners as u128) as usize;
        Ok(self.select(&order[bound(owner)..bound(owner + 1)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(n: usize) -> Table {
        Table { x: Array2::from_shape_fn((n, 2), |(i, j)| (2 * i + j) as f64), y: (0..n).map(|i| i % 3).collect(), frac: 0 }
    }

    #[test]
    fn split_gives_each_record_to_one_owner() {
        let t = table(10);
        let parts = t.split(3, 5).unwrap();
        assert_eq!(parts.iter().map(Table::rows).collect::<Vec<_>>(), [3, 3, 4]);
        let mut seen: Vec<(u64, usize)> =
            parts.iter().flat_map(|p| p.x.column(0).iter().map(|&v| v as u64).zip(p.y.clone()).collect::<Vec<_>>()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..10).map(|i| (2 * i as u64, i % 3))));
        assert_eq!(parts, t.split(3, 5).unwrap());
        assert_ne!(parts, t.split(3, 6).unwrap());
    }

    #[test]
    fn split_refuses_what_it_cannot_do() {
        for owners in [0, 11] {
            assert!(matches!(table(10).split(owners, 0), Err(DataError::Split { .. })));
        }
        assert!(table(10).part(3, 3, 0).is_err());
        assert_eq!(table(10).split(10, 0).unwrap().len(), 10);
    }

    #[test]
    fn take_and_one_hot() {
        let t = table(4).take(3);
        assert_eq!((t.rows(), t.features()), (3, 2));
        assert_eq!(table(2).take(9).rows(), 2);
        assert_eq!(t.one_hot(3), ndarray::arr2(&[[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]]));
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(format!("{:?}", table(3)), "Table(3 x 2, frac 0)");
    }
}
