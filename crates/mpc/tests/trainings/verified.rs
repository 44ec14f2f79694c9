//! Whole trainings in which every message is claimed: honest ones are never rejected, and no change of a message is followed by an opening.

use crate::common::proofs::{Change, Fate, Tampered, fated, tampered};
use crate::common::{secret, with_engine};
use trefoil_engine::{Engine, Format, Product, fixed};
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::range::{Block, Range};
use trefoil_mpc::{Error, Id, Party, Result, Suite, simulate};
use trefoil_nn::{Data, Graph, Schedule, Trainer, Training};
use trefoil_ring::Tensor;

const INPUT: Format = Format::new(8, 0);
const ROWS: usize = 4;

fn trainer() -> Trainer {
    let training = Training::of(Graph::perceptron(&[3, 2, 2]), ROWS).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs) = (2, 4);
        (t.spec.lr, t.spec.lr_schedule) = (0.25, Schedule::Constant);
    });
    Trainer::new(training).unwrap()
}

fn data(e: &mut Verified, t: &Trainer) -> Data<<Verified as Engine>::Num> {
    let x = Tensor::from_shape_fn((ROWS, 3), |(i, j)| (i * 37 + j * 101) as u64 % 256);
    let y = ndarray::Array2::from_shape_fn((ROWS, 2), |(i, j)| f64::from(u8::from(i % 2 == j)));
    Data { x: secret(e, &x, INPUT, 1), y: secret(e, &fixed::encode(&y, t.label_format()).unwrap(), t.label_format(), 2) }
}

/// Some steps, and a weight of what comes out, opened.
fn steps(p: &mut Party, n: u64) -> Result<Option<f64>> {
    let t = trainer();
    with_engine::<Verified, _>(p, |e| {
        let all = data(e, &t);
        let start = t.initial(e)?;
        let state = e.drive(start, 0..n, |e, state, step| t.step(e, state, &all, step))?;
        Ok(e.open(&state.params[0])?.map(|w| w[[0, 0]]))
    })
}

/// The check of an upload, whose count all three are told.
fn check(p: &mut Party) -> Result<()> {
    with_engine::<Verified, _>(p, |e| {
        let id = e.party().id;
        let x = Tensor::from_shape_fn((2, 3), |(i, j)| u64::from(i == j));
        let kept = Verified::accept(id, x.len(), &Verified::deal(&x, [3; 32])[id.index()]).unwrap();
        let block = Block { owner: 0, shape: [2, 3], range: Range { bits: 1, signed: false }, one_hot: true, kept };
        assert_eq!(e.violations(&[1; 32], 1, &[block])?, [0]);
        Ok(())
    })
}

