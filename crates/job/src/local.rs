//! Three parties on threads of this process: the real protocols, fresh keys, and queues in place of connections. Whoever runs them sees
//! everything.

use crate::compiled::Compiled;
use crate::suites::{Chosen, WithSuite};
use crate::{Error, Result};
use std::time::Duration;
use trefoil_mpc::{Id, Key, Part, Party, Seeds};
use trefoil_net::local;
use trefoil_ring::Tensor;

/// How long a party waits for another one: a batch of a large network takes minutes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3600);

/// What each party gets of a matrix, or gives.
pub(crate) type Parts = [Vec<Part>; 3];

/// What a suite does for those who compute nothing.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub deal: fn(&Tensor, [u8; 32]) -> Parts,
    pub reconstruct: fn(usize, &Parts) -> std::result::Result<Vec<u64>, String>,
}

impl Ends {
    /// The ways in and out of a suite.
    pub fn of(chosen: Chosen) -> Ends {
        chosen.with(EndsOf)
    }
}

struct EndsOf;

impl WithSuite for EndsOf {
    type Out = Ends;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Ends {
        Ends { deal: S::deal, reconstruct: S::reconstruct }
    }
}

/// P0, P1 and P2, who have met.
///
/// # Errors
/// No randomness.
pub(crate) fn parties() -> Result<[Party; 3]> {
    let keys = [key()?, key()?, key()?];
    let with = |a: Id, b: Id| (b, keys[a.index() + b.index() - 1].clone());
    let [a, b, c] = local::network(TIMEOUT);
    let party = |id: Id, net| Party::new(id, net, Seeds::new(id, id.others().map(|other| with(id, other))));
    Ok([party(Id::P0, a), party(Id::P1, b), party(Id::P2, c)])
}

/// A key from the operating system.
///
/// # Errors
/// No randomness.
pub(crate) fn key() -> Result<Key> {
    Key::fresh().map_err(|e| Error::config("keys", e, "randomness from the operating system"))
}

/// What all three have to say, or why there is nothing. A party that fails closes its links, so that the others fail too: what is no fault
/// of a link is the cause.
///
/// # Errors
/// The cause.
pub(crate) fn together<T>(said: impl IntoIterator<Item = Result<T>>) -> Result<[T; 3]> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for said in said {
        match said {
            Ok(said) => all.push(said),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        let cause = faults.iter().position(|e| !of_a_link(e)).unwrap_or(0);
        return Err(faults.swap_remove(cause));
    }
    all.try_into().map_err(|_| gone())
}

/// Of a party whose thread has ended without a word.
pub(crate) fn gone() -> Error {
    Error::config("a party of this process", "that it has ended", "its part of an answer")
}

pub(crate) fn of_a_link(e: &Error) -> bool {
    matches!(e, Error::Training(trefoil_nn::Error::Engine(e)) if matches!(e.root(), trefoil_engine::Error::Protocol(_)))
}

/// An error of an engine.
pub(crate) fn engine(e: trefoil_engine::Error) -> Error {
    Error::Training(e.into())
}
