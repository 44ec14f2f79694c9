//! Three parties in one process, a queue for each directed link. For tests, `simulate` and in-process benches.

use crate::queue::Queue;
use crate::{Error, Fault, Frame, Id, Net, QUEUE_BYTES, Result, wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One party's end of an in-memory network.
pub struct Local {
    to: [Option<Link>; 3],
    from: [Option<Link>; 3],
    timeout: Duration,
}

/// A directed link. Both ends have the same queue, where TLS has one at each.
#[derive(Clone)]
struct Link {
    queue: Arc<Queue>,
    /// Frames received: while it grows, who waits for room waits for somebody slow.
    taken: Arc<AtomicU64>,
}

/// A network for P0, P1 and P2, in that order; `recv` gives up after `timeout`, and so does `send` where [`QUEUE_BYTES`] wait on the
/// link already.
pub fn network(timeout: Duration) -> [Local; 3] {
    bounded(timeout, QUEUE_BYTES)
}

/// The same with another bound. One frame that is larger may be in a queue on its own.
pub fn bounded(timeout: Duration, queue_bytes: usize) -> [Local; 3] {
    let mut nets = Id::ALL.map(|_| Local { to: [None, None, None], from: [None, None, None], timeout });
    for a in Id::ALL {
        for b in a.others() {
            let taken = Arc::<AtomicU64>::default();
            let link = Link { queue: Arc::new(Queue::new(queue_bytes, taken.clone())), taken };
            nets[a.index()].to[b.index()] = Some(link.clone());
            nets[b.index()].from[a.index()] = Some(link);
        }
    }
    nets
}

impl Net for Local {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        if frame.parts.len() > usize::from(u8::MAX) {
            // As on the wire, so that tests see it too.
            let (found, expected) = (frame.parts.len().to_string(), "at most 255".into());
            return Err(Error::Frame { peer: to, what: "tensors", found, expected });
        }
        let Link { queue, .. } = self.to[to.index()].as_ref().ok_or(Error::Closed { peer: to })?;
        queue.reserve(wire::footprint(&frame), Some(self.timeout)).map_err(|fault| fault.of(to))?;
        queue.push(frame);
        Ok(())
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        let Link { queue, taken } = self.from[from.index()].as_ref().ok_or(Error::Closed { peer: from })?;
        let frame = queue.pop(Some(self.timeout)).map_err(|fault| fault.of(from))?;
        taken.fetch_add(1, Ordering::Relaxed);
        queue.release(wire::footprint(&frame));
        Ok(frame)
    }

    fn stop(&self) {
        self.from.iter().flatten().for_each(|link| link.queue.end(Fault::Closed));
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        [&self.to, &self.from].map(|links| links[peer.index()].as_ref().map_or(0, |link| link.queue.peak()))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // What was sent can still be received; nobody waits for what will not come, nor for room that nobody makes.
        self.to.iter().chain(&self.from).flatten().for_each(|link| link.queue.end(Fault::Closed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Part};
    use std::thread;

    fn frame(step: u64, words: usize) -> Frame {
        Frame { at: At { step, op: 1 }, depth: 0, label: "t".into(), parts: vec![Part::words(&vec![step; words])] }
    }

    #[test]
    fn a_sender_waits_for_room() {
        let [a, b, _c] = bounded(Duration::from_millis(50), 1000);
        a.send(Id::P1, frame(0, 100)).unwrap();
        assert!(matches!(a.send(Id::P1, frame(1, 100)), Err(Error::Blocked { peer: Id::P1, .. })));
        thread::scope(|s| {
            s.spawn(|| (0..10).for_each(|step| assert_eq!(b.recv(Id::P0).unwrap().at.step, step)));
            // A frame beyond the bound goes too, on its own.
            (1..10).for_each(|step| a.send(Id::P1, frame(step, 200)).unwrap());
        });
        assert!((1600..1700).contains(&a.peak_queued(Id::P1)[0]) && a.peak_queued(Id::P1)[0] == b.peak_queued(Id::P0)[1]);
    }

    #[test]
    fn what_was_sent_outlives_its_sender() {
        let [a, b, c] = network(Duration::from_secs(5));
        a.send(Id::P1, frame(7, 1)).unwrap();
        drop((a, c));
        assert_eq!(b.recv(Id::P0).unwrap(), frame(7, 1));
        assert!(matches!(b.recv(Id::P0), Err(Error::Closed { peer: Id::P0 })));
        assert!(matches!(b.send(Id::P2, frame(0, 1)), Err(Error::Closed { peer: Id::P2 })));
    }
}
