//! A computing party, as a long-running server: `trefoil party`; and what looks at one from outside.
//!
//! | where | what |
//! |---|---|
//! | [`config`] | `party.toml` |
//! | [`record`] | what is remembered of a job |
//! | `requests` | who may ask for what |
//! | `approvals` | who has agreed, by signatures |
//! | `uploads` | owners' records on their way to the disk |
//! | `runner` | one thread a job: waits until it can begin, begins again after a fault |
//! | `links`, `session` | the two peers are found; one session from handshake to model |
//! | [`handshake`] | fresh keys, and the comparison of everything that must be equal |
//! | `records` | the records of all owners, from the disk into the engine |
//! | `checks` | whether owners have handed in what the job says |
//! | `checkpoint` | the state's shares, sealed, at steps that all three agree on |
//! | `stored` | what the database has of jobs, checked before it is believed |
//! | `heads` | where the three audit logs stand, in each other |
//! | [`openings`] | which epochs' figures have been opened, each at most once |
//! | [`event`], [`report`], [`witness`] | what a party says while it runs; what a run took; what was received |
//! | `status`, [`machine`] | health and metrics; what a result was measured on |
//! | [`logs`] | audit logs of several parties, and the signed approvals in them |
//! | [`doctor`] | what is wrong with a configuration, a key, a job or the way to the parties |

mod approvals;
mod checkpoint;
mod checks;
pub mod config;
pub mod doctor;
mod error;
pub mod event;
pub mod handshake;
mod heads;
mod links;
pub mod logs;
pub mod machine;
pub mod openings;
pub mod record;
mod records;
pub mod report;
mod requests;
mod runner;
mod session;
mod status;
mod stored;
mod uploads;
pub mod witness;

pub use error::{Error, Result};
pub use event::Event;

use config::Config;
use record::{Record, State};
pub(crate) use requests::describe;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trefoil_client::peers::Peers;
use trefoil_job::Job;
use trefoil_net::Error as NetError;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Stream};
use trefoil_store::{Database, Folder, StorageKey, audit};

/// The version of the conversation between parties; parties of another one are refused.
pub const PROTOCOL: u32 = 3;

/// Connections of clients at a time.
const MOST_CLIENTS: usize = 512;
/// Jobs that are remembered.
const MOST_JOBS: usize = 1000;
/// Jobs of one proposer that wait for approval.
const MOST_PROPOSALS: usize = 16;
/// Connections of one client at a time.
const MOST_OF_ONE: usize = 32;
const JOBS: &str = "jobs";

/// A running party.
pub struct Server {
    config: Config,
    identity: Identity,
    key: StorageKey,
    listener: Listener,
    database: Database,
    audit: Mutex<audit::Log>,
    jobs: Mutex<BTreeMap<String, Entry>>,
    /// Jobs of the database that are not what they were, and why.
    aside: BTreeMap<String, String>,
    /// Something about a job has changed.
    changed: Condvar,
    stop: &'static AtomicBool,
    emit: Mutex<Box<dyn FnMut(Event) + Send>>,
    clients: Mutex<BTreeMap<Fingerprint, usize>>,
    /// Refusals of somebody, and since when they are counted.
    refusals: Mutex<BTreeMap<Fingerprint, (Instant, u64)>>,
    refused: AtomicU64,
    /// Locked for as long as the server lives.
    data: Folder,
}

/// A job: what is on disk, and what is going on.
struct Entry {
    record: Record,
    approvals: approvals::Approvals,
    running: bool,
    /// What the runner waits for at its peers.
    waiting_for: Option<String>,
    /// Whether links of peers are taken; those that came.
    gathering: bool,
    links: [Option<Stream>; 3],
    /// In a session: the step it is at.
    session: Option<u64>,
    uploads: BTreeMap<Fingerprint, Arc<Mutex<uploads::Slot>>>,
}

impl Entry {
    fn new(record: Record) -> Entry {
        Entry {
            record,
            approvals: BTreeMap::new(),
            running: false,
            waiting_for: None,
            gathering: false,
            links: [None, None, None],
            session: None,
            uploads: BTreeMap::new(),
        }
    }
}

/// What a party is started with, beside its configuration.
pub struct Start {
    /// Its identity.
    pub identity: Identity,
    /// A job that its operator has approved with the command.
    pub approve: Option<Job>,
    /// Set when the party is to stop.
    pub stop: &'static AtomicBool,
    /// Told what happens.
    pub emit: Box<dyn FnMut(Event) + Send>,
}

