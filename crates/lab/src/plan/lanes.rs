//! A model of scale: how long a step takes where each party is a cluster, whose ranks each work on rows of their own.
//!
//! What belongs to rows is divided by the lanes: their part of computing, and of what is exchanged. Lane 0 has beside it what belongs to the weights, whatever number of lanes there is; and
//! it waits for what ranks of one party say to one another. So the step takes as long as lane 0.

use super::{Seconds, Spent};
use serde::Serialize;
use std::collections::BTreeMap;
use trefoil_engine::Lane;
use trefoil_job::plan::lane;
use trefoil_job::suites::Chosen;
use trefoil_mpc::plan::Inside;
use trefoil_net::shaped::Profile;
use trefoil_nn::Trainer;
use trefoil_server::Result;

/// Twice as many lanes that are not faster by this factor are not worth while.
const WORTH: f64 = 1.1;

/// Seconds that a lane computes in a step on links that cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Work {
    /// For the rows of a whole batch.
    pub rows: f64,
    /// For what belongs to no row: the weights, and what the optimiser keeps.
    pub beside: f64,
}

impl Work {
    /// From two batches of so many rows, each with the seconds of a step: what grows with the rows, up to those of the second, and what does not.
    pub fn of_two([few, batch]: [(usize, f64); 2]) -> Work {
        let more = batch.0.saturating_sub(few.0) as f64;
        let each = if more > 0.0 { ((batch.1 - few.1) / more).max(0.0) } else { batch.1 / batch.0 as f64 };
        let rows = (each * batch.0 as f64).min(batch.1);
        Work { rows, beside: batch.1 - rows }
    }
}

/// The wires: between the parties, and between the machines of one party.
#[derive(Clone, Copy, Debug)]
pub struct Wires {
    /// From each rank to the same rank of both other parties: each lane has links of its own.
    pub links: Profile,
    /// Between ranks of one party.
    pub inside: Profile,
}

/// A step in so many lanes.
#[derive(Clone, Debug, Serialize)]
pub struct Scaled {
    /// How many.
    pub lanes: usize,
    /// Rows of a batch in each.
    pub rows: usize,
    /// All of the step.
    pub seconds: f64,
    /// What that is the sum of, in seconds: "rows" and "beside" are computing, "rounds" waiting for messages of other parties, "sending" for what is being sent,
    /// "inside" for other ranks of the same party.
    pub parts: BTreeMap<&'static str, f64>,
    /// How many times faster than one lane.
    pub speedup: f64,
    /// The part that takes longest.
    pub bound: &'static str,
    /// What lane 0 exchanges.
    pub lane_0: Spent,
    /// What each other lane exchanges.
    pub other_lanes: Option<Spent>,
    /// Payload of all lanes, on all links between parties.
    pub bytes_total: u64,
    /// What rank 0 sends inside its party: along the tree to each of at most two ranks, and rows that it holds to those that work on them.
    pub bytes_inside_down: u64,
    /// What each rank sends up the tree.
    pub bytes_inside_up: u64,
}

/// A step in each of so many lanes, where one lane computes so long.
///
/// # Errors
/// Lanes that do not fit the training, or that the suite does not have.
pub fn scale(trainer: &Trainer, suite: Chosen, lanes: &[usize], wires: Wires, work: Work) -> Result<Vec<Scaled>> {
    let alone = step(trainer, suite, 1, wires, work)?.seconds;
    let one = |of: &usize| Ok(step(trainer, suite, *of, wires, work)?).map(|s| Scaled { speedup: alone / s.seconds, ..s });
    lanes.iter().map(one).collect()
}

fn step(trainer: &Trainer, suite: Chosen, of: usize, wires: Wires, work: Work) -> Result<Scaled> {
    let leads = lane(trainer, suite, Lane { rank: 0, of })?.step;
    let other =
        (of > 1).then(|| lane(trainer, suite, Lane { rank: 1, of })).transpose()?.map(|plan| Spent::from(plan.step.total()));
    let lane_0 = Spent::from(leads.total());
    let Inside { spread, rows, summed } = leads.inside;
    let word = wires.inside.bits_per_second.map_or(0.0, |rate| 64.0 / rate);
    let inside = leads.inside.seconds(of, wires.inside.rtt.as_secs_f64() / 2.0, word);
    let own = work.rows / of as f64;
    let Seconds { rounds, transfer, .. } = Seconds::of(&lane_0, &wires.links, own + work.beside + inside);
    let parts =
        BTreeMap::from([("rows", own), ("beside", work.beside), ("rounds", rounds), ("sending", transfer), ("inside", inside)]);
    let others = (of as u64 - 1) * other.as_ref().map_or(0, |other| other.bytes_total);
    Ok(Scaled {
        lanes: of,
        rows: trainer.training().spec.batch / of,
        seconds: parts.values().sum(),
        bound: parts.iter().max_by(|a, b| a.1.total_cmp(b.1)).map_or("rows", |(part, _)| part),
        parts,
        speedup: 1.0,
        bytes_total: lane_0.bytes_total + others,
        lane_0,
        other_lanes: other,
        bytes_inside_down: 8 * (spread.words * (of as u64 - 1).min(2) + rows.words),
        bytes_inside_up: 8 * summed.words,
    })
}

