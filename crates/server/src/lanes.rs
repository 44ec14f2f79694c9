//! A party on several machines: its ranks, and a session in as many lanes.
//!
//! Rank 0 is the party: the folder, the port, owners, jobs, checkpoints, and lane 0 of every session. The other ranks keep nothing on a disk but parts of uploads, where the operator wants that (`parts.rs`); in a session each holds its rows of the records. Where a session begins, rank 0
//! exchanges with both peers where their ranks listen, and tells its own ranks what the session is about. Rank i then finds rank i of both peers, makes
//! keys of its own with them, and follows rank 0 from step to step, or from pass to pass (`service`).
//!
//! Each session is a conversation of its own between the ranks, so several jobs and services are in the lanes at a time. A rank whose part of a session fails tells all others of its party,
//! and rank 0 begins the next session as after any fault. Whoever calls another rank than 0, an owner say, is carried to rank 0.

mod door;
pub(crate) mod keeper;
pub(crate) mod parts;
mod relay;
mod training;

pub(crate) use training::{Held, begin};

use crate::config::Config;
use crate::handshake::{compare, hello};
use crate::server::Server;
use crate::service::{self, Budget};
use crate::{Error, Result, status};
use door::{Door, Name};
use keeper::Keeper;
use serde::{Deserialize, Serialize};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use trefoil_client::Address;
use trefoil_job::Job;
use trefoil_job::suites::SuiteName;
use trefoil_mpc::{Channel, Switch};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::Options;
use trefoil_net::{Id, Net};

/// More ranks are no cluster's.
pub const MOST: usize = 256;
/// The longest name of a host with its port.
const LONGEST: usize = 300;

/// What a conversation between ranks is about, in its first word; see also [`relay`].
const LEAVE: u64 = 0;
const TRAIN: u64 = 1;
pub(crate) const SERVE: u64 = 2;

/// How many ranks this party has.
fn ranks(server: &Server) -> usize {
    server.ranks.as_ref().map_or(1, |ranks| ranks.size())
}

/// Where peers reach this party's ranks, but for the first, which they reach at `own`.
///
/// # Errors
/// `lanes` of the configuration names another number of them.
pub(crate) fn offered(server: &Server, own: &Address) -> Result<Vec<String>> {
    server.config.lanes_of(&own.address, ranks(server))
}

/// Whether a job can be trained in this party's lanes, however many of them a session has: that is known once the peers have said how many ranks they have.
///
/// # Errors
/// What cannot, in one line.
pub(crate) fn fits(server: &Server, job: &Job) -> Result<()> {
    knows_lanes(job.chosen().suite, ranks(server))
}

fn knows_lanes(suite: SuiteName, lanes: usize) -> Result<()> {
    if lanes > 1 && suite != SuiteName::Masked {
        return Err(Error::config("lanes", format!("{lanes} with the suite {suite}"), "one, or the suite masked"));
    }
    Ok(())
}

/// A session that has lanes, as its ranks are told of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Meeting {
    pub(crate) session: String,
    pub(crate) me: Id,
    /// How many.
    pub(crate) lanes: usize,
    /// Both peers: which of the three, where each of their ranks but the first listens, and their fingerprint.
    peers: Vec<(Id, Vec<String>, Fingerprint)>,
}

impl Meeting {
    /// Of as many lanes as the smallest party has ranks; `theirs` is what both peers have [offered].
    ///
    /// # Errors
    /// A peer says something that is no address.
    pub(crate) fn of(
        server: &Server,
        session: &str,
        me: Id,
        addresses: &[Address; 3],
        theirs: Vec<(Id, Vec<String>)>,
    ) -> Result<Meeting> {
        for (id, offered) in &theirs {
            if offered.len() >= MOST || offered.iter().any(|address| address.is_empty() || address.len() > LONGEST) {
                let n = offered.len();
                let what = format!("{id} sent {n} addresses of ranks, expected fewer than {MOST} of at most {LONGEST} bytes");
                return Err(Error::Handshake(what));
            }
        }
        let lanes = theirs.iter().map(|(_, offered)| offered.len() + 1).chain([ranks(server)]).min().unwrap_or(1);
        let peers = theirs.into_iter().map(|(id, offered)| (id, offered, addresses[id.index()].fingerprint)).collect();
        Ok(Meeting { session: session.to_owned(), me, lanes, peers })
    }
}

