//! A network that misbehaves as planned, for tests of what the other parties make of it.

use crate::{Error, Frame, Id, Net, Part, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What happens to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tamper {
    /// It is never sent.
    Drop,
    /// It is sent twice.
    Duplicate,
    /// It is sent after the next one to the same peer.
    Swap,
    /// Its first part that is not empty loses the last element.
    Truncate,
    /// Its label is another one.
    Relabel,
    /// The lowest bit of the first byte of its payload is flipped.
    Flip,
    /// The party disconnects from both peers instead of sending it.
    Close,
}

/// One thing that goes wrong: the `nth` frame (from 0) sent to `to` suffers `tamper`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Plan {
    pub to: Id,
    pub nth: u64,
    pub tamper: Tamper,
}

/// A network that tampers with what its party sends.
pub struct Faulty<N> {
    plan: Vec<Plan>,
    state: Mutex<State<N>>,
}

struct State<N> {
    net: Option<Arc<N>>,
    sent: [u64; 3],
    held: [Option<Frame>; 3],
}

impl<N: Net> Faulty<N> {
    /// `net`, with everything in `plan` going wrong.
    pub fn new(net: N, plan: impl Into<Vec<Plan>>) -> Faulty<N> {
        let state = State { net: Some(Arc::new(net)), sent: [0; 3], held: [const { None }; 3] };
        Faulty { plan: plan.into(), state: Mutex::new(state) }
    }

    /// Whether everything in the plan has happened.
    pub fn done(&self) -> bool {
        let state = self.state();
        self.plan.iter().all(|p| state.sent[p.to.index()] > p.nth)
    }

    fn state(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as it is not closed.
    fn net(&self) -> Option<Arc<N>> {
        self.state().net.clone()
    }
}

impl<N: Net> Net for Faulty<N> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        let mut state = self.state();
        let nth = state.sent[to.index()];
        state.sent[to.index()] += 1;
        let tamper = self.plan.iter().find(|p| p.to == to && p.nth == nth).map(|p| p.tamper);
        if tamper == Some(Tamper::Close) {
            state.net.take().iter().for_each(|net| net.stop());
        }
        let net = state.net.clone().ok_or(Error::Closed { peer: to })?;
        let before = state.held[to.index()].take();
        match tamper {
            Some(Tamper::Drop) => {}
            Some(Tamper::Swap) => state.held[to.index()] = Some(frame),
            Some(Tamper::Duplicate) => {
                net.send(to, frame.clone())?;
                net.send(to, frame)?;
            }
            Some(Tamper::Truncate) => net.send(to, truncated(frame))?,
            Some(Tamper::Relabel) => net.send(to, Frame { label: "tampered".into(), ..frame })?,
            Some(Tamper::Flip) => net.send(to, flipped(frame))?,
            Some(Tamper::Close) | None => net.send(to, frame)?,
        }
        before.map_or(Ok(()), |frame| net.send(to, frame))
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        self.net().ok_or(Error::Closed { peer: from })?.recv(from)
    }

    fn stop(&self) {
        self.net().iter().for_each(|net| net.stop());
    }

    fn wire_bytes(&self, to: Id) -> u64 {
        self.net().map_or(0, |net| net.wire_bytes(to))
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.net().map_or([0; 2], |net| net.peak_queued(peer))
    }
}

fn truncated(mut frame: Frame) -> Frame {
    change_first(&mut frame, |part| {
        let len = part.len() as u64 - 1;
        let bytes = part.ring().bytes(len).and_then(|n| part.bytes().get(..n))?;
        Part::from_wire(part.ring(), len, bytes.to_vec())
    });
    frame
}

fn flipped(mut frame: Frame) -> Frame {
    change_first(&mut frame, |part| {
        let mut bytes = part.bytes().to_vec();
        *bytes.first_mut()? ^= 1;
        Part::from_wire(part.ring(), part.len() as u64, bytes)
    });
    frame
}

fn change_first(frame: &mut Frame, change: impl Fn(&Part) -> Option<Part>) {
    if let Some(part) = frame.parts.iter_mut().find(|p| !p.is_empty())
        && let Some(changed) = change(part)
    {
        *part = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, local};
    use std::time::Duration;

    /// What P1 receives of three frames of which the second is tampered with.
    fn outcome(tamper: Tamper) -> Vec<Result<Frame>> {
        let [a, b, _c] = local::network(Duration::from_millis(10));
        let a = Faulty::new(a, [Plan { to: Id::P1, nth: 1, tamper }]);
        for op in 0..3 {
            let sent = a.send(Id::P1, frame(op));
            assert_eq!(sent.is_err(), tamper == Tamper::Close && op > 0);
        }
        assert!(a.done());
        (0..4).map(|_| b.recv(Id::P0)).collect()
    }

    fn frame(op: u32) -> Frame {
        let parts = vec![Part::words(&[]), Part::words(&[8, 9])];
        Frame { at: At { step: 0, op }, depth: 0, label: "t".into(), parts }
    }

    #[test]
    fn as_planned() {
        let cut = Frame { parts: vec![Part::words(&[]), Part::words(&[8])], ..frame(1) };
        let odd = Frame { parts: vec![Part::words(&[]), Part::words(&[9, 9])], ..frame(1) };
        let other = Frame { label: "tampered".into(), ..frame(1) };
        let [a, b, c] = [0, 1, 2].map(frame);
        for (tamper, expected) in [
            (Tamper::Drop, vec![&a, &c]),
            (Tamper::Duplicate, vec![&a, &b, &b, &c]),
            (Tamper::Swap, vec![&a, &c, &b]),
            (Tamper::Truncate, vec![&a, &cut, &c]),
            (Tamper::Flip, vec![&a, &odd, &c]),
            (Tamper::Relabel, vec![&a, &other, &c]),
            (Tamper::Close, vec![&a]),
        ] {
            let got = outcome(tamper);
            assert_eq!(got.iter().flatten().collect::<Vec<_>>(), expected, "{tamper:?}");
            let closed = matches!(got.get(1), Some(Err(Error::Closed { .. })));
            assert_eq!(closed, tamper == Tamper::Close);
        }
    }
}
