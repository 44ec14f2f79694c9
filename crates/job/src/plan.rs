//! What a training or a query takes, before anything runs: rounds, and bytes by link, layer and protocol, exact; and what the shares of a training
//! are in memory.
//!
//! The program itself runs on a suite's engine without values ([`trefoil_mpc::plan`]), so that nothing is derived here a second time.

use crate::suites::{Chosen, WithPlanner};
use trefoil_engine::Lane;
use trefoil_mpc::Price;
use trefoil_mpc::plan::held::{self, Held};
use trefoil_mpc::plan::{Books, Planner};
use trefoil_nn::{Error, Event, Result, Trainer};

/// What a training takes.
#[derive(Clone, Debug)]
pub struct TrainingPlan {
    /// Once, before the first step: what is prepared of the data.
    pub setup: Books,
    /// The first step, in which the weights are as they were put in.
    pub first: Books,
    /// A step after others of its epoch.
    pub step: Books,
    /// The figures after an epoch: loss, range checks and metric.
    pub figures: Books,
    /// Bytes that each party's shares of all records are.
    pub records: Held,
    /// The most bytes that each party's shares are at once up to the end of a step, records and protocols at work included.
    pub held_by_steps: Held,
    /// The same with the figures after an epoch.
    pub held: Held,
}

/// What queries take.
#[derive(Clone, Debug)]
pub struct QueryPlan {
    /// The first one, in which the weights are as they were put in.
    pub first: Books,
    /// Each later one.
    pub next: Books,
}

/// What this training takes on this suite.
///
/// # Errors
/// What does not fit.
pub fn training(trainer: &Trainer, suite: Chosen) -> Result<TrainingPlan> {
    let (plan, held) = held::most(|| suite.plan(OfTraining(trainer)));
    Ok(TrainingPlan { held, ..plan.ok_or_else(|| not_stated(suite))?? })
}

/// What this training takes in one of several lanes: a step's books have what the lane exchanges with the same lane of both other parties, and what the party's ranks say to one
/// another.
///
/// # Errors
/// What does not fit; the lanes do not fit the training, or the suite has none.
pub fn lane(trainer: &Trainer, suite: Chosen, lane: Lane) -> Result<TrainingPlan> {
    trainer.fits_lanes(lane.of)?;
    let (plan, held) = held::most(|| suite.plan_lane(lane, OfTraining(trainer)));
    let none = || Error::Config {
        what: "lanes",
        found: format!("{} with the suite {}", lane.of, suite.suite),
        expected: "one, or the suite masked".into(),
    };
    Ok(TrainingPlan { held, ..plan.ok_or_else(none)?? })
}

/// What a whole training takes: the preparation of its data, all steps, and the figures of all epochs. It is exact where all epochs are trained,
/// and at most that where patience may end them. Uploads and their checks are beside it, and what parties compare when a session begins and
/// at checkpoints.
///
/// # Errors
/// What does not fit.
pub fn whole(trainer: &Trainer, suite: Chosen) -> Result<Price> {
    let epochs = trainer.training().spec.epochs;
    (0..=epochs)
        .try_fold(Price::NONE, |sum, epoch| Ok(sum.then(suite.plan(OfEpoch(trainer, epoch)).ok_or_else(|| not_stated(suite))??)))
}

/// What queries of `rows` records each take on this suite.
///
/// # Errors
/// What does not fit.
pub fn query(trainer: &Trainer, suite: Chosen, rows: usize) -> Result<QueryPlan> {
    suite.plan(OfQuery(trainer, rows)).ok_or_else(|| not_stated(suite))?
}

fn not_stated(suite: Chosen) -> Error {
    let expected = "masked or securenn: what proofs take is not stated yet".into();
    Error::Config { what: "plan", found: format!("the suite {}", suite.suite), expected }
}

struct OfTraining<'a>(&'a Trainer);
/// The figures of the epoch before this one, or the preparation of the data where there is none, and this one's steps, if there are any.
struct OfEpoch<'a>(&'a Trainer, u64);
struct OfQuery<'a>(&'a Trainer, usize);

