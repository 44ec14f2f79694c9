//! What a job opens, as its file has it.

use crate::Error;
use serde::{Deserialize, Serialize};
use trefoil_nn::{Metric, Metrics};

/// What is opened to P0 and P1 after each epoch. The number of blocks of weights that have left their range, which should be 0, is
/// opened in any case; and that of activations, unless the loss sample has fewer records than `least_records`.
///
/// ```
/// use trefoil_job::Opened;
/// use trefoil_nn::Metric;
/// let open: Opened = toml::from_str(r#"metrics = ["auc", "confusion"]"#).unwrap();
/// assert!(open.also.iter().eq([Metric::Confusion]));
/// assert!(toml::from_str::<Opened>("metric = \"auc\"\nmetrics = [\"auc\"]").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Opened {
    /// The mean loss of a fixed sample of training records.
    pub loss: bool,
    /// A figure of the held-out records, which says what epoch is better where that is asked.
    pub metric: MetricName,
    /// Others of them.
    pub also: Metrics,
    /// A figure of fewer records than this is not opened.
    pub least_records: usize,
    /// Once, before the first step: the statistics by which columns are standardised on shares.
    pub statistics: bool,
    /// Likewise: how many values of each of these columns were clipped.
    pub clipped: bool,
}

impl Default for Opened {
    fn default() -> Opened {
        Opened {
            loss: true,
            metric: MetricName::Default,
            also: Metrics::default(),
            least_records: 100,
            statistics: false,
            clipped: false,
        }
    }
}

/// A figure of the held-out records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MetricName {
    /// Accuracy, or the mean squared error of a regression.
    #[default]
    Default,
    /// None.
    Nothing,
    /// This one.
    Of(Metric),
}

impl TryFrom<String> for MetricName {
    type Error = Error;
    fn try_from(word: String) -> Result<MetricName, Error> {
        let words = Metric::ALL.map(Metric::word).join(", ");
        let refused = |_| Error::config("metric", format!("{word:?}"), format!("default, nothing or one of {words}"));
        match word.as_str() {
            "default" => Ok(MetricName::Default),
            "nothing" => Ok(MetricName::Nothing),
            metric => metric.parse().map(MetricName::Of).map_err(refused),
        }
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> String {
        let word = match name {
            MetricName::Default => "default",
            MetricName::Nothing => "nothing",
            MetricName::Of(metric) => metric.word(),
        };
        word.to_owned()
    }
}

/// As it is written: one metric, or several in a list of which the first says what epoch is better.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "yes")]
    loss: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<MetricName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<Metric>>,
    #[serde(default = "least_records")]
    least_records: usize,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    statistics: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    clipped: bool,
}

fn yes() -> bool {
    true
}

fn least_records() -> usize {
    Opened::default().least_records
}

impl TryFrom<Written> for Opened {
    type Error = Error;
    fn try_from(written: Written) -> Result<Opened, Error> {
        let Written { loss, metric, metrics, least_records, statistics, clipped } = written;
        let (metric, also) = match (metric, metrics) {
            (metric, None) => (metric.unwrap_or_default(), Metrics::default()),
            (Some(_), Some(_)) => return Err(Error::config("open.metrics", "metric beside it", "one of the two")),
            (None, Some(all)) => {
                let twice = all.iter().enumerate().find(|(i, metric)| all[..*i].contains(metric));
                if let Some((_, metric)) = twice {
                    return Err(Error::config("open.metrics", format!("{:?} twice", metric.word()), "each once"));
                }
                match all.split_first() {
                    Some((first, rest)) => (MetricName::Of(*first), rest.iter().copied().collect()),
                    None => (MetricName::Nothing, Metrics::default()),
                }
            }
        };
        Ok(Opened { loss, metric, also, least_records, statistics, clipped })
    }
}

impl From<Opened> for Written {
    fn from(open: Opened) -> Written {
        let Opened { loss, metric, also, least_records, statistics, clipped } = open;
        let metrics = match metric {
            MetricName::Of(first) if !also.is_empty() => Some([first].into_iter().chain(also.iter()).collect()),
            _ => None,
        };
        let metric = metrics.is_none().then_some(metric);
        Written { loss, metric, metrics, least_records, statistics, clipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Opened, String> {
        toml::from_str(text).map_err(|e: toml::de::Error| e.message().to_owned())
    }

    #[test]
    fn one_metric_or_several() {
        assert_eq!(read("").unwrap(), Opened::default());
        let one = read("metric = \"auc\"").unwrap();
        assert_eq!((one.metric, one.also.is_empty()), (MetricName::Of(Metric::Auc), true));
        // As it was before there were several.
        assert_eq!(serde_json::to_string(&one).unwrap(), r#"{"loss":true,"metric":"auc","least_records":100}"#);
        let some = read("metrics = [\"f1\", \"confusion\", \"accuracy\"]\nleast_records = 7").unwrap();
        assert_eq!(some.metric, MetricName::Of(Metric::F1));
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(text, r#"{"loss":true,"metrics":["f1","accuracy","confusion"],"least_records":7}"#);
        assert_eq!(serde_json::from_str::<Opened>(&text).unwrap(), some);
        assert_eq!(read("metrics = [\"auc\"]").unwrap(), one);
        assert_eq!(read("metrics = []").unwrap().metric, MetricName::Nothing);
    }

    #[test]
    fn what_is_no_metric_is_told_which_there_are() {
        for (text, told) in [
            ("metric = \"mcc\"", "metric: found \"mcc\", expected default, nothing or one of accuracy, confusion, precision"),
            ("metrics = [\"auc\", \"auc\"]", "open.metrics: found \"auc\" twice, expected each once"),
            ("metric = \"auc\"\nmetrics = [\"f1\"]", "open.metrics: found metric beside it, expected one of the two"),
            ("metrics = [\"mcc\"]", "unknown variant `mcc`"),
            ("metrix = 1", "unknown field `metrix`"),
        ] {
            let line = read(text).unwrap_err();
            assert!(line.starts_with(told) && !line.contains('\n'), "{text}: {line}");
        }
    }
}
