//! A TCP socket that counts what it sends, reads in large pieces, and can have a deadline.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BUFFER: usize = 256 * 1024;

pub(super) struct Socket {
    tcp: TcpStream,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    deadline: Option<Instant>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Socket {
    /// A socket on which nothing waits beyond `deadline`.
    pub(super) fn new(tcp: TcpStream, deadline: Instant) -> io::Result<Socket> {
        tcp.set_nodelay(true)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let (sent, received) = Default::default();
        Ok(Socket { tcp, sent, received, deadline: Some(deadline), buffer, start: 0, end: 0 })
    }

    /// Ends the deadline: from now on, each read and each write has its own.
    pub(super) fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.deadline = None;
        self.tcp.set_read_timeout(read)?;
        self.tcp.set_write_timeout(write)
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Counts the bytes written.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        self.sent.clone()
    }

    /// Counts the bytes read.
    pub(super) fn received(&self) -> Arc<AtomicU64> {
        self.received.clone()
    }

    /// Waits, at most for `patience`, until the other end has read everything and closed: a socket that is closed
    /// with unread input resets the connection, and the other end would lose the reason.
    pub(super) fn linger(&mut self, patience: Duration) {
        self.deadline = Some(Instant::now() + patience);
        if self.tcp.shutdown(Shutdown::Write).is_ok() {
            loop {
                self.start = self.end;
                if !matches!(self.read(&mut [0]), Ok(1..)) {
                    return;
                }
            }
        }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// The same kind on every system.
fn timed_out(e: io::Error) -> io::Error {
    if e.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { e }
}

fn again<T>(mut f: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match f() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other.map_err(timed_out),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if let Some(left) = self.left()? {
                self.tcp.set_read_timeout(Some(left))?;
            }
            self.start = 0;
            self.end = 0;
            self.end = again(|| self.tcp.read(&mut self.buffer))?;
            self.received.fetch_add(self.end as u64, Ordering::Relaxed);
        }
        let n = out.len().min(self.end - self.start);
        out[..n].copy_from_slice(&self.buffer[self.start..self.start + n]);
        self.start += n;
        Ok(n)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.tcp.set_write_timeout(Some(left))?;
        }
        let n = again(|| self.tcp.write_vectored(slices))?;
        self.sent.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
