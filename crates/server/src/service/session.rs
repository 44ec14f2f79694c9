//! A service's session: the parties meet, compare what must be equal, make fresh keys, and answer one question after the other.
//!
//! P0 says which question is next. P1 and P2 have it already, since its client brings it to P0 last; all three tell one another whether
//! they have it and its quota allows it, and each pair whether the client has handed both the same of what both must hold. That last comparison is what keeps
//! a client that stands in with a party from learning shares: with two different m it would be told sums of P0's share of the weights,
//! which only an honest party knows. Then the pass runs, and each party gives the client its part of the answer.
//!
//! A pass is a step of the session, under keys of this session, and a question is shared by its client under a seed of its own: no mask
//! serves two questions, whatever is asked again after a fault.

use super::ask;
use super::entry::{Name, Question, ServiceHere};
use crate::handshake::{compare, exchange, hello, keys};
use crate::{Error, Result, links, served, session};
use serde_json::json;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use trefoil_client::AGAIN;
use trefoil_client::approval::{Approval, Role};
use trefoil_job::Job;
use trefoil_job::suites::WithSuite;
use trefoil_mpc::{Kept, Part, Party, Suite};
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, Net};
use trefoil_nn::Prediction;

/// While nobody asks the parties hear from one another so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What P0 orders, if it orders something: the end, or a question.
const END: u64 = 1;
const NEXT: u64 = 2;

/// Runs one session, until the party stops or the service ends.
///
/// # Errors
/// What ended it.
pub fn run(here: &ServiceHere) -> Result<()> {
    let me = here.me()?;
    let (job, model) = ask::trained(here)?;
    here.service.check_against(&job)?;
    let prediction = job.trial().trainer()?.prediction()?;
    let net = match links::gather(here, &here.service.addresses(), me)? {
        links::Gathered::Net(net) => *net,
        links::Gathered::Trained(_) => return Err(Error::Handshake("a peer took a service for a job".into())),
    };
    job.chosen().with(Work { here, me, job: &job, model, prediction: &prediction, net })
}

/// A session's work, with whichever engine.
struct Work<'a, N> {
    here: &'a ServiceHere,
    me: Id,
    job: &'a Job,
    model: String,
    prediction: &'a Prediction,
    net: N,
}

impl<N: Net + 'static> WithSuite for Work<'_, N> {
    type Out = Result<()>;

    fn run<S: Suite>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        let Work { here, me, job, model, prediction, mut net } = self;
        let until = Instant::now() + here.server.config.timeout() * 10;
        let agreed = hello(json!({
            "service": here.hash,
            "job": here.service.model.job,
            "model": model,
            "suite": job.chosen(),
            "links": here.server.config.links,
        }));
        compare(&mut net, &me.others(), "service.hello", &agreed, until)?;
        approved(here, me, &mut net, until)?;
        let mut net = session::decorated(&here.server, me, net)?;
        let seeds = keys(&mut net, me, until)?;
        let mut e = engine(Party::new(me, net, seeds));
        let mut params = vec![];
        for param in served::load(&here.server, here.service.model.job, &model, prediction, &e)? {
            // What every pass uses is paid for once.
            params.push(e.prepare(&param)?);
        }
        here.server
            .note(json!({ "what": "service session", "service": here.hash, "job": here.service.model.job, "model": model }))?;
        tracing::info!(service = %here.hash, "serving");
        here.change(|now| (now.open, now.meeting.waiting_for) = (true, None));
        let mut serve =
            Passes { here, me, of_job: job.serve.as_ref().map_or(0, |serve| serve.records), prediction, params, pass: 0 };
        while serve.one(&mut e)? {}
        here.change(|now| now.open = false);
        Ok(())
    }
}

