//! Pseudorandom streams: AES-128 in counter mode under a seed.

use crate::Key;
use crate::tap::{Draw, Taps};
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block};
use trefoil_engine::Lane;
use trefoil_net::At;
use trefoil_ring::planes;
use trefoil_ring::residue::Residue;
use zerocopy::IntoBytes;

/// A pseudorandom stream: each draw continues where the last one ended.
///
/// ```
/// use trefoil_mpc::Prg;
/// // Who has the seed has the stream; what was drawn does not come again.
/// let (mut owner, mut party) = (Prg::from_seed(&[9; 32]), Prg::from_seed(&[9; 32]));
/// assert_eq!(owner.words(5), party.words(5));
/// assert_ne!(owner.words(5), Prg::from_seed(&[9; 32]).words(5));
/// ```
pub struct Prg {
    aes: Box<Aes128>,
    /// What the counter of the first block is.
    first: u128,
    /// The next byte of the stream.
    place: u128,
    seed: Key,
    /// Whose part of each draw is made.
    lane: Lane,
    /// Where tests look on.
    tapped: Option<Box<Tapped>>,
}

#[derive(Clone)]
struct Tapped {
    seed: [u8; 32],
    draw: Draw,
    taps: Taps,
    blocks: u64,
}

impl Prg {
    /// The stream of a 256-bit seed: AES-128 key and initial counter.
    pub fn from_seed(seed: &[u8; 32]) -> Prg {
        let [key, first] = seed.as_chunks().0 else { unreachable!("both halves have 16 bytes") };
        let (aes, first) = (Box::new(Aes128::new(key.into())), u128::from_le_bytes(*first));
        Prg { aes, first, place: 0, seed: Key::from_bytes(*seed), lane: Lane::ALONE, tapped: None }
    }

    pub(crate) fn tapped(seed: &[u8; 32], draw: Draw, taps: Taps) -> Prg {
        let mut seed = *seed;
        taps.iter().for_each(|tap| tap.stream(&draw, &mut seed));
        Prg { tapped: Some(Box::new(Tapped { seed, draw, taps, blocks: 0 })), ..Prg::from_seed(&seed) }
    }

    /// The same stream, seen and perhaps changed by `tap`: for tests.
    pub fn insecure_tapped(seed: &[u8; 32], label: &'static str, taps: Taps) -> Prg {
        Prg::tapped(seed, Draw { pair: None, key: Key::from_bytes(*seed), at: At::default(), label }, taps)
    }

    /// A seed made of what comes next, for someone who is to know that part alone, and its stream.
    pub fn fork(&mut self, label: &'static str) -> ([u8; 32], Prg) {
        let mut seed = [0; 32];
        for (bytes, word) in seed.as_chunks_mut().0.iter_mut().zip(self.words(4)) {
            *bytes = word.to_le_bytes();
        }
        let stream = match &self.tapped {
            None => Prg::from_seed(&seed),
            Some(t) => Prg::tapped(&seed, Draw { label, ..t.draw.clone() }, t.taps.clone()),
        };
        (seed, stream)
    }

    /// `n` uniform elements of Z_2^64.
    pub fn words(&mut self, n: usize) -> Vec<u64> {
        self.drawn_each(1, n, 64)
    }

    /// Of all that [`words`](Prg::words) gives when it is called first, those from place `at` on, as many as `out` has room for. Nothing before
    /// them is made.
    pub(crate) fn words_from(&mut self, at: usize, out: &mut [u64]) {
        self.place = 8 * at as u128;
        self.fill(out, 64);
    }

    /// `n` uniform integers below 2^k, k <= 63: of a word each.
    pub fn bits(&mut self, n: usize, k: u8) -> Vec<u64> {
        self.drawn_each(1, n, k)
    }

    /// The stream of the next draw, of `n` values of a word each, for whoever makes them later, or piece by piece; this one goes on behind it.
    pub(crate) fn ahead(&mut self, n: usize) -> Prg {
        let (start, Lane { rank, of }) = (self.place, self.lane);
        let mut next = Prg { tapped: self.tapped.clone(), ..Prg::from_seed(self.seed.bytes()) };
        next.place = start + 8 * (rank * n) as u128;
        self.go_behind(start, of * n);
        if let Some(t) = &mut self.tapped {
            t.blocks += (8 * n).div_ceil(BLOCK) as u64;
        }
        next
    }

