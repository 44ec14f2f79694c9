//! A computing party, as a long-running server: `trefoil party`; and what looks at one from outside.
//!
//! | where | what |
//! |---|---|
//! | [`config`] | `party.toml` |
//! | `listen`, `server` | from start to end; what all threads share, and a job at this party |
//! | [`record`], `entry` | what is remembered of a job, and what is going on with it |
//! | `requests` | who may ask for what |
//! | `approvals` | who has agreed, by signatures |
//! | `share`, `uploads` | owners' records on their way to the disk; their files |
//! | `join` | owners' identifiers: evaluated at P0 and P1, matched at P2 |
//! | `runner` | one thread a job: waits until it can begin, begins again after a fault |
//! | `links`, `session`, `work` | the two peers are found; what a session knows; from handshake to model |
//! | [`handshake`] | fresh keys, and the comparison of everything that must be equal |
//! | [`lanes`] | a party on several machines: its ranks, and a session in as many lanes |
//! | `records` | the records of all owners, from the disk into the engine |
//! | `checks` | whether owners have handed in what the job says |
//! | `matrices`, `served` | shares of matrices in a sealed file; a model's that may be served |
//! | `service` | a model that stays on shares, and answers |
//! | `checkpoint` | the state's shares, sealed, at steps that all three agree on |
//! | `stored` | what the database has of jobs, checked before it is believed |
//! | `heads` | where the three audit logs stand, in each other |
//! | [`openings`] | which epochs' figures have been opened, each at most once |
//! | [`event`], [`lap`], [`report`], [`witness`] | what a party says while it runs; what an iteration and a run took; what was received |
//! | `status`, [`machine`] | health and metrics; what a result was measured on |
//! | `page` | the operator's page: what it shows, in bounded memory |
//! | [`logs`] | audit logs of several parties, and the signed approvals in them |
//! | [`doctor`] | what is wrong with a configuration, a key, a job or the way to the parties |

mod approvals;
mod checkpoint;
mod checks;
pub mod config;
pub mod doctor;
mod entry;
mod error;
pub mod event;
pub mod handshake;
mod heads;
mod intake;
mod join;
pub mod lanes;
pub mod lap;
mod links;
mod listen;
pub mod logs;
pub mod machine;
mod matrices;
pub mod openings;
mod page;
mod proposals;
pub mod record;
mod records;
pub mod report;
mod requests;
mod runner;
mod served;
mod server;
mod service;
mod session;
mod share;
mod start_model;
mod status;
mod stored;
mod uploads;
mod verdict;
pub mod witness;
mod work;

pub use error::{Error, Result};
pub use event::Event;
pub use listen::{Start, TellLink, run};
pub use page::link_to_page;
pub use service::ServiceStatus;

/// The version of the conversation between parties; parties of another one are refused.
pub const PROTOCOL: u32 = 9;
