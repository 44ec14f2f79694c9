//! The words of a matrix as a party keeps them: those that it was sent, and the seed of those that are expanded from one.
//!
//! Owners deal rows in chunks, features and labels side by side, and each chunk's masks as a seed. A party that expanded all of them would hold a
//! word of mask for each word of the records. It keeps the seeds, and makes a row's masks when a batch needs the row: word i of a stream stands
//! at byte 8 i of it, and AES in counter mode begins anywhere. What is made is the same each time, and belongs to the same element: no mask
//! serves two values, however often it is made.
//!
//! Nothing here copies a word before it is asked for: rows, columns, what stands below and beside are other views of what was dealt.

use crate::{Key, Prg};
use std::ops::Range;
use std::sync::Arc;

/// Words of a matrix, row by row; or nothing, where the party has none of it. It has no `Debug`: it is secret.
#[derive(Clone, Default)]
pub struct Rows {
    columns: usize,
    /// One below the other, none without rows.
    pieces: Vec<Piece>,
}

/// Rows of one origin: all that are before `end`, from where the piece above it ended.
#[derive(Clone)]
struct Piece {
    end: usize,
    /// Side by side, as wide as the matrix.
    runs: Vec<Run>,
}

/// `len` neighbouring columns, the first of them `left`: of row i the words from `at` + i `stride` on.
#[derive(Clone)]
struct Run {
    from: Arc<Source>,
    at: usize,
    stride: usize,
    left: usize,
    len: usize,
}

/// Where words come from.
enum Source {
    Words(Vec<u64>),
    /// The seed of a stream.
    Stream(Key),
}

impl Rows {
    /// These words, as one row.
    pub fn words(words: Vec<u64>) -> Rows {
        Rows::row(words.len(), Source::Words(words))
    }

    /// The first `n` words of the stream of a seed, as one row. None of them is made yet.
    pub fn stream(seed: Key, n: usize) -> Rows {
        Rows::row(n, Source::Stream(seed))
    }

