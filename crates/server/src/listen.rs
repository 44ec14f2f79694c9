//! A party from its start to its end: the folder, the port, and a thread for each connection.

use crate::config::Config;
use crate::page::{self, Page, Past};
use crate::record::State;
use crate::server::{Here, Server};
use crate::service::{self, ServiceHere};
use crate::{Event, Result, lanes, machine, requests, runner, status, stored, uploads};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_job::{Job, JobHash};
use trefoil_mpc::Switch;
use trefoil_net::Error as NetError;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Stream};
use trefoil_store::{Database, Folder, StorageKey, audit};

/// Connections of clients at a time.
const MOST_CLIENTS: usize = 512;
/// Connections of one client at a time.
const MOST_OF_ONE: usize = 32;

/// Tells the operator the link to the page.
pub type TellLink = Box<dyn FnOnce(&str)>;

/// What a party is started with, beside its configuration.
pub struct Start {
    /// Its identity.
    pub identity: Identity,
    /// A job that its operator has approved with the command.
    pub approve: Option<Job>,
    /// What the ranks of a party on several machines say to one another.
    pub ranks: Option<Arc<Switch>>,
    /// Set when the party is to stop.
    pub stop: &'static AtomicBool,
    /// Told what happens.
    pub emit: Box<dyn FnMut(Event) + Send>,
    /// Whether it is told what the page shows, too.
    pub shown: bool,
    /// Told the link to the page at the start, where somebody is there to read it.
    pub link: Option<TellLink>,
}

/// Runs a party until it is told to stop.
///
/// # Errors
/// The configuration, the data folder or the port cannot be used. What happens to a job is kept with the job.
pub fn run(config: Config, start: Start) -> Result<()> {
    let Start { identity, approve, ranks, stop, emit, shown, link } = start;
    // A pool that exists already (in tests) keeps its size.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let folder = Folder::lock(&config.data)?;
    let key = StorageKey::derive(&identity.derive("storage")[..]);
    let database = Database::open(config.data.join("jobs.redb"))?;
    let stored::Stored { mut jobs, aside, untrue } = stored::load(&database, identity.fingerprint())?;
    let (services, services_aside) = service::load(&database)?;
    let quotas = service::Quotas::load(&database)?;
    let log = config.data.join("audit.jsonl");
    let mut past = if config.status.is_some() { Past::read(&log) } else { Past::default() };
    for (hash, entry) in &mut jobs {
        let figures = past.figures.remove(&hash.to_string()).unwrap_or_default();
        figures.into_iter().for_each(|figures| entry.history.epochs.push(figures));
    }
    let log = audit::Log::open(log)?;
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
        services: Mutex::new(services),
        quotas: Mutex::new(quotas),
        budget: config.serve_threads.map(|threads| Arc::new(service::Budget::new(threads))),
        ranks,
        stop,
        emit: Mutex::new(emit),
        clients: Mutex::default(),
        refusals: Mutex::default(),
        refused: AtomicU64::new(0),
        page: Page::new(past)?,
        data: folder,
        config,
    });
    let address = server.listener.local_addr().to_string();
    server.note(json!({ "what": "started", "address": address, "version": machine::version(), "fingerprint": server.identity.fingerprint() }))?;
    for (hash, why) in server.aside.iter().chain(untrue.iter().map(|(hash, why)| (hash, why))) {
        server.note(json!({ "what": "set aside", "job": hash, "why": why }))?;
        tracing::error!("set aside: {why}");
    }
    for (hash, why) in services_aside {
        server.note(json!({ "what": "set aside", "service": hash, "why": why }))?;
        tracing::error!("set aside: {why}");
    }
    server.tidy()?;
    tracing::info!(%address, fingerprint = %server.identity.fingerprint(), "listening");
    if let Some(job) = approve {
        requests::approve_by_operator(&server, job)?;
    }
    let _status = server.config.status_address()?.map(|at| status::serve(at, &server)).transpose()?;
    server.admit()?;
    let waiting: Vec<JobHash> = server.jobs().keys().copied().collect();
    waiting.into_iter().for_each(|hash| runner::ensure(&Here::at(&server, hash)));
    let services: Vec<_> = server.services().values().cloned().collect();
    services.into_iter().for_each(|serving| service::ensure(&ServiceHere { server: server.clone(), serving }));
    lanes::take_calls(&server)?;
    server.say(Event::Listening { address });
    if server.config.status.is_some() || shown {
        page::keep(&server, shown);
    }
    if let Some(tell) = link.filter(|_| server.config.status.is_some()) {
        tell(&server.page.link()?);
    }
    server.receive();
    server.wind_up();
    server.tell_answered();
    server.note(json!({ "what": "stopped" }))?;
    Ok(())
}

impl Server {
    /// What a crash has left: shares of jobs that are over, and files that were being written.
    fn tidy(self: &Arc<Self>) -> Result<()> {
        for (hash, entry) in self.jobs().iter() {
            let here = Here::at(self, *hash);
            match entry.record.state {
                State::Trained => uploads::forget(&here),
                State::Cancelled { .. } => uploads::abandon(&here),
                _ => {}
            }
            let below = Path::new("jobs").join(hash.to_string());
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

    /// Notes the answers of conversations that end with the process.
    fn tell_answered(self: &Arc<Self>) {
        let all: Vec<_> = self.services().values().cloned().collect();
        for serving in all {
            let here = ServiceHere { server: self.clone(), serving };
            let clients: Vec<Fingerprint> = here.now().untold.keys().copied().collect();
            clients.into_iter().for_each(|by| here.tell_answered(by));
        }
    }

    /// Waits until no session runs, for as long as the configuration says.
    fn wind_up(&self) {
        tracing::info!("stopping: sessions end after their next checkpoint, within {} s", self.config.grace);
        let until = Instant::now() + Duration::from_secs_f64(self.config.grace);
        let mut jobs = self.jobs();
        let serves = || self.services().values().any(|serving| serving.is_running());
        while (jobs.values().any(|e| e.session.is_some()) || serves()) && Instant::now() < until {
            (jobs, _) = self.changed.wait_timeout(jobs, Duration::from_millis(50)).unwrap_or_else(PoisonError::into_inner);
        }
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
