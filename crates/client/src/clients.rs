//! The clients of a service as a list that grows and shrinks while the service runs: one whom all who signed the job have agreed to signs each
//! version of it, and a party takes a version only if it is greater than the one that it holds. So a client that was removed is not let in
//! again by somebody who brings an older list, and no party can add a client of its own.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{Address, CLIENTS, Error, Patience, Result, ServiceHash, pieces, signed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::Stream;

/// The most clients that a list may have.
pub const MOST_LISTED: usize = 100_000;

/// The longest list, in bytes of its JSON: names whose every character is escaped, fingerprints, what stands around them, and a signature.
pub const MOST_BYTES: usize = 24 << 20;

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// For people, and for taking the client out again: 1 to 64 bytes without control characters, and nobody else's in the list.
    pub name: String,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
}

/// A signed version of the list of a service's clients.
///
/// ```
/// use trefoil_client::ServiceHash;
/// use trefoil_client::clients::{ClientList, Listed};
/// use trefoil_net::identity::Identity;
/// let (signer, ward) = (Identity::generate("research").unwrap(), Identity::generate("ward").unwrap());
/// let service: ServiceHash = "ab".repeat(32).parse().unwrap();
/// let mut list = ClientList::sign(&signer, service, 1, vec![Listed { name: "ward".into(), fingerprint: ward.fingerprint() }]).unwrap();
/// assert!(list.verify().is_ok() && list.get(ward.fingerprint()).is_some());
/// // Nobody but the signer changes it.
/// list.version = 2;
/// assert!(list.verify().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientList {
    /// The service's hash.
    pub service: ServiceHash,
    /// From 1 on; a greater one replaces a smaller one.
    pub version: u64,
    /// Who may ask, by ascending fingerprints, each once.
    pub clients: Vec<Listed>,
    /// The signer: the certificate's fingerprint.
    pub by: Fingerprint,
    /// When, in seconds since 1970, by the signer's clock.
    pub time: u64,
    /// In DER, in hex.
    pub certificate: String,
    /// By the certificate's key over [`ClientList::words`], in hex.
    pub signature: String,
}

impl ClientList {
    /// Signs that these may ask a service, in whatever order they come.
    ///
    /// # Errors
    /// The list breaks one of its rules; the key cannot sign, or its certificate is not valid now.
    pub fn sign(identity: &Identity, service: ServiceHash, version: u64, mut clients: Vec<Listed>) -> Result<ClientList> {
        clients.sort_by_key(|client| client.fingerprint);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let by = identity.fingerprint();
        let mut list = ClientList { service, version, clients, by, time, certificate: String::new(), signature: String::new() };
        (list.certificate, list.signature) = signed::sign(identity, &list.words())?;
        list.verify()?;
        Ok(list)
    }

    /// What is signed: five lines, and one for each client.
    pub fn words(&self) -> String {
        let ClientList { service, version, by, time, .. } = self;
        format!("trefoil clients 1\nservice {service}\nversion {version}\nby {by}\ntime {time}\n{}", self.lines())
    }

    fn lines(&self) -> String {
        let mut lines = String::with_capacity(self.clients.len() * 80);
        for Listed { name, fingerprint } in &self.clients {
            let _ = writeln!(lines, "{fingerprint} {name}");
        }
        lines
    }

