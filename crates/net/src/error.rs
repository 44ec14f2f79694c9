use crate::{Id, identity::Fingerprint};
use std::{io, time::Duration};

/// The result of a network operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong between two parties. Every message names the peer; none carries payload.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("{peer}: nothing arrived within {} s", .after.as_secs_f32())]
    Timeout { peer: Id, after: Duration },
    #[error("{peer}: took no data for {} s", .after.as_secs_f32())]
    Blocked { peer: Id, after: Duration },
    #[error("{peer}: connection closed")]
    Closed { peer: Id },
    #[error("{peer}: {source}")]
    Io { peer: Id, source: io::Error },
    #[error("{peer}: bad frame: {what}: found {found}, expected {expected}")]
    Frame { peer: Id, what: &'static str, found: String, expected: String },
    #[error("{peer}: connection cut (no farewell)")]
    Cut { peer: Id },
    #[error("{peer}: did not connect within {} s", .after.as_secs_f32())]
    Absent { peer: Id, after: Duration },
    #[error("{address}: {fault}")]
    Stream { address: String, fault: Fault },
    #[error("{address}: nobody connected within {} s", .after.as_secs_f32())]
    Lonely { address: String, after: Duration },
    #[error("{address}: cannot listen: {source}")]
    Bind { address: String, source: io::Error },
    #[error("{address}: cannot connect: {source}")]
    Connect { address: String, source: io::Error },
    #[error("{address}: TLS handshake failed: {why}")]
    Handshake { address: String, why: String },
    #[error("{address}: wrong certificate: found fingerprint {found}, expected {expected}")]
    Fingerprint { address: String, found: Fingerprint, expected: Fingerprint },
    #[error("identity: {what}")]
    Identity { what: String },
    #[error("recording {path}: {source}")]
    Record { path: String, source: io::Error },
}

/// What can go wrong on one link, before it is said whose link it is.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Fault {
    #[error("nothing arrived within {} s", .after.as_secs_f32())]
    Timeout { after: Duration },
    #[error("took no data for {} s", .after.as_secs_f32())]
    Blocked { after: Duration },
    #[error("connection closed")]
    Closed,
    #[error("connection cut (no farewell)")]
    Cut,
    #[error("{0}")]
    Io(io::Error),
    #[error("bad frame: {what}: found {found}, expected {expected}")]
    Frame { what: &'static str, found: String, expected: String },
}

impl Fault {
    /// The fault as an error of the link to `peer`.
    pub fn of(self, peer: Id) -> Error {
        match self {
            Fault::Timeout { after } => Error::Timeout { peer, after },
            Fault::Blocked { after } => Error::Blocked { peer, after },
            Fault::Closed => Error::Closed { peer },
            Fault::Cut => Error::Cut { peer },
            Fault::Io(source) => Error::Io { peer, source },
            Fault::Frame { what, found, expected } => Error::Frame { peer, what, found, expected },
        }
    }

    /// The fault as an error of the stream to `address`, whose other end is no party.
    pub fn at(self, address: &str) -> Error {
        Error::Stream { address: address.to_owned(), fault: self }
    }
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match e.kind() {
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => Fault::Cut,
            _ => Fault::Io(e),
        }
    }
}