/// The parties show one another their operators' approvals, and each keeps all three.
fn approved(here: &ServiceHere, me: Id, net: &mut dyn Net, until: Instant) -> Result<()> {
    let own: Vec<Approval> = here.now().approvals.values().cloned().collect();
    for (peer, theirs) in exchange(net, &me.others(), "service.approvals", &own, until)? {
        for approval in theirs {
            here.service
                .check_approval(&approval)
                .map_err(|e| Error::Handshake(format!("{peer} shows an approval that is none: {e}")))?;
            here.keep(approval)?;
        }
    }
    let missing = Id::ALL.into_iter().find(|id| !here.now().approvals.contains_key(&Role::from(*id)));
    match missing {
        None => Ok(()),
        Some(id) => Err(Error::Handshake(format!("found no approval of {id}, expected a signed one"))),
    }
}

/// Why a question has no pass. What one party finds all three hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    Good,
    NotHere,
    Quota,
    Over,
    Unfit,
}

impl Why {
    const ALL: [Why; 5] = [Why::Good, Why::NotHere, Why::Quota, Why::Over, Why::Unfit];

    /// As others hear it.
    fn text(self) -> String {
        match self {
            Why::Good => String::new(),
            Why::NotHere => format!("the question is not here{AGAIN}"),
            Why::Quota => "the limit of the service or of its client is reached".into(),
            Why::Over => "the service is over".into(),
            Why::Unfit => "found something else than a party's parts of a question".into(),
        }
    }
}

/// What a session works on.
struct Passes<'a, N> {
    here: &'a ServiceHere,
    me: Id,
    /// What all services of the job may be asked together.
    of_job: u64,
    prediction: &'a Prediction,
    params: Vec<N>,
    pass: u64,
}

/// What P0 has ordered.
enum Order {
    Idle,
    End,
    Next(Name, usize),
}

