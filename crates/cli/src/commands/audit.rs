//! `trefoil audit`: what parties have written down.

use crate::output::{note, print};
use clap::Args;
use std::path::{Path, PathBuf};
use trefoil_server::Result;
use trefoil_server::logs::{self, Log};
use trefoil_store::audit;

/// Options of `trefoil audit`.
#[derive(Args)]
pub struct Audit {
    /// A party's audit log, audit.jsonl in its data folder; with two or three, of different parties, they are compared
    #[arg(value_name = "FILE", required = true, num_args = 1..=3)]
    files: Vec<PathBuf>,

    /// Print every entry too
    #[arg(long)]
    entries: bool,

    /// Check that the log goes on from where its head was this one, 64 hexadecimal digits
    #[arg(long, value_name = "HEAD")]
    since: Option<String>,
}

impl Audit {
    /// Verifies the chains and the signed approvals, and compares what the parties say.
    pub fn run(self) -> Result<()> {
        if let (true, Some(_)) = (self.files.len() > 1, &self.since) {
            return Err(trefoil_server::Error::config("--since", format!("{} logs", self.files.len()), "one"));
        }
        let logs: Vec<Log> = self.files.iter().map(|file| Log::read(file)).collect::<Result<_>>()?;
        for (file, log) in self.files.iter().zip(&logs) {
            if self.entries {
                entries(file)?;
            }
            let signed = log.approvals.len();
            let (name, lines, head) = (&log.name, log.entries(), hex(&log.head()));
            note(format_args!("{name}: {lines} entries, unbroken, {signed} approvals, all signed; head {head}"));
            if let Some(since) = &self.since {
                let then = log.since(since)?;
                audit::verify_since(file, &then)?;
                note(format_args!("{name}: {} entries since that head, which was of {}", lines - then.entries, then.entries));
            }
        }
        if logs.len() > 1 {
            let logs::Common { jobs, sessions, heads } = logs::compare(&logs)?;
            note(format_args!("no contradiction: {jobs} jobs and {sessions} sessions in common, {heads} heads told and found"));
        }
        Ok(())
    }
}

fn entries(file: &Path) -> Result<()> {
    for entry in audit::read(file)? {
        let entry = entry?;
        let mut rest = entry.event;
        let what = rest.as_object_mut().and_then(|e| e.remove("what"));
        let what = what.as_ref().and_then(|w| w.as_str()).unwrap_or("?");
        print(format_args!("{} {} {what}: {rest}\n", entry.n, entry.time));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
