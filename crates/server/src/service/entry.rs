//! A service at this party: what is on disk of it, and what is going on with it.

use super::clients;
use super::lane::{Lane, Question};
use crate::server::Server;
use crate::{Error, Result, approvals};
use prometheus::{Histogram, HistogramOpts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::clients::ClientList;
use trefoil_job::service::{PASSES, SERVICE_SEMANTICS};
use trefoil_job::{JobHash, Service, ServiceHash};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_store::Database;

/// The table of services.
pub const SERVICES: &str = "services";

/// The audit log has the answers of conversations that last longer after as long.
const HOUR: Duration = Duration::from_secs(3600);

/// Of the histogram of answers.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What is on disk of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of what its fields mean.
    pub semantics: u32,
    /// The service.
    pub service: Service,
    /// Whether this party's operator has ended it.
    pub ended: bool,
}

/// What is going on.
#[derive(Default)]
pub struct Now {
    pub ended: bool,
    pub approvals: BTreeMap<Role, Approval>,
    /// The newest list of clients that is held, of a service that has one.
    pub clients: Option<Arc<ClientList>>,
    /// One for each of [`PASSES`].
    pub lanes: [Lane; PASSES.len()],
    pub questions: VecDeque<Question>,
    /// Conversations that are going on.
    pub conversations: BTreeSet<(Fingerprint, [u64; 2])>,
    /// Answers that the audit log does not have yet, by client.
    pub untold: BTreeMap<Fingerprint, Untold>,
    /// Questions answered since the party was started, and refused by reason.
    pub answered: u64,
    pub refused: BTreeMap<&'static str, u64>,
}

/// A client's answers that the audit log does not have yet.
#[derive(Clone, Copy)]
pub struct Untold {
    since: Instant,
    questions: u64,
    records: u64,
}

impl Now {
    /// A client's question was answered; true where the audit log is to have those so far, since they are of more than an hour.
    pub fn answered(&mut self, by: Fingerprint, rows: usize) -> bool {
        self.answered += 1;
        let none = Untold { since: Instant::now(), questions: 0, records: 0 };
        let untold = self.untold.entry(by).or_insert(none);
        (untold.questions, untold.records) = (untold.questions + 1, untold.records + rows as u64);
        untold.since.elapsed() > HOUR
    }

    /// Passes since the party was started, by rank.
    pub fn passes(&self) -> Vec<u64> {
        let ranks = self.lanes.iter().map(|lane| lane.ranks.len()).max().unwrap_or(0);
        let of = |rank: usize| self.lanes.iter().filter_map(|lane| lane.ranks.get(rank)).map(|(_, passes)| passes).sum();
        (0..ranks).map(of).collect()
    }

    /// Whether questions are taken.
    pub fn open(&self) -> bool {
        self.lanes.iter().any(|lane| lane.open)
    }
}

/// A service at this party.
pub struct Serving {
    pub hash: ServiceHash,
    pub service: Service,
    pub now: Mutex<Now>,
    /// Held while a new list of clients goes to the disk.
    pub relisting: Mutex<()>,
    pub changed: Condvar,
    /// Seconds from a question's arrival at this party to its part of the answer.
    pub latency: Option<Histogram>,
}

/// All of a party.
pub type Services = BTreeMap<ServiceHash, Arc<Serving>>;

/// A service, and the party that it is at.
#[derive(Clone)]
pub struct ServiceHere {
    pub server: Arc<Server>,
    pub serving: Arc<Serving>,
}

impl Deref for ServiceHere {
    type Target = Serving;
    fn deref(&self) -> &Serving {
        &self.serving
    }
}

impl Serving {
    pub fn new(service: Service, ended: bool) -> Serving {
        let now = Now { ended, ..Now::default() };
        let hash = service.hash();
        let help = "Seconds from a question's arrival at this party to its part of the answer";
        let latency = HistogramOpts::new("trefoil_service_seconds", help).const_label("service", hash.short());
        let latency = Histogram::with_opts(latency.buckets(BUCKETS.to_vec())).ok();
        Serving { hash, service, now: Mutex::new(now), relisting: Mutex::default(), changed: Condvar::new(), latency }
    }

    pub fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is going on, and wakes who waits for that.
    pub fn change<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        let out = change(&mut self.now());
        self.changed.notify_all();
        out
    }

    /// Whether this party's operator, with this certificate, has approved it and has not ended it.
    pub fn is_live(&self, own: Fingerprint) -> bool {
        let now = self.now();
        !now.ended && now.approvals.values().any(|approval| approval.by == own)
    }

    /// Whether this certificate's owner may ask now.
    pub fn may_ask(&self, from: Fingerprint) -> bool {
        self.service.client_of(from, self.now().clients.as_deref()).is_some()
    }

    /// Everybody who is let in for it: its parties, those who may ask, who signs the list of them, and who brings the model.
    pub fn everybody(&self) -> Vec<Fingerprint> {
        let list = self.now().clients.clone();
        let listed = list.iter().flat_map(|list| list.clients.iter().map(|client| client.fingerprint));
        let owner = self.service.model.shared().map(|shared| &shared.owner);
        self.service.party.iter().chain(self.service.client.named()).chain(owner).map(|m| m.fingerprint).chain(listed).collect()
    }

    /// Whether it has threads.
    pub fn is_running(&self) -> bool {
        self.now().lanes.iter().any(|lane| lane.running)
    }

    /// Whether its last day is over.
    pub fn is_over(&self) -> bool {
        let now = trefoil_store::time::now();
        self.service.is_over(now.get(..10).unwrap_or_default())
    }

    pub fn wait(&self, time: Duration) {
        drop(self.changed.wait_timeout(self.now(), time).unwrap_or_else(PoisonError::into_inner));
    }
}

