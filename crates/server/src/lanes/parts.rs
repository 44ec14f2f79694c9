//! Uploads in parts: each rank takes chunks of an owner at its own port, ends TLS itself, and seals them in its own folder.
//!
//! Rank 0 alone decides. A rank to which somebody comes with an owner's hello asks it whose that is, lets that owner's certificate in and nobody else's, and asks once more whether
//! this upload is the one that rank 0 has been told of. Rank 0 then counts an upload when its own chunks and those of the others are all there, each once; what the others have is in its record by
//! its hash, and they are asked for it by name when a session begins.

use super::{hear, offered as ranks_at, ranks, say};
use crate::config::Config;
use crate::server::{Here, Server};
use crate::share::may_take_part;
use crate::uploads::{Found, name};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trefoil_client::Address;
use trefoil_client::parts;
use trefoil_client::request::Announcement;
use trefoil_job::JobHash;
use trefoil_job::suites::Chosen;
use trefoil_mpc::Channel;
use trefoil_mpc::lanes::{bytes_of, words_of};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_store::{StorageKey, sealed};

/// The first word of a conversation in which a rank asks rank 0 about an owner.
pub(super) const OWNER: u64 = 4;
/// The same of one in which rank 0 asks a rank what it keeps.
pub(super) const KEPT: u64 = 5;

/// Before the number of a rank, in the name of its folder in the party's.
const RANK: &str = "rank-";

/// Of whom a caller's name is.
#[derive(Serialize, Deserialize)]
pub(super) struct Guest {
    pub(super) owner: Fingerprint,
    pub(super) job: JobHash,
}

/// As what a rank takes a part of an upload.
#[derive(Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) id: Id,
    pub(crate) suite: Chosen,
    /// Bytes.
    pub(crate) most: u64,
}

/// What rank 0 asks of what a rank keeps.
#[derive(Serialize, Deserialize)]
pub(super) enum Ask {
    /// What there is of this upload.
    Held { owner: Fingerprint, about: Announcement, common: Option<(Chosen, Id)> },
    /// Its chunks, one after another.
    Chunks { owner: Fingerprint, about: Announcement },
    /// Remove this owner's, or all of the job's.
    Forget { job: JobHash, owner: Option<Fingerprint> },
    /// Remove those of all other jobs.
    Keep { jobs: Vec<JobHash> },
}

/// Whether other ranks of this party may keep parts of uploads.
pub(crate) fn are_kept(server: &Server) -> bool {
    server.config.spread_uploads && ranks(server) > 1
}

/// Where an owner may bring parts of an upload, of a party that it reaches at `own`.
///
/// # Errors
/// `lanes` of the configuration names another number of ranks.
pub(crate) fn offered(server: &Server, own: &Address) -> Result<Vec<String>> {
    if are_kept(server) { ranks_at(server, own) } else { Ok(vec![]) }
}

/// What the other ranks have of an upload, those that have something.
///
/// # Errors
/// A rank is gone, or cannot read what it has.
pub(crate) fn held(server: &Server, owner: Fingerprint, about: &Announcement) -> Result<Vec<(usize, Found)>> {
    if !are_kept(server) {
        return Ok(vec![]);
    }
    let all: Vec<usize> = (1..ranks(server)).collect();
    let found = held_at(server, &all, owner, about, None)?;
    Ok(all.into_iter().zip(found).filter_map(|(rank, found)| Some((rank, found?))).collect())
}

/// What these ranks have of it, which read it through at the same time; and what of it others hold too, where a suite says so.
///
/// # Errors
/// As for [`held`].
pub(crate) fn held_at(
    server: &Server,
    at: &[usize],
    owner: Fingerprint,
    about: &Announcement,
    common: Option<(Chosen, Id)>,
) -> Result<Vec<Option<Found>>> {
    let ask = |rank: &usize| asked(server, *rank, &Ask::Held { owner, about: about.clone(), common });
    let channels = at.iter().map(ask).collect::<Result<Vec<_>>>()?;
    at.iter().zip(&channels).map(|(rank, channel)| answer(channel, *rank)).collect()
}

/// The chunks that a rank has of an upload, one at a time.
///
/// # Errors
/// It is gone, or cannot read what it has; those of `each`.
pub(crate) fn chunks_at(
    server: &Server,
    rank: usize,
    owner: Fingerprint,
    about: &Announcement,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let channel = asked(server, rank, &Ask::Chunks { owner, about: about.clone() })?;
    loop {
        // One is on its way while another is read here.
        let words = hear(&channel, rank)?;
        match words.split_first() {
            Some((1, words)) => {
                say(&channel, rank, &[])?;
                each(&bytes_of(rank, words)?)?;
            }
            Some((0, words)) => return said(rank, words)?,
            _ => return Err(unknown(rank)),
        }
    }
}

/// The other ranks remove what they have of this job, or of this owner in it.
pub(crate) fn forget(here: &Here, owner: Option<Fingerprint>) {
    tell_all(here, &Ask::Forget { job: here.hash, owner });
    // Those of ranks that there are no more, where all have one file system.
    let Ok(entries) = std::fs::read_dir(&here.config.data) else { return };
    let rank = |name: &OsStr| name.to_str()?.strip_prefix(RANK)?.parse::<usize>().ok();
    for entry in entries.flatten().filter(|entry| rank(&entry.file_name()).is_some_and(|rank| rank >= ranks(here))) {
        remove(&job_in(&entry.path(), here.hash), owner);
    }
}

