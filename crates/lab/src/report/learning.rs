//! Loss and accuracy by epoch, on shares and in the clear; seconds of steps.

use super::read::{Opened, Run};
use crate::charts::{Line, lines};
use crate::html::{Lines, table};
use crate::units::{count, percent, time};
use trefoil_nn::Figure;

/// The section.
pub fn html(run: &Run) -> String {
    if run.epochs.is_empty() {
        return "<p>Left out: the run folder has no <code>metrics.jsonl</code> with epochs.</p>\n".into();
    }
    let shares = |of: fn(&Opened) -> Option<f64>| -> Vec<[f64; 2]> {
        run.epochs.iter().filter_map(|e| of(e).map(|v| [e.0 as f64, v])).collect()
    };
    let (loss, metric) = (shares(|e| e.1), shares(|e| e.2));
    let chart =
        |about: &str, name: &str, shares: Vec<[f64; 2]>, float: Vec<[f64; 2]>, zero: bool, value: &dyn Fn(f64) -> String| {
            let both = [
                Line { name: "in the clear (float)", class: "float", points: float },
                Line { name: "on shares", class: "shares", points: shares },
            ];
            format!("<figure>{}</figure>", lines(about, ["epoch", name], &both, value, zero))
        };
    let float = |of: fn(&(u64, f64, f64)) -> f64| run.float.iter().map(|e| [e.0 as f64, of(e)]).collect::<Vec<_>>();
    let mut out = String::from("<div class=\"two\">");
    out += &chart("Loss by epoch", "loss", loss, float(|e| e.1), true, &|v| format!("{v:.2}"));
    out += &chart("Accuracy on the records held out, by epoch", "accuracy", metric, float(|e| e.2), false, &|v| {
        format!("{:.1}%", 100.0 * v)
    });
    out += "</div>\n<p class=\"soft\">Where the lines lie on one another, training on shares does what training in the clear does. \
            The points on shares, and counts of what is out of range, are all that P0 and P1 were shown of the training.</p>\n";
    let rows = run.epochs.iter().map(|(epoch, loss, metric)| {
        let float = run.float.iter().find(|e| e.0 == *epoch);
        let shown = |v: Option<f64>, f: &dyn Fn(f64) -> String| v.map_or_else(|| "not opened".to_owned(), f);
        let loss_text = |v: f64| format!("{v:.4}");
        vec![
            epoch.to_string(),
            shown(*loss, &loss_text),
            float.map_or_else(|| "-".into(), |e| loss_text(e.1)),
            shown(*metric, &percent),
            float.map_or_else(|| "-".into(), |e| percent(e.2)),
        ]
    });
    let head = ["epoch", "loss, shares", "loss, float", "accuracy, shares", "accuracy, float"];
    // Of very many epochs the last ones are enough to read.
    let skipped = run.epochs.len().saturating_sub(200);
    out += &format!(
        "<details><summary>The figures</summary>{}</details>\n",
        table("Figures after each epoch", &head, rows.skip(skipped))
    );
    let names = run.held_out.as_ref().map_or(&[][..], |held_out| &held_out.classes);
    let [shares, float] = [&run.summary.figures, &run.summary.float_figures].map(|figures| Figure::told(figures, names));
    if !shares.is_empty() {
        let both = [("opened from shares", &shares), ("in the clear (float)", &float)];
        let text = |(name, lines): (&str, &Vec<String>)| {
            format!("<h4>{name}</h4><pre tabindex=\"0\">{}</pre>", Lines(&lines.join("\n")))
        };
        out += "<h3>Figures of the records held out, of the model</h3>\n";
        out.extend(both.into_iter().filter(|(_, lines)| !lines.is_empty()).map(text));
        out.push('\n');
    }
    if run.steps.len() > 1 {
        let points = (1..).zip(&run.steps).map(|(i, s)| [f64::from(i), *s]).collect();
        let mut sorted = run.steps.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: usize| sorted.get((sorted.len() - 1) * share / 100).copied().unwrap_or_default();
        let line = [Line { name: "", class: "shares", points }];
        let about = format!(
            "Seconds of each of {} steps at P0: half of them within {}, 95 in a hundred within {}.",
            count(run.steps.len() as u64),
            time(at(50)),
            time(at(95))
        );
        out += &format!(
            "<h3>Steps</h3><figure class=\"half\">{}<figcaption>{about}</figcaption></figure>\n",
            lines(&about, ["step", "seconds"], &line, &time, true)
        );
    }
    out
}
