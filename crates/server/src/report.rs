//! What a run took at one party, and what it saw.

use crate::witness::Seen;
use crate::{Result, machine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Another lane's line of the same: lanes go side by side, so what they send is added up, and the longest chain and the longest time are the party's.
    fn beside(&mut self, other: &CostLine) {
        self.rounds = self.rounds.max(other.rounds);
        self.payload_bytes += other.payload_bytes;
        self.messages += other.messages;
        self.seconds = self.seconds.max(other.seconds);
    }

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

/// What a session took at one rank of a party so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfRank {
    sent: [u64; 3],
    wire: [u64; 3],
    cost: Vec<CostLine>,
    frames_seen: u64,
    bytes_seen: u64,
    peak_rss: u64,
}

impl OfRank {
    pub(crate) fn of(p: &Party, seen: &Seen) -> OfRank {
        OfRank {
            sent: p.cost.sent,
            wire: Id::ALL.map(|to| if to == p.id { 0 } else { p.wire_bytes(to) }),
            cost: CostLine::all(&p.cost),
            frames_seen: seen.frames,
            bytes_seen: seen.bytes,
            peak_rss: machine::peak_rss(),
        }
    }
}

/// What a session took so far at all ranks of this party.
pub(crate) struct OfRanks(Vec<OfRank>);

impl OfRanks {
    /// From this rank, which is rank 0, and what the others say of themselves.
    ///
    /// # Errors
    /// One says something else.
    pub(crate) fn of(p: &Party, seen: &Seen, others: &[Vec<u8>]) -> Result<OfRanks> {
        let mut all = vec![OfRank::of(p, seen)];
        for (i, said) in others.iter().enumerate() {
            let why = |e| trefoil_mpc::Error::Lane { rank: i + 1, why: format!("said in other words what it has spent: {e}") };
            all.push(serde_json::from_slice(said).map_err(why)?);
        }
        Ok(OfRanks(all))
    }

    /// In one line, where there are several.
    pub(crate) fn in_words(&self, me: Id) -> Option<String> {
        let of_lane = |(i, rank): (usize, &OfRank)| {
            let to = me.others().map(|to| format!("{} to {to}", rank.sent[to.index()]));
            format!("lane {i} {}", to.join(" and "))
        };
        let lines: Vec<String> = self.0.iter().enumerate().map(of_lane).collect();
        (lines.len() > 1).then(|| format!("bytes sent: {}", lines.join(", ")))
    }

    /// What each sent to P0, P1 and P2, in the order of lanes; nothing where there is one.
    pub(crate) fn by_lane(&self) -> Vec<[u64; 3]> {
        let by_lane = self.0.iter().map(|rank| rank.sent).collect();
        if self.0.len() > 1 { by_lane } else { vec![] }
    }

    fn sum(&self, of: impl Fn(&OfRank) -> u64) -> u64 {
        self.0.iter().map(of).sum()
    }

    /// Payload sent to P0, P1 and P2.
    pub(crate) fn sent(&self) -> [u64; 3] {
        [0, 1, 2].map(|to| self.sum(|rank| rank.sent[to]))
    }

    /// The same with headers and TLS.
    pub(crate) fn wire(&self) -> [u64; 3] {
        [0, 1, 2].map(|to| self.sum(|rank| rank.wire[to]))
    }

    /// By layer and label.
    pub(crate) fn cost(&self) -> Vec<CostLine> {
        let mut all = BTreeMap::<_, CostLine>::new();
        for line in self.0.iter().flat_map(|rank| &rank.cost) {
            let known = all.entry((&line.layer, &line.label));
            known.and_modify(|known| known.beside(line)).or_insert_with(|| line.clone());
        }
        all.into_values().collect()
    }
}

/// What a run took at one party, and what it saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Which of the three.
    pub id: Id,
    /// Payload that lane 0 sent to P0, P1 and P2 in training steps.
    pub step_bytes: [u64; 3],
    /// Growth of depth in training steps.
    pub step_rounds: u64,
    /// Payload sent to P0, P1 and P2 in all.
    pub sent: [u64; 3],
    /// Bytes written to the sockets towards P0, P1 and P2.
    pub wire: [u64; 3],
    /// Payload that each lane sent to P0, P1 and P2, where there are several: `sent` is their sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<[u64; 3]>,
    /// By layer and label.
    pub cost: Vec<CostLine>,
    /// Payload received from owners.
    pub from_owners: u64,
    /// Frames received from the other parties.
    pub frames_seen: u64,
    /// Payload received from the other parties.
    pub bytes_seen: u64,
    /// Chi-square of a sample of what lane 0 received against uniform bytes (255 expected).
    pub chi_square: Option<f64>,
    /// Values that were opened to it: losses and accuracies.
    pub opened: u64,
    /// Peak memory in bytes: of all ranks together.
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

    pub(crate) fn report(self, p: &Party, ranks: &OfRanks, from_owners: u64, seen: &Seen) -> Report {
        Report {
            id: p.id,
            step_bytes: self.bytes,
            step_rounds: self.rounds,
            sent: ranks.sent(),
            wire: ranks.wire(),
            from_owners,
            frames_seen: ranks.sum(|rank| rank.frames_seen),
            bytes_seen: ranks.sum(|rank| rank.bytes_seen),
            chi_square: seen.chi_square(),
            opened: self.opened,
            peak_rss: ranks.sum(|rank| rank.peak_rss),
            lanes: ranks.by_lane(),
            cost: ranks.cost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lanes go side by side: bytes are added up, rounds and seconds are those of the longest.
    #[test]
    fn all_lanes_together() {
        let line = |label: &str, rounds, payload_bytes, seconds| {
            let (layer, label) = ("fc1".to_owned(), label.to_owned());
            CostLine { layer, label, rounds, payload_bytes, messages: 2, seconds }
        };
        let rank = |sent, cost| OfRank { sent, wire: sent.map(|n| n + 1), cost, frames_seen: 3, bytes_seen: 30, peak_rss: 5 };
        let one = rank([0, 10, 1], vec![line("open", 4, 11, 0.5)]);
        assert!(OfRanks(vec![one.clone()]).by_lane().is_empty());
        let ranks = OfRanks(vec![one, rank([0, 7, 2], vec![line("deal", 0, 2, 0.25), line("open", 3, 7, 0.75)])]);
        assert_eq!((ranks.sent(), ranks.wire()), ([0, 17, 3], [2, 19, 5]));
        assert_eq!(ranks.by_lane(), [[0, 10, 1], [0, 7, 2]]);
        assert_eq!(ranks.in_words(Id::P0).unwrap(), "bytes sent: lane 0 10 to P1 and 1 to P2, lane 1 7 to P1 and 2 to P2");
        let cost: Vec<_> =
            ranks.cost().into_iter().map(|l| (l.label, l.rounds, l.payload_bytes, l.messages, l.seconds)).collect();
        assert_eq!(cost, [("deal".into(), 0, 2, 2, 0.25), ("open".into(), 4, 18, 4, 0.75)]);
    }
}
