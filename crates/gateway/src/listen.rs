//! The local port. Nobody but this machine reaches it: an address that others could reach is refused.

use crate::http::routes;
use crate::model::Model;
use crate::pool::{Client, Oracle};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use trefoil_client::Patience;
use trefoil_job::{Error, Result, Service};
use trefoil_net::identity::Identity;
use trefoil_web::listen::serve;

/// A gateway that runs until it is dropped.
pub struct Gateway {
    at: SocketAddr,
    model: String,
    runtime: Option<Runtime>,
}

impl Gateway {
    /// Asks the parties what the service answers, and listens. Port 0 is any that is free.
    ///
    /// # Errors
    /// `at` is not this machine's alone, or taken; the parties cannot be reached, or refuse.
    pub fn start(at: SocketAddr, service: Service, identity: Identity, patience: Patience) -> Result<Gateway> {
        if !at.ip().is_loopback() {
            return Err(Error::config("listen", at, "127.0.0.1 or [::1]: what is asked and answered there is in the clear"));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .enable_all()
            .build()
            .map_err(|e| Error::config("gateway", e, "a thread"))?;
        let bind = |source| trefoil_net::Error::Bind { address: at.to_string(), source };
        let listener = runtime.block_on(TcpListener::bind(at)).map_err(|e| trefoil_client::Error::Net(bind(e)))?;
        let at = listener.local_addr().map_err(|e| trefoil_client::Error::Net(bind(e)))?;
        let client = Client { service, identity, patience };
        let model = {
            let asking = client.open(false)?;
            let known = asking.known();
            Model::new(&client.service.name, &known.input, &known.task, asking.reveal())
        };
        let name = model.name.clone();
        runtime.spawn(serve(listener, routes(at, model, client)));
        Ok(Gateway { at, model: name, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// What the model is called.
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
