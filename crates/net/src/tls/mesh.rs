//! The start of a network: everybody calls everybody.

use super::{Listener, Options, Stream, TlsNet, connect};
use crate::identity::{Fingerprint, Identity};
use crate::{Error, Id, Result};
use std::time::Instant;

/// Makes the network of `me` with its two peers: connects to each at its address, and accepts each. Connections of
/// others wait in the listener.
///
/// # Errors
/// A peer does not start within `options.gather`, has another certificate, or refuses this one.
pub fn mesh(
    me: Id,
    listener: &Listener,
    identity: &Identity,
    peers: [(Id, String, Fingerprint); 2],
    options: Options,
) -> Result<TlsNet> {
    let ids = [peers[0].0, peers[1].0];
    if !me.others().iter().all(|id| ids.contains(id)) {
        let what = format!("peers of {me}: found {} and {}, expected {} and {}", ids[0], ids[1], me.others()[0], me.others()[1]);
        return Err(Error::Identity { what });
    }
    let deadline = Instant::now() + options.gather;
    let left = || deadline.saturating_duration_since(Instant::now());
    let call = |(id, address, expect): &(Id, String, Fingerprint)| {
        connect(address, identity, *expect, left()).map(|stream| (*id, stream))
    };
    let outgoing = [call(&peers[0])?, call(&peers[1])?];
    let mut others = Vec::new();
    let incoming = accept(listener, &peers, &mut others, deadline);
    for connection in others {
        listener.put_back(connection);
    }
    let incoming = incoming.map_err(|peer| Error::Absent { peer, after: options.gather })?;
    TlsNet::new(outgoing, incoming, options)
}

/// Both peers' connections, or the peer that is missing.
fn accept(
    listener: &Listener,
    peers: &[(Id, String, Fingerprint); 2],
    others: &mut Vec<(Stream, Fingerprint)>,
    deadline: Instant,
) -> std::result::Result<[(Id, Stream); 2], Id> {
    let mut found = [None, None];
    loop {
        found = match found {
            [Some(a), Some(b)] => return Ok([(peers[0].0, a), (peers[1].0, b)]),
            found => found,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(peers[usize::from(found[0].is_some())].0);
        }
        // The listener has logged what failed; the peer itself may still come.
        let Ok((stream, from)) = listener.accept(left) else { continue };
        match peers.iter().position(|(_, _, fingerprint)| *fingerprint == from) {
            // A second connection of a peer replaces the first: that one is of a process that has died since.
            Some(i) => found[i] = Some(stream),
            None => others.push((stream, from)),
        }
    }
}
