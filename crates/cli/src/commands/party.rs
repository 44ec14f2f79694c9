//! `trefoil party`: one computing party. People do not call it; the launcher does.

use tracing_subscriber::EnvFilter;
use trefoil_node::{Error, Result, launch};

/// Runs a party, with logs on standard error. The launcher ends it: Ctrl-C on a terminal reaches only the launcher,
/// which has put its parties into process groups of their own.
pub fn run() -> Result<()> {
    let wanted = ["TREFOIL_LOG", "RUST_LOG"].iter().find_map(|v| std::env::var(v).ok()).unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|e| Error::config("TREFOIL_LOG", format!("{wanted:?} ({e})"), "error, warn, info, debug or trace"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    launch::party_process()
}
