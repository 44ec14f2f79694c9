//! Who may ask: members that are named once for all, or those of a list that one member signs version by version while the service runs.

use super::{MOST_CLIENTS, Service};
use crate::{Error, Member, Result};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use trefoil_client::clients::ClientList;
use trefoil_net::identity::Fingerprint;

/// In a job's `[serve]` and in a service: `client = [..]`, or `client = { list = .. }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Clients {
    /// These, for as long as the service is there.
    Fixed(Vec<Member>),
    /// Whoever is in the newest list that this member has signed.
    Listed(Growing),
}

/// A list that grows, and shrinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growing {
    /// Who signs each version.
    pub list: Member,
}

impl Clients {
    /// Those that are named here.
    pub fn fixed(&self) -> &[Member] {
        match self {
            Clients::Fixed(members) => members,
            Clients::Listed(_) => &[],
        }
    }

    /// Who signs the list, where there is one.
    pub fn signer(&self) -> Option<&Member> {
        match self {
            Clients::Fixed(_) => None,
            Clients::Listed(growing) => Some(&growing.list),
        }
    }

    /// Everybody that is named, whether to ask or to sign.
    pub fn named(&self) -> impl Iterator<Item = &Member> {
        self.fixed().iter().chain(self.signer())
    }

    /// Addresses are in no hash.
    pub(crate) fn forget_addresses(&mut self) {
        match self {
            Clients::Fixed(members) => members.iter_mut().for_each(|member| member.address = None),
            Clients::Listed(growing) => growing.list.address = None,
        }
    }

    /// Who is here beyond those that a job allows, and whom it allows. All who signed the job have agreed to its members, or to who signs
    /// its list: a service names some of the former, or has the list of the latter, and nobody else.
    pub(crate) fn beyond(&self, allowed: &Clients) -> Option<(String, String)> {
        let member = |who: &Member| format!("{} {}", who.name, who.fingerprint);
        match (self, allowed) {
            (Clients::Fixed(all), Clients::Fixed(may)) => {
                let may: BTreeSet<Fingerprint> = may.iter().map(|c| c.fingerprint).collect();
                let other = all.iter().find(|c| !may.contains(&c.fingerprint))?;
                Some((member(other), "one of those in the job's [serve]".into()))
            }
            (Clients::Listed(own), Clients::Fixed(_)) => {
                Some((format!("a list of {}", member(&own.list)), "members of the job's [serve], which has no list".into()))
            }
            (Clients::Listed(own), Clients::Listed(job)) if own.list.fingerprint == job.list.fingerprint => None,
            (_, Clients::Listed(job)) => {
                let found = self.signer().map_or_else(|| self.to_string(), |signer| format!("a list of {}", member(signer)));
                Some((found, format!("{{ list = .. }} of {}, as the job has it", member(&job.list))))
            }
        }
    }

    /// Those that are named, each once and some if it is them who ask; or in words what was found, and what was expected.
    pub(crate) fn check(&self) -> std::result::Result<(), (String, &'static str)> {
        let mut seen = BTreeSet::new();
        match self {
            Clients::Fixed(members) if members.is_empty() || members.len() > MOST_CLIENTS => {
                Err((members.len().to_string(), "1 to 10000 who may ask, or { list = .. }"))
            }
            Clients::Fixed(members) => match members.iter().find(|c| !seen.insert(c.fingerprint)) {
                Some(twice) => Err((format!("{} twice", twice.fingerprint), "everybody once")),
                None => Ok(()),
            },
            Clients::Listed(_) => Ok(()),
        }
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clients::Fixed(members) => write!(f, "{} clients", members.len()),
            Clients::Listed(growing) => write!(f, "the clients in {}'s list", growing.list.name),
        }
    }
}

impl<'de> Deserialize<'de> for Clients {
    /// By its form, so that what is wrong with a member is said of that member.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Clients, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Clients;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("members, or { list = who signs it }")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, all: A) -> std::result::Result<Clients, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(all)).map(Clients::Fixed)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Clients, A::Error> {
                Growing::deserialize(MapAccessDeserializer::new(map)).map(Clients::Listed)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl Service {
    /// What the client with this certificate is called, if it may ask; `list` is the newest that is held of a service that has one.
    pub fn client_of<'a>(&'a self, fingerprint: Fingerprint, list: Option<&'a ClientList>) -> Option<&'a str> {
        match &self.client {
            Clients::Fixed(all) => all.iter().find(|client| client.fingerprint == fingerprint).map(|client| &client.name[..]),
            Clients::Listed(_) => list.and_then(|list| list.get(fingerprint)).map(|client| &client.name[..]),
        }
    }

    /// Whether this certificate's owner signs the list of clients.
    pub fn is_signer(&self, fingerprint: Fingerprint) -> bool {
        self.client.signer().is_some_and(|signer| signer.fingerprint == fingerprint)
    }

    /// That this is a version of this service's list, signed by the member that it names for that, with no party among the clients.
    ///
    /// # Errors
    /// It is not.
    pub fn check_list(&self, list: &ClientList) -> Result<()> {
        let refuse = |what: String, expected: String| {
            Err(Error::Refused(format!("list of clients, version {}: found {what}, expected {expected}", list.version)))
        };
        let Some(signer) = self.client.signer() else {
            return refuse("a list".into(), "none: the service names its clients itself".into());
        };
        if list.service != self.hash() {
            return refuse(format!("service {}", list.service), format!("service {}", self.hash()));
        }
        if list.by != signer.fingerprint {
            return refuse(format!("one signed by {}", list.by), format!("one by {} {}", signer.name, signer.fingerprint));
        }
        if let Some(party) = self.party.iter().find(|party| list.get(party.fingerprint).is_some()) {
            return refuse(format!("party {}", party.name), "clients, which no party is".into());
        }
        Ok(list.verify()?)
    }
}
