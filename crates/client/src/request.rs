//! The first thing on every connection to a party: what it is for. The party answers, or says why it refuses.

use crate::approval::Approval;
use crate::share::dial;
use crate::{ACCEPTED, Address, Error, JobHash, MAX_FRAME, Patience, Result, ServiceHash, bytes, expect, frame};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trefoil_net::Part;
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;

/// A party's first frame from anybody but a party is at most this long: a job is the longest, of ten thousand owners or twenty thousand columns.
pub(crate) const MAX: usize = 8 << 20;
pub(crate) const REQUEST: &str = "client.request";

/// What a connection is for. Who may ask for what is the party's affair; jobs go by their hashes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub enum Request {
    /// Whether the party is there, and who it is: `doctor` asks.
    Ping,
    /// The operator wants a link to the party's page, which works once.
    Page,
    /// A job for the party's operator to look at.
    Propose { job: Value },
    /// The caller agrees to a job, as what its approval says.
    Approve { job: JobHash, approval: Approval },
    /// All approvals of a job that the party has.
    Approvals { job: JobHash },
    /// The file of the model that a job starts from, of so many bytes; any member brings it.
    StartModel { job: JobHash, bytes: u64 },
    /// The operator wants a job to begin that waits for it.
    Start { job: JobHash },
    /// The operator wants a job to go on that has failed.
    Resume { job: JobHash },
    /// The caller wants no more of a job.
    Cancel { job: JobHash },
    /// Where the jobs stand whose hashes begin with this, or all jobs.
    Status { job: Option<String> },
    /// An owner commits that it has so many rows, whose identifiers are to be joined with other owners'. P0 and P1 then evaluate them under
    /// their keys. To join is to approve.
    Join { job: JobHash, rows: u64, approval: Approval },
    /// The pseudonyms of these rows, in ascending order, for P2 alone; the hash of them all in hex.
    Pseudonyms { job: JobHash, sha256: String },
    /// Which of the caller's pseudonyms are in the lists of all owners: P2 knows.
    Joined { job: JobHash },
    /// An owner's records. To share is to approve.
    Share { about: Announcement, approval: Approval },
    /// An owner's records are complete at all three parties.
    Commit { job: JobHash, upload: String },
    /// The model owner wants the model. To fetch is to approve.
    Fetch { job: JobHash, approval: Approval },
    /// The connection becomes the caller's link to this party, for a session of the job.
    Link { job: JobHash },
    /// The operator agrees to a service, as what its approval says.
    ApproveService { service: Value, approval: Approval },
    /// A party's share of a model that is to answer, of so many bytes, from the model's owner; `sharing` is the same at all three parties, 128
    /// random bits in hex.
    ShareModel { service: ServiceHash, sharing: String, bytes: u64 },
    /// The operator ends a service, for good.
    EndService { service: ServiceHash },
    /// The list of a service's clients that this party holds.
    Clients { service: ServiceHash },
    /// A new version of that list, of so many bytes of JSON: who signs it brings it.
    NewClients { service: ServiceHash, bytes: u64 },
    /// How the services stand whose hashes begin with this, or all of them.
    Services { service: Option<String> },
    /// The connection becomes the caller's link to this party, for a session of the service whose passes have so many records.
    LinkService { service: ServiceHash, pass: usize },
    /// Questions follow, of a conversation with this name: 128 random bits in hex.
    Ask { service: ServiceHash, conversation: String },
}

/// An owner's announcement, the same for all three parties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The job that the records are meant for.
    pub job: JobHash,
    /// A random name for this upload, in hex.
    pub upload: String,
    /// Values in a row: the owner's features, then the label where it has it.
    pub width: usize,
}

/// How far an owner's upload is at a party: the answer to [`Request::Share`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Standing {
    /// So many chunks of this upload are on disk. A party of several ranks may take it at the others too, which listen there: see
    /// [`parts`](crate::parts).
    Open {
        chunks: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lanes: Vec<String>,
    },
    /// All of this upload is.
    Staged,
    /// This or another upload is the owner's final one.
    Committed { upload: String },
}