    /// SHA-256 of the version and the clients, in hex: parties whose digests are the same hold the same list.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{}\n{}", self.version, self.lines())))
    }

    /// Checks the list's rules and the signature, and that the certificate is the one of `by` and was valid at that time. Whether `by` signs
    /// the lists of this service is for who has the service to look up.
    ///
    /// # Errors
    /// Something of it is not so.
    pub fn verify(&self) -> Result<()> {
        let fault = |why: String| Error::Clients { version: self.version, why };
        self.keeps_rules().map_err(fault)?;
        signed::check(self.by, (&self.certificate, &self.signature), &self.words(), self.time).map_err(fault)
    }

    fn keeps_rules(&self) -> std::result::Result<(), String> {
        if self.version == 0 {
            return Err("found version 0, expected 1 or a later one".into());
        }
        if self.clients.len() > MOST_LISTED {
            return Err(format!("found {} clients, expected at most {MOST_LISTED}", self.clients.len()));
        }
        let mut names = BTreeSet::new();
        for Listed { name, .. } in &self.clients {
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return Err(format!(
                    "found the name {:?}, expected 1 to 64 characters",
                    name.chars().take(64).collect::<String>()
                ));
            }
            if !names.insert(name) {
                return Err(format!("found the name {name:?} twice, expected each once"));
            }
        }
        match self.clients.windows(2).find(|two| two[0].fingerprint >= two[1].fingerprint) {
            Some(two) => Err(format!("found {} twice or out of order, expected ascending fingerprints", two[1].fingerprint)),
            None => Ok(()),
        }
    }

    /// The client with this certificate.
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&Listed> {
        let at = self.clients.binary_search_by_key(&fingerprint, |client| client.fingerprint);
        at.ok().map(|at| &self.clients[at])
    }

    /// A list from its JSON, of at most [`MOST_BYTES`], as [`ClientList::verify`] has it.
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<ClientList> {
        let none = |why: String| Error::Clients { version: 0, why };
        if bytes.len() > MOST_BYTES {
            return Err(none(format!("found {} bytes, expected at most {MOST_BYTES}", bytes.len())));
        }
        let list: ClientList =
            serde_json::from_slice(bytes).map_err(|e| none(e.to_string().chars().take(200).collect::<String>()))?;
        list.verify()?;
        Ok(list)
    }

    /// As it travels, and as [`ClientList::from_bytes`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The list that a party holds, if it holds one.
    ///
    /// # Errors
    /// The party cannot be reached, is not who it should be, refuses, or sends something else than a list.
    pub fn read(party: &Address, identity: &Identity, patience: Patience, service: ServiceHash) -> Result<Option<ClientList>> {
        let mut stream = dial(party, identity, patience)?;
        let bytes: Option<usize> = request::ask(&mut stream, &Request::Clients { service })?;
        let Some(bytes) = bytes else { return Ok(None) };
        if bytes > MOST_BYTES {
            let (peer, found) = (stream.address().to_owned(), format!("a list of {bytes} bytes"));
            return Err(Error::Unexpected { peer, found, expected: format!("at most {MOST_BYTES}") });
        }
        let list = ClientList::from_bytes(&pieces::read(&mut stream, CLIENTS, bytes)?)?;
        let _ = stream.close();
        Ok(Some(list))
    }

    /// Brings the list to a party, which keeps it where it is newer than what it holds.
    ///
    /// # Errors
    /// The party cannot be reached, is not who it should be, or refuses.
    pub fn bring(&self, party: &Address, identity: &Identity, patience: Patience) -> Result<()> {
        let mut stream = dial(party, identity, patience)?;
        let bytes = self.to_bytes();
        request::ask::<()>(&mut stream, &Request::NewClients { service: self.service, bytes: bytes.len() as u64 })?;
        pieces::write(&mut stream, CLIENTS, &bytes)?;
        request::answer::<()>(&mut stream)?;
        // The party has it; whether it hears the farewell changes nothing.
        let _ = stream.close();
        Ok(())
    }

    /// A party's half of [`ClientList::bring`]: the list, of as many bytes as were announced.
    ///
    /// # Errors
    /// The caller is gone, or sends something else.
    pub fn take(stream: &mut Stream, announced: u64) -> Result<ClientList> {
        let fits = usize::try_from(announced).ok().filter(|bytes| *bytes <= MOST_BYTES);
        let bytes = fits.ok_or_else(|| Error::Clients {
            version: 0,
            why: format!("found {announced} bytes, expected at most {MOST_BYTES}"),
        })?;
        request::accept(stream, &())?;
        ClientList::from_bytes(&pieces::read(stream, CLIENTS, bytes)?)
    }

    /// A party's half of [`ClientList::read`].
    ///
    /// # Errors
    /// The caller is gone.
    pub fn give(list: Option<&ClientList>, stream: &mut Stream) -> Result<()> {
        let bytes = list.map(ClientList::to_bytes);
        request::accept(stream, &bytes.as_ref().map(Vec::len))?;
        bytes.map_or(Ok(()), |bytes| pieces::write(stream, CLIENTS, &bytes))
    }
}

