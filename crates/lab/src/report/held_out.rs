//! `held_out.json`: what a demo's model says of the records held out, which the one who runs it has in the clear.

use super::images::grey;
use super::read::Run;
use crate::charts::{Line, lines};
use crate::html::{Text, table};
use crate::units::{count, percent};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};
use trefoil_data::Samples;
use trefoil_data::schema::{Column, Schema, Task};
use trefoil_nn::Model;
use trefoil_nn::model::classes;
use trefoil_server::{Error, Result};

/// Parts into which confidence is cut.
pub const BINS: usize = 10;
/// Wrong records that are kept: those of which the model was surest.
const MOST: usize = 48;
/// Sides of an image at most.
const MOST_SIDE: usize = 256;

/// Answers on the records held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// Their names.
    pub classes: Vec<String>,
    /// Records by the class that they are of and the class that they were taken for.
    pub counts: Vec<Vec<u64>>,
    /// The answers by the probability of the class that was answered, in tenths.
    pub confidence: Vec<Bin>,
    /// Wrong answers, the surest first.
    pub wrong: Vec<Wrong>,
}

/// Answers of about one confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// How many.
    pub records: u64,
    /// How many of them are right.
    pub right: u64,
    /// The mean of their probabilities.
    pub mean: f64,
}

/// A record that was taken for something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// What it is.
    pub class: usize,
    /// What it was taken for.
    pub taken_for: usize,
    /// With which probability.
    pub probability: f64,
    /// The record, where it is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// Grey levels, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// In base64.
    pub levels: String,
}

impl HeldOut {
    /// What `model` says of these records; `None` where they have no classes.
    ///
    /// # Errors
    /// The model does not fit them.
    pub fn of(model: &Model, schema: &Schema, samples: &Samples) -> Result<Option<HeldOut>> {
        if schema.task != Task::Classification {
            return Ok(None);
        }
        let [x, y] = samples.decoded(schema);
        let logits = model.logits(&x)?;
        let answers = classes(&logits);
        let probabilities = model.answers_of(logits);
        let names = schema.classes.clone();
        let mut out = HeldOut {
            counts: vec![vec![0; names.len()]; names.len()],
            classes: names,
            confidence: vec![Bin::default(); BINS],
            wrong: vec![],
        };
        let side = side(schema);
        for (i, (&taken_for, label)) in answers.iter().zip(y.outer_iter()).enumerate() {
            let class = label.iter().position(|v| *v > 0.5).unwrap_or(0);
            let probability = probabilities.get([i, taken_for]).copied().unwrap_or_default();
            if let Some(count) = out.counts.get_mut(class).and_then(|row| row.get_mut(taken_for)) {
                *count += 1;
            }
            if let Some(bin) = out.confidence.get_mut(((probability * BINS as f64) as usize).min(BINS - 1)) {
                bin.records += 1;
                bin.right += u64::from(class == taken_for);
                bin.mean += probability;
            }
            if class != taken_for {
                let image = side.map(|side| Image::of(x.row(i), side));
                out.wrong.push(Wrong { class, taken_for, probability, image });
            }
        }
        out.confidence.iter_mut().filter(|bin| bin.records > 0).for_each(|bin| bin.mean /= bin.records as f64);
        out.wrong.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        out.wrong.truncate(MOST);
        Ok(Some(out))
    }

