//! `trefoil peers`: who is who.

use crate::output::{note, print};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use trefoil_client as client;
use trefoil_client::peers::{Peers as List, PeersError};
use trefoil_net as net;
use trefoil_net::identity::Fingerprint;
use trefoil_server::Result;

/// Options of `trefoil peers`.
#[derive(Args)]
pub struct Peers {
    /// The list
    #[arg(long, value_name = "FILE", default_value = "peers.toml", global = true)]
    file: PathBuf,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add somebody, or change the address of somebody known
    Add(Add),
    /// Print the list: name, address and fingerprint
    List {
        /// Print the fingerprints in words
        #[arg(long)]
        words: bool,
    },
    /// Take somebody out
    Remove {
        /// Who
        name: String,
    },
}

#[derive(Args)]
struct Add {
    /// What they are called here: a-z, 0-9 and -
    name: String,

    /// host:port, or - for those who are never called: data owners and model owners
    address: String,

    /// What their `trefoil keygen` printed: 64 hexadecimal digits, or the 24 words
    #[arg(required = true, num_args = 1..=24)]
    fingerprint: Vec<String>,

    /// They have a new key: replace the fingerprint of that name
    #[arg(long)]
    replace: bool,
}

impl Peers {
    /// Reads or changes the list.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Add(Add { name, address, fingerprint, replace }) => {
                let unreadable = |e: net::Error| PeersError::Fingerprint { name: name.clone(), source: e.into() };
                let fingerprint: Fingerprint = fingerprint.join(" ").parse().map_err(unreadable).map_err(client::Error::from)?;
                let address = (address != "-").then_some(address.as_str());
                List::update(&self.file, |peers| peers.add(&name, address, fingerprint, replace))?;
            }
            Action::List { words } => {
                let peers = List::load(&self.file)?;
                let rows: Vec<_> =
                    peers.iter().map(|(name, p)| (name, p.address.as_deref().unwrap_or("-"), p.fingerprint)).collect();
                let width = |f: fn(&(&str, &str, Fingerprint)) -> usize| rows.iter().map(f).max().unwrap_or(0);
                let (names, addresses) = (width(|r| r.0.len()), width(|r| r.1.chars().count()));
                for (name, address, fingerprint) in &rows {
                    let fingerprint = if words { fingerprint.words() } else { fingerprint.to_string() };
                    print(format_args!("{name:names$}  {address:addresses$}  {fingerprint}\n"));
                }
                if rows.is_empty() {
                    note(format_args!("{}: nobody yet", self.file.display()));
                }
            }
            Action::Remove { name } => {
                List::update(&self.file, |peers| peers.remove(&name))?;
            }
        }
        Ok(())
    }
}
