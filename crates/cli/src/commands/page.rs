//! `trefoil page`: a link to the page of a party on this machine.

use super::keygen::PassphraseArgs;
use crate::output::print;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use trefoil_client::Patience;
use trefoil_client::keys::KeySource;
use trefoil_server::config::Config;
use trefoil_server::{Result, link_to_page};

/// Options of `trefoil page`.
#[derive(Args)]
pub struct PageCommand {
    /// The party's configuration
    #[arg(long, value_name = "FILE", default_value = "party.toml")]
    config: PathBuf,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Open the link in a browser, too, where there is one
    #[arg(long)]
    open: bool,

    /// How long to wait for the party
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl PageCommand {
    /// Asks the party as its operator.
    pub fn run(self) -> Result<()> {
        let config = Config::load(&self.config)?;
        let key: KeySource = config.key.parse().map_err(trefoil_client::Error::from)?;
        let identity = key.load(&self.passphrase.source(), config.insecure.plain_key)?;
        let timeout = Duration::from_secs(self.timeout);
        let link = link_to_page(&config, &identity, Patience { connect: timeout, answer: timeout })?;
        print(format_args!("{link}\n"));
        if self.open {
            super::open(&link);
        }
        Ok(())
    }
}
