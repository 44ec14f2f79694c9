//! The tests that a view must pass, on whatever program produced it.

use super::programs::{End, Input, Program};
use super::stats::{deviation, not_alike, not_uniform};
use super::views::{COMBINATIONS, Field, combine, fields, histograms, taped};
use std::collections::BTreeMap;
use trefoil_mpc::{Id, Key, Pair, Party, Result, Seeds};
use trefoil_net::Ring;

/// Everything that the three see of a program, under masks from `seed`, with one label's mask taken away.
pub fn views(run: impl Fn(&mut Party) -> Result<End> + Sync, seed: u64, without: Option<&str>) -> Vec<Field> {
    let seeds = |id| {
        let mut seeds = Seeds::insecure(id, seed);
        without.iter().for_each(|label| seeds.insecure_zero(label));
        seeds
    };
    fields(taped(seeds, &run))
}

/// What is wrong with the views of a program on one input; nothing, if all is well.
pub fn failures(program: &Program, input: Input, seed: u64, without: Option<&str>) -> Vec<String> {
    let views = views(|p| (program.run)(p, input), seed, without);
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

fn is_d(f: &Field) -> bool {
    f.name.ends_with("securenn.private_compare.d 0")
}

/// Check 9. P2 adds the shares d_0 and d_1 of 64 residues an element: the place of the zero is uniform, the non-zero sums
/// are uniform on 1..=66, the ratios d_0 / d_1 on 0..67, and the bit that P2 learns is uniform where it is masked.
pub fn helpers_sums(views: &[Field], hidden_bit: bool) -> Vec<String> {
    let d: Vec<&Field> = views.iter().filter(|f| f.receiver == Id::P2 && is_d(f)).collect();
    let [d_0, d_1] = d[..] else { return vec![] };
    let (mut places, mut sums, mut ratios, mut bits) = (vec![0; 64], vec![0; 66], vec![0; 67], vec![0; 2]);
    let inverse: Vec<u64> = (0..67).map(|a| (0..67).find(|b| a * b % 67 == 1).unwrap_or(0)).collect();
    let mut wrong = vec![];
    // Block k holds the i-th residue of its e-th element at 64 (64 k + i) + e.
    for (d_0, d_1) in d_0.values.as_chunks::<4096>().0.iter().zip(d_1.values.as_chunks::<4096>().0) {
        for e in 0..64 {
            let mut zeros = 0;
            for i in 0..64 {
                let (a, b) = (d_0[64 * i + e], d_1[64 * i + e]);
                match (a + b) % 67 {
                    0 => (zeros, places[i]) = (zeros + 1, places[i] + 1),
                    sum => sums[sum as usize - 1] += 1,
                }
                if b != 0 {
                    ratios[(a * inverse[b as usize] % 67) as usize] += 1;
                }
            }
            if zeros > 1 {
                wrong.push(format!("{zeros} zeros in one element"));
            }
            bits[zeros.min(1)] += 1;
        }
    }
    // -1 is the ratio of a zero: it is not among the others, and one of them is there for half of the elements.
    ratios.pop();
    let mut tests = if hidden_bit { vec![("bits", bits)] } else { vec![] };
    tests.extend([("non-zero sums", sums), ("places of the zero", places), ("ratios", ratios)]);
    wrong.extend(
        tests.into_iter().filter_map(|(what, h)| not_uniform(&h).map(|z| format!("P2's {what}: not uniform ({z:.0} sigma)"))),
    );
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
pub fn given_own_randomness(program: &Program, input: Input, party: Id, sessions: u64, without: Option<&str>) -> Vec<String> {
    let of_others = Pair::of(party.others()[0], party.others()[1]);
    let mut counts: BTreeMap<String, (usize, Vec<u64>)> = BTreeMap::new();
    for session in 0..sessions {
        let key = |pair: Pair| {
            let mut key = [1 + pair as u8; 32];
            if pair == of_others {
                key[..8].copy_from_slice(&session.to_le_bytes());
            }
            Key::from_bytes(key)
        };
        let seeds = |id: Id| {
            let mut seeds = Seeds::new(id, id.others().map(|other| (other, key(Pair::of(id, other)))));
            without.iter().for_each(|label| seeds.insecure_zero(label));
            seeds
        };
        let views = fields(taped(seeds, &|p: &mut Party| (program.run)(p, input)));
        for f in views.iter().filter(|f| f.receiver == party && !f.name.starts_with("output") && !own(f)) {
            let (bins, shift) = match f.ring {
                Ring::Word | Ring::Odd => (16, 60),
                Ring::Residue => (67, 0),
                Ring::Bits(k) => (16, k.saturating_sub(4)),
            };
            let (_, counts) = counts.entry(f.name.clone()).or_insert_with(|| (bins, vec![0; bins * f.values.len()]));
            f.values.iter().enumerate().for_each(|(place, v)| counts[place * bins + ((v >> shift) as usize % bins)] += 1);
        }
    }
    let mut wrong = vec![];
    for (name, (bins, counts)) in counts {
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
                let wrong = failures(program, Input { n, secret, holder }, 7 + i as u64, None);
                assert!(wrong.is_empty(), "{wrong:#?}");
            }
        }
    }
}

/// Check 8 over pairs of secrets.
pub fn no_two_secrets_differ(programs: &[Program]) {
    for program in programs {
        for pair in SECRETS.windows(2) {
            let view = |secret, seed| views(|p| (program.run)(p, Input { n: 64 * 256, secret, holder: Id::P1 }), seed, None);
            let wrong = differences(&view(pair[0], 3), &view(pair[1], 4));
            assert!(wrong.is_empty(), "{}: {pair:?}: {wrong:#?}", program.name);
        }
    }
}

/// What a party receives is uniform whatever it drew itself.
pub fn all_is_uniform_given_own(programs: &[Program]) {
    for program in programs {
        for party in Id::ALL {
            let wrong = given_own_randomness(program, Input { n: 64, secret: 5, holder: Id::P0 }, party, 400, None);
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

/// 2^62 - 1 is the largest number that a comparison takes.
pub const SECRETS: [u64; 4] = [0, 1, u64::MAX, (1 << 62) - 1];
