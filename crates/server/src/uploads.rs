//! Owners' uploads on the disk, sealed, and the way they go when a job is over.

use crate::entry::Slot;
use crate::lanes::parts;
use crate::server::Here;
use crate::{Error, Result, join, start_model};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use trefoil_client::request::Summary;
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_mpc::{Part, Party};
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, wire};
use trefoil_store::{StorageKey, sealed};

/// The first byte of a sealed record: a chunk's frame, or the summary that comes last.
pub const ROWS: u8 = b'R';
pub const SUMMARY: u8 = b'S';

/// What a sealed file holds of an upload: all of it, or what one rank of the party has.
#[derive(Clone, Serialize, Deserialize)]
pub struct Found {
    /// In the order of the file.
    pub chunks: Vec<Chunk>,
    /// What the owner said at the end.
    pub said: Summary,
    /// The hash of all chunks.
    pub sha256: String,
    /// Of the file.
    pub bytes: u64,
}

/// One of its chunks.
#[derive(Clone, Serialize, Deserialize)]
pub struct Chunk {
    /// Its place in the upload.
    pub number: u64,
    pub test: bool,
    pub rows: u64,
    pub payload: u64,
    /// See [`Suite::common`](trefoil_mpc::Suite::common); nothing where nobody asked.
    pub common: [Option<String>; 3],
}

impl Found {
    pub fn summary(&self) -> Summary {
        let mut all = Summary { chunks: 0, train_rows: 0, test_rows: 0 };
        self.chunks.iter().for_each(|chunk| all.add(chunk.test, chunk.rows as usize));
        all
    }
}

/// Reads a finished upload through.
pub fn inspect(key: &StorageKey, path: &Path) -> Result<Found> {
    inspect_from(sealed::Reader::open(path, key)?, path, None)
}

/// The same of a file that is open, and what of it others hold too, where a suite says so.
pub fn inspect_from(mut reader: sealed::Reader, path: &Path, common: Option<(Chosen, Id)>) -> Result<Found> {
    let (mut chunks, mut digest, mut said) = (vec![], Sha256::new(), None);
    let bad = |what: &str| Error::config(path.display(), what, "an upload");
    while let Some(record) = reader.next()? {
        match record.split_first() {
            Some((&ROWS, frame)) if said.is_none() => {
                digest.update(frame);
                let frame = wire::read(&mut &frame[..], Id::P0, frame.len())?.ok_or_else(|| bad("an empty chunk"))?;
                let common = common.map_or_else(Default::default, |(suite, id)| suite.with(Common(id, &frame.parts)));
                let (test, payload) = (frame.depth == 1, frame.payload() as u64);
                chunks.push(Chunk { number: frame.at.step, test, rows: u64::from(frame.at.op), payload, common });
            }
            Some((&SUMMARY, text)) if said.is_none() => {
                said = Some(serde_json::from_slice::<Summary>(text).map_err(|_| bad("no summary"))?);
            }
            _ => return Err(bad("an unknown record")),
        }
    }
    let said = said.ok_or_else(|| bad("no summary"))?;
    let bytes = std::fs::metadata(path).map_err(Error::file(path))?.len();
    Ok(Found { chunks, said, sha256: hex::encode(digest.finalize()), bytes })
}

struct Common<'a>(Id, &'a [Part]);

impl WithSuite for Common<'_> {
    type Out = [Option<String>; 3];

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Self::Out {
        S::common(self.0, self.1).map(|hash| hash.map(hex::encode))
    }
}

/// Where an owner's upload is kept.
pub fn path(here: &Here, owner: Fingerprint) -> PathBuf {
    here.folder().join("uploads").join(name(owner))
}

/// The name of its file.
pub fn name(owner: Fingerprint) -> String {
    format!("{}.sealed", &owner.to_string()[..32])
}

/// Removes one owner's upload: it was refused, and another may take its place.
pub fn remove(here: &Here, owner: Fingerprint) {
    if let Ok(slot) = here.live(|e| e.uploads.entry(owner).or_default().clone()) {
        let mut slot = lock(&slot);
        *slot = Slot { connections: slot.connections, ..Slot::default() };
    }
    let path = path(here, owner);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", path.display()),
        _ => {}
    }
    parts::forget(here, Some(owner));
}

/// Removes all shares of records, what joined them, and the model that training started from: the job is over.
pub fn forget(here: &Here) {
    start_model::forget(here);
    parts::forget(here, None);
    if let Err(e) = here.database.clear(&join::batches_of(here.hash)) {
        tracing::error!(job = %here.hash, "cannot remove which batches were evaluated: {e}");
    }
    for folder in ["uploads", "checkpoints", join::FOLDER] {
        let folder = here.folder().join(folder);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", folder.display()),
            _ => {}
        }
    }
}

/// The job is cancelled: what a session may have trained goes too.
pub fn abandon(here: &Here) {
    forget(here);
    for model in ["model.sealed", "served.sealed"].map(|file| here.folder().join(file)) {
        match std::fs::remove_file(&model) {
            Err(e) if e.kind() != ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", model.display()),
            _ => {}
        }
    }
}

pub fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
