//! Who may ask a party for what. Whoever gets here has shown a certificate that is known; what it may do depends on the job.

use super::record::{Record, State, Status};
use super::{Entry, MOST_JOBS, MOST_PROPOSALS, Server, approvals, checkpoint, links, runner, uploads};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Request};
use trefoil_client::{fetch, refuse};
use trefoil_job::Job;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Part, wire};

/// Answers one connection.
pub fn serve(server: &Arc<Server>, mut stream: Stream, from: Fingerprint) {
    let timeout = Some(server.config.timeout());
    let begun = stream.set_timeouts(timeout, timeout).map_err(trefoil_client::Error::from);
    let request = match begun.and_then(|()| request::next(&mut stream)) {
        Ok(request) => request,
        Err(e) => {
            tracing::debug!("{e}");
            return refuse(&mut stream, &e.to_string());
        }
    };
    let about = about(&request);
    if let Request::Link { job } = &request {
        // The connection stays with the session.
        return links::take(server, stream, from, job);
    }
    let result = answer(server, &mut stream, from, request);
    match result {
        Ok(()) => {}
        // Nobody is there to be told.
        Err(Error::Net(e)) => tracing::info!("{e}"),
        Err(Error::Client(trefoil_client::Error::Net(e))) => tracing::info!("{e}"),
        Err(e) => {
            tracing::warn!("refused: {e}");
            // In the log first: who is told can rely on it.
            server.refusal(about, from, &e.to_string());
            refuse(&mut stream, &e.to_string());
        }
    }
}

/// A request's name and job, for the audit log: no longer than it needs to be.
fn about(request: &Request) -> Value {
    let value = serde_json::to_value(request).unwrap_or_default();
    let inner = value.get("about").unwrap_or(&value);
    let text = |key: &str| {
        value.get(key).or_else(|| inner.get(key)).and_then(Value::as_str).map(|t| t.chars().take(64).collect::<String>())
    };
    json!({ "request": text("request"), "job": text("job"), "upload": text("upload") })
}

fn answer(server: &Arc<Server>, stream: &mut Stream, from: Fingerprint, request: Request) -> Result<()> {
    let operator = from == server.identity.fingerprint();
    let only_operator = |what: &str| match operator {
        true => Ok(()),
        false => Err(Error::Refused(format!("{what} is for this party's operator"))),
    };
    match request {
        Request::Ping => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            let about = json!({ "version": env!("CARGO_PKG_VERSION"), "protocol": crate::PROTOCOL, "time": time });
            Ok(request::accept(stream, &about)?)
        }
        Request::Propose { job } => {
            let hash = propose(server, Job::from_json(job)?, from)?;
            Ok(request::accept(stream, &hash)?)
        }
        Request::Approve { job, approval } => {
            approve(server, &job, from, approval)?;
            Ok(request::accept(stream, &())?)
        }
        Request::Approvals { job } => {
            let record = server.record(&job)?;
            if !operator && !record.job.members().any(|m| m == from) {
                return Err(Error::Refused("approvals are for the job's members".into()));
            }
            Ok(request::accept(stream, &approvals::list(server, &job)?)?)
        }
        Request::Start { job } => {
            only_operator("start")?;
            let missing = server.update(&job, |r| {
                r.started = true;
                r.missing()
            })?;
            server.note(json!({ "what": "started job", "job": job }))?;
            runner::ensure(server, &job);
            Ok(request::accept(stream, &missing)?)
        }
        Request::Resume { job } => {
            only_operator("resume")?;
            server.update(&job, resume)??;
            server.note(json!({ "what": "resumed job", "job": job }))?;
            runner::ensure(server, &job);
            Ok(request::accept(stream, &())?)
        }
        Request::Cancel { job } => {
            let record = server.record(&job)?;
            if !operator && record.job.owner_of(from).is_none() {
                return Err(Error::Refused("cancel is for the parties' operators and the job's data owners".into()));
            }
            cancel(server, &job, &record, from)?;
            Ok(request::accept(stream, &())?)
        }
        Request::Status { job } => {
            if let Some(hash) = job.as_ref().and_then(|j| server.aside.keys().find(|hash| hash.starts_with(j.as_str()))) {
                return Err(server.unknown(hash));
            }
            let all: Vec<Status> = server
                .jobs()
                .iter()
                .filter(|(hash, _)| job.as_ref().is_none_or(|j| hash.starts_with(j.as_str())))
                .filter(|(_, e)| operator || e.record.job.members().any(|m| m == from))
                .map(|(hash, e)| status(hash, e, operator || e.record.job.is_shown_figures(from)))
                .collect();
            Ok(request::accept(stream, &all)?)
        }
        Request::Share { about, approval } => uploads::share(server, stream, from, &about, approval),
        Request::Commit { job, upload } => {
            let new = uploads::commit(server, &job, from, &upload)?;
            Ok(request::accept(stream, &new)?)
        }
        Request::Fetch { job, approval } => give_model(server, stream, from, &job, approval),
        Request::Link { .. } => Ok(()),
    }
}

