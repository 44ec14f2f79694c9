//! Where bytes and time went: by layer, by protocol, by link.

use super::read::Run;
use crate::charts::{Part, bar, flame};
use crate::html::{Text, table};
use crate::units::{bytes, count, time};
use std::collections::BTreeMap;
use trefoil_net::Id;
use trefoil_server::report::CostLine;

/// Rows of a table at most; the rest is summed up.
const MOST: usize = 40;

/// The section.
pub fn html(run: &Run) -> String {
    if run.cost.is_empty() {
        return "<p>Left out: the run folder has no <code>cost.csv</code>.</p>\n".into();
    }
    let sent: u64 = run.cost.iter().map(|line| line.payload_bytes).sum();
    let waited: f64 = run.cost.iter().map(|line| line.seconds).sum();
    let mut out = format!(
        "<p>Counted at the transport over the whole training, evaluation included: {} of payload in {} frames. \
         A layer is a part of the network, or of the training (<code>evaluate</code>: accuracy; <code>range</code>: whether weights and activations are in range; the optimiser); \
         a protocol is what it called.</p>\n",
        bytes(sent),
        count(run.cost.iter().map(|line| line.messages).sum()),
    );
    let chart = |about: &str, whole: &Part, value: &dyn Fn(f64) -> String, caption: &str| {
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{about}\"><figure>{}<figcaption>{caption}</figcaption></figure></div>\n",
            flame(about, whole, value)
        )
    };
    let of_bytes = tree(&run.cost, "all bytes", |line| line.payload_bytes as f64);
    let as_bytes = |v: f64| bytes(v as u64);
    out += &chart(
        "Bytes by layer and protocol",
        &of_bytes,
        &as_bytes,
        "Bytes: each layer's share of all, and below it that of its protocols.",
    );
    let of_time = tree(&run.cost, "sending and waiting", |line| line.seconds);
    out += &chart(
        "Time in messages by layer and protocol",
        &of_time,
        &time,
        &format!(
            "Time in messages: {} of all three parties together, sending and waiting for one another. What is waited for is often what another party computes.",
            time(waited)
        ),
    );
    out += &format!("<h3>By layer</h3>{}", sums("Layers, the most bytes first", "layer", &run.cost, |line| &line.layer));
    out += &format!(
        "<h3>By protocol</h3>{}",
        sums("Protocols, the most bytes first", "protocol", &run.cost, |line| protocol(&line.label))
    );
    out + &phases(run) + &links(run)
}

/// The protocol that a label belongs to: `product` of `masked.product.deal`.
fn protocol(label: &str) -> &str {
    let mut parts = label.split('.');
    match (parts.next(), parts.next()) {
        (Some(_), Some(protocol)) => protocol,
        _ => label,
    }
}

/// What is sent for no layer: how the parties stand, and what they agree on.
fn of_none(layer: &str) -> &str {
    if layer.is_empty() { "agreement" } else { layer }
}

/// The whole, its layers, their protocols; the largest first.
fn tree(cost: &[CostLine], name: &str, of: impl Fn(&CostLine) -> f64) -> Part {
    let mut layers: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for line in cost {
        *layers.entry(&line.layer).or_default().entry(protocol(&line.label)).or_default() += of(line);
    }
    let sum = |name: &str, mut parts: Vec<Part>| {
        parts.sort_by(|a, b| b.value.total_cmp(&a.value));
        Part { name: name.to_owned(), value: parts.iter().map(|part| part.value).sum(), parts }
    };
    let leaf = |(name, value): (&str, f64)| Part { name: name.to_owned(), value, parts: vec![] };
    sum(name, layers.into_iter().map(|(layer, parts)| sum(of_none(layer), parts.into_iter().map(leaf).collect())).collect())
}

/// A table of what lines with one name take together.
fn sums<'a>(caption: &str, what: &str, cost: &'a [CostLine], of: impl Fn(&'a CostLine) -> &'a str) -> String {
    let mut all: BTreeMap<&str, CostLine> = BTreeMap::new();
    for line in cost {
        let entry = all.entry(of(line)).or_insert_with(|| CostLine {
            rounds: 0,
            payload_bytes: 0,
            messages: 0,
            seconds: 0.0,
            ..line.clone()
        });
        entry.rounds = entry.rounds.saturating_add(line.rounds);
        entry.payload_bytes += line.payload_bytes;
        entry.messages += line.messages;
        entry.seconds += line.seconds;
    }
    let mut all: Vec<(&str, CostLine)> = all.into_iter().collect();
    all.sort_by_key(|(_, line)| std::cmp::Reverse(line.payload_bytes));
    let most = all.first().map_or(1, |(_, line)| line.payload_bytes).max(1) as f64;
    let whole = all.iter().map(|(_, line)| line.payload_bytes).sum::<u64>().max(1) as f64;
    let row = |(name, line): (&str, CostLine)| {
        vec![
            Text(of_none(name)).to_string(),
            bar(line.payload_bytes as f64 / most, "shares"),
            bytes(line.payload_bytes),
            format!("{:.1}%", 100.0 * line.payload_bytes as f64 / whole),
            count(line.rounds),
            time(line.seconds),
        ]
    };
    let more = all.len().saturating_sub(MOST);
    let rows = table(caption, &[what, "", "bytes", "share", "rounds", "in messages"], all.into_iter().take(MOST).map(row));
    if more > 0 { format!("{rows}<p>And {more} more.</p>\n") } else { rows }
}

/// What the time from start to model went into.
fn phases(run: &Run) -> String {
    let s = &run.summary;
    let steps: f64 = run.steps.iter().sum();
    let rest = (s.seconds_total - s.seconds_sharing - steps).max(0.0);
    let row = |name: &str, seconds: f64| vec![name.to_owned(), bar(seconds / s.seconds_total.max(1e-9), "shares"), time(seconds)];
    let rows = [
        row("owners share, parties check", s.seconds_sharing),
        row("training steps", steps),
        row("figures after epochs, model, start and end", rest),
        row("the same training in the clear", s.seconds_float),
    ];
    format!("<h3>From start to model</h3>{}", table("Wall clock; the last is beside the others", &["phase", "", "time"], rows))
}

/// Who sent how much to whom.
fn links(run: &Run) -> String {
    let Some(parties) = &run.parties else {
        return "<p>Left out: bytes by link, for the run folder has no <code>parties.json</code>.</p>\n".into();
    };
    let rows = parties.iter().map(|report| {
        let cell = |to: Id| if to == report.id { "-".to_owned() } else { bytes(report.sent[to.index()]) };
        let wire = report.wire.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
        [vec![format!("from {}", report.id)], Id::ALL.map(cell).to_vec(), vec![bytes(wire), bytes(report.peak_rss)]].concat()
    });
    format!(
        "<h3>By link</h3>{}",
        table(
            "Payload over the whole run; with headers and TLS; memory",
            &["", "to P0", "to P1", "to P2", "on the wire", "peak memory"],
            rows
        )
    )
}
