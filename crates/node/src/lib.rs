//! One party's process, and the launcher that runs three of them on one machine.
//!
//! | where | what |
//! |---|---|
//! | [`training`] | what is trained, with shapes and formats |
//! | [`handshake`] | fresh keys, and the comparison of everything that must be equal |
//! | [`party`] | one party from its configuration to its report |
//! | [`uploads`], [`report`] | the owners' records on their way in; what a run took |
//! | [`witness`] | counts what a party receives |
//! | [`launch`] | three party processes, and what they say |
//! | [`demo`] | keys, parties, owners, training, model and baseline in one call |
//! | [`plain`] | the float baseline alone |
//! | [`mod@bench`] | steps of a network on random records |
//! | [`wraps`] | how many truncations are expected to fail |
//! | [`summary`], [`run_folder`] | the evidence that a run leaves |

pub mod bench;
pub mod demo;
mod error;
pub mod handshake;
pub mod training;
pub mod job;
pub mod launch;
pub mod machine;
pub mod party;
pub mod plain;
pub mod report;
pub mod run_folder;
pub mod server;
pub mod sharing;
pub mod summary;
pub mod uploads;
pub mod witness;
pub mod wraps;

pub use error::{Error, Result};
pub use job::Job;
pub use training::{SuiteName, Training};
pub use trefoil_client as client;
pub use trefoil_data as data;
pub use trefoil_net as net;
pub use trefoil_nn as nn;
pub use trefoil_store::audit;

/// The version of the conversation between parties; parties of another one are refused.
pub const PROTOCOL: u32 = 1;
