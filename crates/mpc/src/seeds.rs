//! Addressed randomness.
//!
//! Each pair of parties has a key, fresh for each session. A draw is addressed by (key, step, operation, label): the
//! address gives a key of its own (HMAC-SHA256), and that key a stream (AES-128 in counter mode). Drawing an address
//! twice is an error, so that no mask serves two values.

use crate::{Error, Result};
use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{BTreeSet, HashSet};
use trefoil_net::{At, Id};
use trefoil_ring::residue::Residue;
use zeroize::ZeroizeOnDrop;

/// Two parties that share a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Pair {
    K01,
    K02,
    K12,
}

impl Pair {
    /// All three pairs.
    pub const ALL: [Pair; 3] = [Pair::K01, Pair::K02, Pair::K12];

    /// The pair of two different parties.
    pub fn of(a: Id, b: Id) -> Pair {
        match a.index() + b.index() {
            1 => Pair::K01,
            2 => Pair::K02,
            _ => Pair::K12,
        }
    }
}

/// A 256-bit key. It has no `Debug`, and is erased when dropped.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from the operating system.
    ///
    /// # Errors
    /// [`Error::NoRandomness`]: without it there is no session.
    pub fn fresh() -> Result<Key> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::NoRandomness)?;
        Ok(Key(key))
    }

    /// A key from bytes that the two parties agreed on.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// The key's bytes, to be sent to the other party of the pair alone.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that both contributions make, independent of who calls.
    pub fn agree(low: &Key, high: &Key) -> Key {
        Key(low.derive(&[b"trefoil pair key", &high.0]))
    }

    fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0) else { unreachable!("any length will do") };
        parts.iter().for_each(|p| mac.update(p));
        mac.finalize().into_bytes().into()
    }
}

/// One party's keys and the record of what it has drawn.
pub struct Seeds {
    id: Id,
    keys: [Option<Key>; 3],
    step: u64,
    drawn: HashSet<(u32, &'static str, Pair)>,
    labels: BTreeSet<&'static str>,
    zeroed: BTreeSet<String>,
}

impl Seeds {
    /// The keys that `id` shares with the others.
    pub fn new(id: Id, with: [(Id, Key); 2]) -> Seeds {
        let mut keys = [None, None, None];
        for (other, key) in with {
            keys[Pair::of(id, other) as usize] = Some(key);
        }
        Seeds { id, keys, step: 0, drawn: HashSet::new(), labels: BTreeSet::new(), zeroed: BTreeSet::new() }
    }

    /// Fixed keys for tests and for `--insecure-mask-seed`: everyone who knows the seed knows every mask.
    pub fn insecure(id: Id, seed: u64) -> Seeds {
        let with = |other: Id| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            key[8] = 1 + Pair::of(id, other) as u8;
            (other, Key(key))
        };
        Seeds::new(id, id.others().map(with))
    }

    /// From now on every draw of `label` gives zeros (rotations: identity; multipliers: 1). This is the mutation that
    /// privacy tests must notice.
    pub fn insecure_zero(&mut self, label: &str) {
        self.zeroed.insert(label.to_owned());
    }

    /// The labels drawn so far.
    pub fn labels(&self) -> &BTreeSet<&'static str> {
        &self.labels
    }

    pub(crate) fn begin_step(&mut self, step: u64) {
        self.step = step;
        self.drawn.clear();
    }

    pub(crate) fn draw(&mut self, op: u32, pair: Pair, label: &'static str) -> Result<Prg> {
        let at = At { step: self.step, op };
        if !self.drawn.insert((op, label, pair)) {
            return Err(Error::Reused { at, label, pair });
        }
        self.labels.insert(label);
        if self.zeroed.contains(label) {
            return Ok(Prg(Stream::Zero));
        }
        let key = self.keys[pair as usize].as_ref().ok_or(Error::NoKey { id: self.id, pair })?;
        let seed = key.derive(&[b"trefoil draw", &at.step.to_le_bytes(), &op.to_le_bytes(), label.as_bytes()]);
        Ok(Prg::from_seed(&seed))
    }
}

/// A pseudorandom stream: each draw continues where the last one ended.
pub struct Prg(Stream);

enum Stream {
    Aes(Box<ctr::Ctr128LE<aes::Aes128>>),
    Zero,
}

impl Prg {
    /// The stream of a 256-bit seed: AES-128 key and initial counter.
    pub fn from_seed(seed: &[u8; 32]) -> Prg {
        let (key, iv) = seed.split_at(16);
        match ctr::Ctr128LE::new_from_slices(key, iv) {
            Ok(aes) => Prg(Stream::Aes(Box::new(aes))),
            Err(_) => unreachable!("both halves have 16 bytes"),
        }
    }

    /// `n` uniform elements of Z_2^64.
    pub fn words(&mut self, n: usize) -> Vec<u64> {
        let mut out = Vec::with_capacity(n);
        self.blocks(n, |bytes, left| {
            let (words, _) = bytes.as_chunks::<8>();
            out.extend(words.iter().take(left).map(|w| u64::from_le_bytes(*w)));
            words.len().min(left)
        });
        out
    }

    /// `n` uniform integers below 2^k, k <= 63.
    pub fn bits(&mut self, n: usize, k: u8) -> Vec<u64> {
        let mask = (1u64 << k) - 1;
        let mut out = self.words(n);
        out.iter_mut().for_each(|w| *w &= mask);
        out
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
            block.fill(0);
            if let Stream::Aes(aes) = &mut self.0 {
                aes.apply_keystream(&mut block);
            }
            left -= take(&block, left);
        }
    }
}

const BLOCK: usize = 4096;
