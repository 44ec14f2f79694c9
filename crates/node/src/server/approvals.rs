//! Approvals at a party: each is signed by who gives it, noted in the audit log, and kept in a table of its job's. Whoever approves signs
//! once. An owner brings its signature to all three parties, an operator to its own, and at the start of each session the parties show
//! one another all that they have, so that each keeps all of them, and nobody's approval rests on another party's word.

use super::session::Session;
use super::{Entry, Server};
use crate::handshake;
use crate::{Error, Job, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;
use trefoil_client::approval::{Approval, Role};
use trefoil_net::Net;
use trefoil_net::identity::Fingerprint;
use trefoil_store::Database;

/// Of each who has approved, as what it did.
pub type Approvals = BTreeMap<(Role, Fingerprint), Approval>;

/// The table of a job's approvals.
pub fn table(hash: &str) -> String {
    format!("approvals {hash}")
}

impl Entry {
    /// Takes an approval that was checked and is on the disk; `own` is this party's certificate.
    pub fn approve(&mut self, approval: Approval, own: Fingerprint) {
        self.record.approved |= approval.by == own;
        if approval.role == Role::DataOwner {
            self.record.owners.insert(approval.by);
        }
        self.approvals.insert((approval.role, approval.by), approval);
    }
}

/// What the database has of a job's approvals: those that are true, and why the others are none.
///
/// # Errors
/// The database cannot be read.
pub fn load(database: &Database, hash: &str, job: &Job) -> Result<(Vec<Approval>, Vec<String>)> {
    let (mut approvals, mut untrue) = (vec![], vec![]);
    for (key, value) in database.all::<Value>(&table(hash))? {
        let approval = serde_json::from_value::<Approval>(value).map_err(|e| Error::config("approval", e, "its fields"));
        match approval.and_then(|approval| job.check_approval(hash, &approval).map(|()| approval)) {
            Ok(approval) => approvals.push(approval),
            Err(e) => untrue.push(format!("approval {key} of job {hash} as it is stored here: {e}")),
        }
    }
    Ok((approvals, untrue))
}

/// Keeps an approval that `from` brings as `role`; whether it is the first of its kind. `how` is for the audit log.
///
/// # Errors
/// It is not `from`'s, or not in that role, or not of this job, or not signed.
pub fn take(server: &Server, hash: &str, from: Fingerprint, role: Role, approval: Approval, how: Value) -> Result<bool> {
    if (approval.by, approval.role) != (from, role) {
        let found = format!("approval of {} {}", approval.role, approval.by);
        return Err(Error::Refused(format!("found {found}, expected one of {role} {from}, who brings it")));
    }
    keep(server, hash, approval, how)
}

fn keep(server: &Server, hash: &str, approval: Approval, how: Value) -> Result<bool> {
    let record = server.record(hash)?;
    record.job.check_approval(hash, &approval)?;
    let old = server.live(hash, |e| e.approvals.get(&(approval.role, approval.by)).cloned())?;
    // Somebody who has signed twice: all three keep the same of the two.
    if old.as_ref().is_some_and(|old| !approval.is_before(old)) {
        return Ok(false);
    }
    let mut event = serde_json::to_value(&approval).unwrap_or_default();
    if let (Some(event), Value::Object(how)) = (event.as_object_mut(), how) {
        event.insert("what".into(), "approved".into());
        event.extend(how);
    }
    server.note(event)?;
    server.database.put(&table(hash), &format!("{} {}", approval.role, approval.by), &approval)?;
    tracing::info!(job = %hash, "approved by {} (as {})", record.job.role(approval.by), approval.role);
    server.live(hash, |e| e.approve(approval, server.identity.fingerprint()))?;
    Ok(old.is_none())
}

/// All of a job's, as far as they are here.
///
/// # Errors
/// The job is not known.
pub fn list(server: &Server, hash: &str) -> Result<Vec<Approval>> {
    server.live(hash, |e| e.approvals.values().cloned().collect())
}

/// The parties of a session show one another their approvals: each keeps what it did not have, and goes on if nobody's is missing.
///
/// # Errors
/// A party shows one that is none; somebody has not approved; network errors.
pub fn exchange(session: &Session<'_>, net: &mut dyn Net, until: Instant) -> Result<()> {
    let (server, hash, job) = (session.server, session.hash, &session.job);
    let own = list(server, hash)?;
    for (peer, theirs) in handshake::exchange(net, &session.me.others(), "node.approvals", &own, until)? {
        for approval in theirs {
            let known = server.live(hash, |e| e.approvals.get(&(approval.role, approval.by)) == Some(&approval))?;
            if !known {
                keep(server, hash, approval, json!({ "from": peer }))
                    .map_err(|e| Error::Handshake(format!("{peer} shows an approval that is none: {e}")))?;
            }
        }
    }
    let missing = server.live(hash, |e| job.deciders().find(|decider| !e.approvals.contains_key(decider)))?;
    match missing {
        None => Ok(()),
        Some((_, who)) => Err(Error::Handshake(format!("found no approval of {}, expected a signed one", job.role(who)))),
    }
}
