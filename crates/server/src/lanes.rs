//! A party on several machines: its ranks, and a session in as many lanes.
//!
//! Rank 0 is the party: the folder, the port, owners, jobs, checkpoints, and lane 0 of every session. The other ranks keep nothing. Where a session begins, rank 0
//! exchanges with both peers where their ranks listen, and tells its own ranks what the session is about. Rank i then finds rank i of both peers, makes
//! keys of its own with them, and follows rank 0 from step to step.
//!
//! A rank whose part of a session fails tells all others of its party, and waits for the next session, which rank 0 begins as after any fault.

use crate::config::Config;
use crate::handshake::{compare, hello, keys};
use crate::report::OfRank;
use crate::server::Here;
use crate::session::Session;
use crate::witness::{self, Witness};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, SuiteName, WithSuite};
use trefoil_job::{Job, JobHash};
use trefoil_mpc::{Lanes, Party, Seeds};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, mesh};
use trefoil_net::{Id, Net};
use trefoil_nn::{Trainer, Training};

/// More ranks are no cluster's.
pub const MOST: usize = 256;
/// The longest name of a host with its port.
const LONGEST: usize = 300;

/// What the ranks of a party say to one another, and to whom it belongs.
pub type Shared = Arc<Mutex<Lanes>>;

/// The lanes of a party, and which of its jobs has them.
pub(crate) struct Cluster {
    lanes: Shared,
    taken: Mutex<()>,
}

impl Cluster {
    pub(crate) fn new(lanes: Shared) -> Cluster {
        Cluster { lanes, taken: Mutex::default() }
    }
}

/// How many ranks this party has.
fn ranks(here: &Here) -> usize {
    here.cluster.as_ref().map_or(1, |cluster| lock(&cluster.lanes).ranks())
}

/// Where peers reach this party's ranks, but for the first.
///
/// # Errors
/// `lanes` of the configuration names another number of them.
pub(crate) fn offered(at: &Session<'_>) -> Result<Vec<String>> {
    at.here.config.lanes_of(&at.job.addresses()[at.me.index()].address, ranks(at.here))
}

/// Whether a job can be trained in this party's lanes.
///
/// # Errors
/// What cannot, in one line.
pub(crate) fn fits(here: &Here, job: &Job, trainer: &Trainer) -> Result<()> {
    knows_lanes(job.chosen().suite, ranks(here))?;
    Ok(trainer.fits_lanes(ranks(here))?)
}

fn knows_lanes(suite: SuiteName, lanes: usize) -> Result<()> {
    if lanes > 1 && suite != SuiteName::Masked {
        return Err(Error::config("lanes", format!("{lanes} with the suite {suite}"), "one, or the suite masked"));
    }
    Ok(())
}

/// What another rank is told of a session.
#[derive(Serialize, Deserialize)]
struct Told {
    session: String,
    job: JobHash,
    me: Id,
    training: Training,
    suite: Chosen,
    /// Both peers: which of the three, where each of their ranks listens, and their fingerprint.
    peers: Vec<(Id, Vec<String>, Fingerprint)>,
}

/// The lanes, while a session has them.
pub(crate) struct Held<'a> {
    lanes: Shared,
    _taken: MutexGuard<'a, ()>,
    over: bool,
}

impl Held<'_> {
    /// The party as lane 0.
    pub(crate) fn lead(&self, party: Party) -> Party {
        party.with_lanes(self.lanes.clone())
    }

    /// The other ranks have taken part in all that there was.
    pub(crate) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.lanes).fail("the session is over");
        }
    }
}

/// Rank 0: has the other ranks begin a session, where each party has some: as many lanes as the smallest party has ranks. `theirs` is what both peers
/// have [offered].
///
/// # Errors
/// A peer says something that is no address; the training cannot be split so; another job has the lanes; a rank is gone.
pub(crate) fn begin<'a>(
    at: &'a Session<'_>,
    trainer: &Trainer,
    session: &str,
    theirs: Vec<(Id, Vec<String>)>,
) -> Result<Option<Held<'a>>> {
    for (id, offered) in &theirs {
        if offered.len() >= MOST || offered.iter().any(|address| address.is_empty() || address.len() > LONGEST) {
            let what =
                format!("{id} sent {} addresses of ranks, expected fewer than {MOST} of at most {LONGEST} bytes", offered.len());
            return Err(Error::Handshake(what));
        }
    }
    let lanes = theirs.iter().map(|(_, offered)| offered.len() + 1).chain([ranks(at.here)]).min().unwrap_or(1);
    let Some(cluster) = at.here.cluster.as_ref().filter(|_| lanes > 1) else { return Ok(None) };
    trainer.fits_lanes(lanes)?;
    let addresses = at.job.addresses();
    let peers = theirs.into_iter().map(|(id, offered)| (id, offered, addresses[id.index()].fingerprint)).collect();
    let taken = cluster.taken.try_lock().map_err(|_| {
        Error::Protocol(trefoil_mpc::Error::Lane { rank: 0, why: "another job has the lanes of this party".into() })
    })?;
    let told = Told {
        session: session.to_owned(),
        job: at.here.hash,
        me: at.me,
        training: at.training.clone(),
        suite: at.job.chosen(),
        peers,
    };
    let held = Held { lanes: cluster.lanes.clone(), _taken: taken, over: false };
    let told = serde_json::to_vec(&told)
        .map_err(|e| Error::Handshake(format!("a session cannot be told to this party's other ranks: {e}")))?;
    lock(&held.lanes).begin(&told, lanes)?;
    tracing::info!(job = %at.here.hash, "{lanes} lanes");
    Ok(Some(held))
}

