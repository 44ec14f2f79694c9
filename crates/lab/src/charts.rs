//! Charts as SVG, of which the one who shows them chooses the colours: `report.html` and `loss.svg` have one style sheet.

use crate::html::Text;
use std::fmt::Write;

/// Points of a line that are drawn at most.
const MOST: usize = 400;
/// The plane of a chart in its own units, and what is left free beside it.
const SIZE: [f64; 2] = [520.0, 270.0];
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 40.0;

/// A line of a chart.
pub struct Line<'a> {
    /// As the legend has it.
    pub name: &'a str,
    /// How the style sheet knows it.
    pub class: &'a str,
    /// In the order of the first coordinate.
    pub points: Vec<[f64; 2]>,
}

/// A line chart: what it shows in words, the names of its axes, its lines, and how a value is written. `from_zero` has the second axis begin
/// there. Points that are not finite are left out.
pub fn lines(about: &str, axes: [&str; 2], lines: &[Line<'_>], value: &dyn Fn(f64) -> String, from_zero: bool) -> String {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|p| p.iter().all(|v| v.is_finite()));
    let range = |i: usize| {
        let fold = |start: f64, f: fn(f64, f64) -> f64| points().map(|p| p[i]).fold(start, f);
        [fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max)]
    };
    let ([x0, x1], [mut y0, y1]) = (range(0), range(1));
    if from_zero {
        y0 = y0.min(0.0);
    }
    let (mut x_ticks, y_ticks) = (ticks(x0, x1), ticks(y0, y1));
    // There is nothing between two epochs.
    let whole = points().all(|p| p[0].fract() == 0.0) && x1 > 1.0;
    x_ticks.retain(|tick| *tick >= x0 && !(whole && tick.fract() != 0.0));
    let (x, y) = (scale(x0, x1, [LEFT, SIZE[0] - RIGHT]), {
        let low = y_ticks.first().map_or(y0, |t| t.min(y0));
        let high = y_ticks.last().map_or(y1, |t| t.max(y1));
        scale(low, high, [SIZE[1] - BOTTOM, TOP])
    });
    let mut out = open(SIZE, about);
    for tick in &y_ticks {
        let at = y(*tick);
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", SIZE[0] - RIGHT);
        let _ = write!(out, "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>", LEFT - 7.0, at + 4.0, Text(&value(*tick)));
    }
    for tick in &x_ticks {
        let _ =
            write!(out, "<text class=\"mid\" x=\"{:.1}\" y=\"{}\">{}</text>", x(*tick), SIZE[1] - BOTTOM + 17.0, short(*tick));
    }
    let middle = f64::midpoint(LEFT, SIZE[0] - RIGHT);
    let _ = write!(out, "<text class=\"mid\" x=\"{middle}\" y=\"{}\">{}</text>", SIZE[1] - 6.0, Text(axes[0]));
    let _ = write!(out, "<text class=\"name\" x=\"0\" y=\"14\">{}</text>", Text(axes[1]));
    let mut legend = 120.0;
    for line in lines.iter().rev().filter(|line| !line.name.is_empty()) {
        let _ = write!(out, "<path class=\"line {}\" d=\"M{legend} 10h22\"/>", line.class);
        let _ = write!(out, "<text x=\"{}\" y=\"14\">{}</text>", legend + 28.0, Text(line.name));
        legend += 50.0 + 6.6 * line.name.chars().count() as f64;
    }
    for line in lines {
        let shown: Vec<String> = thinned(&line.points)
            .filter(|p| p.iter().all(|v| v.is_finite()))
            .map(|p| format!("{:.1} {:.1}", x(p[0]), y(p[1])))
            .collect();
        if let Some((first, rest)) = shown.split_first() {
            let tail = if rest.is_empty() { "h.1".to_owned() } else { format!("L{}", rest.join(" ")) };
            let _ = write!(out, "<path class=\"line {}\" d=\"M{first}{tail}\"/>", line.class);
        }
        // Few points are marked, and say their values where a pointer rests on them.
        if line.points.len() <= 60 {
            for p in line.points.iter().filter(|p| p.iter().all(|v| v.is_finite())) {
                let _ = write!(
                    out,
                    "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"><title>{} {}: {} ({})</title></circle>",
                    line.class,
                    x(p[0]),
                    y(p[1]),
                    Text(axes[0]),
                    short(p[0]),
                    Text(&value(p[1])),
                    Text(line.name)
                );
            }
        }
    }
    out + "</svg>"
}

/// A part of a whole, with its own parts.
pub struct Part {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// The parts that it is the sum of, if they are known.
    pub parts: Vec<Part>,
}

