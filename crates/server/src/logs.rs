//! Audit logs, read by somebody who was not there: the chain of each, the signatures in it, and whether what three parties have written
//! down can be true at once.

mod compare;
mod log;
#[cfg(test)]
mod tests;

pub use compare::{Common, compare};
pub use log::Log;

use crate::{Error, Result};
use std::path::Path;
use trefoil_client::approval::Approval;

/// The approvals in a file: a party's log, or what `trefoil job status --approvals --json` has printed. They are checked, but not against
/// a job.
///
/// # Errors
/// The file cannot be read, or an approval in it is none.
pub fn approvals(path: &Path) -> Result<Vec<Approval>> {
    /// More is refused; those of ten thousand owners are some ten megabytes.
    const MOST: u64 = 64 << 20;
    let mut file = std::fs::File::open(path).map_err(Error::file(path))?;
    let mut first = [0; 1];
    let read = std::io::Read::read(&mut file, &mut first).map_err(Error::file(path))?;
    if read == 1 && first != *b"[" {
        return Ok(Log::read(path)?.approvals.into_iter().map(|(_, approval)| approval).collect());
    }
    let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
    if size > MOST {
        return Err(Error::config(path.display(), format!("{size} bytes"), format!("at most {MOST}")));
    }
    let text = std::fs::read(path).map_err(Error::file(path))?;
    let all: Vec<Approval> = serde_json::from_slice(&text).map_err(|e| Error::config(path.display(), e, "signed approvals"))?;
    all.iter().try_for_each(Approval::verify)?;
    Ok(all)
}
