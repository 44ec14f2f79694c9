//! How long the other parties take to answer, asked while somebody looks: a question on a connection of its own, timed without the handshake.

use crate::record::State;
use crate::server::Server;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use trefoil_client::request::{self, Request};
use trefoil_client::share::dial;
use trefoil_client::{Address, Patience};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;

/// Between two questions to a party.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody looks.
const GLANCE: Duration = Duration::from_millis(250);
/// For a connection, and for its answer.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(2), answer: Duration::from_secs(2) };
/// Parties that are asked: two of each job, where jobs have different ones.
const MOST: usize = 16;

/// What asking came to last, by party.
pub type Reached = Mutex<BTreeMap<Fingerprint, Asked>>;

/// What asking a party came to.
#[derive(Clone, Serialize)]
pub struct Asked {
    /// Milliseconds from a question to its answer.
    milliseconds: Option<f64>,
    /// Why there is none.
    why: Option<String>,
}

/// The other parties of jobs and services that this party's operator has approved: their names, and how they are reached.
pub fn all(server: &Server) -> Vec<(String, Address)> {
    let (own, mut all) = (server.identity.fingerprint(), BTreeMap::new());
    let mut add = |names: [String; 3], addresses: [Address; 3], me: Option<Id>| {
        let Some(me) = me else { return };
        for id in me.others() {
            let (name, address) = (&names[id.index()], addresses[id.index()].clone());
            let name = if *name == id.to_string() { name.clone() } else { format!("{id} {name}") };
            if all.len() < MOST {
                all.entry(address.fingerprint).or_insert((name, address));
            }
        }
    };
    for record in server.jobs().values().map(|entry| &entry.record) {
        if record.approved && !matches!(record.state, State::Cancelled { .. }) {
            let job = &record.job;
            add(job.party.each_ref().map(|p| p.name.clone()), job.addresses(), job.party_of(own));
        }
    }
    for serving in server.services().values().filter(|serving| serving.is_live(own)) {
        let service = &serving.service;
        add(service.party.each_ref().map(|p| p.name.clone()), service.addresses(), service.party_of(own));
    }
    all.into_values().collect()
}

/// Asks them again and again for as long as the server lives and somebody looks; `always` where somebody always does.
pub fn ask_for_ever(server: &Weak<Server>, always: bool) {
    let mut last = None::<Instant>;
    while let Some(server) = server.upgrade() {
        if (always || server.page.feed.is_watched()) && last.is_none_or(|at| at.elapsed() >= PAUSE) {
            let parties = all(&server);
            // A job may come any moment.
            last = (!parties.is_empty()).then(Instant::now);
            parties.iter().for_each(|(_, address)| ask(&server, address));
        }
        drop(server);
        std::thread::sleep(GLANCE);
    }
}

fn ask(server: &Arc<Server>, address: &Address) {
    let answer = dial(address, &server.identity, PATIENCE).and_then(|mut stream| {
        let asked = Instant::now();
        let _: Value = request::ask(&mut stream, &Request::Ping)?;
        let took = asked.elapsed();
        // The answer is here; whether the party hears the farewell changes nothing.
        let _ = stream.close();
        Ok(took.as_secs_f64() * 1e3)
    });
    let asked = match answer {
        Ok(milliseconds) => Asked { milliseconds: Some((milliseconds * 100.0).round() / 100.0), why: None },
        Err(e) => Asked { milliseconds: None, why: Some(e.to_string().chars().take(200).collect()) },
    };
    server.page.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(address.fingerprint, asked);
}
