//! `trefoil doctor`: what is wrong with a configuration, a key, a job, a service, or the way to the parties, each in a line with what to do.
//!
//! A check that fails does not end the others, unless they need what it looked for. A party is reached in phases (resolve, connect,
//! certificate, handshake, ping, version, clock); the first that fails is named.

mod finding;
mod here;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod there;

pub use finding::{Finding, Kind, Level};

use crate::config::Config;
use crate::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;
use there::{About, Target};
use trefoil_client::keys::{KeySource, PassphraseSource};
use trefoil_net::identity::Identity;

/// What to look at. Without a configuration and without a key, there is little to find.
pub struct Examination {
    /// A party's configuration.
    pub config: Option<PathBuf>,
    /// A job.
    pub job: Option<PathBuf>,
    /// A service, which is asked about in place of the job; a job that is given must allow it.
    pub service: Option<PathBuf>,
    /// The peers file; the configuration's, or `peers.toml`, by default.
    pub peers: Option<PathBuf>,
    /// The private key; the configuration's by default.
    pub key: Option<KeySource>,
    /// What the key is encrypted under.
    pub passphrase: PassphraseSource,
    /// How long a party may take in each phase.
    pub patience: Duration,
}

impl Examination {
    /// Goes through all checks; `tell` gets each finding as soon as it is there.
    ///
    /// # Errors
    /// [`Error::Unhealthy`] where anything failed, with the exit code of the first failure.
    pub fn run(&self, tell: &mut dyn FnMut(&Finding)) -> Result<()> {
        let (mut failed, mut first) = (0, None);
        let mut tell = |finding: Finding| {
            if finding.level == Level::Fail {
                failed += 1;
                first.get_or_insert_with(|| (format!("{} of {}", finding.check, finding.subject), finding.kind.code()));
            }
            tell(&finding);
        };
        self.examine(&mut tell);
        match first {
            Some((first, code)) => Err(Error::Unhealthy { failed, first, code }),
            None => Ok(()),
        }
    }

    fn examine(&self, tell: &mut dyn FnMut(Finding)) {
        let config = self.config.as_ref().and_then(|file| here::config(file, tell));
        let identity = self.identity(config.as_ref(), tell);
        let identity = identity.as_ref();
        let own = identity.map(|i| i.fingerprint());
        let runs = config.as_ref().is_some_and(|c| here::machine(c, identity, self.patience, tell));
        let peers = self.peers.clone().or_else(|| config.as_ref().map(|c| c.peers.clone()));
        let named = self.job.is_some() || self.service.is_some();
        let asked = peers.is_some() || !named;
        let peers = here::peers(&peers.unwrap_or_else(|| "peers.toml".into()), asked, tell);
        let job = self.job.as_ref().and_then(|file| here::job(file, peers.as_ref(), tell));
        let service = self.service.as_ref().and_then(|file| here::service(file, peers.as_ref(), job.as_ref(), tell));
        let about = match (&job, &service) {
            (_, Some(service)) => About::Service(service),
            (Some(job), None) => About::Job(job),
            (None, None) => About::Nothing,
        };
        if let Some(own) = own {
            here::role(about, own, config.is_some(), tell);
        }

        let mut targets: Vec<Target> = match (about, &peers) {
            (About::Job(job), _) => Target::of_parties(&job.party),
            (About::Service(service), _) => Target::of_parties(&service.party),
            (About::Nothing, Some(peers)) => Target::of_peers(peers),
            (About::Nothing, None) => vec![],
        };
        let known = !matches!(about, About::Nothing);
        // A party that does not run cannot be called, and where it runs it is called where it listens.
        if let (Some(config), Some(own)) = (&config, own) {
            targets.retain(|t| t.fingerprint != own || runs && known);
            targets.iter_mut().filter(|t| t.fingerprint == own).for_each(|t| t.address = crate::status::local(&config.listen));
        }
        if targets.is_empty() && (known || !named) {
            tell(Finding::new(Kind::PeersNobody, "parties", "found none with an address, expected at least one"));
        }
        // All at once: a silent one holds nobody up.
        std::thread::scope(|scope| {
            let look = |target| scope.spawn(move || there::examine(target, identity, about, self.patience));
            let threads: Vec<_> = targets.iter().map(look).collect();
            threads.into_iter().filter_map(|t| t.join().ok()).flatten().for_each(tell);
        });
    }

    fn identity(&self, config: Option<&Config>, tell: &mut dyn FnMut(Finding)) -> Option<Identity> {
        let plain = config.is_some_and(|c| c.insecure.plain_key);
        let identity = match (&self.key, config) {
            (Some(key), _) => here::key(key.clone(), &self.passphrase, plain, tell),
            (None, Some(config)) => match config.key.parse() {
                Ok(key) => here::key(key, &self.passphrase, plain, tell),
                Err(e) => {
                    tell(Finding::new(Kind::KeyUnreadable, &config.key, e));
                    None
                }
            },
            (None, None) => {
                tell(Finding::new(Kind::KeyNone, "key", "found neither a configuration that names one nor --key"));
                None
            }
        };
        identity.inspect(|identity| here::certificate(identity, std::time::SystemTime::now(), tell))
    }
}
