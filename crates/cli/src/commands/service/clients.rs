//! `trefoil service clients`: who may ask, where that is a list that grows.

use super::ServiceWithKey;
use crate::output::{json, note, print};
use clap::Args;
use std::path::PathBuf;
use trefoil_client::clients::{self, ClientList, Listed};
use trefoil_client::peers::{Peers, check_name};
use trefoil_job::Service;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_server::{Error, Result};

/// Options of `trefoil service clients`.
#[derive(Args)]
pub struct Clients {
    #[command(flatten)]
    service: ServiceWithKey,

    /// Add a client: its name and what its `trefoil keygen` printed, or the name alone of somebody in the peers file
    #[arg(long, value_name = "NAME[=FINGERPRINT]")]
    add: Vec<String>,

    /// Add everybody who is in a file of the peers file's form
    #[arg(long, value_name = "FILE")]
    add_all: Option<PathBuf>,

    /// Take a client out: its next question is refused
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a party holds, or why it does not say.
type Held = Result<Option<ClientList>>;

impl Clients {
    /// Shows the newest list that the parties hold, or signs another and brings it to them.
    pub fn run(self) -> Result<()> {
        let (service, identity) = (self.service.service.load()?, self.service.key.identity()?);
        let Some(signer) = service.client.signer() else {
            return Err(Error::config("client", &service.client, "{ list = .. }: a service whose list of clients grows"));
        };
        let edits = !(self.add.is_empty() && self.add_all.is_none() && self.remove.is_empty());
        let signs = service.is_signer(identity.fingerprint());
        if edits && !signs {
            let expected = format!("{} {}, who signs the list of clients", signer.name, signer.fingerprint);
            return Err(Error::config("key", service.role(identity.fingerprint()), expected));
        }
        let mut held = self.held(&service, &identity);
        let newest = held.iter().flatten().flatten().max_by_key(|list| list.version).cloned();
        if held.iter().all(Result::is_err) {
            return held.into_iter().find_map(Result::err).map_or(Ok(()), Err);
        }
        let (version, old) = newest.as_ref().map_or((0, &[][..]), |list| (list.version, &list.clients));
        let new =
            clients::edited(old, &self.added()?, &self.remove).map_err(|e| Error::config("clients", e, "an edit of the list"))?;
        let list = match edits && new != old {
            true => {
                let next = version.checked_add(1).ok_or_else(|| Error::config("version", version, "one that has a next one"))?;
                Some(ClientList::sign(&identity, service.hash(), next, new)?)
            }
            false => newest.clone(),
        };
        if let Some(list) = list.as_ref().filter(|_| signs) {
            self.bring(list, &service, &identity, &mut held);
        }
        self.tell(newest.as_ref(), list.as_ref(), &held)?;
        // Whom either of these two refuses is told nothing.
        match held {
            [Err(e), Err(_), _] if edits => Err(e),
            _ => Ok(()),
        }
    }

    fn added(&self) -> Result<Vec<Listed>> {
        let of_service = Peers::load(&self.service.service.peers)?;
        let mut all = vec![];
        for text in &self.add {
            let (name, fingerprint) = match text.split_once('=') {
                Some((name, fingerprint)) => (name, fingerprint.parse()?),
                None => (&text[..], of_service.get(text)?.fingerprint),
            };
            check_name(name)?;
            all.push(Listed { name: name.to_owned(), fingerprint });
        }
        if let Some(file) = &self.add_all {
            if !file.exists() {
                return Err(Error::config(file.display(), "no file", "one of the peers file's form"));
            }
            let peers = Peers::load(file)?;
            all.extend(peers.iter().map(|(name, peer)| Listed { name: name.to_owned(), fingerprint: peer.fingerprint }));
        }
        Ok(all)
    }

    /// At all three at once: one that is away is waited for.
    fn held(&self, service: &Service, identity: &Identity) -> [Held; 3] {
        let patience = self.service.key.patience();
        self.each(service, |party| {
            let list = ClientList::read(party, identity, patience, service.hash())?;
            list.iter().try_for_each(|list| service.check_list(list))?;
            Ok(list)
        })
    }

    /// Brings a list to those that hold an older one or none.
    fn bring(&self, list: &ClientList, service: &Service, identity: &Identity, held: &mut [Held; 3]) {
        let patience = self.service.key.patience();
        let lacks = |held: &Held| matches!(held, Ok(held) if held.as_ref().is_none_or(|held| held.version < list.version));
        let lacking = held.each_ref().map(lacks);
        let brought = self.each(service, |party| match lacking[party.id.index()] {
            true => Ok(list.bring(party, identity, patience).map(|()| Some(list.clone()))?),
            false => Ok(None),
        });
        for (id, brought) in Id::ALL.into_iter().zip(brought) {
            if lacking[id.index()] {
                held[id.index()] = brought;
            }
        }
    }

    fn each<T: Send>(&self, service: &Service, ask: impl Fn(&trefoil_client::Address) -> Result<T> + Sync) -> [Result<T>; 3] {
        let (addresses, ask) = (service.addresses(), &ask);
        std::thread::scope(|scope| {
            let all = addresses.each_ref().map(|party| scope.spawn(move || ask(party)));
            all.map(|one| one.join().unwrap_or_else(|_| Err(Error::config("party", "a thread that broke off", "an answer"))))
        })
    }

    fn tell(&self, old: Option<&ClientList>, new: Option<&ClientList>, held: &[Held; 3]) -> Result<()> {
        let versions = held.each_ref().map(|held| held.as_ref().ok().and_then(Option::as_ref).map(|list| list.version));
        for (id, e) in Id::ALL.into_iter().zip(held).filter_map(|(id, held)| held.as_ref().err().map(|e| (id, e))) {
            note(format_args!("{id} does not answer: {e}; it is shown the newest list when the three meet again"));
        }
        let (version, clients) = new.map_or((0, &[][..]), |list| (list.version, &list.clients));
        if self.json {
            let held: serde_json::Map<_, _> = Id::ALL.iter().zip(versions).map(|(id, v)| (id.to_string(), v.into())).collect();
            return json(&serde_json::json!({ "version": version, "clients": clients, "held": held }));
        }
        let before = old.map_or(&[][..], |list| &list.clients);
        if old.map(|list| list.version) == new.map(|list| list.version) {
            clients.iter().for_each(|c| print(format_args!("{} {}\n", c.name, c.fingerprint)));
        } else {
            let gone = before.iter().filter(|c| !clients.contains(c)).map(|c| ('-', c));
            let come = clients.iter().filter(|c| !before.contains(c)).map(|c| ('+', c));
            gone.chain(come).for_each(|(sign, c)| print(format_args!("{sign} {} {}\n", c.name, c.fingerprint)));
        }
        let at: Vec<String> = Id::ALL
            .iter()
            .zip(versions)
            .map(|(id, v)| format!("{id} {}", v.map_or_else(|| "none".to_owned(), |v| v.to_string())))
            .collect();
        print(format_args!("version {version}, {} clients; held: {}\n", clients.len(), at.join(", ")));
        Ok(())
    }
}
