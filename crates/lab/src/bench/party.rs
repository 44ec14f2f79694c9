//! One party of a measurement in three processes: `trefoil bench-party`, which nobody but the launcher starts.
//!
//! It gets its configuration, with its private key, as the first line of its standard input; says where it listens; is told the three
//! addresses in a second line; and reports iterations until its standard input ends.

use super::operation::Operation;
use crate::launch::{emit, when_input_ends};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_mpc::Party;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, mesh};
use trefoil_net::{Id, Net, shaped};
use trefoil_nn::Training;
use trefoil_server::handshake::{compare, hello, keys};
use trefoil_server::lap::Clock;
use trefoil_server::{Error, Event, Result};

/// Everything that a party is told. It holds its private key, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Which of the three.
    pub id: Id,
    /// Certificate and private key, PEM.
    pub key: String,
    /// The fingerprints of P0, P1 and P2.
    pub parties: [Fingerprint; 3],
    /// What is measured, and how often.
    pub operation: Operation,
    /// The protocol suite.
    pub suite: Chosen,
    /// With its network.
    pub training: Training,
    /// Seconds to wait for a peer.
    pub timeout: f64,
    /// The bound of a queue of frames.
    pub queue_bytes: usize,
    /// Threads for local arithmetic.
    pub threads: usize,
    /// The shape of the links between the parties: "40ms,100Mbps"; `None` as they are.
    pub links: Option<String>,
}

/// The body of `trefoil bench-party`.
///
/// # Errors
/// What went wrong; it has been reported as an event too.
pub fn process() -> Result<()> {
    let result = line().and_then(|text| {
        let config = serde_json::from_str(&text).map_err(|e| Error::config("party configuration", e, "its fields in JSON"))?;
        run(&config)
    });
    if let Err(e) = &result {
        emit(&Event::Failed { message: e.to_string(), code: e.exit_code() });
    }
    result
}

fn line() -> Result<String> {
    let line = std::io::stdin().lines().next().and_then(std::io::Result::ok);
    line.ok_or_else(|| Error::config("standard input", "its end", "a line of JSON"))
}

fn run(config: &Config) -> Result<()> {
    let timeout = Duration::try_from_secs_f64(config.timeout).ok().filter(|t| !t.is_zero() && t.as_secs() <= 86_400);
    let timeout = timeout.ok_or_else(|| Error::config("timeout", config.timeout, "more than 0 and at most 86400 seconds"))?;
    // A pool that exists already (in tests) keeps its size.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global();
    let identity = Identity::from_pem(&config.key)?;
    let me = config.id;
    let [a, b] = me.others().map(|p| config.parties[p.index()]);
    let listener = Listener::bind("127.0.0.1:0", &identity, &[a, b])?;
    emit(&Event::Listening { address: listener.local_addr().to_string() });
    let addresses: [String; 3] =
        serde_json::from_str(&line()?).map_err(|e| Error::config("addresses", e, "three texts in JSON"))?;
    when_input_ends(|| std::process::exit(130));

    let peers = me.others().map(|p| (p, addresses[p.index()].clone(), config.parties[p.index()]));
    let options = Options { timeout, gather: timeout, queue_bytes: config.queue_bytes, ..Options::default() };
    let net: Box<dyn Net> = Box::new(mesh(me, &listener, &identity, peers, options)?);
    let until = Instant::now() + timeout;
    let mut map = hello(&config.training);
    map.extend(hello(config.suite));
    map.insert("benchmark".into(), format!("{:?}", config.operation).into());
    map.insert("links".into(), config.links.clone().into());
    compare(&*net, &me.others(), "node.hello", &map, until)?;
    let links = config.links.as_deref();
    let net = shaped::over(net, links).map_err(|e| Error::config("links", links.unwrap_or_default(), e))?;
    let seeds = keys(&*net, me, until)?;
    emit(&Event::Connected);
    let party = Party::new(me, net, seeds);
    config.suite.with(Work { config, party })
}

/// A party's iterations, with whichever engine.
struct Work<'a> {
    config: &'a Config,
    party: Party,
}

impl WithSuite for Work<'_> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        let Work { config, party } = self;
        let (mut e, mut clock) = (engine(party), Clock::start());
        config.operation.repeat(&mut e, &mut |e: &mut S, seconds| {
            match seconds {
                None => clock = Clock::start(),
                Some(seconds) => emit(&clock.lap(e.party(), seconds)),
            }
            true
        })
    }
}
