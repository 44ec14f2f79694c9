//! The port of another rank than 0. Ranks of peers call there for a session of their lane, and say first which one; whoever else calls is carried to rank 0, which is the party to them.
//!
//! A peer's link begins with [`HELLO`] and the session's name in the clear, before TLS: so it is known whom the session expects, and only these get any further. An owner that brings
//! a part of its upload begins likewise ([`Keeper`]). Everything else is passed on as it comes, and TLS ends at rank 0.

use super::keeper::Keeper;
use super::relay;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_client::parts;
use trefoil_mpc::Switch;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Options, Stream, TlsNet, accept_over, connect_for};
use trefoil_net::{Error as NetError, Id};

/// What a peer's link begins with. No TLS connection begins so, and an owner's part only as far as its last byte.
const HELLO: &[u8; 8] = b"trefoil\n";
/// Who has called must say what for within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at a time, and those of one address.
const MOST: (usize, usize) = (512, 128);

/// What a session of a lane is known by at these ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; 32]);

impl Name {
    /// Of what the three parties call it.
    pub(crate) fn of(session: &str, lane: usize) -> Name {
        Name(Sha256::digest(format!("trefoil lane {lane} of {session}")).into())
    }
}

/// A session that waits for its links, from whom it takes them, and those that have come.
struct Expected {
    peers: [(Id, Fingerprint); 2],
    links: [Option<Stream>; 2],
}

struct Hall {
    identity: Identity,
    switch: Arc<Switch>,
    keeper: Arc<Keeper>,
    waiting: Mutex<BTreeMap<Name, Expected>>,
    changed: Condvar,
    /// Connections by address.
    callers: Mutex<BTreeMap<IpAddr, usize>>,
    over: AtomicBool,
}

/// The port, open as long as this lives.
pub(crate) struct Door {
    hall: Arc<Hall>,
    address: SocketAddr,
}

impl Door {
    /// Listens at `address` in the name of `identity`.
    ///
    /// # Errors
    /// The address is taken or is none of this machine's.
    pub(crate) fn open(address: &str, identity: Identity, switch: Arc<Switch>, keeper: Arc<Keeper>) -> Result<Door> {
        let failed = |source| Error::Net(NetError::Bind { address: address.to_owned(), source });
        let listener = TcpListener::bind(address).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (waiting, changed, callers) = Default::default();
        let hall = Arc::new(Hall { identity, switch, keeper, waiting, changed, callers, over: AtomicBool::new(false) });
        let theirs = hall.clone();
        thread::Builder::new().name("door".into()).spawn(move || listen(&listener, &theirs)).map_err(failed)?;
        Ok(Door { hall, address: local })
    }

    /// The network of `me` in a session with the same rank of both peers, where each of them listens.
    ///
    /// # Errors
    /// A peer's rank does not come within `options.gather`, or is somebody else.
    pub(crate) fn meet(&self, me: Id, name: Name, peers: &[(Id, String, Fingerprint); 2], options: Options) -> Result<TlsNet> {
        let deadline = Instant::now() + options.gather;
        let expected = peers.each_ref().map(|(id, _, fingerprint)| (*id, *fingerprint));
        if !me.others().iter().all(|id| expected.iter().any(|(other, _)| other == id)) {
            return Err(Error::Handshake(format!("rank 0 named other peers than {me} has")));
        }
        self.hall.waiting().insert(name, Expected { peers: expected, links: [None, None] });
        let _place = Place(&self.hall, name);
        let call = |(id, address, fingerprint): &(Id, String, Fingerprint)| {
            call(address, &self.hall.identity, *fingerprint, name, deadline).map(|stream| (*id, stream))
        };
        let outgoing = [call(&peers[0])?, call(&peers[1])?];
        let mut waiting = self.hall.waiting();
        let incoming = loop {
            let came = waiting.get(&name).map_or([false; 2], |expected| expected.links.each_ref().map(Option::is_some));
            if came == [true; 2] {
                break waiting.remove(&name).map(|expected| expected.links);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NetError::Absent { peer: peers[usize::from(came[0])].0, after: options.gather }.into());
            }
            (waiting, _) = self.hall.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        };
        drop(waiting);
        match incoming {
            Some([Some(a), Some(b)]) => Ok(TlsNet::new(outgoing, [(peers[0].0, a), (peers[1].0, b)], options)?),
            _ => Err(Error::Handshake("found no links of the peers, expected both".into())),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.hall.over.store(true, Ordering::Relaxed);
        // The thread waits for somebody to connect.
        let _ = TcpStream::connect_timeout(&crate::status::this_machine(self.address), Duration::from_secs(1));
    }
}

/// A session that waits no longer, however that ends.
struct Place<'a>(&'a Hall, Name);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting().remove(&self.1);
    }
}

impl Hall {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Name, Expected>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a connection of this address, if there is one.
    fn enter(&self, from: IpAddr) -> bool {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (callers.values().sum::<usize>(), callers.get(&from).copied().unwrap_or(0));
        let room = all < MOST.0 && own < MOST.1;
        if room {
            callers.insert(from, own + 1);
        }
        room
    }

