//! Check 10. Each mask that the suite draws is taken away in turn, at all three parties, and a privacy test must notice. The list of labels
//! is what a run drew. A test that no mutation can fail would be worth nothing, and neither would a mask that no test needs.

mod common;

use common::privacy::failures;
use common::programs::{Input, PROGRAMS, training};
use common::views::labels;
use trefoil_mpc::Id;

/// Elements of a tensor, in whole blocks of 64.
const N: usize = 20_032;

/// Masks that no test needs, with the argument why.
const REDUNDANT: [(&str, &str); 0] = [];

#[test]
fn every_mask_is_missed_when_it_is_gone() {
    let drawn = labels(&|p| training(p, 3 << 16));
    let inputs =
        |n| [Id::P0, Id::P1].into_iter().flat_map(move |holder| [1, (1 << 62) - 1].map(|secret| Input { n, secret, holder }));
    let own: Vec<_> =
        PROGRAMS.iter().map(|program| labels(&|p| (program.run)(p, Input { n: 64, secret: 1, holder: Id::P0 }))).collect();
    assert!(own.iter().flatten().all(|label| drawn.contains(label)), "the training program calls every protocol");

    // What follows says something only if nothing is noticed while all masks are there.
    for input in inputs(N) {
        let noticed: Vec<String> = PROGRAMS.iter().flat_map(|program| failures(program, input, 5, None)).collect();
        assert!(noticed.is_empty(), "{noticed:#?}");
    }
    for label in &drawn {
        let programs = || PROGRAMS.iter().zip(&own).filter(|(_, own)| own.contains(label)).map(|(program, _)| program);
        let caught = programs()
            .find_map(|program| inputs(N).find_map(|input| failures(program, input, 5, Some(label)).into_iter().next()));
        println!("{label}: {}", caught.as_deref().unwrap_or("nothing noticed"));
        let redundant = REDUNDANT.iter().any(|(name, _)| name == label);
        assert!(caught.is_some() != redundant, "{label}: noticed {caught:?}, listed as redundant: {redundant}");
    }
    assert!(REDUNDANT.iter().all(|(name, _)| drawn.contains(name)), "the table names labels that are drawn");
}