/// A job is remembered once a member of it has sent it; nothing is done with it before it is approved.
fn propose(server: &Arc<Server>, job: Job, from: Fingerprint) -> Result<String> {
    let own = server.identity.fingerprint();
    if job.party_of(own).is_none() {
        return Err(Error::Refused(format!("this party, {own}, is none of the job's three")));
    }
    if from != own && !job.members().any(|m| m == from) {
        return Err(Error::Refused(format!("a job is proposed by one of its members; {from} is none")));
    }
    let hash = job.hash();
    if server.aside.contains_key(&hash) {
        return Err(server.unknown(&hash));
    }
    let mut jobs = server.jobs();
    if let Some(entry) = jobs.get_mut(&hash) {
        // Only addresses can differ, and only the operator may say where this party finds its peers.
        if from == own && entry.record.job != job {
            let record = Record { job, ..entry.record.clone() };
            server.database.put(super::JOBS, &hash, &record)?;
            server.note(json!({ "what": "addresses changed", "job": hash, "by": from }))?;
            entry.record = record;
        }
        return Ok(hash);
    }
    let unapproved = |r: &Record| !r.approved && !r.state.is_final();
    if from != own && jobs.values().filter(|e| unapproved(&e.record) && e.record.proposed_by == from).count() >= MOST_PROPOSALS {
        let why = format!("{MOST_PROPOSALS} jobs of this proposer wait for the operator's approval; cancel some");
        return Err(Error::Refused(why));
    }
    if jobs.len() >= MOST_JOBS {
        let Some(old) = makes_room(&jobs) else {
            return Err(Error::Refused(format!("{MOST_JOBS} jobs are remembered here, and none is over")));
        };
        server.database.delete(super::JOBS, &old)?;
        server.database.clear(&approvals::table(&old))?;
        server.note(json!({ "what": "forgotten", "job": old }))?;
        jobs.remove(&old);
    }
    let record = Record::new(job, from);
    server.database.put(super::JOBS, &hash, &record)?;
    server.note(json!({ "what": "proposed", "job": hash, "name": record.job.name, "by": from }))?;
    tracing::info!(job = %hash, "proposed by {}", record.job.role(from));
    jobs.insert(hash.clone(), Entry::new(record));
    drop(jobs);
    server.admit()?;
    Ok(hash)
}

/// What is over makes room: first what was cancelled before the operator had approved it, so that who proposes and cancels without end makes
/// this party forget nothing else; then the cancelled, then the trained whose owner has the model.
fn makes_room(jobs: &BTreeMap<String, Entry>) -> Option<String> {
    let rank = |r: &Record| match r.state {
        State::Cancelled { .. } => Some(u8::from(r.approved)),
        State::Trained if r.delivered => Some(2),
        _ => None,
    };
    let over = jobs.iter().filter_map(|(hash, e)| Some((rank(&e.record)?, hash)));
    over.min().map(|(_, hash)| hash.clone())
}

/// What `--approve` on the command line does.
pub fn approve_by_operator(server: &Arc<Server>, job: Job) -> Result<()> {
    let own = server.identity.fingerprint();
    let role = job.party_of(own).map_or(Role::P0, Role::from);
    let hash = propose(server, job, own)?;
    let approval = Approval::sign(&server.identity, &hash, role)?;
    approve(server, &hash, own, approval)
}

fn approve(server: &Arc<Server>, hash: &str, from: Fingerprint, approval: Approval) -> Result<()> {
    let record = server.record(hash)?;
    if let State::Cancelled { by } = &record.state {
        return Err(Error::Refused(format!("the job was cancelled by {by}")));
    }
    let operator = from == server.identity.fingerprint();
    if operator {
        let (asked, own) = (record.job.insecure_masks, server.config.insecure.mask_seed.is_some());
        if asked != own {
            let masks = |insecure| if insecure { "masks from an insecure seed" } else { "masks from the operating system" };
            return Err(Error::Refused(format!("the job says {}, this party's configuration {}", masks(asked), masks(own))));
        }
    } else if record.job.party_of(from).is_some() {
        return Err(Error::Refused(format!("{} approves at its own party", record.job.role(from))));
    }
    let role = approval.role;
    if approvals::take(server, hash, from, role, approval, json!({}))? && operator {
        server.admit()?;
    }
    runner::ensure(server, hash);
    Ok(())
}

fn resume(record: &mut Record) -> Result<()> {
    match &record.state {
        State::Failed { .. } if record.astray => {
            let why =
                "training has gone astray, and what showed it is not opened again; propose another job, with a smaller rate";
            Err(Error::Refused(why.into()))
        }
        State::Failed { .. } | State::Interrupted { .. } => {
            record.state = State::Waiting;
            Ok(())
        }
        State::Cancelled { by } => Err(Error::Refused(format!("the job was cancelled by {by}"))),
        State::Trained => Err(Error::Refused("the job is trained".into())),
        State::Waiting | State::Running => Ok(()),
    }
}

