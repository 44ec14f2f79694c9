//! Connections to a local port, few and not for ever.

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at a time; what is beyond waits in the system's queue.
const MOST_CONNECTIONS: usize = 64;

/// For a request's head to arrive. An idle connection is closed after as long.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
const MOST_HEAD: usize = 64 << 10;

/// Headers of a request.
const MOST_HEADERS: usize = 64;

/// Where a request comes from; each request has it among its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub SocketAddr);

/// Accepts connections for ever.
pub async fn serve(listener: TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors, or who has called is gone again.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Without it answers are as right, and slower.
        let _ = stream.set_nodelay(true);
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Caller(from));
            routes.call(request)
        });
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_header_size(MOST_HEAD).max_headers(MOST_HEADERS);
            // Who breaks off, or speaks something else, is gone.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}