/// Says words to a rank of this party.
///
/// # Errors
/// It is gone.
pub(crate) fn say(channel: &Channel, rank: usize, words: &[u64]) -> Result<()> {
    channel.say(rank, words).map_err(|why| Error::Protocol(trefoil_mpc::Error::Lane { rank, why }))
}

/// The next words of this party's rank `rank`.
///
/// # Errors
/// It is gone.
pub(crate) fn hear(channel: &Channel, rank: usize) -> Result<Vec<u64>> {
    channel.hear_of(rank).map_err(|why| Error::Protocol(trefoil_mpc::Error::Lane { rank, why }))
}

/// Rank 0: whoever calls another rank is answered as if it had called here, from a thread of its own.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn take_calls(server: &Arc<Server>) -> Result<()> {
    let Some(ranks) = server.ranks.clone() else { return Ok(()) };
    let own = status::this_machine(server.listener.local_addr());
    let jobs = server.jobs().iter().filter(|(_, entry)| !entry.record.state.is_over()).map(|(hash, _)| *hash).collect();
    parts::keep(server, jobs);
    let server = server.clone();
    let run = move || {
        while let Ok(channel) = ranks.accept(None) {
            let Some(channel) = channel else { continue };
            let server = server.clone();
            let carry = move || match channel.hear() {
                Ok((rank, words)) if words == [relay::CALL] => {
                    let carried = TcpStream::connect(own).and_then(|tcp| relay::carry(&tcp, &channel, rank));
                    carried.unwrap_or_else(|e| tracing::warn!("a call of rank {rank}: {e}"));
                }
                Ok((rank, words)) if words.first() == Some(&parts::OWNER) => {
                    parts::decide(&server, &channel, rank, &words[1..])
                        .unwrap_or_else(|e| tracing::warn!("an owner at rank {rank}: {e}"));
                }
                _ => {}
            };
            if let Err(e) = thread::Builder::new().name("relay".into()).spawn(carry) {
                tracing::error!("no thread for a call of another rank: {e}");
            }
        }
    };
    let none = |e| Error::config("threads", e, "one that waits for other ranks' calls");
    thread::Builder::new().name("calls".into()).spawn(run).map(drop).map_err(none)
}

/// Rank 0: no other rank need wait for anything any more.
pub fn leave(ranks: &Arc<Switch>) {
    let channel = ranks.open();
    for rank in 1..ranks.size() {
        // One that does not hear it is gone.
        let _ = channel.say(rank, &[LEAVE]);
    }
}

/// Another rank than 0, as its sessions see it.
pub(crate) struct Rank {
    pub(crate) config: Config,
    door: Door,
    number: usize,
    keeper: Arc<Keeper>,
    /// Of the lanes of all services.
    pub(crate) budget: Option<Arc<Budget>>,
}

/// Runs another rank than 0 until rank 0 stops.
///
/// # Errors
/// The configuration or the port cannot be used; rank 0 is gone.
pub fn follow(config: Config, identity: Identity, ranks: &Arc<Switch>) -> Result<()> {
    let number = ranks.rank();
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let address = config.lane_listens(number)?;
    let keeper = Arc::new(Keeper::of(&config, number, &identity)?);
    let door = Door::open(&address, identity, ranks.clone(), keeper.clone())?;
    tracing::info!(rank = number, %address, "waiting for rank 0");
    let budget = config.serve_threads.map(|threads| Arc::new(Budget::new(threads)));
    let own = Arc::new(Rank { config, door, number, keeper, budget });
    loop {
        let gone = |why| Error::Protocol(trefoil_mpc::Error::Lane { rank: 0, why });
        let Some(channel) = ranks.accept(None).map_err(gone)? else { continue };
        let words = hear(&channel, 0)?;
        if words == [LEAVE] {
            return Ok(());
        }
        let own = own.clone();
        let run = move || {
            let _whole = Whole;
            match words[..] {
                [TRAIN] => own.train(channel),
                [SERVE] => service::serve_lane(&own, &channel),
                [parts::KEPT] => own.answer(&channel),
                _ => tracing::warn!(rank = number, "rank 0 wants something that is not known here"),
            }
        };
        thread::Builder::new().name("session".into()).spawn(run).map_err(|e| gone(format!("no thread: {e}")))?;
    }
}

