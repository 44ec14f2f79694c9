//! The live page: a few files that are in the program, and a stream of events. Nothing can be changed over it.
//!
//! Who calls must be this machine, mean this machine, and have the cookie; else it is told so and nothing more.

use crate::door::Door;
use crate::feed::{Feed, Reader};
use crate::host;
use crate::listen::Caller;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's files: path, type, text.
pub const ASSETS: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("../assets/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("../assets/page.css")),
    ("/page.js", SCRIPT, include_str!("../assets/page.js")),
    ("/charts.js", SCRIPT, include_str!("../assets/charts.js")),
    ("/demo.js", SCRIPT, include_str!("../assets/demo.js")),
    ("/icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
];

/// What the browser may do with the page: take script, style and picture from here, ask here, and nothing else.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers of every answer.
const HEADERS: [(header::HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Streams at a time.
const MOST_STREAMS: usize = 16;

/// Between two events of a stream.
const PAUSE: Duration = Duration::from_millis(100);

/// A stream says that it is there, and looks whether its cookie still is.
const SIGN: Duration = Duration::from_secs(15);

struct Shared {
    door: Arc<Door>,
    feed: Arc<Feed>,
    streams: Arc<Semaphore>,
    /// What who has no cookie is told beside that.
    help: String,
}

/// The page's routes. `help` says to who has no link how to get one.
pub fn routes(door: Arc<Door>, feed: Arc<Feed>, help: &str) -> Router {
    let shared = Arc::new(Shared { door, feed, streams: Arc::new(Semaphore::new(MOST_STREAMS)), help: help.to_owned() });
    let mut router = Router::new().route("/events", get(events));
    for (path, kind, text) in ASSETS {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    router
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .layer(middleware::map_response(with_headers))
        .with_state(shared)
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets in whoever has the cookie, and gives it to who brings the link.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (headers, line) = (request.headers(), |status, line: String| (status, format!("{line}\n")).into_response());
    let near = request.extensions().get::<Caller>().is_some_and(|caller| caller.0.ip().to_canonical().is_loopback());
    if !near {
        return line(StatusCode::FORBIDDEN, "the page is for this machine alone".into());
    }
    if let Err(found) = host::local_port(headers) {
        let expected = "expected localhost, 127.0.0.1 or [::1]";
        return line(StatusCode::MISDIRECTED_REQUEST, format!("Host: found {found}, {expected}"));
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = line(StatusCode::METHOD_NOT_ALLOWED, "method: expected GET or HEAD".into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    // Whoever links to the page from elsewhere sends no cookie; that a browser says so is a second lock.
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| ![&b"none"[..], b"same-origin"].contains(&site)) {
        return line(StatusCode::FORBIDDEN, "Sec-Fetch-Site: expected none or same-origin".into());
    }
    let link = request.uri().query().and_then(|query| query.strip_prefix("link=")).filter(|_| request.uri().path() == "/");
    // A look at the head uses no link up.
    if let Some(cookie) = link.filter(|_| request.method() == Method::GET).and_then(|link| shared.door.enter(link)) {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, "/"), (header::SET_COOKIE, &cookie)]).into_response();
    }
    if !is_known(&shared.door, headers) {
        let what = if link.is_some() { "this link is used up, too old, or none" } else { "this page is for its operator" };
        return line(StatusCode::UNAUTHORIZED, format!("{what}: {}", shared.help));
    }
    next.run(request).await
}

fn is_known(door: &Door, headers: &HeaderMap) -> bool {
    headers.get_all(header::COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).any(|cookie| door.knows(cookie))
}

/// A stream's state.
struct Stream {
    reader: Reader,
    shared: Arc<Shared>,
    headers: HeaderMap,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// The next event; `None` where the cookie has expired, or whoever shows is gone.
    async fn next(&mut self) -> Option<Event> {
        while is_known(&self.shared.door, &self.headers) {
            if let Some(news) = self.reader.news() {
                return Some(Event::default().data(news));
            }
            match tokio::time::timeout(SIGN, self.reader.changed()).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_) => return Some(Event::default().comment("")),
            }
        }
        None
    }
}

/// All parts that are shown, and from then on those that change.
async fn events(State(shared): State<Arc<Shared>>, headers: HeaderMap, method: Method) -> Response {
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("busy: {MOST_STREAMS} streams at a time\n")).into_response();
    };
    if method == Method::HEAD {
        return ([(header::CONTENT_TYPE, "text/event-stream")], Body::empty()).into_response();
    }
    let stream = Stream { reader: shared.feed.reader(), shared, headers, _place: place };
    let events = unfold((stream, false), |(mut stream, again)| async move {
        if again {
            tokio::time::sleep(PAUSE).await;
        }
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), (stream, true)))
    });
    Sse::new(events).into_response()
}

#[cfg(test)]
mod tests;
