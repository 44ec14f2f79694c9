//! A job at this party while it runs: what is on disk of it, and what is going on.

use crate::links::Meeting;
use crate::page::history::History;
use crate::record::{PartOf, Record};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{Announcement, Summary};
use trefoil_net::identity::Fingerprint;
use trefoil_store::sealed;

/// Of each who has approved, as what it did.
pub type Approvals = BTreeMap<(Role, Fingerprint), Approval>;

/// A job: what is on disk, and what is going on.
pub struct Entry {
    pub record: Arc<Record>,
    pub approvals: Approvals,
    pub running: bool,
    /// How the peers are found.
    pub meeting: Meeting,
    /// In a session: the step it is at.
    pub session: Option<u64>,
    pub uploads: BTreeMap<Fingerprint, Arc<Mutex<Slot>>>,
    /// What the page draws of it.
    pub history: History,
}

/// An owner's upload that does not count yet.
#[derive(Default)]
pub struct Slot {
    /// What the owner announced.
    pub about: Option<Announcement>,
    /// Grows with each connection; 0 in `alive` where none is left.
    pub connections: u64,
    pub alive: u64,
    pub writer: Option<sealed::Writer>,
    /// Once all of it is on the disk.
    pub staged: Option<Staged>,
}

/// An upload that is whole: what it holds, and the hashes of its chunks.
#[derive(Clone)]
pub struct Staged {
    pub summary: Summary,
    /// Of those that are here.
    pub sha256: String,
    /// Those at other ranks.
    pub parts: Vec<PartOf>,
}

impl Entry {
    pub fn new(record: Record) -> Entry {
        Entry {
            record: Arc::new(record),
            approvals: BTreeMap::new(),
            running: false,
            meeting: Meeting::default(),
            session: None,
            uploads: BTreeMap::new(),
            history: History::default(),
        }
    }

    /// Takes an approval that was checked and is on the disk; `own` is this party's certificate.
    pub fn approve(&mut self, approval: Approval, own: Fingerprint) {
        let record = Arc::make_mut(&mut self.record);
        record.approved |= approval.by == own;
        if approval.role == Role::DataOwner {
            record.owners.insert(approval.by);
        }
        self.approvals.insert((approval.role, approval.by), approval);
    }
}
