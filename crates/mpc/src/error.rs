use crate::Pair;
use trefoil_net::{At, Id};

/// The result of a protocol.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in a protocol. Messages name peer, step, operation and label, and never a value.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum Error {
    #[error("step {}, operation {}, {label}: {source}", .at.step, .at.op)]
    Net { at: At, label: &'static str, source: Box<trefoil_net::Error> },
    #[error("step {}, operation {}, {label}: {peer} sent {what} {found}, expected {expected}", .at.step, .at.op)]
    Unexpected { at: At, label: &'static str, peer: Id, what: &'static str, found: String, expected: String },
    #[error("step {}, operation {}: the proof of {prover} {what}: one of the three deviates", .at.step, .at.op)]
    Rejected { at: At, prover: Id, what: &'static str },
    #[error("step {}, operation {}: nothing can be proven of {what}", .at.step, .at.op)]
    Unproven { at: At, what: &'static str },
    #[error("step {}, operation {}: {label} of {pair:?} drawn twice", .at.step, .at.op)]
    Reused { at: At, label: &'static str, pair: Pair },
    #[error("{id} has no key {pair:?}")]
    NoKey { id: Id, pair: Pair },
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
    #[error("lane {rank}: {why}")]
    Lane { rank: usize, why: String },
    #[error("a party stopped without an answer")]
    Panicked,
}

impl From<Error> for trefoil_engine::Error {
    fn from(e: Error) -> Self {
        trefoil_engine::Error::Protocol(Box::new(e))
    }
}
