//! Check 10. What a careless protocol, generator or owner would do to its masks is done, one thing at a time, at all three parties; and a
//! test of privacy must notice. A test that no sabotage can fail would be worth nothing, and neither would a mask that no test needs.

use super::programs::{Input, Program};
use super::taps::*;
use super::training::{Spoil, run};
use super::{Tested, joint, owner, privacy};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use trefoil_mpc::tap::{Draw, Tap};
use trefoil_mpc::{Id, Key, Pair};

/// Elements of a tensor for the tests of single views, in whole blocks of 64.
const N: usize = 20_032;

/// A label with its pair.
type Label = (&'static str, Pair);
/// A program with the labels that it draws.
type Drawing<'a> = (&'a Program, BTreeSet<Label>);

/// One thing that is done, and what notices it.
struct Sabotage<'a> {
    name: String,
    noticed: Box<dyn Fn() -> Option<String> + 'a>,
}

impl<'a> Sabotage<'a> {
    fn of(name: impl Into<String>, noticed: impl Fn() -> Option<String> + 'a) -> Self {
        Sabotage { name: name.into(), noticed: Box::new(noticed) }
    }

    /// Done to the masks of some labels: looked for in the views of all programs that draw them.
    fn of_masks(name: String, labels: Vec<Label>, tap: Arc<dyn Tap>, programs: &'a [Drawing<'a>]) -> Self {
        Sabotage::of(name, move || {
            let concerned = || programs.iter().filter(|(_, drawn)| labels.iter().any(|l| drawn.contains(l))).map(|(p, _)| p);
            // Masks of a pair hide something from the third.
            let outsider = Id::ALL.into_iter().find(|id| id.others().map(|id| id.index()) == pair_of(labels[0].1))?;
            let jointly = concerned().find_map(|p| joint::failures(p, outsider, 5, Some(&tap)).into_iter().next());
            let alone =
                |secret| concerned().find_map(|p| privacy::failures(p, Input::of(N, secret), 5, Some(&tap)).into_iter().next());
            jointly.or_else(|| [1, (1 << 62) - 1].into_iter().find_map(alone))
        })
    }
}

fn pair_of(pair: Pair) -> [usize; 2] {
    match pair {
        Pair::K01 => [0, 1],
        Pair::K02 => [0, 2],
        Pair::K12 => [1, 2],
    }
}

