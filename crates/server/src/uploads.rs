//! Owners' records on their way to the disk: sealed chunk by chunk as they come, read back when complete, and used only once their
//! owner has committed them. An owner has at most one upload that counts; until it counts, a new one replaces it, unless the
//! connection of the other still lives.

use super::record::{Committed, Record, State};
use super::{Server, approvals, unknown};
use crate::{Error, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::receive::{Incoming, acknowledge, incoming};
use trefoil_client::request::{self, Announcement, Standing, Summary};
use trefoil_job::SuiteName;
use trefoil_mpc::{Suite, masked::Masked, securenn::SecureNn};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Frame, Id, wire};
use trefoil_store::sealed;

/// The first byte of a sealed record: a chunk's frame, or the summary that comes last.
pub(super) const ROWS: u8 = b'R';
pub(super) const SUMMARY: u8 = b'S';
/// More elements than this in a chunk are refused; owners send a quarter of a million.
const MOST_ELEMENTS: usize = 1 << 22;

/// An owner's upload that does not count yet.
#[derive(Default)]
pub struct Slot {
    /// What the owner announced.
    about: Option<Announcement>,
    /// Grows with each connection; 0 in `alive` where none is left.
    connections: u64,
    alive: u64,
    writer: Option<sealed::Writer>,
    /// What it holds, and the hash of its chunks, once all of it is on the disk.
    staged: Option<(Summary, String)>,
}

/// Takes an owner's upload from its announcement on.
pub fn share(
    server: &Arc<Server>,
    stream: &mut Stream,
    from: Fingerprint,
    about: &Announcement,
    approval: Approval,
) -> Result<()> {
    let record = server.record(&about.job)?;
    let (id, owner) = may_share(server, &record, from, about)?;
    if let Some(done) = record.uploads.get(&from) {
        return is_complete(server, stream, from, about, done);
    }
    approvals::take(server, &about.job, from, Role::DataOwner, approval, json!({ "how": "by sharing" }))?;
    let slot = server.live(&about.job, |e| e.uploads.entry(from).or_default().clone())?;
    let path = path(server, &about.job, from);
    let mut held = lock(&slot);
    // Another connection may have committed one meanwhile, whose file stays. Who commits holds the slot.
    if let Some(done) = server.live(&about.job, |e| e.record.uploads.get(&from).cloned())? {
        drop(held);
        return is_complete(server, stream, from, about, &done);
    }
    let (connection, standing) = begin(server, &mut held, about, &path)?;
    drop(held);
    let mut taking = Taking {
        server,
        slot: &slot,
        connection,
        about,
        path,
        id,
        suite: record.job.suite,
        owner: &record.job.owner[owner].name,
    };
    let result = request::accept(stream, &standing).map_err(Error::from).and_then(|()| taking.take(stream, from));
    let mut slot = lock(&slot);
    if slot.alive == connection {
        slot.alive = 0;
    }
    result
}

/// An owner that has an upload already is told which.
fn is_complete(server: &Server, stream: &mut Stream, from: Fingerprint, about: &Announcement, done: &Committed) -> Result<()> {
    let why = format!("a second upload; {} is complete, and each record is used once", done.upload);
    server.refusal(json!({ "request": "share", "job": about.job, "upload": about.upload }), from, &why);
    Ok(request::accept(stream, &Standing::Committed { upload: done.upload.clone() })?)
}

fn may_share(server: &Server, record: &Record, from: Fingerprint, about: &Announcement) -> Result<(Id, usize)> {
    let refuse = |why: String| Err(Error::Refused(why));
    let job = &record.job;
    let Some(owner) = job.owner_of(from) else {
        return refuse(format!("records are shared by the job's data owners; this is {}", job.role(from)));
    };
    let Some(id) = job.party_of(server.identity.fingerprint()) else { return Err(unknown(&about.job)) };
    if !record.approved {
        return refuse(format!("job {} is not approved by this party", &about.job[..about.job.len().min(12)]));
    }
    if let State::Cancelled { .. } | State::Trained = record.state {
        return refuse(format!("the job is {}", super::requests::describe(&record.state)));
    }
    let (features, label) = job.widths(owner);
    if about.width != features + label {
        return refuse(format!("rows: found {} values, expected {} of {}", about.width, features + label, job.owner[owner].name));
    }
    if about.upload.len() != 32 || !about.upload.bytes().all(|b| b.is_ascii_hexdigit()) {
        return refuse("upload: found no name, expected 32 hexadecimal digits".into());
    }
    not_withdrawn(record, from, &about.upload)?;
    Ok((id, owner))
}

/// An upload that was refused does not come back under its name, by which parties tell it from the owner's next one.
fn not_withdrawn(record: &Record, from: Fingerprint, upload: &str) -> Result<()> {
    match record.is_withdrawn(from, upload) {
        true => Err(Error::Refused(format!("found upload {upload} again, which was refused; expected another"))),
        false => Ok(()),
    }
}

