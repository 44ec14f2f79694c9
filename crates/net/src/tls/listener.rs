//! Being called, by those who are allowed to.

use super::{handshake, stream::Stream, verify::Pinned, verify::Stranger};
use crate::identity::{Fingerprint, Identity};
use crate::{Error, Result};
use rustls::ServerConfig;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Handshakes and connections that nobody has accepted yet, together. Beyond it, new ones wait in the system's queue.
const MOST: usize = 256;
/// The length of that queue; the system may have a bound of its own.
const BACKLOG: i32 = 1024;
/// Errors kept for `accept`.
const ERRORS: usize = 64;

/// Accepts connections from those whose fingerprints are allowed; the list may change. Handshakes run on threads of
/// their own, so that a stranger who connects and says nothing holds nobody up.
pub struct Listener {
    address: SocketAddr,
    allowed: Arc<Pinned>,
    hall: Arc<Hall>,
    thread: Option<JoinHandle<()>>,
}

/// Where connections wait between the handshake and `accept`.
struct Hall {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<(Stream, Fingerprint)>,
    errors: VecDeque<Error>,
    handshakes: usize,
    closed: bool,
}

impl Listener {
    /// Listens at `address` (`host:port`; port 0 takes any) in the name of `identity`.
    ///
    /// # Errors
    /// The address is taken or is none of this machine's.
    pub fn bind(address: &str, identity: &Identity, allowed: &[Fingerprint]) -> Result<Listener> {
        let failed = |source| Error::Bind { address: address.to_owned(), source };
        let allowed = Pinned::new(allowed.iter().copied());
        let config = handshake::server_config(identity, allowed.clone())?;
        let listener = TcpListener::bind(address).map_err(failed)?;
        SockRef::from(&listener).listen(BACKLOG).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let hall = Arc::new(Hall { state: Mutex::default(), changed: Condvar::new() });
        let theirs = hall.clone();
        let run = move || listen(&listener, &config, &theirs);
        let thread = thread::Builder::new().name("accept".into()).spawn(run).map_err(failed)?;
        Ok(Listener { address: local, allowed, hall, thread: Some(thread) })
    }

    /// Replaces the list of who may connect. It holds for every handshake from now on, and for connections that nobody
    /// has accepted yet; accepted ones stay as they are.
    pub fn allow(&self, allowed: impl IntoIterator<Item = Fingerprint>) {
        self.allowed.allow(allowed);
    }

    /// The address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next connection and who it is from, waiting at most `timeout`.
    ///
    /// # Errors
    /// Nobody connected, or a connection failed in its handshake; others are not affected.
    pub fn accept(&self, timeout: Duration) -> Result<(Stream, Fingerprint)> {
        let deadline = Instant::now() + timeout;
        let mut state = self.hall.lock();
        loop {
            if let Some((stream, from)) = state.ready.pop_front() {
                self.hall.changed.notify_all(); // a place is free
                if self.allowed.allows(from) {
                    return Ok((stream, from));
                }
                tracing::warn!("{}: {}", stream.address(), Stranger(from));
                continue;
            }
            if let Some(error) = state.errors.pop_front() {
                return Err(error);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Lonely { address: self.address.to_string(), after: timeout });
            }
            (state, _) = self.hall.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets `accept` find a connection (again).
    pub(super) fn put_back(&self, connection: (Stream, Fingerprint)) {
        self.hall.lock().ready.push_back(connection);
        self.hall.changed.notify_all();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hall.lock().closed = true;
        self.hall.changed.notify_all();
        // The thread is in `accept` until someone connects.
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let woken = TcpStream::connect_timeout(&(ip, self.address.port()).into(), Duration::from_secs(1));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join(); // it does not panic, and there is nothing left to do if it did
        }
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place; false where the listener has gone.
    fn wait(&self) -> bool {
        let full = |s: &mut State| !s.closed && s.handshakes + s.ready.len() >= MOST;
        let state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Takes a place for a handshake; false where the listener has gone.
    fn enter(&self) -> bool {
        let mut state = self.lock();
        state.handshakes += 1;
        !state.closed
    }

    fn leave(&self, result: Result<(Stream, Fingerprint)>) {
        let mut state = self.lock();
        state.handshakes -= 1;
        match result {
            Ok(connection) => state.ready.push_back(connection),
            Err(error) => {
                tracing::warn!("{error}");
                if state.errors.len() < ERRORS {
                    state.errors.push_back(error);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

fn listen(listener: &TcpListener, config: &Arc<ServerConfig>, hall: &Arc<Hall>) {
    // Only with a free place does a connection leave the system's queue: many at once wait, none is dropped.
    while hall.wait() {
        let (tcp, from) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(e) => {
                tracing::warn!("cannot accept: {e}");
                // Out of descriptors, most likely: without a pause this would spin.
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if !hall.enter() {
            return;
        }
        let (config, theirs) = (config.clone(), hall.clone());
        let run = move || theirs.leave(handshake::server(tcp, &from.to_string(), config));
        if let Err(e) = thread::Builder::new().name("handshake".into()).spawn(run) {
            hall.leave(Err(no_thread(from, e)));
        }
    }
}

fn no_thread(from: SocketAddr, e: io::Error) -> Error {
    Error::Handshake { address: from.to_string(), why: format!("no thread: {e}") }
}
