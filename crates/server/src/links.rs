//! How three parties find one another for a session, of a job or of a service: each calls both others, and takes the calls of both. A party
//! takes them only while it is gathering for the same itself; to a caller that comes too early, or too late, it says how things stand.

use crate::record::{State, Withdrawn};
use crate::runner::VERIFIED;
use crate::server::{Here, Server};
use crate::{Error, Result, checks};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience, refuse, share::dial};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::{Options, Stream, TlsNet};

/// Pauses between calls of a peer that is not ready grow from the first to the last.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_millis(1600);

/// Whether links of peers are taken, those that came, and what this party waits for at its peers.
#[derive(Default)]
pub struct Meeting {
    pub gathering: bool,
    pub links: [Option<Stream>; 3],
    pub waiting_for: Option<String>,
}

/// What three parties meet for.
pub trait Meets {
    /// The party that is here.
    fn server(&self) -> &Server;
    /// What a peer is asked for.
    fn request(&self) -> Request;
    /// Changes the meeting, and wakes who waits for that.
    fn meeting<T>(&self, change: impl FnOnce(&mut Meeting) -> T) -> Result<T>;
    /// Waits for a change, or for so long.
    fn wait(&self, time: Duration);
    /// Whether peers that have failed are waited for.
    fn resumed(&self) -> bool {
        false
    }
    /// A peer has said that these uploads were refused.
    fn heard(&self, peer: Id, withdrawn: &[Withdrawn]) -> Result<()>;
}

impl Meets for Here {
    fn server(&self) -> &Server {
        self
    }
    fn request(&self) -> Request {
        Request::Link { job: self.hash }
    }
    fn meeting<T>(&self, change: impl FnOnce(&mut Meeting) -> T) -> Result<T> {
        self.live(|e| change(&mut e.meeting))
    }
    fn wait(&self, time: Duration) {
        drop(self.changed.wait_timeout(self.jobs(), time).unwrap_or_else(PoisonError::into_inner));
    }
    fn resumed(&self) -> bool {
        self.record().is_ok_and(|r| r.resumed)
    }
    fn heard(&self, peer: Id, withdrawn: &[Withdrawn]) -> Result<()> {
        checks::heard(self, &self.record()?.job, peer, withdrawn)
    }
}

/// The answer to a call.
#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The connection is taken.
    Linked,
    /// Not now.
    NotYet { why: String },
    /// Not before an operator of the peer resumes it.
    Failed { why: String },
    /// Not at all.
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
    let answer = match (&record.state, &record.model) {
        (State::Trained, Some(model)) => Answer::Trained { model: model.clone() },
        // Nothing goes on from there.
        (State::Failed { .. }, _) if record.astray => Answer::Over { why: "failed; its operator knows why".into() },
        // Whose proof was rejected where is no secret, and all three have to know it. What else a job fails with may have figures in it, that are not for all.
        (State::Failed { why }, _) if why.contains(VERIFIED) => Answer::Failed { why: format!("failed: {why}") },
        (State::Failed { .. }, _) => Answer::Failed { why: "failed; its operator knows why, and may resume it".into() },
        (state @ State::Cancelled { .. }, _) => Answer::Over { why: state.to_string() },
        _ => {
            let missing = here.record().map(|r| r.missing()).unwrap_or_default();
            match missing.is_empty() {
                false => Answer::NotYet { why: format!("waits for {}", missing.join(" and ")) },
                true => if_gathering(here),
            }
        }
    };
    reply(here, stream, id, answer, record.withdrawn.clone());
}

/// What is said to a peer that comes when nothing is missing.
pub fn if_gathering(here: &impl Meets) -> Answer {
    match here.meeting(|meeting| meeting.gathering).unwrap_or(false) {
        true => Answer::Linked,
        false => Answer::NotYet { why: "is not ready for a session".into() },
    }
}

