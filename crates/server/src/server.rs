//! What all of a party's threads share: configuration, identity, what is on its disk, and the jobs.

use crate::config::Config;
use crate::entry::Entry;
use crate::page::Page;
use crate::record::{Record, State};
use crate::service::{Budget, Quotas, Services};
use crate::{Error, Event, Result, stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trefoil_client::peers::Peers;
use trefoil_job::JobHash;
use trefoil_mpc::Switch;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::Listener;
use trefoil_store::{Database, Folder, StorageKey, audit};

/// The table of jobs, without their uploads: see [`stored`].
pub const JOBS: &str = "jobs";

/// A running party.
pub struct Server {
    pub config: Config,
    pub identity: Identity,
    pub key: StorageKey,
    pub listener: Listener,
    pub database: Database,
    pub audit: Mutex<audit::Log>,
    pub jobs: Mutex<BTreeMap<JobHash, Entry>>,
    /// Jobs of the database that are not what they were, and why, by the names that they have there.
    pub aside: BTreeMap<String, String>,
    /// Something about a job has changed.
    pub changed: Condvar,
    pub services: Mutex<Services>,
    pub quotas: Mutex<Quotas>,
    /// Of the lanes of all services.
    pub budget: Option<Arc<Budget>>,
    /// What the ranks say to one another, where there are several.
    pub ranks: Option<Arc<Switch>>,
    pub stop: &'static AtomicBool,
    pub emit: Mutex<Box<dyn FnMut(Event) + Send>>,
    /// Connections by caller.
    pub clients: Mutex<BTreeMap<Fingerprint, usize>>,
    /// Refusals of somebody, and since when they are counted.
    pub refusals: Mutex<BTreeMap<Fingerprint, (Instant, u64)>>,
    pub refused: AtomicU64,
    /// What its operator sees of it in a browser.
    pub page: Page,
    /// Locked for as long as the server lives.
    pub data: Folder,
}

/// A job at this party, which may be forgotten meanwhile: whatever is asked of it is refused then.
#[derive(Clone)]
pub struct Here {
    pub server: Arc<Server>,
    pub hash: JobHash,
}

impl Deref for Here {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Server {
    pub fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobHash, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn services(&self) -> MutexGuard<'_, Services> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn quotas(&self) -> MutexGuard<'_, Quotas> {
        self.quotas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in the operator, the peers of the peers file, and everybody who is in a job or a service that the operator has approved.
    pub fn admit(&self) -> Result<()> {
        let mut allowed = BTreeSet::from([self.identity.fingerprint()]);
        allowed.extend(Peers::load(&self.config.peers)?.iter().map(|(_, peer)| peer.fingerprint));
        for record in self.jobs().values().map(|e| &e.record) {
            if record.approved && !matches!(record.state, State::Cancelled { .. }) {
                allowed.extend(record.job.members());
            }
        }
        let own = self.identity.fingerprint();
        for serving in self.services().values().filter(|serving| serving.is_live(own)) {
            allowed.extend(serving.everybody());
        }
        self.listener.allow(allowed);
        Ok(())
    }

    /// A line of the audit log.
    pub fn note(&self, event: Value) -> Result<()> {
        let mut log = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(&event)?;
        self.page.note(log.entries(), &event);
        Ok(())
    }

    /// The same where a failure to write it cannot stop what has happened already.
    pub fn noted(&self, event: Value) {
        if let Err(e) = self.note(event) {
            tracing::error!("audit log: {e}");
        }
    }

    /// A refusal, in the audit log: ten in ten seconds of each caller, who cannot fill the disk with them.
    pub fn refusal(&self, request: Value, by: Fingerprint, why: &str) {
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

    pub fn say(&self, event: Event) {
        self.emit.lock().unwrap_or_else(PoisonError::into_inner)(event);
    }

    /// Connections of clients.
    pub fn connections(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What is said of a job that is not here.
    fn unknown(&self, hash: JobHash) -> Error {
        let why = self.aside.get(&hash.to_string());
        let unknown = || format!("job {} is not known here", &hash.to_string()[..16]);
        Error::Refused(why.cloned().unwrap_or_else(unknown))
    }
}

impl Here {
    /// The job with this hash.
    pub fn at(server: &Arc<Server>, hash: JobHash) -> Here {
        Here { server: server.clone(), hash }
    }

    /// What is said of it where it is not here.
    pub fn unknown(&self) -> Error {
        self.server.unknown(self.hash)
    }

    /// The record of a job, as it is now. What is held on to is copied when it changes, and a job of ten thousand owners is some megabytes.
    pub fn record(&self) -> Result<Arc<Record>> {
        self.jobs().get(&self.hash).map(|e| e.record.clone()).ok_or_else(|| self.unknown())
    }

    /// Changes the record of a job, on disk first.
    pub fn update<T>(&self, change: impl FnOnce(&mut Record) -> T) -> Result<T> {
        let mut jobs = self.jobs();
        let entry = jobs.get_mut(&self.hash).ok_or_else(|| self.unknown())?;
        let mut record = Record::clone(&entry.record);
        let out = change(&mut record);
        if record != *entry.record {
            stored::put(&self.database, self.hash, &entry.record, &record)?;
            entry.record = Arc::new(record);
        }
        drop(jobs);
        self.changed.notify_all();
        Ok(out)
    }

    /// Changes the record of a job that nobody has cancelled.
    pub fn advance(&self, change: impl FnOnce(&mut Record)) -> Result<()> {
        self.update(|r| match &r.state {
            State::Cancelled { by } => Err(Error::Refused(format!("cancelled by {by}"))),
            _ => {
                change(r);
                Ok(())
            }
        })?
    }

    /// Changes what is going on with a job.
    pub fn live<T>(&self, change: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let out = self.jobs().get_mut(&self.hash).map(change).ok_or_else(|| self.unknown());
        self.changed.notify_all();
        out
    }

    /// The folder of a job.
    pub fn folder(&self) -> PathBuf {
        self.config.data.join("jobs").join(self.hash.to_string())
    }
}