fn cancel(server: &Arc<Server>, hash: &str, record: &Record, from: Fingerprint) -> Result<()> {
    let by = record.job.role(from);
    server.update(hash, |r| match r.state {
        State::Trained => Err(Error::Refused("the job is trained".into())),
        _ => {
            r.state = State::Cancelled { by: by.clone() };
            Ok(())
        }
    })??;
    server.note(json!({ "what": "cancelled", "job": hash, "by": from }))?;
    tracing::info!(job = %hash, "cancelled by {by}");
    uploads::abandon(server, hash);
    Ok(())
}

fn status(hash: &str, entry: &Entry, figures: bool) -> Status {
    let r = &entry.record;
    let mut missing = if r.state.is_final() { vec![] } else { r.missing() };
    missing.extend(entry.waiting_for.clone().filter(|_| !r.state.is_final()));
    Status {
        hash: hash.to_owned(),
        name: r.job.name.clone(),
        proposed_by: r.job.role(r.proposed_by),
        approved: r.approved,
        owners: [r.owners.len(), r.uploads.len(), r.job.owner.len()],
        state: match &r.state {
            // Its words may have an opened loss in them.
            State::Failed { .. } if !figures => State::Failed { why: "training; the parties' operators know why".into() },
            state => state.clone(),
        },
        missing,
        refused: r.refused().iter().map(|(owner, why)| format!("{}: {why}", r.job.role(*owner))).collect(),
        not_opened: not_opened(r),
        steps: [entry.session.unwrap_or(if r.state == State::Trained { r.steps } else { r.checkpoint }), r.checkpoint, r.steps],
        last: r.last.filter(|_| figures),
        checked: r.checked,
        delivered: r.delivered,
    }
}

/// Figures that are not opened, once it is known of how many records they would be.
fn not_opened(record: &Record) -> Vec<String> {
    match super::records::rows(record) {
        Ok((train, test)) if record.uploads.len() == record.job.owner.len() => record.job.not_opened(train, test),
        _ => vec![],
    }
}

/// This party's share of the model, to its owner alone.
fn give_model(server: &Arc<Server>, stream: &mut Stream, from: Fingerprint, hash: &str, approval: Approval) -> Result<()> {
    let record = server.record(hash)?;
    if record.job.model_owner.fingerprint != from {
        return Err(Error::Refused(format!(
            "the model is for {}, not for {}",
            record.job.model_owner.name,
            record.job.role(from)
        )));
    }
    if record.state != State::Trained {
        return Err(Error::Refused(format!("there is no model yet: {}", describe(&record.state))));
    }
    record.job.is_the_one(hash)?;
    let (model, mut reader) = checkpoint::model(server, hash)?;
    if record.model.as_ref() != Some(&model) {
        return Err(Error::config("model", model, record.model.unwrap_or_else(|| "none".into())));
    }
    let mut matrices: Vec<Vec<Part>> = vec![];
    while let Some(record) = reader.next()? {
        let frame = wire::read(&mut &record[..], trefoil_net::Id::P0, record.len())?;
        matrices.push(frame.map(|f| f.parts).unwrap_or_default());
    }
    // Nobody gets a model without having said under which job.
    approvals::take(server, hash, from, Role::ModelOwner, approval, json!({ "how": "by fetching" }))?;
    server.note(json!({ "what": "model share given", "job": hash, "to": from, "model": model }))?;
    fetch::serve(stream, &matrices)?;
    server.update(hash, |r| r.delivered = true)?;
    tracing::info!(job = %hash, "the model owner has this party's share of the model");
    Ok(())
}

/// A state in words.
pub fn describe(state: &State) -> String {
    match state {
        State::Waiting => "waiting".into(),
        State::Running => "running".into(),
        State::Interrupted { why } => format!("interrupted: {why}"),
        State::Failed { why } => format!("failed: {why}"),
        State::Cancelled { by } => format!("cancelled by {by}"),
        State::Trained => "trained".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_proposes_and_cancels_makes_nobody_elses_job_forgotten() {
        let mut jobs = BTreeMap::new();
        let mut add = |hash: &str, approved, state, delivered| {
            let job = super::super::stored::tests::job();
            let by = job.model_owner.fingerprint;
            jobs.insert(hash.to_owned(), Entry::new(Record { approved, state, delivered, ..Record::new(job, by) }));
        };
        let cancelled = || State::Cancelled { by: "somebody".into() };
        add("0", true, State::Waiting, false);
        add("1", true, State::Trained, false);
        add("2", true, State::Trained, true);
        add("3", true, cancelled(), false);
        add("4", false, cancelled(), false);
        let order: Vec<String> = std::iter::from_fn(|| {
            let hash = makes_room(&jobs)?;
            jobs.remove(&hash).map(|_| hash)
        })
        .collect();
        assert_eq!(order, ["4", "3", "2"]);
        assert_eq!(jobs.len(), 2);
    }
}