/// Answers a peer's call, and keeps the connection where it is taken.
pub fn reply(here: &impl Meets, mut stream: Stream, id: Id, answer: Answer, withdrawn: Vec<Withdrawn>) {
    let said = Said { answer, withdrawn };
    // The answer goes first: from then on the connection belongs to the session.
    if request::accept(&mut stream, &said).is_ok() && matches!(said.answer, Answer::Linked) {
        let kept = here.meeting(|meeting| {
            if meeting.gathering {
                // A second connection of a peer replaces the first: that one is of a try that was given up.
                meeting.links[id.index()] = Some(stream);
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
pub fn gather(here: &impl Meets, addresses: &[Address; 3], me: Id) -> Result<Gathered> {
    here.meeting(|m| (m.gathering, m.links) = (true, [None, None, None]))?;
    let result = gather_until(here, addresses, me, Instant::now() + here.server().config.timeout());
    here.meeting(|m| (m.gathering, m.links) = (false, [None, None, None]))?;
    result
}

fn gather_until(here: &impl Meets, addresses: &[Address; 3], me: Id, until: Instant) -> Result<Gathered> {
    let server = here.server();
    let mut outgoing: [Option<Stream>; 3] = [None, None, None];
    let mut said: [Option<String>; 3] = Default::default();
    let mut next = [(Instant::now(), FIRST); 3];
    loop {
        let missing = |p: &Id| outgoing[p.index()].is_none() && Instant::now() >= next[p.index()].0;
        for peer in me.others().into_iter().filter(missing).collect::<Vec<_>>() {
            let pause = next[peer.index()].1;
            next[peer.index()] = (Instant::now() + pause, (2 * pause).min(LAST));
            let (answer, stream) = match call(server, here.request(), &addresses[peer.index()]) {
                Ok(called) => called,
                Err(e) => {
                    said[peer.index()] = Some(e.to_string());
                    continue;
                }
            };
            here.heard(peer, &answer.withdrawn)?;
            match answer.answer {
                Answer::Linked => outgoing[peer.index()] = Some(stream),
                Answer::Trained { model } => return Ok(Gathered::Trained(model)),
                Answer::Failed { why } if here.resumed() => said[peer.index()] = Some(why),
                Answer::Failed { why } | Answer::Over { why } => return Err(Error::Refused(format!("{peer}: {why}"))),
                Answer::NotYet { why } => said[peer.index()] = Some(why),
            }
        }
        if me.others().iter().all(|p| outgoing[p.index()].is_some()) {
            let taken = here.meeting(|m| {
                let both = me.others().iter().all(|p| m.links[p.index()].is_some());
                both.then(|| std::mem::take(&mut m.links))
            })?;
            if let Some(mut incoming) = taken {
                let pick = |from: &mut [Option<Stream>; 3], id: Id| from[id.index()].take().map(|s| (id, s));
                let [a, b] = me.others();
                let out = (pick(&mut outgoing, a), pick(&mut outgoing, b));
                let come = (pick(&mut incoming, a), pick(&mut incoming, b));
                if let ((Some(a), Some(b)), (Some(c), Some(d))) = (out, come) {
                    let (timeout, queue_bytes) = (server.config.timeout(), server.config.queue_megabytes << 20);
                    let options = Options { timeout, queue_bytes, ..Options::default() };
                    return Ok(Gathered::Net(Box::new(TlsNet::new([a, b], [c, d], options)?)));
                }
            }
        }
        let why = me.others().iter().find_map(|p| said[p.index()].as_ref().map(|why| (*p, why.clone())));
        let late = Instant::now() > until;
        let (peer, why) = why.filter(|_| late || outgoing.iter().all(Option::is_none)).unwrap_or((me, String::new()));
        here.meeting(|m| m.waiting_for = (!why.is_empty()).then(|| format!("{peer}: {why}")))?;
        if server.stopping() {
            return Err(Error::Interrupted);
        }
        if late {
            let silent = me.others().into_iter().find(|p| outgoing[p.index()].is_none()).unwrap_or(me.others()[0]);
            let why = said[silent.index()].clone().unwrap_or_else(|| "did not call back".into());
            return Err(Error::Peer { peer: silent, why });
        }
        here.wait(Duration::from_millis(100));
    }
}

fn call(server: &Server, request: Request, peer: &Address) -> Result<(Said, Stream)> {
    let patience = Patience { connect: Duration::from_millis(500), answer: server.config.timeout() };
    let mut stream = dial(peer, &server.identity, patience)?;
    let said = request::ask(&mut stream, &request)?;
    Ok((said, stream))
}
