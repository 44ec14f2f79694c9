//! The party's page, for its operator alone: where its jobs and services stand, what they take, who has approved, what the audit log says. It shows
//! what the operator may see, of which P2's has no figure, and nothing of a record, a share or a model.
//!
//! | where | what |
//! |---|---|
//! | `history` | of a job: its curves and its cost, in bounded memory |
//! | `parts` | what is shown, as JSON |
//! | `peers` | how long the other parties take to answer |

pub mod history;
mod parts;
mod peers;

use crate::config::Config;
use crate::record::Figures;
use crate::server::Server;
use crate::{Error, Event, Result, machine, status};
use history::{Series, keep_later};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trefoil_client::Patience;
use trefoil_client::request::{self, Request};
use trefoil_net::identity::Identity;
use trefoil_net::tls::connect;
use trefoil_store::{audit, time};
use trefoil_web::door::Door;
use trefoil_web::feed::Feed;

/// How often it is looked what has changed, where somebody looks.
const GLANCE: Duration = Duration::from_millis(200);
/// How often memory is noted.
const MEMORY: Duration = Duration::from_secs(2);
/// Lines of the audit log, the newest.
const MOST_LINES: usize = 60;
/// Bytes of one of them.
const MOST_LINE: usize = 4096;

/// What a party has for its page.
pub struct Page {
    pub door: Arc<Door>,
    pub feed: Arc<Feed>,
    started: u64,
    /// Where it is served, once it is.
    at: OnceLock<SocketAddr>,
    lines: Mutex<VecDeque<Line>>,
    /// Milliseconds since 1970, and bytes.
    memory: Mutex<Series<(u64, u64)>>,
    peers: peers::Reached,
}

/// A line of the audit log.
#[derive(Clone, Serialize)]
struct Line {
    n: u64,
    time: String,
    event: Value,
}

impl Line {
    fn new(n: u64, time: String, event: &Value) -> Line {
        let bytes = event.to_string().len();
        let cut = || json!({ "what": event["what"], "bytes": bytes });
        Line { n, time, event: if bytes > MOST_LINE { cut() } else { event.clone() } }
    }
}

/// What an audit log tells of the time before this start: its newest lines, and the figures that were opened, by job.
#[derive(Default)]
pub struct Past {
    lines: VecDeque<Line>,
    pub figures: BTreeMap<String, Vec<Figures>>,
}

impl Past {
    /// As far as it can be read; what is wrong with it is said where it is opened.
    pub fn read(log: &Path) -> Past {
        let mut past = Past::default();
        for entry in audit::read(log).into_iter().flatten().map_while(std::result::Result::ok) {
            let of = |figures: &Value| serde_json::from_value::<Figures>(figures.clone()).ok();
            if let (Some("opened"), Some(job)) = (entry.event["what"].as_str(), entry.event["job"].as_str()) {
                past.figures.entry(job.to_owned()).or_default().extend(of(&entry.event["figures"]));
            }
            push(&mut past.lines, Line::new(entry.n, entry.time, &entry.event));
        }
        past
    }
}

fn push(lines: &mut VecDeque<Line>, line: Line) {
    if lines.len() == MOST_LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

impl Page {
    /// A page that nobody has a link to.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(past: Past) -> Result<Page> {
        let door = Door::new().map_err(no_randomness)?;
        Ok(Page {
            door: Arc::new(door),
            feed: Arc::default(),
            started: now(),
            at: OnceLock::new(),
            lines: Mutex::new(past.lines),
            memory: Mutex::new(Series::new(keep_later)),
            peers: peers::Reached::default(),
        })
    }

    /// It is served here.
    pub fn serve(&self, at: SocketAddr) {
        // A party has one status port.
        let _ = self.at.set(at);
    }

    /// The audit log has a new line.
    pub fn note(&self, n: u64, event: &Value) {
        let line = Line::new(n, time::now(), event);
        push(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner), line);
    }

    /// A fresh link.
    ///
    /// # Errors
    /// It is served nowhere; no randomness.
    pub fn link(&self) -> Result<String> {
        let at = status::this_machine(*self.at.get().ok_or_else(nowhere)?);
        Ok(format!("http://{at}/?link={}", self.door.link().map_err(no_randomness)?))
    }

    fn memory(&self) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.push((now(), machine::rss()));
    }
}

/// A link to the page of the party that has this configuration and runs on this machine, which gives it to its operator.
///
/// # Errors
/// It does not run, or serves no page.
pub fn link_to_page(config: &Config, identity: &Identity, patience: Patience) -> Result<String> {
    config.status_address()?.ok_or_else(nowhere)?;
    let at = status::local(&config.listen);
    let mut stream = connect(&at, identity, identity.fingerprint(), patience.connect)?;
    stream.set_timeouts(Some(patience.answer), Some(patience.answer))?;
    Ok(request::ask(&mut stream, &Request::Page)?)
}

fn nowhere() -> Error {
    Error::config("status", "none", "an address in party.toml, such as 127.0.0.1:9100, where the page is")
}

fn no_randomness(e: impl ToString) -> Error {
    Error::config("page", e.to_string(), "randomness from the system")
}

/// Milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// Keeps the page up to date for as long as the server lives, on threads of their own; `tell` has the launcher told too what changes.
pub fn keep(server: &Arc<Server>, tell: bool) {
    let name = |name: &str| std::thread::Builder::new().name(name.into());
    let (look, ask) = (Arc::downgrade(server), Arc::downgrade(server));
    let threads = [
        name("page").spawn(move || look_for_ever(&look, tell)),
        name("page-peers").spawn(move || peers::ask_for_ever(&ask, tell)),
    ];
    threads.into_iter().filter_map(std::result::Result::err).for_each(|e| tracing::error!("no thread for the page: {e}"));
}

fn look_for_ever(server: &Weak<Server>, tell: bool) {
    let mut noted = None::<Instant>;
    while let Some(server) = server.upgrade() {
        if noted.is_none_or(|at| at.elapsed() >= MEMORY) {
            noted = Some(Instant::now());
            server.page.memory();
        }
        if tell || server.page.feed.is_watched() {
            for (part, json) in server.page.feed.show("party", parts::all(&server)) {
                if tell {
                    server.say(Event::Shown { part, json });
                }
            }
        }
        drop(server);
        std::thread::sleep(GLANCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of events, and of memory that grows: the page keeps the newest lines, none of them long, and a bounded series.
    #[test]
    fn a_day_of_lines_is_no_longer_than_an_hour_of_them() {
        let page = Page::new(Past::default()).unwrap();
        for n in 0..100_000 {
            page.note(n, &json!({ "what": "proposed", "name": "x".repeat(if n % 100 == 99 { 2 * MOST_LINE } else { 10 }) }));
            page.memory.lock().unwrap().push((n, n));
        }
        let lines = page.lines.lock().unwrap();
        assert_eq!((lines.len(), lines.back().unwrap().n), (MOST_LINES, 99_999));
        assert!(lines.iter().all(|line| line.event["what"] == "proposed" && line.event.to_string().len() <= MOST_LINE));
        assert!(page.memory.lock().unwrap().points().count() < 300);
    }
}