    /// Refuses what no run has written.
    ///
    /// # Errors
    /// What does not fit, in `file`.
    pub fn check(&self, file: &str) -> Result<()> {
        let n = self.classes.len();
        let refuse = |what: &str, found: String, expected: String| Err(Error::config(format!("{file}: {what}"), found, expected));
        if !(2..=trefoil_data::schema::MAX_CLASSES).contains(&n) {
            return refuse("classes", n.to_string(), format!("2 to {}", trefoil_data::schema::MAX_CLASSES));
        }
        if self.counts.len() != n || self.counts.iter().any(|row| row.len() != n) {
            return refuse("counts", "another shape".into(), format!("{n} rows of {n}"));
        }
        let most = u64::from(u32::MAX);
        if self.counts.iter().flatten().any(|count| *count > most) || self.confidence.iter().any(|bin| bin.records > most) {
            return refuse("counts", format!("one above {most}"), "records of a file".into());
        }
        let probability = |p: &f64| (0.0..=1.0).contains(p);
        if self.confidence.len() != BINS || !self.confidence.iter().all(|bin| bin.right <= bin.records && probability(&bin.mean))
        {
            return refuse("confidence", "others".into(), format!("{BINS} parts, with no more right than there are"));
        }
        if self.wrong.len() > MOST || !self.wrong.iter().all(|w| w.class < n && w.taken_for < n && probability(&w.probability)) {
            return refuse("wrong", "others".into(), format!("at most {MOST} of these classes, with probabilities"));
        }
        self.wrong.iter().filter_map(|w| w.image.as_ref()).try_for_each(|image| image.grey(file).map(drop))
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.counts.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
        right as f64 / (self.records() as f64).max(1.0)
    }

    /// How many there are.
    pub fn records(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The expected calibration error: how far confidence is from being right, in the mean over all answers.
    pub fn calibration_error(&self) -> f64 {
        let off = |bin: &Bin| (bin.mean * bin.records as f64 - bin.right as f64).abs();
        self.confidence.iter().map(off).sum::<f64>() / (self.records() as f64).max(1.0)
    }
}

impl Image {
    fn of(record: ArrayView1<'_, f64>, side: usize) -> Image {
        let levels: Vec<u8> = record.iter().map(|v| (v * 256.0).round().clamp(0.0, 255.0) as u8).collect();
        Image { width: side, height: side, levels: BASE64.encode(levels) }
    }

