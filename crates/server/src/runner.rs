//! One thread a job: waits until the job can begin, runs a session, and begins again after a fault of the network or of a peer, from
//! the newest checkpoint that all three have.

use crate::record::State;
use crate::server::Here;
use crate::{Error, Event, uploads, work};
use serde_json::json;
use std::sync::PoisonError;
use std::time::Duration;
use trefoil_job::SuiteName;

/// Pauses between sessions grow from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// What the end of a session of a suite that proves says after what went wrong in a protocol; the step follows.
pub const VERIFIED: &str = "; verified up to step ";

/// Starts the job's thread, where there is something to do and none runs.
pub fn ensure(here: &Here) {
    let needed = here.live(|e| {
        let needed = e.record.approved && !e.record.state.is_final() && !e.running;
        e.running |= needed;
        needed
    });
    if !needed.unwrap_or(false) {
        return;
    }
    let place = Place(here.clone());
    let spawned = std::thread::Builder::new().name("job".into()).spawn(move || run(&place.0));
    if let Err(e) = spawned {
        tracing::error!(job = %here.hash, "no thread: {e}");
    }
}

/// A job's thread, whose place is free again however it ends: a panic is a failure of the job, to be looked at and resumed.
struct Place(Here);

impl Drop for Place {
    fn drop(&mut self) {
        let here = &self.0;
        // The job may have been forgotten.
        let _ = here.live(|e| (e.running, e.session, e.meeting.gathering) = (false, None, false));
        if std::thread::panicking() {
            let failed = here.advance(|r| r.state = State::Failed { why: "internal error; see this party's log".into() });
            if let Err(e) = failed {
                tracing::error!(job = %here.hash, "{e}");
            }
        }
    }
}

fn run(here: &Here) {
    let mut pause = PAUSES[0];
    while !here.stopping() {
        let Ok(record) = here.record() else { return };
        if record.state.is_final() {
            return;
        }
        // Thousands of owners come one by one: nothing is listed for each.
        if record.uploads.len() < record.job.owner.len() || !record.missing().is_empty() {
            drop(record);
            let jobs = here.jobs();
            drop(here.changed.wait_timeout(jobs, Duration::from_millis(500)).unwrap_or_else(PoisonError::into_inner));
            continue;
        }
        let before = record.checkpoint;
        let result = work::run(here);
        let _ = here.live(|e| e.session = None);
        let Err(e) = result else { return };
        if here.record().is_ok_and(|r| matches!(r.state, State::Cancelled { .. })) {
            // What the session has written since it was cancelled.
            return uploads::abandon(here);
        }
        // What was opened is wrong, and is not opened again.
        use trefoil_nn::Error::{Config, Engine};
        let astray = matches!(&e, Error::Training(e) if !matches!(e, Config { .. } | Engine(_)));
        let (mut why, code) = (e.to_string(), e.exit_code());
        let verified = record.job.suite == SuiteName::Verified;
        if verified && e.of_protocol().is_some() && !transient(&e, verified) {
            why += &format!("{VERIFIED}{}", here.record().map_or(before, |r| r.checkpoint));
        }
        let began = here.record().is_ok_and(|r| r.state == State::Running);
        let state = match e {
            Error::Interrupted => return,
            e if transient(&e, verified) && began => State::Interrupted { why: why.clone() },
            e if transient(&e, verified) => record.state.clone(),
            _ => State::Failed { why: why.clone() },
        };
        if state != record.state {
            tracing::warn!(job = %here.hash, "{why}");
            here.noted(json!({ "what": "session ended", "job": here.hash, "why": why }));
            here.say(match state {
                State::Failed { .. } => Event::Failed { message: why, code },
                _ => Event::Interrupted { message: why },
            });
        }
        let stored = here.update(|r| {
            if !r.state.is_final() {
                r.state = state;
            }
            r.astray |= astray;
            r.checkpoint
        });
        match stored {
            Ok(checkpoint) if checkpoint > before => pause = PAUSES[0],
            Ok(_) => pause = (2 * pause).min(PAUSES[1]),
            // A full disk, most likely; there may be room again.
            Err(e) => {
                tracing::error!(job = %here.hash, "{e}");
                pause = PAUSES[1];
            }
        }
        let until = std::time::Instant::now() + pause;
        while !here.stopping() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether another session may end better; of a suite in which all is proven, `verified`, no message is another by chance.
fn transient(e: &Error, verified: bool) -> bool {
    use trefoil_mpc::Error::{NoKey, NoRandomness, Rejected, Reused, Unexpected, Unproven};
    match e {
        // A party has lied, which is for people to look at: whoever resumes the job goes on from what is verified.
        e if e.of_protocol().is_some_and(|e| matches!(e, Rejected { .. } | Unproven { .. })) => false,
        e if verified && e.of_protocol().is_some_and(|e| matches!(e, Unexpected { .. })) => false,
        Error::Protocol(Reused { .. } | NoRandomness(_) | NoKey { .. }) => false,
        // There may be room again; what was being written has gone, and what was there before is still there.
        e if full(e) => true,
        e => e.exit_code() == 4,
    }
}

/// Whether the disk is full, or this party's share of it.
fn full(e: &Error) -> bool {
    match e {
        Error::Store(e) => e.is_full(),
        Error::File { source, .. } => trefoil_store::is_full(source),
        _ => false,
    }
}
