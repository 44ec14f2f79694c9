//! What is too long for one frame travels in pieces, whose sum both sides know before.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{Address, Error, PIECES, Patience, Result, bytes, expect, frame};
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// Sends all of it.
///
/// # Errors
/// The other side is gone.
pub(crate) fn write(stream: &mut Stream, label: &'static str, all: &[u8]) -> Result<()> {
    all.chunks(PIECE).try_for_each(|piece| Ok(stream.write_frame(&frame(label, vec![bytes(piece)]))?))
}

/// As many bytes as were announced; memory grows with what has come.
///
/// # Errors
/// The other side is gone, or sends something else.
pub(crate) fn read(stream: &mut Stream, label: &'static str, announced: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < announced {
        let most = PIECE.min(announced - all.len());
        let unexpected = |found: String, peer: &str| Error::Unexpected {
            peer: peer.to_owned(),
            found,
            expected: format!("{most} bytes of {label}"),
        };
        match &expect(stream, label)?[..] {
            [part] if part.len() == most => {
                let piece = part.to_bits(most, 8).map_err(|found| unexpected(found, stream.address()))?;
                all.extend(piece.into_iter().map(|b| b as u8));
            }
            parts => return Err(unexpected(format!("{} tensors of other lengths", parts.len()), stream.address())),
        }
    }
    Ok(all)
}

/// Brings what `request` announces to a party, unless it is there already: the public file of the model that a job starts from, a party's share
/// of a model that is to answer, or an owner's pseudonyms.
///
/// # Errors
/// The party cannot be reached, is not who it should be, or refuses.
pub fn give(party: &Address, identity: &Identity, patience: Patience, request: &Request, all: &[u8]) -> Result<()> {
    let mut stream = dial(party, identity, patience)?;
    let wanted: bool = request::ask(&mut stream, request)?;
    if wanted {
        write(&mut stream, PIECES, all)?;
        request::answer::<()>(&mut stream)?;
    }
    // The party has it; whether it hears the farewell changes nothing.
    let _ = stream.close();
    Ok(())
}

/// A party's half: as many bytes as were announced.
///
/// # Errors
/// The caller is gone, or sends something else.
pub fn take(stream: &mut Stream, announced: usize) -> Result<Vec<u8>> {
    request::accept(stream, &true)?;
    read(stream, PIECES, announced)
}
