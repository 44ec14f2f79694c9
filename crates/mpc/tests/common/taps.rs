//! Sabotage: taps that make a generator give what a careless protocol would have used.

use std::sync::Arc;
use trefoil_mpc::Prg;
use trefoil_mpc::prg::BLOCK;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_net::At;

/// How a label's draws are laid out.
#[derive(Clone, Copy, PartialEq)]
pub enum Layout {
    Words,
    /// Of a word the lowest bits, at most 32.
    Narrow,
    /// 64 elements a word.
    Planes,
    Residues,
}

/// The layout of a label.
pub fn layout(label: &str) -> Layout {
    match label {
        "securenn.private_compare.bits" | "securenn.private_compare.s" | "securenn.private_compare.z" => Layout::Residues,
        "masked.truncate.a_0" | "masked.truncate.a_1" | "masked.truncate.q_1" | "securenn.truncate.q_0" => Layout::Narrow,
        "masked.lift.a_1" | "masked.lift.q_0" => Layout::Narrow,
        "securenn.compute_msb.beta" | "securenn.share_convert.eta''" | "securenn.private_compare.pi" => Layout::Narrow,
        _ if label.starts_with("masked.and.") || label.starts_with("masked.drelu.") => Layout::Planes,
        _ => Layout::Words,
    }
}

/// All that is drawn under a label is changed by `change`.
pub struct Changed {
    pub label: &'static str,
    pub change: fn(Layout, &mut [u8]),
}

impl Tap for Changed {
    fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
        if draw.label == self.label {
            (self.change)(layout(self.label), bytes);
        }
    }
}

/// Nothing is masked.
pub fn zero(_: Layout, bytes: &mut [u8]) {
    bytes.fill(0);
}

/// Two neighbouring elements have one mask.
pub fn whole(layout: Layout, bytes: &mut [u8]) {
    match layout {
        Layout::Words | Layout::Narrow => bytes.as_chunks_mut::<16>().0.iter_mut().for_each(|two| two.copy_within(..8, 8)),
        Layout::Planes => bytes.iter_mut().for_each(|b| *b = (*b & 0x55) | (*b & 0x55) << 1),
        Layout::Residues => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|two| two[1] = two[0]),
    }
}

/// Two neighbouring elements share the lower half of their masks.
pub fn lower_half(_: Layout, bytes: &mut [u8]) {
    bytes.as_chunks_mut::<16>().0.iter_mut().for_each(|two| two.copy_within(..4, 8));
}

/// Two neighbouring elements share the upper half of their masks.
pub fn upper_half(_: Layout, bytes: &mut [u8]) {
    bytes.as_chunks_mut::<16>().0.iter_mut().for_each(|two| two.copy_within(4..8, 12));
}

/// Two matrices of one operation, and all that lies further apart than a block of the generator, have one mask.
pub struct OneBlock(pub &'static str);

impl Tap for OneBlock {
    fn block(&self, draw: &Draw, seed: &[u8; 32], _: u64, bytes: &mut [u8]) {
        if draw.label == self.0 {
            let first = Prg::from_seed(seed).words(BLOCK / 8);
            bytes.as_chunks_mut().0.iter_mut().zip(first).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        }
    }
}

/// An address is another's.
pub struct Moved<F>(pub F);

impl<F: Fn(&mut Draw) + Send + Sync> Tap for Moved<F> {
    fn address(&self, draw: &mut Draw) {
        (self.0)(draw);
    }
}

/// A label has one and the same mask in every step and operation.
pub fn same_everywhere(label: &'static str) -> Arc<dyn Tap> {
    Arc::new(Moved(move |draw: &mut Draw| {
        if draw.label == label {
            draw.at = At::default();
        }
    }))
}

/// One draw serves two labels.
pub fn one_for_two(label: &'static str, other: &'static str) -> Arc<dyn Tap> {
    struct Two(&'static str, &'static str);
    impl Tap for Two {
        fn address(&self, draw: &mut Draw) {
            if draw.label == self.1 {
                draw.label = self.0;
            }
        }
        fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
            // Residues of two kinds reject different bytes; these are taken by both, so that the two stay in step.
            if [self.0, self.1].contains(&draw.label) && layout(draw.label) == Layout::Residues {
                bytes.iter_mut().for_each(|b| *b %= 198);
            }
        }
    }
    Arc::new(Two(label, other))
}

/// What an owner's chunk forks off second, in place of what the generator gave: made of the first and of the chunk's own seed.
pub struct Second(pub fn(first: [u8; 32], chunk: &[u8; 32]) -> [u8; 32]);

impl Tap for Second {
    fn block(&self, draw: &Draw, seed: &[u8; 32], index: u64, bytes: &mut [u8]) {
        if draw.label == "owner.chunk" && index == 1 {
            let (first, _) = Prg::from_seed(seed).fork("first");
            bytes[..32].copy_from_slice(&(self.0)(first, seed));
        }
    }
}

/// What an owner's chunk forks off first is the chunk's own seed.
pub struct Itself;

impl Tap for Itself {
    fn block(&self, draw: &Draw, seed: &[u8; 32], index: u64, bytes: &mut [u8]) {
        if draw.label == "owner.chunk" && index == 0 {
            bytes[..32].copy_from_slice(seed);
        }
    }
}

/// A label's stream is the same whatever its seed.
pub struct OneStream(pub &'static str);

impl Tap for OneStream {
    fn stream(&self, draw: &Draw, seed: &mut [u8; 32]) {
        if draw.label == self.0 {
            *seed = [7; 32];
        }
    }
}
