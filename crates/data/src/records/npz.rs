//! NumPy's `.npz`: a ZIP archive of `.npy` files, packed or not, of which one has the features and one, maybe, the labels.
//!
//! What its directory says is untrusted: no more is unpacked than one file may have, and a checksum that is off is an error.

use crate::error::{listed, mismatch};
use crate::{Result, file};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The usual names of features and of labels, and those of arrays that were saved without one.
const FEATURES: [&str; 8] = ["X", "x", "features", "data", "images", "x_train", "X_train", "arr_0"];
const LABELS: [&str; 8] = ["y", "Y", "labels", "label", "target", "targets", "y_train", "arr_1"];

/// Entries of a directory that are looked at.
const MOST: usize = 1 << 10;

/// An array of an archive, unpacked.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) bytes: Arc<[u8]>,
}

/// Where an entry is.
struct Entry {
    name: String,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    at: usize,
}

/// The features, and the labels where they are `wanted`.
pub(super) fn open(path: &Path, wanted: bool) -> Result<(Member, Option<Member>)> {
    let name = path.display().to_string();
    let bytes = file::read(path)?;
    let entries = directory(&bytes).ok_or_else(|| mismatch(&name, "no archive, or a broken one", "a NumPy archive (.npz)"))?;
    let names: Vec<String> = entries.iter().map(|e| e.name.clone()).collect();
    let find = |what: &str, usual: &[&str]| {
        let entry = usual.iter().find_map(|usual| entries.iter().find(|e| e.name.strip_suffix(".npy") == Some(usual)));
        entry.ok_or_else(|| {
            mismatch(&name, format!("arrays {}", listed(&names)), format!("one with the {what}: {}", usual.join(", ")))
        })
    };
    let member = |entry: &Entry| -> Result<Member> {
        let unpacked = unpack(&bytes, entry);
        let broken = || mismatch(&name, format!("a broken {}", entry.name), "a whole archive of at most 1 GiB an array");
        Ok(Member { name: format!("{name}: {}", entry.name), bytes: unpacked.ok_or_else(broken)?.into() })
    };
    let features = member(find("features", &FEATURES)?)?;
    let labels = if wanted { Some(member(find("labels", &LABELS)?)?) } else { None };
    Ok((features, labels))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The entries that the archive's end points to.
fn directory(bytes: &[u8]) -> Option<Vec<Entry>> {
    let from = bytes.len().saturating_sub(22 + (1 << 16));
    let end = from + bytes.get(from..)?.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (count, mut at) = (u16_at(bytes, end + 10)?, u32_at(bytes, end + 16)? as usize);
    let mut entries = Vec::new();
    for _ in 0..count.min(MOST) {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(bytes, at + field));
        let (name, extra, comment) = (name?, extra?, comment?);
        entries.push(Entry {
            name: String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned(),
            method: u16_at(bytes, at + 10)? as u16,
            crc: u32_at(bytes, at + 16)?,
            packed: u32_at(bytes, at + 20)? as usize,
            size: u32_at(bytes, at + 24)? as usize,
            at: u32_at(bytes, at + 42)? as usize,
        });
        at += 46 + name + extra + comment;
    }
    Some(entries)
}

fn unpack(bytes: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    if bytes.get(entry.at..entry.at.checked_add(4)?)? != b"PK\x03\x04" || entry.size as u64 > file::CAP {
        return None;
    }
    // The lengths of names and extra fields may be others than in the directory.
    let begin = entry.at + 30 + u16_at(bytes, entry.at + 26)? + u16_at(bytes, entry.at + 28)?;
    let packed = bytes.get(begin..begin.checked_add(entry.packed)?)?;
    let mut out = Vec::new();
    match entry.method {
        0 => out.extend_from_slice(packed),
        8 => {
            // One byte more tells what is too long.
            DeflateDecoder::new(packed).take(entry.size as u64 + 1).read_to_end(&mut out).ok()?;
        }
        _ => return None,
    }
    let mut crc = Crc::new();
    crc.update(&out);
    (out.len() == entry.size && crc.sum() == entry.crc).then_some(out)
}
