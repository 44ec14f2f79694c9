//! Statistics of columns and the standardisation by them, as a program whose views are tested: what a party receives is uniform and tells
//! no two secrets apart; and a mask that is gone is noticed.

use crate::common::privacy::{differences, views};
use crate::common::programs::{End, Input};
use crate::common::taps::{Changed, zero};
use crate::common::views::Field;
use crate::common::{Tested, secret, with_engine};
use std::collections::HashSet;
use std::sync::Arc;
use trefoil_engine::Format;
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::tap::Tap;
use trefoil_mpc::{Party, Result};
use trefoil_nn::{Gaps, Scaling, Statistics};
use trefoil_ring::Tensor;

/// Values, in columns of two, so that no message is too short to be counted.
const N: usize = 4_096;

/// Different values of a message with copies that are looked at.
const COPIED: usize = 900;

/// Nothing, a step, and the least and the largest value that there may be.
const SECRETS: [i64; 4] = [0, 1, -4_096_000, 4_096_000];

fn statistics<S: Tested>(p: &mut Party, x: Input, gaps: bool) -> Result<End> {
    with_engine::<S, _>(p, |e| {
        let w = secret(e, &Tensor::from_elem((2, x.n / 2), x.secret), Format::new(12, 10), 1);
        // Every other column by its range.
        let by: Vec<Scaling> = (0..x.n / 2).map(|i| if i % 2 == 0 { Scaling::Deviation } else { Scaling::Range }).collect();
        // Some by their deviation may lack values: whether they do is secret, too. These stand for so many that no message is too short.
        let columns: Vec<usize> = (0..x.n / 2).step_by(2).collect();
        let lacks = Tensor::from_elem((2, columns.len()), u64::from(x.secret == 0));
        let missing = secret(e, &lacks, Format { frac: 0, bits: 1 }, 2);
        let gaps = gaps.then_some(Gaps { columns, missing });
        let of = Statistics::of_present(e, &w, &by, gaps.as_ref())?;
        let z = of.standardise_present(e, &w, gaps.as_ref(), Format::new(12, 3))?;
        // What waits to be finished is part of what is seen.
        e.settle(&[&z])
    })?;
    Ok(vec![])
}

/// Quantiles of few values in few columns, of which some or none may be missing: each is compared many times.
fn quantiles<S: Tested>(p: &mut Party, x: Input, gaps: bool) -> Result<End> {
    with_engine::<S, _>(p, |e| {
        let w = secret(e, &Tensor::from_elem((4, x.n / 4), x.secret), Format::new(12, 10), 1);
        let columns: Vec<usize> = (0..x.n / 4).collect();
        let lacks = Tensor::from_elem((4, columns.len()), u64::from(x.secret == 0));
        let missing = secret(e, &lacks, Format { frac: 0, bits: 1 }, 2);
        let gaps = gaps.then_some(Gaps { columns, missing });
        let of = Statistics::of_present(e, &w, &vec![Scaling::Quantiles; x.n / 4], gaps.as_ref())?;
        e.settle(&[&of.mean, &of.inverse])
    })?;
    Ok(vec![])
}

#[test]
fn quantiles_show_nothing() {
    fn of<S: Tested>([a, b]: [i64; 2], gaps: bool) {
        let seen = |secret: i64, seed| once(views(|p| quantiles::<S>(p, Input::of(N, secret as u64), gaps), seed, None));
        let wrong = differences(&seen(a, 3), &seen(b, 4));
        assert!(wrong.is_empty(), "{}, values missing: {gaps}: {wrong:#?}", S::NAME);
    }
    of::<Masked>([SECRETS[2], SECRETS[3]], false);
    of::<SecureNn>([SECRETS[2], SECRETS[3]], false);
    // All values are missing, and none.
    of::<Masked>([SECRETS[0], SECRETS[1]], true);
}

/// Where copies of a number wait to be finished, each is sent alike: it counts once.
fn once(mut all: Vec<Field>) -> Vec<Field> {
    for field in all.iter_mut().filter(|field| field.name.contains("masked.lift")) {
        let mut known = HashSet::new();
        field.values.retain(|v| known.insert(*v));
        field.values.truncate(COPIED);
    }
    all
}

/// Everything that the three see.
fn seen<S: Tested>(secret: i64, seed: u64, gaps: bool, tap: Option<&Arc<dyn Tap>>) -> Vec<Field> {
    once(views(|p| statistics::<S>(p, Input::of(N, secret as u64), gaps), seed, tap))
}

/// No view tells records apart; and one does without the masks of these labels.
fn hides_everything<S: Tested>(hiding: &[&'static str]) {
    // Whether a value is missing is told by nothing, either.
    for (two, gaps) in SECRETS.windows(2).map(|two| (two, false)).chain([(&SECRETS[..2], true)]) {
        let wrong = differences(&seen::<S>(two[0], 3, gaps, None), &seen::<S>(two[1], 4, gaps, None));
        assert!(wrong.is_empty(), "{}, {two:?}, values missing: {gaps}: {wrong:#?}", S::NAME);
    }
    for label in hiding {
        let tap: Arc<dyn Tap> = Arc::new(Changed { label, change: zero });
        let noticed = differences(&seen::<S>(SECRETS[2], 3, false, Some(&tap)), &seen::<S>(SECRETS[3], 4, false, Some(&tap)));
        assert!(!noticed.is_empty(), "{}: nobody notices that {label} is gone", S::NAME);
    }
}

#[test]
fn statistics_of_masked_show_nothing() {
    hides_everything::<Masked>(&["masked.and.monomial_0", "masked.drelu.onehot_1"]);
}

#[test]
fn statistics_of_securenn_show_nothing() {
    hides_everything::<SecureNn>(&[
        "securenn.matmul.A_0",
        "securenn.matmul.A_1",
        "securenn.share_convert.r_0",
        "securenn.share_convert.r_1",
    ]);
}