/// Where the upload goes on: with what is on the disk, if that is the same upload, or from the start.
fn begin(server: &Server, slot: &mut Slot, about: &Announcement, path: &Path) -> Result<(u64, Standing)> {
    let same = slot.about.as_ref() == Some(about);
    if slot.alive != 0 && !same {
        return Err(Error::Refused("another upload of this owner is under way".into()));
    }
    if !same {
        *slot = Slot { connections: slot.connections, ..Slot::default() };
        let on_disk = sealed::Reader::open(path, &server.key).ok().and_then(|r| serde_json::from_slice(r.about()).ok());
        if on_disk.as_ref() == Some(about) {
            slot.staged = inspect(server, path).ok();
            if slot.staged.is_none() {
                slot.writer = Some(sealed::Writer::reopen(path, &server.key)?);
            }
        } else {
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(path)(e)),
                _ => {}
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
            slot.writer = Some(sealed::Writer::create(path, &server.key, &serde_json::to_vec(about).unwrap_or_default())?);
        }
        slot.about = Some(about.clone());
    }
    let standing = match (&slot.staged, &slot.writer) {
        (Some(_), _) => Standing::Staged,
        (None, Some(writer)) => Standing::Open { chunks: writer.records() },
        (None, None) => return Err(Error::Refused("an earlier chunk could not be written; share again".into())),
    };
    slot.connections += 1;
    slot.alive = slot.connections;
    Ok((slot.connections, standing))
}

/// One connection of an upload.
struct Taking<'a> {
    server: &'a Arc<Server>,
    slot: &'a Mutex<Slot>,
    connection: u64,
    about: &'a Announcement,
    path: PathBuf,
    id: Id,
    suite: SuiteName,
    owner: &'a str,
}

impl Taking<'_> {
    fn take(&mut self, stream: &mut Stream, from: Fingerprint) -> Result<()> {
        loop {
            match incoming(stream)? {
                Incoming::Rows(frame) => self.rows(&frame)?,
                Incoming::Finish(summary) => self.finish(&summary)?,
                Incoming::Commit(upload) => {
                    let new = commit(self.server, &self.about.job, from, &upload)?;
                    return Ok(request::accept(stream, &new)?);
                }
                Incoming::End => return Ok(()),
            }
            acknowledge(stream)?;
        }
    }

    /// This upload's slot, as long as no later connection has taken it over.
    fn own(&self) -> Result<MutexGuard<'_, Slot>> {
        let slot = lock(self.slot);
        match slot.alive == self.connection {
            true => Ok(slot),
            false => Err(Error::Refused("a later connection has taken this upload over".into())),
        }
    }

    fn rows(&self, frame: &Frame) -> Result<()> {
        let elements = (frame.at.op as usize).checked_mul(self.about.width).filter(|n| (1..=MOST_ELEMENTS).contains(n));
        let Some(elements) = elements.filter(|_| frame.depth <= 1) else {
            let found = format!("{} rows of {} values", frame.at.op, self.about.width);
            return Err(Error::Refused(format!("chunk: found {found}, expected 1 to {MOST_ELEMENTS} elements")));
        };
        accept(self.suite, self.id, elements, frame).map_err(|e| Error::Refused(format!("chunk {}: {e}", frame.at.step)))?;
        let most = self.server.config.most_upload_megabytes << 20;
        if std::fs::metadata(&self.path).map_or(0, |m| m.len()) > most {
            return Err(Error::Refused(format!("upload: found more than {most} bytes, expected at most this party's limit")));
        }
        let mut record = vec![ROWS];
        wire::write(frame, &mut record).map_err(|e| Error::Refused(format!("chunk {}: {e}", frame.at.step)))?;
        let mut slot = self.own()?;
        let Some(mut writer) = slot.writer.take() else {
            return Err(Error::Refused("found a chunk after the end, expected a commit".into()));
        };
        if frame.at.step != writer.records() {
            let expected = writer.records();
            slot.writer = Some(writer);
            return Err(Error::Refused(format!("found chunk {}, expected {expected}", frame.at.step)));
        }
        // A writer that has failed is not put back: what it has written last is unknown.
        writer.append(&record)?;
        slot.writer = Some(writer);
        Ok(())
    }

    /// Seals the file, and reads all of it back: what is staged is on the disk, whole.
    fn finish(&self, summary: &Summary) -> Result<()> {
        let mut slot = self.own()?;
        let Some(mut writer) = slot.writer.take() else {
            return Err(Error::Refused("found an end after the end, expected a commit".into()));
        };
        writer.append(&[&[SUMMARY][..], &serde_json::to_vec(summary).unwrap_or_default()].concat())?;
        writer.finish()?;
        let found = inspect(self.server, &self.path).and_then(|(found, digest)| {
            let expected = Err(Error::Refused(format!(
                "upload: found {} chunks, {} and {} rows, expected what was announced",
                found.chunks, found.train_rows, found.test_rows
            )));
            if found == *summary { Ok((found, digest)) } else { expected }
        });
        match found {
            Ok(found) => slot.staged = Some(found),
            Err(e) => {
                slot.about = None;
                return Err(e);
            }
        }
        tracing::info!(job = %self.about.job, "all records of {} are here", self.owner);
        Ok(())
    }
}

