//! Check 11: sizes, number and order of messages depend on shapes, never on secrets. Check 12: no address is drawn twice.

use crate::common::Tested;
use crate::common::programs::Input;
use crate::common::views::{Program, taped};
use std::collections::HashSet;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Error, Id, Key, Pair, Party, Seeds, simulate};
use trefoil_net::{At, Ring};

/// What an observer of the traffic sees: sender, address, label, and ring and length of each tensor.
type Outline = Vec<(Id, At, u32, String, Vec<(Ring, usize)>)>;

fn outline(program: &Program<'_>) -> [Outline; 3] {
    taped(|id| Seeds::insecure(id, 1), program).map(|(frames, _)| {
        let line = |(from, f): (Id, trefoil_net::Frame)| {
            (from, f.at, f.depth, f.label.to_string(), f.parts.iter().map(|p| (p.ring(), p.len())).collect())
        };
        // Which of two peers' frames is taken first is the receiver's program; both links are compared.
        frames.into_iter().map(line).collect()
    })
}

fn traffic_depends_on_shapes<S: Tested>() {
    for program in S::PROGRAMS {
        let of = |secret, holder| outline(&|p: &mut Party| (program.run)(p, Input { holder, ..Input::of(100, secret) }));
        let first = of(0, Id::P0);
        for secret in [1, u64::MAX, (1 << 62) - 1] {
            assert!(first == of(secret, Id::P0) && first == of(secret, Id::P1), "{}", program.name);
        }
    }
    let first = outline(&|p: &mut Party| S::training(p, 0));
    assert!(first.iter().take(2).all(|outline| !outline.is_empty()));
    for secret in [1, u64::MAX, 5 << 16] {
        assert!(first == outline(&|p: &mut Party| S::training(p, secret)), "training");
    }
}

#[test]
fn traffic_does_not_depend_on_secrets() {
    traffic_depends_on_shapes::<SecureNn>();
    traffic_depends_on_shapes::<Masked>();
}

#[test]
fn an_address_is_drawn_once() {
    let got = simulate(1, |p| {
        if p.id == Id::P2 {
            return Ok(());
        }
        let op = p.op();
        p.draw(op, Pair::K01, "mask")?;
        p.draw(op, Pair::K01, "another")?;
        p.draw(op, Pair::K01, "mask").map(drop)
    });
    let error = got.into_iter().next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Reused { label: "mask", pair: Pair::K01, .. }));
    assert_eq!(error.to_string(), "step 0, operation 1: mask of K01 drawn twice");
}

#[test]
fn every_address_has_its_own_stream() {
    let [words, _, _] = simulate(1, |p| {
        let mut words = HashSet::new();
        if p.id == Id::P0 {
            for step in 1..4 {
                p.begin_step(step);
                for _ in 0..50 {
                    let op = p.op();
                    for (pair, label) in [(Pair::K01, "a"), (Pair::K01, "b"), (Pair::K02, "a")] {
                        words.extend(p.draw(op, pair, label)?.words(4));
                    }
                }
            }
        }
        Ok(words)
    });
    assert_eq!(words.unwrap().0.len(), 3 * 50 * 3 * 4);
}

#[test]
fn a_thousand_sessions_share_no_key() {
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        for _ in Pair::ALL {
            let (low, high) = (Key::fresh().unwrap(), Key::fresh().unwrap());
            let agreed = Key::agree(&low, &high);
            assert!(seen.insert(*low.bytes()) && seen.insert(*high.bytes()) && seen.insert(*agreed.bytes()));
        }
    }
}

#[test]
fn both_ends_agree_on_a_key_and_each_contribution_counts() {
    let [a, b, c] = [1, 2, 3].map(|i| Key::from_bytes([i; 32]));
    assert!(Key::agree(&a, &b) == Key::agree(&a, &b));
    assert!(Key::agree(&a, &b) != Key::agree(&a, &c) && Key::agree(&a, &b) != Key::agree(&c, &b));
}

#[test]
fn a_party_has_no_key_of_the_two_others() {
    let got = simulate(1, |p| {
        let op = p.op();
        let [a, b] = p.id.others();
        p.draw(op, Pair::of(a, b), "mask").map(drop)
    });
    for (id, error) in Id::ALL.into_iter().zip(got) {
        let [a, b] = id.others();
        assert_eq!(error.unwrap_err().to_string(), format!("{id} has no key {:?}", Pair::of(a, b)));
    }
}