/// Done to each label that the programs draw.
fn of_labels<'a>(programs: &'a [Drawing<'a>]) -> Vec<Sabotage<'a>> {
    let labels: BTreeSet<Label> = programs.iter().flat_map(|(_, drawn)| drawn.clone()).collect();
    let mut all = vec![];
    for (label, pair) in labels {
        let mut add = |what: &str, tap: Arc<dyn Tap>| {
            all.push(Sabotage::of_masks(format!("{label}: {what}"), vec![(label, pair)], tap, programs));
        };
        add("zeros", Arc::new(Changed { label, change: zero }));
        add("neighbours share it", Arc::new(Changed { label, change: whole }));
        if layout(label) == Layout::Words {
            add("neighbours share its lower half", Arc::new(Changed { label, change: lower_half }));
            add("neighbours share its upper half", Arc::new(Changed { label, change: upper_half }));
        }
        add("the same in every matrix", Arc::new(OneBlock(label)));
        add("the same in every operation", same_everywhere(label));
    }
    all
}

/// One draw under two labels, for every two that one pair draws in one operation.
fn of_two_labels<'a>(programs: &'a [Drawing<'a>]) -> Vec<Sabotage<'a>> {
    let mut all = BTreeSet::new();
    for (pair, labels) in programs.iter().flat_map(|(p, _)| joint::together(p)) {
        for (i, a) in labels.iter().enumerate() {
            // Residues are not drawn as words are: the two would have nothing in common.
            let alike = |b: &&&str| (layout(a) == Layout::Residues) == (layout(b) == Layout::Residues);
            all.extend(labels[..i].iter().filter(alike).map(|b| (*a, *b, pair)));
        }
    }
    let sabotage = |(a, b, pair)| {
        Sabotage::of_masks(format!("one draw for {a} and {b}"), vec![(a, pair), (b, pair)], one_for_two(a, b), programs)
    };
    all.into_iter().map(sabotage).collect()
}

/// Done to addresses and keys: the record of a training notices.
fn of_draws<S: Tested>() -> Vec<Sabotage<'static>> {
    let moved = |tap: Arc<dyn Tap>| Spoil { tap: Some(tap), ..Spoil::default() };
    let key = |key| Spoil { key, ..Spoil::default() };
    let all = [
        ("the operation's number is not in the address", moved(Arc::new(Moved(|draw: &mut Draw| draw.at.op = 0)))),
        ("the step is not in the address", moved(Arc::new(Moved(|draw: &mut Draw| draw.at.step = 0)))),
        ("the label is not in the address", moved(Arc::new(Moved(|draw: &mut Draw| draw.label = "")))),
        ("a second session has the keys of the first", key(|_, pair| Key::from_bytes([1 + pair as u8; 32]))),
        (
            "P0 and P1 have the key of P0 and P2",
            key(|session, pair| Key::from_bytes([1 + 3 * session as u8 + u8::from(pair == Pair::K12); 32])),
        ),
        (
            "P1 and P2 have the key of P0 and P2",
            key(|session, pair| Key::from_bytes([1 + 3 * session as u8 + u8::from(pair == Pair::K01); 32])),
        ),
        (
            "P0 and P1 have the key of P1 and P2",
            key(|session, pair| Key::from_bytes([1 + 3 * session as u8 + u8::from(pair == Pair::K02); 32])),
        ),
        ("all chunks have one seed", Spoil { chunk: |_| [100; 32], ..Spoil::default() }),
    ];
    all.into_iter().map(|(name, spoil)| Sabotage::of(name, move || run::<S>(&spoil).twice().into_iter().next())).collect()
}

/// Done to what an owner sends.
fn of_owners<S: Tested>() -> Vec<Sabotage<'static>> {
    let mut all: Vec<(String, Spoil)> =
        vec![("an owner's chunks have one seed".into(), Spoil { chunk: |_| [100; 32], ..Spoil::default() })];
    let mut add = |what: String, tap: Arc<dyn Tap>| all.push((what, Spoil { tap: Some(tap), ..Spoil::default() }));
    add("an owner sends its chunk's own seed".into(), Arc::new(Itself));
    let mut labels = vec!["owner.s_0"];
    if S::deal(&trefoil_ring::Tensor::zeros((1, 1)), [0; 32])[Id::P2.index()].len() == 2 {
        labels.push("owner.s_1");
        add("an owner's s_1 is s_0".into(), Arc::new(Second(|first, _| first)));
        add("an owner's s_1 is s_0 but for a constant".into(), Arc::new(Second(|first, _| first.map(|b| b ^ 0x5a))));
        add("an owner's s_1 is a hash of s_0".into(), Arc::new(Second(|first, _| Sha256::digest(first).into())));
        add("an owner's s_1 is its chunk's own seed".into(), Arc::new(Second(|_, chunk| *chunk)));
        add("an owner's masks are one draw".into(), {
            struct Alike;
            impl Tap for Alike {
                fn stream(&self, draw: &Draw, seed: &mut [u8; 32]) {
                    if draw.label.starts_with("owner.s_") {
                        *seed = *draw.key.bytes();
                    }
                }
            }
            Arc::new(Alike)
        });
    }
    for label in labels {
        add(format!("{label}: zeros"), Arc::new(Changed { label, change: zero }));
        add(format!("{label}: neighbours share it"), Arc::new(Changed { label, change: whole }));
        add(format!("{label}: neighbours share its lower half"), Arc::new(Changed { label, change: lower_half }));
        add(format!("{label}: neighbours share its upper half"), Arc::new(Changed { label, change: upper_half }));
        add(format!("{label}: the same in every chunk"), Arc::new(OneStream(label)));
    }
    all.into_iter().map(|(name, spoil)| Sabotage::of(name, move || owner::failures::<S>(&spoil).into_iter().next())).collect()
}

/// Every sabotage is noticed, or `harmless` says why it is none.
pub fn every_sabotage_is_noticed<S: Tested>(harmless: &[(&str, &str)]) {
    let start = std::time::Instant::now();
    let programs: Vec<Drawing<'_>> = S::PROGRAMS.iter().map(|p| (p, joint::drawn(p))).collect();
    // The programs draw all that a training does.
    let trained = super::views::labels(&|p| S::training(p, 3 << 16));
    let known: BTreeSet<&str> = programs.iter().flat_map(|(_, drawn)| drawn.iter().map(|(label, _)| *label)).collect();
    assert!(trained.iter().all(|label| known.contains(label)), "{trained:?}, of which the programs draw {known:?}");

    // What is noticed says something only if nothing is while all is well.
    let wrong: Vec<String> =
        run::<S>(&Spoil::default()).twice().into_iter().chain(owner::failures::<S>(&Spoil::default())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (program, _) in &programs {
        let alone = [1, (1 << 62) - 1].into_iter().flat_map(|secret| privacy::failures(program, Input::of(N, secret), 5, None));
        let wrong: Vec<String> = alone.chain(Id::ALL.into_iter().flat_map(|id| joint::failures(program, id, 5, None))).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    println!("{}: nothing is noticed while all is well, after {:?}", S::NAME, start.elapsed());
    let tables = [of_labels(&programs), of_two_labels(&programs), of_draws::<S>(), of_owners::<S>()];
    let (mut count, mut unnoticed) = (0, vec![]);
    for sabotage in tables.into_iter().flatten() {
        let started = std::time::Instant::now();
        let noticed = (sabotage.noticed)();
        println!("{:?} {}: {}", started.elapsed(), sabotage.name, noticed.as_deref().unwrap_or("NOT NOTICED"));
        let listed = harmless.iter().any(|(name, _)| *name == sabotage.name);
        if noticed.is_some() == listed {
            unnoticed.push(format!("{}: noticed {noticed:?}, listed as harmless: {listed}", sabotage.name));
        }
        count += 1;
    }
    println!("{}: {count} sabotages, {} of them harmless", S::NAME, harmless.len());
    assert!(unnoticed.is_empty() && count >= 20, "of {count}: {unnoticed:#?}");
}
