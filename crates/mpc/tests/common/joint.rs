//! Joint views. All that a party draws itself is held fixed, and every element is one and the same secret; then whatever it receives is
//! uniform *together*: no bit leans to a side, no two bits agree too often, and no set of them adds up to a constant. Neighbouring
//! elements, fields of different rings, bits of different places and the same protocol run twice are all looked at beside one another.
//!
//! In this way a mask that serves two values shows itself, in whole or in part, whoever uses it twice: the caller or the generator. For
//! words, a relation m_i - m_j = const, or any other with constant factors, is one between their lowest bits.

use super::privacy::{is_d, zeros_of};
use super::programs::{End, Input, Program};
use super::record::Recorder;
use super::stats::not_uniform;
use super::views::{Field, fields, taped};
use std::collections::BTreeSet;
use std::sync::Arc;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Id, Pair, Party, Result, Seeds};
use trefoil_net::Ring;

/// Every `STEP`-th element begins a sample; these of its neighbours belong to it. 64 elements on are the next word of a bit plane and the
/// next block of residues, and 512 words on the next block of a generator.
const STEP: usize = 8;
const NEIGHBOURS: [usize; 3] = [0, 1, 64];
const OF_WORDS: [usize; 3] = [0, 1, 512];
/// The bits of a word that are looked at where not all are.
const SOME_BITS: [u8; 14] = [0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 62, 63];
/// The places of a residue among the 64 of its element.
const PLACES: [usize; 8] = [0, 1, 2, 3, 30, 31, 62, 63];

