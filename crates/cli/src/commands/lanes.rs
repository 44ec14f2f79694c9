//! A party as a cluster, in tables: a step in so many lanes, planned and measured.

use crate::table::Table;
use std::str::FromStr;
use trefoil_lab::bench::InLanes;
use trefoil_lab::plan::lanes::Scaled;
use trefoil_lab::units::{bytes, time};
use trefoil_server::lanes::MOST;

/// Numbers of lanes: `1,2,4`, or `1..64`, of which each is twice the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts(pub Vec<usize>);

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Counts, String> {
        let wrong = || format!("expected numbers of 1 to {MOST} lanes, each larger than the one before: 1,2,4 or 1..64");
        let number = |text: &str| text.trim().parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(wrong);
        let all: Vec<usize> = match text.split_once("..") {
            Some((from, to)) => {
                let to = number(to)?;
                std::iter::successors(Some(number(from)?), |n| Some(n * 2)).take_while(|n| *n <= to).collect()
            }
            None => text.split(',').map(number).collect::<Result<_, _>>()?,
        };
        if all.is_empty() || all.windows(2).any(|pair| pair[0] >= pair[1]) { Err(wrong()) } else { Ok(Counts(all)) }
    }
}

/// A row for each number of lanes.
pub fn planned(all: &[Scaled]) -> Table {
    let mut table = Table::new([
        "lanes",
        "rows each",
        "a step",
        "faster",
        "computing on rows",
        "for weights",
        "rounds",
        "sending",
        "inside a party",
        "busiest link",
        "all lanes, all links",
        "longest",
    ]);
    for s in all {
        let part = |name: &str| time(s.parts.get(name).copied().unwrap_or_default());
        table.row([
            s.lanes.to_string(),
            s.rows.to_string(),
            time(s.seconds),
            format!("{:.2}x", s.speedup),
            part("rows"),
            part("beside"),
            part("rounds"),
            part("sending"),
            part("inside"),
            s.lane_0.busiest().map_or_else(|| "-".to_owned(), |(link, n)| format!("{link} {}", bytes(n))),
            bytes(s.bytes_total),
            s.bound.to_owned(),
        ]);
    }
    table
}

/// The same of what was measured.
pub fn measured(all: &[InLanes]) -> Table {
    let mut table = Table::new(["name", "lanes", "iterations", "steady s", "faster", "planned s", "off"]);
    for m in all {
        table.row([
            m.name.clone(),
            m.planned.lanes.to_string(),
            m.iterations.to_string(),
            format!("{:.4}", m.steady_s),
            m.speedup.map_or_else(|| "-".into(), |speedup| format!("{speedup:.2}x")),
            format!("{:.4}", m.planned.seconds),
            format!("{:+.0}%", 100.0 * m.off()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_lanes() {
        let of = |text: &str| text.parse::<Counts>().map(|counts| counts.0);
        assert_eq!(of("1..64").unwrap(), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!((of("3..20").unwrap(), of("1, 2,5").unwrap(), of("7").unwrap()), (vec![3, 6, 12], vec![1, 2, 5], vec![7]));
        for wrong in ["", "0", "0..4", "4..1", "2,1", "1,1", "1..257", "1..", "a", "1-4"] {
            assert!(of(wrong).unwrap_err().contains("1..64"), "{wrong}");
        }
    }
}
