//! Being called, by those who are allowed to.

use super::{handshake, stream::Stream, verify::Pinned, verify::Stranger};
use crate::identity::{Fingerprint, Identity};
use crate::{Error, Result};
use rustls::ServerConfig;
use socket2::SockRef;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Handshakes and connections that nobody has accepted yet, together. Beyond it, new ones wait in the system's queue.
const MOST: usize = 256;
/// Of these, handshakes with one address, unless told otherwise. Two hundred clients may share an address: those beyond it are taken in
/// turn, and who is known is not counted any more.
pub const HANDSHAKES: usize = 64;
/// Connections from one address beyond it that wait for their turn, and those of all addresses; more are closed.
const TURNS: (usize, usize) = (256, 384);
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
    /// By [`origin`]; it has no zeros.
    handshakes: BTreeMap<IpAddr, usize>,
    most_from_one: usize,
    /// Connections from addresses that have as many handshakes as they may.
    turns: VecDeque<(TcpStream, SocketAddr)>,
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
        let state = State { most_from_one: HANDSHAKES, ..State::default() };
        let hall = Arc::new(Hall { state: Mutex::new(state), changed: Condvar::new() });
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

    /// How many handshakes with one address may be under way at once; [`HANDSHAKES`] unless told otherwise.
    pub fn limit_handshakes(&self, most_from_one: usize) {
        self.hall.lock().most_from_one = most_from_one.max(1);
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
        let mut state = self.hall.lock();
        state.closed = true;
        state.turns.clear();
        drop(state);
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
        let full = |s: &mut State| !s.closed && s.handshakes.values().sum::<usize>() + s.ready.len() >= MOST;
        let state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Takes a place for a handshake, and gives the connection back for it; none where it must wait for its turn, or is one too many.
    fn enter(&self, tcp: TcpStream, from: SocketAddr) -> Option<TcpStream> {
        let (mut state, origin) = (self.lock(), origin(from));
        if state.closed {
            return None;
        }
        let most = state.most_from_one;
        if state.handshakes.get(&origin).is_none_or(|under_way| *under_way < most) {
            *state.handshakes.entry(origin).or_default() += 1;
            return Some(tcp);
        }
        let waiting = state.turns.iter().filter(|(_, other)| self::origin(*other) == origin).count();
        if waiting < TURNS.0 && state.turns.len() < TURNS.1 {
            state.turns.push_back((tcp, from));
            return None;
        }
        // One error tells of it as well as a hundred; the address may open thousands.
        if state.errors.is_empty() {
            let why =
                format!("closed: {most} handshakes with this address are under way, and {waiting} connections from it wait");
            state.leave_error(Error::Handshake { address: from.to_string(), why });
            self.changed.notify_all();
        }
        None
    }

    /// Ends a handshake with an address. The place goes to the next connection from there, which comes back.
    fn leave(&self, from: SocketAddr, result: Result<(Stream, Fingerprint)>) -> Option<(TcpStream, SocketAddr)> {
        let mut state = self.lock();
        match result {
            Ok(connection) => state.ready.push_back(connection),
            Err(error) => state.leave_error(error),
        }
        let origin = origin(from);
        let next = state.turns.iter().position(|(_, next)| self::origin(*next) == origin).and_then(|i| state.turns.remove(i));
        if next.is_none()
            && let Some(under_way) = state.handshakes.get_mut(&origin)
        {
            *under_way -= 1;
            if *under_way == 0 {
                state.handshakes.remove(&origin);
            }
        }
        drop(state);
        self.changed.notify_all();
        next
    }
}

impl State {
    fn leave_error(&mut self, error: Error) {
        tracing::warn!("{error}");
        if self.errors.len() < ERRORS {
            self.errors.push_back(error);
        }
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
        let Some(tcp) = hall.enter(tcp, from) else { continue };
        let (config, theirs) = (config.clone(), hall.clone());
        let run = move || {
            let mut next = Some((tcp, from));
            while let Some((tcp, from)) = next {
                next = theirs.leave(from, handshake::server(tcp, &from.to_string(), config.clone()));
            }
        };
        if let Err(e) = thread::Builder::new().name("handshake".into()).spawn(run) {
            // Who waits for a turn from there is closed too: there is nothing to serve it with.
            let (kind, mut failed) = (e.kind(), Some(no_thread(from, e)));
            while let Some(error) = failed.take() {
                failed = hall.leave(from, Err(error)).map(|(_, from)| no_thread(from, kind.into()));
            }
        }
    }
}

/// Who an address counts as: what one subscriber gets, which for IPv6 is a network of 64 bits.
fn origin(from: SocketAddr) -> IpAddr {
    match from.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

fn no_thread(from: SocketAddr, e: io::Error) -> Error {
    Error::Handshake { address: from.to_string(), why: format!("no thread: {e}") }
}
