//! Reading a sealed file.

use super::frame::{self, FIXED, HEAD, Kind, MOST_ABOUT, MOST_RECORD, Segment, TAG};
use crate::{Result, StorageKey, StoreError};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Reads a sealed file, record by record. That the file is finished is known only at its end: act on nothing before
/// [`next`](Reader::next) has given `None`.
pub struct Reader<R = BufReader<File>> {
    from: Source<R>,
    key: StorageKey,
    about: Vec<u8>,
    segment: Segment,
    records: u64,
    /// Bytes left after the last whole frame.
    left: u64,
    state: State,
}

/// What the bytes are read from, and how many are left.
struct Source<R> {
    from: R,
    file: PathBuf,
    left: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    Finished,
    Failed,
}

/// What a file of whole records goes on with.
pub(super) enum Item {
    Record(Vec<u8>),
    End,
    /// The file ends here, after a whole frame, but unfinished.
    Nothing,
}

impl Reader {
    /// Opens a sealed file.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::AnotherKey`], [`StoreError::Format`] (no sealed file, another version),
    /// [`StoreError::Truncated`], [`StoreError::TooLong`] or [`StoreError::Altered`].
    pub fn open(path: impl AsRef<Path>, key: &StorageKey) -> Result<Reader> {
        let path = path.as_ref();
        let file = File::open(path).map_err(StoreError::io(path, "open"))?;
        let length = file.metadata().map_err(StoreError::io(path, "open"))?.len();
        Reader::from(BufReader::new(file), length, path, key)
    }
}

impl<R: Read> Reader<R> {
    /// The same from any source of `length` bytes; `name` is for errors.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn from(from: R, length: u64, name: impl AsRef<Path>, key: &StorageKey) -> Result<Reader<R>> {
        let mut from = Source { from, file: name.as_ref().to_owned(), left: length };
        let mut fixed = [0; FIXED];
        from.fill(&mut fixed, || "header".to_owned())?;
        let frame::Fixed { salt, about } = frame::read_fixed(&fixed, key, &from.file)?;
        let about = u64::from(about);
        if about > MOST_ABOUT {
            let what = "public header".to_owned();
            return Err(StoreError::TooLong { file: from.file, what, found: about, most: MOST_ABOUT });
        }
        let mut about = from.take(about, TAG, || "public header".to_owned())?;
        let tag = split_tag(&mut about);
        let segment = Segment::first(key, &salt, &[&fixed[..], &about].concat());
        if !segment.open(Kind::Segment, 0, &mut [], &tag) {
            return Err(StoreError::altered(&from.file, "header"));
        }
        let left = from.left;
        Ok(Reader { from, key: key.clone(), about, segment, records: 0, left, state: State::Reading })
    }

    /// The public header.
    pub fn about(&self) -> &[u8] {
        &self.about
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next record; `None` where the finished file ends.
    ///
    /// # Errors
    /// [`StoreError::Altered`] and [`StoreError::Truncated`] name the record. [`StoreError::Unfinished`]: all is whole, but
    /// the writer never finished. [`StoreError::Broken`]: after any error.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        match self.state {
            State::Finished => return Ok(None),
            State::Failed => return Err(StoreError::Broken { file: self.from.file.clone() }),
            State::Reading => self.state = State::Failed,
        }
        match self.item()? {
            Item::Record(record) => {
                self.state = State::Reading;
                Ok(Some(record))
            }
            Item::End => {
                self.state = State::Finished;
                Ok(None)
            }
            Item::Nothing => Err(StoreError::Unfinished { file: self.from.file.clone(), records: self.records }),
        }
    }

    /// The next record or end, over the openings of segments.
    pub(super) fn item(&mut self) -> Result<Item> {
        loop {
            let number = self.records + 1;
            let what = || format!("record {number}");
            let altered = |from: &Source<R>| StoreError::altered(&from.file, what());
            self.left = self.from.left;
            if self.from.left == 0 {
                return Ok(Item::Nothing);
            }
            let mut head = [0; HEAD];
            self.from.fill(&mut head, what)?;
            let (kind, length) = self.segment.read_head(&head, number).ok_or_else(|| altered(&self.from))?;
            let allowed = match kind {
                Kind::Record => u64::from(length) <= MOST_RECORD,
                Kind::Segment => length == 32,
                Kind::End => length == 0,
            };
            if !allowed {
                return Err(altered(&self.from));
            }
            let mut body = self.from.take(u64::from(length), TAG, what)?;
            let tag = split_tag(&mut body);
            match kind {
                Kind::Record if self.segment.open(kind, number, &mut body, &tag) => {
                    self.records = number;
                    return Ok(Item::Record(body));
                }
                Kind::End if self.segment.open(kind, number, &mut [], &tag) && self.from.left == 0 => return Ok(Item::End),
                Kind::Segment => {
                    let mut salt = [0; 32];
                    salt.copy_from_slice(&body);
                    let next = self.segment.following(&self.key, &salt, self.records);
                    if !next.open(kind, self.records, &mut [], &tag) {
                        return Err(altered(&self.from));
                    }
                    self.segment = next;
                }
                _ => return Err(altered(&self.from)),
            }
        }
    }

    /// Bytes left after the last whole frame, and the segment that it is in.
    pub(super) fn into_rest(self) -> (u64, Segment) {
        (self.left, self.segment)
    }
}

impl<R: Read> Source<R> {
    fn fill(&mut self, into: &mut [u8], what: impl FnOnce() -> String) -> Result<()> {
        let length = into.len() as u64;
        if length > self.left {
            return Err(StoreError::Truncated { file: self.file.clone(), what: what(), found: self.left, expected: length });
        }
        self.from.read_exact(into).map_err(StoreError::io(&self.file, "read"))?;
        self.left -= length;
        Ok(())
    }

    /// `length` bytes and `more`; memory for them only where they exist.
    fn take(&mut self, length: u64, more: usize, what: impl FnOnce() -> String) -> Result<Vec<u8>> {
        let expected = length + more as u64;
        if expected > self.left {
            return Err(StoreError::Truncated { file: self.file.clone(), what: what(), found: self.left, expected });
        }
        let mut bytes = vec![0; expected as usize];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }
}

/// Cuts the tag off the end of `bytes`, which holds one.
fn split_tag(bytes: &mut Vec<u8>) -> [u8; TAG] {
    let mut tag = [0; TAG];
    tag.copy_from_slice(&bytes[bytes.len() - TAG..]);
    bytes.truncate(bytes.len() - TAG);
    tag
}
