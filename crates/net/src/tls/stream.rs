//! One TLS connection, read and written by one thread at a time.

use super::socket::Socket;
use crate::{Fault, Frame, Result, wire};
use rustls::Connection;
use std::io::{self, BufRead, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Plaintext that is encrypted before it goes to the socket: sixteen records a system call.
const BATCH: usize = 256 * 1024;

/// An authenticated, encrypted connection that blocks. Dropping it without [`close`](Self::close) cuts it: the other
/// end then sees an error, not an end.
pub struct Stream {
    tls: Connection,
    socket: Socket,
    address: String,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Stream {
    /// A connection that still has to shake hands.
    pub(super) fn new(mut tls: Connection, socket: Socket, address: String) -> Stream {
        tls.set_buffer_limit(Some(BATCH));
        Stream { tls, socket, address, read_timeout: None, write_timeout: None }
    }

    /// The other end's address, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Bounds how long one read waits for data and one write for room; `None` waits for ever.
    ///
    /// # Errors
    /// A timeout of zero.
    pub fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> Result<()> {
        (self.read_timeout, self.write_timeout) = (read, write);
        self.socket.set_timeouts(read, write).map_err(|e| Fault::Io(e).at(&self.address))
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The other end is gone or takes no data within the timeout. The stream is of no use afterwards.
    pub fn write_frame(&mut self, frame: &Frame) -> Result<()> {
        self.put(frame).map_err(|fault| fault.at(&self.address))
    }

    /// The next frame, at most `max` bytes of payload; `None` where the other end has closed the stream.
    ///
    /// # Errors
    /// The stream was cut, nothing arrived within the timeout, or it is no frame. The stream is of no use afterwards.
    pub fn read_frame(&mut self, max: usize) -> Result<Option<Frame>> {
        let frame = wire::read_header(self, max).and_then(|h| h.map(|h| h.read_parts(self)).transpose());
        frame.map_err(|fault| self.reading(fault).at(&self.address))
    }

    /// Tells the other end that this was all, and closes the connection.
    ///
    /// # Errors
    /// The other end is gone already.
    pub fn close(mut self) -> Result<()> {
        self.farewell().map_err(|e| self.writing(e.into()).at(&self.address))
    }

    /// Bytes written to the socket so far: frames, TLS and handshake.
    pub fn written(&self) -> u64 {
        self.socket.sent().load(Ordering::Relaxed)
    }

    pub(super) fn put(&mut self, frame: &Frame) -> std::result::Result<(), Fault> {
        wire::write(frame, self).map_err(|fault| self.writing(fault))
    }

    /// Sends a frame that fits into a batch without waiting, where nothing else is left to be sent; false if the socket did not take all of it:
    /// the rest goes before whatever is sent next.
    pub(super) fn put_at_once(&mut self, frame: &Frame) -> std::result::Result<bool, Fault> {
        let mut bytes = Vec::with_capacity(wire::footprint(frame));
        wire::write(frame, &mut bytes)?;
        self.tls.writer().write_all(&bytes)?;
        self.socket.tcp().set_nonblocking(true)?;
        let drained = self.drain();
        self.socket.tcp().set_nonblocking(false)?;
        match drained {
            Err(e) if e.kind() == ErrorKind::TimedOut => Ok(false),
            drained => Ok(drained.map(|()| true)?),
        }
    }

    pub(super) fn farewell(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.drain()?;
        self.socket.tcp().shutdown(Shutdown::Write)
    }

    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        self.socket.sent()
    }

    pub(super) fn received(&self) -> Arc<AtomicU64> {
        self.socket.received()
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        self.socket.tcp()
    }

    pub(super) fn tls(&self) -> &Connection {
        &self.tls
    }

    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Drives the handshake to its end.
    pub(super) fn shake_hands(&mut self) -> io::Result<()> {
        loop {
            self.drain()?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn reading(&self, fault: Fault) -> Fault {
        timeout(fault, |after| Fault::Timeout { after }, self.read_timeout)
    }

    fn writing(&self, fault: Fault) -> Fault {
        timeout(fault, |after| Fault::Blocked { after }, self.write_timeout)
    }

    /// Writes everything that is encrypted.
    fn drain(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads and decrypts some more; false at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        self.drain()?;
        let n = self.tls.read_tls(&mut self.socket)?;
        if let Err(e) = self.tls.process_new_packets() {
            let _ = self.drain(); // the alert that says why; the error is the news
            return Err(io::Error::new(ErrorKind::InvalidData, e));
        }
        Ok(n > 0)
    }
}

fn timeout(fault: Fault, to: impl Fn(Duration) -> Fault, after: Option<Duration>) -> Fault {
    match (fault, after) {
        (Fault::Io(e), Some(after)) if e.kind() == ErrorKind::TimedOut => to(after),
        (fault, _) => fault,
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(out) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.fill()?;
        }
    }
}

/// What was decrypted, where it was: read without a copy.
impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while let Err(e) = self.tls.reader().fill_buf() {
            if e.kind() != ErrorKind::WouldBlock {
                return Err(e);
            }
            self.fill()?;
        }
        self.tls.reader().into_first_chunk()
    }

    fn consume(&mut self, n: usize) {
        self.tls.reader().consume(n);
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.drain()?;
        let n = self.tls.writer().write_vectored(slices)?;
        self.drain()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()
    }
}
