//! The tests that a view must pass, on whatever program produced it.

use super::programs::{End, Input, Program};
use super::stats::{deviation, not_alike, not_uniform};
use super::views::{COMBINATIONS, Field, combine, fields, histograms, taped};
use std::collections::BTreeMap;
use std::sync::Arc;
use trefoil_mpc::tap::Tap;
use trefoil_mpc::{Id, Key, Pair, Party, Result, Seeds};
use trefoil_net::Ring;

/// Everything that the three see of a program, under masks from `seed`, spoiled by `tap`.
pub fn views(run: impl Fn(&mut Party) -> Result<End> + Sync, seed: u64, tap: Option<&Arc<dyn Tap>>) -> Vec<Field> {
    let seeds = |id| {
        let mut seeds = Seeds::insecure(id, seed);
        tap.iter().for_each(|tap| seeds.insecure_tap(Arc::clone(tap)));
        seeds
    };
    fields(taped(seeds, &run))
}

/// What is wrong with the views of a program on one input; nothing, if all is well.
pub fn failures(program: &Program, input: Input, seed: u64, tap: Option<&Arc<dyn Tap>>) -> Vec<String> {
    let views = views(|p| (program.run)(p, input), seed, tap);
    let mut wrong = each_is_uniform(&views);
    if wrong.is_empty() {
        wrong = pairs_are_uniform(&views);
        wrong.extend(helpers_sums(&views, program.hidden_bit));
    }
    wrong.iter().map(|w| format!("{}, secret {} at {}: {w}", program.name, input.secret as i64, input.holder)).collect()
}

/// What a party drew itself says nothing alone: it counts only beside what the party was shown.
fn own(f: &Field) -> bool {
    f.name.starts_with("own")
}

/// Check 7: each field that a party is shown is uniform on its range.
pub fn each_is_uniform(views: &[Field]) -> Vec<String> {
    let of = |f: &Field| histograms(f.ring, f.values.iter().copied()).iter().filter_map(|h| not_uniform(h)).fold(0.0, f64::max);
    let far = views.iter().filter(|f| !own(f)).map(|f| (f, of(f))).filter(|(_, z)| *z > 0.0);
    far.map(|(f, z)| format!("{} of {}: not uniform ({z:.0} sigma)", f.name, f.receiver)).collect()
}

/// What one field alone cannot show: a mask that serves two fields. Differences, sums and exclusive ors of any two tensors
/// that a party is shown are uniform, and of one that it is shown and one that it drew. (Shares of results are left out: they are functions of what is received.)
pub fn pairs_are_uniform(views: &[Field]) -> Vec<String> {
    let views: Vec<&Field> = views.iter().filter(|f| !f.name.starts_with("output")).collect();
    let mut wrong = vec![];
    for (i, a) in views.iter().enumerate() {
        for b in &views[..i] {
            let fit = a.receiver == b.receiver && a.ring == b.ring && a.values.len() == b.values.len();
            // The sums of the two d are what P2 is to know: `helpers_sums` looks at them.
            if !fit || (is_d(a) && is_d(b)) || (own(a) && own(b)) {
                continue;
            }
            for (k, what) in COMBINATIONS.into_iter().enumerate() {
                let both = a.values.iter().zip(&b.values).filter_map(|(x, y)| combine(a.ring, k, *x, *y));
                if both.clone().next().is_some() && histograms(a.ring, both).iter().any(|h| not_uniform(h).is_some()) {
                    wrong.push(format!("{what} of {} and {} of {}: not uniform", a.name, b.name, a.receiver));
                }
            }
        }
    }
    wrong
}

pub fn is_d(f: &Field) -> bool {
    f.name.ends_with("securenn.private_compare.d 0")
}

/// The shares d_0 and d_1 that P2 is sent, operation by operation.
fn helpers_shares(views: &[Field]) -> Vec<[&Field; 2]> {
    let d: Vec<&Field> = views.iter().filter(|f| f.receiver == Id::P2 && is_d(f)).collect();
    let (first, second): (Vec<&Field>, Vec<&Field>) = d.iter().partition(|f| f.name.starts_with("P0"));
    // Both are there for each operation, in order.
    first.into_iter().zip(second).map(|(d_0, d_1)| [d_0, d_1]).collect()
}

