//! Who may ask a party for what. Whoever gets here has shown a certificate that is known; what it may do depends on the job.

use crate::entry::Entry;
use crate::record::{Record, State, Status};
use crate::server::{Here, Server};
use crate::service::{self, ServiceHere};
use crate::{Error, Result, approvals, checkpoint, join, links, proposals, records, runner, share, start_model, uploads};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Request};
use trefoil_client::{fetch, refuse};
use trefoil_job::{Job, JobHash};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Part, wire};
use trefoil_nn::Figure;

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
            let here = proposals::take(server, Job::from_json(job)?, from)?;
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
        Request::Join { job, rows, approval } => join::begin(&at(job), stream, from, rows, approval),
        Request::Pseudonyms { job, sha256 } => join::pseudonyms(&at(job), stream, from, &sha256),
        Request::Joined { job } => join::joined(&at(job), stream, from),
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

/// What `--approve` on the command line does.
pub fn approve_by_operator(server: &Arc<Server>, job: Job) -> Result<()> {
    let own = server.identity.fingerprint();
    let role = job.party_of(own).map_or(Role::P0, Role::from);
    let here = proposals::take(server, job, own)?;
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
            (record.state, record.resumed) = (State::Waiting, true);
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
        not_opened: not_opened(r, figures),
        steps: [entry.session.unwrap_or(if r.state == State::Trained { r.steps } else { r.checkpoint }), r.checkpoint, r.steps],
        last: r.last.filter(|_| figures),
        figures: if figures { r.figures.clone() } else { vec![] },
        statistics: if figures { r.statistics.clone() } else { vec![] },
        checked: r.checked,
        epoch: r.epoch,
        delivered: r.delivered,
    }
}

/// Figures that are not opened, or that there are none of, once it is known of how many records they would be.
fn not_opened(record: &Record, figures: bool) -> Vec<String> {
    match records::rows(record) {
        Ok((train, test)) if record.uploads.len() == record.job.owner.len() => {
            let mut all = record.job.not_opened(train, test);
            if figures {
                let undefined = |figure: &Figure| Some(format!("{}: undefined, {}", figure.metric.name(), figure.why.as_ref()?));
                all.extend(record.figures.iter().filter(|figure| figure.value.is_none()).filter_map(undefined));
            }
            all
        }
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
        return Err(Error::config("model", model, record.model.as_deref().unwrap_or("none")));
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
