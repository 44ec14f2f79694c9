//! One party, from its configuration to its report.

use crate::bench::Operation;
use crate::handshake::{compare, hello, keys};
use crate::witness::{Seen, Witness};
use crate::{Error, Job, Result, SuiteName, machine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use trefoil_client::{Manifest, TensorInfo, model_owner, receive, refuse};
use trefoil_engine::Format;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Party, Seeds, Suite};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, Stream, mesh};
use trefoil_net::{Id, Net, recorded, shaped};
use trefoil_nn::train::LABEL;
use trefoil_nn::{Data, Event as Training, State};

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
    pub job: Job,
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
    Epoch { epoch: u64, step: u64, loss: Option<f64>, accuracy: Option<f64> },
    /// Training is over; the model owner may come.
    Trained,
    /// The model is handed over, and this is what it all took.
    Done(Box<Report>),
    /// It failed.
    Failed { message: String, code: u8 },
}

/// One line of `cost.csv`, for one party.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `trefoil_mpc::cost::Entry`
pub struct CostLine {
    pub layer: String,
    pub label: String,
    pub rounds: u64,
    pub payload_bytes: u64,
    pub messages: u64,
    pub seconds: f64,
}

/// What a run took at one party, and what it saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Which of the three.
    pub id: Id,
    /// Payload sent to P0, P1 and P2 in training steps.
    pub step_bytes: [u64; 3],
    /// Growth of depth in training steps.
    pub step_rounds: u64,
    /// Payload sent to P0, P1 and P2 in all.
    pub sent: [u64; 3],
    /// Bytes written to the sockets towards P0, P1 and P2.
    pub wire: [u64; 3],
    /// By layer and label.
    pub cost: Vec<CostLine>,
    /// Payload received from owners.
    pub from_owners: u64,
    /// Frames received from the other parties.
    pub frames_seen: u64,
    /// Payload received from the other parties.
    pub bytes_seen: u64,
    /// Chi-square of a sample of it against uniform bytes (255 expected).
    pub chi_square: Option<f64>,
    /// Values that were opened to it: losses and accuracies.
    pub opened: u64,
    /// Peak memory in bytes.
    pub peak_rss: u64,
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
            bench.run(&mut e, &config.job, self.listener, self.timeout, &mut |e, iteration, seconds| match iteration {
                0 => tally.before(e.party()),
                step => {
                    let (bytes, rounds) = tally.after(e.party());
                    emit(Event::Step { step, seconds, bytes, rounds });
                    tally.before(e.party());
                }
            })?;
            emit(Event::Done(Box::new(tally.report(e.party(), 0, &seen_so_far(self.seen)))));
            return Ok(());
        }
        let uploads = self.gather::<S>(&mut net, emit)?;
        train(engine(Party::new(config.id, net, seeds)), config, uploads, self.listener, self.seen, emit)
    }

    /// The uploads of all owners, as all three parties have them.
    fn gather<S: Suite>(&self, net: &mut dyn Net, emit: &mut dyn FnMut(Event)) -> Result<Vec<receive::Upload>> {
        let (config, me) = (self.config, self.config.id);
        let started = Instant::now();
        // Owners may take longer than a round does: each gets this long, and the peers wait as long for the slowest.
        let until = started + self.timeout * 10;
        let uploads = collect::<S>(config, self.listener, until)?;
        let digests: Vec<String> = uploads.iter().map(|(u, _)| hex::encode(u.manifest.digest())).collect();
        compare(net, &me.others(), "node.data", &hello(BTreeMap::from([("uploads", digests)])), until)?;
        if me != Id::P2 {
            let peer = if me == Id::P0 { Id::P1 } else { Id::P0 };
            let common = hello(BTreeMap::from([("masked records", common::<S>(me, &uploads))]));
            compare(net, &[peer], "node.common", &common, until)?;
        }
        let mut received = vec![];
        for (upload, mut stream) in uploads {
            receive::accepted(&mut stream)?;
            received.push(upload);
        }
        emit(Event::Shared { rows: config.job.train_rows, seconds: started.elapsed().as_secs_f64() });
        Ok(received)
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
fn agreed(config: &PartyConfig) -> serde_json::Map<String, serde_json::Value> {
    let mut map = hello(&config.job);
    let masks = if config.insecure_mask_seed.is_some() { "from an insecure seed" } else { "from the operating system" };
    map.insert("masks".into(), masks.into());
    map.insert("model owner".into(), config.model_owner.to_string().into());
    map.insert("owners".into(), config.owners.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    map.insert("shaped network".into(), config.network.clone().into());
    if let Some(bench) = &config.bench {
        map.insert("benchmark".into(), format!("{bench:?}").into());
    }
    map
}

/// The matrices of an upload, in order, with the columns and fraction bits that the job says.
fn shapes(job: &Job) -> [(&'static str, usize, Format); 4] {
    let (features, classes) = (job.network[0], job.network[job.network.len() - 1]);
    let x = job.input();
    [("train.x", features, x), ("train.y", classes, LABEL), ("test.x", features, x), ("test.y", classes, LABEL)]
}

/// Whether an owner's announcement fits the job.
fn allow(job: &Job, manifest: &Manifest) -> trefoil_client::Result<()> {
    let refuse = |what, found: String, expected: String| Err(trefoil_client::Error::Upload { what, found, expected });
    if manifest.job != job.digest() {
        return refuse("job", manifest.job.chars().take(64).collect(), job.digest());
    }
    let expected = shapes(job);
    if manifest.tensors.len() != expected.len() {
        return refuse("matrices", manifest.tensors.len().to_string(), expected.len().to_string());
    }
    for (TensorInfo { name, rows, cols, frac }, (expected, width, format)) in manifest.tensors.iter().zip(expected) {
        let most = if expected.starts_with("train") { job.train_rows } else { job.test_rows };
        if name != expected || *cols != width || *frac != format.frac || *rows > most {
            let name: String = name.chars().take(20).collect();
            let found = format!("{name} of {rows} x {cols}, {frac} fraction bits");
            return refuse("matrix", found, format!("{expected} of at most {most} x {width}, {} fraction bits", format.frac));
        }
    }
    let rows = |i: usize| manifest.tensors[i].rows;
    if rows(0) != rows(1) || rows(2) != rows(3) {
        return refuse("labels", format!("{} and {}", rows(1), rows(3)), format!("{} and {}", rows(0), rows(2)));
    }
    Ok(())
}

/// One upload from each owner, in the owners' order, with the connections on which they wait for an answer.
fn collect<S: Suite>(config: &PartyConfig, listener: &Listener, until: Instant) -> Result<Vec<(receive::Upload, Stream)>> {
    let mut uploads: Vec<Option<(receive::Upload, Stream)>> = config.owners.iter().map(|_| None).collect();
    let (sender, done) = std::sync::mpsc::channel();
    let timeout = Duration::from_secs_f64(config.timeout);
    let mut started = vec![false; config.owners.len()];
    while uploads.iter().any(Option::is_none) {
        if let Ok((owner, result)) = done.try_recv() {
            let _: usize = owner;
            uploads[owner] = Some(result?);
            continue;
        }
        if Instant::now() > until {
            let missing: Vec<String> =
                config.owners.iter().zip(&uploads).filter(|(_, u)| u.is_none()).map(|(f, _)| f.to_string()).collect();
            return Err(Error::config("data owners", format!("nothing from {}", missing.join(", ")), "an upload from each"));
        }
        // Short waits, so that a finished upload is noticed; a stranger's failed handshake is the listener's to log.
        let Ok((mut stream, from)) = listener.accept(Duration::from_millis(20)) else { continue };
        let Some(owner) = config.owners.iter().position(|o| *o == from) else {
            refuse(&mut stream, "this party is waiting for data owners");
            continue;
        };
        if std::mem::replace(&mut started[owner], true) {
            refuse(&mut stream, "this owner has uploaded already");
            continue;
        }
        let (sender, job, id) = (sender.clone(), config.job.clone(), config.id);
        std::thread::spawn(move || {
            let take = |stream: &mut Stream| {
                stream.set_timeouts(Some(timeout), Some(timeout))?;
                receive::upload(stream, |m| allow(&job, m), |n, parts| S::accept(id, n, parts))
            };
            let result = take(&mut stream).map(|upload| (upload, stream));
            // The receiver is gone only if the party has failed already.
            let _ = sender.send((owner, result));
        });
    }
    Ok(uploads.into_iter().flatten().collect())
}

/// Hashes of what P0 and P1 hold in common, where the suite has such.
fn common<S: Suite>(me: Id, uploads: &[(receive::Upload, Stream)]) -> Vec<Option<String>> {
    uploads.iter().flat_map(|(u, _)| &u.tensors).map(|kept| S::common(me, kept).map(hex::encode)).collect()
}

/// The owners' matrices joined in order: training data and test data.
fn join<E: Suite>(e: &E, job: &Job, uploads: Vec<receive::Upload>) -> Result<[Data<E::Num>; 2]> {
    let mut joined: [(usize, [Vec<u64>; 2]); 4] = Default::default();
    for upload in uploads {
        for ((rows, words), (info, kept)) in joined.iter_mut().zip(upload.manifest.tensors.iter().zip(upload.tensors)) {
            *rows += info.rows;
            words.iter_mut().zip(kept).for_each(|(words, kept)| words.extend(kept));
        }
    }
    let found = (joined[0].0, joined[2].0);
    if found != (job.train_rows, job.test_rows) {
        return Err(Error::config(
            "records of all owners",
            format!("{} to train and {} to test", found.0, found.1),
            format!("{} and {}", job.train_rows, job.test_rows),
        ));
    }
    let [a, b, c, d] = joined;
    let [ax, ay, bx, by] = shapes(job);
    let num = |(rows, words): (usize, [Vec<u64>; 2]), (_, cols, format)| e.input([rows, cols], format, words);
    Ok([Data { x: num(a, ax), y: num(b, ay) }, Data { x: num(c, bx), y: num(d, by) }])
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
    let [data, test] = join(&e, &config.job, uploads)?;
    let state = trainer.initial(&e)?;
    let mut tally = Tally::default();
    let mut report = |e: &mut E, event: Training<'_, E::Num>| -> Result<()> {
        match event {
            Training::Start => tally.before(e.party()),
            Training::Step { step, time, .. } => {
                let (bytes, rounds) = tally.after(e.party());
                emit(Event::Step { step, seconds: time.as_secs_f64(), bytes, rounds });
                tally.before(e.party());
            }
            Training::Epoch { epoch, loss, correct, of, .. } => {
                tally.opened += u64::from(loss.is_some()) + u64::from(correct.is_some());
                let accuracy = correct.map(|c| c as f64 / of.max(1) as f64);
                emit(Event::Epoch { epoch, step: epoch * trainer.steps_per_epoch(), loss, accuracy });
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
        stream.set_timeouts(timeout, timeout)?;
        return Ok(model_owner::serve(&mut stream, &config.job.digest(), matrices)?);
    }
}

/// Cost of training steps alone, apart from evaluation and sharing.
#[derive(Default)]
pub(crate) struct Tally {
    last: (u32, [u64; 3]),
    bytes: [u64; 3],
    rounds: u64,
    opened: u64,
}

impl Tally {
    pub(crate) fn before(&mut self, p: &mut Party) {
        self.last = (p.depth(), p.cost.sent);
    }

    /// Bytes and rounds since `before`, added to the sums.
    pub(crate) fn after(&mut self, p: &mut Party) -> (u64, u64) {
        let mut bytes = 0;
        for i in 0..3 {
            let grown = p.cost.sent[i] - self.last.1[i];
            self.bytes[i] += grown;
            bytes += grown;
        }
        let rounds = u64::from(p.depth() - self.last.0);
        self.rounds += rounds;
        (bytes, rounds)
    }

    pub(crate) fn report(self, p: &mut Party, from_owners: u64, seen: &Seen) -> Report {
        let line = |((layer, label), e): (&(String, &'static str), &trefoil_mpc::cost::Entry)| CostLine {
            layer: layer.clone(),
            label: (*label).to_owned(),
            rounds: e.rounds,
            payload_bytes: e.payload_bytes,
            messages: e.messages,
            seconds: e.seconds,
        };
        Report {
            id: p.id,
            step_bytes: self.bytes,
            step_rounds: self.rounds,
            sent: p.cost.sent,
            wire: Id::ALL.map(|to| if to == p.id { 0 } else { p.wire_bytes(to) }),
            cost: p.cost.entries.iter().map(line).collect(),
            from_owners,
            frames_seen: seen.frames,
            bytes_seen: seen.bytes,
            chi_square: seen.chi_square(),
            opened: self.opened,
            peak_rss: machine::peak_rss(),
        }
    }
}
