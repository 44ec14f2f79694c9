//! What a party keeps of a matrix, in memory and on its disk.

use std::ops::Range;

/// Two vectors of words, row by row, each as long as the matrix or empty: m and a mask, two masks, or a share and nothing, as the suite
/// has it for each party ([`Suite::accept`](crate::Suite::accept), [`Suite::keep`](crate::Suite::keep)). What can be kept can be put back
/// into an engine ([`Suite::input`](crate::Suite::input)).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Kept(pub [Vec<u64>; 2]);

/// Lengths only: the words are secret.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b] = self.words().map(<[u64]>::len);
        write!(f, "Kept({a} and {b} words)")
    }
}

impl Kept {
    /// Both vectors.
    pub fn words(&self) -> [&[u64]; 2] {
        self.0.each_ref().map(Vec::as_slice)
    }

    /// Appends these columns of a matrix that has so many.
    pub fn extend_columns(&mut self, of: &Kept, all: usize, columns: Range<usize>) {
        for (words, of) in self.0.iter_mut().zip(&of.0) {
            words.extend(of.chunks(all.max(1)).filter_map(|row| row.get(columns.clone())).flatten());
        }
    }

    /// The columns at these places, of so many.
    pub fn columns(&self, all: usize, places: &[usize]) -> Kept {
        let of = |words: &Vec<u64>| {
            words.chunks(all.max(1)).flat_map(|row| places.iter().filter_map(|at| row.get(*at).copied())).collect()
        };
        Kept(self.0.each_ref().map(of))
    }

    /// The same, and to each `factor` times the element behind it is added.
    pub fn with_next(&self, all: usize, places: &[usize], factor: u64) -> Kept {
        let sum = |row: &[u64], at: usize| Some(row.get(at)?.wrapping_add(row.get(at + 1)?.wrapping_mul(factor)));
        let of =
            |words: &Vec<u64>| words.chunks(all.max(1)).flat_map(|row| places.iter().filter_map(|at| sum(row, *at))).collect();
        Kept(self.0.each_ref().map(of))
    }

    /// Matrices of `n` elements together, one below the other.
    pub fn below(parts: impl IntoIterator<Item = Kept>, n: usize) -> Kept {
        let mut all = Kept::default();
        for part in parts {
            for (words, part) in all.0.iter_mut().zip(part.0) {
                if words.is_empty() && !part.is_empty() {
                    words.reserve_exact(n);
                }
                words.extend(part);
            }
        }
        all
    }

    /// For the disk: the words of each vector, eight bytes each, the lowest first.
    pub fn to_bytes(&self) -> [Vec<u8>; 2] {
        self.words().map(|words| words.iter().flat_map(|w| w.to_le_bytes()).collect())
    }

    /// A matrix of `n` elements from the disk.
    ///
    /// # Errors
    /// A text that says what was found and expected.
    pub fn from_bytes(bytes: [Vec<u8>; 2], n: usize) -> Result<Kept, (String, String)> {
        let mut kept = Kept::default();
        for (words, bytes) in kept.0.iter_mut().zip(bytes) {
            let (whole, rest) = bytes.as_chunks::<8>();
            if !rest.is_empty() {
                return Err((format!("{} bytes", bytes.len()), "whole words".into()));
            }
            if whole.len() != n && !whole.is_empty() {
                return Err(("words of another matrix".into(), format!("{n} or none")));
            }
            *words = whole.iter().map(|w| u64::from_le_bytes(*w)).collect();
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_rows() {
        let of = Kept([vec![1, 2, 3, 4, 5, 6], vec![]]);
        let (mut x, mut y) = (Kept::default(), Kept::default());
        x.extend_columns(&of, 3, 0..2);
        y.extend_columns(&of, 3, 2..3);
        assert!(x.words() == [&[1, 2, 4, 5][..], &[]] && y.words() == [&[3, 6][..], &[]]);
        assert!(of.columns(3, &[2, 0]).words() == [&[3, 1, 6, 4][..], &[]]);
        assert!(of.with_next(3, &[1], u64::MAX).words() == [&[u64::MAX, u64::MAX][..], &[]]);
        assert!(Kept::below([x, y], 6).words() == [&[1, 2, 4, 5, 3, 6][..], &[]]);
    }

    #[test]
    fn to_the_disk_and_back() {
        let kept = Kept([vec![1, u64::MAX], vec![]]);
        let bytes = kept.to_bytes();
        assert_eq!(bytes[0][..9], [1, 0, 0, 0, 0, 0, 0, 0, 255]);
        assert!(Kept::from_bytes(bytes.clone(), 2) == Ok(kept));
        assert!(Kept::from_bytes(bytes.clone(), 3).err().unwrap().1.contains("3 or none"));
        let [mut cut, none] = bytes;
        cut.pop();
        assert!(Kept::from_bytes([cut, none], 2).err().unwrap().0.contains("15 bytes"));
    }
}
