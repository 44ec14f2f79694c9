//! What a party says after each iteration of a measurement, or each pass of a service, for whoever has started it.

use crate::machine;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use trefoil_mpc::{Id, Party};

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
    pub fn now() -> Usage {
        Usage { cpu: machine::cpu_seconds(), macs: trefoil_ring::matrix::multiplied(), peak_rss: machine::peak_rss() }
    }
}

/// A party's own clock.
pub struct Clock {
    started: Instant,
    asked: Option<Instant>,
}

impl Clock {
    /// From now on.
    pub fn start() -> Clock {
        Clock { started: Instant::now(), asked: None }
    }

    /// After an iteration that took `seconds`.
    pub fn lap(&mut self, p: &Party, seconds: f64) -> Lap {
        let often = self.asked.is_some_and(|at| at.elapsed() < Duration::from_millis(50));
        let usage = (!often).then(|| {
            self.asked = Some(Instant::now());
            Usage::now()
        });
        let queued = Id::ALL.map(|peer| if peer == p.id { [0; 2] } else { p.peak_queued(peer) });
        Lap { seconds, wall: self.started.elapsed().as_secs_f64(), sent: p.cost.sent, rounds: p.depth(), queued, usage }
    }
}