/// Steps that are run of an epoch, its first or its last ones: one that is the first, one after it, and one as all others.
const STEPS: u64 = 3;

/// Why the loop over steps ends.
enum End {
    Planned,
    Failed(trefoil_nn::Error),
}

impl From<trefoil_nn::Error> for End {
    fn from(e: trefoil_nn::Error) -> End {
        End::Failed(e)
    }
}

impl WithPlanner for OfTraining<'_> {
    type Out = Result<TrainingPlan>;

    fn run<E: Planner>(self, mut e: E) -> Self::Out {
        let t = self.0;
        let records = t.training().records;
        let of = |shape, format| e.dealt(shape, format);
        let (train, test) = (t.data_of(records.train_rows, of), t.data_of(records.test_rows, of));
        let shared = held::so_far();
        let state = t.state_of(|shape, format| e.secret(shape, format));
        let from = t.steps_per_epoch().saturating_sub(STEPS);
        let (mut at, mut first) = (Books::default(), None);
        let nothing = Books::default;
        let (setup, step, figures) = (nothing(), nothing(), nothing());
        let mut plan =
            TrainingPlan { setup, first: nothing(), step, figures, records: shared, held_by_steps: shared, held: shared };
        let end = t.train(&mut e, state, from, &train, &test, &mut |e, event| {
            let since = e.books() - &at;
            match event {
                Event::Statistics { .. } | Event::OpenedStatistics { .. } => return Ok(()),
                Event::Figures { .. } | Event::Opening { .. } | Event::Opened { .. } => return Ok(()),
                Event::Start => plan.setup = since,
                Event::Step { .. } => {
                    plan.first = first.get_or_insert_with(|| since.clone()).clone();
                    (plan.step, plan.held_by_steps) = (since, held::so_far());
                }
                Event::Epoch { .. } => {
                    plan.figures = since;
                    return Err(End::Planned);
                }
            }
            at = e.books().clone();
            Ok(())
        });
        match end {
            Err(End::Failed(e)) => Err(e),
            Err(End::Planned) | Ok(_) => Ok(plan),
        }
    }
}

impl WithPlanner for OfEpoch<'_> {
    type Out = Result<Price>;

    fn run<E: Planner>(self, mut e: E) -> Self::Out {
        let OfEpoch(t, epoch) = self;
        let (records, per_epoch) = (t.training().records, t.steps_per_epoch());
        let of = |shape, format| e.secret(shape, format);
        let (state, train, test) = (t.state_of(of), t.data_of(records.train_rows, of), t.data_of(records.test_rows, of));
        let (begin, last) = (epoch * per_epoch, (epoch + 1) * per_epoch);
        // What is left behind by the last steps of the epoch before is what all its steps leave behind.
        let from = begin.saturating_sub(STEPS.min(per_epoch));
        let (mut at, mut sum) = (Price::NONE, Price::NONE);
        let end = t.train(&mut e, state, from, &train, &test, &mut |e, event| {
            let since = e.books().total() - at;
            match event {
                Event::Statistics { .. } | Event::OpenedStatistics { .. } => return Ok(()),
                Event::Figures { .. } | Event::Opening { .. } | Event::Opened { .. } => return Ok(()),
                Event::Start if epoch > 0 => {}
                Event::Step { step, .. } if step <= begin => {}
                Event::Step { step, .. } if step == last || step - begin == STEPS => {
                    // The rate is an epoch's, and so is what a step takes after others.
                    sum += since.times(last - step + 1);
                    return Err(End::Planned);
                }
                Event::Start | Event::Step { .. } | Event::Epoch { .. } => sum += since,
            }
            at = e.books().total();
            Ok(())
        });
        match end {
            Err(End::Failed(e)) => Err(e),
            Err(End::Planned) | Ok(_) => Ok(sum),
        }
    }
}