    /// The next values of k bits, a word each: all of a draw, or of a piece of it that has whole blocks. What is left of the last block is
    /// thrown away.
    pub(crate) fn fill(&mut self, out: &mut [u64], k: u8) {
        let start = self.place;
        self.next(out, k);
        self.go_behind(start, out.len());
    }

    /// The same without what is thrown away.
    fn next(&mut self, out: &mut [u64], k: u8) {
        let mask = u64::MAX >> (64 - k);
        if self.tapped.is_none() {
            self.stream(out.as_mut_bytes());
        } else {
            let mut at = 0;
            self.blocks(out.len(), |bytes, left| {
                let words = &bytes.as_chunks::<8>().0[..left.min(BLOCK / 8)];
                out[at..].iter_mut().zip(words).for_each(|(out, word)| *out = u64::from_ne_bytes(*word));
                at += words.len();
                words.len()
            });
        }
        if mask != u64::MAX || cfg!(target_endian = "big") {
            out.iter_mut().for_each(|x| *x = u64::from_le(*x) & mask);
        }
    }

    /// `n` values of a draw, made in a block that stays in the cache.
    fn extend(&mut self, out: &mut Vec<u64>, n: usize, k: u8) {
        let (start, mut block) = (self.place, [0; BLOCK / 8]);
        for at in (0..n).step_by(block.len()) {
            let block = &mut block[..(n - at).min(BLOCK / 8)];
            self.next(block, k);
            out.extend_from_slice(block);
        }
        self.go_behind(start, n);
    }

    /// `times` matrices of `n` values of k bits, a word each, in one draw. A lane makes its rows of each, and leaves out those of the others.
    fn drawn_each(&mut self, times: usize, n: usize, k: u8) -> Vec<u64> {
        let mut out = Vec::with_capacity(times * n);
        let Lane { rank, of } = self.lane;
        if of == 1 {
            self.extend(&mut out, times * n, k);
            return out;
        }
        let start = self.place;
        for i in 0..times {
            self.place = start + 8 * (i * of + rank) as u128 * n as u128;
            self.extend(&mut out, n, k);
        }
        self.go_behind(start, times * of * n);
        out
    }

    /// `times` planes of `n` bits each, in one draw. A lane's bits of a plane may begin within a word.
    pub(crate) fn planes(&mut self, times: usize, n: usize) -> Vec<u64> {
        let Lane { rank, of } = self.lane;
        if of == 1 || n == 0 {
            return self.words(times * planes::words(n));
        }
        let (start, width) = (self.place, planes::words(of * n));
        let (first, shift) = (rank * n / 64, rank * n % 64);
        let mut out = Vec::with_capacity(times * planes::words(n));
        for i in 0..times {
            self.place = start + 8 * (i * width + first) as u128;
            let mut words = vec![0; (shift + n).div_ceil(64)];
            self.fill(&mut words, 64);
            // Two shifts, so that none is by 64.
            let above = |k: usize| words.get(k + 1).map_or(0, |word| word << 1 << (63 - shift));
            out.extend((0..planes::words(n)).map(|k| words[k] >> shift | above(k)));
        }
        self.go_behind(start, times * width);
        out
    }

    /// Goes to where the next draw begins after one of `n` words.
    fn go_behind(&mut self, start: u128, n: usize) {
        self.place = start + (8 * n).next_multiple_of(BLOCK) as u128;
    }

    /// `times` matrices of `n` words each, in one draw.
    pub(crate) fn words_each(&mut self, times: usize, n: usize) -> Vec<u64> {
        self.drawn_each(times, n, 64)
    }

    /// From here on this lane's part is made of each draw.
    pub(crate) fn of_lane(mut self, lane: Lane) -> Prg {
        self.set_lane(lane);
        self
    }

    /// The same.
    pub(crate) fn set_lane(&mut self, lane: Lane) {
        self.lane = lane;
    }

    /// Leaves out what `n` values of a word each would be, of all lanes together.
    pub(crate) fn skip(&mut self, n: usize) {
        self.go_behind(self.place, n);
    }

    /// `n` uniform elements of Z_(2^64-1), by rejection.
    pub fn odds(&mut self, n: usize) -> Vec<u64> {
        let mut out = Vec::with_capacity(n);
        self.blocks(n, |bytes, left| {
            let before = out.len();
            let (words, _) = bytes.as_chunks::<8>();
            out.extend(words.iter().map(|w| u64::from_le_bytes(*w)).filter(|w| *w != u64::MAX).take(left));
            out.len() - before
        });
        out
    }

