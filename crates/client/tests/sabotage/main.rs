//! Check 10 for owners: what [`Sharing`](trefoil_client::share::Sharing) sends is judged like what a party sends, and a table of what a
//! careless owner would do to its seeds and masks, of which each must be noticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../mpc/tests/common/mod.rs"]
mod common;
mod uploads;

use common::taps::{Changed, Itself, OneStream, Second, lower_half, upper_half, whole, zero};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use trefoil_client::share::chunk_seed;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::tap::Tap;
use trefoil_mpc::{Part, Suite};
use uploads::{Spoil, World, failures, seeds_together};

/// Those of the seeds of an upload and its chunks.
fn of_seeds() -> Vec<(&'static str, Spoil)> {
    let chunk = |chunk| Spoil { chunk, ..Spoil::default() };
    vec![
        ("all uploads have one master seed", Spoil { master: Some([3; 32]), ..Spoil::default() }),
        ("a chunk's seed is the master seed", Spoil { master: Some([3; 32]), chunk: |_, _, _, _| [3; 32], ..Spoil::default() }),
        ("all chunks have one seed", chunk(|_, _, _, first| first)),
        ("every other chunk has the seed of the first", chunk(|i, _, seed, first| if i % 2 == 0 { first } else { seed })),
        ("the last chunk has the seed of the first", chunk(|i, _, seed, first| if i == 2 { first } else { seed })),
        ("records that are held out are counted from 0 again", chunk(|_, of_its_kind, _, first| chunk_seed(&first, of_its_kind))),
        (
            "a chunk's number is added to the seed of the first",
            chunk(|i, _, _, mut first| {
                first[16] = first[16].wrapping_add(i as u8);
                first
            }),
        ),
        ("a chunk's seed is made of its number alone", chunk(|i, _, _, _| chunk_seed(&[0; 32], i))),
        (
            "chunks have half of their seed in common",
            chunk(|_, _, seed, first| std::array::from_fn(|i| if i < 16 { first[i] } else { seed[0] & 1 })),
        ),
        ("seeds are zeros", chunk(|_, _, _, _| [0; 32])),
    ]
}

/// Those of what is made of a chunk's seed, `labels` being its streams.
fn of_masks(labels: &[&'static str]) -> Vec<(String, Spoil)> {
    let mut all = vec![];
    let mut add = |name: String, tap: Arc<dyn Tap>| all.push((name, Spoil { tap: Some(tap), ..Spoil::default() }));
    add("an owner sends its chunk's own seed".into(), Arc::new(Itself));
    if labels.len() == 2 {
        add("s_1 is s_0".into(), Arc::new(Second(|first, _| first)));
        add("s_1 is s_0 but for a constant".into(), Arc::new(Second(|first, _| first.map(|b| b ^ 0x5a))));
        add("s_1 is a hash of s_0".into(), Arc::new(Second(|first, _| Sha256::digest(first).into())));
        add("s_1 is the chunk's own seed".into(), Arc::new(Second(|_, chunk| *chunk)));
    }
    for label in labels.iter().copied() {
        add(format!("{label}: zeros"), Arc::new(Changed { label, change: zero }));
        add(format!("{label}: neighbours share it"), Arc::new(Changed { label, change: whole }));
        add(format!("{label}: neighbours share its lower half"), Arc::new(Changed { label, change: lower_half }));
        add(format!("{label}: neighbours share its upper half"), Arc::new(Changed { label, change: upper_half }));
        add(format!("{label}: the same in every chunk"), Arc::new(OneStream(label)));
    }
    all
}

/// Those of who is sent what.
fn of_parts(suite: &str) -> Vec<(&'static str, Spoil)> {
    let parts = |parts| Spoil { parts, ..Spoil::default() };
    let mut all = vec![
        ("P0 is sent what P1 is sent, too", parts(|p| p[0] = [&p[0][..], &p[1]].concat())),
        ("P1 is sent what P0 is sent, too", parts(|p| p[1] = [&p[0][..], &p[1]].concat())),
        ("P2 is sent what P1 is sent, too", parts(|p| p[2] = [&p[1][..], &p[2]].concat())),
        (
            "P1 is sent the records",
            parts(|p| {
                let at = p[1].len() - 1;
                p[1][at] = Part::words(&vec![5; p[1][at].len()]);
            }),
        ),
    ];
    if suite == Masked::NAME {
        all.push(("P0 is sent P1's seed", parts(|p| p[0][0] = p[1][0].clone())));
        all.push(("P2 is sent one seed twice", parts(|p| p[2][1] = p[2][0].clone())));
    }
    all
}

fn every_sabotage_is_noticed<S: Suite>(labels: &[&'static str]) {
    let world = World::new();
    let wrong: Vec<String> = failures::<S>(&world, &Spoil::default()).into_iter().chain(seeds_together::<S>(&world)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let named = |(name, spoil): (&str, Spoil)| (name.to_owned(), spoil);
    let seeds = of_seeds().into_iter().chain(of_parts(S::NAME)).map(named);
    let (mut count, mut unnoticed) = (0, vec![]);
    for (name, spoil) in seeds.chain(of_masks(labels)) {
        let noticed = failures::<S>(&world, &spoil).into_iter().next();
        println!("{name}: {}", noticed.as_deref().unwrap_or("NOT NOTICED"));
        if noticed.is_none() {
            unnoticed.push(name);
        }
        count += 1;
    }
    println!("{}: {count} sabotages of owners", S::NAME);
    assert!(unnoticed.is_empty() && count >= 20, "of {count}: {unnoticed:#?}");
}

#[test]
fn every_sabotage_of_an_owner_in_masked_is_noticed() {
    every_sabotage_is_noticed::<Masked>(&["owner.s_0", "owner.s_1"]);
}

#[test]
fn every_sabotage_of_an_owner_in_securenn_is_noticed() {
    every_sabotage_is_noticed::<SecureNn>(&["owner.s_0"]);
}
