//! Frames between three computing parties.
//!
//! One type of message ([`Frame`]), one trait to move it ([`Net`]), two implementations: [`local`] (three threads
//! of one process) and [`tls`] (TLS 1.3, both ends authenticated and pinned), and decorators that change how a
//! network behaves but not what it says: [`shaped`], [`faulty`], [`recorded`].

mod error;
pub mod faulty;
mod frame;
pub mod identity;
pub mod local;
mod queue;
pub mod recorded;
pub mod shaped;
pub mod tls;
pub mod wire;

pub use error::{Error, Fault, Result};
pub use frame::{At, Frame, Id, Part, Ring};

/// A party's connection to the two others.
///
/// Frames from one peer arrive in the order in which it sent them. `send` queues and returns (it waits only while
/// more than the queue's byte bound is outstanding); `recv` waits for the next frame of that peer, at most for the
/// network's timeout.
pub trait Net: Send {
    /// Queues `frame` for `to`.
    ///
    /// # Errors
    /// The peer is gone, or did not take anything for the length of the timeout.
    fn send(&mut self, to: Id, frame: Frame) -> Result<()>;

    /// The next frame from `from`.
    ///
    /// # Errors
    /// The peer is gone, sent nothing within the timeout, or sent something that is not a frame.
    fn recv(&mut self, from: Id) -> Result<Frame>;

    /// Bytes written to the transport towards `to` so far, headers and TLS included; 0 where nothing is serialised.
    fn wire_bytes(&self, to: Id) -> u64 {
        let _ = to;
        0
    }
}

impl<N: Net + ?Sized> Net for Box<N> {
    fn send(&mut self, to: Id, frame: Frame) -> Result<()> {
        (**self).send(to, frame)
    }
    fn recv(&mut self, from: Id) -> Result<Frame> {
        (**self).recv(from)
    }
    fn wire_bytes(&self, to: Id) -> u64 {
        (**self).wire_bytes(to)
    }
}
