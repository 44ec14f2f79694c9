//! Approvals at a party: each is signed by who gives it, noted in the audit log, and kept in a table of its job's. Whoever approves signs
//! once. An owner brings its signature to all three parties, an operator to its own, and at the start of each session the parties show
//! one another all that they have, so that each keeps all of them, and nobody's approval rests on another party's word. Those of thousands of
//! data owners are some megabytes: of these a hash is shown first, and they only to who has others.

use crate::handshake;
use crate::server::Here;
use crate::session::Session;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Instant;
use trefoil_client::approval::{Approval, Role};
use trefoil_job::{Job, JobHash};
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, Net};
use trefoil_store::Database;

/// The table of a job's approvals.
pub fn table(hash: JobHash) -> String {
    format!("approvals {hash}")
}

/// What the database has of a job's approvals: those that are true, and why the others are none.
///
/// # Errors
/// The database cannot be read.
pub fn load(database: &Database, hash: JobHash, job: &Job) -> Result<(Vec<Approval>, Vec<String>)> {
    let (mut approvals, mut untrue) = (vec![], vec![]);
    for (key, value) in database.all::<Value>(&table(hash))? {
        let checked = || -> Result<Approval> {
            let approval = serde_json::from_value(value).map_err(|e| Error::config("approval", e, "its fields"))?;
            job.check_approval(hash, &approval)?;
            Ok(approval)
        };
        match checked() {
            Ok(approval) => approvals.push(approval),
            Err(e) => untrue.push(format!("approval {key} of job {hash} as it is stored here: {e}")),
        }
    }
    Ok((approvals, untrue))
}

/// Keeps an approval that `from` brings as `role`; whether it is the first of its kind. Who signs again has signed already: a second one
/// is not kept, so that nobody fills the log with them. `how` is for the audit log.
///
/// # Errors
/// It is not `from`'s, or not in that role, or not of this job, or not signed.
pub fn take(here: &Here, from: Fingerprint, role: Role, approval: Approval, how: Value) -> Result<bool> {
    if (approval.by, approval.role) != (from, role) {
        let found = format!("approval of {} {}", approval.role, approval.by);
        return Err(Error::Refused(format!("found {found}, expected one of {role} {from}, who brings it")));
    }
    let known = here.live(|e| e.approvals.contains_key(&(role, from)))?;
    match known {
        true => Ok(here.record()?.job.check_approval(here.hash, &approval).map(|()| false)?),
        false => keep(here, approval, how),
    }
}

fn keep(here: &Here, approval: Approval, how: Value) -> Result<bool> {
    let record = here.record()?;
    record.job.check_approval(here.hash, &approval)?;
    let old = here.live(|e| e.approvals.get(&(approval.role, approval.by)).cloned())?;
    // Somebody who has signed twice: all three keep the same of the two.
    if old.as_ref().is_some_and(|old| !approval.is_before(old)) {
        return Ok(false);
    }
    let mut event = serde_json::to_value(&approval).unwrap_or_default();
    if let (Some(event), Value::Object(how)) = (event.as_object_mut(), how) {
        event.insert("what".into(), "approved".into());
        event.extend(how);
    }
    here.note(event)?;
    here.database.put(&table(here.hash), &format!("{} {}", approval.role, approval.by), &approval)?;
    tracing::info!(job = %here.hash, "approved by {} (as {})", record.job.role(approval.by), approval.role);
    here.live(|e| e.approve(approval, here.identity.fingerprint()))?;
    Ok(old.is_none())
}

/// All of a job's, as far as they are here.
///
/// # Errors
/// The job is not known.
pub fn list(here: &Here) -> Result<Vec<Approval>> {
    here.live(|e| e.approvals.values().cloned().collect())
}

/// The parties of a session show one another their approvals: each keeps what it did not have, and goes on if nobody's is missing.
///
/// # Errors
/// A party shows one that is none; somebody has not approved; network errors.
pub fn exchange(session: &Session<'_>, net: &dyn Net, until: Instant) -> Result<()> {
    let (here, job) = (session.here, &session.job);
    for (peer, theirs) in show(net, session.me, list(here)?, until)? {
        for approval in theirs {
            let known = here.live(|e| e.approvals.get(&(approval.role, approval.by)) == Some(&approval))?;
            if !known {
                keep(here, approval, json!({ "from": peer }))
                    .map_err(|e| Error::Handshake(format!("{peer} shows an approval that is none: {e}")))?;
            }
        }
    }
    let missing = here.live(|e| job.deciders().find(|decider| !e.approvals.contains_key(decider)))?;
    match missing {
        None => Ok(()),
        Some((_, who)) => Err(Error::Handshake(format!("found no approval of {}, expected a signed one", job.role(who)))),
    }
}

