//! A connection that ends at another rank than it began at: its bytes, whatever they are, go over a channel between the two.
//!
//! An owner may so talk to whichever rank it reaches. TLS ends at rank 0, which therefore checks, keeps and answers as if it had been called itself; the rank between them sees what any
//! wire sees. So that neither end collects more than it can write, so many pieces are on their way at most, and each is acknowledged once it is written.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_mpc::Channel;
use trefoil_mpc::lanes::{bytes_of, words_of};

/// The first word of a channel over which a connection comes.
pub(super) const CALL: u64 = 3;

/// What a message is: bytes; that some were written; that there will be no more; that this is known.
const BYTES: u64 = 0;
const TAKEN: u64 = 1;
const END: u64 = 2;
const KNOWN: u64 = 3;

/// Bytes of a piece, and pieces on their way.
const PIECE: usize = 128 << 10;
const WINDOW: usize = 16;
/// Once the other end has said its last, this one has so long for its own; it looks whether so much time is over that often.
const FAREWELL: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(1);

/// How many pieces may still go, nothing where none may any more; and since when the other end has said its last.
struct Window {
    free: Mutex<Option<usize>>,
    changed: Condvar,
    ended: Mutex<Option<Instant>>,
}

impl Window {
    fn change(&self, change: impl FnOnce(usize) -> Option<usize>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.and_then(change);
        self.changed.notify_all();
    }

    /// Takes a place; false where there will be none.
    fn take(&self) -> bool {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.changed.wait_while(free, |free| *free == Some(0)).unwrap_or_else(PoisonError::into_inner);
        *free = free.map(|free| free - 1);
        free.is_some()
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_late(&self) -> bool {
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.is_some_and(|ended| ended.elapsed() > FAREWELL)
    }
}

/// Carries bytes both ways between a connection here and the one that another rank has, until both have ended.
///
/// # Errors
/// The connection has none of what a connection has.
pub(super) fn carry(tcp: &TcpStream, channel: &Channel, with: usize) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(LOOK))?;
    tcp.set_write_timeout(Some(FAREWELL))?;
    let window = Window { free: Mutex::new(Some(WINDOW)), changed: Condvar::new(), ended: Mutex::default() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut piece, mut from) = (vec![0; PIECE], tcp);
            loop {
                match from.read(&mut piece) {
                    Ok(n @ 1..) => {
                        let message = [&[BYTES][..], &words_of(&piece[..n])].concat();
                        if !window.take() || channel.say(with, &message).is_err() {
                            break;
                        }
                    }
                    Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && !window.is_late() => {}
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
            let _ = channel.say(with, &[END]);
        });
        hear(tcp, channel, with, &window);
        window.change(|_| None);
    });
    Ok(())
}

/// Writes what comes, until all of it has, and all that was sent is known.
fn hear(tcp: &TcpStream, channel: &Channel, with: usize, window: &Window) {
    let (mut to, mut ended, mut known) = (tcp, false, false);
    while !(ended && known) {
        let heard = channel.hear_of(with);
        let answer = match heard.as_ref().map(|words| words.split_first()) {
            Ok(Some((&BYTES, words))) => {
                let written = bytes_of(with, words).map_err(io::Error::other).and_then(|bytes| to.write_all(&bytes));
                if written.is_err() {
                    // The other end hears of it by this one's last word; until then what it sends is taken, and lost.
                    let _ = tcp.shutdown(Shutdown::Both);
                }
                TAKEN
            }
            Ok(Some((&TAKEN, _))) => {
                window.change(|free| Some(free + 1));
                continue;
            }
            Ok(Some((&END, _))) => {
                ended = true;
                window.end();
                let _ = tcp.shutdown(Shutdown::Write);
                KNOWN
            }
            Ok(Some((&KNOWN, _))) => {
                known = true;
                continue;
            }
            _ => break,
        };
        if channel.say(with, &[answer]).is_err() {
            break;
        }
    }
    if !(ended && known) {
        let _ = tcp.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;
    use trefoil_mpc::Switch;
    use trefoil_mpc::lanes::Threads;

    /// More than a window both ways, and each end learns that the other has ended.
    #[test]
    fn bytes_arrive_as_they_were() {
        let [near, far] = <[Threads; 2]>::try_from(Threads::new(2)).ok().unwrap().map(|wire| Arc::new(Switch::new(wire)));
        let sockets = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        };
        let ((mut client, called), (calling, mut server)) = (sockets(), sockets());
        let sent: Vec<u8> = (0..3 * WINDOW * PIECE + 5).map(|i| ((i * i) >> 7) as u8).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                let channel = near.open();
                channel.say(1, &[CALL]).unwrap();
                carry(&called, &channel, 1).unwrap();
            });
            scope.spawn(|| {
                let channel = far.accept(None).unwrap().unwrap();
                assert_eq!(channel.hear().unwrap(), (0, vec![CALL]));
                carry(&calling, &channel, 0).unwrap();
            });
            scope.spawn(|| {
                client.write_all(&sent).unwrap();
                let mut back = vec![0; sent.len()];
                client.read_exact(&mut back).unwrap();
                assert!(back == sent);
                client.shutdown(Shutdown::Write).unwrap();
                assert_eq!(client.read(&mut [0]).unwrap(), 0);
            });
            let mut all = vec![0; sent.len()];
            server.read_exact(&mut all).unwrap();
            assert!(all == sent);
            server.write_all(&all).unwrap();
            assert_eq!(server.read(&mut [0]).unwrap(), 0);
            drop(server);
        });
    }
}