/// What becomes of a list's clients when some are removed and others added.
///
/// # Errors
/// In words: somebody is to be removed who is not there, or added under a name or with a certificate that is another client's.
pub fn edited(clients: &[Listed], add: &[Listed], remove: &[String]) -> std::result::Result<Vec<Listed>, String> {
    if let Some(name) = remove.iter().find(|name| !clients.iter().any(|client| client.name == **name)) {
        return Err(format!("remove: found {name:?}, expected the name of a client in the list"));
    }
    let mut all: Vec<Listed> = clients.iter().filter(|client| !remove.contains(&client.name)).cloned().collect();
    let mut names: BTreeMap<String, Fingerprint> = all.iter().map(|c| (c.name.clone(), c.fingerprint)).collect();
    let mut fingerprints: BTreeSet<Fingerprint> = names.values().copied().collect();
    for new in add {
        match names.insert(new.name.clone(), new.fingerprint) {
            Some(known) if known == new.fingerprint => continue,
            Some(_) => return Err(format!("add: found another certificate for {:?}, expected a name that is free", new.name)),
            None => {}
        }
        if !fingerprints.insert(new.fingerprint) {
            return Err(format!(
                "add: found {} as {:?}, expected a certificate that is in the list once",
                new.fingerprint, new.name
            ));
        }
        all.push(new.clone());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, n: u8) -> Listed {
        Listed { name: name.into(), fingerprint: Fingerprint([n; 32]) }
    }

    const SERVICE: ServiceHash = ServiceHash([0x0f; 32]);

    /// Each line of what is signed counts, and so does whose signature it is.
    #[test]
    fn altered_lists_are_refused() {
        let [a, b] = ["a", "b"].map(|name| Identity::generate(name).unwrap());
        let good = ClientList::sign(&a, SERVICE, 3, vec![listed("y", 9), listed("x", 5)]).unwrap();
        assert_eq!(ClientList::from_bytes(&good.to_bytes()).unwrap(), good);
        let words = good.words();
        let (head, lines) = words.split_at(words.find("05050505").unwrap());
        assert!(head.starts_with("trefoil clients 1\nservice 0f0f") && head.contains("\nversion 3\nby "), "{words}");
        assert_eq!(lines, format!("{} x\n{} y\n", "05".repeat(32), "09".repeat(32)));
        assert_eq!(good.get(Fingerprint([9; 32])).map(|c| &c.name[..]), Some("y"));
        assert!(good.get(Fingerprint([6; 32])).is_none());
        type Change = fn(&mut ClientList, &Identity);
        let changes: [(Change, &str); 13] = [
            (|x, _| x.service = ServiceHash([0x1f; 32]), "not by this certificate's key"),
            (|x, _| x.version = 4, "not by this certificate's key"),
            (|x, _| x.version = 0, "found version 0"),
            (|x, _| x.time += 1, "not by this certificate's key"),
            (|x, _| x.clients.truncate(1), "not by this certificate's key"),
            (|x, _| x.clients[0].name.push('z'), "not by this certificate's key"),
            (|x, _| x.clients[0].fingerprint = Fingerprint([4; 32]), "not by this certificate's key"),
            // A name cannot bring a line of its own.
            (|x, _| x.clients[0].name = format!("x\n{} z", "06".repeat(32)), "1 to 64 characters"),
            (|x, _| x.clients[1].name = "x".into(), "\"x\" twice"),
            (|x, _| x.clients.swap(0, 1), "ascending fingerprints"),
            (|x, _| x.clients[1].fingerprint = Fingerprint([5; 32]), "ascending fingerprints"),
            (|x, b| x.by = b.fingerprint(), "expected the signer's"),
            (|x, b| (x.by, x.certificate) = (b.fingerprint(), hex::encode(b.certificate_der())), "not by this certificate's key"),
        ];
        for (change, why) in changes {
            let mut altered = good.clone();
            change(&mut altered, &b);
            for e in [altered.verify().unwrap_err(), ClientList::from_bytes(&altered.to_bytes()).unwrap_err()] {
                let e = e.to_string();
                assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
            }
        }
        // An approval's signature is none of a list.
        assert!(!good.words().starts_with("trefoil approval"));
        let many = (0..=MOST_LISTED as u32).map(|i| Listed {
            name: format!("{i}"),
            fingerprint: Fingerprint(std::array::from_fn(|at| if at < 4 { i.to_be_bytes()[at] } else { 0 })),
        });
        let e = ClientList::sign(&a, SERVICE, 1, many.collect()).unwrap_err().to_string();
        assert!(e.contains("found 100001 clients, expected at most 100000"), "{e}");
    }

    /// The longest list that keeps the rules fits into what is read.
    #[test]
    fn the_longest_list_is_read() {
        let a = Identity::generate("a").unwrap();
        let clients = (0..MOST_LISTED as u32).map(|i| Listed {
            name: format!("{i:06}{}", "\"".repeat(58)),
            fingerprint: Fingerprint(std::array::from_fn(|at| if at < 4 { i.to_be_bytes()[at] } else { 0xff })),
        });
        let list = ClientList::sign(&a, SERVICE, u64::MAX, clients.collect()).unwrap();
        let bytes = list.to_bytes();
        assert!(bytes.len() + 4 * 8192 <= MOST_BYTES, "{}", bytes.len());
        assert_eq!(ClientList::from_bytes(&bytes).unwrap().digest(), list.digest());
    }

    #[test]
    fn lists_are_edited_by_names() {
        let old = [listed("x", 5), listed("y", 9)];
        let edit = |add: &[Listed], remove: &[&str]| {
            edited(&old, add, &remove.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(edit(&[listed("z", 1)], &["x"]).unwrap(), [listed("y", 9), listed("z", 1)]);
        // Who is there already is there; a new certificate takes a removed one's name.
        assert_eq!(edit(&[listed("x", 5)], &[]).unwrap(), old);
        assert_eq!(edit(&[listed("x", 6)], &["x"]).unwrap(), [listed("y", 9), listed("x", 6)]);
        for (add, remove, why) in [
            (vec![], vec!["w"], "remove: found \"w\""),
            (vec![listed("x", 6)], vec![], "add: found another certificate for \"x\""),
            (vec![listed("z", 5)], vec![], "expected a certificate that is in the list once"),
        ] {
            let e = edit(&add, &remove).unwrap_err();
            assert!(e.contains(why), "{why}: {e}");
        }
    }
}
