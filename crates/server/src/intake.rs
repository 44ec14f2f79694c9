//! Chunks of an upload on their way to the disk of one rank: sealed as they come, and read back at the end. Where the upload goes on, and what of it counts, is decided elsewhere.

use crate::entry::{Slot, Staged};
use crate::uploads::{Found, ROWS, SUMMARY, inspect, lock};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use trefoil_client::request::{Announcement, Standing, Summary};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_mpc::{Part, Party};
use trefoil_net::{Frame, Id, wire};
use trefoil_store::{StorageKey, sealed};

/// More elements than this in a chunk are refused; owners send a quarter of a million.
const MOST_ELEMENTS: usize = 1 << 22;

/// Where the upload goes on: with what is on the disk, if that is the same upload, or from the start. Of a finished file `whole` says whether nothing is missing.
pub fn begin(
    key: &StorageKey,
    slot: &mut Slot,
    about: &Announcement,
    path: &Path,
    whole: impl FnOnce(&Found) -> Result<Staged>,
) -> Result<(u64, Standing)> {
    let same = slot.about.as_ref() == Some(about);
    if slot.alive != 0 && !same {
        return Err(Error::Refused("another upload of this owner is under way".into()));
    }
    if !same {
        *slot = Slot { connections: slot.connections, ..Slot::default() };
        if announced(path, key).as_ref() == Some(about) {
            match inspect(key, path) {
                Ok(found) => slot.staged = Some(whole(&found)?),
                Err(_) => slot.writer = Some(sealed::Writer::reopen(path, key)?),
            }
        } else {
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::file(path)(e)),
                _ => {}
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
            slot.writer = Some(sealed::Writer::create(path, key, &serde_json::to_vec(about).unwrap_or_default())?);
        }
        slot.about = Some(about.clone());
    }
    let standing = match (&slot.staged, &slot.writer) {
        (Some(_), _) => Standing::Staged,
        (None, Some(writer)) => Standing::Open { chunks: writer.records(), lanes: vec![] },
        (None, None) => return Err(Error::Refused("an earlier chunk could not be written; share again".into())),
    };
    slot.connections += 1;
    slot.alive = slot.connections;
    Ok((slot.connections, standing))
}

/// What upload a file is of, if there is one.
pub fn announced(path: &Path, key: &StorageKey) -> Option<Announcement> {
    sealed::Reader::open(path, key).ok().and_then(|reader| serde_json::from_slice(reader.about()).ok())
}

/// One connection of an upload.
pub struct Intake<'a> {
    pub slot: &'a Mutex<Slot>,
    pub connection: u64,
    pub about: &'a Announcement,
    pub path: PathBuf,
    pub key: &'a StorageKey,
    pub id: Id,
    pub suite: Chosen,
    /// Bytes that the file may have.
    pub most: u64,
    /// Whether other ranks may have chunks that are not here.
    pub in_parts: bool,
}

impl Intake<'_> {
    /// This upload's slot, as long as no later connection has taken it over.
    pub fn own(&self) -> Result<MutexGuard<'_, Slot>> {
        let slot = lock(self.slot);
        match slot.alive == self.connection {
            true => Ok(slot),
            false => Err(Error::Refused("a later connection has taken this upload over".into())),
        }
    }

    /// A chunk.
    pub fn rows(&self, frame: &Frame) -> Result<()> {
        let elements = (frame.at.op as usize).checked_mul(self.about.width).filter(|n| (1..=MOST_ELEMENTS).contains(n));
        let Some(elements) = elements.filter(|_| frame.depth <= 1) else {
            let found = format!("{} rows of {} values", frame.at.op, self.about.width);
            return Err(Error::Refused(format!("chunk: found {found}, expected 1 to {MOST_ELEMENTS} elements")));
        };
        let fits = self.suite.with(Fits { id: self.id, elements, parts: &frame.parts });
        fits.map_err(|e| Error::Refused(format!("chunk {}: {e}", frame.at.step)))?;
        let most = self.most;
        if std::fs::metadata(&self.path).map_or(0, |m| m.len()) > most {
            return Err(Error::Refused(format!("upload: found more than {most} bytes, expected at most this party's limit")));
        }
        let mut record = vec![ROWS];
        wire::write(frame, &mut record).map_err(|e| Error::Refused(format!("chunk {}: {e}", frame.at.step)))?;
        let mut slot = self.own()?;
        let Some(mut writer) = slot.writer.take() else {
            return Err(Error::Refused("found a chunk after the end, expected a commit".into()));
        };
        if !self.in_parts && frame.at.step != writer.records() {
            let expected = writer.records();
            slot.writer = Some(writer);
            return Err(Error::Refused(format!("found chunk {}, expected {expected}", frame.at.step)));
        }
        // A writer that has failed is not put back: what it has written last is unknown.
        writer.append(&record)?;
        slot.writer = Some(writer);
        Ok(())
    }

    /// Seals the file, and reads all of it back: what is staged is on the disk, and `whole` if that says so.
    pub fn finish(&self, summary: &Summary, whole: impl FnOnce(&Found) -> Result<Staged>) -> Result<()> {
        let mut slot = self.own()?;
        let Some(mut writer) = slot.writer.take() else {
            return Err(Error::Refused("found an end after the end, expected a commit".into()));
        };
        writer.append(&[&[SUMMARY][..], &serde_json::to_vec(summary).unwrap_or_default()].concat())?;
        writer.finish()?;
        match inspect(self.key, &self.path).and_then(|found| whole(&found)) {
            Ok(staged) => slot.staged = Some(staged),
            Err(e) => {
                slot.about = None;
                return Err(e);
            }
        }
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
