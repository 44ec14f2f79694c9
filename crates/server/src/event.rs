//! What a party says while it runs, for whoever has started it: one JSON object a line on its standard output.

use crate::lap::Lap;
use crate::report::Report;
use serde::{Deserialize, Serialize};
use trefoil_nn::Figure;

/// One line of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Event {
    /// It listens here.
    Listening { address: String },
    /// Keys are made and everything agreed.
    Connected,
    /// All owners' records are here.
    Shared { rows: usize, seconds: f64 },
    /// A step is done.
    Step { step: u64, seconds: f64, bytes: u64, rounds: u64 },
    /// An epoch's figures are opened: this is on disk, and they never are again.
    Opening { epoch: u64 },
    /// An epoch is done; loss and metric where they were opened, and all figures where there are several.
    Epoch {
        epoch: u64,
        step: u64,
        loss: Option<f64>,
        metric: Option<f64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        figures: Vec<Figure>,
    },
    /// A session broke off; another one may follow.
    Interrupted { message: String },
    /// Training is over; the model owner may come. Which epoch's model it is, where the job follows the best one.
    Trained {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    },
    /// A service's pass of so many records is done, or at P2 dealt.
    Pass { records: usize, lap: Lap },
    /// A part of its page has changed: this is its JSON. Only a launcher that asks for it is told.
    Shown { part: String, json: String },
    /// This is what it all took.
    Done(Box<Report>),
    /// The party, or its job, failed for good: why, and the exit code that goes with it.
    Failed { message: String, code: u8 },
}
