//! Check 10 on the masked suite.

mod common;

/// Masks that no test needs, with the argument why.
const REDUNDANT: [(&str, &str); 0] = [];

#[test]
fn every_mask_is_missed_when_it_is_gone() {
    common::mutation::every_mask_is_missed::<trefoil_mpc::masked::Masked>(&REDUNDANT);
}
