//! What tests may do to a generator: look on, and spoil it; and what they may make a party say. Nothing else sets a tap, and nothing is asked where there is none.
//!
//! A tap sees keys and masks: what is masked under its eyes is hidden from nobody who has what it has seen.

use crate::{Key, Pair};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trefoil_net::At;

/// Where a stream comes from. It holds a key, and has no `Debug`.
#[derive(Clone)]
pub struct Draw {
    /// Whose key; `None` for a stream under a seed that belongs to no pair, as an owner's.
    pub pair: Option<Pair>,
    /// The key.
    pub key: Key,
    /// Step and operation.
    pub at: At,
    /// The purpose.
    pub label: &'static str,
}

/// Hears of every stream and all that is expanded of it. Several are asked in turn.
pub trait Tap: Send + Sync {
    /// A draw begins: its stream is that of the address which is left here.
    fn address(&self, _draw: &mut Draw) {}
    /// The stream of `draw` has this seed.
    fn stream(&self, _draw: &Draw, _seed: &mut [u8; 32]) {}
    /// Of the stream under `seed`, block number `index` of [`BLOCK`](crate::prg::BLOCK) bytes has been expanded.
    fn block(&self, _draw: &Draw, _seed: &[u8; 32], _index: u64, _bytes: &mut [u8]) {}
    /// In this step this party is about to send these numbers of so many bits, and goes on with what is left here. Asked by the protocols whose messages are proven.
    fn says(&self, _step: u64, _label: &'static str, _bits: u8, _words: &mut [u64]) {}
}

/// All taps of a generator.
pub type Taps = Vec<Arc<dyn Tap>>;

/// A party that lies once, in a step: to the first number that it says it adds 1. For who wants to see the others notice.
#[derive(Debug)]
pub struct Lie {
    step: u64,
    told: AtomicBool,
}

impl Lie {
    /// In this step.
    pub fn in_step(step: u64) -> Lie {
        Lie { step, told: AtomicBool::new(false) }
    }
}

impl Tap for Lie {
    fn says(&self, step: u64, _: &'static str, bits: u8, words: &mut [u64]) {
        if let Some(word) = words.first_mut().filter(|_| step == self.step && !self.told.swap(true, Ordering::Relaxed)) {
            *word = word.wrapping_add(1) & (u64::MAX >> (64 - bits));
        }
    }
}

/// Zeros in place of a label's draws.
pub(crate) struct Zero(pub String);

impl Tap for Zero {
    fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
        if draw.label == self.0 {
            bytes.fill(0);
        }
    }
}
