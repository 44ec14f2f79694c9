//! Who may ask a party for what. Whoever gets here has shown a certificate that is known; what it may do depends on the job.

use crate::entry::Entry;
use crate::record::{Record, State, Status};
use crate::server::{Here, JOBS, Server};
use crate::service::{self, ServiceHere};
use crate::{Error, Result, approvals, checkpoint, links, records, runner, share, start_model, uploads};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Request};
use trefoil_client::{fetch, refuse};
use trefoil_job::{Job, JobHash};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Part, wire};

/// Jobs that are remembered.
const MOST_JOBS: usize = 1000;
/// Jobs of one proposer that wait for approval.
const MOST_PROPOSALS: usize = 16;

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
        return links::take(&Here::at(server, *job), stream, from);
    }
    if let Request::LinkService { service, pass } = request {
        return service::link(server, stream, from, service, pass);
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
    json!({ "request": text("request"), "job": text("job"), "service": text("service"), "upload": text("upload") })
}

fn answer(server: &Arc<Server>, stream: &mut Stream, from: Fingerprint, request: Request) -> Result<()> {
    let operator = from == server.identity.fingerprint();
    let only_operator = |what: &str| match operator {
        true => Ok(()),
        false => Err(Error::Refused(format!("{what} is for this party's operator"))),
    };
    let at = |job: JobHash| Here::at(server, job);
    match request {
        Request::Ping => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            let about = json!({ "version": env!("CARGO_PKG_VERSION"), "protocol": crate::PROTOCOL, "time": time });
            Ok(request::accept(stream, &about)?)
        }
        Request::Page => {
            only_operator("the page")?;
            let link = server.page.link()?;
            server.note(json!({ "what": "link to the page given", "by": from }))?;
            Ok(request::accept(stream, &link)?)
        }
        Request::Propose { job } => {
            let here = propose(server, Job::from_json(job)?, from)?;
            Ok(request::accept(stream, &here.hash)?)
        }
        Request::Approve { job, approval } => {
            approve(&at(job), from, approval)?;
            Ok(request::accept(stream, &())?)
        }
        Request::Approvals { job } => {
            let here = at(job);
            let record = here.record()?;
            if !operator && !record.job.members().any(|m| m == from) {
                return Err(Error::Refused("approvals are for the job's members".into()));
            }
            Ok(request::accept(stream, &approvals::list(&here)?)?)
        }
        Request::StartModel { job, bytes } => start_model::take(&at(job), stream, from, bytes),
        Request::Start { job } => {
            only_operator("start")?;
            let here = at(job);
            let missing = here.update(|r| {
                r.started = true;
                r.missing()
            })?;
            here.note(json!({ "what": "started job", "job": job }))?;
            runner::ensure(&here);
            Ok(request::accept(stream, &missing)?)
        }
        Request::Resume { job } => {
            only_operator("resume")?;
            let here = at(job);
            here.update(resume)??;
            here.note(json!({ "what": "resumed job", "job": job }))?;
            runner::ensure(&here);
            Ok(request::accept(stream, &())?)
        }
        Request::Cancel { job } => {
            let here = at(job);
            let record = here.record()?;
            if !operator && record.job.owner_of(from).is_none() {
                return Err(Error::Refused("cancel is for the parties' operators and the job's data owners".into()));
            }
            cancel(&here, &record, from)?;
            Ok(request::accept(stream, &())?)
        }
        Request::Status { job } => {
            let asked = |name: &str| job.as_ref().is_none_or(|job| name.starts_with(job.as_str()));
            if let Some((_, why)) = server.aside.iter().find(|(name, _)| job.is_some() && asked(name)) {
                return Err(Error::Refused(why.clone()));
            }
            let all: Vec<Status> = server
                .jobs()
                .iter()
                .filter(|(hash, _)| asked(&hash.to_string()))
                .filter(|(_, e)| operator || e.record.job.members().any(|m| m == from))
                .map(|(hash, e)| status(*hash, e, operator || e.record.job.is_shown_figures(from)))
                .collect();
            Ok(request::accept(stream, &all)?)
        }
        Request::Share { about, approval } => share::share(&at(about.job), stream, from, &about, approval),
        Request::Commit { job, upload } => {
            let new = share::commit(&at(job), from, &upload)?;
            Ok(request::accept(stream, &new)?)
        }
        Request::Fetch { job, approval } => give_model(&at(job), stream, from, approval),
        Request::ApproveService { service, approval } => {
            only_operator("approving a service")?;
            Ok(request::accept(stream, &service::approve(server, service, approval)?)?)
        }
        Request::ShareModel { service, sharing, bytes } => {
            service::take_model(&ServiceHere::at(server, service)?, stream, from, &sharing, bytes)
        }
        Request::EndService { service } => {
            only_operator("ending a service")?;
            service::end(server, service, from)?;
            Ok(request::accept(stream, &())?)
        }
        Request::Clients { service } => service::give(&ServiceHere::at(server, service)?, stream, from),
        Request::NewClients { service, bytes } => service::take(&ServiceHere::at(server, service)?, stream, from, bytes),
        Request::Services { service } => Ok(request::accept(stream, &service::statuses(server, from, service.as_deref()))?),
        Request::Ask { service, conversation } => {
            service::converse(&ServiceHere::at(server, service)?, stream, from, &conversation)
        }
        Request::Link { .. } | Request::LinkService { .. } => Ok(()),
    }
}