/// The place of the residue that is zero, for each element; 64 where none is. Block k holds the i-th residue of its e-th element at
/// 64 (64 k + i) + e.
fn places(d: [&Field; 2]) -> Vec<usize> {
    let at = |j: usize| 64 * (64 * (j / 64)) + j % 64;
    let zero =
        |j: usize| (0..64).find(|i| (d[0].values[at(j) + 64 * i] + d[1].values[at(j) + 64 * i]).is_multiple_of(67)).unwrap_or(64);
    (0..d[0].values.len() / 64).map(zero).collect()
}

/// The bit that P2 learns of each of `n` elements, as a field.
pub fn zeros_of(views: &[Field], n: usize) -> Vec<Field> {
    let bits = |d: [&Field; 2]| places(d).into_iter().take(n).map(|place| u64::from(place < 64)).collect();
    let field = |d: [&Field; 2]| Field { name: "P2's bit".into(), ring: Ring::Bits(1), values: bits(d), ..d[0].clone() };
    helpers_shares(views).into_iter().map(field).collect()
}

/// Check 9. P2 adds the shares d_0 and d_1 of 64 residues an element: the place of the zero is uniform, also beside its neighbour's and
/// beside that in the next comparison; the non-zero sums are uniform on 1..=66, and so are their ratios to those beside them; the ratios
/// d_0 / d_1 on 0..67; and the bit that P2 learns is uniform where it is masked.
pub fn helpers_sums(views: &[Field], hidden_bit: bool) -> Vec<String> {
    let all = helpers_shares(views);
    let mut wrong: Vec<String> = all.iter().flat_map(|d| sums_of_one(*d, hidden_bit)).collect();
    for two in all.windows(2) {
        let (a, b) = (places(two[0]), places(two[1]));
        wrong.extend(even("places of the zero in two comparisons", &distances(a.iter().zip(&b))));
    }
    wrong
}

/// How often two places are so far apart, where there are both.
fn distances<'a>(pairs: impl Iterator<Item = (&'a usize, &'a usize)>) -> Vec<u64> {
    let mut counts = vec![0; 64];
    pairs.filter(|(a, b)| **a < 64 && **b < 64).for_each(|(a, b)| counts[(64 + a - b) % 64] += 1);
    counts
}

fn even(what: &str, counts: &[u64]) -> Option<String> {
    not_uniform(counts).map(|z| format!("P2's {what}: not uniform ({z:.0} sigma)"))
}

fn sums_of_one([d_0, d_1]: [&Field; 2], hidden_bit: bool) -> Vec<String> {
    let (mut sums, mut ratios, mut beside, mut below) = (vec![0; 66], vec![0; 67], vec![0; 67], vec![0; 67]);
    let inverse: Vec<u64> = (0..67).map(|a| (0..67).find(|b| a * b % 67 == 1).unwrap_or(0)).collect();
    let mut wrong = vec![];
    for (d_0, d_1) in d_0.values.as_chunks::<4096>().0.iter().zip(d_1.values.as_chunks::<4096>().0) {
        let sum: Vec<u64> = d_0.iter().zip(d_1).map(|(a, b)| (a + b) % 67).collect();
        for e in 0..64 {
            let zeros = (0..64).filter(|i| sum[64 * i + e] == 0).count();
            if zeros > 1 {
                wrong.push(format!("{zeros} zeros in one element"));
            }
        }
        for at in 0..4096 {
            if sum[at] > 0 {
                sums[sum[at] as usize - 1] += 1;
            }
            if d_1[at] != 0 {
                ratios[(d_0[at] * inverse[d_1[at] as usize] % 67) as usize] += 1;
            }
            let ratio = |other: usize| (sum[at] * inverse[sum[other] as usize] % 67) as usize;
            if at % 64 < 63 {
                beside[ratio(at + 1)] += 1;
            }
            if at < 4032 {
                below[ratio(at + 64)] += 1;
            }
        }
    }
    let places = places([d_0, d_1]);
    let mut counts = vec![0; 65];
    places.iter().for_each(|place| counts[*place] += 1);
    // -1 is the ratio of a zero: it is not among the others, and one of them is there for half of the elements.
    ratios.pop();
    let (counts, none) = counts.split_at(64);
    let mut tests = vec![
        ("non-zero sums", &sums[..]),
        ("places of the zero", counts),
        ("ratios of its shares", &ratios),
        // A ratio of 0 is that of a zero.
        ("ratios of neighbouring elements", &beside[1..]),
        ("ratios of neighbouring bits", &below[1..]),
    ];
    let bits = [none[0], counts.iter().sum()];
    if hidden_bit {
        tests.push(("bits", &bits));
    }
    wrong.extend(tests.into_iter().filter_map(|(what, counts)| even(what, counts)));
    // Where beta goes to and fro, no two neighbours have a zero.
    if hidden_bit {
        wrong.extend(even("places of neighbouring zeros", &distances(places.iter().zip(&places[1..]))));
    }
    wrong
}

