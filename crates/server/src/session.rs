//! A session of a job, before it knows its suite's engine: what those who work on it need of it.

use crate::server::{Here, Server};
use crate::{Error, Result};
use trefoil_job::Job;
use trefoil_net::{Id, Net, recorded};
use trefoil_nn::Training;

/// What holds for all of a session.
pub struct Session<'a> {
    pub here: &'a Here,
    /// As it was when the session began.
    pub job: Job,
    pub me: Id,
    pub training: Training,
}

/// The network with the decorators that the party's configuration asks for.
pub fn decorated(server: &Server, me: Id, net: impl Net + 'static) -> Result<Box<dyn Net>> {
    let mut net = server.config.shaped(Box::new(net))?;
    if let Some(dir) = &server.config.insecure.record {
        std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
        // Every session has a file of its own: P0.jsonl, P0-2.jsonl, ...
        let name = |n: u32| if n == 1 { format!("{me}.jsonl") } else { format!("{me}-{n}.jsonl") };
        let free = (1..).map(|n| dir.join(name(n))).find(|path| !path.exists());
        let recorder = recorded::Recorder::create(&free.unwrap_or_else(|| dir.join(name(1))))?;
        net = Box::new(recorded::Recorded::new(net, recorder));
    }
    Ok(net)
}
