//! Writing a sealed file.

use super::frame::{self, Kind, MOST_ABOUT, MOST_RECORD, Segment};
use super::reader::{Item, Reader};
use crate::disk::{self, Appender, Disk};
use crate::{Result, StorageKey, StoreError};
use std::fs::{self, File};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Writes a sealed file, record by record. Only [`finish`](Writer::finish) makes it a file that a [`Reader`] accepts;
/// dropped before, it stays as it is, for [`reopen`](Writer::reopen). It holds the file's lock.
pub struct Writer(Sealing<File>);

impl Writer {
    /// A new file. `about` is public, but cannot be changed unnoticed; at most 1 MiB.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::NoRandomness`], [`StoreError::TooLong`] or [`StoreError::Io`].
    pub fn create(path: impl AsRef<Path>, key: &StorageKey, about: &[u8]) -> Result<Writer> {
        let path = path.as_ref();
        if path.try_exists().map_err(StoreError::io(path, "look for"))? {
            return Err(StoreError::Exists { file: path.to_owned() });
        }
        // The header is whole before the file has its name.
        let mut partial = Partial::create(path, key, about)?;
        partial.rename(path)?;
        Ok(Writer(partial.sealing))
    }

    /// Goes on with an unfinished file: every record is checked, and a last one that is torn is cut off. Ask
    /// [`records`](Writer::records) where to go on.
    ///
    /// # Errors
    /// As [`Reader::open`] and [`Reader::next`], except that a torn end is no error; [`StoreError::Finished`];
    /// [`StoreError::InUse`].
    pub fn reopen(path: impl AsRef<Path>, key: &StorageKey) -> Result<Writer> {
        let path = path.as_ref();
        let open = fs::OpenOptions::new().read(true).write(true).open(path);
        let mut file = open.map_err(StoreError::io(path, "open"))?;
        disk::lock(&file, path)?;
        let length = file.metadata().map_err(StoreError::io(path, "open"))?.len();
        let (whole, records, last) = whole(BufReader::new(&file), length, path, key)?;
        if whole < length {
            file.set_len(whole).map_err(StoreError::io(path, "cut"))?;
        }
        file.seek(SeekFrom::Start(whole)).map_err(StoreError::io(path, "seek"))?;
        Sealing::follow(Appender::new(file, path, whole), key, last, records).map(Writer)
    }

    /// Adds a record of at most 64 MiB. It survives the end of this process, and after [`sync`](Writer::sync) that of the
    /// machine.
    ///
    /// # Errors
    /// [`StoreError::TooLong`], or [`StoreError::Io`], after which every further call is [`StoreError::Broken`] and the file
    /// must be reopened.
    pub fn append(&mut self, record: &[u8]) -> Result<()> {
        self.0.append(record)
    }

    /// Records in the file, those before a reopening included.
    pub fn records(&self) -> u64 {
        self.0.records
    }

    /// Everything appended so far is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`], and from then on [`StoreError::Broken`].
    pub fn sync(&mut self) -> Result<()> {
        self.0.out.sync()
    }

    /// Marks the end. The file is complete, on the disk, and cannot be extended.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the file may then be reopened, unless the end was written.
    pub fn finish(mut self) -> Result<()> {
        self.0.end()?;
        disk::sync_folder_of(&self.0.out.file)
    }
}

/// Writes a finished file, replacing any other of that name; at every moment there is the old file or the new one, whole.
///
/// # Errors
/// As [`Writer::create`] and [`Writer::append`]; the old file then stays.
pub fn write_atomically(
    path: impl AsRef<Path>,
    key: &StorageKey,
    about: &[u8],
    records: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<()> {
    let path = path.as_ref();
    let mut partial = Partial::create(path, key, about)?;
    for record in records {
        partial.sealing.append(record.as_ref())?;
    }
    partial.sealing.end()?;
    partial.rename(path)
}

/// A file under a name of its own, removed again unless it is renamed.
struct Partial {
    sealing: Sealing<File>,
    name: Option<Remove>,
}

struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // What cannot be removed is left for `remove_partial`.
        let _ = fs::remove_file(&self.0);
    }
}

