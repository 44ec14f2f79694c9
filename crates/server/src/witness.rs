//! Counts what a party receives from the two others: how much, and whether it looks like noise.

use std::sync::{Arc, Mutex, PoisonError};
use trefoil_net::{Frame, Id, Net, Result, Ring};

/// What a party has received, by ring. Only counts are kept.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Frames.
    pub frames: u64,
    /// Bytes of payload.
    pub bytes: u64,
    words: Histogram,
}

#[derive(Clone, Debug)]
struct Histogram([u64; 256]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram([0; 256])
    }
}

impl Seen {
    /// Chi-square of the bytes of the sampled words against the uniform distribution: about 255, give or take 23, for noise.
    /// `None` where too little was sampled.
    pub fn chi_square(&self) -> Option<f64> {
        let n: u64 = self.words.0.iter().sum();
        let expected = n as f64 / 256.0;
        (expected >= 20.0).then(|| self.words.0.iter().map(|o| (*o as f64 - expected).powi(2) / expected).sum())
    }

    fn count(&mut self, frame: &Frame) {
        self.frames += 1;
        self.bytes += frame.payload() as u64;
        for part in frame.parts.iter().filter(|p| p.ring() == Ring::Word) {
            // A sample says as much as the whole, and costs nothing.
            part.bytes().iter().take(512).for_each(|b| self.words.0[usize::from(*b)] += 1);
        }
    }
}

/// The counts as they are now.
pub fn so_far(seen: &Mutex<Seen>) -> Seen {
    seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A network that counts what comes in.
pub struct Witness<N> {
    inner: N,
    seen: Arc<Mutex<Seen>>,
}

impl<N: Net> Witness<N> {
    /// Counts what `inner` receives; the handle reads the counts.
    pub fn new(inner: N) -> (Self, Arc<Mutex<Seen>>) {
        let seen = Arc::<Mutex<Seen>>::default();
        (Witness { inner, seen: seen.clone() }, seen)
    }
}

impl<N: Net> Net for Witness<N> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        self.inner.send(to, frame)
    }
    fn recv(&self, from: Id) -> Result<Frame> {
        let frame = self.inner.recv(from)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).count(&frame);
        Ok(frame)
    }
    fn stop(&self) {
        self.inner.stop();
    }
    fn wire_bytes(&self, to: Id) -> u64 {
        self.inner.wire_bytes(to)
    }
    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.inner.peak_queued(peer)
    }
}
