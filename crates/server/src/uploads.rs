//! Owners' uploads on the disk, sealed, and the way they go when a job is over.

use crate::entry::Slot;
use crate::server::{Here, Server};
use crate::{Error, Result, join, start_model};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use trefoil_client::request::Summary;
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, wire};
use trefoil_store::sealed;

/// The first byte of a sealed record: a chunk's frame, or the summary that comes last.
pub const ROWS: u8 = b'R';
pub const SUMMARY: u8 = b'S';

/// Reads a finished upload through: what it holds, and the hash of all chunks.
pub fn inspect(server: &Server, path: &Path) -> Result<(Summary, String)> {
    inspect_from(sealed::Reader::open(path, &server.key)?, path)
}

/// The same of a file that is open.
pub fn inspect_from(mut reader: sealed::Reader, path: &Path) -> Result<(Summary, String)> {
    let (mut chunks, mut rows, mut digest, mut said) = (0, [0u64; 2], Sha256::new(), None);
    let bad = |what: &str| Error::config(path.display(), what, "an upload");
    while let Some(record) = reader.next()? {
        match record.split_first() {
            Some((&ROWS, frame)) if said.is_none() => {
                digest.update(frame);
                let frame = wire::read(&mut &frame[..], Id::P0, frame.len())?.ok_or_else(|| bad("an empty chunk"))?;
                chunks += 1;
                rows[usize::from(frame.depth == 1)] += u64::from(frame.at.op);
            }
            Some((&SUMMARY, text)) if said.is_none() => {
                said = Some(serde_json::from_slice::<Summary>(text).map_err(|_| bad("no summary"))?);
            }
            _ => return Err(bad("an unknown record")),
        }
    }
    let [train_rows, test_rows] = rows;
    said.ok_or_else(|| bad("no summary"))?;
    Ok((Summary { chunks, train_rows, test_rows }, hex::encode(digest.finalize())))
}

/// Where an owner's upload is kept.
pub fn path(here: &Here, owner: Fingerprint) -> PathBuf {
    here.folder().join("uploads").join(format!("{}.sealed", &owner.to_string()[..32]))
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
}

/// Removes all shares of records, what joined them, and the model that training started from: the job is over.
pub fn forget(here: &Here) {
    start_model::forget(here);
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
