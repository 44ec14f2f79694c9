//! A file, plain or gzip, read once from its beginning to its end.

use super::pipe::Pipe;
use crate::error::mismatch;
use crate::{DataError, Result, file};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read at once.
const BUFFER: usize = 1 << 16;

pub(super) struct Stream {
    /// The path, for messages.
    pub(super) file: String,
    pub(super) gzip: bool,
    pub(super) reader: Box<dyn BufRead + Send>,
    progress: Progress,
    pipe: Option<Pipe>,
}

/// How much of a file has been read, before decompression.
#[derive(Clone)]
pub(crate) struct Progress {
    read: Arc<AtomicU64>,
    all: u64,
}

impl Progress {
    /// Of a file of so many bytes.
    pub(super) fn of(all: u64) -> Progress {
        Progress { read: Arc::default(), all }
    }

    /// So much of the file as these records are of all records.
    pub(super) fn part(&self, records: u64, of: u64) {
        let read = u128::from(self.all) * u128::from(records) / u128::from(of.max(1));
        self.read.store(read as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed).min(self.all), self.all)
    }
}

struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(out)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Stream {
    /// Gzip is told by the first bytes, whatever the name.
    pub(super) fn open(path: &Path) -> Result<Stream> {
        let name = path.display().to_string();
        let io = |source| DataError::Io { file: name.clone(), source };
        let handle = File::open(path).map_err(io)?;
        let progress = Progress::of(handle.metadata().map_err(io)?.len());
        let counted = Counted(handle, progress.read.clone());
        Stream::of(name, counted, progress, None)
    }

    /// What comes through a pipe, once; `name` is for messages.
    pub(super) fn piped(name: &str, source: impl Read + Send + 'static) -> Result<Stream> {
        let pipe = Pipe::new(source).map_err(|source| DataError::Io { file: name.to_string(), source })?;
        Stream::of(name.to_string(), pipe.clone(), Progress::of(0), Some(pipe))
    }

    /// What is in memory.
    pub(super) fn in_memory(name: &str, bytes: Arc<[u8]>) -> Result<Stream> {
        let progress = Progress::of(bytes.len() as u64);
        let read = progress.read.clone();
        Stream::of(name.to_string(), Counted(io::Cursor::new(bytes), read), progress, None)
    }

    fn of(name: String, source: impl Read + Send + 'static, progress: Progress, pipe: Option<Pipe>) -> Result<Stream> {
        let io = |source| DataError::Io { file: name.clone(), source };
        let mut plain = BufReader::with_capacity(BUFFER, source);
        let gzip = file::is_gzip(plain.fill_buf().map_err(io)?);
        let reader: Box<dyn BufRead + Send> =
            if gzip { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain))) } else { Box::new(plain) };
        Ok(Stream { file: name, gzip, reader, progress, pipe })
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Whether it is a pipe, and nothing more comes through it for a moment.
    pub(super) fn pauses(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::pauses)
    }

    /// What comes next, without taking it; nothing means the end.
    pub(super) fn peek(&mut self) -> Result<&[u8]> {
        // Two calls, for the borrow that an error would need.
        if let Err(e) = self.reader.fill_buf() {
            return Err(self.failed(e));
        }
        Ok(self.reader.fill_buf().unwrap_or_default())
    }

    /// Fills `out`, or as much of it as there is; says how much.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut n = 0;
        while n < out.len() {
            match self.reader.read(&mut out[n..]) {
                Ok(0) => break,
                Ok(more) => n += more,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
        Ok(n)
    }

    /// The decompressor's errors have no number of the operating system.
    pub(super) fn failed(&self, e: io::Error) -> DataError {
        failed(&self.file, self.gzip, e)
    }
}

/// An error of reading `file`.
pub(super) fn failed(file: &str, gzip: bool, e: io::Error) -> DataError {
    if gzip && e.raw_os_error().is_none() {
        return mismatch(file, format!("a broken gzip stream ({e})"), "whole gzip members");
    }
    DataError::Io { file: file.to_string(), source: e }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.reader.consume(n);
    }
}
