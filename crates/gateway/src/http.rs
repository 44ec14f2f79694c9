//! The protocol's routes. A browser's page can reach a local port, so what a browser sends for a page is refused: any `Origin`, and any `Host` that is
//! not this port's, which a name that was bound anew would have.

use crate::Refusal;
use crate::model::{Model, VERSION};
use crate::pool::{Asked, Oracle, Pool};
use crate::tensors::Answer;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http::HeaderValue};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Bytes of a body.
pub(crate) const MOST_BODY: usize = 32 << 20;

/// Bodies that are taken in or answered at a time.
const MOST_REQUESTS: usize = crate::pool::CONVERSATIONS + crate::pool::WAITING;

/// For the body of a request to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The length of a body's JSON, where tensors in the binary form follow it.
const JSON_LENGTH: &str = "inference-header-content-length";

/// What all requests share.
struct Shared<O> {
    model: Arc<Model>,
    pool: Pool<O>,
    requests: Semaphore,
    port: u16,
}

type Here<O> = State<Arc<Shared<O>>>;

/// All routes. `at` is where they are served.
pub(crate) fn routes<O: Oracle>(at: SocketAddr, model: Model, oracle: O) -> Router {
    let model = Arc::new(model);
    let pool = Pool::start(oracle, Arc::clone(&model));
    let shared = Arc::new(Shared { model, pool, requests: Semaphore::new(MOST_REQUESTS), port: at.port() });
    let mut router = Router::new()
        .route("/v2", get(server))
        .route("/v2/health/live", get(|| async { json_body(&json!({ "live": true })) }))
        .route("/v2/health/ready", get(ready::<O>));
    for model in ["/v2/models/{name}", "/v2/models/{name}/versions/{version}"] {
        router = router
            .route(model, get(metadata::<O>))
            .route(&format!("{model}/ready"), get(model_ready::<O>))
            .route(&format!("{model}/infer"), post(infer::<O>));
    }
    router
        .fallback(|| async {
            Refusal::new(StatusCode::NOT_FOUND, "path: found none such, expected one of the Open Inference Protocol")
        })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method: expected POST to infer, and else GET")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::<O>))
        .with_state(shared)
}

async fn guard<O: Oracle>(State(shared): Here<O>, request: Request, next: Next) -> Result<Response, Refusal> {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Origin: found one, expected none: this port is not for pages in a browser",
        ));
    }
    let port = shared.port;
    let line = match trefoil_web::host::local_port(headers) {
        Ok(named) if named == port => return Ok(next.run(request).await),
        Ok(named) => format!("Host: found port {named}, expected {port}"),
        Err(found) => format!("Host: found {found}, expected localhost:{port}, 127.0.0.1:{port} or [::1]:{port}"),
    };
    Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, line))
}

fn json_body(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn server() -> Response {
    json_body(&json!({ "name": "trefoil", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] }))
}

async fn ready<O: Oracle>(State(shared): Here<O>) -> Result<Response, Refusal> {
    reachable(shared).await?;
    Ok(json_body(&json!({ "ready": true })))
}

async fn model_ready<O: Oracle>(State(shared): Here<O>, Path(path): Path<HashMap<String, String>>) -> Result<Response, Refusal> {
    shared.is_model(&path)?;
    let name = shared.model.name.clone();
    reachable(shared).await?;
    Ok(json_body(&json!({ "name": name, "ready": true })))
}

async fn reachable<O: Oracle>(shared: Arc<Shared<O>>) -> Result<(), Refusal> {
    let _place = shared.place()?;
    let looking = Arc::clone(&shared);
    match tokio::task::spawn_blocking(move || looking.pool.reachable()).await {
        Ok(found) => Ok(found?),
        Err(_) => Err(crate::infer::unanswered()),
    }
}

async fn metadata<O: Oracle>(State(shared): Here<O>, Path(path): Path<HashMap<String, String>>) -> Result<Response, Refusal> {
    shared.is_model(&path)?;
    Ok(json_body(&shared.model.metadata()))
}

async fn infer<O: Oracle>(
    State(shared): Here<O>,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    shared.is_model(&path)?;
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        return Err(Refusal::request(
            "Content-Encoding",
            crate::tensors::quoted(&String::from_utf8_lossy(coding.as_bytes())),
            "none",
        ));
    }
    let _place = shared.place()?;
    let (body, json) = (whole(&headers, body).await?, json_length(&headers)?);
    let Answer { body, json } = shared.pool.ask(Asked { body, json, since: Instant::now() }).await?;
    let Some(json) = json else { return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response()) };
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response();
    response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(json));
    Ok(response)
}

/// All of a body.
async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("body: expected at most {MOST_BODY} bytes"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > MOST_BODY as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, MOST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Too long, where its length was not announced; or who sends it is gone, and hears nothing of this.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let line = format!("body: found no end within {} s", BODY_WITHIN.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, line))
        }
    }
}

fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let Some(value) = headers.get(JSON_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        let found = crate::tensors::quoted(&String::from_utf8_lossy(value.as_bytes()));
        Refusal::request("Inference-Header-Content-Length", found, "a number of bytes")
    })
}

impl<O> Shared<O> {
    /// That a path names the model.
    fn is_model(&self, path: &HashMap<String, String>) -> Result<(), Refusal> {
        let (name, version) = (path.get("name"), path.get("version"));
        let (what, found, expected) = match (name, version) {
            (Some(name), None) if *name == self.model.name => return Ok(()),
            (Some(name), Some(version)) if *name == self.model.name && version == VERSION => return Ok(()),
            (Some(name), Some(version)) if *name == self.model.name => ("version", version, VERSION.to_owned()),
            (name, _) => ("model", name.unwrap_or(&self.model.name), crate::tensors::quoted(&self.model.name)),
        };
        let line = format!("{what}: found {}, expected {expected}", crate::tensors::quoted(found));
        Err(Refusal::new(StatusCode::NOT_FOUND, line))
    }

    /// A place among the requests that are answered at a time.
    fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
        self.requests.try_acquire().map_err(|_| Refusal::busy(format_args!("{MOST_REQUESTS} requests at a time")))
    }
}

#[cfg(test)]
mod tests;