/// An owner's last word before it commits, the same for all three parties: they compare it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Chunks in all.
    pub chunks: u64,
    /// Records to train on.
    pub train_rows: u64,
    /// Records held out.
    pub test_rows: u64,
}

impl Summary {
    /// One chunk more, of so many rows.
    pub fn add(&mut self, test: bool, rows: usize) {
        self.chunks += 1;
        *if test { &mut self.test_rows } else { &mut self.train_rows } += rows as u64;
    }
}

/// Asks, and waits for the answer.
///
/// # Errors
/// The party refuses, is gone, or answers in another form.
pub fn ask<T: DeserializeOwned>(stream: &mut Stream, request: &Request) -> Result<T> {
    send(stream, request)?;
    answer(stream)
}

/// The same on a connection of its own.
///
/// # Errors
/// The party cannot be reached, is not who it should be, or refuses.
pub fn call<T: DeserializeOwned>(party: &Address, identity: &Identity, patience: Patience, request: &Request) -> Result<T> {
    let mut stream = dial(party, identity, patience)?;
    let answer = ask(&mut stream, request)?;
    // The answer is here; whether the party hears the farewell changes nothing.
    let _ = stream.close();
    Ok(answer)
}

/// Asks, without waiting.
///
/// # Errors
/// The party is gone.
pub fn send(stream: &mut Stream, request: &Request) -> Result<()> {
    Ok(stream.write_frame(&frame(REQUEST, vec![json(request)]))?)
}

/// The answer to what was sent.
///
/// # Errors
/// The party refuses, is gone, or answers in another form.
pub fn answer<T: DeserializeOwned>(stream: &mut Stream) -> Result<T> {
    let parts = expect(stream, ACCEPTED)?;
    // The approvals of ten thousand owners are some ten megabytes.
    parse(&parts, stream.address(), MAX_FRAME)
}

/// Party: what the caller wants.
///
/// # Errors
/// The caller is gone, or asks for nothing that is known.
pub fn next(stream: &mut Stream) -> Result<Request> {
    let found = stream.read_frame(MAX)?;
    match found {
        Some(f) if f.label == REQUEST => parse(&f.parts, stream.address(), MAX),
        found => Err(Error::Unexpected {
            peer: stream.address().to_owned(),
            found: found.map_or("the end of the connection".into(), |f| format!("{:?}", f.label)),
            expected: REQUEST.into(),
        }),
    }
}

/// Party: the answer.
///
/// # Errors
/// The caller is gone.
pub fn accept(stream: &mut Stream, answer: &impl Serialize) -> Result<()> {
    Ok(stream.write_frame(&frame(ACCEPTED, vec![json(answer)]))?)
}

/// A value as bytes of a frame.
pub(crate) fn json(value: &impl Serialize) -> Part {
    // Texts, numbers and lists of them always serialise.
    bytes(&serde_json::to_vec(value).unwrap_or_default())
}

/// A value from at most so many bytes of a frame.
pub(crate) fn parse<T: DeserializeOwned>(parts: &[Part], peer: &str, most: usize) -> Result<T> {
    let unexpected = |found: String| Error::Unexpected { peer: peer.to_owned(), found, expected: "a message in JSON".into() };
    match parts {
        [part] if part.len() <= most => {
            let text = part.to_bits(part.len(), 8).map_err(unexpected)?;
            let text: Vec<u8> = text.into_iter().map(|b| b as u8).collect();
            serde_json::from_slice(&text).map_err(|e| unexpected(e.to_string().chars().take(200).collect()))
        }
        parts => Err(unexpected(format!("{} tensors of {} bytes", parts.len(), parts.first().map_or(0, Part::len)))),
    }
}
