//! A job: what is trained on whose records for whom. Its parties are elsewhere; this is what all sides know of it, and the owners' side.
//!
//! | where | what |
//! |---|---|
//! | `job` | `job.toml`, its checks, its members, its hash, who must approve |
//! | [`suites`] | the protocol suites by name: the one place that turns a name into an engine |
//! | [`plan`] | what a training takes, before it runs |
//! | [`train`], [`processes`], [`plain`] | a training by three parties of one user, on threads or in processes; the float baseline |
//! | `start_model` | the model that a training starts from |
//! | [`sharing`], [`fetching`] | a data owner's records on their way to the parties, and the model on its way to its owner |
//! | [`service`] | a model that answers from its shares: `service.toml`, and the client's side |
//! | [`evaluate`], [`predict`] | a job's model on a file in the clear |

pub mod compiled;
mod error;
pub mod evaluate;
pub mod fetching;
mod job;
mod local;
pub mod plain;
pub mod plan;
pub mod predict;
pub mod processes;
pub mod service;
pub mod sharing;
mod start_model;
pub mod suites;
pub mod train;

pub use error::{Cause, Error, Result};
pub use job::{Checkpoint, Job, Member, MetricName, Opened, Owner, SEMANTICS, Start};
pub use service::{Serve, Service};
pub use start_model::StartModel;
pub use suites::SuiteName;
pub use trefoil_client::{JobHash, ServiceHash};
