//! What is too long for one frame travels in pieces, whose sum both sides know before.

use crate::{Error, Result, bytes, expect, frame};
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
