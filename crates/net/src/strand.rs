//! Several threads of a party that use one network: each has a strand of its messages, which the same thread at each peer answers.
//!
//! The two highest bits of a frame's operation say which strand it belongs to, so that programs that count operations from their strand's [first](Strand::first_op) have addresses, and with them draws, of their own.
//! No thread stands between the network and who waits: of those who wait for a peer one receives, and gives to the others what is theirs.

use crate::{Error, Frame, Id, Net, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Strands of a network.
const STRANDS: usize = 3;
/// A strand's number stands in this and the next bit of an operation.
const BIT: u32 = 30;
/// As many bytes of frames as may wait for a thread that does not look for them: as many as one frame may have. An honest peer's program is never further ahead in one strand than a step.
const MOST_WAITING: usize = 1 << 30;

/// A thread's part of a party's network: its messages, and those for it.
///
/// ```
/// use std::time::Duration;
/// use trefoil_net::{At, Strand, Frame, Id, Net, local};
/// let [p0, p1, _p2] = local::network(Duration::from_secs(1)).map(Strand::new);
/// let frame = |strand: &Strand| Frame { at: At { step: 0, op: strand.first_op() + 1 }, depth: 0, label: "hello".into(), parts: vec![] };
/// let beside = [p0.beside(1), p1.beside(1)];
/// p0.send(Id::P1, frame(&p0)).unwrap();
/// beside[0].send(Id::P1, frame(&beside[0])).unwrap();
/// // Each finds its own, whatever came first.
/// assert_eq!(beside[1].recv(Id::P0).unwrap(), frame(&beside[0]));
/// assert_eq!(p1.recv(Id::P0).unwrap(), frame(&p0));
/// ```
pub struct Strand {
    shared: Arc<Shared>,
    own: usize,
}

struct Shared {
    net: Arc<dyn Net>,
    from: [Peer; 3],
}

/// What came from a peer and waits.
#[derive(Default)]
struct Peer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    frames: [VecDeque<Frame>; STRANDS],
    bytes: usize,
    /// Whether a thread waits at the network.
    receiving: bool,
}

impl Strand {
    /// The strand of a party's program itself: that of all operations below 2^30.
    pub fn new(net: impl Net + 'static) -> Strand {
        Strand { shared: Arc::new(Shared { net: Arc::new(net), from: Default::default() }), own: 0 }
    }

    /// Strand 1 or 2 of the same network. Each is for one thread.
    pub fn beside(&self, own: usize) -> Strand {
        debug_assert!((1..STRANDS).contains(&own), "strand {own}");
        Strand { shared: self.shared.clone(), own }
    }

    /// A program that uses this strand counts its operations from here.
    pub fn first_op(&self) -> u32 {
        (self.own as u32) << BIT
    }

    /// The network, for another use: what has arrived for a strand and waits there is lost.
    pub fn into_net(self) -> Arc<dyn Net> {
        self.shared.net.clone()
    }
}

impl Peer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes a frame for the thread that it is for.
    fn take(&mut self, from: Id, frame: Frame) -> Result<()> {
        let bad =
            |what, found: String, expected: &str| Err(Error::Frame { peer: from, what, found, expected: expected.to_owned() });
        let strand = (frame.at.op >> BIT) as usize;
        let Some(frames) = self.frames.get_mut(strand) else {
            return bad("strand", strand.to_string(), "0, 1 or 2");
        };
        self.bytes = self.bytes.saturating_add(frame.payload());
        frames.push_back(frame);
        if self.bytes > MOST_WAITING {
            return bad("bytes ahead of its turn", self.bytes.to_string(), &format!("at most {MOST_WAITING}"));
        }
        Ok(())
    }
}

impl Net for Strand {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        self.shared.net.send(to, frame)
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        let peer = &self.shared.from[from.index()];
        let mut state = peer.lock();
        loop {
            if let Some(frame) = state.frames[self.own].pop_front() {
                state.bytes -= frame.payload();
                return Ok(frame);
            }
            if state.receiving {
                state = peer.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.receiving = true;
            drop(state);
            let received = self.shared.net.recv(from);
            state = peer.lock();
            state.receiving = false;
            // Who waits looks for its frame, or receives next and is told what is wrong itself.
            peer.changed.notify_all();
            received.and_then(|frame| state.take(from, frame))?;
        }
    }

    fn stop(&self) {
        self.shared.net.stop();
    }

    fn wire_bytes(&self, to: Id) -> u64 {
        self.shared.net.wire_bytes(to)
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.shared.net.peak_queued(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Part, local};
    use std::thread;
    use std::time::Duration;

    fn frame(strand: &Strand, n: u32) -> Frame {
        let at = At { step: 0, op: strand.first_op() + n };
        Frame { at, depth: 0, label: "t".into(), parts: vec![Part::words(&[n.into()])] }
    }

    #[test]
    fn each_thread_gets_its_own_in_order() {
        let nets = local::network(Duration::from_secs(20)).map(Strand::new);
        let strands = nets.each_ref().map(|net| [net.beside(1), net.beside(2)]);
        let all: Vec<(Id, &Strand)> = Id::ALL.into_iter().zip(&nets).collect();
        let beside = Id::ALL.into_iter().zip(&strands).flat_map(|(id, both)| both.iter().map(move |one| (id, one)));
        thread::scope(|scope| {
            for (id, strand) in all.into_iter().chain(beside) {
                scope.spawn(move || {
                    for n in 0..200 {
                        id.others().into_iter().for_each(|to| strand.send(to, frame(strand, n)).unwrap());
                        id.others().into_iter().for_each(|from| assert_eq!(strand.recv(from).unwrap(), frame(strand, n)));
                    }
                });
            }
        });
    }

    #[test]
    fn all_threads_hear_of_an_end() {
        let [a, b, c] = local::network(Duration::from_secs(20)).map(Strand::new);
        let beside = b.beside(1);
        thread::scope(|scope| {
            let waiting = [&b, &beside].map(|strand| scope.spawn(|| strand.recv(Id::P0)));
            drop(a);
            waiting
                .into_iter()
                .for_each(|waiting| assert!(matches!(waiting.join().unwrap(), Err(Error::Closed { peer: Id::P0 }))));
            let waiting = [&b, &beside].map(|strand| scope.spawn(|| strand.recv(Id::P2)));
            b.stop();
            waiting
                .into_iter()
                .for_each(|waiting| assert!(matches!(waiting.join().unwrap(), Err(Error::Closed { peer: Id::P2 }))));
        });
        assert!(c.send(Id::P1, frame(&c, 1)).is_err());
    }

    #[test]
    fn a_strand_that_there_is_not() {
        let [a, b, _c] = local::network(Duration::from_secs(1)).map(Strand::new);
        let mut wrong = frame(&a, 1);
        wrong.at.op = 3 << BIT;
        a.send(Id::P1, wrong).unwrap();
        assert_eq!(b.recv(Id::P0).unwrap_err().to_string(), "P0: bad frame: strand: found 3, expected 0, 1 or 2");
    }
}
