//! Rounds: what is sent, then what is received. The types forbid sending after receiving.
//!
//! ```
//! use trefoil_mpc::{Id, Part, simulate};
//! // P0 and P1 swap a word in one round; P2 takes no part.
//! let got = simulate(1, |p| {
//!     let op = p.op();
//!     let (own, peer) = (p.id.index() as u64, p.peer());
//!     match p.id {
//!         Id::P2 => Ok(0),
//!         _ => Ok(p.round(op, "swap").send(peer, Part::words(&[own])).then()?.words(peer, 1)?[0]),
//!     }
//! });
//! let [Ok((a, cost)), Ok((b, _)), _] = got else { panic!() };
//! assert_eq!((a, b, cost.total().rounds, cost.total().payload_bytes), (1, 0, 1, 8));
//! ```

use crate::{Error, Op, Party, Result};
use std::{borrow::Cow, collections::VecDeque, time::Instant};
use trefoil_net::{At, Frame, Id, Net, Part, Ring};
use trefoil_ring::residue::Residue;

/// The sending half of a round.
#[must_use = "nothing is sent before `then`"]
pub struct Round<'p> {
    party: &'p mut Party,
    op: Op,
    label: &'static str,
    offline: bool,
    out: [Vec<Part>; 3],
}

impl<'p> Round<'p> {
    pub(crate) fn new(party: &'p mut Party, op: Op, label: &'static str, offline: bool) -> Self {
        Round { party, op, label, offline, out: [vec![], vec![], vec![]] }
    }

    /// Adds a tensor to this round's frame to `to`.
    pub fn send(mut self, to: Id, part: Part) -> Self {
        self.out[to.index()].push(part);
        self
    }

    /// Sends the frames; what follows may only receive.
    ///
    /// # Errors
    /// Those of the network.
    pub fn then(self) -> Result<Receive<'p>> {
        let (party, sent) = self.go()?;
        Ok(party.receive(sent))
    }

    /// Sends the frames, for two protocols that share a round: both send, and then each [receives](Party::receive) its own.
    ///
    /// # Errors
    /// Those of the network.
    pub fn sent(self) -> Result<Sent> {
        Ok(self.go()?.1)
    }

    fn go(self) -> Result<(&'p mut Party, Sent)> {
        let Round { party, op, label, offline, out } = self;
        if let Some(fault) = party.fault.take() {
            return Err(fault);
        }
        let (at, started) = (party.at(op), Instant::now());
        let depth = if offline { 0 } else { party.depth.saturating_add(1) };
        for (to, parts) in Id::ALL.into_iter().zip(out) {
            if !parts.is_empty() {
                let frame = Frame { at, depth, label: Cow::Borrowed(label), parts };
                let layer = party.layer().to_owned();
                party.cost.sent(&layer, label, to, frame.payload());
                party.net.send(to, frame).map_err(|e| party.because(Error::Net { at, label, source: Box::new(e) }))?;
            }
        }
        Ok((party, Sent { at, label, started }))
    }
}

/// A round whose frames are sent, and of which nothing has been received yet.
#[must_use = "what a peer sends in this round must be received"]
pub struct Sent {
    at: At,
    label: &'static str,
    started: Instant,
}

impl Party {
    /// The receiving half of a round.
    pub fn receive(&mut self, Sent { at, label, started }: Sent) -> Receive<'_> {
        Receive { party: self, at, label, got: [None, None, None], started }
    }
}

/// Another protocol in a protocol's rounds: its messages travel beside, and take no rounds of their own.
pub trait Beside {
    /// Called in each round once the protocol has sent.
    ///
    /// # Errors
    /// Those of the network.
    fn send(&mut self, p: &mut Party) -> Result<()>;
    /// Called in each round once the protocol has received.
    ///
    /// # Errors
    /// Those of the network.
    fn receive(&mut self, p: &mut Party) -> Result<()>;
}

/// Nothing beside.
impl Beside for () {
    fn send(&mut self, _: &mut Party) -> Result<()> {
        Ok(())
    }
    fn receive(&mut self, _: &mut Party) -> Result<()> {
        Ok(())
    }
}

