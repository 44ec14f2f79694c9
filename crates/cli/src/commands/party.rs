//! `trefoil party`: one computing party; `trefoil bench-party`: one that is only measured.

use super::keygen::PassphraseArgs;
use crate::output::note;
use crate::ranks;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use trefoil_client::keys::KeySource;
use trefoil_client::peers::Peers;
use trefoil_job::Job;
use trefoil_lab::{bench, launch};
use trefoil_mpc::Switch;
use trefoil_net::identity::Identity;
use trefoil_server::config::{Config, LogFormat};
use trefoil_server::{self as server};
use trefoil_server::{Error, Event, Result};

/// Options of `trefoil party`.
#[derive(Args)]
pub struct Party {
    /// The party's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Approve this job, as this party's operator
    #[arg(long, value_name = "JOB")]
    approve: Option<PathBuf>,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Print what happens as JSON lines on standard output, and stop when standard input ends
    #[arg(long, hide = true)]
    events: bool,

    /// With `--events`: print what the page shows, too
    #[arg(long, hide = true, requires = "events")]
    shown: bool,
}

/// A launcher whose parties stop with it waits no longer than this for them.
const FAREWELL: Duration = Duration::from_secs(1);
/// Set when the launcher has ended standard input.
static LEFT: AtomicBool = AtomicBool::new(false);

impl Party {
    /// Runs until it is told to stop.
    pub fn run(self) -> Result<()> {
        let events = self.events;
        let result = self.serve();
        match &result {
            Ok(()) if LEFT.load(Ordering::Relaxed) => std::process::exit(130),
            Err(e) if events => launch::emit(&Event::Failed { message: e.to_string(), code: e.exit_code() }),
            _ => {}
        }
        result
    }

    fn serve(self) -> Result<()> {
        let config = Config::load(&self.config)?;
        logs(&config.log, config.log_format)?;
        let key: KeySource = config.key.parse().map_err(trefoil_client::Error::from)?;
        let identity = key.load(&self.passphrase.source(), config.insecure.plain_key)?;
        let cluster = ranks::start(&config)?;
        let result = match cluster.as_ref().filter(|cluster| cluster.follows()) {
            // Rank 0 ends a party in good order; another rank that is told to stop waits for that.
            Some(cluster) => super::stop_flag().and_then(|_| server::lanes::follow(config, identity, &cluster.ranks)),
            None => self.lead(config, identity, cluster.as_ref().map(|cluster| cluster.ranks.clone())),
        };
        if let Some(cluster) = cluster {
            cluster.end(&result);
        }
        result
    }

    /// The party, or its rank 0.
    fn lead(&self, config: Config, identity: Identity, ranks: Option<Arc<Switch>>) -> Result<()> {
        let approve = self.approve.as_ref().map(|job| Job::load(job, &Peers::load(&config.peers)?)).transpose()?;
        let stop = super::stop_flag()?;
        let mut emit: Box<dyn FnMut(Event) + Send> = Box::new(drop);
        if self.events {
            emit = Box::new(|event| launch::emit(&event));
            launch::when_input_ends(|| {
                LEFT.store(true, Ordering::Relaxed);
                stop.store(true, Ordering::Relaxed);
                std::thread::sleep(FAREWELL);
                std::process::exit(130);
            });
        }
        // A log that others may read is no place for a link.
        let link = std::io::stderr().is_terminal().then(|| -> server::TellLink {
            Box::new(|link| {
                note(format_args!("page, for its operator: {link} (works once, within 15 minutes; another: trefoil page)"))
            })
        });
        server::run(config, server::Start { identity, approve, ranks, stop, emit, shown: self.shown, link })
    }
}

/// Runs one party of a measurement.
///
/// # Errors
/// What went wrong.
pub fn bench() -> Result<()> {
    logs("info", LogFormat::Text)?;
    bench::party::process()
}

/// Logs on standard error; TREFOIL_LOG and RUST_LOG come before the configuration.
fn logs(level: &str, format: LogFormat) -> Result<()> {
    let wanted = ["TREFOIL_LOG", "RUST_LOG"].iter().find_map(|v| std::env::var(v).ok()).unwrap_or_else(|| level.to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|e| Error::config("log", format!("{wanted:?} ({e})"), "error, warn, info, debug or trace"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}