impl ServiceHere {
    /// The service with this hash.
    ///
    /// # Errors
    /// There is none.
    pub fn at(server: &Arc<Server>, hash: ServiceHash) -> Result<ServiceHere> {
        let serving = server.services().get(&hash).cloned();
        let serving = serving.ok_or_else(|| Error::Refused(format!("service {} is not known here", hash.short())))?;
        Ok(ServiceHere { server: server.clone(), serving })
    }

    /// Which party this is.
    pub fn me(&self) -> Result<Id> {
        let own = self.server.identity.fingerprint();
        self.service.party_of(own).ok_or_else(|| Error::Refused(format!("this party, {own}, is none of the service's three")))
    }

    /// Notes in the audit log how many of a client's questions were answered since it last had them, and nothing of what they were.
    pub fn tell_answered(&self, by: Fingerprint) {
        let untold = self.now().untold.remove(&by);
        if let Some(Untold { questions, records, .. }) = untold {
            self.server.noted(json!({
                "what": "answered", "service": self.hash, "by": by, "questions": questions, "records": records,
            }));
        }
    }

    /// Keeps an approval that was checked, on disk first.
    pub fn keep(&self, approval: Approval) -> Result<()> {
        let role = approval.role;
        // Lanes hear of it at the same time: it is kept once.
        let mut now = self.now();
        if now.approvals.get(&role).is_some_and(|known| !approval.is_before(known)) {
            return Ok(());
        }
        let mut event = serde_json::to_value(&approval).unwrap_or_default();
        event["what"] = "approved service".into();
        self.server.note(event)?;
        self.server.database.put(&table(self.hash), &role.to_string(), &approval)?;
        now.approvals.insert(role, approval);
        drop(now);
        self.changed.notify_all();
        Ok(())
    }
}

/// The table of a service's approvals.
fn table(hash: ServiceHash) -> String {
    approvals::table(JobHash(hash.0))
}

/// What the database has of services: those that are what they were, with the approvals that are true, and why the others are set aside.
///
/// # Errors
/// It cannot be read.
pub fn load(database: &Database) -> Result<(Services, Vec<(String, String)>)> {
    let (mut services, mut aside) = (BTreeMap::new(), vec![]);
    for (name, value) in database.all::<Value>(SERVICES)? {
        let record = match record(&name, value) {
            Ok(record) => record,
            Err(e) => {
                aside.push((name.clone(), format!("service {name} as it is stored here: {e}")));
                continue;
            }
        };
        let serving = Serving::new(record.service, record.ended);
        for (role, value) in database.all::<Value>(&table(serving.hash))? {
            let checked = serde_json::from_value(value)
                .map_err(|e| Error::config("approval", e, "its fields"))
                .and_then(|approval| serving.service.check_approval(&approval).map(|()| approval).map_err(Error::from));
            match checked {
                Ok(approval) => drop(serving.now().approvals.insert(approval.role, approval)),
                Err(e) => aside.push((name.clone(), format!("approval of {role} of service {name} as it is stored here: {e}"))),
            }
        }
        if let Err(e) = clients::load(database, &serving)? {
            aside.push((name.clone(), format!("list of clients of service {name} as it is stored here: {e}")));
        }
        services.insert(serving.hash, Arc::new(serving));
    }
    Ok((services, aside))
}

fn record(name: &str, value: Value) -> Result<Record> {
    let record: Record = serde_json::from_value(value).map_err(|e| Error::config("record", e, "a service's"))?;
    let (found, hash) = (record.service.hash(), record.service.hash().to_string());
    if record.semantics != SERVICE_SEMANTICS {
        return Err(Error::config("version of its fields' meaning", record.semantics, SERVICE_SEMANTICS));
    }
    if hash != name {
        return Err(Error::config("hash", found, name));
    }
    Ok(record)
}

/// How a service stands at a party.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service's hash.
    pub hash: ServiceHash,
    /// Its name.
    pub name: String,
    /// The job whose model answers, where it is a job's.
    pub job: Option<JobHash>,
    /// Parties whose approvals are here.
    pub approved: Vec<Role>,
    /// In a few words: serving, waiting, ended or over.
    pub state: String,
    /// What this party waits for at its peers.
    pub waiting_for: Option<String>,
    /// Questions answered and refused since the party was started, and those that wait.
    pub answered: u64,
    /// See above.
    pub refused: u64,
    /// See above.
    pub waiting: usize,
    /// Passes since the party was started, by rank of a party of several processes.
    #[serde(default)]
    pub passes: Vec<u64>,
    /// Records that were asked about in all, those that filled up passes included; after a restart up to a 64th of the limit more.
    pub records: u64,
    /// The version of the list of clients that is held here, and how many are in it; of a service that names them itself nothing.
    pub clients: Option<(u64, usize)>,
}