/// A rank that has come to an internal error ends, and MPI its party with it: what others wait for would never come.
struct Whole;

impl Drop for Whole {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::exit(1);
        }
    }
}

impl Rank {
    /// Which one it is.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The same rank of both peers is found, and all three mean the same: `about` is the session's own.
    ///
    /// # Errors
    /// They do not come, or mean something else.
    pub(crate) fn meet(&self, meeting: &Meeting, about: impl Serialize) -> Result<Box<dyn Net>> {
        let (me, timeout, lane) = (meeting.me, self.config.timeout(), self.number);
        let missing = || Error::Handshake(format!("rank 0 sent no address for rank {lane} of both peers"));
        let peer = |(id, addresses, fingerprint): &(Id, Vec<String>, Fingerprint)| {
            Some((*id, addresses.get(lane - 1)?.clone(), *fingerprint))
        };
        let peers: Vec<_> = meeting.peers.iter().filter_map(peer).collect();
        let peers = <[_; 2]>::try_from(peers).map_err(|_| missing())?;
        let queue_bytes = self.config.queue_megabytes << 20;
        let options = Options { timeout, gather: timeout, queue_bytes, ..Options::default() };
        let net: Box<dyn Net> = Box::new(self.door.meet(me, Name::of(&meeting.session, lane), &peers, options)?);
        let mut equal = hello(about);
        equal.insert("session".into(), meeting.session.clone().into());
        equal.insert("lane".into(), format!("{lane} of {}", meeting.lanes).into());
        compare(&*net, &me.others(), "lane.hello", &equal, self.until())?;
        self.config.shaped(net)
    }

    /// How long peers may take for what comes before a session.
    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.config.timeout() * 10
    }
}

impl Config {
    /// Where rank `rank` listens: beside the party's own port, or at the port of its address in `lanes`.
    ///
    /// # Errors
    /// There is no such port.
    pub fn lane_listens(&self, rank: usize) -> Result<String> {
        let (host, port) = host_and_port(&self.listen)?;
        let port = match self.lanes.get(rank - 1) {
            Some(address) => host_and_port(address)?.1,
            None => beside(port, rank, &self.listen)?,
        };
        Ok(format!("{host}:{port}"))
    }

    /// Where peers reach ranks 1 and up of so many, where they reach rank 0 at `own`.
    ///
    /// # Errors
    /// `lanes` names another number of them; there are no such ports.
    pub fn lanes_of(&self, own: &str, ranks: usize) -> Result<Vec<String>> {
        if self.lanes.len() + 1 == ranks {
            return Ok(self.lanes.clone());
        }
        if !self.lanes.is_empty() {
            let found = format!("{} addresses", self.lanes.len());
            return Err(Error::config("lanes", found, format!("{}, one for each rank but the first", ranks - 1)));
        }
        let (host, port) = host_and_port(own)?;
        (1..ranks).map(|rank| Ok(format!("{host}:{}", beside(port, rank, own)?))).collect()
    }
}

fn host_and_port(address: &str) -> Result<(&str, u16)> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.ok_or_else(|| Error::config("address", address, "host:port"))
}

fn beside(port: u16, rank: usize, of: &str) -> Result<u16> {
    let free = u16::try_from(rank).ok().and_then(|rank| port.checked_add(rank)).filter(|_| port > 0);
    free.ok_or_else(|| {
        Error::config("lanes", format!("rank {rank} beside {of}"), "a port of at most 65535, or addresses in `lanes`")
    })
}

#[cfg(test)]
mod tests;
