//! A client's conversation with a service: it splits a question between P0 and P1, and alone gets the answer.
//!
//! A conversation has a random name and is two connections: P2 hears of no question. Its questions are numbered from 1. P1 gets its part first,
//! and says that it has it; then P0 does, which orders the pass. So nobody waits for a question that its client keeps to itself. A question
//! is split under a fresh seed, and a number serves one question: what failed is asked again in a new conversation.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{ACKNOWLEDGED, ANSWER, Address, Error, Patience, QUESTION, Result, ServiceHash, expect, frame};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;
use trefoil_net::{At, Part};
use trefoil_ring::Tensor;

/// A party's answer to [`Request::Ask`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The job whose model answers, where it is a job's: its hash is in the service.
    pub job: Option<Value>,
}

/// A question on its way.
pub struct Question<'a> {
    /// [rows, inputs], in the network's input format; rows are as many as a pass has.
    pub x: &'a Tensor,
    /// Columns of the answer.
    pub outputs: usize,
    /// How long the parties may let the question wait before its pass begins; at most as long as they do by themselves.
    pub deadline: Option<Duration>,
}

/// A client's connections to P0 and P1.
pub struct Conversation {
    streams: [Stream; 2],
    asked: u64,
}

impl Conversation {
    /// Connects to both; what the first says of the job.
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, or refuses; no randomness.
    pub fn open(
        parties: &[Address; 3],
        identity: &Identity,
        service: ServiceHash,
        patience: Patience,
    ) -> Result<(Conversation, Option<Value>)> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(Error::NoRandomness)?;
        let conversation = hex::encode(name);
        let mut jobs = vec![];
        let mut to = |party: &Address| -> Result<Stream> {
            let mut stream = dial(party, identity, patience)?;
            let request = Request::Ask { service, conversation: conversation.clone() };
            jobs.push(request::ask::<Opened>(&mut stream, &request)?.job);
            Ok(stream)
        };
        let streams = [to(&parties[0])?, to(&parties[1])?];
        Ok((Conversation { streams, asked: 0 }, jobs.into_iter().flatten().next()))
    }

    /// Splits a question, and puts the answer together: [rows, outputs], row by row. After an error the conversation is of no use.
    ///
    /// # Errors
    /// A party refuses, is gone, or sends something that does not fit; the parties contradict one another; no randomness.
    pub fn ask(
        &mut self,
        question: Question<'_>,
        deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
        hear: impl Fn(&Tensor, usize, &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String>,
    ) -> Result<Vec<u64>> {
        self.asked += 1;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::NoRandomness)?;
        let rows = question.x.nrows();
        let at = At { step: self.asked, op: rows as u32 };
        let [of_p0, of_p1, _] = deal(question.x, seed);
        let [p0, p1] = &mut self.streams;
        let parts = |own: Vec<Part>| [vec![limit(question.deadline)], own].concat();
        p1.write_frame(&trefoil_net::Frame { at, ..frame(QUESTION, parts(of_p1)) })?;
        expect(p1, ACKNOWLEDGED)?;
        p0.write_frame(&trefoil_net::Frame { at, ..frame(QUESTION, parts(of_p0)) })?;
        // P0 knows first what is refused.
        let told = [expect(p0, ANSWER)?, expect(p1, ANSWER)?];
        hear(question.x, question.outputs, &told).map_err(Error::Answer)
    }
}

/// A deadline in milliseconds, as the first part of a question: at least 1; 0 is none.
fn limit(deadline: Option<Duration>) -> Part {
    let within = |deadline: Duration| deadline.as_micros().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u64;
    Part::bits(&[deadline.map_or(0, within)], 32)
}

/// A question as it has come to a party.
pub struct Asked {
    /// From 1 on in each conversation.
    pub number: u64,
    /// Records.
    pub rows: usize,
    /// How long its client lets it wait, where it says so.
    pub deadline: Option<Duration>,
    /// What the suite makes of the rest.
    pub parts: Vec<Part>,
}

/// A party's half: the next question, of at most so many bytes; `None` where the client has hung up.
///
/// # Errors
/// The client is gone, or sent something else.
pub fn question(stream: &mut Stream, most: usize) -> Result<Option<Asked>> {
    let Some(mut f) = stream.read_frame(most)? else { return Ok(None) };
    let unexpected = |found: String, expected: &str| {
        Err(Error::Unexpected { peer: stream.address().to_owned(), found, expected: expected.to_owned() })
    };
    if f.label != QUESTION {
        return unexpected(format!("{:?}", f.label.chars().take(64).collect::<String>()), QUESTION);
    }
    match f.parts.first().filter(|part| part.len() == 1).and_then(|part| part.to_bits(1, 32).ok()).as_deref() {
        Some([within]) => {
            let deadline = (*within > 0).then(|| Duration::from_millis(*within));
            f.parts.remove(0);
            Ok(Some(Asked { number: f.at.step, rows: f.at.op as usize, deadline, parts: f.parts }))
        }
        _ => unexpected("a question that does not begin with its deadline".into(), "milliseconds, or 0"),
    }
}

/// Tells the client that its question is here.
///
/// # Errors
/// The client is gone.
pub fn acknowledge(stream: &mut Stream) -> Result<()> {
    Ok(stream.write_frame(&frame(ACKNOWLEDGED, vec![]))?)
}

/// Sends this party's part of the answer.
///
/// # Errors
/// The client is gone.
pub fn answer(stream: &mut Stream, parts: Vec<Part>) -> Result<()> {
    Ok(stream.write_frame(&frame(ANSWER, parts))?)
}
