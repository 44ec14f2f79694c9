//! Records in memory, as their schema encodes them, and how they are split between owners.

use crate::shuffle::{Stream, shuffle};
use crate::{DataError, Records, Result, Schema};
use ndarray::Array2;
use std::ops::Range;

/// Records to train on and records held out, in the clear.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// "digits", "mnist", or the file's stem.
    pub name: String,
    /// What the records look like.
    pub schema: Schema,
    /// Records to train on.
    pub train: Samples,
    /// Records held out.
    pub test: Samples,
}

/// Records as they are shared: a row has the features with the fraction bits of [`Schema::input`], then the label with those of
/// [`Schema::label_format`].
#[derive(Clone, PartialEq, Eq)]
pub struct Samples {
    /// Row-major.
    values: Vec<i64>,
    width: usize,
}

/// Shape only: records are secrets of their owner and stay out of logs.
impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Samples({} x {})", self.rows(), self.width)
    }
}

impl Samples {
    /// Of rows of so many numbers, one after the other.
    #[must_use]
    pub fn new(values: Vec<i64>, width: usize) -> Samples {
        Samples { values, width }
    }

    /// All that is left of a file: records to train on, and records held out.
    ///
    /// # Errors
    /// What is wrong with the file and where.
    pub fn read(records: &mut Records) -> Result<[Samples; 2]> {
        let width = records.width();
        let [mut train, mut test] = [(); 2].map(|()| Samples { values: Vec::new(), width });
        while let Some(chunk) = records.next(10_000)? {
            if chunk.test { &mut test } else { &mut train }.values.extend(chunk.values);
        }
        Ok([train, test])
    }

    /// Number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of some rows, as far as they are there.
    #[must_use]
    pub fn range(&self, rows: Range<usize>) -> &[i64] {
        self.values.get(rows.start * self.width..rows.end * self.width).unwrap_or_default()
    }

    /// The first `n` records, or all if there are fewer.
    #[must_use]
    pub fn take(&self, n: usize) -> Samples {
        Samples { values: self.range(0..n.min(self.rows())).to_vec(), width: self.width }
    }

    /// The records at `index`, in that order.
    #[must_use]
    pub fn select(&self, index: &[usize]) -> Samples {
        Samples { values: index.iter().flat_map(|&i| self.range(i..i + 1)).copied().collect(), width: self.width }
    }

    /// The records of several, one after the other.
    #[must_use]
    pub fn joined(parts: &[Samples]) -> Samples {
        let width = parts.first().map_or(0, |p| p.width);
        Samples { values: parts.iter().flat_map(|p| &p.values).copied().collect(), width }
    }

    /// The records split between `owners` data owners by a public seed: each record belongs to exactly one, and the numbers of records
    /// differ by at most one.
    ///
    /// # Errors
    /// [`DataError::Split`] without owners or with fewer records than owners.
    pub fn split(&self, owners: usize, seed: u64) -> Result<Vec<Samples>> {
        let records = self.rows();
        if owners == 0 || records < owners {
            return Err(DataError::Split { records, parts: owners });
        }
        let order = shuffle(records, seed, Stream::Owners);
        let bound = |i: usize| (i as u128 * records as u128 / owners as u128) as usize;
        Ok((0..owners).map(|owner| self.select(order.get(bound(owner)..bound(owner + 1)).unwrap_or_default())).collect())
    }

    /// Features and labels as the numbers that they stand for: `[records, numbers]`, as they are [handed in](Schema::handed_in), and `[records, outputs]`, a class as a row with a
    /// single 1.
    #[must_use]
    pub fn decoded(&self, schema: &Schema) -> [Array2<f64>; 2] {
        let (features, (input, _), (label, _)) = (schema.handed_in(), schema.input(), schema.label_format());
        let part = |columns: Range<usize>, frac: u8| {
            let unit = f64::from(frac).exp2();
            Array2::from_shape_fn((self.rows(), columns.len()), |(i, j)| {
                self.values[i * self.width + columns.start + j] as f64 / unit
            })
        };
        [part(0..features.min(self.width), input), part(features.min(self.width)..self.width, label)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(n: i64) -> Samples {
        Samples { values: (0..n).flat_map(|i| [2 * i, 2 * i + 1, i % 3]).collect(), width: 3 }
    }

    #[test]
    fn split_gives_each_record_to_one_owner() {
        let all = samples(10);
        let parts = all.split(3, 5).unwrap();
        assert_eq!(parts.iter().map(Samples::rows).collect::<Vec<_>>(), [3, 3, 4]);
        let mut seen: Vec<Vec<i64>> = (0..10).map(|i| Samples::joined(&parts).range(i..i + 1).to_vec()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..10).map(|i| vec![2 * i, 2 * i + 1, i % 3])));
        assert_eq!(parts, all.split(3, 5).unwrap());
        assert_ne!(parts, all.split(3, 6).unwrap());
    }

    #[test]
    fn split_refuses_what_it_cannot_do() {
        for owners in [0, 11] {
            assert!(matches!(samples(10).split(owners, 0), Err(DataError::Split { .. })));
        }
        assert_eq!(samples(10).split(10, 0).unwrap().len(), 10);
    }

    #[test]
    fn taken_and_decoded() {
        let taken = samples(4).take(3);
        assert_eq!((taken.rows(), taken.width(), samples(2).take(9).rows()), (3, 3, 2));
        let schema = "task = 'regression'\nlabel = 'y'\ntarget = { mean = 0, deviation = 1 }\n\
            columns = [{ kind = 'range', name = 'a', min = 0, max = 1 }, { kind = 'range', name = 'b', min = 0, max = 1 }]";
        let schema: Schema = toml::from_str(schema).unwrap();
        let [x, y] = taken.decoded(&schema);
        assert_eq!((x.dim(), y.dim()), ((3, 2), (3, 1)));
        assert_eq!((x[[2, 1]], y[[2, 0]]), (5.0 / 4096.0, 2.0 / 4096.0));
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(format!("{:?}", samples(3)), "Samples(3 x 3)");
    }
}
