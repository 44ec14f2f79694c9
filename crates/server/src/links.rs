//! How the three parties of a job find one another: each calls both others, and takes the calls of both. A party takes them only while
//! it is gathering for the job itself; to a caller that comes too early, or too late, it says how the job stands with it.

use crate::record::{State, Withdrawn};
use crate::server::Here;
use crate::{Error, Result, checks};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience, refuse, share::dial};
use trefoil_job::Job;
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::{Options, Stream, TlsNet};

/// Pauses between calls of a peer that is not ready grow from the first to the last.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_millis(1600);

/// The answer to [`Request::Link`].
#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    /// The connection is taken.
    Linked,
    /// Not now.
    NotYet { why: String },
    /// Not at all, until somebody does something about it.
    Over { why: String },
    /// The job is done here, and this is the model.
    Trained { model: String },
}

/// The answer, and what the caller may not have heard of: uploads that were refused in the last session.
#[derive(Serialize, Deserialize)]
struct Said {
    #[serde(flatten)]
    answer: Answer,
    /// A party of another version may say nothing of it; the comparison that follows names the version.
    #[serde(default)]
    withdrawn: Vec<Withdrawn>,
}

/// What gathering came to.
pub enum Gathered {
    /// A network to both peers.
    Net(Box<TlsNet>),
    /// A peer has finished the job already, with this model.
    Trained(String),
}

/// A peer calls: its connection is kept for the session that gathers, or it hears how the job stands.
pub fn take(here: &Here, mut stream: Stream, from: Fingerprint) {
    let peer = here.record().and_then(|r| {
        let id = r.job.party_of(from).filter(|_| from != here.identity.fingerprint());
        let id = id.ok_or_else(|| Error::Refused(format!("links are for the job's parties; this is {}", r.job.role(from))))?;
        if !r.approved {
            return Err(Error::Refused(format!("job {} is not approved by this party", here.hash.short())));
        }
        Ok((id, r))
    });
    let (id, record) = match peer {
        Ok(peer) => peer,
        Err(e) => {
            let why = e.to_string();
            tracing::warn!("refused: {why}");
            here.refusal(serde_json::json!({ "request": "link", "job": here.hash }), from, &why);
            return refuse(&mut stream, &why);
        }
    };
    let answer = match (record.state, record.model) {
        (State::Trained, Some(model)) => Answer::Trained { model },
        (State::Failed { .. }, _) => {
            let may = if record.astray { "" } else { ", and may resume it" };
            Answer::Over { why: format!("failed; its operator knows why{may}") }
        }
        (state @ State::Cancelled { .. }, _) => Answer::Over { why: state.to_string() },
        _ => {
            let missing = here.record().map(|r| r.missing()).unwrap_or_default();
            let gathering = here.live(|e| e.gathering).unwrap_or(false);
            match (missing.is_empty(), gathering) {
                (false, _) => Answer::NotYet { why: format!("waits for {}", missing.join(" and ")) },
                (true, false) => Answer::NotYet { why: "is not ready for a session".into() },
                (true, true) => Answer::Linked,
            }
        }
    };
    let said = Said { answer, withdrawn: record.withdrawn };
    // The answer goes first: from then on the connection belongs to the session.
    if request::accept(&mut stream, &said).is_ok() && matches!(said.answer, Answer::Linked) {
        let kept = here.live(|e| {
            if e.gathering {
                // A second connection of a peer replaces the first: that one is of a try that was given up.
                e.links[id.index()] = Some(stream);
            }
        });
        if let Err(e) = kept {
            tracing::warn!("{e}");
        }
    }
}

/// Connects to both peers, and waits for both of them.
///
/// # Errors
/// [`Error::Peer`] with what a peer said last; the party is stopping.
pub fn gather(here: &Here, job: &Job, me: Id) -> Result<Gathered> {
    here.live(|e| (e.gathering, e.links) = (true, [None, None, None]))?;
    let result = gather_until(here, job, me, Instant::now() + here.config.timeout());
    here.live(|e| (e.gathering, e.links) = (false, [None, None, None]))?;
    result
}

fn gather_until(here: &Here, job: &Job, me: Id, until: Instant) -> Result<Gathered> {
    let addresses = job.addresses();
    let mut outgoing: [Option<Stream>; 3] = [None, None, None];
    let mut said: [Option<String>; 3] = Default::default();
    let mut next = [(Instant::now(), FIRST); 3];
    loop {
        let missing = |p: &Id| outgoing[p.index()].is_none() && Instant::now() >= next[p.index()].0;
        for peer in me.others().into_iter().filter(missing).collect::<Vec<_>>() {
            let pause = next[peer.index()].1;
            next[peer.index()] = (Instant::now() + pause, (2 * pause).min(LAST));
            let (answer, stream) = match call(here, &addresses[peer.index()]) {
                Ok(called) => called,
                Err(e) => {
                    said[peer.index()] = Some(e.to_string());
                    continue;
                }
            };
            checks::heard(here, job, peer, &answer.withdrawn)?;
            match answer.answer {
                Answer::Linked => outgoing[peer.index()] = Some(stream),
                Answer::Trained { model } => return Ok(Gathered::Trained(model)),
                Answer::Over { why } => return Err(Error::Refused(format!("{peer}: {why}"))),
                Answer::NotYet { why } => said[peer.index()] = Some(why),
            }
        }
        if me.others().iter().all(|p| outgoing[p.index()].is_some()) {
            let taken = here.live(|e| {
                let both = me.others().iter().all(|p| e.links[p.index()].is_some());
                both.then(|| std::mem::take(&mut e.links))
            })?;
            if let Some(mut incoming) = taken {
                let pick = |from: &mut [Option<Stream>; 3], id: Id| from[id.index()].take().map(|s| (id, s));
                let [a, b] = me.others();
                let out = (pick(&mut outgoing, a), pick(&mut outgoing, b));
                let come = (pick(&mut incoming, a), pick(&mut incoming, b));
                if let ((Some(a), Some(b)), (Some(c), Some(d))) = (out, come) {
                    let (timeout, queue_bytes) = (here.config.timeout(), here.config.queue_megabytes << 20);
                    let options = Options { timeout, queue_bytes, ..Options::default() };
                    return Ok(Gathered::Net(Box::new(TlsNet::new([a, b], [c, d], options)?)));
                }
            }
        }
        let why = me.others().iter().find_map(|p| said[p.index()].as_ref().map(|why| (*p, why.clone())));
        let late = Instant::now() > until;
        let (peer, why) = why.filter(|_| late || outgoing.iter().all(Option::is_none)).unwrap_or((me, String::new()));
        here.live(|e| e.waiting_for = (!why.is_empty()).then(|| format!("{peer}: {why}")))?;
        if here.stopping() {
            return Err(Error::Interrupted);
        }
        if late {
            let silent = me.others().into_iter().find(|p| outgoing[p.index()].is_none()).unwrap_or(me.others()[0]);
            let why = said[silent.index()].clone().unwrap_or_else(|| "did not call back".into());
            return Err(Error::Peer { peer: silent, why });
        }
        let jobs = here.jobs();
        drop(here.changed.wait_timeout(jobs, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner));
    }
}

fn call(here: &Here, peer: &Address) -> Result<(Said, Stream)> {
    let patience = Patience { connect: Duration::from_millis(500), answer: here.config.timeout() };
    let mut stream = dial(peer, &here.identity, patience)?;
    let said = request::ask(&mut stream, &Request::Link { job: here.hash })?;
    Ok((said, stream))
}
