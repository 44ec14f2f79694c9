//! One party, from its configuration to its report.

use crate::bench::Operation;
use crate::handshake::{compare, hello, keys};
use crate::report::{Report, Tally};
use crate::witness::{Seen, Witness};
use crate::{Error, Training, Result, SuiteName, uploads};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use trefoil_client::{model_owner, receive, refuse};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Party, Seeds, Suite};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, mesh};
use trefoil_net::{Id, Net, recorded, shaped};
use trefoil_nn::{Event as Step, State};

/// Everything that a party is told. It holds its private key, so it has no `Debug`; it holds no data and no mask.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyConfig {
    /// Which of the three.
    pub id: Id,
    /// Where to listen, `host:port`; port 0 takes any.
    pub listen: String,
    /// Certificate and private key, PEM.
    pub key: String,
    /// The fingerprints of P0, P1 and P2.
    pub parties: [Fingerprint; 3],
    /// The data owners' fingerprints; their records are joined in this order.
    pub owners: Vec<Fingerprint>,
    /// The model owner's fingerprint.
    pub model_owner: Fingerprint,
    /// What to train.
    pub job: Training,
    /// Seconds to wait for a peer.
    pub timeout: f64,
    /// Threads for local arithmetic.
    pub threads: usize,
    /// A shaped network: "40ms,100Mbps"; `None` as it is.
    pub network: Option<String>,
    /// Masks from this seed instead of the operating system: insecure, for tests.
    pub insecure_mask_seed: Option<u64>,
    /// Where to write every frame received: insecure, for study.
    pub insecure_record: Option<PathBuf>,
    /// A measurement in place of a training.
    #[serde(default)]
    pub bench: Option<Operation>,
}

impl PartyConfig {
    /// The hash of all that an owner agrees to, in hex: the job, who computes, who contributes, who gets the model, and
    /// whether masks are real. Uploads and fetches are bound to it.
    pub fn terms(&self) -> String {
        let masks = self.insecure_mask_seed.is_none();
        let terms = (&self.job, self.parties, &self.owners, self.model_owner, masks);
        hex::encode(Sha256::digest(serde_json::to_vec(&terms).unwrap_or_default()))
    }

    /// Refuses one certificate in two roles.
    fn distinct(&self) -> Result<()> {
        let mut all: Vec<Fingerprint> = self.parties.to_vec();
        all.extend(&self.owners);
        all.push(self.model_owner);
        all.sort();
        match all.windows(2).find(|w| w[0] == w[1]) {
            Some(w) => Err(Error::config("roles", format!("{} twice", w[0]), "a certificate of its own for each role")),
            None => Ok(()),
        }
    }
}

/// What a party says while it runs: one JSON object a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Event {
    /// It listens here, and waits for the peers' addresses on its standard input.
    Listening { address: String },
    /// Keys are made and everything agreed.
    Connected,
    /// All owners' records are here.
    Shared { rows: usize, seconds: f64 },
    /// A step is done.
    Step { step: u64, seconds: f64, bytes: u64, rounds: u64 },
    /// An epoch is done; loss and accuracy where they were opened.
    Epoch { epoch: u64, step: u64, loss: Option<f64>, metric: Option<f64> },
    /// A session broke off; another one may follow.
    Interrupted { message: String },
    /// Training is over; the model owner may come.
    Trained,
    /// The model is handed over, and this is what it all took.
    Done(Box<Report>),
    /// It failed.
    Failed { message: String, code: u8 },
}

/// Runs a party. `addresses` is told where it listens, and answers with all three addresses.
///
/// # Errors
/// Everything that can go wrong in a run, named.
pub fn run(
    config: &PartyConfig,
    addresses: impl FnOnce(String) -> Result<[String; 3]>,
    emit: &mut dyn FnMut(Event),
) -> Result<()> {
    let timeout = Duration::try_from_secs_f64(config.timeout).ok().filter(|t| !t.is_zero() && t.as_secs() <= 86_400);
    let timeout = timeout.ok_or_else(|| Error::config("timeout", config.timeout, "more than 0 and at most 86400 seconds"))?;
    config.distinct()?;
    // A job that cannot be trained is refused before anyone connects.
    if config.bench.is_none() {
        config.job.trainer()?;
    }
    let truncation = config.job.truncation()?;
    // A pool that exists already (in tests) keeps its size.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let identity = Identity::from_pem(&config.key)?;
    let me = config.id;
    let mut allowed: Vec<Fingerprint> = me.others().map(|p| config.parties[p.index()]).to_vec();
    allowed.extend(&config.owners);
    allowed.push(config.model_owner);
    let listener = Listener::bind(&config.listen, &identity, &allowed)?;
    let addresses = addresses(listener.local_addr().to_string())?;

    let peers = me.others().map(|p| (p, addresses[p.index()].clone(), config.parties[p.index()]));
    let options = Options { timeout, gather: timeout, ..Options::default() };
    let net = decorated(mesh(me, &listener, &identity, peers, options)?, config)?;
    let (mut net, seen) = Witness::new(net);

    let until = Instant::now() + timeout;
    compare(&mut net, &me.others(), "node.hello", &agreed(config), until)?;
    let seeds = match config.insecure_mask_seed {
        Some(seed) => Seeds::insecure(me, seed),
        None => keys(&mut net, me, until)?,
    };
    emit(Event::Connected);
    let node = Node { config, listener: &listener, seen: &seen, timeout };
    match config.job.suite {
        SuiteName::Securenn => node.work(net, seeds, |party| SecureNn::new(party, truncation), emit),
        SuiteName::Masked => node.work(net, seeds, Masked::new, emit),
    }
}