    fn leave(&self, from: IpAddr) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        match callers.get_mut(&from) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(callers.remove(&from)),
        }
    }

    /// Somebody has called: a peer for a session that waits for it, or anybody for rank 0.
    fn welcome(&self, mut tcp: TcpStream, from: SocketAddr) -> io::Result<()> {
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut first = [0];
        if tcp.peek(&mut first)? == 0 {
            return Ok(());
        }
        if first[0] != HELLO[0] {
            let channel = self.switch.open();
            channel.say(0, &[relay::CALL]).map_err(io::Error::other)?;
            tracing::debug!("{from} is passed on to rank 0");
            return relay::carry(&tcp, &channel, 0);
        }
        let (mut hello, mut name) = ([0; HELLO.len()], Name([0; 32]));
        tcp.read_exact(&mut hello)?;
        tcp.read_exact(&mut name.0)?;
        let allowed = self.waiting().get(&name).map(|expected| expected.peers.map(|(_, fingerprint)| fingerprint));
        if hello == *parts::HELLO {
            return self.keeper.welcome(&self.switch, &self.identity, tcp, from, &name.0).map_err(io::Error::other);
        }
        let Some(allowed) = allowed.filter(|_| hello == *HELLO) else { return Ok(()) };
        match accept_over(tcp, &from.to_string(), &self.identity, &allowed) {
            Err(e) => tracing::warn!("{e}"),
            Ok((stream, fingerprint)) => {
                if let Some(Expected { peers, links }) = self.waiting().get_mut(&name)
                    && let Some(i) = peers.iter().position(|(_, peer)| *peer == fingerprint)
                {
                    // A second connection of a peer replaces the first: that one was given up.
                    links[i] = Some(stream);
                }
                self.changed.notify_all();
            }
        }
        Ok(())
    }
}

fn listen(listener: &TcpListener, hall: &Arc<Hall>) {
    loop {
        let accepted = listener.accept();
        if hall.over.load(Ordering::Relaxed) {
            return;
        }
        let (tcp, from) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                tracing::warn!("cannot accept: {e}");
                // Out of descriptors, most likely: without a pause this would spin.
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        let ip = from.ip().to_canonical();
        if !hall.enter(ip) {
            tracing::warn!("closed: {from} has too many connections at once, or all together have");
            continue;
        }
        let theirs = hall.clone();
        let run = move || {
            theirs.welcome(tcp, from).unwrap_or_else(|e| tracing::debug!("{from}: {e}"));
            theirs.leave(ip);
        };
        if let Err(e) = thread::Builder::new().name("caller".into()).spawn(run) {
            tracing::error!("no thread for a caller: {e}");
            hall.leave(ip);
        }
    }
}

/// Calls a peer's rank until its session waits for this one.
fn call(address: &str, identity: &Identity, expect: Fingerprint, name: Name, deadline: Instant) -> Result<Stream> {
    let left = deadline.saturating_duration_since(Instant::now());
    Ok(connect_for(address, &[&HELLO[..], &name.0].concat(), identity, expect, left)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::lanes::Threads;
    use trefoil_net::Net;
    use trefoil_net::{At, Frame, Part};

    /// The three of a session meet, once each waits for the others. Whoever names another session, or is none of the three, gets nowhere.
    #[test]
    fn a_session_takes_its_own_peers_alone() {
        let keys = ["P0", "P1", "P2", "a stranger"].map(|name| Identity::generate(name).unwrap());
        let doors = Id::ALL.map(|id| {
            let wire = Threads::new(1).pop().unwrap();
            let key = keys[id.index()].clone();
            let keeper =
                Keeper::of(&crate::config::Config::parse("listen = \"\"\nkey = \"\"\ndata = \"none\"", "").unwrap(), 1, &key);
            Door::open("127.0.0.1:0", key, Arc::new(Switch::new(wire)), Arc::new(keeper.unwrap())).unwrap()
        });
        let at = |id: Id| (id, doors[id.index()].address.to_string(), keys[id.index()].fingerprint());
        let (_, address, fingerprint) = at(Id::P0);
        let tried =
            |key: &Identity, name: Name| call(&address, key, fingerprint, name, Instant::now()).err().map(|e| e.to_string());
        let name = Name::of("a session", 1);
        // Before it waits.
        assert!(tried(&keys[1], name).is_some());
        let options = Options { gather: Duration::from_secs(20), ..Options::default() };
        let meet = &|id: Id| doors[id.index()].meet(id, name, &id.others().map(at), options).unwrap();
        thread::scope(|scope| {
            let first = scope.spawn(|| meet(Id::P0));
            while !doors[0].hall.waiting().contains_key(&name) {
                thread::sleep(Duration::from_millis(1));
            }
            let refused = tried(&keys[3], name).unwrap();
            assert!(refused.contains("refused this certificate"), "{refused}");
            for other in [Name::of("a session", 2), Name::of("another", 1)] {
                assert!(tried(&keys[1], other).is_some());
            }
            let others = [Id::P1, Id::P2].map(|id| scope.spawn(move || meet(id)));
            let p0 = first.join().unwrap();
            let [p1, _p2] = others.map(|other| other.join().unwrap());
            let frame = Frame { at: At::default(), depth: 0, label: "test".into(), parts: vec![Part::words(&[5])] };
            p1.send(Id::P0, frame).unwrap();
            assert_eq!(p0.recv(Id::P1).unwrap().parts, [Part::words(&[5])]);
        });
        assert!(doors.iter().all(|door| door.hall.waiting().is_empty()));
    }
}
