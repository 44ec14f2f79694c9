//! What a party keeps of a matrix, in memory and on its disk.

use crate::rows::Rows;
use std::ops::Range;

/// Two matrices of words, each of the matrix's shape or empty: m and a mask, two masks, or a share and nothing, as the suite
/// has it for each party ([`Suite::accept`](crate::Suite::accept), [`Suite::keep`](crate::Suite::keep)). What can be kept can be put back
/// into an engine ([`Suite::input`](crate::Suite::input)).
///
/// Of words that are expanded from a seed the seed is kept, and views of what was dealt copy nothing.
#[derive(Clone, Default)]
pub struct Kept(pub(crate) [Rows; 2]);

/// Lengths only: the words are secret.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b] = self.0.each_ref().map(Rows::len);
        write!(f, "Kept({a} and {b} words)")
    }
}

impl Kept {
    /// Whether it is of a matrix of so many elements.
    pub fn has(&self, elements: usize) -> bool {
        self.0.iter().all(|rows| rows.is_empty() || rows.len() == elements)
    }

    /// These words.
    pub fn new(words: [Vec<u64>; 2]) -> Kept {
        Kept(words.map(Rows::words))
    }

    /// Both matrices' words, row by row.
    pub fn words(&self) -> [Vec<u64>; 2] {
        self.0.each_ref().map(Rows::to_words)
    }

    /// Appends these columns of a matrix that has so many.
    pub fn extend_columns(&mut self, of: &Kept, all: usize, columns: Range<usize>) {
        let places: Vec<usize> = columns.collect();
        self.0.iter_mut().zip(of.columns(all, &places).0).for_each(|(rows, more)| rows.extend(more));
    }

    /// The columns at these places, of so many.
    pub fn columns(&self, all: usize, places: &[usize]) -> Kept {
        Kept(self.0.each_ref().map(|rows| rows.clone().cut(all).columns(places)))
    }

    /// The same, and to each `factor` times the element behind it is added.
    pub fn with_next(&self, all: usize, places: &[usize], factor: u64) -> Kept {
        let next: Vec<usize> = places.iter().map(|at| at + 1).collect();
        let [mut sums, next] = [places, &next].map(|places| self.columns(all, places).words());
        for (sum, next) in sums.iter_mut().flatten().zip(next.iter().flatten()) {
            *sum = sum.wrapping_add(next.wrapping_mul(factor));
        }
        Kept::new(sums)
    }

    /// These rows of a matrix that has so many columns.
    pub fn rows(&self, columns: usize, rows: Range<usize>) -> Kept {
        Kept(self.0.each_ref().map(|words| words.clone().cut(columns).range(rows.clone())))
    }

    /// Matrices of as many columns together, one below the other.
    pub fn below(parts: impl IntoIterator<Item = Kept>) -> Kept {
        let mut all = Kept::default();
        for part in parts {
            all.0.iter_mut().zip(part.0).for_each(|(rows, more)| rows.extend(more));
        }
        all
    }

    /// As words for another machine of this party.
    pub fn pack(&self) -> Vec<u64> {
        let mut words = vec![];
        self.0.iter().for_each(|rows| rows.pack(&mut words));
        words
    }

    /// The same there. Nothing is shared with what it was packed from.
    ///
    /// # Errors
    /// A text that says what was found and expected.
    pub fn unpack(mut words: &[u64]) -> Result<Kept, String> {
        let n = words.len();
        let kept = Rows::unpack(&mut words).zip(Rows::unpack(&mut words)).filter(|_| words.is_empty());
        kept.map(|(a, b)| Kept([a, b])).ok_or_else(|| format!("{n} words, expected two matrices"))
    }

    /// For the disk: the words of each matrix, eight bytes each, the lowest first.
    pub fn to_bytes(&self) -> [Vec<u8>; 2] {
        self.words().map(|words| words.iter().flat_map(|w| w.to_le_bytes()).collect())
    }

    /// A matrix of `n` elements from the disk.
    ///
    /// # Errors
    /// A text that says what was found and expected.
    pub fn from_bytes(bytes: [Vec<u8>; 2], n: usize) -> Result<Kept, (String, String)> {
        let mut kept = Kept::default();
        for (rows, bytes) in kept.0.iter_mut().zip(bytes) {
            let (whole, rest) = bytes.as_chunks::<8>();
            if !rest.is_empty() {
                return Err((format!("{} bytes", bytes.len()), "whole words".into()));
            }
            if whole.len() != n && !whole.is_empty() {
                return Err(("words of another matrix".into(), format!("{n} or none")));
            }
            *rows = Rows::words(whole.iter().map(|w| u64::from_le_bytes(*w)).collect());
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_rows() {
        let of = Kept::new([vec![1, 2, 3, 4, 5, 6], vec![]]);
        let (mut x, mut y) = (Kept::default(), Kept::default());
        x.extend_columns(&of, 3, 0..2);
        y.extend_columns(&of, 3, 2..3);
        assert!(x.words() == [&[1, 2, 4, 5][..], &[]] && y.words() == [&[3, 6][..], &[]]);
        assert!(of.columns(3, &[2, 0]).words() == [&[3, 1, 6, 4][..], &[]]);
        assert!(of.rows(3, 1..2).words() == [&[4, 5, 6][..], &[]]);
        assert!(of.with_next(3, &[1], u64::MAX).words() == [&[u64::MAX, u64::MAX][..], &[]]);
        assert!(Kept::below([x, of.columns(3, &[2, 1])]).words() == [&[1, 2, 4, 5, 3, 2, 6, 5][..], &[]]);
    }

    #[test]
    fn to_the_disk_and_back() {
        let kept = Kept::new([vec![1, u64::MAX], vec![]]);
        let bytes = kept.to_bytes();
        assert_eq!(bytes[0][..9], [1, 0, 0, 0, 0, 0, 0, 0, 255]);
        assert!(Kept::from_bytes(bytes.clone(), 2).unwrap().words() == kept.words());
        assert!(Kept::from_bytes(bytes.clone(), 3).err().unwrap().1.contains("3 or none"));
        let [mut cut, none] = bytes;
        cut.pop();
        assert!(Kept::from_bytes([cut, none], 2).err().unwrap().0.contains("15 bytes"));
    }
}