/// A connected party, before it knows its suite's engine.
struct Node<'a> {
    config: &'a PartyConfig,
    listener: &'a Listener,
    seen: &'a Mutex<Seen>,
    timeout: Duration,
}

impl Node<'_> {
    /// Does what the configuration asks for, on the engine that `engine` makes.
    fn work<S: Suite>(
        &self,
        mut net: impl Net + 'static,
        seeds: Seeds,
        engine: impl FnOnce(Party) -> S,
        emit: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let config = self.config;
        if let Some(bench) = &config.bench {
            let mut e = engine(Party::new(config.id, net, seeds));
            let mut tally = Tally::default();
            bench.run(&mut e, &config.job, (self.listener, config.model_owner), self.timeout, &mut |e, iteration, seconds| {
                match iteration {
                    0 => tally.before(e.party()),
                    step => {
                        let (bytes, rounds) = tally.after(e.party());
                        emit(Event::Step { step, seconds, bytes, rounds });
                        tally.before(e.party());
                    }
                }
            })?;
            emit(Event::Done(Box::new(tally.report(e.party(), 0, &seen_so_far(self.seen)))));
            return Ok(());
        }
        let uploads = uploads::gather::<S>(config, &mut net, self.listener, self.timeout, emit)?;
        train(engine(Party::new(config.id, net, seeds)), config, uploads, self.listener, self.seen, emit)
    }
}

fn seen_so_far(seen: &Mutex<Seen>) -> Seen {
    seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

/// The network with the decorators that the configuration asks for.
fn decorated(net: impl Net + 'static, config: &PartyConfig) -> Result<Box<dyn Net>> {
    let mut net: Box<dyn Net> = Box::new(net);
    if let Some(profile) = &config.network {
        let profile: shaped::Profile = profile.parse().map_err(|e| Error::config("network", profile, e))?;
        net = Box::new(shaped::Shaped::new(net, profile));
    }
    if let Some(dir) = &config.insecure_record {
        std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
        let recorder = recorded::Recorder::create(&dir.join(format!("{}.jsonl", config.id)))?;
        net = Box::new(recorded::Recorded::new(net, recorder));
    }
    Ok(net)
}

/// The fields that parties compare, under the names that people know.
pub fn agreed(config: &PartyConfig) -> serde_json::Map<String, serde_json::Value> {
    let mut map = hello(&config.job);
    let masks = if config.insecure_mask_seed.is_some() { "from an insecure seed" } else { "from the operating system" };
    map.insert("masks".into(), masks.into());
    map.insert("model owner".into(), config.model_owner.to_string().into());
    map.insert("parties".into(), config.parties.map(|p| p.to_string()).to_vec().into());
    map.insert("owners".into(), config.owners.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    map.insert("shaped network".into(), config.network.clone().into());
    if let Some(bench) = &config.bench {
        map.insert("benchmark".into(), format!("{bench:?}").into());
    }
    map
}

fn train<E: Suite>(
    mut e: E,
    config: &PartyConfig,
    uploads: Vec<receive::Upload>,
    listener: &Listener,
    seen: &Mutex<Seen>,
    emit: &mut dyn FnMut(Event),
) -> Result<()> {
    let trainer = config.job.trainer()?;
    let from_owners = uploads.iter().map(|u| u.bytes).sum();
    let [data, test] = uploads::join(&e, &config.job, uploads)?;
    let state = trainer.initial(&e)?;
    let mut tally = Tally::default();
    let mut report = |e: &mut E, event: Step<'_, E::Num>| -> Result<()> {
        match event {
            Step::Start => tally.before(e.party()),
            Step::Step { step, time, .. } => {
                let (bytes, rounds) = tally.after(e.party());
                emit(Event::Step { step, seconds: time.as_secs_f64(), bytes, rounds });
                tally.before(e.party());
            }
            Step::Epoch { epoch, loss, metric, .. } => {
                tally.opened += u64::from(loss.is_some()) + u64::from(metric.is_some());
                emit(Event::Epoch { epoch, step: epoch * trainer.steps_per_epoch(), loss, metric });
                tally.before(e.party());
            }
        }
        Ok(())
    };
    let state = trainer.train(&mut e, state, 0, &data, &test, &mut report)?;
    emit(Event::Trained);
    hand_over(&mut e, config, state, listener)?;
    emit(Event::Done(Box::new(tally.report(e.party(), from_owners, &seen_so_far(seen)))));
    Ok(())
}

/// Waits for the model owner, and gives it this party's share of each parameter.
fn hand_over<E: Suite>(e: &mut E, config: &PartyConfig, mut state: State<E::Num>, listener: &Listener) -> Result<()> {
    let until = Instant::now() + Duration::from_secs_f64(config.timeout * 10.0);
    let matrices = state.network.params::<E>().into_iter().map(|p| e.export(p)).collect::<trefoil_mpc::Result<Vec<_>>>()?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::config("model owner", "no request", "a request for the model"));
        }
        let Ok((mut stream, from)) = listener.accept(left.min(Duration::from_millis(200))) else { continue };
        if from != config.model_owner {
            refuse(&mut stream, "training is over");
            continue;
        }
        let timeout = Some(Duration::from_secs_f64(config.timeout));
        let served = stream.set_timeouts(timeout, timeout).map_err(trefoil_client::Error::from);
        match served.and_then(|()| model_owner::serve(&mut stream, &config.terms(), &matrices)) {
            Ok(()) => return Ok(()),
            // A trained model is not given up for one connection that broke.
            Err(e) => tracing::warn!("model owner: {e}; waiting for it to come again"),
        }
    }
}