/// A job is remembered once a member of it has sent it; nothing is done with it before it is approved.
fn propose(server: &Arc<Server>, job: Job, from: Fingerprint) -> Result<Here> {
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
            let record = Record { job, ..entry.record.clone() };
            server.database.put(JOBS, &hash.to_string(), &record)?;
            server.note(json!({ "what": "addresses changed", "job": hash, "by": from }))?;
            entry.record = record;
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
        server.database.delete(JOBS, &old.to_string())?;
        server.database.clear(&approvals::table(old))?;
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

/// What `--approve` on the command line does.
pub fn approve_by_operator(server: &Arc<Server>, job: Job) -> Result<()> {
    let own = server.identity.fingerprint();
    let role = job.party_of(own).map_or(Role::P0, Role::from);
    let here = propose(server, job, own)?;
    let approval = Approval::sign(&server.identity, here.hash, role)?;
    approve(&here, own, approval)
}

fn approve(here: &Here, from: Fingerprint, approval: Approval) -> Result<()> {
    let record = here.record()?;
    if let State::Cancelled { by } = &record.state {
        return Err(Error::Refused(format!("the job was cancelled by {by}")));
    }
    let operator = from == here.identity.fingerprint();
    if operator {
        let (asked, own) = (record.job.insecure_masks, here.config.insecure.mask_seed.is_some());
        if asked != own {
            let masks = |insecure| if insecure { "masks from an insecure seed" } else { "masks from the operating system" };
            return Err(Error::Refused(format!("the job says {}, this party's configuration {}", masks(asked), masks(own))));
        }
    } else if record.job.party_of(from).is_some() {
        return Err(Error::Refused(format!("{} approves at its own party", record.job.role(from))));
    }
    let role = approval.role;
    if approvals::take(here, from, role, approval, json!({}))? && operator {
        here.admit()?;
    }
    runner::ensure(here);
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

fn cancel(here: &Here, record: &Record, from: Fingerprint) -> Result<()> {
    let by = record.job.role(from);
    here.update(|r| match r.state {
        State::Trained => Err(Error::Refused("the job is trained".into())),
        _ => {
            r.state = State::Cancelled { by: by.clone() };
            Ok(())
        }
    })??;
    here.note(json!({ "what": "cancelled", "job": here.hash, "by": from }))?;
    tracing::info!(job = %here.hash, "cancelled by {by}");
    uploads::abandon(here);
    Ok(())
}

pub fn status(hash: JobHash, entry: &Entry, figures: bool) -> Status {
    let r = &entry.record;
    let mut missing = if r.state.is_final() { vec![] } else { r.missing() };
    missing.extend(entry.meeting.waiting_for.clone().filter(|_| !r.state.is_final()));
    Status {
        hash,
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
        epoch: r.epoch,
        delivered: r.delivered,
    }
}

/// Figures that are not opened, once it is known of how many records they would be.
fn not_opened(record: &Record) -> Vec<String> {
    match records::rows(record) {
        Ok((train, test)) if record.uploads.len() == record.job.owner.len() => record.job.not_opened(train, test),
        _ => vec![],
    }
}

/// This party's share of the model, to its owner alone.
fn give_model(here: &Here, stream: &mut Stream, from: Fingerprint, approval: Approval) -> Result<()> {
    let record = here.record()?;
    let owner = record.job.model_owner()?;
    if owner.fingerprint != from {
        return Err(Error::Refused(format!("the model is for {}, not for {}", owner.name, record.job.role(from))));
    }
    if record.state != State::Trained {
        return Err(Error::Refused(format!("there is no model yet: {}", record.state)));
    }
    record.job.is_the_one(here.hash)?;
    let (model, mut reader) = checkpoint::model(here)?;
    if record.model.as_ref() != Some(&model) {
        return Err(Error::config("model", model, record.model.unwrap_or_else(|| "none".into())));
    }
    let mut matrices: Vec<Vec<Part>> = vec![];
    while let Some(record) = reader.next()? {
        let frame = wire::read(&mut &record[..], trefoil_net::Id::P0, record.len())?;
        matrices.push(frame.map(|f| f.parts).unwrap_or_default());
    }
    // Nobody gets a model without having said under which job.
    approvals::take(here, from, Role::ModelOwner, approval, json!({ "how": "by fetching" }))?;
    here.note(json!({ "what": "model share given", "job": here.hash, "to": from, "model": model }))?;
    fetch::serve(stream, &matrices)?;
    here.update(|r| r.delivered = true)?;
    tracing::info!(job = %here.hash, "the model owner has this party's share of the model");
    Ok(())
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
            jobs.get_mut(&JobHash([n; 32])).unwrap().record.job.model_owner = None;
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