/// Runs another rank than 0 until rank 0 stops.
///
/// # Errors
/// The configuration or the port cannot be used; rank 0 is gone.
pub fn follow(config: &Config, identity: &Identity, lanes: &Shared) -> Result<()> {
    let rank = lock(lanes).lane().rank;
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let address = config.lane_listens(rank)?;
    // Whether it can is better known now. Between sessions nobody listens: a peer that is early tries again, and none is left over from an earlier session.
    drop(Listener::bind(&address, identity, &[])?);
    tracing::info!(rank, %address, "waiting for rank 0");
    loop {
        let Some(told) = lock(lanes).begun()? else { return Ok(()) };
        if let Err(e) = take_part(config, identity, lanes, &address, &told) {
            tracing::warn!(rank, "{e}");
            lock(lanes).fail(&e.to_string());
        }
    }
}

fn take_part(config: &Config, identity: &Identity, lanes: &Shared, address: &str, told: &[u8]) -> Result<()> {
    let lane = lock(lanes).lane();
    let told: Told = serde_json::from_slice(told).map_err(|e| Error::Handshake(format!("rank 0 sent no session: {e}")))?;
    let (me, timeout) = (told.me, config.timeout());
    let missing = || Error::Handshake(format!("rank 0 sent no address for rank {} of both peers", lane.rank));
    let peer = |(id, addresses, fingerprint): &(Id, Vec<String>, Fingerprint)| {
        Some((*id, addresses.get(lane.rank - 1)?.clone(), *fingerprint))
    };
    let peers: Vec<_> = told.peers.iter().filter_map(peer).collect();
    let peers = <[_; 2]>::try_from(peers).map_err(|_| missing())?;
    let listener = Listener::bind(address, identity, &peers.each_ref().map(|(_, _, fingerprint)| *fingerprint))?;
    let queue_bytes = config.queue_megabytes << 20;
    let options = Options { timeout, gather: timeout, queue_bytes, ..Options::default() };
    let mut net: Box<dyn Net> = Box::new(mesh(me, &listener, identity, peers, options)?);
    drop(listener);
    let until = Instant::now() + timeout * 10;
    let mut equal = hello(&told.training);
    equal.extend(hello(told.suite));
    for (name, value) in
        [("session", told.session.clone()), ("job", told.job.to_string()), ("lane", format!("{} of {}", lane.rank, lane.of))]
    {
        equal.insert(name.into(), value.into());
    }
    compare(&mut *net, &me.others(), "lane.hello", &equal, until)?;
    let (mut net, seen) = Witness::new(config.shaped(net)?);
    let seeds = match config.insecure.mask_seed {
        Some(seed) => Seeds::insecure(me, seed),
        None => keys(&mut net, me, until)?,
    };
    let trainer = told.training.clone().trainer()?;
    let spent = move |p: &Party| serde_json::to_vec(&OfRank::of(p, &witness::so_far(&seen))).unwrap_or_default();
    told.suite.with(Follow { trainer: &trainer, party: Party::new(me, net, seeds).with_lanes(lanes.clone()).answering(spent) })
}

/// Another lane's part of a training, with whichever engine.
struct Follow<'a> {
    trainer: &'a Trainer,
    party: Party,
}

impl WithSuite for Follow<'_> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        Ok(Compiled::follow(&mut engine(self.party), self.trainer)?)
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

fn lock(lanes: &Shared) -> MutexGuard<'_, Lanes> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(lanes: &str) -> Config {
        Config::parse(&format!("listen = \"0.0.0.0:7100\"\nkey = \"k\"\ndata = \"d\"\n{lanes}"), "party.toml").unwrap()
    }

    #[test]
    fn a_suite_without_lanes_refuses_them() {
        assert!(knows_lanes(SuiteName::Securenn, 1).is_ok() && knows_lanes(SuiteName::Masked, 4).is_ok());
        let e = knows_lanes(SuiteName::Securenn, 2).unwrap_err().to_string();
        assert!(e.contains("lanes: found 2 with the suite securenn, expected one, or the suite masked"), "{e}");
    }

    #[test]
    fn where_ranks_listen() {
        let beside = config("");
        assert_eq!(beside.lane_listens(2).unwrap(), "0.0.0.0:7102");
        assert_eq!(beside.lanes_of("bank.example.org:7100", 3).unwrap(), ["bank.example.org:7101", "bank.example.org:7102"]);
        assert!(beside.lanes_of("bank.example.org:65535", 2).err().unwrap().to_string().contains("at most 65535"));
        let named = config("lanes = [\"node2.bank.example.org:7000\"]");
        assert_eq!(named.lane_listens(1).unwrap(), "0.0.0.0:7000");
        assert_eq!(named.lanes_of("bank.example.org:7100", 2).unwrap(), ["node2.bank.example.org:7000"]);
        assert!(named.lanes_of("bank.example.org:7100", 4).err().unwrap().to_string().contains("found 1 addresses, expected 3"));
    }
}