impl Partial {
    fn create(path: &Path, key: &StorageKey, about: &[u8]) -> Result<Partial> {
        let partial = disk::partial(path, &hex::encode(random::<8>(path)?))?;
        let file = disk::private().write(true).create_new(true).open(&partial).map_err(StoreError::io(path, "create"))?;
        let name = Some(Remove(partial));
        disk::lock(&file, path)?;
        Ok(Partial { sealing: Sealing::begin(Appender::new(file, path, 0), key, about)?, name })
    }

    /// Gives the file its name.
    fn rename(&mut self, path: &Path) -> Result<()> {
        if let Some(partial) = self.name.take() {
            fs::rename(&partial.0, path).map_err(StoreError::io(path, "rename"))?;
            std::mem::forget(partial);
        }
        disk::sync_folder_of(path)
    }
}

/// The frames of a file, onto any disk.
pub(super) struct Sealing<D> {
    pub out: Appender<D>,
    segment: Segment,
    pub records: u64,
    buffer: Vec<u8>,
}

impl<D: Disk> Sealing<D> {
    /// A new file: the header, sealed and on the disk.
    pub fn begin(out: Appender<D>, key: &StorageKey, about: &[u8]) -> Result<Sealing<D>> {
        at_most(&out.file, about.len(), MOST_ABOUT, || "public header".to_owned())?;
        let salt = random(&out.file)?;
        let mut bytes = frame::header(key, &salt, about);
        let segment = Segment::first(key, &salt, &bytes);
        bytes.extend(segment.seal(Kind::Segment, 0, &mut []));
        Sealing { out, segment, records: 0, buffer: Vec::new() }.start(&bytes)
    }

    /// Goes on after `records` whole records of `last`, under a salt of its own.
    pub fn follow(out: Appender<D>, key: &StorageKey, last: Segment, records: u64) -> Result<Sealing<D>> {
        let salt = random(&out.file)?;
        let segment = last.following(key, &salt, records);
        let opening = last.opening(&segment, &salt, records);
        Sealing { out, segment, records, buffer: Vec::new() }.start(&opening)
    }

    fn start(mut self, bytes: &[u8]) -> Result<Sealing<D>> {
        self.out.write(bytes)?;
        self.out.sync()?;
        Ok(self)
    }

    pub fn append(&mut self, record: &[u8]) -> Result<()> {
        let number = self.records + 1;
        at_most(&self.out.file, record.len(), MOST_RECORD, || format!("record {number}"))?;
        self.frame(Kind::Record, record)?;
        self.records = number;
        Ok(())
    }

    /// The end, and all on the disk.
    pub fn end(&mut self) -> Result<()> {
        self.frame(Kind::End, &[])?;
        self.out.sync()
    }

    /// Seals and writes. A broken file seals nothing: its nonce may be on the disk already.
    fn frame(&mut self, kind: Kind, bytes: &[u8]) -> Result<()> {
        self.out.check()?;
        self.segment.frame(kind, self.records + 1, bytes, &mut self.buffer);
        self.out.write(&self.buffer)
    }
}

/// Length of the whole frames of an unfinished file, its records and its last segment.
pub(super) fn whole(from: impl std::io::Read, length: u64, file: &Path, key: &StorageKey) -> Result<(u64, u64, Segment)> {
    let mut reader = Reader::from(from, length, file, key)?;
    loop {
        match reader.item() {
            Ok(Item::Record(_)) => {}
            Ok(Item::Nothing) | Err(StoreError::Truncated { .. }) => break,
            Ok(Item::End) => return Err(StoreError::Finished { file: file.to_owned(), records: reader.records() }),
            Err(e) => return Err(e),
        }
    }
    let records = reader.records();
    let (left, segment) = reader.into_rest();
    Ok((length - left, records, segment))
}

fn at_most(file: &Path, length: usize, most: u64, what: impl FnOnce() -> String) -> Result<()> {
    let found = length as u64;
    if found > most { Err(StoreError::TooLong { file: file.to_owned(), what: what(), found, most }) } else { Ok(()) }
}

fn random<const N: usize>(file: &Path) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| StoreError::NoRandomness { file: file.to_owned(), source })?;
    Ok(bytes)
}
