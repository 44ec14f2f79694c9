//! What a run took at one party, and what it saw.

use crate::machine;
use crate::witness::Seen;
use serde::{Deserialize, Serialize};
use trefoil_mpc::Party;
use trefoil_mpc::cost::{Cost, Entry};
use trefoil_net::Id;

/// One line of `cost.csv`, for one party.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `trefoil_mpc::cost::Entry`
pub struct CostLine {
    pub layer: String,
    pub label: String,
    pub rounds: u64,
    pub payload_bytes: u64,
    pub messages: u64,
    pub seconds: f64,
}

impl CostLine {
    /// The lines of one party, by layer and label.
    pub(crate) fn all(cost: &Cost) -> Vec<CostLine> {
        let line = |((layer, label), e): (&(String, &'static str), &Entry)| CostLine {
            layer: layer.clone(),
            label: (*label).to_owned(),
            rounds: e.rounds,
            payload_bytes: e.payload_bytes,
            messages: e.messages,
            seconds: e.seconds,
        };
        cost.entries.iter().map(line).collect()
    }
}

/// What a run took at one party, and what it saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Which of the three.
    pub id: Id,
    /// Payload sent to P0, P1 and P2 in training steps.
    pub step_bytes: [u64; 3],
    /// Growth of depth in training steps.
    pub step_rounds: u64,
    /// Payload sent to P0, P1 and P2 in all.
    pub sent: [u64; 3],
    /// Bytes written to the sockets towards P0, P1 and P2.
    pub wire: [u64; 3],
    /// By layer and label.
    pub cost: Vec<CostLine>,
    /// Payload received from owners.
    pub from_owners: u64,
    /// Frames received from the other parties.
    pub frames_seen: u64,
    /// Payload received from the other parties.
    pub bytes_seen: u64,
    /// Chi-square of a sample of it against uniform bytes (255 expected).
    pub chi_square: Option<f64>,
    /// Values that were opened to it: losses and accuracies.
    pub opened: u64,
    /// Peak memory in bytes.
    pub peak_rss: u64,
}

/// Cost of training steps alone, apart from evaluation and sharing.
#[derive(Default)]
pub(crate) struct Tally {
    last: (u32, [u64; 3]),
    bytes: [u64; 3],
    rounds: u64,
    /// Values opened so far.
    pub(crate) opened: u64,
}

impl Tally {
    pub(crate) fn before(&mut self, p: &mut Party) {
        self.last = (p.depth(), p.cost.sent);
    }

    /// Bytes and rounds since `before`, added to the sums.
    pub(crate) fn after(&mut self, p: &mut Party) -> (u64, u64) {
        let mut bytes = 0;
        for i in 0..3 {
            let grown = p.cost.sent[i] - self.last.1[i];
            self.bytes[i] += grown;
            bytes += grown;
        }
        let rounds = u64::from(p.depth() - self.last.0);
        self.rounds += rounds;
        (bytes, rounds)
    }

    pub(crate) fn report(self, p: &mut Party, from_owners: u64, seen: &Seen) -> Report {
        Report {
            id: p.id,
            step_bytes: self.bytes,
            step_rounds: self.rounds,
            sent: p.cost.sent,
            wire: Id::ALL.map(|to| if to == p.id { 0 } else { p.wire_bytes(to) }),
            cost: CostLine::all(&p.cost),
            from_owners,
            frames_seen: seen.frames,
            bytes_seen: seen.bytes,
            chi_square: seen.chi_square(),
            opened: self.opened,
            peak_rss: machine::peak_rss(),
        }
    }
}