impl<N: Clone> Passes<'_, N> {
    /// The next question, or a sign of life; false where the session is to end.
    fn one<S: Suite<Num = N>>(&mut self, e: &mut S) -> Result<bool> {
        self.pass += 1;
        e.begin_step(self.pass);
        let own = match self.me {
            Id::P0 => self.next(),
            _ => None,
        };
        let (name, rows) = match self.order(e.party(), own.as_ref())? {
            Order::Idle => return Ok(true),
            Order::End => return Ok(false),
            Order::Next(name, rows) => (name, rows),
        };
        let question = own.or_else(|| {
            let mut now = self.here.now();
            let at = now.questions.iter().position(|q| q.name == name && q.rows == rows)?;
            now.questions.remove(at)
        });
        let told = match self.agree(e, question.as_ref(), &name, rows)? {
            Verdict::Refused(why) => Err(why),
            Verdict::Pass(kept, differs) => {
                let x = e.input([rows, self.prediction.network().width()], self.prediction.input(), kept);
                let answer = self.prediction.answer(e, &self.params, &x, self.here.service.reveal)?;
                let parts = e.export(&answer)?;
                differs.map_or(Ok(parts), Err)
            }
        };
        if let Some(question) = question {
            // A client that is gone has no use for it.
            let _ = question.answer.try_send(told);
        }
        Ok(true)
    }

    /// P0: the question that waits longest, if one comes before the others must hear from this party.
    fn next(&self) -> Option<Question> {
        let until = Instant::now() + HEARTBEAT.min(self.here.server.config.timeout() / 4);
        let mut now = self.here.now();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match now.questions.pop_front() {
                None if !left.is_zero() && !now.ended && !self.here.server.stopping() => {
                    let wait = left.min(Duration::from_millis(100));
                    (now, _) = self.here.changed.wait_timeout(now, wait).unwrap_or_else(PoisonError::into_inner);
                }
                next => return next,
            }
        }
    }

    fn ends(&self) -> bool {
        self.here.server.stopping() || self.here.now().ended
    }

    /// P0 tells what is next; each of the three may tell that it ends.
    fn order(&self, party: &mut Party, own: Option<&Question>) -> Result<Order> {
        let mut words = [0; 9];
        if let Some(question) = own {
            let name = &question.name;
            words[0] = NEXT;
            for (word, bytes) in words[1..5].iter_mut().zip(name.by.0.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            words[5..].copy_from_slice(&[name.conversation[0], name.conversation[1], name.number, question.rows as u64]);
        }
        if self.ends() {
            words[0] = END;
        }
        let mut told = vec![(self.me, words.to_vec())];
        told.extend(party.tell("service.order", &words)?);
        if told.iter().any(|(_, words)| words.first() == Some(&END)) {
            return Ok(Order::End);
        }
        let of_p0 = told.iter().find(|(id, _)| *id == Id::P0).map(|(_, words)| words.as_slice());
        Ok(match of_p0 {
            Some([NEXT, by @ .., a, b, number, rows]) => {
                let mut fingerprint = [0; 32];
                for (bytes, word) in fingerprint.chunks_mut(8).zip(by) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                Order::Next(Name { by: Fingerprint(fingerprint), conversation: [*a, *b], number: *number }, *rows as usize)
            }
            _ => Order::Idle,
        })
    }

    /// Whether all three have the question, and its quota allows it. Where a pair was handed different shares all three run the pass all the
    /// same, since the third cannot know: nothing of it is seen that is not masked, and both of the pair keep their parts of the answer.
    fn agree<S: Suite<Num = N>>(&self, e: &mut S, question: Option<&Question>, name: &Name, rows: usize) -> Result<Verdict> {
        let own = self.look_at::<S>(question, name, rows)?;
        let party = e.party();
        let op = party.op();
        let mut round = party.round(op, "service.verdict");
        for peer in self.me.others() {
            let words = [&[own.why as u64], &hash_words(own.common[peer.index()])[..]].concat();
            round = round.send(peer, Part::words(&words));
        }
        let mut heard = round.then()?;
        let (mut refused, mut differs) = ((own.why != Why::Good).then_some(own.text), None);
        for peer in self.me.others() {
            let words = heard.words(peer, 5)?;
            let theirs = Why::ALL.get(words[0] as usize).copied().unwrap_or(Why::Unfit);
            if theirs != Why::Good {
                refused = refused.or_else(|| Some(format!("{peer}: {}", theirs.text())));
            } else if words[1..] != hash_words(own.common[peer.index()]) {
                differs = Some(format!("{} and {peer} were handed different shares of what both must hold", self.me));
            }
        }
        Ok(match (refused, own.kept) {
            (None, Some(kept)) => Verdict::Pass(kept, differs),
            (refused, _) => Verdict::Refused(refused.unwrap_or_else(|| Why::Unfit.text())),
        })
    }

    fn look_at<S: Suite>(&self, question: Option<&Question>, name: &Name, rows: usize) -> Result<Found> {
        let refuse = |why: Why, text: String| Ok(Found { why, text, kept: None, common: [None; 3] });
        let Some(question) = question else { return refuse(Why::NotHere, Why::NotHere.text()) };
        if self.here.service.is_over(&ask::today()) {
            return refuse(Why::Over, Why::Over.text());
        }
        let n = rows * self.prediction.network().width();
        let Ok(kept) = S::accept(self.me, n, &question.parts) else { return refuse(Why::Unfit, Why::Unfit.text()) };
        match self.here.server.quotas().take(self.here, self.of_job, name.by, rows as u64)? {
            Ok(()) => {
                let common = S::common(self.me, &question.parts);
                Ok(Found { why: Why::Good, text: String::new(), kept: Some(kept), common })
            }
            Err(text) => refuse(Why::Quota, text),
        }
    }
}

/// What a party finds of a question.
struct Found {
    why: Why,
    /// As its own client hears it.
    text: String,
    kept: Option<Kept>,
    /// Hashes of what P0, P1 and P2 must hold too.
    common: [Option<[u8; 32]>; 3],
}

/// What becomes of a question.
enum Verdict {
    /// A pass, and why this party keeps its part of the answer, if it does.
    Pass(Kept, Option<String>),
    Refused(String),
}

fn hash_words(hash: Option<[u8; 32]>) -> [u64; 4] {
    let bytes = hash.unwrap_or_default();
    std::array::from_fn(|i| bytes[8 * i..8 * i + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}
