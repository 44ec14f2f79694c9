//! A run as one page, `report.html`: what was learnt and how well, beside the same in the clear; what it took; who could see what.
//!
//! The page holds all that it shows: it asks for nothing, from this machine or another, and runs no script, which its content security policy
//! says to browsers too. It is made from the files of the [run folder](crate::run_folder) alone, which may have been written by anybody: texts
//! from it are escaped, sizes bounded. What a folder does not have is left out, with a word why.
//!
//! | where | what |
//! |---|---|
//! | `read` | the run folder |
//! | `learning` | curves, beside those in the clear |
//! | [`held_out`] | answers on the records held out: confusion, calibration, mistakes |
//! | `cost` | where bytes and time went |
//! | `weights`, `images` | pictures of the first layer |
//! | `security` | who could see what, and what was opened |

mod cost;
pub mod held_out;
mod images;
mod learning;
mod read;
mod security;
mod weights;

pub use held_out::HeldOut;

use crate::html::{Lines, Text, table};
use crate::units::{bytes, count, percent, time};
use base64::Engine as _;
use read::Run;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use trefoil_server::{Error, Result};

/// How charts look, in light and dark.
pub(crate) const CHARTS: &str = include_str!("report/charts.css");
const PAGE: &str = include_str!("report/page.css");
/// The page's name in the run folder.
pub const NAME: &str = "report.html";

/// Writes the report of a run folder into it, or to `out`; gives its path.
///
/// # Errors
/// The folder is none of a run, or one of its files is not what it should be; the report cannot be written.
pub fn write(dir: &Path, out: Option<&Path>) -> Result<PathBuf> {
    let page = page(dir)?;
    let path = out.map_or_else(|| dir.join(NAME), Path::to_owned);
    std::fs::write(&path, page).map_err(Error::file(&path))?;
    Ok(path)
}

/// A part of the page: its anchor, its title, what is in it.
struct Section {
    anchor: &'static str,
    title: &'static str,
    body: String,
}

/// The report of a run folder.
///
/// # Errors
/// As for [`write()`].
pub fn page(dir: &Path) -> Result<String> {
    let run = Run::read(dir)?;
    let section = |anchor, title, body| Section { anchor, title, body };
    let sections = [
        section("learning", "Learning, beside the same in the clear", learning::html(&run)),
        section("held-out", "Records held out", held_out::html(&run)?),
        section("cost", "Where bytes and time went", cost::html(&run)),
        section("weights", "What the first layer looks for", weights_html(&run)?),
        section("security", "Who could see what", security::html(&run)),
        section("settings", "Settings", settings(&run)),
    ];
    let s = &run.summary;
    let title = format!("{} on {}", Text(&s.network), Text(&s.dataset));
    let style = format!("{CHARTS}{PAGE}");
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&style));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}: a training on secret shares</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the results</a>\n<header>\n<h1>{title}</h1>\n{}<nav aria-label=\"Sections\"><ul>",
        lead(&run)
    );
    for section in &sections {
        out += &format!("<li><a href=\"#{}\">{}</a></li>", section.anchor, section.title);
    }
    out += "</ul></nav>\n</header>\n<main id=\"main\">\n";
    out += &cards(&run);
    for Section { anchor, title, body } in &sections {
        out += &format!(
            "<section id=\"{anchor}\" aria-labelledby=\"{anchor}-title\">\n<h2 id=\"{anchor}-title\">{title}</h2>\n{body}</section>\n"
        );
    }
    out += &format!(
        "</main>\n<footer><p>Trefoil {}, on {}. This page was made from the files of its run folder by <code>trefoil report</code>; it holds all that it shows and asks for nothing.</p></footer>\n</body>\n</html>\n",
        Text(&s.version),
        Text(&s.machine)
    );
    Ok(out)
}

