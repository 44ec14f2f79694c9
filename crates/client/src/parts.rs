//! An upload in parts: a party of several ranks may take it at all of them at once, each on a disk of its own.
//!
//! Rank 0 says where the others listen when the upload is announced to it. One that the owner does not reach is left out, and its chunks go to the others: which rank has a chunk is
//! the owner's affair, as long as each is at one. Rank 0 counts them before anybody commits.

use crate::courier::Courier;
use crate::request::Standing;
use crate::{Error, JobHash, Result};
use sha2::{Digest, Sha256};
use std::time::Duration;
use trefoil_net::identity::Fingerprint;

/// How the connection of an owner to another rank than 0 begins, in the clear: this, and 32 bytes that only who knows job and owner makes anything of. No TLS connection begins so.
pub const HELLO: &[u8; 8] = b"trefoil/";
/// More ranks are no party's.
const MOST: usize = 255;
/// The longest name of a host with its port.
const LONGEST: usize = 300;
/// How long a rank is called that does not answer.
const REACH: Duration = Duration::from_secs(3);

/// The beginning of that connection.
pub fn hello(job: JobHash, owner: Fingerprint) -> [u8; 40] {
    let mut hello = [0; 40];
    let (first, name) = hello.split_at_mut(HELLO.len());
    first.copy_from_slice(HELLO);
    name.copy_from_slice(&self::name(job, owner));
    hello
}

/// What is behind [`HELLO`].
pub fn name(job: JobHash, owner: Fingerprint) -> [u8; 32] {
    Sha256::digest(format!("trefoil parts of {owner} in {job}")).into()
}

/// Couriers to the other ranks of each party that the owner reaches.
pub(crate) fn reach<'a>(firsts: &[Courier<'a>; 3]) -> Result<[Vec<Courier<'a>>; 3]> {
    let mut all = [vec![], vec![], vec![]];
    for (all, first) in all.iter_mut().zip(firsts) {
        if first.lanes.len() > MOST || first.lanes.iter().any(|address| address.len() > LONGEST) {
            let found = format!("{} at {}", first.lanes.len(), first.party.id);
            return Err(Error::upload("addresses of ranks", found, format!("at most {MOST}, each of at most {LONGEST} bytes")));
        }
        let called = std::thread::scope(|scope| {
            let call = |address: &String| {
                let mut courier = first.of_rank(address);
                scope.spawn(move || courier.standing_within(REACH).map(|standing| (standing, courier)))
            };
            let called: Vec<_> = first.lanes.iter().map(call).collect();
            called.into_iter().map(|called| called.join()).collect::<Vec<_>>()
        });
        for (called, address) in called.into_iter().zip(&first.lanes) {
            match called {
                Ok(Ok((Standing::Open { chunks: 0, .. }, courier))) => all.push(courier),
                Ok(Ok(_)) => return Err(Error::upload("chunks at a rank", format!("some at {address}"), "none of a new upload")),
                Ok(Err(Error::Net(e))) => tracing::warn!("{}: {e}; its other ranks take what would be there", first.party.id),
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(Error::upload("courier", "a panic", "a delivery")),
            }
        }
    }
    Ok(all)
}