/// `TREFOIL_STEPS=10000 cargo test --release -p trefoil-mpc --test trainings honest_steps` is the long run.
#[test]
fn honest_steps_are_never_rejected() {
    let steps: u64 = std::env::var("TREFOIL_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    // Of so many each are proven together, and of few.
    for (seed, each) in [(1, 5), (2, 20)] {
        for seed in (0..steps.div_ceil(2 * each)).map(|i| 1000 * i + seed) {
            let ends = simulate(seed, |p| self::steps(p, each));
            let [a, b, c] = ends.map(|end| end.unwrap().0);
            assert!(a.is_some() && a == b && c.is_none());
        }
    }
}

/// Whoever has received the rest of an opening, or knows that all has been proven, may go on where the liar is silent to the other one: what it goes on with is right.
fn is_last(end: &Result<()>) -> bool {
    const LAST: [&str; 3] = ["verified.open", "verified.range.tell", "verified.gate"];
    matches!(end, Err(Error::Unexpected { label, .. } | Error::Net { label, .. }) if LAST.contains(label))
}

#[test]
fn nothing_is_opened_where_a_frame_is_replayed_truncated_or_withheld() {
    let mut tried = 0;
    for liar in Id::ALL {
        for (fate, every) in [(Fate::Replayed, 3), (Fate::Truncated, 3), (Fate::Withheld, 6)] {
            for which in (0..).step_by(every) {
                let Some(ends) = fated(liar, which, fate, |p| steps(p, 1).map(drop)) else { break };
                tried += 1;
                let noticed = liar.others().map(|id| ends[id.index()].is_err());
                let last = liar.others().iter().any(|id| is_last(&ends[id.index()]));
                assert!(noticed == [true; 2] || last && noticed.contains(&true), "{liar}, {fate:?} {which}: {ends:?}");
            }
        }
    }
    assert!(tried > 90, "{tried} frames");
}

/// A step, and what is kept of a weight, or given to its owner: all before is proven then.
fn given_away(p: &mut Party, keeps: bool) -> Result<()> {
    let t = trainer();
    with_engine::<Verified, _>(p, |e| {
        let all = data(e, &t);
        let start = t.initial(e)?;
        let state = e.drive(start, 0..1, |e, state, step| t.step(e, state, &all, step))?;
        match keeps {
            true => e.keep(&state.params[0]).map(drop)?,
            false => e.export(&state.params[0]).map(drop)?,
        }
        Ok(())
    })
}

#[test]
fn nothing_is_kept_or_given_away_after_any_change() {
    for keeps in [true, false] {
        let tried = none_is_opened(|p| given_away(p, keeps), 3);
        assert!(tried > 50, "{tried} changes");
    }
}

/// Products of so many numbers that their claims are proven beside the next operation, and waited for before the one after, with no opening.
fn large(p: &mut Party) -> Result<bool> {
    const N: usize = 220_000;
    with_engine::<Verified, _>(p, |e| {
        let x = secret(e, &Tensor::from_elem((1, N), 3), Format::new(8, 8), 1);
        let out = Format::new(8, 16);
        let [y] = e.products([Product::mul(&x, &x, out)])?;
        let proven = |e: &mut Verified| e.party().cost.entries.keys().any(|(_, label)| label.starts_with("proof."));
        let mut known = vec![proven(e)];
        for _ in 0..2 {
            e.products([Product::mul(&y, &x, Format::new(8, 24))])?;
            known.push(proven(e));
        }
        Ok(known == [false, false, true])
    })
}

#[test]
fn what_waits_is_proven_before_it_is_too_much() {
    for end in simulate(1, large) {
        assert!(end.unwrap().0);
    }
    for liar in Id::ALL {
        let lie = Tampered { liar, which: 0, change: Change::TopBit, goes_on: true };
        let ends = tampered(&lie, |p| large(p).map(drop)).unwrap();
        for id in liar.others() {
            assert!(matches!(&ends[id.index()], Err(Error::Rejected { prover, .. }) if *prover == liar), "{id}: {ends:?}");
        }
    }
}

/// Every tensor that a party sends is changed once, in ways that take turns: no honest party goes on to the end, but for who is sent another's mask that is right.
fn none_is_opened(program: impl Fn(&mut Party) -> Result<()> + Sync, every: usize) -> usize {
    let mut tried = 0;
    for liar in Id::ALL {
        for which in (0..).step_by(every) {
            let lie = |change, goes_on| Tampered { liar, which, change, goes_on };
            let changes = [Change::PlusOne, Change::TopBit, Change::AnyBit];
            let honest = lie(changes[which / every % 3], (which / every).is_multiple_of(2));
            // What is said is counted over fewer messages than what is sent.
            let Some(ends) = tampered(&honest, &program) else {
                if honest.goes_on && tampered(&lie(Change::PlusOne, false), &program).is_some() {
                    continue;
                }
                break;
            };
            tried += 1;
            let noticed = liar.others().map(|id| ends[id.index()].is_err());
            let of_opening = liar.others().into_iter().any(|id| is_last(&ends[id.index()]));
            assert!(noticed == [true; 2] || of_opening && noticed.contains(&true), "{honest:?}: {ends:?}");
        }
    }
    tried
}

#[test]
fn nothing_is_opened_after_any_change_in_a_step() {
    let tried = none_is_opened(|p| steps(p, 1).map(drop), 2);
    assert!(tried > 80, "{tried} changes");
}

#[test]
fn no_change_in_the_check_of_an_upload_escapes() {
    let tried = none_is_opened(check, 1);
    assert!(tried > 30, "{tried} changes");
}