/// At the start: the other ranks remove what they have of other jobs.
pub(crate) fn keep(server: &Server, jobs: Vec<JobHash>) {
    tell_all(server, &Ask::Keep { jobs });
}

fn tell_all(server: &Server, ask: &Ask) {
    for rank in 1..ranks(server) {
        asked(server, rank, ask).map_or_else(|e| tracing::warn!("{e}"), drop);
    }
}

/// The file that a rank has or had, where rank 0 sees it too: all ranks on one file system.
pub(crate) fn file_of(server: &Server, rank: usize, job: JobHash, owner: Fingerprint) -> PathBuf {
    job_in(&folder_of(&server.config, rank), job).join(name(owner))
}

/// Rank 0: answers a rank about an owner.
pub(super) fn decide(server: &Arc<Server>, channel: &Channel, rank: usize, name: &[u64]) -> Result<()> {
    let guest = guest(server, name);
    tell(channel, rank, &guest)?;
    let Some(Guest { owner, job }) = guest else { return Ok(()) };
    let about: Announcement = told(channel, rank)?;
    let allowed = match about.job == job {
        true => may_take_part(&Here::at(server, job), owner, &about),
        false => Err(Error::Refused("another job than the connection was for".into())),
    };
    if let Err(e) = &allowed {
        let upload: String = about.upload.chars().take(64).collect();
        server.refusal(json!({ "request": "share", "rank": rank, "job": job, "upload": upload }), owner, &e.to_string());
    }
    tell(channel, rank, &allowed.map_err(|e| e.to_string()))
}

/// Whose name this is, of all owners of jobs that this party has approved.
fn guest(server: &Server, name: &[u64]) -> Option<Guest> {
    let jobs = server.jobs();
    let open = jobs.iter().filter(|(_, entry)| entry.record.approved && !entry.record.state.is_over());
    let owners = |(job, entry): (&JobHash, &crate::entry::Entry)| {
        let own = |owner: Fingerprint| words(&parts::name(*job, owner)) == name;
        let owner = entry.record.job.owner.iter().map(|owner| owner.fingerprint).find(|owner| own(*owner));
        owner.map(|owner| Guest { owner, job: *job })
    };
    are_kept(server).then(|| open.into_iter().find_map(owners)).flatten()
}

pub(super) fn words(name: &[u8; 32]) -> [u64; 4] {
    let word = |i: usize| name[8 * i..8 * i + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    std::array::from_fn(word)
}

pub(super) fn folder_of(config: &Config, rank: usize) -> PathBuf {
    config.data.join(format!("{RANK}{rank}"))
}

pub(super) fn job_in(folder: &Path, job: JobHash) -> PathBuf {
    folder.join("uploads").join(job.to_string())
}

pub(super) fn remove(folder: &Path, owner: Option<Fingerprint>) {
    let removed = match owner {
        Some(owner) => std::fs::remove_file(folder.join(name(owner))),
        None => std::fs::remove_dir_all(folder),
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", folder.display()),
        _ => {}
    }
}

/// A file of this upload.
///
/// # Errors
/// [`Error::Refused`] where there is none; it cannot be read.
pub(crate) fn reader(path: &Path, key: &StorageKey, about: &Announcement) -> Result<sealed::Reader> {
    let none = || Error::Refused(format!("{}: found no part of this upload", path.display()));
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Err(none()),
        Err(e) => return Err(Error::file(path)(e)),
    }
    let reader = sealed::Reader::open(path, key)?;
    match serde_json::from_slice::<Announcement>(reader.about()) {
        Ok(found) if found == *about => Ok(reader),
        _ => Err(none()),
    }
}

fn asked(server: &Server, rank: usize, ask: &Ask) -> Result<Channel> {
    let ranks = server.ranks.as_ref().ok_or_else(|| unknown(rank))?;
    let channel = ranks.open();
    say(&channel, rank, &[KEPT])?;
    tell(&channel, rank, ask)?;
    Ok(channel)
}

fn answer<T: DeserializeOwned>(channel: &Channel, rank: usize) -> Result<T> {
    said(rank, &hear(channel, rank)?)?
}

/// What a rank said, or why it could not.
fn said<T: DeserializeOwned>(rank: usize, words: &[u64]) -> Result<Result<T>> {
    let said: std::result::Result<T, String> = parsed(rank, words)?;
    Ok(said.map_err(|why| Error::config(format!("upload at rank {rank}"), why, "a part that can be read")))
}

pub(super) fn tell(channel: &Channel, rank: usize, what: &impl Serialize) -> Result<()> {
    say(channel, rank, &words_of(&as_json(what)?))
}

pub(super) fn told<T: DeserializeOwned>(channel: &Channel, rank: usize) -> Result<T> {
    parsed(rank, &hear(channel, rank)?)
}

fn parsed<T: DeserializeOwned>(rank: usize, words: &[u64]) -> Result<T> {
    serde_json::from_slice(&bytes_of(rank, words)?).map_err(|_| unknown(rank))
}

pub(super) fn as_json(what: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(what).map_err(|e| Error::Handshake(format!("an upload cannot be told to another rank: {e}")))
}

fn unknown(rank: usize) -> Error {
    Error::Protocol(trefoil_mpc::Error::Lane { rank, why: "said something of uploads that is not known here".into() })
}
