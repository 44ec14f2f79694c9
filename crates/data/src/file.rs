//! Reading and replacing whole files, and gzip.

use crate::{DataError, Result};
use flate2::bufread::GzDecoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that any one file may have, before and after decompression.
pub(crate) const CAP: u64 = 1 << 30;

/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether the content is gzip: by its first bytes, whatever its name.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// The content of a file of at most [`CAP`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let io = |source| DataError::Io { file: path.display().to_string(), source };
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    // One byte past the cap tells a file that is too large from one that just fits, also where it has no length (a pipe).
    file.take(CAP + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > CAP {
        let found = fs::metadata(path).map_or(CAP + 1, |m| m.len().max(CAP + 1));
        return Err(DataError::TooLarge { file: path.display().to_string(), found: found.into(), cap: CAP });
    }
    Ok(bytes)
}

/// Decompresses one gzip member piece by piece, so that a caller can judge the beginning before it asks for the rest.
pub(crate) struct Inflate<'a> {
    decoder: GzDecoder<&'a [u8]>,
    name: &'a str,
}

impl<'a> Inflate<'a> {
    pub(crate) fn new(bytes: &'a [u8], name: &'a str) -> Self {
        Inflate { decoder: GzDecoder::new(bytes), name }
    }

    /// Appends up to `n` decompressed bytes; fewer means the end. Memory grows with what is really there, not with `n`.
    pub(crate) fn read(&mut self, n: u64, out: &mut Vec<u8>) -> Result<usize> {
        (&mut self.decoder).take(n).read_to_end(out).map_err(|e| self.broken(e.to_string()))
    }

    /// Fails where compressed bytes remain after the member's end.
    pub(crate) fn finish(self) -> Result<()> {
        let left = self.decoder.get_ref().len();
        if left == 0 { Ok(()) } else { Err(self.broken(format!("{left} bytes after its end"))) }
    }

    fn broken(&self, why: String) -> DataError {
        DataError::Gzip { file: self.name.to_string(), why }
    }
}

/// Decompresses a whole gzip member of at most `cap` bytes.
pub(crate) fn inflate(bytes: &[u8], name: &str, cap: u64) -> Result<Vec<u8>> {
    let (mut stream, mut out) = (Inflate::new(bytes, name), Vec::new());
    stream.read(cap.saturating_add(1), &mut out)?;
    if out.len() as u64 > cap {
        return Err(DataError::TooLarge { file: name.to_string(), found: out.len() as u128, cap });
    }
    stream.finish()?;
    Ok(out)
}

/// A file that is written beside its place and renamed when it is whole. Dropped before that, it leaves nothing.
pub struct Part {
    file: File,
    path: PathBuf,
    /// None for a device or a pipe, which is written to as it stands.
    beside: Option<PathBuf>,
}

impl Part {
    /// Begins a file for `path`; behind a link, for what it leads to. A file that is there keeps its permissions.
    ///
    /// # Errors
    /// A folder is there, or nothing can be written beside it.
    pub fn create(path: &Path) -> io::Result<Part> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let there = fs::metadata(&path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Ok(Part { file: OpenOptions::new().write(true).open(&path)?, path, beside: None });
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.part", std::process::id()));
        let beside = PathBuf::from(beside);
        let part = Part { file: File::create(&beside)?, path, beside: Some(beside) };
        if let Some(there) = there {
            part.file.set_permissions(there.permissions())?;
        }
        Ok(part)
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// The operating system refuses; nothing is left then.
    pub fn keep(mut self) -> io::Result<()> {
        if let Some(beside) = &self.beside {
            self.file.sync_all()?;
            fs::rename(beside, &self.path)?;
            self.beside = None;
        }
        Ok(())
    }
}

impl Drop for Part {
    /// A part that cannot be removed changes nothing about why it is no whole.
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = fs::remove_file(beside);
        }
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes `bytes` for `path`: the file is there whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut part = Part::create(path)?;
        part.write_all(bytes)?;
        part.keep()
    };
    write().map_err(|source| DataError::Io { file: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut e = GzEncoder::new(Vec::new(), Compression::default());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    #[test]
    fn inflate_is_capped_and_strict() {
        let packed = gzip(&[7; 1000]);
        assert_eq!(inflate(&packed, "f", 1000).unwrap(), [7; 1000]);
        assert!(matches!(inflate(&packed, "f", 999), Err(DataError::TooLarge { cap: 999, .. })));
        for cut in 0..packed.len() {
            assert!(matches!(inflate(&packed[..cut], "f", 1000), Err(DataError::Gzip { .. })), "{cut}");
        }
        let mut more = packed.clone();
        more.push(0);
        assert_eq!(
            inflate(&more, "f", 1000).unwrap_err().to_string(),
            "f: found a broken gzip stream (1 bytes after its end), expected one whole gzip member"
        );
        let mut flipped = packed;
        let at = flipped.len() - 8;
        flipped[at] ^= 1;
        assert!(matches!(inflate(&flipped, "f", 1000), Err(DataError::Gzip { .. })), "the checksum");
    }

    #[test]
    fn replace_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A folder cannot be replaced by a file.
        let folder = dir.path().join("b");
        fs::create_dir(&folder).unwrap();
        assert!(replace(&folder, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        // Nor by one that was never finished.
        let mut part = Part::create(&path).unwrap();
        part.write_all(b"three").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        drop(part);
        assert_eq!((read(&path).unwrap(), fs::read_dir(dir.path()).unwrap().count()), (b"two".to_vec(), 2));
    }

    #[cfg(unix)]
    #[test]
    fn links_devices_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let [path, link] = ["a", "b"].map(|name| dir.path().join(name));
        replace(&path, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((read(&path).unwrap(), fs::metadata(&path).unwrap().permissions().mode() & 0o777), (b"two".to_vec(), 0o600));
        replace(Path::new("/dev/null"), b"three").unwrap();
    }
}