impl WithPlanner for OfQuery<'_> {
    type Out = Result<QueryPlan>;

    fn run<E: Planner>(self, mut e: E) -> Self::Out {
        let OfQuery(t, rows) = self;
        let mut state = t.state_of(|shape, format| e.secret(shape, format));
        state.statistics = t.statistics_of(|shape, format| Ok(e.secret(shape, format)))?;
        let query = |e: &mut E| -> Result<Books> {
            let before = e.books().clone();
            let x = t.data_of(rows, |shape, format| e.secret(shape, format)).x;
            let x = t.standardised(e, &state, &x)?;
            let y = t.forward(e, &state, &x)?;
            // Whoever is sent the answer is sent whole numbers.
            e.settle(&[&y])?;
            Ok(e.books() - &before)
        };
        Ok(QueryPlan { first: query(&mut e)?, next: query(&mut e)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::SuiteName;
    use trefoil_mpc::securenn::Truncation;
    use trefoil_nn::{Graph, Training};

    fn chosen(suite: SuiteName) -> Chosen {
        Chosen { suite, truncation: Truncation::Dealer }
    }

    /// The figures of the README; that the transport counts them is a test of trefoil-mpc.
    #[test]
    fn a_step_of_the_papers_network_is_planned_in_no_time() {
        let network = Graph::perceptron(&[784, 256, 10]);
        let t = Training::of(network, 60_000).unwrap().with(|t| t.spec.batch = 128).trainer().unwrap();
        let plan = training(&t, chosen(SuiteName::Masked)).unwrap();
        let step = plan.step.total();
        assert!(step.rounds == 23 && (11_230_000..11_280_000).contains(&step.bytes()), "{step:?}");
        // Whole weights wait for nothing, and masked data is prepared as it is.
        assert!(plan.first.total().bytes() <= step.bytes() && plan.setup.total().bytes() == 0);
        assert!(plan.figures.total().bytes() > 0);
        // The data is opened once, under its mask.
        let plan = training(&t, chosen(SuiteName::Securenn)).unwrap();
        assert_eq!(plan.setup.total().bytes(), 60_000 * 784 * 16);
        assert!(["fc1", "relu1", "fc2", "softmax"].iter().all(|layer| plan.step.by_layer().contains_key(layer)));
    }

    /// What is held follows from the training: records stay, activations come and go with the batch.
    #[test]
    fn what_is_held_are_records_and_what_a_step_needs() {
        let held = |suite, rows: usize, batch: usize| {
            let t =
                Training::of(Graph::perceptron(&[784, 256, 10]), rows).unwrap().with(|t| t.spec.batch = batch).trainer().unwrap();
            let plan = training(&t, chosen(suite)).unwrap();
            let test = t.training().records.test_rows;
            assert!((0..3).all(|i| plan.records[i] <= plan.held_by_steps[i] && plan.held_by_steps[i] <= plan.held[i]));
            (plan.records, plan.held_by_steps, ((rows + test) * 794) as u64)
        };
        // Of masks each party has the seeds, and P2 has nothing else.
        let (records, small, values) = held(SuiteName::Masked, 1024, 128);
        assert_eq!(records, [8 * values, 8 * values, 0]);
        let (_, large, _) = held(SuiteName::Masked, 1024, 256);
        assert!((0..3).all(|i| large[i] > small[i] + 128 * (784 + 2 * 256) * 16));
        // Beside the records a step of so many takes what it takes.
        let (more, again, values) = held(SuiteName::Masked, 4096, 128);
        assert_eq!(more, [8 * values, 8 * values, 0]);
        assert!((0..3).all(|i| again[i] - more[i] == small[i] - records[i]));
        // P2 has no share of a record there.
        let (records, _, values) = held(SuiteName::Securenn, 1024, 128);
        assert_eq!(records, [8 * values, 8 * values, 0]);
    }

    #[test]
    fn later_queries_open_no_weights() {
        let t = Training::of(Graph::perceptron(&[784, 128, 128, 10]), 128).unwrap().trainer().unwrap();
        let plan = query(&t, chosen(SuiteName::Securenn), 1).unwrap();
        assert!(plan.first.total().bytes() > plan.next.total().bytes());
        let plan = query(&t, chosen(SuiteName::Masked), 1).unwrap();
        assert_eq!(plan.first, plan.next);
    }
}
