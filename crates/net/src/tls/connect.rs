//! Calling another process.

use super::{handshake, stream::Stream, verify::Pinned};
use crate::identity::{Fingerprint, Identity};
use crate::{Error, Result};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

/// Connects to `address` (`host:port`), where a listener with the certificate `expect` must answer. While nobody
/// listens there, tries again for `retry_for`: peers start at different times.
///
/// # Errors
/// Nobody listens, the certificate is another one, or the other end refuses this one.
pub fn connect(address: &str, identity: &Identity, expect: Fingerprint, retry_for: Duration) -> Result<Stream> {
    let config = handshake::client_config(identity, expect)?;
    let deadline = Instant::now() + retry_for;
    let failed = |source| Error::Connect { address: address.to_owned(), source };
    let passes = |e: &Error| matches!(e, Error::Connect { source, .. } if may_pass(source));
    let tcp = tried(deadline, passes, || dial(address, deadline).map_err(failed))?;
    handshake::client(tcp, address, config, expect, handshake::PATIENCE)
}

/// The same where several wait behind one port: the connection begins with `hello` in the clear, by which it is known for whom it is. The other end closes it as long as
/// nobody waits for it there, so all is tried again for `retry_for`, unless somebody else answers.
///
/// # Errors
/// As for [`connect`].
pub fn connect_for(address: &str, hello: &[u8], identity: &Identity, expect: Fingerprint, retry_for: Duration) -> Result<Stream> {
    let config = handshake::client_config(identity, expect)?;
    let deadline = Instant::now() + retry_for;
    let failed = |source| Error::Connect { address: address.to_owned(), source };
    tried(
        deadline,
        |e| !matches!(e, Error::Fingerprint { .. }),
        || {
            let mut tcp = dial(address, deadline).map_err(failed)?;
            tcp.write_all(hello).map_err(failed)?;
            handshake::client(tcp, address, config.clone(), expect, handshake::PLACE)
        },
    )
}

/// Tries until it works, fails for good, or there is no time for another try. The pauses between grow.
fn tried<T>(deadline: Instant, passes: impl Fn(&Error) -> bool, mut once: impl FnMut() -> Result<T>) -> Result<T> {
    let mut pause = Duration::from_millis(10);
    loop {
        match once() {
            Err(e) if passes(&e) && Instant::now() + pause < deadline => thread::sleep(pause),
            other => return other,
        }
        pause = (2 * pause).min(Duration::from_millis(200));
    }
}

/// Shakes hands over a connection that stands already, within `patience`: for who must tell which of the two failed.
///
/// # Errors
/// The certificate is another one, the other end refuses this one, or says nothing.
pub fn connect_over(
    tcp: TcpStream,
    address: &str,
    identity: &Identity,
    expect: Fingerprint,
    patience: Duration,
) -> Result<Stream> {
    handshake::client(tcp, address, handshake::client_config(identity, expect)?, expect, patience)
}

/// The other side of that: takes a connection that stands already from one of those who are `allowed`, and says who it is.
///
/// # Errors
/// It is from somebody else, or says nothing.
pub fn accept_over(tcp: TcpStream, from: &str, identity: &Identity, allowed: &[Fingerprint]) -> Result<(Stream, Fingerprint)> {
    handshake::server(tcp, from, handshake::server_config(identity, Pinned::new(allowed.iter().copied()))?)
}

fn dial(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        // Even with no time to retry, one try gets a second.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => return Ok(tcp),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn may_pass(e: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    use ErrorKind::{Interrupted, TimedOut};
    matches!(
        e.kind(),
        ConnectionRefused | ConnectionReset | ConnectionAborted | HostUnreachable | NetworkUnreachable | TimedOut | Interrupted
    )
}
