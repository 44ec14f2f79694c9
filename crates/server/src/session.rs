//! A session of a job, before it knows its suite's engine: what those who work on it need of it.

use crate::server::Here;
use trefoil_job::Job;
use trefoil_net::Id;
use trefoil_nn::Training;

/// What holds for all of a session.
pub struct Session<'a> {
    pub here: &'a Here,
    /// As it was when the session began.
    pub job: Job,
    pub me: Id,
    pub training: Training,
}
