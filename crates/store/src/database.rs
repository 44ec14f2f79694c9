//! Jobs and what belongs to them: JSON values under names, in tables, in one file (redb). A change is on the disk when the
//! call returns, and a crash in the middle of it leaves the state before.
//!
//! Nothing in it is encrypted or signed. Secrets go into [sealed files](crate::sealed), and what must be provable later into
//! the [audit log](crate::audit). The checksums find accidental damage, with one exception known: the bit of the header that
//! names the newer of two commits. Where it flips in a file that was not closed, the older one counts.

use crate::disk;
use crate::{Result, StoreError};
use redb::backends::FileBackend;
use redb::{Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// What the tables and values mean, and where that is written.
const VERSION: u64 = 1;
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("trefoil");

/// An open database. One process has it at a time, with as many threads as like.
pub struct Database {
    /// None where reading or writing has failed: redb refuses everything from then on, and has no way back but to open the file
    /// again. The next call does so, with all its checks; on a full disk it fails until there is room.
    redb: RwLock<Option<redb::Database>>,
    file: PathBuf,
}

/// A value that is to be set, or removed.
pub struct Change {
    table: String,
    key: String,
    value: Option<Vec<u8>>,
}

impl Change {
    /// `None` removes it.
    ///
    /// # Errors
    /// [`StoreError::Value`]: no JSON can be made of it.
    pub fn new<T: Serialize>(table: &str, key: impl Display, value: Option<&T>) -> Result<Change> {
        let (table, key) = (table.to_owned(), key.to_string());
        let wrong = |source| StoreError::Value { file: PathBuf::new(), what: format!("table {table}, key {key}"), source };
        let value = value.map(serde_json::to_vec).transpose().map_err(wrong)?;
        Ok(Change { table, key, value })
    }
}

/// A table by its name: names to JSON.
fn table(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

impl Database {
    /// Opens the file, or makes a new one, and checks all of it (which takes time in proportion).
    ///
    /// # Errors
    /// [`StoreError::InUse`]; [`StoreError::Database`], also for a file that is none or is damaged; [`StoreError::Format`];
    /// [`StoreError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        let path = path.as_ref();
        if !path.try_exists().map_err(StoreError::io(path, "look for"))? {
            // A file that has the name has its first commit: without one it is damaged.
            let partial = disk::partial(path, "new")?;
            match fs::remove_file(&partial) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(StoreError::io(&partial, "remove")(e)),
                _ => drop(open_checked(&partial, true)?),
            }
            fs::rename(&partial, path).map_err(StoreError::io(path, "rename"))?;
            disk::sync_folder_of(path)?;
        }
        let redb = RwLock::new(Some(open_checked(path, false)?));
        Ok(Database { redb, file: path.to_owned() })
    }

    /// Sets a value, new or not.
    ///
    /// # Errors
    /// [`StoreError::Value`]: no JSON can be made of it. [`StoreError::Database`].
    pub fn put<T: Serialize>(&self, table: &str, key: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(value).map_err(self.value(table, key))?;
        self.write(|t| self.set(t, table, key, Some(&bytes)).map(drop))
    }

    /// Makes all of these changes, or none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put_all(&self, changes: &[Change]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write(|t| changes.iter().try_for_each(|c| self.set(t, &c.table, &c.key, c.value.as_deref()).map(drop)))
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Value`]: it is there, but no `T`. [`StoreError::Database`].
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: &str) -> Result<Option<T>> {
        let Some(opened) = self.read(table)? else { return Ok(None) };
        let bytes = opened.get(key).map_err(self.fail("read"))?;
        bytes.map(|b| serde_json::from_slice(b.value()).map_err(self.value(table, key))).transpose()
    }

    /// All of a table, in the order of the keys. Empty where there is no such table.
    ///
    /// # Errors
    /// As [`get`](Database::get), for any of them.
    pub fn all<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(String, T)>> {
        let Some(opened) = self.read(table)? else { return Ok(Vec::new()) };
        let entries = opened.iter().map_err(self.fail("read"))?;
        let one = |entry: std::result::Result<_, redb::StorageError>| {
            let (key, bytes): (redb::AccessGuard<&str>, redb::AccessGuard<&[u8]>) = entry.map_err(self.fail("read"))?;
            let value = serde_json::from_slice(bytes.value()).map_err(self.value(table, key.value()))?;
            Ok((key.value().to_owned(), value))
        };
        entries.map(one).collect()
    }

    /// Removes a value: true if there was one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn delete(&self, table: &str, key: &str) -> Result<bool> {
        self.write(|t| self.set(t, table, key, None))
    }

    /// Removes a table with all that is in it: true if there was one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn clear(&self, table: &str) -> Result<bool> {
        self.write(|transaction| transaction.delete_table(self::table(table)).map_err(self.fail("write")))
    }

    /// Replaces a value by what `change` makes of it, while nobody else writes; `None` is no value. An error of `change`
    /// changes nothing. `change` must not use the database.
    ///
    /// # Errors
    /// As [`get`](Database::get) and [`put`](Database::put), and those of `change`.
    pub fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        table: &str,
        key: &str,
        change: impl FnOnce(Option<T>) -> Result<(Option<T>, R)>,
    ) -> Result<R> {
        self.write(|transaction| {
            let opened = transaction.open_table(self::table(table)).map_err(self.fail("write"))?;
            let bytes = opened.get(key).map_err(self.fail("read"))?;
            let old = bytes.map(|b| serde_json::from_slice(b.value())).transpose().map_err(self.value(table, key))?;
            drop(opened);
            let (new, result) = change(old)?;
            let new = new.map(|v| serde_json::to_vec(&v)).transpose().map_err(self.value(table, key))?;
            self.set(transaction, table, key, new.as_deref())?;
            Ok(result)
        })
    }

    /// Sets or removes: true if there was a value before.
    fn set(&self, transaction: &WriteTransaction, table: &str, key: &str, value: Option<&[u8]>) -> Result<bool> {
        let mut opened = transaction.open_table(self::table(table)).map_err(self.fail("write"))?;
        let old = match value {
            Some(bytes) => opened.insert(key, bytes),
            None => opened.remove(key),
        };
        Ok(old.map_err(self.fail("write"))?.is_some())
    }

    /// One transaction, on the disk when this returns; dropped, it changes nothing.
    fn write<R>(&self, f: impl FnOnce(&WriteTransaction) -> Result<R>) -> Result<R> {
        self.opened(|redb| {
            let mut transaction = redb.begin_write().map_err(self.fail("write"))?;
            transaction.set_durability(Durability::Immediate).map_err(self.fail("write"))?;
            // One synchronisation more: after a crash, damage is then told from a commit that was cut short.
            transaction.set_two_phase_commit(true);
            let result = f(&transaction)?;
            transaction.commit().map_err(self.fail("write"))?;
            Ok(result)
        })
    }

    /// Uses the database; opens it again first where an earlier error has closed it.
    fn opened<R>(&self, f: impl FnOnce(&redb::Database) -> Result<R>) -> Result<R> {
        let mut open = self.redb.read().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            drop(open);
            let mut closed = self.redb.write().unwrap_or_else(PoisonError::into_inner);
            if closed.is_none() {
                *closed = Some(open_checked(&self.file, false)?);
            }
            drop(closed);
            open = self.redb.read().unwrap_or_else(PoisonError::into_inner);
        }
        // Only an error of another thread, a moment ago, closes it here.
        let redb = open.as_ref().ok_or_else(|| StoreError::Broken { file: self.file.clone() })?;
        let result = f(redb);
        drop(open);
        if let Err(StoreError::Database { source, .. }) = &result
            && matches!(**source, redb::Error::Io(_) | redb::Error::PreviousIo)
        {
            *self.redb.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }

    fn read(&self, table: &str) -> Result<Option<redb::ReadOnlyTable<&'static str, &'static [u8]>>> {
        self.opened(|redb| match redb.begin_read().map_err(self.fail("read"))?.open_table(self::table(table)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(e) => Err(self.fail("read")(e)),
        })
    }

    fn fail<E: Into<redb::Error>>(&self, doing: &'static str) -> impl FnOnce(E) -> StoreError {
        fail(&self.file, doing)
    }

    fn value(&self, table: &str, key: &str) -> impl FnOnce(serde_json::Error) -> StoreError {
        move |source| StoreError::Value { file: self.file.clone(), what: format!("table {table}, key {key}"), source }
    }
}

/// redb asserts what a damaged file does not keep, and looks at its checksums only when asked.
fn open_checked(path: &Path, new: bool) -> Result<redb::Database> {
    let open = disk::private().read(true).write(true).create_new(new).open(path);
    let file = open.map_err(StoreError::io(path, "open"))?;
    let opened = panic::catch_unwind(|| open_file(file));
    let opened = opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("the file is damaged".to_owned())));
    let (redb, version) = opened.map_err(|e| match e {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse { file: path.to_owned(), by: None },
        other => fail(path, "open the database")(other),
    })?;
    if version != (!new).then_some(VERSION) {
        let found = version.map_or("none".to_owned(), |v| v.to_string());
        let (what, expected) = ("version".to_owned(), VERSION.to_string());
        return Err(StoreError::Format { file: path.to_owned(), what, found, expected });
    }
    Ok(redb)
}

/// Reads everything, and writes: what only a write meets is met here. With the version that was there.
fn open_file(file: File) -> std::result::Result<(redb::Database, Option<u64>), redb::Error> {
    let mut redb = redb::Builder::new().create_with_backend(FileBackend::new(file)?)?;
    redb.check_integrity()?;
    let transaction = redb.begin_write()?;
    let mut about = transaction.open_table(ABOUT)?;
    let version = about.get("version")?.map(|v| v.value());
    about.insert("version", version.unwrap_or(VERSION))?;
    drop(about);
    transaction.commit()?;
    Ok((redb, version))
}

fn fail<E: Into<redb::Error>>(file: &Path, doing: &'static str) -> impl FnOnce(E) -> StoreError {
    move |e| StoreError::Database { file: file.to_owned(), doing, source: Box::new(e.into()) }
}

#[cfg(test)]
mod tests;