/// What a party shows first.
#[derive(Serialize, Deserialize)]
struct Shown {
    /// The approvals that a party may be the only one to have: its operator's, and one of the model owner.
    few: Vec<Approval>,
    /// A hash of the data owners', in hex.
    owners: String,
}

/// What each has shown.
type Theirs = Vec<(Id, Vec<Approval>)>;

/// Shows both peers these approvals, and gives what they show, but for data owners' where they are the same.
fn show(net: &dyn Net, me: Id, own: Vec<Approval>, until: Instant) -> Result<Theirs> {
    let (owners, few): (Vec<_>, Vec<_>) = own.into_iter().partition(|approval| approval.role == Role::DataOwner);
    let mine = Shown { few, owners: hex::encode(Sha256::digest(serde_json::to_vec(&owners).unwrap_or_default())) };
    let theirs = handshake::exchange(net, &me.others(), "node.approvals", &mine, until)?;
    let differ: Vec<Id> = theirs.iter().filter(|(_, shown)| shown.owners != mine.owners).map(|(id, _)| *id).collect();
    let more = handshake::exchange(net, &differ, "node.approvals.owners", &owners, until)?;
    Ok(theirs.into_iter().map(|(id, shown)| (id, shown.few)).chain(more).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use trefoil_net::identity::Identity;
    use trefoil_net::{Frame, Result as NetResult, local};

    /// A network that counts what is sent.
    struct Counted<N>(N, AtomicUsize);

    impl<N: Net> Net for Counted<N> {
        fn send(&self, to: Id, frame: Frame) -> NetResult<()> {
            self.1.fetch_add(frame.payload(), Ordering::Relaxed);
            self.0.send(to, frame)
        }
        fn recv(&self, from: Id) -> NetResult<Frame> {
            self.0.recv(from)
        }
    }

    /// What each party is shown by the others, and how many bytes it has sent.
    fn shown(own: &[Vec<Approval>; 3]) -> [(Theirs, usize); 3] {
        let mut nets = local::network(Duration::from_secs(60)).into_iter();
        let until = Instant::now() + Duration::from_secs(60);
        std::thread::scope(|scope| {
            let run = |id: Id| {
                let (net, own) = (Counted(nets.next().unwrap(), AtomicUsize::new(0)), own[id.index()].clone());
                scope.spawn(move || (show(&net, id, own, until).unwrap(), net.1.into_inner()))
            };
            Id::ALL.map(run).map(|thread| thread.join().unwrap())
        })
    }

    /// Each knows of its own operator's approval alone, and all of ten thousand owners': some kilobytes are shown, not ten megabytes.
    #[test]
    fn what_all_have_is_not_shown_again() {
        let key = Identity::generate("somebody").unwrap();
        let sign = |role| Approval::sign(&key, trefoil_job::JobHash([0x0f; 32]), role).unwrap();
        let owner = sign(Role::DataOwner);
        let owners: Vec<Approval> = (0..10_000).map(|i| Approval { time: owner.time + i, ..owner.clone() }).collect();
        let operators = Id::ALL.map(|id| sign(id.into()));
        let mut own = Id::ALL.map(|id| [&[operators[id.index()].clone()], &owners[..]].concat());
        for (id, (theirs, bytes)) in Id::ALL.into_iter().zip(shown(&own)) {
            assert!(theirs.into_iter().eq(id.others().map(|peer| (peer, vec![operators[peer.index()].clone()]))), "{id}");
            assert!(bytes < 4096, "{id}: {bytes} bytes");
        }
        // P1 lacks one: it is shown all, and shows all; the two others have the same.
        own[1].pop();
        let [p0, p1, p2] = shown(&own);
        let of = |shown: &Theirs, id| shown.iter().filter(|(by, _)| *by == id).map(|(_, a)| a.len()).sum::<usize>();
        assert_eq!(
            (of(&p1.0, Id::P0), of(&p1.0, Id::P2), of(&p0.0, Id::P1), of(&p2.0, Id::P1)),
            (10_001, 10_001, 10_000, 10_000)
        );
        assert_eq!((of(&p0.0, Id::P2), of(&p2.0, Id::P0)), (1, 1));
        assert!(p1.1 > 8_000_000 && p0.1 < p1.1, "{} bytes", p1.1);
    }
}