    /// `n` uniform elements of Z_67, by rejection of bytes of 3 x 67 and above.
    pub fn residues(&mut self, n: usize) -> Vec<Residue> {
        self.below(n, 67, 0)
    }

    /// `n` uniform elements of 1..=66, by rejection of bytes of 3 x 66 and above.
    pub fn nonzero_residues(&mut self, n: usize) -> Vec<Residue> {
        self.below(n, 66, 1)
    }

    /// Whether a value is rejected says nothing about the values that are kept.
    fn below(&mut self, n: usize, bound: u8, plus: u8) -> Vec<Residue> {
        let mut out = vec![Residue::reduce(0); n + BLOCK];
        let mut at = 0;
        self.blocks(n, |bytes, _| {
            let before = at;
            for &b in bytes {
                let third = u8::from(b >= bound) + u8::from(b >= 2 * bound);
                out[at] = Residue::reduce(b.wrapping_sub(third * bound).wrapping_add(plus));
                at += usize::from(b < 3 * bound);
                if at == n {
                    break;
                }
            }
            at - before
        });
        out.truncate(n);
        out
    }

    /// Calls `take` with blocks of the stream until it has taken `n` values in all.
    fn blocks(&mut self, n: usize, mut take: impl FnMut(&[u8], usize) -> usize) {
        let mut left = n;
        let mut block = [0u8; BLOCK];
        while left > 0 {
            self.expand(&mut block);
            left -= take(&block, left);
        }
    }

    /// The next blocks of the stream, as tests see and change them.
    fn expand(&mut self, out: &mut [u8]) {
        self.stream(out);
        let Some(t) = &mut self.tapped else { return };
        for block in out.chunks_exact_mut(BLOCK) {
            t.taps.iter().for_each(|tap| tap.block(&t.draw, &t.seed, t.blocks, block));
            t.blocks += 1;
        }
    }

    /// The next bytes of the stream. Counters are written where the stream is to be, and encrypted there.
    fn stream(&mut self, out: &mut [u8]) {
        let counter = |place: u128| self.first.wrapping_add(place / 16).to_le_bytes();
        let mut place = self.place;
        self.place += out.len() as u128;
        // Draws begin with a block; a row of one may begin within.
        let within = (place % 16) as usize;
        let (begun, rest) = out.split_at_mut(if within == 0 { 0 } else { out.len().min(16 - within) });
        let (blocks, ended) = rest.as_chunks_mut::<16>();
        let part = |to: &mut [u8], place: u128, from: usize| {
            let mut block = Block::from(counter(place));
            self.aes.encrypt_block(&mut block);
            to.copy_from_slice(&block[from..][..to.len()]);
        };
        if !begun.is_empty() {
            part(begun, place, within);
            place += begun.len() as u128;
        }
        let mut count = self.first.wrapping_add(place / 16);
        place += 16 * blocks.len() as u128;
        for some in blocks.chunks_mut(64) {
            for block in some.iter_mut() {
                *block = count.to_le_bytes();
                count = count.wrapping_add(1);
            }
            self.aes.encrypt_blocks(Block::cast_slice_from_core_mut(some));
        }
        if !ended.is_empty() {
            part(ended, place, 0);
        }
    }
}

/// Bytes that are expanded at a time; each call for values begins a new block.
pub const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use ctr::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
    use proptest::prelude::*;

    proptest! {
        /// From any place on the stream is that of AES-128 in counter mode, as a library makes it, also where the counter wraps.
        #[test]
        fn counter_mode(key: [u8; 16], first in prop_oneof![any::<u128>(), u128::MAX - 70..=u128::MAX], place in 0u64..3000, n in 0usize..2500) {
            let seed: Vec<u8> = [key, first.to_le_bytes()].concat();
            let mut prg = Prg::from_seed(&seed.try_into().unwrap());
            prg.place = place.into();
            let mut expected = vec![0; n];
            let mut library = ctr::Ctr128LE::<Aes128>::new(&key.into(), &first.to_le_bytes().into());
            library.seek(place);
            library.apply_keystream(&mut expected);
            let mut found = vec![1; n];
            let (one, other) = found.split_at_mut(n / 3);
            prg.stream(one);
            prg.stream(other);
            prop_assert_eq!(found, expected);
        }
    }
}
