//! What a whole training is said to take is what three parties take who train it: from the preparation of the data to the last figures.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;
use trefoil_engine::Format;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_job::{SuiteName, plan};
use trefoil_mpc::securenn::Truncation;
use trefoil_mpc::{Id, Party, Seeds, Suite, simulate};
use trefoil_net::local;
use trefoil_nn::{Error, Graph, OptimiserKind, Schedule, Trainer, Training};
use trefoil_ring::Tensor;

/// P0's and P1's depth, whichever is larger, and bytes from each party to each other one.
type Spent = (u64, [[u64; 3]; 3]);

fn counted(trainer: &Trainer, suite: Chosen) -> Spent {
    let parties = simulate(1, |p| {
        // The party moves into its engine, and out again.
        let closed = local::network(Duration::ZERO).into_iter().next().unwrap();
        let idle = Party::new(p.id, closed, Seeds::insecure(p.id, 0));
        *p = suite.with(Whole(trainer, std::mem::replace(p, idle)));
        Ok(p.depth())
    });
    let [p0, p1, p2] = parties.map(|party| party.unwrap());
    (u64::from(p0.0.max(p1.0)), [p0.1.sent, p1.1.sent, p2.1.sent])
}

/// A party's part of a training on zeros: what it takes does not depend on values.
struct Whole<'a>(&'a Trainer, Party);

impl WithSuite for Whole<'_> {
    type Out = Party;

    fn run<S: Suite>(self, engine: impl Fn(Party) -> S) -> Party {
        let Whole(t, party) = self;
        let (id, mut e) = (party.id, engine(party));
        let matrix = |shape: [usize; 2], format: Format| {
            let zeros = Tensor::zeros(shape);
            let kept = S::accept(id, zeros.len(), &S::deal(&zeros, [shape[0] as u8; 32])[id.index()]).unwrap();
            e.input(shape, format, kept)
        };
        let records = t.training().records;
        let (train, test) = (t.data_of(records.train_rows, matrix), t.data_of(records.test_rows, matrix));
        let state = t.initial(&e).unwrap();
        if let Err(error) = t.train(&mut e, state, 0, &train, &test, &mut |_, _| Ok::<(), Error>(())) {
            panic!("{}: {error}", Id::ALL[id.index()]);
        }
        e.into_party()
    }
}

#[test]
fn a_whole_training_takes_what_is_planned() {
    // Rates whose powers change between epochs, and with them what is cut off gradients.
    let training = |rows: usize, batch: usize, epochs: u64| {
        Training::of(Graph::perceptron(&[8, 6, 3]), rows).unwrap().with(|t| {
            (t.spec.batch, t.spec.epochs, t.records.test_rows) = (batch, epochs, 7);
            (t.spec.lr, t.spec.lr_schedule) = (1.0 / 64.0, Schedule::Cosine);
        })
    };
    // Six, five, two and one step in an epoch.
    let best = training(40, 8, 3).with(|t| t.spec.keep = trefoil_nn::Keep::Best);
    let adam = training(32, 16, 3).with(|t| (t.spec.optimiser, t.spec.lr) = (OptimiserKind::Adam, 0.001));
    for training in [training(51, 8, 4), best, adam, training(16, 16, 3)] {
        let trainer = training.trainer().unwrap();
        for suite in [SuiteName::Masked, SuiteName::Securenn] {
            let suite = Chosen { suite, truncation: Truncation::Dealer };
            let whole = plan::whole(&trainer, suite).unwrap();
            let (steps, epochs) = (trainer.steps_per_epoch(), training.spec.epochs);
            assert_eq!((whole.rounds, whole.sent()), counted(&trainer, suite), "{suite:?}, {epochs} epochs of {steps} steps");
        }
    }
}
