//! `trefoil party`: one computing party.

use super::keygen::PassphraseArgs;
use crate::output::print;
use clap::Args;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;
use trefoil_node::client::keys::KeySource;
use trefoil_node::client::peers::Peers;
use trefoil_node::server::{self, config::{Config, LogFormat}};
use trefoil_node::{Error, Job, Result, launch};

/// Options of `trefoil party`.
#[derive(Args)]
pub struct Party {
    /// The party's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Approve this job, as this party's operator
    #[arg(long, value_name = "JOB", requires = "config")]
    approve: Option<PathBuf>,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Print what happens as JSON lines on standard output
    #[arg(long, hide = true)]
    events: bool,
}

impl Party {
    /// Runs until it is told to stop.
    pub fn run(self) -> Result<()> {
        let Some(file) = &self.config else {
            logs("info", LogFormat::Text)?;
            return launch::party_process();
        };
        let config = Config::load(file)?;
        logs(&config.log, config.log_format)?;
        let key: KeySource = config.key.parse().map_err(trefoil_node::client::Error::from)?;
        let identity = key.load(&self.passphrase.source(), config.insecure.plain_key)?;
        let approve = self.approve.as_ref().map(|job| Job::load(job, &Peers::load(&config.peers)?)).transpose()?;
        let events = self.events;
        let emit = move |event| {
            if let (true, Ok(line)) = (events, serde_json::to_string(&event)) {
                print(format_args!("{line}\n"));
            }
        };
        server::run(config, server::Start { identity, approve, stop: super::stop_flag()?, emit: Box::new(emit) })
    }
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
