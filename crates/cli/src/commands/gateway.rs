//! `trefoil gateway`: a service behind the Open Inference Protocol on a local port.

use super::keygen::PassphraseArgs;
use crate::output::note;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use trefoil_client::Patience;
use trefoil_client::keys::KeySource;
use trefoil_client::peers::Peers;
use trefoil_gateway::Gateway;
use trefoil_job::Service;
use trefoil_server::Result;

/// How often it is looked whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Options of `trefoil gateway`.
#[derive(Args)]
pub struct GatewayCommand {
    /// The service that is asked
    #[arg(long, value_name = "SERVICE")]
    service: PathBuf,

    /// Who is who, for members that the service calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,

    /// The private key of a client of the service: a file, env:NAME or fd:N
    #[arg(long, value_name = "SOURCE")]
    key: KeySource,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Where applications ask, on this machine alone: records and answers are in the clear there. Port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,

    /// Seconds to try to reach a party of the service, and to ask again what a fault has left without an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl GatewayCommand {
    /// Runs until it is told to stop.
    pub fn run(self) -> Result<()> {
        let service = Service::load(&self.service, &Peers::load(&self.peers)?)?;
        let identity = self.key.load(&self.passphrase.source(), false)?;
        let timeout = Duration::from_secs(self.timeout);
        let stop = super::stop_flag()?;
        let gateway = Gateway::start(self.listen, service, identity, Patience { connect: timeout, answer: timeout })?;
        note(format_args!("gateway: model {:?} at http://{}/v2, until Ctrl-C", gateway.model(), gateway.address()));
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }
}
