//! Owners' records on their way to the disk: sealed chunk by chunk as they come, read back when complete, and used only once their
//! owner has committed them. An owner has at most one upload that counts; until it counts, a new one replaces it, unless the
//! connection of the other still lives.

use crate::entry::Slot;
use crate::record::{Committed, Record, State};
use crate::server::{Here, Server};
use crate::uploads::{ROWS, SUMMARY, inspect, inspect_from, lock, path};
use crate::{Error, Result, approvals, join, records, runner};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::receive::{Incoming, acknowledge, incoming};
use trefoil_client::request::{self, Announcement, Standing, Summary};
use trefoil_data::schema::Partition;
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_mpc::{Part, Party};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Frame, Id, wire};
use trefoil_store::sealed;

/// More elements than this in a chunk are refused; owners send a quarter of a million.
const MOST_ELEMENTS: usize = 1 << 22;

/// Takes an owner's upload from its announcement on.
pub fn share(here: &Here, stream: &mut Stream, from: Fingerprint, about: &Announcement, approval: Approval) -> Result<()> {
    let record = here.record()?;
    let (id, owner) = may_share(here, &record, from, about)?;
    if let Some(done) = record.uploads.get(&from) {
        return is_complete(here, stream, from, about, done);
    }
    approvals::take(here, from, Role::DataOwner, approval, json!({ "how": "by sharing" }))?;
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    let path = path(here, from);
    let mut held = lock(&slot);
    // Another connection may have committed one meanwhile, whose file stays. Who commits holds the slot.
    if let Some(done) = here.live(|e| e.record.uploads.get(&from).cloned())? {
        drop(held);
        return is_complete(here, stream, from, about, &done);
    }
    let (connection, standing) = begin(here, &mut held, about, &path)?;
    drop(held);
    let mut taking = Taking {
        here,
        slot: &slot,
        connection,
        about,
        path,
        id,
        suite: record.job.chosen(),
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

fn may_share(here: &Here, record: &Record, from: Fingerprint, about: &Announcement) -> Result<(Id, usize)> {
    let refuse = |why: String| Err(Error::Refused(why));
    let job = &record.job;
    let Some(owner) = job.owner_of(from) else {
        return refuse(format!("records are shared by the job's data owners; this is {}", job.role(from)));
    };
    let Some(id) = job.party_of(here.identity.fingerprint()) else { return Err(here.unknown()) };
    if !record.approved {
        return refuse(format!("job {} is not approved by this party", here.hash.short()));
    }
    if let State::Cancelled { .. } | State::Trained = record.state {
        return refuse(format!("the job is {}", record.state));
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
    here: &'a Here,
    slot: &'a Mutex<Slot>,
    connection: u64,
    about: &'a Announcement,
    path: PathBuf,
    id: Id,
    suite: Chosen,
    owner: &'a str,
}

impl Taking<'_> {
    fn take(&mut self, stream: &mut Stream, from: Fingerprint) -> Result<()> {
        loop {
            match incoming(stream)? {
                Incoming::Rows(frame) => self.rows(&frame)?,
                Incoming::Finish(summary) => self.finish(from, &summary)?,
                Incoming::Commit(upload) => {
                    let new = commit(self.here, from, &upload)?;
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
        let fits = self.suite.with(Fits { id: self.id, elements, parts: &frame.parts });
        fits.map_err(|e| Error::Refused(format!("chunk {}: {e}", frame.at.step)))?;
        let most = self.here.config.most_upload_megabytes << 20;
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
    fn finish(&self, from: Fingerprint, summary: &Summary) -> Result<()> {
        let record = self.here.record()?;
        // P2 alone knows how many are joined, and says so before anybody commits.
        if self.id == Id::P2 && record.job.data.joins() {
            join::fits(self.here, &record, from, summary.train_rows.saturating_add(summary.test_rows))?;
        }
        let mut slot = self.own()?;
        let Some(mut writer) = slot.writer.take() else {
            return Err(Error::Refused("found an end after the end, expected a commit".into()));
        };
        writer.append(&[&[SUMMARY][..], &serde_json::to_vec(summary).unwrap_or_default()].concat())?;
        writer.finish()?;
        let found = inspect(self.here, &self.path).and_then(|(found, digest)| {
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
        tracing::info!(job = %self.here.hash, "all records of {} are here", self.owner);
        Ok(())
    }
}

/// Whether a chunk is what this party expects of its suite.
struct Fits<'a> {
    id: Id,
    elements: usize,
    parts: &'a [Part],
}

impl WithSuite for Fits<'_> {
    type Out = std::result::Result<(), String>;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Self::Out {
        S::accept(self.id, self.elements, self.parts).map(drop)
    }
}

/// The owner says that all three parties have all of it: from now on the upload counts. Whether that is new.
pub fn commit(here: &Here, from: Fingerprint, upload: &str) -> Result<bool> {
    let record = here.record()?;
    if record.job.owner_of(from).is_none() {
        return Err(Error::Refused(format!("records are shared by the job's data owners; this is {}", record.job.role(from))));
    }
    // Held to the end: no other upload takes this one's place meanwhile.
    let slot = here.live(|e| e.uploads.entry(from).or_default().clone())?;
    let slot = lock(&slot);
    let record = here.record()?;
    if let Some(done) = record.uploads.get(&from) {
        return match done.upload == upload {
            true => Ok(false),
            false => Err(Error::Refused(format!("a second upload; {} is complete, and each record is used once", done.upload))),
        };
    }
    if record.state.is_final() {
        return Err(Error::Refused(format!("the job is {}", record.state)));
    }
    not_withdrawn(&record, from, upload)?;
    let named = |about: &Announcement| about.job == here.hash && about.upload == upload;
    let not_here = || {
        let upload: String = upload.chars().take(32).collect();
        Error::Refused(format!("upload {} is not here; share again", upload.escape_debug()))
    };
    let (summary, sha256) = match (&slot.staged, &slot.about) {
        (Some(staged), Some(about)) if named(about) => staged.clone(),
        (_, Some(about)) if !named(about) => return Err(not_here()),
        // After a restart of this party only the disk knows.
        _ => {
            let path = path(here, from);
            let reader = sealed::Reader::open(&path, &here.key).map_err(|_| not_here())?;
            if !serde_json::from_slice(reader.about()).is_ok_and(|a| named(&a)) {
                return Err(not_here());
            }
            inspect_from(reader, &path)?
        }
    };
    let committed = Committed { upload: upload.to_owned(), summary, sha256, checked: false };
    // Owners of columns of the same records learn at once if theirs are not the same.
    if record.job.data.partition == Partition::Vertical {
        let mut with = Record::clone(&record);
        with.uploads.insert(from, committed.clone());
        records::rows(&with)?;
    }
    drop(record);
    here.note(json!({ "what": "uploaded", "job": here.hash, "by": from, "upload": upload, "rows": committed.summary, "sha256": committed.sha256 }))?;
    here.update(|r| r.uploads.insert(from, committed))?;
    drop(slot);
    runner::ensure(here);
    Ok(true)
}