/// Check 8: whether a party can tell two views apart by any of its fields.
pub fn differences(a: &[Field], b: &[Field]) -> Vec<String> {
    assert_eq!(a.len(), b.len());
    let differ = |(a, b): &(&Field, &Field)| {
        let (a, b) = (histograms(a.ring, a.values.iter().copied()), histograms(b.ring, b.values.iter().copied()));
        a.iter().zip(&b).any(|(a, b)| not_alike(a, b).is_some())
    };
    a.iter().zip(b).filter(differ).map(|(a, _)| format!("{} of {} differs", a.name, a.receiver)).collect()
}

/// All that `party` itself draws is held fixed, and only the key of the two others changes from session to session: what the party
/// receives must be uniform at each place even so. A mask that the party knows would not serve.
pub fn given_own_randomness(program: &Program, input: Input, party: Id, sessions: u64) -> Vec<String> {
    let of_others = Pair::of(party.others()[0], party.others()[1]);
    let mut counts: BTreeMap<(u32, String), (usize, Vec<u64>)> = BTreeMap::new();
    for session in 0..sessions {
        let key = |pair: Pair| {
            let mut key = [1 + pair as u8; 32];
            if pair == of_others {
                key[..8].copy_from_slice(&session.to_le_bytes());
            }
            Key::from_bytes(key)
        };
        let seeds = |id: Id| Seeds::new(id, id.others().map(|other| (other, key(Pair::of(id, other)))));
        let views = fields(taped(seeds, &|p: &mut Party| (program.run)(p, input)));
        for f in views.iter().filter(|f| f.receiver == party && !f.name.starts_with("output") && !own(f)) {
            let (bins, shift) = match f.ring {
                Ring::Word | Ring::Odd => (16, 60),
                Ring::Residue => (67, 0),
                Ring::Bits(k) => (16, k.saturating_sub(4)),
            };
            let (_, counts) = counts.entry((f.op, f.name.clone())).or_insert_with(|| (bins, vec![0; bins * f.values.len()]));
            f.values.iter().enumerate().for_each(|(place, v)| counts[place * bins + ((v >> shift) as usize % bins)] += 1);
        }
    }
    let mut wrong = vec![];
    for ((_, name), (bins, counts)) in counts {
        let expected = sessions as f64 / bins as f64;
        let chi_square: f64 = counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum();
        let z = deviation(chi_square, (counts.len() / bins * (bins - 1)) as f64);
        if z > 6.0 {
            wrong.push(format!("{}: {name} of {party}: not uniform given what {party} draws ({z:.0} sigma)", program.name));
        }
    }
    wrong
}

/// Check 7 over many inputs: `n` elements of each secret, at each server in turn.
pub fn all_is_uniform(programs: &[Program], n: impl Fn(&Program) -> usize) {
    for program in programs {
        let n = n(program);
        for (i, secret) in SECRETS.into_iter().enumerate() {
            for holder in [Id::P0, Id::P1].into_iter().skip(i % 2).take(1 + i / 2) {
                let wrong = failures(program, Input { holder, ..Input::of(n, secret) }, 7 + i as u64, None);
                assert!(wrong.is_empty(), "{wrong:#?}");
            }
        }
    }
}

/// Check 8 over pairs of secrets.
pub fn no_two_secrets_differ(programs: &[Program]) {
    for program in programs {
        for pair in SECRETS.windows(2) {
            let view =
                |secret, seed| views(|p| (program.run)(p, Input { holder: Id::P1, ..Input::of(64 * 256, secret) }), seed, None);
            let wrong = differences(&view(pair[0], 3), &view(pair[1], 4));
            assert!(wrong.is_empty(), "{}: {pair:?}: {wrong:#?}", program.name);
        }
    }
}

/// What a party receives is uniform whatever it drew itself.
pub fn all_is_uniform_given_own(programs: &[Program]) {
    for program in programs {
        for party in Id::ALL {
            let wrong = given_own_randomness(program, Input::of(64, 5), party, 400);
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

/// 2^62 - 1 is the largest number that a comparison takes.
pub const SECRETS: [u64; 4] = [0, 1, u64::MAX, (1 << 62) - 1];
