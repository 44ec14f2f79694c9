//! What a run amounts to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trefoil_net::Id;
use trefoil_nn::{Figure, TrainSpec};
use trefoil_server::report::{CostLine, Report};

/// `summary.json`. Bytes are payload, before headers and TLS; rounds as in ARCHITECTURE.md.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it, and the README lists them
pub struct Summary {
    pub suite: String,
    pub network: String,
    /// The shape of the links between the parties: "local", "40ms,100Mbps".
    pub links: String,
    pub dataset: String,
    pub train_rows: usize,
    pub test_rows: usize,
    pub owners: usize,
    /// The settings.
    pub train: TrainSpec,
    pub steps: u64,
    /// Which epoch's model it is, where the settings follow the best one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    pub seconds_per_step_median: f64,
    /// From the start of the parties until the model is written.
    pub seconds_total: f64,
    pub seconds_sharing: f64,
    pub seconds_float: f64,
    pub bytes_per_step: u64,
    pub bytes_sent: BTreeMap<String, u64>,
    pub wire_bytes_sent: BTreeMap<String, u64>,
    pub bytes_by_link_per_step: BTreeMap<String, u64>,
    pub rounds_per_step: f64,
    /// Opened from shares by the parties.
    pub secure_test_accuracy: f64,
    /// From the written model file.
    pub model_test_accuracy: f64,
    pub float_test_accuracy: f64,
    /// On a sample of training records at the end, opened from shares.
    pub secure_loss: f64,
    pub float_loss: f64,
    /// All figures of the records held out, of the model: opened from shares, and in the clear.
    #[serde(default)]
    pub figures: Vec<Figure>,
    #[serde(default)]
    pub float_figures: Vec<Figure>,
    /// The largest difference of a weight or bias to the float run.
    pub max_weight_difference: f64,
    /// Of activations.
    pub fraction_bits: u8,
    pub truncation: String,
    /// How many wraps are to be expected in the run; 0 for exact truncation.
    pub expected_wraps: f64,
    pub peak_rss_bytes: BTreeMap<String, u64>,
    pub threads: usize,
    pub masks: String,
    pub machine: String,
    pub version: String,
}

/// The median; 0 of nothing.
pub fn median(x: &[f64]) -> f64 {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    match x.len() {
        0 => 0.0,
        n if n % 2 == 1 => x[n / 2],
        n => f64::midpoint(x[n / 2 - 1], x[n / 2]),
    }
}

/// "P0->P1" and the like with its value, for each directed link.
pub fn by_link(of: impl Fn(Id, Id) -> u64) -> BTreeMap<String, u64> {
    Id::ALL.into_iter().flat_map(|a| a.others().map(|b| (a, b))).map(|(a, b)| (format!("{a}->{b}"), of(a, b))).collect()
}

/// "P0", "P1", "P2" with their values.
pub fn by_party(reports: &[Report; 3], of: impl Fn(&Report) -> u64) -> BTreeMap<String, u64> {
    reports.iter().map(|r| (r.id.to_string(), of(r))).collect()
}

/// The parties' costs as one: bytes, messages and seconds added, rounds the larger of P0's and P1's.
pub fn together(reports: &[Report; 3]) -> Vec<CostLine> {
    let mut all: BTreeMap<(&str, &str), CostLine> = BTreeMap::new();
    for report in reports {
        for line in &report.cost {
            let entry = all.entry((&line.layer, &line.label)).or_insert_with(|| CostLine {
                rounds: 0,
                payload_bytes: 0,
                messages: 0,
                seconds: 0.0,
                ..line.clone()
            });
            entry.payload_bytes += line.payload_bytes;
            entry.messages += line.messages;
            entry.seconds += line.seconds;
            if report.id != Id::P2 {
                entry.rounds = entry.rounds.max(line.rounds);
            }
        }
    }
    all.into_values().collect()
}