/// Checks that a chunk is what this party expects of its suite.
fn accept(suite: SuiteName, id: Id, elements: usize, frame: &Frame) -> std::result::Result<(), String> {
    match suite {
        SuiteName::Masked => Masked::fits(id, elements, &frame.parts),
        SuiteName::Securenn => SecureNn::fits(id, elements, &frame.parts),
    }
}

/// The owner says that all three parties have all of it: from now on the upload counts. Whether that is new.
pub fn commit(server: &Arc<Server>, hash: &str, from: Fingerprint, upload: &str) -> Result<bool> {
    let record = server.record(hash)?;
    if record.job.owner_of(from).is_none() {
        return Err(Error::Refused(format!("records are shared by the job's data owners; this is {}", record.job.role(from))));
    }
    // Held to the end: no other upload takes this one's place meanwhile.
    let slot = server.live(hash, |e| e.uploads.entry(from).or_default().clone())?;
    let slot = lock(&slot);
    let record = server.record(hash)?;
    if let Some(done) = record.uploads.get(&from) {
        return match done.upload == upload {
            true => Ok(false),
            false => Err(Error::Refused(format!("a second upload; {} is complete, and each record is used once", done.upload))),
        };
    }
    if record.state.is_final() {
        return Err(Error::Refused(format!("the job is {}", super::requests::describe(&record.state))));
    }
    not_withdrawn(&record, from, upload)?;
    let named = |about: &Announcement| about.job == hash && about.upload == upload;
    let not_here = || {
        let upload: String = upload.chars().take(32).collect();
        Error::Refused(format!("upload {} is not here; share again", upload.escape_debug()))
    };
    let (summary, sha256) = match (&slot.staged, &slot.about) {
        (Some(staged), Some(about)) if named(about) => staged.clone(),
        (_, Some(about)) if !named(about) => return Err(not_here()),
        // After a restart of this party only the disk knows.
        _ => {
            let path = path(server, hash, from);
            let reader = sealed::Reader::open(&path, &server.key).map_err(|_| not_here())?;
            if !serde_json::from_slice(reader.about()).is_ok_and(|a| named(&a)) {
                return Err(not_here());
            }
            inspect_from(reader, &path)?
        }
    };
    let committed = Committed { upload: upload.to_owned(), summary, sha256, checked: false };
    let mut with = record.clone();
    with.uploads.insert(from, committed.clone());
    // Owners of columns of the same records learn at once if theirs are not the same.
    super::records::rows(&with)?;
    server.note(json!({ "what": "uploaded", "job": hash, "by": from, "upload": upload, "rows": committed.summary, "sha256": committed.sha256 }))?;
    server.update(hash, |r| r.uploads.insert(from, committed))?;
    drop(slot);
    super::runner::ensure(server, hash);
    Ok(true)
}

/// Reads a finished upload through: what it holds, and the hash of all chunks.
fn inspect(server: &Server, path: &Path) -> Result<(Summary, String)> {
    inspect_from(sealed::Reader::open(path, &server.key)?, path)
}

fn inspect_from(mut reader: sealed::Reader, path: &Path) -> Result<(Summary, String)> {
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
    let order = said.ok_or_else(|| bad("no summary"))?.order;
    Ok((Summary { chunks, train_rows, test_rows, order }, hex::encode(digest.finalize())))
}

/// Where an owner's upload is kept.
pub(super) fn path(server: &Server, hash: &str, owner: Fingerprint) -> PathBuf {
    server.folder(hash).join("uploads").join(format!("{}.sealed", &owner.to_string()[..32]))
}

/// Removes one owner's upload: it was refused, and another may take its place.
pub(super) fn remove(server: &Arc<Server>, hash: &str, owner: Fingerprint) {
    if let Ok(slot) = server.live(hash, |e| e.uploads.entry(owner).or_default().clone()) {
        let mut slot = lock(&slot);
        *slot = Slot { connections: slot.connections, ..Slot::default() };
    }
    let path = path(server, hash, owner);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", path.display()),
        _ => {}
    }
}

/// Removes all shares of records: the job is over.
pub fn forget(server: &Server, hash: &str) {
    for folder in ["uploads", "checkpoints"] {
        let folder = server.folder(hash).join(folder);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", folder.display()),
            _ => {}
        }
    }
}

/// The job is cancelled: what a session may have trained goes too.
pub fn abandon(server: &Server, hash: &str) {
    forget(server, hash);
    let model = server.folder(hash).join("model.sealed");
    match std::fs::remove_file(&model) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", model.display()),
        _ => {}
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
