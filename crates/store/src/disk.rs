//! Files as this crate makes them: for the owner alone, written to the end, and on the disk before anyone is told so.

use crate::{Result, StoreError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file as far as writing goes. Tests put a full disk here.
pub(crate) trait Disk: Write {
    fn sync(&self) -> io::Result<()>;
    fn cut(&self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// What is appended to a file, piece by piece. After an error nothing more is written: what reached the disk is unknown.
pub(crate) struct Appender<D> {
    disk: D,
    pub(crate) file: PathBuf,
    /// Bytes that were written whole.
    length: u64,
    broken: bool,
}

impl<D: Disk> Appender<D> {
    /// `disk` stands at its end, after `length` bytes.
    pub(crate) fn new(disk: D, file: &Path, length: u64) -> Appender<D> {
        Appender { disk, file: file.to_owned(), length, broken: false }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.broken { Err(StoreError::Broken { file: self.file.clone() }) } else { Ok(()) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.check()?;
        self.broken = true;
        self.disk.write_all(bytes).map_err(StoreError::io(&self.file, "write"))?;
        self.length += bytes.len() as u64;
        self.broken = false;
        Ok(())
    }

    /// Until now nothing is certain to survive a power failure. A kernel that failed to write may say so only once: the
    /// file stays broken.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.check()?;
        self.broken = true;
        self.disk.sync().map_err(StoreError::io(&self.file, "synchronise"))?;
        self.broken = false;
        Ok(())
    }

    /// After a failed write to a file in append mode: back to what was whole.
    pub(crate) fn cut_back(&mut self) {
        self.broken = self.disk.cut(self.length).is_err();
    }
}

/// Options for a file that nobody else may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the file for this handle alone, until it is closed.
pub(crate) fn lock(file: &File, path: &Path) -> Result<()> {
    file.try_lock().map_err(|e| match e {
        TryLockError::WouldBlock => StoreError::InUse { file: path.to_owned(), by: None },
        TryLockError::Error(source) => StoreError::Io { file: path.to_owned(), doing: "lock", source },
    })
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the file's folder survive a power failure. Windows does so itself.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = folder_of(path);
        File::open(folder).and_then(|f| f.sync_all()).map_err(StoreError::io(folder, "synchronise"))?;
    }
    Ok(())
}

/// The end of the name that a file has until it is whole.
pub(crate) const PARTIAL: &str = ".partial";

/// The name that `path` has until it is whole; `tag` tells several writers apart.
pub(crate) fn partial(path: &Path, tag: &str) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::ErrorKind::InvalidInput.into());
    let name = name.map_err(StoreError::io(path, "name"))?;
    Ok(folder_of(path).join(format!(".{}.{tag}{PARTIAL}", name.to_string_lossy())))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tempfile::TempDir;

    /// A path in a new folder, in memory where there is such: synchronising a thousand times takes long on a disk.
    pub(crate) fn folder() -> (TempDir, PathBuf) {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let path = dir.path().join("file");
        (dir, path)
    }

    /// A disk in memory that is full after `room` bytes, or whose cable comes loose at `loose`.
    #[derive(Clone, Default)]
    pub(crate) struct Full {
        pub bytes: Rc<RefCell<Vec<u8>>>,
        pub room: usize,
        pub loose: bool,
    }

    impl Write for Full {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            let mut bytes = self.bytes.borrow_mut();
            let fits = from.len().min(self.room - bytes.len());
            bytes.extend(&from[..fits]);
            if fits == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(fits) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Disk for Full {
        fn sync(&self) -> io::Result<()> {
            if self.loose { Err(io::Error::other("loose cable")) } else { Ok(()) }
        }
        fn cut(&self, length: u64) -> io::Result<()> {
            self.sync()?;
            self.bytes.borrow_mut().truncate(length as usize);
            Ok(())
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device() {
        let disk = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut out = Appender::new(disk, Path::new("/dev/full"), 0);
        assert!(out.write(b"x").unwrap_err().to_string().starts_with("/dev/full: cannot write: "));
        assert!(matches!(out.write(b"x"), Err(StoreError::Broken { .. })));
        assert!(matches!(out.sync(), Err(StoreError::Broken { .. })));
    }

    #[test]
    fn a_failed_sync_is_final() {
        let disk = Full { room: 9, loose: true, ..Full::default() };
        let mut out = Appender::new(disk, Path::new("f"), 0);
        out.write(b"x").unwrap();
        assert!(out.sync().unwrap_err().to_string().contains("f: cannot synchronise: "));
        assert!(matches!(out.sync(), Err(StoreError::Broken { .. })));
    }
}
