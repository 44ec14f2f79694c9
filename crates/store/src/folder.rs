//! The folder of a party's data: nobody else's, and one process's at a time.

use crate::disk;
use crate::{Result, StoreError};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The name of the file in the folder that is locked. It holds the number of the last process that had it.
const LOCK: &str = "lock";

/// A data folder, locked until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none (mode 0700), checks that no other user may enter it, and locks it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] and [`StoreError::Mode`] name the folder; [`StoreError::Io`].
    pub fn lock(folder: impl AsRef<Path>) -> Result<Folder> {
        let path = folder.as_ref();
        let mut make = fs::DirBuilder::new();
        make.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.create(path).map_err(StoreError::io(path, "make"))?;
        check_mode(path)?;
        let name = path.join(LOCK);
        let mut file = disk::private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(StoreError::io(&name, "open"))?;
        match disk::lock(&file, path) {
            Err(StoreError::InUse { file: folder, .. }) => return Err(StoreError::InUse { file: folder, by: holder(&file) }),
            other => other?,
        }
        let number = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(number.as_bytes()))
            .map_err(StoreError::io(&name, "write"))?;
        Ok(Folder { path: path.to_owned(), _lock: file })
    }

    /// Removes what was left, here or in `below`, a folder in this one, by writers that were killed before their file was
    /// whole. To be called before anything is written. The number of files.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove_partial(&self, below: impl AsRef<Path>) -> Result<usize> {
        let folder = self.path.join(below);
        let mut count = 0;
        for entry in fs::read_dir(&folder).map_err(StoreError::io(&folder, "list"))? {
            let entry = entry.map_err(StoreError::io(&folder, "list"))?;
            if entry.file_name().to_str().is_some_and(|n| n.starts_with('.') && n.ends_with(disk::PARTIAL)) {
                fs::remove_file(entry.path()).map_err(StoreError::io(&entry.path(), "remove"))?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Who wrote its number there. Where a lock forbids reading too, nobody knows.
fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).map_err(StoreError::io(path, "open"))?.permissions().mode() & 0o777;
    if found & 0o077 != 0 { Err(StoreError::Mode { file: path.to_owned(), found }) } else { Ok(()) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/party");
        let first = Folder::lock(&path).unwrap();
        assert_eq!(first.path(), path);
        let text = Folder::lock(&path).unwrap_err().to_string();
        assert!(text.starts_with(path.to_str().unwrap()), "{text}");
        if cfg!(unix) {
            assert!(text.contains(&format!("in use by process {},", std::process::id())), "{text}");
        }
        drop(first);
        let _second = Folder::lock(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("party");
        drop(Folder::lock(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(path.join(LOCK)).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o750, 0o701, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let text = Folder::lock(&path).unwrap_err().to_string();
            assert!(text.starts_with(path.to_str().unwrap()) && text.contains(&format!("found mode {mode:o}")), "{text}");
        }
    }

    #[test]
    fn leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::lock(dir.path().join("party")).unwrap();
        let shares = folder.path().join("shares");
        fs::create_dir(&shares).unwrap();
        let (kept, left) = (shares.join("kept"), disk::partial(&shares.join("kept"), "0011").unwrap());
        fs::write(&kept, b"a").unwrap();
        fs::write(&left, b"b").unwrap();
        assert_eq!(folder.remove_partial("").unwrap(), 0);
        assert_eq!(folder.remove_partial("shares").unwrap(), 1);
        assert!(kept.exists() && !left.exists());
        assert!(matches!(folder.remove_partial("none"), Err(StoreError::Io { doing: "list", .. })));
    }

    #[test]
    fn no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Folder::lock(file.path()), Err(StoreError::Io { doing: "make", .. })));
    }
}