/// Runs a party until it is told to stop.
///
/// # Errors
/// The configuration, the data folder or the port cannot be used. What happens to a job is kept with the job.
pub fn run(config: Config, start: Start) -> Result<()> {
    let Start { identity, approve, stop, emit } = start;
    // A pool that exists already (in tests) keeps its size.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let folder = Folder::lock(&config.data)?;
    let key = StorageKey::derive(&identity.derive("storage")[..]);
    let database = Database::open(config.data.join("jobs.redb"))?;
    let stored::Stored { jobs, aside, untrue } = stored::load(&database, identity.fingerprint())?;
    let log = audit::Log::open(config.data.join("audit.jsonl"))?;
    let listener = Listener::bind(&config.listen, &identity, &[identity.fingerprint()])?;
    listener.limit_handshakes(config.most_handshakes_per_address);
    let server = Arc::new(Server {
        identity,
        key,
        listener,
        database,
        audit: Mutex::new(log),
        jobs: Mutex::new(jobs),
        aside,
        changed: Condvar::new(),
        stop,
        emit: Mutex::new(emit),
        clients: Mutex::default(),
        refusals: Mutex::default(),
        refused: AtomicU64::new(0),
        data: folder,
        config,
    });
    let address = server.listener.local_addr().to_string();
    server.note(json!({ "what": "started", "address": address, "version": crate::machine::version(), "fingerprint": server.identity.fingerprint() }))?;
    for (hash, why) in server.aside.iter().chain(untrue.iter().map(|(hash, why)| (hash, why))) {
        server.note(json!({ "what": "set aside", "job": hash, "why": why }))?;
        tracing::error!("set aside: {why}");
    }
    server.tidy()?;
    tracing::info!(%address, fingerprint = %server.identity.fingerprint(), "listening");
    if let Some(job) = approve {
        requests::approve_by_operator(&server, job)?;
    }
    let _status = server.config.status_address()?.map(|at| status::serve(at, &server)).transpose()?;
    server.admit()?;
    let waiting: Vec<String> = server.jobs().keys().cloned().collect();
    waiting.iter().for_each(|hash| runner::ensure(&server, hash));
    server.say(Event::Listening { address });
    server.receive();
    server.wind_up();
    server.note(json!({ "what": "stopped" }))?;
    Ok(())
}

impl Server {
    /// What a crash has left: shares of jobs that are over, and files that were being written.
    fn tidy(&self) -> Result<()> {
        for (hash, entry) in self.jobs().iter() {
            match entry.record.state {
                State::Trained => uploads::forget(self, hash),
                State::Cancelled { .. } => uploads::abandon(self, hash),
                _ => {}
            }
            let below = Path::new("jobs").join(hash);
            for folder in [below.join("checkpoints"), below].iter().filter(|f| self.config.data.join(f).is_dir()) {
                self.data.remove_partial(folder)?;
            }
        }
        Ok(())
    }

