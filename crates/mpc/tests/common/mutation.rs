//! Check 10. Each mask that a suite draws is taken away in turn, at all three parties, and a privacy test must notice. The list of labels
//! is what a run drew. A test that no mutation can fail would be worth nothing, and neither would a mask that no test needs.

use super::Tested;
use super::privacy::{failures, given_own_randomness};
use super::programs::Input;
use super::views::labels;
use trefoil_mpc::Id;

/// Elements of a tensor, in whole blocks of 64.
const N: usize = 20_032;
/// Sessions in which one party's randomness is held fixed.
const SESSIONS: u64 = 100;

/// Every label that the suite's training draws is missed when it is gone, or `redundant` says why not.
pub fn every_mask_is_missed<S: Tested>(redundant: &[(&str, &str)]) {
    let drawn = labels(&|p| S::training(p, 3 << 16));
    let inputs =
        |n| [Id::P0, Id::P1].into_iter().flat_map(move |holder| [1, (1 << 62) - 1].map(|secret| Input { n, secret, holder }));
    let one = Input { n: 64, secret: 1, holder: Id::P0 };
    let own: Vec<_> = S::PROGRAMS.iter().map(|program| labels(&|p| (program.run)(p, one))).collect();
    assert!(own.iter().flatten().all(|label| drawn.contains(label)), "the training program calls every protocol");

    // What follows says something only if nothing is noticed while all masks are there.
    for input in inputs(N) {
        let noticed: Vec<String> = S::PROGRAMS.iter().flat_map(|program| failures(program, input, 5, None)).collect();
        assert!(noticed.is_empty(), "{noticed:#?}");
    }
    for label in &drawn {
        let programs = || S::PROGRAMS.iter().zip(&own).filter(|(_, own)| own.contains(label)).map(|(program, _)| program);
        let alone = || {
            programs().find_map(|program| inputs(N).find_map(|input| failures(program, input, 5, Some(label)).into_iter().next()))
        };
        let given = |party| {
            programs().find_map(|program| given_own_randomness(program, one, party, SESSIONS, Some(label)).into_iter().next())
        };
        let caught = alone().or_else(|| Id::ALL.into_iter().find_map(given));
        println!("{label}: {}", caught.as_deref().unwrap_or("nothing noticed"));
        let listed = redundant.iter().any(|(name, _)| name == label);
        assert!(caught.is_some() != listed, "{label}: noticed {caught:?}, listed as redundant: {listed}");
    }
    assert!(redundant.iter().all(|(name, _)| drawn.contains(name)), "the table names labels that are drawn");
}