/// A flame chart that hangs: the whole, its parts below it, theirs below them. Parts of less than a pixel are left out.
pub fn flame(about: &str, whole: &Part, value: &dyn Fn(f64) -> String) -> String {
    const WIDTH: f64 = 1000.0;
    const ROW: f64 = 30.0;
    fn depth(part: &Part) -> usize {
        1 + part.parts.iter().map(depth).max().unwrap_or(0)
    }
    struct Drawing<'a> {
        out: String,
        per: f64,
        whole: f64,
        value: &'a dyn Fn(f64) -> String,
    }
    impl Drawing<'_> {
        fn draw(&mut self, part: &Part, at: f64, row: usize, colour: usize) {
            let width = part.value * self.per;
            if !(width.is_finite() && width >= 1.0) {
                return;
            }
            let (name, amount) = (Text(&part.name), (self.value)(part.value));
            let share = 100.0 * part.value / self.whole;
            let top = row as f64 * ROW;
            let _ = write!(
                self.out,
                "<g><title>{name}: {amount}, {share:.1}%</title><rect class=\"f{colour}\" x=\"{at:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{}\" rx=\"3\"/>",
                width - 1.0,
                ROW - 2.0
            );
            // 7 units a character are as wide as most letters; what does not fit is in the title.
            let room = (width - 12.0) / 7.0;
            let long = format!("{} {amount}", part.name);
            let label = if long.chars().count() as f64 <= room { Some(long) } else { Some(part.name.clone()) };
            if let Some(label) = label.filter(|label| label.chars().count() as f64 <= room) {
                let _ = write!(self.out, "<text x=\"{:.1}\" y=\"{}\">{}</text>", at + 6.0, top + 19.0, Text(&label));
            }
            self.out += "</g>";
            let mut at = at;
            for (i, inner) in part.parts.iter().enumerate() {
                self.draw(inner, at, row + 1, if row == 0 { 1 + i % 6 } else { colour });
                at += inner.value * self.per;
            }
        }
    }
    let height = depth(whole) as f64 * ROW;
    let mut drawing = Drawing {
        out: open([WIDTH, height], about),
        per: WIDTH / whole.value.max(1e-300),
        whole: whole.value.max(1e-300),
        value,
    };
    drawing.draw(whole, 0.0, 0, 0);
    drawing.out + "</svg>"
}

/// A bar as wide as its share of the cell that it stands in, for tables.
pub fn bar(share: f64, class: &str) -> String {
    let width = 100.0 * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"{width:.2}\" height=\"10\"/></svg>"
    )
}

/// The beginning of a picture that says in words what it shows.
pub fn open([width, height]: [f64; 2], about: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        Text(about)
    )
}

/// From values to places.
pub fn scale(from: f64, to: f64, [low, high]: [f64; 2]) -> impl Fn(f64) -> f64 {
    let span = if to - from > 0.0 { to - from } else { 1.0 };
    move |v| low + (v - from) / span * (high - low)
}

/// Round numbers that cover a range: about five.
fn ticks(from: f64, to: f64) -> Vec<f64> {
    if !(from.is_finite() && to.is_finite()) {
        return vec![];
    }
    let span = (to - from).max(1e-9 * from.abs()).max(1e-9);
    let power = 10f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| span / step <= 6.0).unwrap_or(span);
    let first = (from / step).floor() as i64;
    // Counted, so that no range makes them many.
    (first..first.saturating_add(9))
        .map(|i| i as f64 * step)
        .filter(|t| *t >= from - step * 0.999 && *t <= to + step * 1e-6)
        .collect()
}

/// Every so manieth point, with the last one.
fn thinned(points: &[[f64; 2]]) -> impl Iterator<Item = &[f64; 2]> {
    let every = points.len().div_ceil(MOST).max(1);
    points.iter().enumerate().filter(move |(i, _)| i % every == 0 || i + 1 == points.len()).map(|(_, p)| p)
}

/// A tick as a text.
fn short(v: f64) -> String {
    format!("{}", (v * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_around_the_range() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(1.0, 15.0), [0.0, 5.0, 10.0, 15.0]);
        for (from, to) in [(0.0, 0.0), (5.0, 5.0), (-1e300, 1e300), (f64::NAN, 1.0), (1e18, 1e18)] {
            assert!(ticks(from, to).len() <= 9);
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let line = Line { name: "<a>", class: "s0", points: vec![[1.0, f64::NAN], [2.0, 0.5], [3.0, f64::INFINITY]] };
        let svg = lines("\"x\"", ["epoch", "loss"], &[line], &|v| format!("{v:.2}"), true);
        assert!(
            !svg.contains("NaN") && !svg.contains("inf") && svg.contains("&lt;a&gt;") && svg.contains("&quot;x&quot;"),
            "{svg}"
        );
        assert!(lines("", ["", ""], &[], &|v| v.to_string(), false).ends_with("</svg>"));
        let whole = Part { name: "all".into(), value: f64::NAN, parts: vec![] };
        assert!(!flame("", &whole, &|v| v.to_string()).contains("NaN"));
        assert!(bar(f64::NAN, "c").contains("width=\"0.00\""));
    }
}
