//! Who could see what: from what the parties counted, what the transport carried, and what the job says.

use super::read::Run;
use crate::html::{Text, table};
use crate::units::{bytes, count};
use std::collections::BTreeMap;
use trefoil_server::report::Report;

/// Chi-square of uniform bytes, 255 degrees of freedom: what uniform bytes stay below but for one time in a million.
const MOST_OF_NOISE: f64 = 374.0;
/// How the labels end under which values are put together in the clear, how many messages that takes, and how many bytes of them are hashes.
const OPEN: [(&str, u64, u64); 2] = [(".share.open", 2, 0), ("verified.open", 4, 64)];

/// The section.
pub fn html(run: &Run) -> String {
    alarms(run) + &who(run) + &seen(run) + &opened(run) + &terms(run)
}

/// What makes the run one for study.
fn alarms(run: &Run) -> String {
    let s = &run.summary;
    let mut found = vec![];
    if s.masks.starts_with("insecure") || run.job.as_ref().is_some_and(|job| job.insecure_masks) {
        found.push(
            "Masks came from a seed that whoever has the settings knows: nothing that was shared is hidden from them.".to_owned(),
        );
    }
    if s.expected_wraps > 0.0 {
        found.push(format!(
            "Truncation was local, which goes wrong now and then: {:.1e} times are expected in this run.",
            s.expected_wraps
        ));
    }
    match found.is_empty() {
        true => String::new(),
        false => format!("<div class=\"alarm\"><p><strong>For study, not for secrets.</strong> {}</p></div>\n", found.join(" ")),
    }
}

/// By what is shared and computed.
fn who(run: &Run) -> String {
    let masked = run.summary.suite != "securenn";
    let [servers, helper] = match masked {
        true => ["under a mask: noise", "the masks, drawn before any record: nothing of it"],
        false => ["one of two shares: noise", "nothing of it; masked values in comparisons: noise"],
    };
    let epochs = run.epochs.iter().filter(|(_, loss, metric)| loss.is_some() || metric.is_some()).count();
    let model_owner = run.job.as_ref().and_then(|job| job.model_owner.as_ref());
    let told = run.job.as_ref().zip(model_owner).is_some_and(|(job, owner)| job.is_shown_figures(owner.fingerprint));
    let mut rows = vec![
        ["an owner's records", "in the clear: its own", servers, helper, "no"].map(str::to_owned).to_vec(),
        ["activations, gradients, weights on the way", "no", servers, helper, "no"].map(str::to_owned).to_vec(),
    ];
    let figures = format!("after {} epochs", count(epochs as u64));
    let of_owner = if told { format!("{figures}, told by them") } else { "no".into() };
    rows.push(vec!["loss and accuracy".into(), "no".into(), figures, "no".into(), of_owner]);
    let owner = if model_owner.is_some() || run.job.is_none() { "in the clear" } else { "nobody gets it" };
    rows.push(["the trained model", "no", "its part of the shares", "its part of the shares", owner].map(str::to_owned).to_vec());
    table("Who holds what, and as what", &["", "data owners", "P0 and P1", "P2", "model owner"], rows).replacen(
        "class=\"scroll\"",
        "class=\"scroll words\"",
        1,
    )
}

/// What each party counted.
fn seen(run: &Run) -> String {
    let Some(parties) = &run.parties else {
        return "<p>Left out: what each party received, for the run folder has no <code>parties.json</code>.</p>\n".into();
    };
    let row = |name: &str, of: &dyn Fn(&Report) -> String| [vec![name.to_owned()], parties.iter().map(of).collect()].concat();
    let chi = |report: &Report| match report.chi_square {
        None => "too few words".to_owned(),
        Some(x) if x <= MOST_OF_NOISE => format!("{x:.0}: like noise"),
        Some(x) => format!("{x:.0}: unlike noise"),
    };
    let rows = [
        row("from the data owners", &|r| bytes(r.from_owners)),
        row("from the other parties", &|r| bytes(r.bytes_seen)),
        row("in frames", &|r| count(r.frames_seen)),
        row("chi-square of a sample of its words", &chi),
        row("losses and accuracies opened to it", &|r| count(r.opened)),
    ];
    format!(
        "<h3>What each party received</h3>{}<p class=\"soft\">Uniform bytes have a chi-square of 255, give or take 23. That a sample looks like noise proves nothing by itself; \
         why each message is independent of the secrets is derived for every protocol in the book, and tested.</p>\n",
        table("Counted by each party in this run", &["", "P0", "P1", "P2"], rows)
    )
}

/// Every value that was put together in the clear, as the transport carried it.
fn opened(run: &Run) -> String {
    if run.cost.is_empty() {
        return String::new();
    }
    let mut figures: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for line in &run.cost {
        let Some((_, messages, hashes)) = OPEN.iter().find(|(label, ..)| line.label.ends_with(label)) else { continue };
        let (sum, times) = (figures.entry(&line.layer).or_default(), line.messages / messages);
        // P0 and P1 send one another a word of each value.
        sum[0] += times;
        sum[1] += line.payload_bytes.saturating_sub(times * hashes) / 16;
    }
    let rows = figures.into_iter().map(|(layer, [times, values])| {
        let what = match layer {
            "loss" => "mean loss of a fixed sample of training records",
            "evaluate" => "number of right answers on the records held out",
            "range" => "numbers of blocks of weights and of activations that are out of range",
            _ => "as the layer is called",
        };
        vec![Text(layer).to_string(), what.to_owned(), "P0 and P1".to_owned(), count(times), count(values)]
    });
    let table = table("All openings of the training", &["figure", "what", "to", "times", "values"], rows);
    format!(
        "<h3>What was opened, and how often</h3>{}<p class=\"soft\">From the transport's own count of the messages by which values are put together. Before the training, \
         the parties opened once whether each owner's upload is in range; after it, the model owner put the model together.</p>\n",
        table.replacen("class=\"scroll\"", "class=\"scroll words\"", 1)
    )
}

/// What all of it rests on.
fn terms(run: &Run) -> String {
    let deviates = match run.summary.suite.as_str() {
        "verified" => "A party that deviates is noticed before anything is opened, and the training stops.",
        _ => "Nothing holds against a party that deviates.",
    };
    let if_honest = if run.summary.suite == "verified" { "" } else { ", if it follows the protocol" };
    format!(
        "<h3>What this rests on</h3><ul>\
         <li>Any one of the three parties may be corrupted{if_honest}. Any two together learn everything. {deviates}</li>\
         <li>Masks: {}. Truncation: {}; wrapped truncations expected: {}.</li>\
         <li>Links: TLS 1.3, both ends pinned by fingerprint.</li>\
         <li>The model and the opened figures say things about the training records.</li>\
         <li>This was a demo: who ran it played all owners and parties on one machine, and had all records in the clear. Separation comes from three organisations with a machine each.</li>\
         <li>Trefoil is not audited.</li></ul>\n",
        Text(&run.summary.masks),
        Text(&run.summary.truncation),
        if run.summary.expected_wraps > 0.0 { format!("{:.1e}", run.summary.expected_wraps) } else { "none".into() },
    )
}
