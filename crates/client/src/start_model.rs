//! The model that a job's training starts from, on its way to a party: a public file, in pieces.

use crate::request::{self, Request};
use crate::share::dial;
use crate::{Address, Error, JobHash, MODEL, Patience, Result, bytes, expect, frame};
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;

/// Bytes of a file in a frame.
const PIECE: usize = 1 << 20;

/// Brings the file to a party, unless it is there already.
///
/// # Errors
/// The party cannot be reached, is not who it should be, or refuses.
pub fn give(party: &Address, identity: &Identity, patience: Patience, job: JobHash, file: &[u8]) -> Result<()> {
    let mut stream = dial(party, identity, patience)?;
    let wanted: bool = request::ask(&mut stream, &Request::StartModel { job, bytes: file.len() as u64 })?;
    if wanted {
        for piece in file.chunks(PIECE) {
            stream.write_frame(&frame(MODEL, vec![bytes(piece)]))?;
        }
        request::answer::<()>(&mut stream)?;
    }
    // The party has it; whether it hears the farewell changes nothing.
    let _ = stream.close();
    Ok(())
}

/// A party's half: the file, of as many bytes as were announced.
///
/// # Errors
/// The caller is gone, or sends something else.
pub fn take(stream: &mut Stream, announced: usize) -> Result<Vec<u8>> {
    request::accept(stream, &true)?;
    let mut file = Vec::new();
    while file.len() < announced {
        let most = PIECE.min(announced - file.len());
        let unexpected = |found: String, peer: &str| Error::Unexpected {
            peer: peer.to_owned(),
            found,
            expected: format!("{most} bytes of a model's file"),
        };
        match &expect(stream, MODEL)?[..] {
            [part] if part.len() == most => {
                let piece = part.to_bits(most, 8).map_err(|found| unexpected(found, stream.address()))?;
                file.extend(piece.into_iter().map(|b| b as u8));
            }
            parts => return Err(unexpected(format!("{} tensors of other lengths", parts.len()), stream.address())),
        }
    }
    Ok(file)
}
