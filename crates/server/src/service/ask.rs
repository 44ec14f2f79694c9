//! A client's connection: a question on its way in, and its answer on its way out. Whoever gets here has shown a certificate that is known.

use super::ServiceHere;
use super::lane::{Answered, Name, Question};
use crate::{Error, Result};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use trefoil_client::{AGAIN, again_in, ask, request};
use trefoil_job::service::PASSES;
use trefoil_mpc::Suite;
use trefoil_mpc::securenn::SecureNn;
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;

/// Questions that wait at a time, and the bytes that they may have together.
const MOST_WAITING: usize = 256;
const MOST_BYTES: usize = 256 << 20;

/// P1 keeps a question so much longer than its client says: P0, which has it a little later, is the one that finds it late.
const GRACE: Duration = Duration::from_secs(1);

/// What a question has beside eight bytes a value: seeds.
const AROUND: usize = 4096;

/// What a client is told that was taken out of the list.
pub(super) const UNLISTED: &str = "questions are for the service's clients; the newest list of them has this one no more";

/// Takes a client's questions until it hangs up.
///
/// # Errors
/// What a question, or the conversation, is refused for.
pub fn converse(here: &ServiceHere, stream: &mut Stream, from: Fingerprint, conversation: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::Refused(why));
    let (own, service) = (here.server.identity.fingerprint(), &here.service);
    if !here.may_ask(from) {
        return refuse(format!("questions are for the service's clients; this is {}", service.role(from)));
    }
    if !here.is_live(own) {
        return refuse("the service is not approved by this party, or was ended".into());
    }
    if here.is_over() {
        return refuse(format!("the service's last day was {}", service.until));
    }
    let me = here.me()?;
    if me == Id::P2 {
        return refuse("questions are for P0 and P1; this is P2, which hears of none".into());
    }
    let Some(conversation) = words(conversation) else {
        return refuse("name of a conversation: expected 32 hexadecimal digits".into());
    };
    let (job, model) = (here.job()?, here.model()?);
    if !here.change(|now| now.conversations.insert((from, conversation))) {
        return refuse("found a conversation of this name, expected a new one".into());
    }
    let _place = Place { here, of: (from, conversation) };
    let job = job.map(serde_json::to_value).transpose().map_err(|e| Error::config("job", e, "a job"))?;
    request::accept(stream, &ask::Opened { job })?;
    let inputs = model.known.prediction.width();
    let most = service.limits.records_a_question as usize * inputs * size_of::<u64>() + AROUND;
    let mut expected = 1;
    while let Some(ask::Asked { number, rows, deadline, parts }) = ask::question(stream, most)? {
        if number != expected {
            return refuse(format!("number of a question: found {number}, expected {expected}; each serves one question"));
        }
        expected += 1;
        if !PASSES.contains(&rows) || rows as u64 > service.limits.records_a_question {
            let most = service.limits.records_a_question;
            return refuse(format!("records of a question: found {rows}, expected 1, 8, 32 or 128, at most {most}"));
        }
        // No seed is expanded to what it promises.
        if let Err(found) = SecureNn::accept(me, rows * inputs, &parts) {
            return refuse(format!("question: {found}"));
        }
        let (name, since) = (Name { by: from, conversation, number }, Instant::now());
        let patience = here.server.config.timeout();
        let within = deadline.map_or(patience, |deadline| patience.min(if me == Id::P1 { deadline + GRACE } else { deadline }));
        let question = Question { name, rows, parts, until: since + within, answer: sync_channel(1).0 };
        let answer = wait_for_answer(here, me, stream, question, within)?;
        let long = here.change(|now| match &answer {
            Ok(_) => now.answered(from, rows),
            Err((reason, _)) => {
                *now.refused.entry(reason).or_default() += 1;
                false
            }
        });
        match answer {
            Ok(parts) => {
                here.latency.iter().for_each(|seconds| seconds.observe(since.elapsed().as_secs_f64()));
                ask::answer(stream, parts)?;
                if long {
                    here.tell_answered(from);
                }
            }
            Err((_, why)) => return refuse(why),
        }
    }
    Ok(())
}

/// This party's part of the answer, or why there is none.
fn wait_for_answer(here: &ServiceHere, me: Id, stream: &mut Stream, question: Question, within: Duration) -> Result<Answered> {
    let ((answer, answered), name) = (sync_channel(1), question.name.clone());
    let full = here.change(|now| {
        let (waiting, bytes) = (now.questions.len(), now.questions.iter().map(Question::bytes).sum::<usize>());
        // A list of clients may have changed since the conversation began.
        if here.service.client_of(name.by, now.clients.as_deref()).is_none() {
            return Some(("no client", UNLISTED.to_owned()));
        }
        if !now.open() {
            return Some(("not met", format!("the parties of the service have not met yet{AGAIN}")));
        }
        if waiting >= MOST_WAITING || waiting > 0 && bytes + question.bytes() > MOST_BYTES {
            return Some(("busy", format!("busy: {waiting} questions wait{}", again_in(now.busy_for()))));
        }
        now.questions.push_back(Question { answer, ..question });
        None
    });
    if let Some(why) = full {
        return Ok(Err(why));
    }
    if me == Id::P1 {
        ask::acknowledge(stream)?;
    }
    let patience = here.server.config.timeout();
    let mut answer = answered.recv_timeout(within);
    if matches!(answer, Err(RecvTimeoutError::Timeout)) && within < patience {
        // One whose pass has begun has counted, and is answered.
        let waits = here.change(|now| {
            let all = now.questions.len();
            now.questions.retain(|waiting| waiting.name != name);
            now.questions.len() < all
        });
        if waits {
            return Ok(Err(("late", format!("late: the question's pass has not begun within its {} ms", within.as_millis()))));
        }
        answer = answered.recv_timeout(patience.saturating_sub(within));
    }
    here.change(|now| now.questions.retain(|waiting| waiting.name != name));
    Ok(answer.unwrap_or_else(|e| {
        Err(match e {
            RecvTimeoutError::Timeout => ("late", format!("not answered within {} s{AGAIN}", patience.as_secs())),
            RecvTimeoutError::Disconnected => ("lost", format!("the parties of the service have lost one another{AGAIN}")),
        })
    }))
}

/// 32 hexadecimal digits.
fn words(name: &str) -> Option<[u64; 2]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(name, &mut bytes).ok()?;
    Some([0, 8].map(|at| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))))
}

/// A conversation's place, which is free again however it ends.
struct Place<'a> {
    here: &'a ServiceHere,
    of: (Fingerprint, [u64; 2]),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.here.change(|now| {
            now.conversations.remove(&self.of);
            now.questions.retain(|waiting| (waiting.name.by, waiting.name.conversation) != self.of);
        });
        self.here.tell_answered(self.of.0);
    }
}
