//! Figures of the test records, as they are told: what was opened of them, and why one is undefined.

use crate::Metric;
use serde::{Deserialize, Serialize};

/// A figure of the test records.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Which one.
    pub metric: Metric,
    /// It; of one for each class the mean over the classes, of a confusion matrix the share of records on its diagonal. `None` where it is undefined.
    pub value: Option<f64>,
    /// For each class, where there is one for each; in the mean one that is undefined counts 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Option<f64>>,
    /// A confusion matrix: a row for each class, with how many of its records were taken for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Vec<u64>>,
    /// Why it is undefined, or what of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Figure {
    /// A number.
    pub(crate) fn of(metric: Metric, value: f64) -> Figure {
        Figure { metric, value: Some(value), classes: Vec::new(), counts: Vec::new(), why: None }
    }

    /// None, and why.
    pub(crate) fn undefined(metric: Metric, why: String) -> Figure {
        Figure { metric, value: None, classes: Vec::new(), counts: Vec::new(), why: Some(why) }
    }

    /// A number for each class, of so many records; where there is none, `undefined` says in words that go on with "of 60 held out" why.
    pub(crate) fn of_classes(metric: Metric, classes: Vec<Option<f64>>, records: usize) -> Figure {
        let mean = classes.iter().map(|value| value.unwrap_or(0.0)).sum::<f64>() / classes.len().max(1) as f64;
        let missing: Vec<String> =
            classes.iter().enumerate().filter(|(_, value)| value.is_none()).map(|(class, _)| class.to_string()).collect();
        let what = match metric {
            Metric::Precision => "was taken for",
            Metric::Recall => "is in",
            _ => "is in, or was taken for,",
        };
        let why = format!("no record of {records} held out {what} class {}", missing.join(", "));
        let (none, all) = (missing.is_empty(), missing.len() == classes.len());
        Figure { metric, value: (!all).then_some(mean), classes, counts: Vec::new(), why: (!none).then_some(why) }
    }

    /// A confusion matrix.
    pub(crate) fn table(counts: Vec<Vec<u64>>) -> Figure {
        let right: u64 = counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
        let all: u64 = counts.iter().flatten().sum();
        let value = (all > 0).then(|| right as f64 / all as f64);
        Figure { metric: Metric::Confusion, value, classes: Vec::new(), counts, why: None }
    }

    /// All of these in words, if they say more than one number that is told anyway.
    pub fn told(figures: &[Figure], names: &[String]) -> Vec<String> {
        let one = figures.len() < 2 && figures.iter().all(|figure| figure.classes.is_empty() && figure.counts.is_empty());
        if one { Vec::new() } else { figures.iter().flat_map(|figure| figure.lines(names)).collect() }
    }

    /// In words, a name and a value each: the figure, then one for each class, or row of counts. Classes are named by these, or by number.
    pub fn rows(&self, names: &[String]) -> Vec<[String; 2]> {
        let class = |i: usize| names.get(i).cloned().unwrap_or_else(|| format!("class {i}"));
        let number = |x: Option<f64>| x.map_or_else(|| "undefined".to_owned(), |x| format!("{x:.4}"));
        let why = self.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let name = self.metric.name();
        if !self.counts.is_empty() {
            let counts = |row: &Vec<u64>| row.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            let row = |(i, row): (usize, &Vec<u64>)| [format!("  {}", class(i)), counts(row)];
            let head = [
                format!("{name}, a row a class"),
                format!("taken for {}", (0..self.counts.len()).map(class).collect::<Vec<_>>().join(" ")),
            ];
            return [head].into_iter().chain(self.counts.iter().enumerate().map(row)).collect();
        }
        let mean = if self.classes.is_empty() { "" } else { ", mean over the classes" };
        let of = |(i, x): (usize, &Option<f64>)| [format!("  {}", class(i)), number(*x)];
        let first = [format!("{name}{mean}"), format!("{}{why}", number(self.value))];
        [first].into_iter().chain(self.classes.iter().enumerate().map(of)).collect()
    }

    /// The same as lines.
    pub fn lines(&self, names: &[String]) -> Vec<String> {
        self.rows(names).into_iter().map(|[name, value]| format!("{name}: {value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_says_why() {
        let names = ["no", "yes"].map(str::to_owned);
        let precision = Figure::of_classes(Metric::Precision, vec![Some(0.5), None], 60);
        assert_eq!(precision.value, Some(0.25));
        let lines = precision.lines(&names);
        assert_eq!(lines[0], "precision, mean over the classes: 0.2500 (no record of 60 held out was taken for class 1)");
        assert_eq!(lines[1..], ["  no: 0.5000", "  yes: undefined"]);
        let auc = Figure::undefined(Metric::Auc, "no positive among 60 held out".into());
        assert_eq!(auc.lines(&names), ["AUC: undefined (no positive among 60 held out)"]);
        let table = Figure::table(vec![vec![50, 4], vec![1, 5]]);
        assert_eq!((table.value, table.lines(&[])[2].as_str()), (Some(55.0 / 60.0), "  class 1: 1 5"));
        for figure in [precision, auc, table, Figure::of(Metric::R2, -0.5)] {
            let text = serde_json::to_string(&figure).unwrap();
            assert_eq!(serde_json::from_str::<Figure>(&text).unwrap(), figure, "{text}");
        }
    }
}