/// Holds what some pairs draw fixed, and what a label does: one byte all over, another for each address.
struct Fixed(Vec<Pair>, Option<&'static str>);

impl Tap for Fixed {
    fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
        if draw.pair.is_some_and(|pair| self.0.contains(&pair)) || self.1 == Some(draw.label) {
            let sum = draw.label.bytes().fold(draw.at.op, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
            // Below what residues reject.
            bytes.fill((1 + sum % 190) as u8);
        }
    }
}

/// The rotation is no secret here, so that multipliers and zero sharing have to do their part.
struct NoRotation;

impl Tap for NoRotation {
    fn block(&self, draw: &Draw, _: &[u8; 32], _: u64, bytes: &mut [u8]) {
        if draw.label == "securenn.private_compare.pi" {
            bytes.fill(0);
        }
    }
}

/// What `party` receives of a program that is run twice, its own draws held fixed and those of a label that is `known`, under masks that
/// `tap` spoils.
fn received(
    program: &Program,
    party: Id,
    known: Option<&'static str>,
    (secret, n): (u64, usize),
    tap: Option<&Arc<dyn Tap>>,
) -> Vec<Field> {
    let input = Input { same: true, ..Input::of(n, secret) };
    let run = |p: &mut Party| -> Result<End> { Ok([(program.run)(p, input)?, (program.run)(p, input)?].concat()) };
    let own: Vec<Pair> = party.others().iter().map(|other| Pair::of(party, *other)).collect();
    let seeds = |id: Id| {
        let mut seeds = Seeds::insecure(id, 11);
        tap.iter().for_each(|tap| seeds.insecure_tap(Arc::clone(tap)));
        seeds.insecure_tap(Arc::new(Fixed(own.clone(), known)));
        seeds.insecure_tap(Arc::new(NoRotation));
        seeds
    };
    let seen = |f: &Field| f.was_received() || (opened(f) && program.dealt == Some(party));
    let mut views: Vec<Field> = fields(taped(seeds, &run)).into_iter().filter(|f| f.receiver == party && seen(f)).collect();
    if program.hidden_bit {
        let bits: Vec<Field> = zeros_of(&views, n);
        views.extend(bits);
    }
    views
}

/// What was opened: a function of several messages, that is looked at beside each of them.
fn opened(f: &Field) -> bool {
    f.name.starts_with("opened")
}

/// What is wrong with the joint view of `party`; nothing, if all is well. First at few samples and some bits of each word, then at all.
pub fn failures(program: &Program, party: Id, secret: u64, tap: Option<&Arc<dyn Tap>>) -> Vec<String> {
    let name = |wrong: Vec<String>| -> Vec<String> {
        wrong.into_iter().map(|w| format!("{}, secret {}, jointly at {party}: {w}", program.name, secret as i64)).collect()
    };
    let n = STEP * 1024;
    let views = received(program, party, None, (secret, n), tap);
    let mut wrong = Columns::of(&views, n, false).pairs();
    if let Some((_, known, label)) = program.given.filter(|given| given.0 == party && wrong.is_empty()) {
        let mut views = received(program, party, Some(known), (secret, n), tap);
        views.retain(|f| f.name.contains(label));
        wrong = Columns::of(&views, n, false).pairs();
    }
    if views.is_empty() || !wrong.is_empty() {
        return name(wrong);
    }
    // For sums, more rows than columns.
    let columns = Columns::of(&views, n, true).bits.len();
    let n = STEP * (columns + 128).next_multiple_of(64).max(1024);
    let mut views = received(program, party, None, (secret, n), tap);
    let (mut wrong, more) = (Columns::of(&views, n, true).pairs(), residues(&views, n));
    if wrong.is_empty() {
        views.retain(|f| !opened(f));
        wrong = Columns::of(&views, n, true).sums();
    }
    name(wrong.into_iter().chain(more).collect())
}

/// Bits of a view: a column for each, a row for each sample.
pub struct Columns {
    names: Vec<String>,
    bits: Vec<Vec<u64>>,
    rows: usize,
}

/// More standard deviations than twenty million pairs show by chance.
const LIMIT: f64 = 8.0;

impl Columns {
    /// From rows of equally many bits.
    pub fn from_rows(rows: &[Vec<u64>]) -> Columns {
        let count = rows.first().map_or(0, |r| 64 * r.len());
        let column = |c: usize| pack(rows.len(), |row| rows[row][c / 64] >> (c % 64));
        Columns {
            names: (0..count).map(|c| format!("bit {c}")).collect(),
            bits: (0..count).map(column).collect(),
            rows: rows.len(),
        }
    }

    /// From fields of `n` elements.
    pub fn of(views: &[Field], n: usize, all: bool) -> Columns {
        let mut out = Columns { names: vec![], bits: vec![], rows: n / STEP };
        for f in views {
            let (k, name) = match f.ring {
                Ring::Word | Ring::Odd => (64, &f.name),
                Ring::Bits(k) => (k, &f.name),
                Ring::Residue => continue,
            };
            let width = n / 64;
            let planes = is_plane(f) || !f.values.len().is_multiple_of(n);
            for neighbour in if planes { NEIGHBOURS } else { OF_WORDS } {
                let at = |row: usize| (STEP * row + neighbour) % n;
                let name = |what: &str, i: usize| format!("{name} of operation {}: {what} {i} of element {neighbour}", f.op);
                if planes {
                    for plane in 0..f.values.len() / width {
                        let bit = |row| f.values[plane * width + at(row) / 64] >> (at(row) % 64);
                        out.push(name("plane", plane), bit);
                    }
                    continue;
                }
                for tensor in 0..f.values.len() / n {
                    for bit in (0..k).filter(|b| all || SOME_BITS.contains(b) || *b + 1 == k) {
                        out.push(name("bit", usize::from(bit) + 100 * tensor), |row| f.values[tensor * n + at(row)] >> bit);
                    }
                }
            }
        }
        out
    }

    fn push(&mut self, name: String, bit: impl Fn(usize) -> u64) {
        self.names.push(name);
        self.bits.push(pack(self.rows, bit));
    }

    /// Whether `ones` of all rows are too far from half of them.
    fn far(&self, ones: u32) -> bool {
        let n = self.rows as f64;
        (2.0 * f64::from(ones) - n).abs() > LIMIT * n.sqrt()
    }

    /// Bits that lean to a side, else pairs that agree or differ too often.
    pub fn pairs(&self) -> Vec<String> {
        let ones = |x: &[u64]| x.iter().map(|w| w.count_ones()).sum::<u32>();
        let lean = |(name, bits): (&String, &Vec<u64>)| self.far(ones(bits)).then(|| format!("{name} is not even"));
        let mut wrong: Vec<String> = self.names.iter().zip(&self.bits).filter_map(lean).collect();
        if !wrong.is_empty() {
            return wrong;
        }
        for (i, a) in self.bits.iter().enumerate() {
            for (j, b) in self.bits[..i].iter().enumerate() {
                if self.far(a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()) {
                    wrong.push(format!("{} and {} go together", self.names[i], self.names[j]));
                }
            }
        }
        wrong
    }

    /// Columns that are the sum of others, by elimination over Z_2.
    pub fn sums(&self) -> Vec<String> {
        assert!(self.rows >= self.bits.len() + 64, "{} rows for {} columns", self.rows, self.bits.len());
        let mut pivots: Vec<(usize, Vec<u64>)> = vec![(0, pack(self.rows, |_| 1))];
        let mut wrong = vec![];
        for (name, column) in self.names.iter().zip(&self.bits) {
            let mut column = column.clone();
            for (at, pivot) in &pivots {
                if column[at / 64] >> (at % 64) & 1 == 1 {
                    column.iter_mut().zip(pivot).for_each(|(c, p)| *c ^= p);
                }
            }
            match column.iter().position(|w| *w != 0) {
                Some(word) => pivots.push((64 * word + column[word].trailing_zeros() as usize, column)),
                None => wrong.push(format!("{name} is a sum of others")),
            }
        }
        wrong
    }
}

fn pack(rows: usize, bit: impl Fn(usize) -> u64) -> Vec<u64> {
    let word = |w: usize| (64 * w..rows.min(64 * w + 64)).fold(0, |word, row| word | (bit(row) & 1) << (row % 64));
    (0..rows.div_ceil(64)).map(word).collect()
}

/// Whether a field is made of bit planes, 64 elements a word.
fn is_plane(f: &Field) -> bool {
    f.ring == Ring::Word && [" masked.and.", " masked.drelu."].iter().any(|label| f.name.contains(label))
}

/// The same for residues, over Z_67: pairs whose difference or sum is not uniform, and columns that are a sum of others.
fn residues(views: &[Field], n: usize) -> Vec<String> {
    let mut columns: Vec<(String, (u32, usize), Vec<u8>)> = vec![];
    // Of long fields only the beginning is there.
    let lengths = views.iter().filter(|f| f.ring == Ring::Residue).map(|f| f.values.len() / 64);
    let n = lengths.min().map_or(n, |m| n.min(m));
    for f in views.iter().filter(|f| f.ring == Ring::Residue) {
        for neighbour in NEIGHBOURS {
            for place in PLACES {
                let at = |row: usize| (STEP * row + neighbour) % n;
                let value = |row: usize| f.values[64 * (64 * (at(row) / 64) + place) + at(row) % 64] as u8;
                let name = format!("{} of operation {}: place {place} of element {neighbour}", f.name, f.op);
                // Both halves of what P2 adds up have one place.
                let joined = if is_d(f) { (f.op, 100 * neighbour + place) } else { (u32::MAX, columns.len()) };
                columns.push((name, joined, (0..n / STEP).map(value).collect()));
            }
        }
    }
    let uniform = |x: &mut dyn Iterator<Item = u8>| {
        let mut counts = vec![0; 67];
        x.for_each(|v| counts[usize::from(v) % 67] += 1);
        not_uniform(&counts).is_none()
    };
    let mut wrong = vec![];
    let mut kept: Vec<&(String, (u32, usize), Vec<u8>)> = vec![];
    for column in &columns {
        if !uniform(&mut column.2.iter().copied()) {
            wrong.push(format!("{} is not uniform", column.0));
        }
        let mut zero = false;
        for other in &kept {
            let both = || column.2.iter().zip(&other.2);
            if column.1 == other.1 {
                // What the two add up to is for P2 to know: a zero at the one place that says so.
                zero |= both().all(|(a, b)| (a + b) % 67 == 0);
            } else if !uniform(&mut both().map(|(a, b)| a + 67 - b)) || !uniform(&mut both().map(|(a, b)| a + b)) {
                wrong.push(format!("{} and {} go together", column.0, other.0));
            }
        }
        if !zero {
            kept.push(column);
        }
    }
    if !wrong.is_empty() || kept.is_empty() {
        return wrong;
    }
    assert!(n / STEP > kept.len() + 64);
    let mut pivots: Vec<(usize, Vec<u8>)> = vec![(0, vec![1; n / STEP])];
    for (name, _, column) in kept {
        let mut column = column.clone();
        for (at, pivot) in &pivots {
            let by = u16::from(67 - column[*at]);
            column.iter_mut().zip(pivot).for_each(|(c, p)| *c = ((u16::from(*c) + by * u16::from(*p)) % 67) as u8);
        }
        match column.iter().position(|v| *v != 0) {
            None => wrong.push(format!("{name} is a sum of others")),
            Some(at) => {
                let inverse = (1..67u16).find(|i| i * u16::from(column[at]) % 67 == 1).unwrap();
                column.iter_mut().for_each(|c| *c = (u16::from(*c) * inverse % 67) as u8);
                pivots.push((at, column));
            }
        }
    }
    wrong
}

/// What the parties draw in a program.
fn recorded(program: &Program) -> [Arc<Recorder>; 3] {
    let recorders: [Arc<Recorder>; 3] = Default::default();
    let seeds = |id: Id| {
        let mut seeds = Seeds::insecure(id, 1);
        seeds.insecure_tap(recorders[id.index()].clone());
        seeds
    };
    taped(seeds, &|p: &mut Party| (program.run)(p, Input::of(64, 1)));
    recorders
}

/// Labels that a program draws, with their pairs.
pub fn drawn(program: &Program) -> BTreeSet<(&'static str, Pair)> {
    recorded(program).iter().flat_map(|r| r.labels()).filter_map(|(label, pair)| Some((label, pair?))).collect()
}

/// Labels that one pair draws in one operation.
pub fn together(program: &Program) -> BTreeSet<(Pair, Vec<&'static str>)> {
    recorded(program).iter().flat_map(|r| r.together()).filter_map(|(pair, labels)| Some((pair?, labels))).collect()
}
