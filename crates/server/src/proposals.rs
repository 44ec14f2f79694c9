//! Jobs that members propose: a party remembers a bounded number of them, and forgets one that is over where another wants its place. Nothing is
//! done with a job before the operator has approved it.

use crate::entry::Entry;
use crate::record::{Record, State};
use crate::server::{Here, JOBS, Server};
use crate::{Error, Result, stored};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use trefoil_job::{Job, JobHash};
use trefoil_net::identity::Fingerprint;

/// Jobs that are remembered.
const MOST_JOBS: usize = 1000;
/// Jobs of one proposer that wait for approval.
const MOST_PROPOSALS: usize = 16;

/// A job is remembered once a member of it has sent it; nothing is done with it before it is approved.
pub fn take(server: &Arc<Server>, job: Job, from: Fingerprint) -> Result<Here> {
    let own = server.identity.fingerprint();
    if job.party_of(own).is_none() {
        return Err(Error::Refused(format!("this party, {own}, is none of the job's three")));
    }
    if from != own && !job.members().any(|m| m == from) {
        return Err(Error::Refused(format!("a job is proposed by one of its members; {from} is none")));
    }
    let here = Here::at(server, job.hash());
    let hash = here.hash;
    if server.aside.contains_key(&hash.to_string()) {
        return Err(here.unknown());
    }
    let mut jobs = server.jobs();
    if let Some(entry) = jobs.get_mut(&hash) {
        // Only addresses can differ, and only the operator may say where this party finds its peers.
        if from == own && entry.record.job != job {
            let record = Record { job, ..Record::clone(&entry.record) };
            stored::put(&server.database, hash, &entry.record, &record)?;
            server.note(json!({ "what": "addresses changed", "job": hash, "by": from }))?;
            entry.record = Arc::new(record);
        }
        return Ok(here);
    }
    let unapproved = |r: &Record| !r.approved && !r.state.is_final();
    if from != own && jobs.values().filter(|e| unapproved(&e.record) && e.record.proposed_by == from).count() >= MOST_PROPOSALS {
        let why = format!("{MOST_PROPOSALS} jobs of this proposer wait for the operator's approval; cancel some");
        return Err(Error::Refused(why));
    }
    if jobs.len() >= MOST_JOBS {
        let services = |job: JobHash| {
            let services = server.services();
            let of_job = services.values().filter(|s| s.service.model.job() == Some(job));
            of_job.fold((0, 0), |(live, ended), s| if s.now().ended { (live, ended + 1) } else { (live + 1, ended) })
        };
        let Some(old) = makes_room(&jobs, services) else {
            return Err(Error::Refused(format!("{MOST_JOBS} jobs are remembered here, and none is over")));
        };
        stored::forget(&server.database, old)?;
        server.note(json!({ "what": "forgotten", "job": old }))?;
        jobs.remove(&old);
    }
    let record = Record::new(job, from);
    server.database.put(JOBS, &hash.to_string(), &record)?;
    server.note(json!({ "what": "proposed", "job": hash, "name": record.job.name, "by": from }))?;
    tracing::info!(job = %hash, "proposed by {}", record.job.role(from));
    jobs.insert(hash, Entry::new(record));
    drop(jobs);
    server.admit()?;
    Ok(here)
}

/// What is over makes room: first what was cancelled before the operator had approved it, so that who proposes and cancels without end makes
/// this party forget nothing else; then the cancelled, then the trained whose owner has the model, or whose model nobody gets and all of
/// whose services have ended. `services` says of a job how many go on, and how many have ended; a job with one that goes on makes no room.
fn makes_room(jobs: &BTreeMap<JobHash, Entry>, services: impl Fn(JobHash) -> (usize, usize)) -> Option<JobHash> {
    let rank = |hash: JobHash, r: &Record| match (&r.state, services(hash)) {
        (_, (1.., _)) => None,
        (State::Cancelled { .. }, _) => Some(u8::from(r.approved)),
        (State::Trained, _) if r.delivered => Some(2),
        (State::Trained, (_, 1..)) if r.job.model_owner.is_none() => Some(2),
        _ => None,
    };
    let over = jobs.iter().filter_map(|(hash, e)| Some((rank(*hash, &e.record)?, hash)));
    over.min().map(|(_, hash)| *hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_proposes_and_cancels_makes_nobody_elses_job_forgotten() {
        let mut jobs = BTreeMap::new();
        let add = |jobs: &mut BTreeMap<_, _>, n: u8, approved, state, delivered| {
            let job = crate::stored::tests::job();
            let by = job.owner[0].fingerprint;
            jobs.insert(JobHash([n; 32]), Entry::new(Record { approved, state, delivered, ..Record::new(job, by) }));
        };
        let cancelled = || State::Cancelled { by: "somebody".into() };
        add(&mut jobs, 0, true, State::Waiting, false);
        add(&mut jobs, 1, true, State::Trained, false);
        add(&mut jobs, 2, true, State::Trained, true);
        add(&mut jobs, 3, true, cancelled(), false);
        add(&mut jobs, 4, false, cancelled(), false);
        // Its model is served.
        add(&mut jobs, 5, true, State::Trained, true);
        // Models that nobody gets: not served yet, served, served once.
        for n in 6..9 {
            add(&mut jobs, n, true, State::Trained, false);
            Arc::make_mut(&mut jobs.get_mut(&JobHash([n; 32])).unwrap().record).job.model_owner = None;
        }
        // A model that its owner has not fetched waits for that, whoever has asked it.
        let services = |job: JobHash| (usize::from([5, 7].contains(&job.0[0])), usize::from([1, 8].contains(&job.0[0])));
        let order: Vec<u8> = std::iter::from_fn(|| {
            let hash = makes_room(&jobs, services)?;
            jobs.remove(&hash).map(|_| hash.0[0])
        })
        .collect();
        assert_eq!(order, [4, 3, 2, 8]);
        assert_eq!(jobs.len(), 5);
    }
}
