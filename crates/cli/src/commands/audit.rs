//! `trefoil audit`: what a party has written down.

use crate::output::{note, print};
use clap::Args;
use std::path::PathBuf;
use trefoil_node::{Result, audit};

/// Options of `trefoil audit`.
#[derive(Args)]
pub struct Audit {
    /// A party's audit log: audit.jsonl in its data folder
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print every entry too
    #[arg(long)]
    entries: bool,
}

impl Audit {
    /// Verifies the chain.
    pub fn run(self) -> Result<()> {
        let summary = audit::verify(&self.file)?;
        if self.entries {
            for entry in audit::read(&self.file)? {
                let entry = entry?;
                let mut rest = entry.event;
                let what = rest.as_object_mut().and_then(|e| e.remove("what"));
                let what = what.as_ref().and_then(|w| w.as_str()).unwrap_or("?");
                print(format_args!("{} {} {what}: {rest}\n", entry.n, entry.time));
            }
        }
        note(format_args!("{}: {} entries, unbroken; head {}", self.file.display(), summary.entries, hex(&summary.head)));
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