/// From how many lanes on more are hardly faster: less than 1.1 times as fast for twice as many.
pub fn enough(scaled: &[Scaled]) -> Option<usize> {
    let hardly = |pair: &[Scaled]| {
        let twice = (pair[1].lanes as f64 / pair[0].lanes as f64).log2();
        twice > 0.0 && pair[0].seconds / pair[1].seconds < WORTH.powf(twice)
    };
    scaled.windows(2).find(|pair| hardly(pair)).map(|pair| pair[0].lanes)
}

/// What a part is, and what would make it shorter.
pub fn advice(bound: &str) -> &'static str {
    match bound {
        "rows" => "computing on rows takes longest: more lanes",
        "beside" => "what lane 0 computes for the weights takes longest: more cores for rank 0, larger batches, fewer weights",
        "rounds" => {
            "waiting for messages of other parties takes longest: larger batches, fewer layers, or parties that are nearer to one another"
        }
        "sending" => "sending on the busiest link takes longest: faster links, a network with fewer weights or activations",
        _ => "what the ranks of a party say to one another takes longest: faster links between its machines, fewer lanes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_job::SuiteName;
    use trefoil_mpc::securenn::Truncation;
    use trefoil_nn::{Graph, Training};

    fn perceptron() -> Trainer {
        Training::of(Graph::perceptron(&[784, 256, 10]), 60_000).unwrap().with(|t| t.spec.batch = 128).trainer().unwrap()
    }

    fn scaled(lanes: &[usize], links: &str, inside: &str, work: Work) -> Result<Vec<Scaled>> {
        let suite = Chosen { suite: SuiteName::Masked, truncation: Truncation::Dealer };
        scale(&perceptron(), suite, lanes, Wires { links: links.parse().unwrap(), inside: inside.parse().unwrap() }, work)
    }

    #[test]
    fn rows_are_divided_and_weights_are_not() {
        let work = Work::of_two([(32, 0.35), (128, 1.1)]);
        assert!((work.rows - 1.0).abs() < 1e-9 && (work.beside - 0.1).abs() < 1e-9);
        let all = scaled(&[1, 2, 4, 64], "local", "local", work).unwrap();
        let seconds = |i: usize| all[i].seconds;
        assert!((seconds(0) - 1.1).abs() < 1e-9 && (seconds(1) - 0.6).abs() < 1e-9 && (seconds(2) - 0.35).abs() < 1e-9);
        assert_eq!((all[1].bound, all[3].bound, all[2].rows), ("rows", "beside", 32));
        // All rounds are lane 0's (comparisons of few elements take one less), and hardly more is sent for more lanes: what belongs to rows is split.
        assert!(all.iter().all(|s| (22..=23).contains(&s.lane_0.rounds)));
        assert!(all[2].bytes_total < all[0].bytes_total + all[0].bytes_total / 10, "{}", all[2].bytes_total);
        // Another lane sends nothing for weights, of which most of the bytes are.
        let other = all[2].other_lanes.clone().unwrap();
        assert!(other.bytes_total * 4 < all[0].bytes_total && other.rounds < 23, "{other:?}");
        assert!(scaled(&[3], "local", "local", work).err().unwrap().to_string().contains("divides the batch"));
    }

    #[test]
    fn where_more_do_not_help() {
        let work = Work { rows: 1.0, beside: 0.02 };
        let all = scaled(&[1, 2, 4, 8, 16, 32, 64], "40ms,100Mbps", "0.2ms,10Gbps", work).unwrap();
        // 22 rounds of 20 ms, and the weights' gradients on a link of 100 Mbit/s stay what they are.
        assert!(all[6].parts["rounds"] > 0.43 && all[6].bound != "rows");
        assert_eq!(enough(&all), Some(8));
        assert!(all.windows(2).all(|pair| pair[0].parts["inside"] <= pair[1].parts["inside"]));
        assert_eq!(enough(&scaled(&[1, 2, 4], "local", "local", work).unwrap()), None);
    }
}
