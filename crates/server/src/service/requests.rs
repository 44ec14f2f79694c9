//! A service is approved, ended, and asked how it stands.

use super::entry::{Record, SERVICES, ServiceHere, ServiceStatus, Serving};
use super::lane::LaneHere;
use super::{model, runner};
use crate::links::{self, Answer};
use crate::server::{Here, Server};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use trefoil_client::approval::Approval;
use trefoil_client::refuse;
use trefoil_job::service::SERVICE_SEMANTICS;
use trefoil_job::{Service, ServiceHash};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;

/// Services that are remembered.
const MOST: usize = 1000;

/// The operator brings a service with its approval: nothing is done with one that no operator has approved here.
pub fn approve(server: &Arc<Server>, service: Value, approval: Approval) -> Result<ServiceHash> {
    let service = Service::from_json(service)?;
    let (hash, own) = (service.hash(), server.identity.fingerprint());
    if service.party_of(own).is_none() {
        return Err(Error::Refused(format!("this party, {own}, is none of the service's three")));
    }
    if approval.by != own {
        return Err(Error::Refused(format!("found an approval of {}, expected this party's, {own}", approval.by)));
    }
    service.check_approval(&approval)?;
    let job = service.model.job().map(|job| Here::at(server, job).record()).transpose()?;
    service.known(job.as_ref().map(|record| &record.job))?;
    if server.config.insecure.mask_seed.is_some() {
        let why = "found masks from an insecure seed in this party's configuration, expected none: each session of a service draws its own";
        return Err(Error::Refused(why.into()));
    }
    let known = server.services().get(&hash).cloned();
    match &known {
        Some(known) if known.now().ended => {
            return Err(Error::Refused("the service was ended here; another one needs another name or limits".into()));
        }
        // The same with other addresses.
        Some(known) if known.service != service && known.is_running() => {
            return Err(Error::Refused(
                "the service is running with other addresses of its parties; stop this party first".into(),
            ));
        }
        None if server.services().len() >= MOST => return Err(Error::Refused(format!("{MOST} services are remembered here"))),
        _ => {}
    }
    if known.as_ref().is_none_or(|known| known.service != service) {
        let record = Record { semantics: SERVICE_SEMANTICS, service: service.clone(), ended: false };
        server.database.put(SERVICES, &hash.to_string(), &record)?;
        let serving = Serving::new(service, false);
        if let Some(known) = known {
            let known = known.now();
            let mut now = serving.now();
            now.approvals.clone_from(&known.approvals);
            now.clients.clone_from(&known.clients);
        }
        server.services().insert(hash, Arc::new(serving));
    }
    let here = ServiceHere::at(server, hash)?;
    here.keep(approval)?;
    server.admit()?;
    runner::ensure(&here);
    Ok(hash)
}

/// No more questions, for good.
pub fn end(server: &Arc<Server>, hash: ServiceHash, by: Fingerprint) -> Result<()> {
    let here = ServiceHere::at(server, hash)?;
    let record = Record { semantics: SERVICE_SEMANTICS, service: here.service.clone(), ended: true };
    server.database.put(SERVICES, &hash.to_string(), &record)?;
    server.note(json!({ "what": "ended service", "service": hash, "by": by }))?;
    here.change(|now| now.ended = true);
    model::forget(&here);
    server.admit()
}

/// A peer calls for a session of the lane whose passes have so many records.
pub fn link(server: &Arc<Server>, mut stream: Stream, from: Fingerprint, hash: ServiceHash, pass: usize) {
    let peer = ServiceHere::at(server, hash).and_then(|here| {
        let id = here.service.party_of(from).filter(|_| from != server.identity.fingerprint());
        let id = id
            .ok_or_else(|| Error::Refused(format!("links are for the service's parties; this is {}", here.service.role(from))))?;
        let lane = LaneHere::all(&here).find(|lane| lane.size() == pass);
        Ok((
            lane.ok_or_else(|| {
                Error::Refused(format!(
                    "passes of a service: found {pass} records, expected 1, 8, 32 or 128, at most those of a question"
                ))
            })?,
            id,
        ))
    });
    match peer {
        Ok((lane, id)) => {
            let ended = lane.now().ended;
            let answer = match ended {
                true => Answer::Over { why: "its operator has ended the service".into() },
                false => links::if_gathering(&lane),
            };
            links::reply(&lane, stream, id, answer, vec![]);
        }
        Err(e) => {
            server.refusal(json!({ "request": "link service", "service": hash }), from, &e.to_string());
            refuse(&mut stream, &e.to_string());
        }
    }
}

/// How services stand whose hashes begin so, those that the caller has to do with.
pub fn statuses(server: &Arc<Server>, from: Fingerprint, prefix: Option<&str>) -> Vec<ServiceStatus> {
    let operator = from == server.identity.fingerprint();
    let all: Vec<Arc<Serving>> = server.services().values().cloned().collect();
    let theirs = |s: &&Arc<Serving>| {
        let asked = prefix.is_none_or(|prefix| s.hash.to_string().starts_with(prefix));
        let named =
            |service: &Service| service.party_of(from).is_some() || service.is_signer(from) || service.is_model_owner(from);
        asked && (operator || named(&s.service) || s.may_ask(from))
    };
    all.iter().filter(theirs).map(|serving| status(&ServiceHere { server: server.clone(), serving: serving.clone() })).collect()
}

fn status(here: &ServiceHere) -> ServiceStatus {
    let records = here.server.quotas().used(here);
    let now = here.now();
    let state = match (now.ended, here.is_over(), now.open()) {
        (true, ..) => "ended",
        (_, true, _) => "over",
        (.., true) => "serving",
        _ => "waiting",
    };
    ServiceStatus {
        hash: here.hash,
        name: here.service.name.clone(),
        job: here.service.model.job(),
        approved: now.approvals.keys().copied().collect(),
        state: state.to_owned(),
        waiting_for: now.lanes.iter().find_map(|lane| lane.meeting.waiting_for.clone()),
        answered: now.answered,
        refused: now.refused.values().sum(),
        waiting: now.questions.len(),
        passes: now.passes(),
        records,
        clients: here
            .service
            .client
            .signer()
            .map(|_| now.clients.as_ref().map_or((0, 0), |list| (list.version, list.clients.len()))),
    }
}