    fn row(n: usize, from: Source) -> Rows {
        let run = Run { from: Arc::new(from), at: 0, stride: n, left: 0, len: n };
        Rows { columns: n, pieces: if n == 0 { vec![] } else { vec![Piece { end: 1, runs: vec![run] }] } }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.count() * self.columns
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same words, one after another, in rows of so many; what is left at the end is no row.
    pub fn cut(self, columns: usize) -> Rows {
        if self.columns == columns || self.is_empty() {
            return Rows { columns, ..self };
        }
        let rows = self.len().checked_div(columns).unwrap_or(0);
        let run = match &self.pieces[..] {
            // Rows of a chunk, as they were sent.
            [Piece { end, runs }] if runs.len() == 1 && (*end == 1 || runs[0].stride == self.columns) => runs[0].clone(),
            _ => Run { from: Arc::new(Source::Words(self.to_words())), at: 0, stride: 0, left: 0, len: 0 },
        };
        let runs = vec![Run { stride: columns, len: columns, ..run }];
        Rows { columns, pieces: if rows == 0 { vec![] } else { vec![Piece { end: rows, runs }] } }
    }

    /// These rows of it.
    pub fn range(&self, rows: Range<usize>) -> Rows {
        let (mut pieces, mut first) = (vec![], 0);
        for piece in &self.pieces {
            let from = std::mem::replace(&mut first, piece.end);
            let (start, end) = (rows.start.max(from), rows.end.min(piece.end));
            if start < end {
                let down = |run: &Run| Run { at: run.at + (start - from) * run.stride, ..run.clone() };
                pieces.push(Piece { end: end - rows.start, runs: piece.runs.iter().map(down).collect() });
            }
        }
        Rows { columns: self.columns, pieces }
    }

    /// The columns at these places, in this order.
    pub fn columns(&self, places: &[usize]) -> Rows {
        let of = |piece: &Piece| Piece { end: piece.end, runs: piece.columns(places) };
        let pieces = if places.is_empty() { vec![] } else { self.pieces.iter().map(of).collect() };
        Rows { columns: places.len(), pieces }
    }

    /// Appends rows of as many columns.
    pub fn extend(&mut self, below: Rows) {
        if self.is_empty() {
            *self = below;
            return;
        }
        let end = self.count();
        self.pieces.extend(below.pieces.into_iter().map(|piece| Piece { end: end + piece.end, ..piece }));
    }

    /// Matrices of equal height side by side.
    pub fn beside(parts: &[&Rows]) -> Rows {
        let mut ends: Vec<usize> = parts.iter().flat_map(|part| part.pieces.iter().map(|piece| piece.end)).collect();
        ends.sort_unstable();
        ends.dedup();
        let (mut pieces, mut first) = (vec![], 0);
        for end in ends {
            let (mut runs, mut left) = (vec![], 0);
            for part in parts {
                // Within one piece, as no other ends in between.
                let rows = part.range(first..end);
                runs.extend(rows.pieces.into_iter().flat_map(|piece| piece.runs).map(|run| Run { left: left + run.left, ..run }));
                left += part.columns;
            }
            pieces.push(Piece { end, runs });
            first = end;
        }
        Rows { columns: parts.iter().map(|part| part.columns).sum(), pieces }
    }

    /// The words of the rows at these places, row by row; zeros for a place beyond the end.
    pub fn gather(&self, places: &[usize]) -> Vec<u64> {
        let mut out = vec![0; places.len() * self.columns];
        let mut left = &mut out[..];
        // Neighbours are read together: a seed is expanded from one place on.
        for run in places.chunk_by(|a, b| a + 1 == *b) {
            let (rows, rest) = left.split_at_mut(run.len() * self.columns);
            self.read(run[0]..run[0] + run.len(), rows);
            left = rest;
        }
        out
    }

    /// All words, row by row.
    pub fn to_words(&self) -> Vec<u64> {
        let mut out = vec![0; self.len()];
        self.read(0..self.count(), &mut out);
        out
    }

    /// All words, row by row, if they stand so in memory already, and for nobody else.
    ///
    /// # Errors
    /// The rows, if not.
    pub fn into_words(mut self) -> Result<Vec<u64>, Rows> {
        let len = self.len();
        if let [Piece { runs, .. }] = &mut self.pieces[..]
            && let [Run { from, at: 0, .. }] = &mut runs[..]
            && let Some(Source::Words(words)) = Arc::get_mut(from)
            && words.len() == len
        {
            return Ok(std::mem::take(words));
        }
        if self.is_empty() { Ok(vec![]) } else { Err(self) }
    }

    /// The words of these rows.
    fn read(&self, rows: Range<usize>, mut out: &mut [u64]) {
        let mut at = rows.start;
        let before = self.pieces.partition_point(|piece| piece.end <= at);
        let mut first = before.checked_sub(1).map_or(0, |i| self.pieces[i].end);
        for piece in &self.pieces[before..] {
            let from = std::mem::replace(&mut first, piece.end);
            if at >= rows.end {
                break;
            }
            let end = piece.end.min(rows.end);
            let (here, rest) = out.split_at_mut((end - at) * self.columns);
            piece.runs.iter().for_each(|run| run.read(at - from, self.columns, here));
            (at, out) = (end, rest);
        }
    }
}

impl Piece {
    fn columns(&self, places: &[usize]) -> Vec<Run> {
        let mut runs: Vec<Run> = vec![];
        for (left, place) in places.iter().enumerate() {
            let Some(run) = self.runs.get(self.runs.partition_point(|run| run.left + run.len <= *place)) else { continue };
            let at = run.at + place - run.left;
            let goes_on = |last: &&mut Run| {
                Arc::ptr_eq(&last.from, &run.from)
                    && last.stride == run.stride
                    && last.at + last.len == at
                    && last.left + last.len == left
            };
            match runs.last_mut().filter(goes_on) {
                Some(last) => last.len += 1,
                None => runs.push(Run { from: run.from.clone(), at, left, len: 1, ..*run }),
            }
        }
        runs
    }
}

impl Run {
    /// This run's words of the rows from `first` on to their places in rows of `columns`.
    fn read(&self, first: usize, columns: usize, out: &mut [u64]) {
        let at = self.at + first * self.stride;
        let (at, stride, width) = match self.len == columns && self.stride == columns {
            // All rows as one.
            true => (at, 0, out.len()),
            false => (at, self.stride, columns),
        };
        let len = if stride == 0 { width } else { self.len };
        let places =
            out.chunks_exact_mut(width.max(1)).enumerate().map(|(i, row)| (at + i * stride, &mut row[self.left..][..len]));
        match &*self.from {
            Source::Words(words) => places.for_each(|(at, out)| out.copy_from_slice(&words[at..][..len])),
            Source::Stream(seed) => {
                let mut stream = Prg::from_seed(seed.bytes());
                places.for_each(|(at, out)| stream.words_from(at, out));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [7; 32];
    const WIDTH: usize = 11;

    fn seed(chunk: u8) -> Key {
        Key::from_bytes([chunk; 32])
    }

    /// Two chunks of rows under seeds, or in words, and the words that they stand for.
    fn chunks(seeds: bool) -> (Vec<Rows>, Vec<Vec<u64>>) {
        let chunk = |(i, rows): (u8, usize)| {
            let words = Prg::from_seed(&[i; 32]).words(rows * WIDTH);
            let dealt = if seeds { Rows::stream(seed(i), rows * WIDTH) } else { Rows::words(words.clone()) };
            (dealt.cut(WIDTH), words.chunks(WIDTH).map(<[u64]>::to_vec).collect::<Vec<_>>())
        };
        let all: Vec<_> = [(1, 150), (2, 7)].into_iter().map(chunk).collect();
        (all.iter().map(|(dealt, _)| dealt.clone()).collect(), all.into_iter().flat_map(|(_, words)| words).collect())
    }

    #[test]
    fn a_stream_begins_anywhere() {
        let all = Prg::from_seed(&SEED).words(1500);
        let mut stream = Prg::from_seed(&SEED);
        for (at, n) in [(0, 1500), (1499, 1), (1, 700), (511, 3), (512, 0), (2, 2), (1000, 500)] {
            let mut out = vec![9; n];
            stream.words_from(at, &mut out);
            assert!(out == all[at..][..n], "{n} words from {at}");
        }
    }

    /// Whatever view is taken of what was dealt, each element is the word that it is in the whole.
    #[test]
    fn views_are_of_the_same_words() {
        for seeds in [false, true] {
            let (parts, words) = chunks(seeds);
            let mut x = Rows::default();
            parts.iter().for_each(|part| x.extend(part.clone()));
            assert!((x.count(), x.len()) == (157, 157 * WIDTH) && x.to_words() == words.concat());

            let rows = [156, 0, 149, 150, 3, 3];
            assert!(x.gather(&rows) == rows.map(|i| words[i].clone()).concat());
            assert!(x.range(140..153).to_words() == words[140..153].concat() && x.range(3..3).is_empty());
            let places = [4, 5, 6, 0, 10, 10];
            let of = |row: &Vec<u64>| places.map(|j| row[j]);
            assert!(x.columns(&places).to_words() == words.iter().flat_map(of).collect::<Vec<_>>());
            // Views of views.
            let narrow = x.range(100..155).columns(&places).columns(&[1, 2, 3]).range(50..55);
            assert!(narrow.to_words() == words[150..155].iter().flat_map(|row| [row[5], row[6], row[0]]).collect::<Vec<_>>());
            assert!(x.range(1..2).cut(1).to_words() == words[1] && x.columns(&[]).is_empty());
        }
    }

    /// Chunks that end at different rows, of owners of columns.
    #[test]
    fn side_by_side() {
        let (parts, words) = chunks(true);
        let (mut left, mut right) = (parts[0].clone(), parts[1].columns(&[2, 1]));
        left.extend(parts[1].clone());
        right.extend(parts[0].columns(&[2, 1]));
        let both = Rows::beside(&[&left, &right]);
        let swapped = [&words[150..], &words[..150]].concat();
        let row = |(a, b): (&Vec<u64>, &Vec<u64>)| [&a[..], &[b[2], b[1]]].concat();
        assert!(both.to_words() == words.iter().zip(&swapped).flat_map(row).collect::<Vec<_>>());
        let last = both.columns(&[12, 0]).gather(&[156, 7]);
        assert!(last == [swapped[156][1], words[156][0], swapped[7][1], words[7][0]]);
    }

    #[test]
    fn words_that_stand_in_memory_are_not_copied() {
        let words = vec![1, 2, 3, 4];
        let at = words.as_ptr();
        let found = Rows::words(words).cut(2).into_words().unwrap_or_default();
        assert!(found.as_ptr() == at && found == [1, 2, 3, 4]);
        let dealt = Rows::words(found);
        let kept = dealt.clone();
        assert!(dealt.into_words().is_err() && kept.columns(&[0, 1]).into_words().is_err());
        assert!(
            Rows::stream(seed(1), 4).into_words().is_err() && Rows::default().into_words().is_ok_and(|words| words.is_empty())
        );
    }
}