/// What happened, in a sentence or two.
fn lead(run: &Run) -> String {
    let s = &run.summary;
    let points = 100.0 * (s.secure_test_accuracy - s.float_test_accuracy);
    let beside = match points.abs() < 0.005 {
        true => "ends at the same accuracy".to_owned(),
        false => format!("ends {:.2} points {}", points.abs(), if points > 0.0 { "lower" } else { "higher" }),
    };
    format!(
        "<p>Three parties trained this network on secret shares of {} records of {} owners, with the <code>{}</code> suite: none of the three held a record, an activation, a gradient or a weight. \
         The same network, trained in the clear from the same weights and batches, {beside} on {} records held out.</p>\n",
        count(s.train_rows as u64),
        s.owners,
        Text(&s.suite),
        count(s.test_rows as u64),
    )
}

/// The figures to take away.
fn cards(run: &Run) -> String {
    let s = &run.summary;
    let card =
        |name: &str, value: String, more: String| format!("<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>");
    let total: u64 = s.bytes_sent.values().fold(0, |sum, n| sum.saturating_add(*n));
    [
        "<dl class=\"cards\">".to_owned(),
        card("accuracy, on shares", percent(s.secure_test_accuracy), format!("{} in the clear", percent(s.float_test_accuracy))),
        card("loss, on shares", format!("{:.4}", s.secure_loss), format!("{:.4} in the clear", s.float_loss)),
        card("largest difference of a weight", format!("{:.5}", s.max_weight_difference), "to the training in the clear".into()),
        card("a step", time(s.seconds_per_step_median), format!("median of {}, links {}", count(s.steps), Text(&s.links))),
        card("bytes in a step", bytes(s.bytes_per_step), format!("{} in all", bytes(total))),
        card("rounds in a step", format!("{:.0}", s.rounds_per_step), "one after the other".into()),
        card("from start to model", time(s.seconds_total), format!("{} in the clear", time(s.seconds_float))),
        "</dl>\n".to_owned(),
    ]
    .concat()
}

fn weights_html(run: &Run) -> Result<String> {
    let Some(model) = &run.model else {
        return Ok("<p>Left out: the run folder has no <code>model.safetensors</code>.</p>\n".into());
    };
    let Some(sheet) = weights::sheet(model)? else {
        return Ok("<p>Left out: the first layer does not see an image.</p>\n".into());
    };
    Ok(format!(
        "<figure class=\"sheet\"><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{about}, as small pictures: weights above zero blue, below zero orange\">\
         <figcaption>{about}: weights above zero are blue, below zero orange, the stronger the fuller. They are the model owner's: no party has seen them.</figcaption></figure>\n",
        sheet.source,
        sheet.size[0] * sheet.zoom,
        sheet.size[1] * sheet.zoom,
        about = Text(&sheet.about),
    ))
}

/// Everything public that determines the run.
fn settings(run: &Run) -> String {
    let s = &run.summary;
    let text = |value: &str| Text(value).to_string();
    let t = &s.train;
    let rows = [
        ("network", text(&s.network)),
        ("suite", text(&s.suite)),
        ("records to train on, held out", format!("{}, {}", count(s.train_rows as u64), count(s.test_rows as u64))),
        ("data owners", s.owners.to_string()),
        ("epochs, steps, records in a step", format!("{}, {}, {}", t.epochs, count(s.steps), t.batch)),
        ("optimiser", format!("{}, momentum {}", text(&t.optimiser.to_string()), t.momentum)),
        ("learning rate", format!("{}, {}", t.lr, text(&t.lr_schedule.to_string()))),
        ("fraction bits of activations", s.fraction_bits.to_string()),
        ("truncation", text(&s.truncation)),
        ("public seed", t.seed.to_string()),
        ("links between the parties", text(&s.links)),
        ("threads of each party", s.threads.to_string()),
    ];
    let mut out = table("What was asked for", &["", "value"], rows.map(|(name, value)| vec![name.to_owned(), value])).replacen(
        "class=\"scroll\"",
        "class=\"scroll words\"",
        1,
    );
    for (name, file) in &run.texts {
        out += &format!("<details><summary>{name}</summary><pre tabindex=\"0\">{}</pre></details>\n", Lines(file));
    }
    if run.texts.len() < 2 {
        out += "<p>The run folder lacks <code>config.toml</code> or <code>job.toml</code>.</p>\n";
    }
    out
}
