//! The list of a service's clients at this party, where it grows. Who signs it brings each version; a party keeps one only if it is newer than
//! what it holds. Whenever the parties of a lane meet they compare what they hold, so that one that was away has the newest again before
//! it answers anybody.

use super::ask::UNLISTED;
use super::entry::{ServiceHere, Serving};
use crate::{Error, Result, handshake};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use trefoil_client::clients::ClientList;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_net::{Id, Net};
use trefoil_store::Database;

/// The table of lists, by services' hashes.
const CLIENTS: &str = "clients";

/// Takes the list that the database has, if it is one of this service; or says why not.
///
/// # Errors
/// The database cannot be read.
pub fn load(database: &Database, serving: &Serving) -> Result<std::result::Result<(), String>> {
    let Some(value) = database.get::<Value>(CLIENTS, &serving.hash.to_string())? else { return Ok(Ok(())) };
    let checked = serde_json::from_value::<ClientList>(value)
        .map_err(|e| Error::config("list", e, "its fields"))
        .and_then(|list| serving.service.check_list(&list).map(|()| list).map_err(Error::from));
    Ok(checked.map(|list| serving.now().clients = Some(Arc::new(list))).map_err(|e| e.to_string()))
}

/// The list that is held, to who signs it and to the service's parties.
///
/// # Errors
/// It is for somebody else; the caller is gone.
pub fn give(here: &ServiceHere, stream: &mut Stream, from: Fingerprint) -> Result<()> {
    if !here.service.is_signer(from) && here.service.party_of(from).is_none() {
        let why = "the list of clients is for who signs it and for the service's parties";
        return Err(Error::Refused(format!("{why}; this is {}", here.service.role(from))));
    }
    let list = here.now().clients.clone();
    Ok(ClientList::give(list.as_deref(), stream)?)
}

/// A new version of the list, from who signs it.
///
/// # Errors
/// It is somebody else's, or not newer than what is held; the caller is gone.
pub fn take(here: &ServiceHere, stream: &mut Stream, from: Fingerprint, bytes: u64) -> Result<()> {
    if !here.service.is_signer(from) {
        return Err(Error::Refused(format!(
            "the list of clients is brought by who signs it; this is {}",
            here.service.role(from)
        )));
    }
    if !here.is_live(here.server.identity.fingerprint()) {
        return Err(Error::Refused("the service is not approved by this party, or was ended".into()));
    }
    let list = ClientList::take(stream, bytes)?;
    here.service.check_list(&list)?;
    keep(here, list, from)?;
    Ok(trefoil_client::request::accept(stream, &())?)
}

/// The parties of a lane show one another which list they hold, and the list itself where they differ; each keeps the newest.
///
/// # Errors
/// A party shows a list that is none of the service's; network errors.
pub fn exchange(here: &ServiceHere, me: Id, net: &dyn Net, until: Instant) -> Result<()> {
    if here.service.client.signer().is_none() {
        return Ok(());
    }
    let own = here.now().clients.clone();
    let mine = own.as_ref().map(|list| list.digest());
    let theirs = handshake::exchange(net, &me.others(), "service.clients", &mine, until)?;
    let differ: Vec<Id> = theirs.into_iter().filter(|(_, digest)| *digest != mine).map(|(id, _)| id).collect();
    let shown = if differ.is_empty() { None } else { own.as_deref().cloned() };
    for (peer, list) in handshake::exchange(net, &differ, "service.clients.list", &shown, until)? {
        let Some(list) = list else { continue };
        let none = |e: &dyn std::fmt::Display| Error::Handshake(format!("{peer} shows a list of clients that is none: {e}"));
        here.service.check_list(&list).map_err(|e| none(&e))?;
        if here.now().clients.as_ref().is_some_and(|held| held.version > list.version) {
            continue;
        }
        match keep(here, list, here.service.party[peer.index()].fingerprint) {
            // Its signer has signed two of one version. Each party stays with its own until there is a newer one: who is in both may ask.
            Err(Error::Refused(why)) => {
                tracing::warn!(service = %here.hash, "{peer}: {why}");
                let about = json!({ "request": "list of clients", "service": here.hash });
                here.server.refusal(about, here.service.party[peer.index()].fingerprint, &why);
            }
            kept => kept?,
        }
    }
    Ok(())
}

/// Keeps a list that was checked, if it is newer than what is held, on the disk first. Who is in it no more is refused from here on.
fn keep(here: &ServiceHere, list: ClientList, from: Fingerprint) -> Result<()> {
    let one = here.relisting.lock().unwrap_or_else(PoisonError::into_inner);
    let held = here.now().clients.clone();
    if let Some(held) = held.filter(|held| held.version >= list.version) {
        if (held.version, &held.clients) == (list.version, &list.clients) {
            return Ok(());
        }
        let other = if held.version == list.version { " with other clients" } else { "" };
        return Err(Error::Refused(format!(
            "list of clients: found version {}{other}, expected one after {}, which is held here",
            list.version, held.version
        )));
    }
    here.server.database.put(CLIENTS, &here.hash.to_string(), &list)?;
    here.server.note(json!({
        "what": "list of clients", "service": here.hash, "version": list.version, "clients": list.clients.len(),
        "digest": list.digest(), "by": list.by, "time": list.time, "from": from,
    }))?;
    tracing::info!(service = %here.hash, version = list.version, clients = list.clients.len(), "new list of clients");
    let (list, service) = (Arc::new(list), &here.service);
    let unlisted = here.change(|now| {
        now.clients = Some(list.clone());
        let all = std::mem::take(&mut now.questions);
        let (stay, go): (Vec<_>, Vec<_>) = all.into_iter().partition(|q| service.client_of(q.name.by, Some(&list)).is_some());
        now.questions = stay.into();
        go
    });
    drop(one);
    unlisted.into_iter().for_each(|question| question.refuse("no client", UNLISTED.into()));
    here.server.admit()
}
