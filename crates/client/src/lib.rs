//! Those who compute nothing: data owners, who share their records, the model owner, who gets the model, and clients, who ask a model that
//! stays on shares.
//!
//! They speak frames over TLS to each of the three parties, under certificates of their own. What is in the frames is the
//! suite's affair: callers hand in how a matrix is dealt and how it is put together again.

pub mod approval;
pub mod ask;
pub mod clients;
mod courier;
mod error;
pub mod fetch;
mod hashes;
pub mod join;
pub mod keys;
pub mod parts;
pub mod peers;
pub mod pieces;
pub mod receive;
pub mod request;
pub mod share;
mod signed;

pub use error::{AGAIN, Error, Result, again_in};
pub use hashes::{JobHash, NoHash, ServiceHash};

use std::{borrow::Cow, time::Duration};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{At, Frame, Id, Part};

/// A computing party as a client reaches it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, PartialEq, Eq)]
pub struct Address {
    /// Which of the three.
    pub id: Id,
    /// `host:port`.
    pub address: String,
    /// Its certificate's fingerprint.
    pub fingerprint: Fingerprint,
}

/// The largest frame between a client and a party, in bytes of payload.
const MAX_FRAME: usize = 64 << 20;

/// A frame outside of any step.
fn frame(label: &'static str, parts: Vec<Part>) -> Frame {
    Frame { at: At::default(), depth: 0, label: Cow::Borrowed(label), parts }
}

/// Bytes as a tensor of a frame.
fn bytes(x: &[u8]) -> Part {
    Part::bits(&x.iter().map(|b| u64::from(*b)).collect::<Vec<_>>(), 8)
}

/// The next frame from `party`; it must be called `label`. A refusal becomes its text.
fn expect(stream: &mut Stream, label: &'static str) -> Result<Vec<Part>> {
    let found = stream.read_frame(MAX_FRAME)?;
    let unexpected = |found: String| Error::Unexpected { peer: stream.address().to_owned(), found, expected: label.to_owned() };
    match found {
        None => Err(unexpected("the end of the connection".into())),
        Some(f) if f.label == label => Ok(f.parts),
        Some(f) if f.label == REFUSED => {
            let text = f.parts.first().filter(|p| p.len() <= 4096).and_then(|p| p.to_bits(p.len(), 8).ok()).unwrap_or_default();
            let text: Vec<u8> = text.into_iter().map(|b| b as u8).collect();
            let why = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(500).collect();
            Err(Error::Refused { peer: stream.address().to_owned(), why })
        }
        Some(f) => Err(unexpected(format!("{:?}", f.label))),
    }
}

const REFUSED: &str = "client.refused";
const ROWS: &str = "client.rows";
const FINISH: &str = "client.finish";
const ACKNOWLEDGED: &str = "client.acknowledged";
const ACCEPTED: &str = "client.accepted";
const CLIENTS: &str = "client.clients";
const MODEL: &str = "client.model";
const PIECES: &str = "client.pieces";
const BLINDED: &str = "client.blinded";
const EVALUATED: &str = "client.evaluated";
const PLACES: &str = "client.places";
const QUESTION: &str = "client.question";
const ANSWER: &str = "client.answer";

/// Tells a client why it is turned away; the connection is of no use afterwards.
pub fn refuse(stream: &mut Stream, why: &str) {
    // The client may be gone already; there is nobody else to tell.
    let _ = stream.write_frame(&frame(REFUSED, vec![bytes(why.as_bytes())]));
}

/// How long a client waits for a party to answer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a party that is not there yet listens.
    pub connect: Duration,
    /// For an answer.
    pub answer: Duration,
}
