//! Every drawn bit is consumed once: over a training with a checkpoint and a second session, and over the upload of its records.

use crate::common::Tested;
use crate::common::training::{Record, Spoil, run};
use std::collections::BTreeSet;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;

fn consumed_once<S: Tested>() {
    let record: Record = run::<S>(&Spoil::default());
    let wrong = record.twice();
    assert!(wrong.is_empty(), "{}: {wrong:#?}", S::NAME);
    // It was no idle run.
    let drawn: BTreeSet<&str> = record.parties.iter().flat_map(|r| r.labels()).map(|(label, _)| label).collect();
    println!("{}: {} labels, {} seeds sent", S::NAME, drawn.len(), record.sent.len());
    assert!(drawn.len() >= 15 && record.sent.len() >= 6 && record.kept.len() == 6);
}

#[test]
fn every_drawn_bit_is_consumed_once() {
    consumed_once::<SecureNn>();
    consumed_once::<Masked>();
}
