//! Joint views of every protocol of both suites, and of what an owner sends: uniform together, and not only one by one.

use crate::common::joint::failures;
use crate::common::training::Spoil;
use crate::common::{Tested, owner};
use trefoil_mpc::Id;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;

/// The largest number that a comparison takes; the table of sabotages begins with the same for a small one.
const SECRET: u64 = (1 << 62) - 1;

fn all_is_uniform_together<S: Tested>() {
    for program in S::PROGRAMS {
        for party in Id::ALL {
            let wrong = failures(program, party, SECRET, None);
            assert!(wrong.is_empty(), "{} and {} more", wrong[..wrong.len().min(20)].join("\n"), wrong.len().saturating_sub(20));
        }
    }
}

#[test]
fn all_that_a_party_receives_in_masked_is_uniform_together() {
    all_is_uniform_together::<Masked>();
}

#[test]
fn all_that_a_party_receives_in_securenn_is_uniform_together() {
    all_is_uniform_together::<SecureNn>();
}

#[test]
fn all_that_an_owner_sends_is_uniform_together() {
    for wrong in [owner::failures::<Masked>(&Spoil::default()), owner::failures::<SecureNn>(&Spoil::default())] {
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
