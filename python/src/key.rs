//! Whose key.

use crate::errors::exception;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use trefoil_client::keys::{KeyError, KeySource, PassphraseSource};
use trefoil_job::Error;
use trefoil_net::identity::Identity;

/// A certificate with its private key: from a file that `trefoil keygen` has written, whose passphrase is in the environment's
/// TREFOIL_PASSPHRASE or is asked at the terminal; from the environment as "env:NAME"; from a file descriptor as "fd:N".
#[pyclass(frozen, module = "trefoil")]
pub struct Key(pub Arc<Identity>);

#[pymethods]
impl Key {
    #[new]
    fn new(py: Python<'_>, source: PathBuf) -> PyResult<Key> {
        let identity = py.detach(|| -> trefoil_job::Result<Identity> {
            let source: KeySource = source.to_string_lossy().parse().map_err(|e: KeyError| Error::Client(e.into()))?;
            Ok(source.load(&PassphraseSource::default(), false)?)
        });
        Ok(Key(Arc::new(identity.map_err(|e| exception(py, &e))?)))
    }

    /// The certificate's fingerprint, 64 hexadecimal digits: public, and who its holder is to all others.
    #[getter]
    fn fingerprint(&self) -> String {
        self.0.fingerprint().to_string()
    }

    fn __repr__(&self) -> String {
        format!("Key({})", self.fingerprint().get(..12).unwrap_or_default())
    }
}

/// A key, or where one is.
#[derive(FromPyObject)]
pub enum OneKey<'py> {
    /// One that is loaded.
    Loaded(PyRef<'py, Key>),
    /// One that is to be.
    Source(PathBuf),
}

impl OneKey<'_> {
    /// The identity.
    pub fn identity(self, py: Python<'_>) -> PyResult<Arc<Identity>> {
        match self {
            OneKey::Loaded(key) => Ok(key.0.clone()),
            OneKey::Source(source) => Ok(Key::new(py, source)?.0),
        }
    }
}
