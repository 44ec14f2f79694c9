//! The bytes of a sealed file, and nothing about disks. The format and the reasons are in [the module above](super).

use crate::{Result, StorageKey, StoreError};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(crate) const MAGIC: &[u8; 8] = b"TREFSEAL";
pub(crate) const VERSION: u32 = 1;
pub(crate) const TAG: usize = 16;
/// Kind, length, checksum of both.
pub(crate) const HEAD: usize = 9;
/// Magic, version, salt, the key's number, the length of the public header.
pub(crate) const FIXED: usize = 56;
/// The longest record.
pub const MOST_RECORD: u64 = 64 << 20;
/// The longest public header.
pub const MOST_ABOUT: u64 = 1 << 20;

/// What a seal is for. It is part of the nonce, so that no frame can pass for one of another kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The opening of a segment: it seals nothing, and proves the key and all that is public.
    Segment = 0,
    /// A record.
    Record = 1,
    /// The end: no record follows.
    End = 2,
}

/// A segment: everything sealed under one salt.
pub(crate) struct Segment {
    cipher: Aes256Gcm,
    /// Hash of the header and of every later opening: what a seal is bound to.
    chain: [u8; 32],
}

impl Segment {
    fn new(key: &StorageKey, salt: &[u8; 32], chain: [u8; 32]) -> Segment {
        let key = key.for_salt(salt);
        Segment { cipher: Aes256Gcm::new((&*key).into()), chain }
    }

    /// The first segment, of a file that begins with `header`.
    pub fn first(key: &StorageKey, salt: &[u8; 32], header: &[u8]) -> Segment {
        Segment::new(key, salt, Sha256::digest(header).into())
    }

    /// The segment that continues this one after `records` records.
    pub fn following(&self, key: &StorageKey, salt: &[u8; 32], records: u64) -> Segment {
        let chain = Sha256::new().chain_update(self.chain).chain_update(records.to_le_bytes()).chain_update(salt);
        Segment::new(key, salt, chain.finalize().into())
    }

    /// Kind and number of the record: no two seals of a segment share it.
    fn nonce(kind: Kind, number: u64) -> Nonce<<Aes256Gcm as aes_gcm::AeadCore>::NonceSize> {
        let mut nonce = [0; 12];
        nonce[0] = kind as u8;
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        nonce.into()
    }

    /// Encrypts in place; the tag comes back.
    pub fn seal(&self, kind: Kind, number: u64, bytes: &mut [u8]) -> [u8; TAG] {
        match self.cipher.encrypt_inout_detached(&Self::nonce(kind, number), &self.chain, bytes.into()) {
            Ok(tag) => tag.into(),
            Err(_) => unreachable!("GCM takes up to 64 GiB"),
        }
    }

    /// Decrypts in place. On false nothing was decrypted.
    #[must_use]
    pub fn open(&self, kind: Kind, number: u64, bytes: &mut [u8], tag: &[u8; TAG]) -> bool {
        self.cipher.decrypt_inout_detached(&Self::nonce(kind, number), &self.chain, bytes.into(), tag.into()).is_ok()
    }

    /// The head of the frame that follows `number - 1` records.
    pub fn head(&self, kind: Kind, number: u64, length: u32) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[0] = kind as u8;
        head[1..5].copy_from_slice(&length.to_le_bytes());
        let check = Sha256::new().chain_update(self.chain).chain_update(number.to_le_bytes()).chain_update(&head[..5]);
        head[5..].copy_from_slice(&check.finalize()[..4]);
        head
    }

    /// Kind and length, if the head is as it was written.
    pub fn read_head(&self, head: &[u8; HEAD], number: u64) -> Option<(Kind, u32)> {
        let kind = [Kind::Segment, Kind::Record, Kind::End].into_iter().find(|k| *k as u8 == head[0])?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        (self.head(kind, number, length) == *head).then_some((kind, length))
    }

    /// A whole frame, into `out`. A record's plaintext is never moved by a growing buffer.
    pub fn frame(&self, kind: Kind, number: u64, record: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.reserve_exact(HEAD + record.len() + TAG);
        out.extend(self.head(kind, number, record.len() as u32));
        out.extend(record);
        let tag = self.seal(kind, number, &mut out[HEAD..]);
        out.extend(tag);
    }

    /// The frame that opens `next` after `records` records, under this segment's checksum.
    pub fn opening(&self, next: &Segment, salt: &[u8; 32], records: u64) -> Vec<u8> {
        let tag = next.seal(Kind::Segment, records, &mut []);
        [&self.head(Kind::Segment, records + 1, salt.len() as u32)[..], salt, &tag].concat()
    }
}

/// The file's first bytes, all but their tag.
pub(crate) fn header(key: &StorageKey, salt: &[u8; 32], about: &[u8]) -> Vec<u8> {
    let length = (about.len() as u32).to_le_bytes();
    [&MAGIC[..], &VERSION.to_le_bytes(), salt, &key.number(), &length, about].concat()
}

/// The fields of the header's fixed part, in its order.
pub(crate) struct Fixed {
    pub salt: [u8; 32],
    pub about: u32,
}

/// Reads the fixed part, and says whose the file is.
pub(crate) fn read_fixed(bytes: &[u8; FIXED], key: &StorageKey, file: &Path) -> Result<Fixed> {
    let format = |what: &str, found: String, expected: String| {
        Err(StoreError::Format { file: file.to_owned(), what: what.to_owned(), found, expected })
    };
    let (magic, rest) = bytes.split_at(8);
    let (version, rest) = rest.split_at(4);
    let (salt_bytes, rest) = rest.split_at(32);
    let (number, about) = rest.split_at(8);
    if magic != MAGIC {
        return format("magic number", hex::encode(magic), format!("{} (a sealed file)", hex::encode(MAGIC)));
    }
    let version = u32::from_le_bytes([version[0], version[1], version[2], version[3]]);
    if version != VERSION {
        return format("version", version.to_string(), VERSION.to_string());
    }
    if number != key.number() {
        let (found, expected) = (hex::encode(number), hex::encode(key.number()));
        return Err(StoreError::AnotherKey { file: file.to_owned(), found, expected });
    }
    let mut salt = [0; 32];
    salt.copy_from_slice(salt_bytes);
    Ok(Fixed { salt, about: u32::from_le_bytes([about[0], about[1], about[2], about[3]]) })
}
