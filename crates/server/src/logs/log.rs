//! One party's audit log.

use crate::{Error, Result};
use serde_json::Value;
use std::path::Path;
use trefoil_client::approval::Approval;
use trefoil_net::identity::Fingerprint;
use trefoil_store::audit;

/// What a log says of jobs; refusals and the like are passed over.
const FACTS: [&str; 7] = ["approved", "uploaded", "session", "heads", "opened", "trained", "model share given"];

/// A log whose chain is unbroken and whose approvals are signed.
pub struct Log {
    /// The file.
    pub name: String,
    /// The party's certificate, as its first start names it.
    pub party: Option<Fingerprint>,
    /// The head after so many lines; the first is of none.
    pub heads: Vec<[u8; 32]>,
    /// Its approvals, with their lines.
    pub approvals: Vec<(u64, Approval)>,
    /// What it says of jobs, with the lines.
    pub(super) facts: Vec<(u64, Value)>,
}

impl Log {
    /// Reads a party's log, and checks it.
    ///
    /// # Errors
    /// The chain is broken, or an approval is none; both name the line.
    pub fn read(path: &Path) -> Result<Log> {
        let name = path.display().to_string();
        let mut log = Log { name, party: None, heads: vec![[0; 32]], approvals: vec![], facts: vec![] };
        let mut entries = audit::read(path)?;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            log.heads.push(entries.summary().head);
            let Some(what) = entry.event.get("what").and_then(Value::as_str) else { continue };
            if what == "started" {
                let named = entry.event.get("fingerprint").and_then(|f| serde_json::from_value(f.clone()).ok());
                log.party = log.party.or(named);
            } else if FACTS.contains(&what) {
                if what == "approved" {
                    let approval = approval(&entry.event).map_err(|e| log.wrong(entry.n, "approval", e, "a signed one"))?;
                    log.approvals.push((entry.n, approval));
                }
                log.facts.push((entry.n, entry.event));
            }
        }
        Ok(log)
    }

    /// Lines.
    pub fn entries(&self) -> u64 {
        self.heads.len() as u64 - 1
    }

    /// The hash of the last line.
    pub fn head(&self) -> [u8; 32] {
        self.heads.last().copied().unwrap_or_default()
    }

    /// What the log was when its head was this one.
    ///
    /// # Errors
    /// It never was, or is no head.
    pub fn since(&self, head: &str) -> Result<audit::Summary> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(head, &mut bytes)
            .map_err(|_| Error::config("--since", format!("{} characters", head.len()), "64 hexadecimal digits"))?;
        let at = self.heads.iter().position(|h| *h == bytes);
        at.map(|n| audit::Summary { entries: n as u64, head: bytes })
            .ok_or_else(|| self.wrong(self.entries(), "head", "another at each line", head))
    }

    /// An error at a line of it.
    pub(super) fn wrong(&self, line: u64, what: impl ToString, found: impl ToString, expected: impl ToString) -> Error {
        let (what, found, expected) = (what.to_string(), found.to_string(), expected.to_string());
        Error::Log { file: self.name.clone(), line, what, found, expected }
    }
}

/// The approval in an entry, checked.
fn approval(event: &Value) -> Result<Approval> {
    let mut fields = event.clone();
    if let Some(fields) = fields.as_object_mut() {
        // What the party adds of its own.
        ["what", "how", "from"].iter().for_each(|key| drop(fields.remove(*key)));
    }
    let approval: Approval = serde_json::from_value(fields).map_err(|e| Error::config("approval", e, "the fields of one"))?;
    approval.verify()?;
    Ok(approval)
}
