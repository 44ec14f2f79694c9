//! Buffers as they stand in a file: plain, or behind their length compressed with LZ4 or Zstandard.

use bytes::Bytes;
use std::io::Read;

/// What every buffer may take.
const FREE: usize = 64 << 20;

/// And for each of its bytes in the file: no LZ4 packs more into one.
const FACTOR: usize = 256;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Codec {
    Plain,
    Lz4,
    Zstd,
}

/// The buffer that these bytes are. Memory grows with what comes out, not with what the file says will.
pub(super) fn unpack(codec: Codec, packed: Vec<u8>) -> Result<Bytes, String> {
    let mut packed = Bytes::from(packed);
    if codec == Codec::Plain || packed.is_empty() {
        return Ok(packed);
    }
    if packed.len() < 8 {
        return Err("a compressed buffer without its length".to_string());
    }
    let (announced, rest) = (packed.split_to(8), packed);
    let announced = announced.as_ref().try_into().map_or(0, i64::from_le_bytes);
    if announced == -1 {
        return Ok(rest);
    }
    let most = FREE.saturating_add(rest.len().saturating_mul(FACTOR));
    let len = usize::try_from(announced).ok().filter(|len| *len <= most);
    let Some(len) = len else {
        return Err(format!("a buffer of {} bytes that unpacks to {announced}", rest.len()));
    };
    let mut out = Vec::new();
    let one_more = (len as u64).saturating_add(1);
    let read = match codec {
        Codec::Lz4 => lz4_flex::frame::FrameDecoder::new(rest.as_ref()).take(one_more).read_to_end(&mut out),
        _ => zstd::Decoder::with_buffer(rest.as_ref()).and_then(|d| d.take(one_more).read_to_end(&mut out)),
    };
    match read {
        Ok(found) if found == len => Ok(out.into()),
        Ok(_) => Err("a compressed buffer of another length than it says".to_string()),
        Err(e) => Err(format!("a buffer that cannot be unpacked: {e}").replace('\n', " ")),
    }
}
