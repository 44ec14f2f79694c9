//! What the page shows, part by part. Names and words of others are in it: the page puts them down as text.

use super::{Page, peers};
use crate::entry::Entry;
use crate::record::{Figures, Status};
use crate::server::Server;
use crate::service::ServiceStatus;
use crate::{machine, requests, service};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use trefoil_client::approval::Role;
use trefoil_job::JobHash;
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_nn::Figure;

/// Jobs and services that are shown, those that go on first.
const MOST: usize = 20;
/// Approvals of each.
const MOST_APPROVALS: usize = 50;
/// Lines of figures.
const MOST_LINES: usize = 200;
/// Letters of a network in words.
const MOST_WORDS: usize = 400;

/// All parts: names, and JSON.
pub fn all(server: &Arc<Server>) -> Vec<(&'static str, String)> {
    let (mut jobs, mut curves, mut cost) = (vec![], BTreeMap::new(), BTreeMap::new());
    let own = server.identity.fingerprint();
    let count = {
        let entries = server.jobs();
        let mut shown: Vec<(&JobHash, &Entry)> = entries.iter().collect();
        shown.sort_by_key(|(_, entry)| (entry.session.is_none(), entry.record.state.is_final()));
        for (hash, entry) in shown.into_iter().take(MOST) {
            jobs.push(job(*hash, entry, own));
            let key = hash.to_string();
            let (epochs, pace) = (&entry.history.epochs, &entry.history.pace);
            let (epochs, pace): (Vec<Figures>, Vec<_>) = (epochs.points().collect(), pace.points().collect());
            if !epochs.is_empty() || !pace.is_empty() {
                let pace: Vec<(u64, f64)> = pace.iter().map(|pace| (pace.step, pace.seconds())).collect();
                curves.insert(key.clone(), json!({ "epochs": epochs, "pace": pace }));
            }
            if let Some(spent) = entry.history.spent() {
                cost.insert(key, spent.clone());
            }
        }
        entries.len()
    };
    let mut services = services(server, own);
    services.sort_by_key(|service| service.status.state != "serving");
    let parties = json!({ "count": services.len(), "shown": services.iter().take(MOST).collect::<Vec<_>>() });
    vec![
        ("party", party(server)),
        ("jobs", text(&json!({ "count": count, "shown": jobs }))),
        ("curves", text(&curves)),
        ("cost", text(&cost)),
        ("services", text(&parties)),
        ("links", links(server)),
        ("memory", memory(&server.page)),
        ("audit", audit(&server.page)),
    ]
}

fn text(value: &impl Serialize) -> String {
    // Texts, numbers and lists of them always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

fn party(server: &Server) -> String {
    text(&json!({
        "address": server.listener.local_addr().to_string(),
        "fingerprint": server.identity.fingerprint(),
        "version": machine::version(),
        "started": server.page.started,
        "threads": server.config.threads,
        "links": server.config.links,
        "insecure": server.config.insecure.mask_seed.is_some() || server.config.insecure.record.is_some(),
        "stopping": server.stopping(),
        "clients": server.connections(),
        "refused": server.refused.load(std::sync::atomic::Ordering::Relaxed),
    }))
}

/// Who has to approve, and has.
#[derive(Serialize)]
struct Approval {
    who: String,
    by: String,
    /// Seconds since 1970, by the signer's clock.
    signed: Option<u64>,
}

#[derive(Serialize)]
struct Job {
    #[serde(flatten)]
    status: Status,
    me: Option<Id>,
    suite: String,
    network: String,
    metric: Option<&'static str>,
    /// The figures of the held-out records in words, where there are more than one number.
    told: Vec<String>,
    epochs: u64,
    steps_per_second: Option<f64>,
    approvals: Vec<Approval>,
    more_approvals: usize,
}

fn job(hash: JobHash, entry: &Entry, own: Fingerprint) -> Job {
    let job = &entry.record.job;
    let words = || job.network().map(|graph| graph.to_string().chars().take(MOST_WORDS).collect()).unwrap_or_default();
    let receives = job.model_owner.iter().map(|owner| (Role::ModelOwner, owner.fingerprint));
    let deciders: Vec<(Role, Fingerprint)> = job.deciders().chain(receives).collect();
    let approval = |(role, by): &(Role, Fingerprint)| Approval {
        who: job.role(*by),
        by: by.to_string().chars().take(16).collect(),
        signed: entry.approvals.get(&(*role, *by)).map(|approval| approval.time),
    };
    let me = job.party_of(own);
    Job {
        status: requests::status(hash, entry, true),
        me,
        suite: job.suite.to_string(),
        network: entry.history.network.get_or_init(words).clone(),
        told: Figure::told(&entry.record.figures, &job.data.classes).into_iter().take(MOST_LINES).collect(),
        metric: job.metric().filter(|_| me != Some(Id::P2)).map(|metric| metric.name()),
        epochs: job.train.epochs,
        steps_per_second: entry.session.and_then(|_| entry.history.steps_per_second()).map(|x| (x * 100.0).round() / 100.0),
        approvals: deciders.iter().take(MOST_APPROVALS).map(approval).collect(),
        more_approvals: deciders.len().saturating_sub(MOST_APPROVALS),
    }
}

#[derive(Serialize)]
struct Service {
    #[serde(flatten)]
    status: ServiceStatus,
    limit: u64,
    until: String,
}

fn services(server: &Arc<Server>, own: Fingerprint) -> Vec<Service> {
    let statuses = service::statuses(server, own, None).into_iter();
    let with_limits = |status: ServiceStatus| {
        let service = server.services().get(&status.hash).map(|serving| serving.service.clone())?;
        Some(Service { status, limit: service.limits.records, until: service.until })
    };
    statuses.filter_map(with_limits).collect()
}

fn links(server: &Server) -> String {
    let reached = server.page.peers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let link = |(name, address): (String, trefoil_client::Address)| json!({ "name": name, "address": address.address, "asked": reached.get(&address.fingerprint) });
    text(&peers::all(server).into_iter().map(link).collect::<Vec<Value>>())
}

fn memory(page: &Page) -> String {
    let points: Vec<(u64, u64)> = page.memory.lock().unwrap_or_else(PoisonError::into_inner).points().collect();
    text(&json!({ "now": points.last().map(|(_, bytes)| bytes), "peak": machine::peak_rss(), "points": points }))
}

fn audit(page: &Page) -> String {
    text(&*page.lines.lock().unwrap_or_else(PoisonError::into_inner))
}
