//! A client's conversation with a service: it shares a question among the three parties, and alone gets the answer.
//!
//! A conversation has a random name and is three connections. Its questions are numbered from 1. P1 and P2 get a question first, and say that
//! they have it; then P0 does, which tells them to begin. So nobody waits for a question that its client keeps to itself. A question is
//! shared under a fresh seed, and a number serves one question: what failed is asked again in a new conversation, under new masks.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{ACKNOWLEDGED, ANSWER, Address, Error, Patience, QUESTION, Result, ServiceHash, expect, frame};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;
use trefoil_net::{At, Id, Part};
use trefoil_ring::Tensor;

/// A party's answer to [`Request::Ask`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The job whose model answers: its hash is in the service.
    pub job: Value,
}

/// A question on its way.
pub struct Question<'a> {
    /// [rows, inputs], in the network's input format; rows are as many as a pass has.
    pub x: &'a Tensor,
    /// Elements of the answer.
    pub answer: usize,
}

/// A client's connections to the three parties.
pub struct Conversation {
    streams: [Stream; 3],
    asked: u64,
}

impl Conversation {
    /// Connects to all three; what P0, P1 and P2 say of the job.
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, or refuses; no randomness.
    pub fn open(
        parties: &[Address; 3],
        identity: &Identity,
        service: ServiceHash,
        patience: Patience,
    ) -> Result<(Conversation, Vec<Value>)> {
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
        let streams = [to(&parties[0])?, to(&parties[1])?, to(&parties[2])?];
        Ok((Conversation { streams, asked: 0 }, jobs))
    }

    /// Shares a question, and puts the answer together. After an error the conversation is of no use.
    ///
    /// # Errors
    /// A party refuses, is gone, or sends something that does not fit; the parties contradict one another; no randomness.
    pub fn ask(
        &mut self,
        question: Question<'_>,
        deal: impl Fn(&Tensor, [u8; 32]) -> [Vec<Part>; 3],
        reconstruct: impl Fn(usize, &[Vec<Part>; 3]) -> std::result::Result<Vec<u64>, String>,
    ) -> Result<Vec<u64>> {
        self.asked += 1;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::NoRandomness)?;
        let at = At { step: self.asked, op: question.x.nrows() as u32 };
        let mut parts = deal(question.x, seed);
        for id in [Id::P1, Id::P2, Id::P0] {
            let own = std::mem::take(&mut parts[id.index()]);
            self.streams[id.index()].write_frame(&trefoil_net::Frame { at, ..frame(QUESTION, own) })?;
            if id == Id::P2 {
                for first in [Id::P1, Id::P2] {
                    expect(&mut self.streams[first.index()], ACKNOWLEDGED)?;
                }
            }
        }
        let mut answers: [Vec<Part>; 3] = Default::default();
        // P0 knows first what is refused.
        for (stream, answer) in self.streams.iter_mut().zip(&mut answers) {
            *answer = expect(stream, ANSWER)?;
        }
        reconstruct(question.answer, &answers).map_err(Error::Answer)
    }
}

/// A party's half: the next question, of at most so many bytes, as its number, its rows and the parts that came; `None` where the client has
/// hung up.
///
/// # Errors
/// The client is gone, or sent something else.
pub fn question(stream: &mut Stream, most: usize) -> Result<Option<(u64, usize, Vec<Part>)>> {
    match stream.read_frame(most)? {
        None => Ok(None),
        Some(f) if f.label == QUESTION => Ok(Some((f.at.step, f.at.op as usize, f.parts))),
        Some(f) => Err(Error::Unexpected {
            peer: stream.address().to_owned(),
            found: format!("{:?}", f.label.chars().take(64).collect::<String>()),
            expected: QUESTION.into(),
        }),
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
