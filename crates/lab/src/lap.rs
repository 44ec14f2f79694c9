//! What a party of a measurement says after each iteration.

use serde::{Deserialize, Serialize};
use trefoil_server::machine;

/// What a party has done since its first iteration began.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct Lap {
    /// Seconds of the last iteration.
    pub seconds: f64,
    /// Seconds since the beginning, by the wall clock.
    pub wall: f64,
    /// Payload sent to P0, P1 and P2.
    pub sent: [u64; 3],
    pub rounds: u32,
    /// The most that waited here towards each party, and from it.
    pub queued: [[usize; 2]; 3],
    /// The process's, now and then: asking for it takes time.
    pub usage: Option<Usage>,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct Usage {
    /// Seconds of processor time of all threads.
    pub cpu: f64,
    /// Multiply-accumulates of matrix products.
    pub macs: u64,
    pub peak_rss: u64,
}

impl Usage {
    /// This process's, so far.
    pub(crate) fn now() -> Usage {
        Usage { cpu: machine::cpu_seconds(), macs: trefoil_ring::matrix::multiplied(), peak_rss: machine::peak_rss() }
    }
}