    /// Takes connections until told to stop.
    fn receive(self: &Arc<Self>) {
        let mut last_look = Instant::now();
        let modified = || std::fs::metadata(&self.config.peers).and_then(|m| m.modified()).ok();
        let (mut looked, mut peers) = (Instant::now(), modified());
        while !self.stop.load(Ordering::Relaxed) {
            // `trefoil peers add` takes effect without a restart.
            if looked.elapsed() > Duration::from_secs(1) {
                looked = Instant::now();
                let now = modified();
                if now != peers {
                    peers = now;
                    self.admit().unwrap_or_else(|e| tracing::error!("peers: {e}"));
                }
            }
            match self.listener.accept(Duration::from_millis(100)) {
                Ok((stream, from)) => self.welcome(stream, from),
                Err(NetError::Lonely { .. }) => {}
                Err(e) => {
                    // Strangers cannot fill the disk: one line a second at most.
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    if last_look.elapsed() > Duration::from_secs(1) {
                        last_look = Instant::now();
                        self.noted(json!({ "what": "refused connection", "why": e.to_string() }));
                    }
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, mut stream: Stream, from: Fingerprint) {
        let place = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            let (all, own) = (clients.values().sum::<usize>(), clients.get(&from).copied().unwrap_or(0));
            if all >= MOST_CLIENTS || own >= MOST_OF_ONE {
                drop(clients);
                trefoil_client::refuse(&mut stream, "too many connections at once; try again");
                return;
            }
            clients.insert(from, own + 1);
            Place(self.clone(), from)
        };
        let run = move || requests::serve(&place.0, stream, from);
        if let Err(e) = std::thread::Builder::new().name("client".into()).spawn(run) {
            tracing::error!("no thread for a client: {e}");
        }
    }

    /// Waits until no session runs, for as long as the configuration says.
    fn wind_up(&self) {
        tracing::info!("stopping: sessions end after their next checkpoint, within {} s", self.config.grace);
        let until = Instant::now() + Duration::from_secs_f64(self.config.grace);
        let mut jobs = self.jobs();
        while jobs.values().any(|e| e.session.is_some()) && Instant::now() < until {
            (jobs, _) = self.changed.wait_timeout(jobs, Duration::from_millis(50)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of a job that is not here.
    fn unknown(&self, hash: &str) -> Error {
        self.aside.get(hash).map_or_else(|| unknown(hash), |why| Error::Refused(why.clone()))
    }

    /// The record of a job.
    fn record(&self, hash: &str) -> Result<Record> {
        self.jobs().get(hash).map(|e| e.record.clone()).ok_or_else(|| self.unknown(hash))
    }

    /// Changes the record of a job, on disk first.
    fn update<T>(&self, hash: &str, change: impl FnOnce(&mut Record) -> T) -> Result<T> {
        let mut jobs = self.jobs();
        let entry = jobs.get_mut(hash).ok_or_else(|| self.unknown(hash))?;
        let mut record = entry.record.clone();
        let out = change(&mut record);
        if record != entry.record {
            self.database.put(JOBS, hash, &record)?;
            entry.record = record;
        }
        drop(jobs);
        self.changed.notify_all();
        Ok(out)
    }

    /// Changes the record of a job that nobody has cancelled.
    fn advance(&self, hash: &str, change: impl FnOnce(&mut Record)) -> Result<()> {
        self.update(hash, |r| match &r.state {
            State::Cancelled { by } => Err(Error::Refused(format!("cancelled by {by}"))),
            _ => {
                change(r);
                Ok(())
            }
        })?
    }

    /// Changes what is going on with a job.
    fn live<T>(&self, hash: &str, change: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let out = self.jobs().get_mut(hash).map(change).ok_or_else(|| self.unknown(hash));
        self.changed.notify_all();
        out
    }

    /// Lets in the operator, the peers of the peers file, and everybody who is in a job that the operator has approved.
    fn admit(&self) -> Result<()> {
        let mut allowed = BTreeSet::from([self.identity.fingerprint()]);
        allowed.extend(Peers::load(&self.config.peers)?.iter().map(|(_, peer)| peer.fingerprint));
        for record in self.jobs().values().map(|e| &e.record) {
            if record.approved && !matches!(record.state, State::Cancelled { .. }) {
                allowed.extend(record.job.members());
            }
        }
        self.listener.allow(allowed);
        Ok(())
    }

    /// A line of the audit log.
    fn note(&self, event: Value) -> Result<()> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).append(&event)?;
        Ok(())
    }

    /// The same where a failure to write it cannot stop what has happened already.
    fn noted(&self, event: Value) {
        if let Err(e) = self.note(event) {
            tracing::error!("audit log: {e}");
        }
    }

    /// A refusal, in the audit log: ten in ten seconds of each caller, who cannot fill the disk with them.
    fn refusal(&self, request: Value, by: Fingerprint, why: &str) {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, refusals) = all.entry(by).or_insert((Instant::now(), 0));
        *refusals += 1;
        let mut unlogged = 0;
        if since.elapsed() > Duration::from_secs(10) {
            unlogged = refusals.saturating_sub(11);
            (*since, *refusals) = (Instant::now(), 1);
        } else if *refusals > 10 {
            return;
        }
        drop(all);
        let why: String = why.chars().take(300).collect();
        self.noted(json!({ "what": "refused", "request": request, "by": by, "why": why, "others before": unlogged }));
    }

    fn say(&self, event: Event) {
        self.emit.lock().unwrap_or_else(PoisonError::into_inner)(event);
    }

    /// The folder of a job.
    fn folder(&self, hash: &str) -> PathBuf {
        self.config.data.join("jobs").join(hash)
    }

    /// Connections of clients.
    fn connections(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A client's place, which is free again however its thread ends.
struct Place(Arc<Server>, Fingerprint);

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match clients.get_mut(&self.1) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(clients.remove(&self.1)),
        }
    }
}

fn unknown(hash: &str) -> Error {
    let short: String = hash.chars().take(16).collect::<String>().escape_debug().to_string();
    Error::Refused(format!("job {short} is not known here"))
}
