//! Where the three audit logs stand, written into each other. A log's head is the hash of its last line and so of all before it; known in
//! two other logs, it holds whoever keeps the log to what was in it. All three tell theirs when a session begins, and when a job is trained.

use crate::handshake::name_words;
use crate::server::Server;
use crate::session::Session;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use trefoil_mpc::Party;
use trefoil_net::Id;

/// Words of a hash.
const WORDS: usize = 4;

/// A log's head, and how many lines it has. What has a head is on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Lines.
    entries: u64,
    /// The hash of the last one, in hex.
    head: String,
}

impl Head {
    /// This party's, now. Every later line follows from it.
    pub fn of(server: &Server) -> Head {
        let log = server.audit.lock().unwrap_or_else(PoisonError::into_inner);
        Head { entries: log.entries(), head: hex::encode(log.last()) }
    }

    fn words(&self) -> Vec<u64> {
        let mut words = vec![self.entries];
        words.extend(name_words(&self.head));
        words
    }

    fn from_words(words: &[u64]) -> Option<Head> {
        let (entries, hash) = words.split_first().filter(|(_, hash)| hash.len() == WORDS)?;
        Some(Head { entries: *entries, head: hash.iter().map(|w| format!("{w:016x}")).collect() })
    }

    fn is_hash(&self) -> bool {
        hex::decode(&self.head).is_ok_and(|bytes| bytes.len() == 8 * WORDS)
    }
}

/// Writes down what all three have told.
///
/// # Errors
/// What somebody has told is no head; the log cannot be written.
pub fn note(session: &Session<'_>, name: &str, when: &str, mut all: Vec<(Id, Head)>) -> Result<()> {
    all.sort_by_key(|(id, _)| *id);
    if let Some((id, _)) = all.iter().find(|(_, told)| !told.is_hash()) {
        return Err(Error::Handshake(format!("{id} sent something else than the head of its audit log")));
    }
    let mut event = Map::new();
    event.insert("job".into(), json!(session.here.hash));
    for (key, value) in [("what", "heads"), ("session", name), ("when", when)] {
        event.insert(key.into(), value.into());
    }
    event.extend(all.iter().map(|(id, told)| (id.to_string(), json!(told.head))));
    event.insert("entries".into(), all.iter().map(|(id, told)| (id.to_string(), json!(told.entries))).collect());
    session.here.note(Value::Object(event))
}

/// Tells the others this party's head at the end of a session, and writes down what they tell.
///
/// # Errors
/// Those of the network; those of [`note`].
pub fn exchange(session: &Session<'_>, party: &mut Party, name: &str) -> Result<()> {
    let own = Head::of(session.here);
    let mut all = vec![(session.me, own.clone())];
    for (peer, words) in party.tell("node.heads", &own.words())? {
        let told = Head::from_words(&words);
        all.push((peer, told.ok_or_else(|| Error::Handshake(format!("{peer} sent {} words of a head", words.len())))?));
    }
    note(session, name, "end", all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_travels_as_words() {
        let head = Head { entries: 7, head: "00ff".repeat(16) };
        assert_eq!(Head::from_words(&head.words()).as_ref(), Some(&head));
        assert!(head.is_hash() && Head::from_words(&[1, 2, 3]).is_none());
        for bad in ["", "00ff", "zz".repeat(32).as_str(), "00".repeat(33).as_str()] {
            assert!(!Head { entries: 7, head: bad.into() }.is_hash(), "{bad:?}");
        }
    }
}
