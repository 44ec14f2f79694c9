//! What a run cost, counted at the transport by layer and label.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};
use trefoil_net::Id;

/// The cost of one label in one layer, at one party.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entry {
    /// Growth of this party's depth: the links that this label added to the longest chain of dependent messages.
    pub rounds: u64,
    /// Payload that this party sent, in bytes, before headers and TLS.
    pub payload_bytes: u64,
    /// Frames that this party sent.
    pub messages: u64,
    /// Seconds that this party spent sending and waiting.
    pub seconds: f64,
}

impl AddAssign for Entry {
    fn add_assign(&mut self, x: Entry) {
        self.rounds += x.rounds;
        self.payload_bytes += x.payload_bytes;
        self.messages += x.messages;
        self.seconds += x.seconds;
    }
}

/// One party's cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// By layer and label.
    pub entries: BTreeMap<(String, &'static str), Entry>,
    /// Payload sent to each party, in bytes.
    pub sent: [u64; 3],
}

impl Cost {
    pub(crate) fn sent(&mut self, layer: &str, label: &'static str, to: Id, payload: usize) {
        let entry = self.entry(layer, label);
        entry.payload_bytes += payload as u64;
        entry.messages += 1;
        self.sent[to.index()] += payload as u64;
    }

    pub(crate) fn entry(&mut self, layer: &str, label: &'static str) -> &mut Entry {
        // A lookup by (&str, &str) is not to be had from a map of owned pairs; layers are few and names short.
        self.entries.entry((layer.to_owned(), label)).or_default()
    }

    /// The sum over all layers and labels.
    pub fn total(&self) -> Entry {
        let mut total = Entry::default();
        self.entries.values().for_each(|e| total += *e);
        total
    }

    /// The entries of all parties as one: bytes, messages and seconds added, rounds the larger of P0's and P1's.
    pub fn together(parties: [&Cost; 3]) -> BTreeMap<(String, &'static str), Entry> {
        let mut all: BTreeMap<_, Entry> = BTreeMap::new();
        for (i, cost) in parties.into_iter().enumerate() {
            for (key, entry) in &cost.entries {
                let sum = all.entry(key.clone()).or_default();
                let rounds = if i < 2 { sum.rounds.max(entry.rounds) } else { sum.rounds };
                *sum += *entry;
                sum.rounds = rounds;
            }
        }
        all
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, x: Cost) {
        for (key, entry) in x.entries {
            *self.entries.entry(key).or_default() += entry;
        }
        self.sent.iter_mut().zip(x.sent).for_each(|(sent, x)| *sent += x);
    }
}

impl Sub for &Cost {
    type Output = Cost;

    /// What was added since `before`.
    fn sub(self, before: &Cost) -> Cost {
        let mut out = self.clone();
        for (key, old) in &before.entries {
            let e = out.entries.entry(key.clone()).or_default();
            e.rounds -= old.rounds;
            e.payload_bytes -= old.payload_bytes;
            e.messages -= old.messages;
            e.seconds -= old.seconds;
        }
        out.entries.retain(|_, e| *e != Entry::default());
        for (new, old) in out.sent.iter_mut().zip(before.sent) {
            *new -= old;
        }
        out
    }
}
