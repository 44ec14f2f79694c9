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

/// What a run is sent as.
const WORDS: u64 = 0;
const STREAM: u64 = 1;

/// The first of `words`, which go on behind them.
fn numbers<const N: usize>(words: &mut &[u64]) -> Option<[usize; N]> {
    let (numbers, rest) = words.split_first_chunk::<N>()?;
    *words = rest;
    Some(numbers.map(|n| n as usize))
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

    /// As words for another machine of this party: the words of the rows, and the seeds of those that are expanded.
    pub(crate) fn pack(&self, out: &mut Vec<u64>) {
        out.extend([self.columns, self.pieces.len()].map(|n| n as u64));
        let mut first = 0;
        for Piece { end, runs } in &self.pieces {
            let rows = end - std::mem::replace(&mut first, *end);
            out.extend([rows, runs.len()].map(|n| n as u64));
            for Run { from, at, stride, left, len } in runs {
                out.extend([*left, *len].map(|n| n as u64));
                match &**from {
                    Source::Words(words) => {
                        out.push(WORDS);
                        (0..rows).for_each(|row| out.extend(&words[at + row * stride..][..*len]));
                    }
                    Source::Stream(seed) => {
                        out.extend([STREAM, *at as u64, *stride as u64]);
                        out.extend(seed.bytes().as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)));
                    }
                }
            }
        }
    }

    /// The first of `words`, which go on behind it; `None` if they are none.
    pub(crate) fn unpack(words: &mut &[u64]) -> Option<Rows> {
        let [columns, pieces] = numbers(words)?;
        let mut rows = Rows { columns, pieces: vec![] };
        for _ in 0..pieces {
            let [count, runs] = numbers(words)?;
            let (mut piece, mut width) = (Piece { end: rows.count().checked_add(count)?, runs: vec![] }, 0);
            for _ in 0..runs {
                let [left, len] = numbers(words)?;
                let run = match numbers(words)? {
                    [kind] if kind as u64 == WORDS => {
                        let (own, rest) = words.split_at_checked(count.checked_mul(len)?)?;
                        *words = rest;
                        Run { from: Arc::new(Source::Words(own.to_vec())), at: 0, stride: len, left, len }
                    }
                    [kind] if kind as u64 == STREAM => {
                        let [at, stride] = numbers(words)?;
                        let (seed, rest) = words.split_first_chunk::<4>()?;
                        *words = rest;
                        let mut bytes = [0; 32];
                        bytes.as_chunks_mut().0.iter_mut().zip(seed).for_each(|(to, word)| *to = word.to_le_bytes());
                        Run { from: Arc::new(Source::Stream(Key::from_bytes(bytes))), at, stride, left, len }
                    }
                    _ => return None,
                };
                // Side by side, without a gap.
                if left != width {
                    return None;
                }
                width += len;
                piece.runs.push(run);
            }
            if width != columns || count == 0 {
                return None;
            }
            rows.pieces.push(piece);
        }
        Some(rows)
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
mod tests;
