//! Before any share moves: the parties compare everything that must be equal, and make fresh keys.

use crate::{Error, PROTOCOL, Result};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;
use trefoil_job::JobHash;
use trefoil_job::suites::Chosen;
use trefoil_mpc::{Key, Seeds};
use trefoil_net::{At, Error as NetError, Frame, Id, Net, Part};
use trefoil_nn::Training;

/// A hello is a few kilobytes, or a few hundred where there are thousands of owners, whose approvals are a kilobyte each; more is refused.
const MAX: usize = 32 << 20;

/// Everything that must be equal, by field, for [`compare`].
pub fn hello(fields: impl Serialize) -> Map<String, Value> {
    let mut map = match serde_json::to_value(fields) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    map.insert("protocol".into(), PROTOCOL.into());
    map.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    map
}

/// The fields that the parties of a job compare at the start of a session, under the names that people know. `uploads` names each
/// owner's upload.
pub fn agreed(
    training: &Training,
    suite: Chosen,
    job: JobHash,
    insecure_masks: bool,
    links: Option<&str>,
    uploads: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let mut map = hello(training);
    map.extend(hello(suite));
    let masks = if insecure_masks { "from an insecure seed" } else { "from the operating system" };
    map.insert("masks".into(), masks.into());
    map.insert("job".into(), json!(job));
    map.insert("links".into(), links.into());
    map.insert("uploads".into(), json!(uploads));
    map
}

/// Sends `mine` to each of `peers`, and compares theirs with it field by field.
///
/// # Errors
/// [`Error::Differs`] names the first field that differs; network errors.
pub fn compare(net: &dyn Net, peers: &[Id], label: &'static str, mine: &Map<String, Value>, until: Instant) -> Result<()> {
    for (peer, theirs) in exchange(net, peers, label, mine, until)? {
        let name = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), |v| v.to_string().chars().take(200).collect());
        for field in mine.keys().chain(theirs.keys()) {
            let (found, expected) = (theirs.get(field), mine.get(field));
            if found != expected {
                let field = field.chars().take(100).collect::<String>().escape_debug().to_string();
                return Err(Error::Differs { peer, field, found: name(found), expected: name(expected) });
            }
        }
    }
    Ok(())
}

/// A name in hex, or a hash, as words of a message.
pub(crate) fn name_words(name: &str) -> Vec<u64> {
    let word = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|d| u64::from_str_radix(d, 16).ok());
    name.as_bytes().chunks(16).map(|digits| word(digits).unwrap_or(0)).collect()
}

/// Sends `mine` to each of `peers`, and gives theirs.
///
/// # Errors
/// Somebody sends something of another form; network errors.
pub fn exchange<T: Serialize + DeserializeOwned>(
    net: &dyn Net,
    peers: &[Id],
    label: &'static str,
    mine: &T,
    until: Instant,
) -> Result<Vec<(Id, T)>> {
    let text = serde_json::to_vec(mine).unwrap_or_default();
    for &peer in peers {
        net.send(peer, frame(label, &text))?;
    }
    let theirs = |&peer: &Id| {
        let read = serde_json::from_slice(&bytes(net, peer, label, until)?);
        Ok((peer, read.map_err(|e| Error::Handshake(format!("{peer} sent something else than {label}: {e}")))?))
    };
    peers.iter().map(theirs).collect()
}

/// Fresh keys for each pair: both of the pair contribute 256 bits from the operating system.
///
/// # Errors
/// No randomness; network errors.
pub fn keys(net: &dyn Net, me: Id, until: Instant) -> Result<Seeds> {
    const LABEL: &str = "node.key";
    let own = [(me.others()[0], Key::fresh()?), (me.others()[1], Key::fresh()?)];
    for (peer, key) in &own {
        net.send(*peer, frame(LABEL, key.bytes()))?;
    }
    let agree = |(peer, mine): &(Id, Key)| -> Result<(Id, Key)> {
        let theirs: [u8; 32] = bytes(net, *peer, LABEL, until)?
            .try_into()
            .map_err(|other: Vec<u8>| Error::Handshake(format!("{peer} sent a key of {} bytes, expected 32", other.len())))?;
        let theirs = Key::from_bytes(theirs);
        Ok((*peer, if me < *peer { Key::agree(mine, &theirs) } else { Key::agree(&theirs, mine) }))
    };
    Ok(Seeds::new(me, [agree(&own[0])?, agree(&own[1])?]))
}

fn frame(label: &'static str, x: &[u8]) -> Frame {
    let part = Part::bits(&x.iter().map(|b| u64::from(*b)).collect::<Vec<_>>(), 8);
    Frame { at: At::default(), depth: 0, label: Cow::Borrowed(label), parts: vec![part] }
}

/// The bytes that `peer` sends under `label`; a peer may be busy with its owners for as long as `until`.
fn bytes(net: &dyn Net, peer: Id, label: &'static str, until: Instant) -> Result<Vec<u8>> {
    let frame = loop {
        match net.recv(peer) {
            Err(NetError::Timeout { .. }) if Instant::now() < until => {}
            other => break other?,
        }
    };
    match &frame.parts[..] {
        [part] if frame.label == label && part.len() <= MAX => {
            let x = part.to_bits(part.len(), 8).map_err(|e| Error::Handshake(format!("{peer} sent {e}")))?;
            Ok(x.iter().map(|b| *b as u8).collect())
        }
        _ => Err(Error::Handshake(format!("{peer} sent {:?}, expected {label}", frame.label))),
    }
}
