//! Frames between three computing parties.
//!
//! One type of message ([`Frame`]), one trait to move it ([`Net`]), two implementations: [`local`] (three threads
//! of one process) and [`tls`] (TLS 1.3, both ends authenticated and pinned), decorators that change how a
//! network behaves but not what it says: [`shaped`], [`faulty`], [`recorded`]; and [`Strand`], by which several threads of a party use one network.

mod error;
pub mod faulty;
mod frame;
pub mod identity;
pub mod local;
mod queue;
pub mod recorded;
pub mod shaped;
mod strand;
pub mod tls;
pub mod wire;

pub use error::{Error, Fault, Result};
pub use frame::{At, Frame, Id, Part, Ring};
pub use strand::Strand;

use std::sync::Arc;

/// How many bytes of frames may wait at each end of a link, unless told otherwise. A helper that runs ahead is held up by it, so that it
/// bounds the memory that its lead takes: as much at each receiver, and as much for each at the helper. It is some ten steps of a small network
/// and enough to even out that a helper's work comes in bursts; and 30 times what is on its way on a link of 100 Mbit/s and 40 ms.
pub const QUEUE_BYTES: usize = 16 << 20;

/// A party's connection to the two others.
///
/// Frames from one peer arrive in the order in which it sent them. `send` queues and returns (it waits only while
/// more than the queue's byte bound is outstanding); `recv` waits for the next frame of that peer, at most for the
/// network's timeout. Several threads may send, and receive, at once: [`Strand`] tells their frames apart.
///
/// ```
/// use std::time::Duration;
/// use trefoil_net::{At, Frame, Id, Net, Part, local};
/// let [p0, p1, _p2] = local::network(Duration::from_secs(1));
/// let parts = vec![Part::words(&[42])];
/// let frame = Frame { at: At { step: 0, op: 1 }, depth: 1, label: "hello".into(), parts };
/// p0.send(Id::P1, frame.clone()).unwrap();
/// assert_eq!(p1.recv(Id::P0).unwrap(), frame);
/// ```
pub trait Net: Send + Sync {
    /// Queues `frame` for `to`.
    ///
    /// # Errors
    /// The peer is gone, or did not take anything for the length of the timeout.
    fn send(&self, to: Id, frame: Frame) -> Result<()>;

    /// The next frame from `from`.
    ///
    /// # Errors
    /// The peer is gone, sent nothing within the timeout, or sent something that is not a frame.
    fn recv(&self, from: Id) -> Result<Frame>;

    /// Nothing more is received: a thread that waits in `recv` is told that the peer is gone, and so is whoever calls it later.
    fn stop(&self) {}

    /// Bytes written to the transport towards `to` so far, headers and TLS included; 0 where nothing is serialised.
    fn wire_bytes(&self, to: Id) -> u64 {
        let _ = to;
        0
    }

    /// The most bytes of frames that have waited here, on their way to `peer` and coming from it, half a frame included.
    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        let _ = peer;
        [0; 2]
    }
}

impl<N: Net + ?Sized> Net for Arc<N> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        (**self).send(to, frame)
    }
    fn recv(&self, from: Id) -> Result<Frame> {
        (**self).recv(from)
    }
    fn stop(&self) {
        (**self).stop();
    }
    fn wire_bytes(&self, to: Id) -> u64 {
        (**self).wire_bytes(to)
    }
    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        (**self).peak_queued(peer)
    }
}

impl<N: Net + ?Sized> Net for Box<N> {
    fn send(&self, to: Id, frame: Frame) -> Result<()> {
        (**self).send(to, frame)
    }
    fn recv(&self, from: Id) -> Result<Frame> {
        (**self).recv(from)
    }
    fn stop(&self) {
        (**self).stop();
    }
    fn wire_bytes(&self, to: Id) -> u64 {
        (**self).wire_bytes(to)
    }
    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        (**self).peak_queued(peer)
    }
}
