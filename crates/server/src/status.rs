//! `/healthz`, `/readyz` and `/metrics`, for those who watch over the machine. They tell of jobs and services by hash, and nothing of what was
//! opened, asked or answered. The [page](crate::page) is beside them, for the operator.

use crate::record::State;
use crate::server::Server;
use crate::{Error, Result};
use axum::{Router, http::StatusCode, routing::get};
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trefoil_web::{listen, page};

/// How an operator gets in.
const HELP: &str = "trefoil page --config party.toml, on the party's machine, prints a link that works once";

/// Serves them at `at`, on a thread of their own, until the handle is dropped.
///
/// # Errors
/// The address is taken.
pub fn serve(at: SocketAddr, server: &Arc<Server>) -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::config("status", e, "a thread"))?;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(at))
        .map_err(|source| trefoil_net::Error::Bind { address: at.to_string(), source })?;
    let (ready, metrics) = (server.clone(), server.clone());
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || async move {
                match ready.stopping() {
                    true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
                    false => (StatusCode::OK, "ready\n"),
                }
            }),
        )
        .route("/metrics", get(move || async move { text(&metrics) }))
        .merge(page::routes(server.page.door.clone(), server.page.feed.clone(), HELP));
    let at = listener.local_addr().unwrap_or(at);
    server.page.serve(at);
    runtime.spawn(listen::serve(listener, app));
    tracing::info!(address = %at, "status");
    Ok(runtime)
}

/// How this machine reaches a port that listens on all of its addresses.
pub fn this_machine(mut at: SocketAddr) -> SocketAddr {
    if at.ip().is_unspecified() {
        at.set_ip(if at.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    at
}

/// The same of where a server listens.
pub fn local(listen: &str) -> String {
    let at = listen.to_socket_addrs().ok().and_then(|mut all| all.next());
    at.map_or_else(|| listen.to_owned(), |at| this_machine(at).to_string())
}

/// Prometheus's text format.
fn text(server: &Server) -> String {
    let mut out = vec![];
    let gathered = gather(server).and_then(|registry| TextEncoder::new().encode(&registry.gather(), &mut out));
    match gathered {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(e) => format!("# {e}\n"),
    }
}

fn gather(server: &Server) -> std::result::Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let gauge = |name: &str, help: &str, labels: &[&str]| -> std::result::Result<IntGaugeVec, prometheus::Error> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    };
    let jobs = gauge("trefoil_jobs", "Jobs by state", &["state"])?;
    let steps = gauge("trefoil_job_steps", "Training steps: done, in a checkpoint, in all", &["job", "which"])?;
    let uploads = gauge("trefoil_job_owners", "Data owners: with a complete upload, in all", &["job", "which"])?;
    let process = gauge("trefoil_process", "Open client connections, refused handshakes, peak resident bytes", &["what"])?;
    let name = |state: &State| match state {
        State::Waiting => "waiting",
        State::Running => "running",
        State::Interrupted { .. } => "interrupted",
        State::Failed { .. } => "failed",
        State::Cancelled { .. } => "cancelled",
        State::Trained => "trained",
    };
    for state in ["waiting", "running", "interrupted", "failed", "cancelled", "trained"] {
        jobs.with_label_values(&[state]).set(0);
    }
    for (hash, entry) in server.jobs().iter() {
        let (record, job) = (&entry.record, hash.short());
        jobs.with_label_values(&[name(&record.state)]).inc();
        let done = entry.session.unwrap_or(record.checkpoint);
        for (which, value) in [("done", done), ("checkpoint", record.checkpoint), ("all", record.steps)] {
            steps.with_label_values(&[job.as_str(), which]).set(value as i64);
        }
        uploads.with_label_values(&[job.as_str(), "complete"]).set(record.uploads.len() as i64);
        uploads.with_label_values(&[job.as_str(), "all"]).set(record.job.owner.len() as i64);
    }
    let services = gauge("trefoil_service_open", "Whether the parties of a service have met and take questions", &["service"])?;
    let questions =
        gauge("trefoil_service_questions", "Questions answered since the start, and those that wait", &["service", "which"])?;
    let refusals = gauge("trefoil_service_refused", "Questions refused since the start, by reason", &["service", "reason"])?;
    let passes =
        gauge("trefoil_service_passes", "Passes since the start, by lane of a party of several ranks", &["service", "lane"])?;
    let asked = gauge("trefoil_service_records", "Records asked about in all, and how many may be", &["service", "which"])?;
    for serving in server.services().values() {
        let (now, hash) = (serving.now(), serving.hash.short());
        services.with_label_values(&[hash.as_str()]).set(now.open().into());
        for (which, value) in [("answered", now.answered), ("waiting", now.questions.len() as u64)] {
            questions.with_label_values(&[hash.as_str(), which]).set(value as i64);
        }
        for (rank, value) in now.passes().into_iter().enumerate() {
            passes.with_label_values(&[hash.as_str(), &rank.to_string()]).set(value as i64);
        }
        for (reason, value) in &now.refused {
            refusals.with_label_values(&[hash.as_str(), reason]).set(*value as i64);
        }
        serving.latency.iter().try_for_each(|latency| registry.register(Box::new(latency.clone())))?;
        let used = server.quotas().used(serving);
        for (which, value) in [("used", used), ("limit", serving.service.limits.records)] {
            asked.with_label_values(&[hash.as_str(), which]).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
    process.with_label_values(&["clients"]).set(server.connections() as i64);
    process.with_label_values(&["refused_handshakes"]).set(server.refused.load(Ordering::Relaxed) as i64);
    process.with_label_values(&["peak_resident_bytes"]).set(crate::machine::peak_rss() as i64);
    Ok(registry)
}
