//! What each party sees of a protocol: every frame that it received, field by field, and the share that it ends with.

use super::programs::End;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trefoil_mpc::masked::Share;
use trefoil_mpc::tap::Tap;
use trefoil_mpc::{Error, Id, Party, Result, Seeds, simulate_over};
use trefoil_net::recorded::Recorded;
use trefoil_net::{Frame, Ring, local};
use trefoil_ring::{Tensor, odd};

/// A protocol with its inputs, as a party runs it. It ends with this party's share of the output, if there is one.
pub type Program<'a> = dyn Fn(&mut Party) -> Result<End> + Sync + 'a;

/// What each party received, with sender, in the order of arrival; and what it ended with.
pub type Runs = [(Vec<(Id, Frame)>, End); 3];

type Log = Arc<Mutex<Vec<(Id, Frame)>>>;

/// Runs a program; gives what each party received, and ended with.
pub fn taped(seeds: impl Fn(Id) -> Seeds, program: &Program<'_>) -> Runs {
    let logs: [Log; 3] = Default::default();
    let mut nets = local::network(Duration::from_secs(60)).into_iter();
    let nets = [0, 1, 2].map(|i: usize| {
        let log = logs[i].clone();
        Recorded::new(nets.next().unwrap(), move |from: Id, frame: &Frame| {
            log.lock().unwrap().push((from, frame.clone()));
            Ok(())
        })
    });
    let ends = simulate_over(nets, seeds, program);
    let mut ends = ends.into_iter().map(|end| end.unwrap().0);
    logs.map(|log| (std::mem::take(&mut *log.lock().unwrap()), ends.next().unwrap()))
}

/// The labels that any party draws in a program.
pub fn labels(program: &Program<'_>) -> std::collections::BTreeSet<&'static str> {
    let nets = local::network(Duration::from_secs(60));
    let drawn = simulate_over(
        nets,
        |id| Seeds::insecure(id, 1),
        |p| {
            program(p)?;
            Ok::<_, Error>(p.seeds.labels().clone())
        },
    );
    drawn.into_iter().flat_map(|party| party.unwrap().0).collect()
}

/// One tensor that a party sees: where it comes from, its ring, its elements.
#[derive(Clone)]
pub struct Field {
    pub receiver: Id,
    /// The operation, counted over the run; 0 for what a program ends with.
    pub op: u32,
    /// Sender, label and place among the tensors of the frame; or what a program ends with, and the place.
    pub name: String,
    pub ring: Ring,
    pub values: Vec<u64>,
}

impl Field {
    /// Whether it came in a frame.
    pub fn was_received(&self) -> bool {
        self.name.starts_with('P')
    }
}

/// What `party` receives of a program whose masks `tap` chooses.
pub fn received(party: Id, tap: &Arc<dyn Tap>, program: &(dyn Fn(&mut Party) -> Result<()> + Sync)) -> Vec<Field> {
    let seeds = |id: Id| {
        let mut seeds = Seeds::insecure(id, 1);
        seeds.insecure_tap(tap.clone());
        seeds
    };
    let runs = taped(seeds, &|p: &mut Party| program(p).map(|()| vec![]));
    fields(runs).into_iter().filter(|f| f.receiver == party).collect()
}

/// A value under known masks, the same for all of `n` elements.
pub fn alike(id: Id, n: usize, m: u64, l: [u64; 2]) -> Share {
    let all = |x| Some(Tensor::from_elem((1, n), x));
    match id {
        Id::P0 => Share::new([1, n], all(m), [all(l[0]), None]),
        Id::P1 => Share::new([1, n], all(m), [None, all(l[1])]),
        Id::P2 => Share::new([1, n], None, [all(l[0]), all(l[1])]),
    }
}

/// At most so many residues of a tensor are looked at; there are 64 for each element.
pub const MOST: usize = 1 << 20;

/// Everything that the three see of one run, tensors of the same operation and label one after the other.
pub fn fields(runs: Runs) -> Vec<Field> {
    let mut out = vec![];
    for (receiver, (frames, end)) in Id::ALL.into_iter().zip(runs) {
        let mut seen: BTreeMap<(u64, u32, String), Field> = BTreeMap::new();
        for (from, frame) in frames {
            for (place, part) in frame.parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
                let name = format!("{from} {} {place}", frame.label);
                let field = || Field { receiver, op: frame.at.op, name: name.clone(), ring: part.ring(), values: vec![] };
                let mut values = elements(part);
                values.truncate(MOST);
                seen.entry((frame.at.step, frame.at.op, name.clone())).or_insert_with(field).values.extend(values);
            }
        }
        out.extend(seen.into_values());
        out.extend(end.into_iter().enumerate().map(|(i, (what, ring, values))| Field {
            receiver,
            op: 0,
            name: format!("{what} {i}"),
            ring,
            values,
        }));
    }
    out
}

/// The values of a tensor.
pub fn elements(part: &trefoil_net::Part) -> Vec<u64> {
    let n = part.len();
    match part.ring() {
        Ring::Word => part.to_words(n).unwrap(),
        Ring::Odd => part.to_odds(n).unwrap(),
        Ring::Residue => part.to_residues(n).unwrap().iter().map(|r| u64::from(r.get())).collect(),
        Ring::Bits(k) => part.to_bits(n, k).unwrap(),
    }
}

/// What is made of two tensors that one party sees.
pub const COMBINATIONS: [&str; 3] = ["difference", "sum", "exclusive or"];

/// One of [`COMBINATIONS`] of two elements of a ring; residues have no exclusive or.
pub fn combine(ring: Ring, k: usize, a: u64, b: u64) -> Option<u64> {
    match ring {
        Ring::Word => Some([a.wrapping_sub(b), a.wrapping_add(b), a ^ b][k]),
        Ring::Odd => [odd::sub(a, b), odd::add(a, b)].get(k).copied(),
        Ring::Residue => [(a + 67 - b) % 67, (a + b) % 67].get(k).copied(),
        Ring::Bits(bits) => Some([a.wrapping_sub(b), a.wrapping_add(b), a ^ b][k] & ((1 << bits) - 1)),
    }
}

/// The histograms that chi-square looks at: of the value where there are few, else of its top and its lowest bits: eight, or four
/// where there are too few values (bits of many elements are packed in a word).
pub fn histograms(ring: Ring, values: impl Iterator<Item = u64> + Clone) -> Vec<Vec<u64>> {
    let wide = if values.clone().nth(5 << 8).is_some() { 8 } else { 4 };
    let bits = match ring {
        Ring::Word | Ring::Odd => 64,
        Ring::Residue => return vec![super::stats::histogram(values, 67)],
        Ring::Bits(k) => k,
    };
    let face =
        |shift: u8| super::stats::histogram(values.clone().map(|v| (v >> shift) % (1 << wide.min(bits))), 1 << wide.min(bits));
    if bits <= wide { vec![face(0)] } else { vec![face(bits - wide), face(0)] }
}