/// The receiving half of a round. A peer's tensors are taken in the order in which it sent them.
pub struct Receive<'p> {
    party: &'p mut Party,
    at: At,
    label: &'static str,
    got: [Option<VecDeque<Part>>; 3],
    started: Instant,
}

impl Receive<'_> {
    /// The next tensor from `from`: `n` words.
    ///
    /// # Errors
    /// Those of the network; [`Error::Unexpected`] if step, operation, label, ring or length is another.
    pub fn words(&mut self, from: Id, n: usize) -> Result<Vec<u64>> {
        self.take(from, |p| p.to_words(n))
    }

    /// The next tensor from `from`: `n` elements of Z_(2^64-1).
    ///
    /// # Errors
    /// As for `words`.
    pub fn odds(&mut self, from: Id, n: usize) -> Result<Vec<u64>> {
        self.take(from, |p| p.to_odds(n))
    }

    /// The next tensor from `from`: `n` elements of Z_67.
    ///
    /// # Errors
    /// As for `words`.
    pub fn residues(&mut self, from: Id, n: usize) -> Result<Vec<Residue>> {
        self.take(from, |p| p.to_residues(n))
    }

    /// The next tensor from `from`: `n` integers of `k` bits.
    ///
    /// # Errors
    /// As for `words`.
    pub fn bits(&mut self, from: Id, n: usize, k: u8) -> Result<Vec<u64>> {
        self.take(from, |p| p.to_bits(n, k))
    }

    /// The next tensor from `from`, as it came: `n` words, or `n` integers of some bits.
    ///
    /// # Errors
    /// As for `words`.
    pub(crate) fn part(&mut self, from: Id, ring: Ring, n: usize) -> Result<Part> {
        self.take(from, |p| p.holding(ring, n))
    }

    fn take<T>(&mut self, from: Id, read: impl FnOnce(Part) -> std::result::Result<T, String>) -> Result<T> {
        if self.got[from.index()].is_none() {
            let parts = self.frame(from)?.parts.into();
            self.got[from.index()] = Some(parts);
        }
        let part = self.got[from.index()].as_mut().and_then(VecDeque::pop_front);
        let part = part.ok_or_else(|| self.unexpected(from, "tensors", "too few".into(), "one more".into()))?;
        read(part).map_err(|e| {
            let (found, expected) = e.split_once(", expected ").unwrap_or((&e, "what the protocol says"));
            self.unexpected(from, "a tensor:", found.into(), expected.into())
        })
    }

    fn frame(&mut self, from: Id) -> Result<Frame> {
        let (at, label) = (self.at, self.label);
        let received = self.party.net.recv(from);
        let frame = received.map_err(|e| self.party.because(Error::Net { at, label, source: Box::new(e) }))?;
        if frame.at != at || frame.label != label {
            let name = |at: At, label: &str| format!("{} of step {}, operation {}", label.escape_debug(), at.step, at.op);
            return Err(self.unexpected(from, "message", name(frame.at, &frame.label), name(at, label)));
        }
        let grown = frame.depth.saturating_sub(self.party.depth);
        self.party.depth += grown;
        let layer = self.party.layer().to_owned();
        self.party.cost.entry(&layer, label).rounds += u64::from(grown);
        Ok(frame)
    }

    fn unexpected(&self, peer: Id, what: &'static str, found: String, expected: String) -> Error {
        Error::Unexpected { at: self.at, label: self.label, peer, what, found, expected }
    }
}

impl Drop for Receive<'_> {
    /// A tensor that nobody asked for is an error too; the next round reports it.
    fn drop(&mut self) {
        let layer = self.party.layer().to_owned();
        self.party.cost.entry(&layer, self.label).seconds += self.started.elapsed().as_secs_f64();
        for from in self.party.id.others() {
            if let Some(left) = self.got[from.index()].as_ref().filter(|left| !left.is_empty()) {
                let fault = self.unexpected(from, "tensors", format!("{} too many", left.len()), "none".into());
                self.party.fault.get_or_insert(fault);
            }
        }
    }
}