    /// Its grey levels.
    ///
    /// # Errors
    /// They are not as many as it says, in `file`.
    pub fn grey(&self, file: &str) -> Result<Vec<u8>> {
        let sides = 1..=MOST_SIDE;
        let levels = BASE64.decode(&self.levels).ok();
        match levels.filter(|levels| {
            sides.contains(&self.width) && sides.contains(&self.height) && levels.len() == self.width * self.height
        }) {
            Some(levels) => Ok(levels),
            None => {
                let found = format!("{} x {} with {} characters", self.width, self.height, self.levels.len());
                Err(Error::config(
                    format!("{file}: image"),
                    found,
                    format!("sides of at most {MOST_SIDE}, and their grey levels in base64"),
                ))
            }
        }
    }
}

/// The side of the square image that a record is: only such ones are kept, no other records.
fn side(schema: &Schema) -> Option<usize> {
    let pixels = schema.columns.iter().all(|column| matches!(column, Column::Pixels { .. }));
    let side = (schema.features() as f64).sqrt() as usize;
    (pixels && side * side == schema.features() && (4..=MOST_SIDE).contains(&side)).then_some(side)
}

/// The section.
///
/// # Errors
/// A picture cannot be made.
pub(super) fn html(run: &Run) -> Result<String> {
    let Some(held_out) = &run.held_out else {
        return Ok("<p>Left out: the run folder has no <code>held_out.json</code>. A demo writes it where records have classes; who trains between organisations has no such records in the clear.</p>\n".into());
    };
    let mut out = format!(
        "<p>What the model file says, in the clear, of the {} records held out: {} are right. \
         Only who runs a demo can know this; the parties opened one number for all of them.</p>\n<div class=\"two\">",
        count(held_out.records()),
        percent(held_out.accuracy()),
    );
    out += &confusion(held_out);
    out += &calibration(held_out);
    out += "</div>\n";
    out += &wrong(held_out)?;
    Ok(out)
}

fn confusion(held_out: &HeldOut) -> String {
    let names: Vec<String> = held_out.classes.iter().map(|name| Text(name).to_string()).collect();
    let head: Vec<&str> = std::iter::once("is \\ taken for").chain(names.iter().map(String::as_str)).collect();
    let mut out =
        table("Confusion: each row is what records are, each column what they were taken for", &head, std::iter::empty());
    let mut body = String::new();
    for (i, row) in held_out.counts.iter().enumerate() {
        body += &format!("<tr><th scope=\"row\">{}</th>", names.get(i).map_or("", String::as_str));
        for (j, n) in row.iter().enumerate() {
            body += &match (*n, i == j) {
                (0, _) => "<td class=\"none\">·</td>".to_owned(),
                (n, true) => format!("<td class=\"right\">{n}</td>"),
                (n, false) => format!("<td class=\"wrong\">{n}</td>"),
            };
        }
        body += "</tr>";
    }
    out = out.replacen("<tbody>", &format!("<tbody>{body}"), 1).replacen("class=\"scroll\"", "class=\"scroll matrix\"", 1);
    format!("<div><h3>Confusion</h3>{out}</div>")
}

fn calibration(held_out: &HeldOut) -> String {
    let used = || held_out.confidence.iter().filter(|bin| bin.records > 0);
    let share = |bin: &Bin| bin.right as f64 / (bin.records as f64).max(1.0);
    let both = [
        Line { name: "as sure as right", class: "ideal", points: vec![[0.0, 0.0], [1.0, 1.0]] },
        Line { name: "this model", class: "shares", points: used().map(|bin| [bin.mean, share(bin)]).collect() },
    ];
    let about = format!(
        "Calibration: of answers given with a probability, how many are right. The mean distance (expected calibration error) is {}.",
        percent(held_out.calibration_error())
    );
    let chart = lines(&about, ["probability", "right"], &both, &|v| format!("{:.0}%", 100.0 * v), true);
    let rows = (0..).zip(&held_out.confidence).filter(|(_, bin)| bin.records > 0).map(|(i, bin)| {
        let range = format!("{} to {}%", i * 100 / BINS, (i + 1) * 100 / BINS);
        vec![range, count(bin.records), percent(bin.mean), percent(share(bin))]
    });
    let rows = table("Answers by their probability", &["probability", "answers", "mean", "right"], rows);
    format!(
        "<div><h3>Calibration</h3><figure>{chart}<figcaption>{about}</figcaption></figure><details><summary>The figures</summary>{rows}</details></div>"
    )
}

fn wrong(held_out: &HeldOut) -> Result<String> {
    let all = held_out.records() - held_out.counts.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum::<u64>();
    let mut out = format!("<h3>Mistakes</h3><p>{} of {}", count(all), count(held_out.records()));
    let shown = held_out.wrong.len() as u64;
    out += &match held_out.wrong.iter().any(|wrong| wrong.image.is_some()) {
        _ if all == 0 => ".</p>\n".to_owned(),
        false => "; the records are no images, and are not kept.</p>\n".to_owned(),
        true if shown < all => format!(", of which the {shown} that the model was surest of:</p>\n"),
        true => ", the surest first:</p>\n".to_owned(),
    };
    let name = |class: usize| Text(held_out.classes.get(class).map_or("", String::as_str)).to_string();
    let mut list = String::new();
    for wrong in &held_out.wrong {
        let Some(image) = &wrong.image else { continue };
        let (is, taken_for) = (name(wrong.class), name(wrong.taken_for));
        list += &format!(
            "<li><img src=\"{}\" width=\"84\" height=\"84\" alt=\"A record of class {is}\"><strong>{is}</strong>, taken for <strong>{taken_for}</strong> <span class=\"soft\">{:.0}%</span></li>",
            grey(image.width, &image.grey("held_out.json")?)?,
            100.0 * wrong.probability
        );
    }
    if !list.is_empty() {
        out += &format!("<ul class=\"digits\">{list}</ul>\n");
    }
    Ok(out)
}
