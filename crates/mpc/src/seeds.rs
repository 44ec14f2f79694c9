//! Addressed randomness.
//!
//! Each pair of parties has a key, fresh for each session. A draw is addressed by (key, step, operation, label): the
//! address gives a key of its own (HMAC-SHA256), and that key a stream (AES-128 in counter mode). Drawing an address
//! twice is an error, so that no mask serves two values.

use crate::tap::{Draw, Tap, Taps, Zero};
use crate::{Error, Prg, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use trefoil_net::{At, Id};
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

    /// The seed of an address's stream.
    fn stream(&self, at: At, label: &str) -> [u8; 32] {
        self.derive(&[b"trefoil draw", &at.step.to_le_bytes(), &at.op.to_le_bytes(), label.as_bytes()])
    }

    fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0) else { unreachable!("any length will do") };
        parts.iter().for_each(|p| mac.update(p));
        mac.finalize().into_bytes().into()
    }
}

/// One party's keys and the record of what it has drawn.
///
/// ```
/// use trefoil_mpc::{Error, Id, Pair, Party, Seeds};
/// # use std::time::Duration;
/// # let [net, ..] = trefoil_net::local::network(Duration::from_secs(1));
/// let mut p = Party::new(Id::P0, net, Seeds::insecure(Id::P0, 7));
/// let op = p.op();
/// assert_eq!(p.draw(op, Pair::K02, "mask").unwrap().words(4).len(), 4);
/// // No mask serves twice, and nobody draws from a key that it has not.
/// assert!(matches!(p.draw(op, Pair::K02, "mask"), Err(Error::Reused { .. })));
/// assert!(matches!(p.draw(op, Pair::K12, "mask"), Err(Error::NoKey { .. })));
/// ```
pub struct Seeds {
    id: Id,
    keys: [Option<Key>; 3],
    step: u64,
    drawn: HashSet<(u32, &'static str, Pair)>,
    labels: BTreeSet<&'static str>,
    taps: Taps,
}

impl Seeds {
    /// The keys that `id` shares with the others.
    pub fn new(id: Id, with: [(Id, Key); 2]) -> Seeds {
        let mut seeds = Seeds::without_keys(id);
        for (other, key) in with {
            seeds.keys[Pair::of(id, other) as usize] = Some(key);
        }
        seeds
    }

    fn without_keys(id: Id) -> Seeds {
        Seeds { id, keys: [None, None, None], step: 0, drawn: HashSet::new(), labels: BTreeSet::new(), taps: Taps::default() }
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

    /// The same keys, for a program whose addresses are others.
    pub(crate) fn beside(&self) -> Seeds {
        Seeds { keys: self.keys.clone(), taps: self.taps.clone(), ..Seeds::without_keys(self.id) }
    }

    /// From now on every draw of `label` gives zeros (rotations: identity; multipliers: 1). Privacy tests must
    /// notice it.
    pub fn insecure_zero(&mut self, label: &str) {
        self.insecure_tap(Arc::new(Zero(label.to_owned())));
    }

    /// From now on `tap` sees every draw, and may change it: for tests.
    pub fn insecure_tap(&mut self, tap: Arc<dyn Tap>) {
        self.taps.push(tap);
    }

    /// What this party is about to send, and to go on with.
    pub(crate) fn says(&self, label: &'static str, bits: u8, words: &mut [u64]) {
        self.taps.iter().for_each(|tap| tap.says(self.step, label, bits, words));
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
        let key = self.keys[pair as usize].as_ref().ok_or(Error::NoKey { id: self.id, pair })?;
        if self.taps.is_empty() {
            return Ok(Prg::from_seed(&key.stream(at, label)));
        }
        let mut draw = Draw { pair: Some(pair), key: key.clone(), at, label };
        self.taps.iter().for_each(|tap| tap.address(&mut draw));
        let seed = draw.key.stream(draw.at, draw.label);
        Ok(Prg::tapped(&seed, Draw { at, label, ..draw }, self.taps.clone()))
    }
}
