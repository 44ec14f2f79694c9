//! A service's session: the parties meet, compare what must be equal, make fresh keys, and answer one question after the other.
//!
//! P0 says which question is next. P1 and P2 have it already, since its client brings it to P0 last; whether they all take it they
//! [agree](super::agreement) in one round. Then the pass runs, and each party gives the client its part of the answer.
//!
//! A pass is a step of the session, under keys of this session, and a question is shared by its client under a seed of its own: no mask
//! serves two questions, whatever is asked again after a fault.

use super::agreement::{self, Common, Finding, agree};
use super::entry::{Name, Question, ServiceHere};
use crate::handshake::{compare, exchange, hello, keys};
use crate::{Error, Result, links, served, session};
use serde_json::json;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_job::Job;
use trefoil_job::suites::WithSuite;
use trefoil_mpc::{Kept, Party, Suite};
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
    let (job, model) = here.trained()?;
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
        let found = self.look_at::<S>(question.as_ref(), &name, rows)?;
        let refused = agree(e.party(), found.finding, &found.common)?;
        let told = match (refused, found.kept) {
            (None, Some(kept)) => {
                let x = e.input([rows, self.prediction.network().width()], self.prediction.input(), kept);
                let answer = self.prediction.answer(e, &self.params, &x, self.here.service.reveal)?;
                Ok(e.export(&answer)?)
            }
            // What this party finds itself it can say more of.
            (refused, _) => Err(found.text.or(refused).unwrap_or_else(|| Finding::Unfit.text())),
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
            let Name { by, conversation: [a, b], number } = question.name;
            words[0] = NEXT;
            words[1..5].copy_from_slice(&agreement::words(&by.0));
            words[5..].copy_from_slice(&[a, b, number, question.rows as u64]);
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
            Some(&[NEXT, w0, w1, w2, w3, a, b, number, rows]) => {
                let by = Fingerprint(agreement::bytes([w0, w1, w2, w3]));
                Order::Next(Name { by, conversation: [a, b], number }, rows as usize)
            }
            _ => Order::Idle,
        })
    }

    /// Whether this party takes a question: it is here, fits, and its limits allow it.
    fn look_at<S: Suite>(&self, question: Option<&Question>, name: &Name, rows: usize) -> Result<Found> {
        let refuse = |finding, text| Ok(Found { finding, text, kept: None, common: [None; 3] });
        let Some(question) = question else { return refuse(Finding::NotHere, None) };
        if self.here.is_over() {
            return refuse(Finding::Over, None);
        }
        let n = rows * self.prediction.network().width();
        let Ok(kept) = S::accept(self.me, n, &question.parts) else { return refuse(Finding::Unfit, None) };
        match self.here.server.quotas().take(self.here, self.of_job, name.by, rows as u64)? {
            Ok(()) => {
                let common = S::common(self.me, &question.parts);
                Ok(Found { finding: Finding::Good, text: None, kept: Some(kept), common })
            }
            Err(text) => refuse(Finding::Limit, Some(text)),
        }
    }
}

/// What a party finds of a question.
struct Found {
    finding: Finding,
    /// More of it than the others hear, for its client.
    text: Option<String>,
    kept: Option<Kept>,
    common: Common,
}
