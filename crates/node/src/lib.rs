//! One party's server, its clients' commands, and a launcher that runs three parties on one machine.
//!
//! | where | what |
//! |---|---|
//! | [`job`], [`suites`] | what is trained on whose records for whom; the suites by name |
//! | [`server`] | a party |
//! | [`sharing`] | a data owner's records and the model owner's model, on their way |
//! | [`handshake`] | fresh keys, and the comparison of everything that must be equal |
//! | [`event`], [`report`] | what a party says while it runs; what a run took |
//! | [`witness`] | counts what a party receives |
//! | [`launch`] | three party processes, and what they say |
//! | [`demo`] | keys, parties, owners, training, model and baseline in one call |
//! | [`logs`] | audit logs of several parties, and the signed approvals in them |
//! | [`doctor`] | what is wrong with a configuration, a key, a job or the way to the parties |
//! | [`plain`] | the float baseline alone |
//! | [`mod@bench`] | steps of a network on random records |
//! | [`wraps`] | how many truncations are expected to fail |
//! | [`summary`], [`run_folder`] | the evidence that a run leaves |

pub mod bench;
pub mod demo;
pub mod doctor;
mod error;
pub mod evaluate;
pub mod event;
pub mod handshake;
pub mod job;
pub mod launch;
pub mod logs;
pub mod machine;
pub mod plain;
pub mod predict;
pub mod report;
pub mod run_folder;
pub mod server;
pub mod sharing;
pub mod suites;
pub mod summary;
pub mod witness;
pub mod wraps;

pub use error::{Error, Result};
pub use event::Event;
pub use job::Job;
pub use suites::SuiteName;
pub use trefoil_client as client;
pub use trefoil_data as data;
pub use trefoil_mpc as mpc;
pub use trefoil_net as net;
pub use trefoil_nn as nn;
pub use trefoil_store::{audit, time};

/// The version of the conversation between parties; parties of another one are refused.
pub const PROTOCOL: u32 = 3;
