//! Sealed files: records that only the holder of the storage key can read, and nobody can change, reorder, repeat or drop
//! unnoticed. Owners' shares and checkpoints lie in them.
//!
//! # Format, version 1
//!
//! Integers are little-endian, tags 16 bytes (AES-256-GCM).
//!
//! ```text
//! file    header, frame, frame, ...
//! header  magic "TREFSEAL", version u32, salt 32, the key's number 8, length u32, about, tag
//! frame   kind u8, length u32, checksum 4, then by kind
//!         1  a record: its ciphertext, tag
//!         2  the end: tag
//!         0  the opening of another segment: salt 32, tag
//! ```
//!
//! **Keys.** Each salt, 32 bytes from the operating system, gives a key of its own (HKDF-SHA256 of storage key and salt).
//! What is sealed under one salt is a *segment*; the header opens the first. The key's number is public (HKDF too), so that
//! another party's file is told from a damaged one.
//!
//! **Nonces.** Kind, then the record's number in the file, from 1 (an opening: the number of records before it). This is
//! the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015) with the end as an empty last record: order,
//! repetition and loss change the number, and only the end has the end's kind.
//!
//! **Associated data.** The hash of the header; with each further segment, the hash of what it was, the number of records
//! before and the new salt. A segment thus fits this file, at this place, alone.
//!
//! **No nonce serves twice.** A key belongs to one [`Writer`]: nobody else ever has it to seal with, since every
//! [`Writer::create`] and every [`Writer::reopen`] draws a salt of its own. That writer counts up, and after a failed write
//! refuses to seal. What a crash tore off, and what a backup or a disk's spare sectors still hold of it, was therefore
//! sealed under a key that seals nothing any more; the record that takes its number is in a new segment.
//!
//! **Torn or altered.** A file that ends within a frame is torn, and reopening cuts that frame off; all else is an error.
//! The checksum (of the associated data, the number, kind and length; SHA-256) is there lest a damaged length look like a
//! torn end. It has no key: who wants to cut an unfinished file can do so anyway. Nor does the file tell that all of it was
//! replaced by an earlier state of the same file; keep a digest elsewhere (the audit log) where that matters.
//!
//! Under one key, 2^40 blocks (16 TiB) leave an adversary an advantage below 2^-48.

mod frame;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use frame::{MOST_ABOUT, MOST_RECORD};
pub use reader::Reader;
pub use writer::{Writer, write_atomically};
