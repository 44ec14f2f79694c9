//! `trefoil doctor`: what is wrong, and what to do about it.

use super::keygen::PassphraseArgs;
use crate::output::{json, print};
use clap::Args;
use serde::Serialize;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use trefoil_client::keys::KeySource;
use trefoil_server::Result;
use trefoil_server::doctor::{Examination, Finding, Level};

/// Options of `trefoil doctor`.
#[derive(Args)]
pub struct Doctor {
    /// A party's configuration: checks this machine too
    #[arg(long, value_name = "FILE", required_unless_present_any = ["key", "job", "service", "peers"])]
    config: Option<PathBuf>,

    /// A job: checks the way to its parties, and its standing there
    #[arg(long, value_name = "JOB")]
    job: Option<PathBuf>,

    /// A service: checks the way to its parties, and whether it answers there; with --job also that the job allows it
    #[arg(long, value_name = "SERVICE")]
    service: Option<PathBuf>,

    /// Who is who; without a job or a service, those with an address are called [default: the configuration's, else peers.toml]
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,

    /// The private key: a file, env:NAME or fd:N [default: the configuration's]
    #[arg(long, value_name = "SOURCE")]
    key: Option<KeySource>,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Seconds that a party may take for each phase
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    healthy: bool,
    findings: Vec<Finding>,
}

impl Doctor {
    /// Prints what is found as it is found; fails where anything does.
    pub fn run(self) -> Result<()> {
        let examination = Examination {
            config: self.config,
            job: self.job,
            service: self.service,
            peers: self.peers,
            key: self.key,
            passphrase: self.passphrase.source(),
            patience: Duration::from_secs(self.timeout),
        };
        if self.json {
            let mut findings = vec![];
            let result = examination.run(&mut |finding| findings.push(finding.clone()));
            json(&Report { healthy: result.is_ok(), findings })?;
            return result;
        }
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        examination.run(&mut |finding| print(lines(finding, colours)))
    }
}

/// A line, and one of advice where there is some.
fn lines(finding: &Finding, colours: bool) -> String {
    let (word, colour) = match finding.level {
        Level::Ok => ("ok", 32),
        Level::Warn => ("warn", 33),
        Level::Fail => ("FAIL", 31),
    };
    let (on, off) = if colours { (format!("\x1b[{colour}m"), "\x1b[0m") } else { (String::new(), "") };
    let mut text = format!("{on}{word:4}{off}  {:11}  {}: {}\n", finding.check, finding.subject, finding.message);
    if !finding.advice.is_empty() {
        text += &format!("{:19}{}\n", "", finding.advice);
    }
    text
}
