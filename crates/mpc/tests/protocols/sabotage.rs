//! Check 10: the table of sabotages, for both suites and for their owners.

use crate::common::sabotage::every_sabotage_is_noticed;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;

#[test]
fn every_sabotage_of_masked_is_noticed() {
    every_sabotage_is_noticed::<Masked>(&[]);
}

#[test]
fn every_sabotage_of_securenn_is_noticed() {
    every_sabotage_is_noticed::<SecureNn>(&[
        // P0 and P1 both know the mask, and P2 sees no share: it makes shares of a public value look random, and hides nothing.
        ("securenn.share.reshare: the same in every operation", "P0 and P1 know the mask"),
    ]);
}
