//! One body, every engine in the clear: steps against the reference, whole trainings, sabotage, and how a training ends.

use crate::common::{blobs, config, curve, noise, one_hot, params, regression};
use crate::reference::Reference;
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float, Format, Index};
use trefoil_nn::graph::Form;
use trefoil_nn::graph::{Kind, Node};
use trefoil_nn::layers::{BatchNorm, Constant, Dropout, Linear};
use trefoil_nn::{
    Data, Error, Event, Graph, Loss, Metric, Model, Open, OptimiserKind, Schedule, Shape, SoftmaxKind, State, TrainSpec, Trainer,
    Training,
};

fn data<E: Engine>(e: &E, t: &Trainer, x: &Array2<f64>, labels: &[usize]) -> Data<E::Num> {
    t.data(e, x, &one_hot(labels, t.network().outputs())).unwrap()
}

/// Trains on blobs; the accuracy on others, and the losses by epoch.
fn accuracy<E: Engine>(e: &mut E, config: Training, labels: impl Fn(usize) -> usize) -> Result<(f64, Vec<f64>), Error> {
    let t = Trainer::new(config)?;
    let (x, y) = blobs(t.training().records.train_rows, 7);
    let train = data(e, &t, &x, &y.iter().enumerate().map(|(i, _)| labels(i)).collect::<Vec<_>>());
    let (x, y) = blobs(300, 8);
    let test = data(e, &t, &x, &y);
    let (mut last, mut losses) = (0.0, Vec::new());
    let start = t.initial(e)?;
    t.train(e, start, 0, &train, &test, &mut |_, event| {
        if let Event::Epoch { loss, metric, .. } = event {
            losses.push(loss.unwrap());
            last = metric.unwrap();
        }
        Ok::<(), Error>(())
    })?;
    Ok((last, losses))
}

#[test]
fn the_reference_has_the_gradients_of_its_loss() {
    let y = [one_hot(&[0, 1, 2, 0, 1, 2, 0, 1], 3), noise(8, 1, 4), noise(8, 1, 5).mapv(|v| f64::from(u8::from(v > 0.5)))];
    for (loss, y) in [Loss::default(), Loss::SquaredError, Loss::BinaryCrossEntropy].into_iter().zip(y) {
        let n = y.ncols();
        let shapes = [(5, 6), (1, 5), (4, 5), (1, 4), (n, 4), (1, n)];
        let params = shapes.iter().enumerate().map(|(i, &(m, n))| noise(m, n, 20 + i as u64) - 0.5).collect();
        gradients_are_those_of_the_loss(Reference::new(params, loss), &noise(8, 6, 3), &y);
    }
}

fn gradients_are_those_of_the_loss(mut r: Reference, x: &Array2<f64>, y: &Array2<f64>) {
    // The loss that is reported has no factor 1/2.
    let factor = if r.loss == Loss::SquaredError { 2.0 } else { 1.0 };
    let gradients = r.gradients(x, y);
    for (k, g) in gradients.iter().enumerate() {
        for (at, g) in g.indexed_iter() {
            let h = 1e-6;
            r.params[k][at] += h;
            let above = r.loss(x, y);
            r.params[k][at] -= 2.0 * h;
            let below = r.loss(x, y);
            r.params[k][at] += h;
            assert!(((above - below) / (2.0 * h) - factor * g).abs() < 1e-7, "parameter {k} {at:?}");
        }
    }
}

/// Steps on one batch, and the loss after them. Checks gradients, momentum, batch order and the learning rate at once.
fn follows_the_reference<E: Engine>(e: &mut E, momentum: f64, steps: u64, within: f64) {
    let labels: Vec<usize> = (0..16).map(|i| (i * i) % 3).collect();
    let c = config(&[6, 12, 5, 3], 16, 16).with(|t| {
        t.spec.momentum = momentum;
        t.spec.epochs = steps;
        (t.spec.lr, t.spec.lr_schedule) = (0.25, Schedule::Constant);
    });
    follows(e, c, &noise(16, 6, 3), &one_hot(&labels, 3), within);
}

fn follows<E: Engine>(e: &mut E, c: Training, x: &Array2<f64>, y: &Array2<f64>, within: f64) {
    let (steps, lr) = (c.spec.epochs, c.spec.rate(0));
    let t = Trainer::new(c).unwrap();
    let all = t.data(e, x, y).unwrap();
    let mut state = t.initial(e).unwrap();
    let mut reference = Reference::new(params(e, &state), t.loss_kind());
    for step in 0..steps {
        t.step(e, &mut state, &all, step).unwrap();
        reference.step(x, y, lr, [t.training().spec.momentum, t.training().spec.weight_decay]);
    }
    for (got, want) in params(e, &state).iter().zip(&reference.params) {
        let worst = (got - want).iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(worst < within, "{worst:e} after {steps} steps");
    }
    let loss = t.loss(e, &state, &all).unwrap().unwrap();
    assert!((loss - reference.loss(x, y)).abs() < 10.0 * within + 1e-3);
}

#[test]
fn steps_are_those_of_the_reference() {
    follows_the_reference(&mut Float, 0.0, 1, 1e-7);
    follows_the_reference(&mut Fixed::default(), 0.0, 1, 3e-5);
    // Rounding errors grow with the steps, by the ReLUs that they flip.
    follows_the_reference(&mut Float, 0.9, 50, 1e-3);
    follows_the_reference(&mut Fixed::default(), 0.9, 10, 1e-3);
    follows_the_reference(&mut Fixed::default(), 0.9, 50, 5e-2);
}

/// Weights and biases decay, with and without momentum.
#[test]
fn decay_is_that_of_the_reference() {
    fn run<E: Engine>(e: &mut E, momentum: f64, within: f64) {
        let labels: Vec<usize> = (0..16).map(|i| (i * i) % 3).collect();
        let c = config(&[6, 12, 5, 3], 16, 16).with(|t| {
            (t.spec.momentum, t.spec.weight_decay, t.spec.epochs) = (momentum, 0.125, 10);
        });
        follows(e, c, &noise(16, 6, 3), &one_hot(&labels, 3), within);
    }
    for momentum in [0.0, 0.9] {
        run(&mut Float, momentum, 1e-4);
        run(&mut Fixed::default(), momentum, 1e-3);
    }
    let refused = |decay, lr| {
        let t = config(&[6, 3], 16, 16).with(|t| (t.spec.weight_decay, t.spec.lr) = (decay, lr));
        t.trainer().unwrap_err().to_string()
    };
    assert!(refused(2.0, 0.1).contains("weight decay: found 2, expected 0 to 1"));
    assert!(refused(1e-6, 0.1).contains("as their product"));
}

/// The case `06-cosine-rate-refused` of the data crate: the last epochs of a schedule go at the smallest rate that there is, where they would go below it; a rate that is written does not.
#[test]
fn rates_that_nobody_wrote_are_floored() {
    let cosine = config(&[784, 128, 128, 10], 128, 128).with(|t| {
        (t.spec.lr, t.spec.lr_schedule, t.spec.epochs) = (0.001, Schedule::Cosine, 100);
    });
    assert!(cosine.trainer().is_ok());
    for (lr, epochs) in [(0.001, 30), (0.01, 75), (0.05, 250), (0.05, 400)] {
        let c = config(&[30, 16, 2], 64, 32).with(|t| {
            (t.spec.lr, t.spec.lr_schedule, t.spec.epochs) = (lr, Schedule::Cosine, epochs);
        });
        assert!(c.trainer().is_ok(), "{lr} {epochs}");
    }
    let written = cosine.with(|t| t.spec.lr_schedule = "0.001,0.0000002@100".parse().unwrap());
    assert!(written.trainer().unwrap_err().to_string().contains("learning rate"));
    let ramp = config(&[6, 3], 16, 16).with(|t| (t.spec.lr, t.spec.warmup) = (0.5, 4)).spec;
    assert_eq!((0..5).map(|e| ramp.rate(e)).collect::<Vec<_>>(), [0.1, 0.2, 0.3, 0.4, 0.5]);
}

#[test]
fn steps_of_a_regression_are_those_of_the_reference() {
    let (x, y) = curve(32, 3);
    let c = |momentum, epochs| {
        regression(&[12, 5], 32).with(|t| {
            t.spec.momentum = momentum;
            t.spec.epochs = epochs;
        })
    };
    follows(&mut Float, c(0.0, 1), &x, &y, 1e-4);
    follows(&mut Fixed::default(), c(0.0, 1), &x, &y, 1e-4);
    follows(&mut Float, c(0.9, 50), &x, &y, 1e-3);
    follows(&mut Fixed::default(), c(0.9, 50), &x, &y, 1e-2);
}

#[test]
fn a_separable_problem_is_learnt() {
    for softmax in [SoftmaxKind::Exact, SoftmaxKind::Asm] {
        for sizes in [&[8, 3][..], &[8, 16, 3], &[8, 16, 16, 3]] {
            let c = config(sizes, 600, 16).with(|t| {
                t.spec.softmax = softmax;
                t.spec.epochs = 6;
            });
            let (float, losses) = accuracy(&mut Float, c.clone(), |i| i % 3).unwrap();
            let (fixed, _) = accuracy(&mut Fixed::default(), c, |i| i % 3).unwrap();
            println!("{softmax:?} {sizes:?}: float {float}, fixed {fixed}, losses {losses:.3?}");
            assert!(float > 0.95 && fixed > 0.95 && (float - fixed).abs() < 0.02);
        }
    }
}

#[test]
fn other_fraction_bits_work_as_well() {
    for fraction_bits in [10, 13, 18, 20] {
        let (fixed, _) = accuracy(
            &mut Fixed::default(),
            config(&[8, 16, 3], 600, 16).with(|t| {
                t.spec.fraction_bits = Some(fraction_bits);
            }),
            |i| i % 3,
        )
        .unwrap();
        assert!(fixed > 0.95, "{fraction_bits} fraction bits: {fixed}");
    }
}

#[test]
fn sabotage_leaves_chance() {
    fn run<E: Engine>(e: &mut E) {
        let c = || config(&[8, 16, 3], 600, 16);
        let labels = noise(600, 1, 99);
        let (shuffled, _) = accuracy(e, c(), |i| (labels[[i, 0]] * 256.0) as usize % 3).unwrap();
        let (idle, _) = accuracy(
            e,
            c().with(|t| {
                (t.spec.lr, t.spec.lr_schedule) = (0.0, Schedule::Constant);
            }),
            |i| i % 3,
        )
        .unwrap();
        assert!(shuffled < 0.75 && idle < 0.75, "shuffled labels {shuffled}, rate 0 {idle}");
        // A zeroed layer makes all records alike.
        let t = Trainer::new(c()).unwrap();
        let mut state = t.initial(e).unwrap();
        state.params[2] = e.public(&Array2::zeros((3, 16)), t.scales().weight).unwrap();
        let (x, y) = blobs(300, 8);
        let test = data(e, &t, &x, &y);
        assert_eq!(t.evaluate(e, &state, &test, 77).unwrap(), Some(100));
    }
    run(&mut Float);
    run(&mut Fixed::default());
}

#[test]
fn a_training_resumes_where_it_stopped() {
    let (x, y) = blobs(60, 7);
    resumes(
        &config(&[8, 5, 3], 60, 16).with(|t| {
            t.spec.epochs = 2;
        }),
        &x,
        &one_hot(&y, 3),
        3,
    );
    // Running values are part of the state, and a step's zeros follow from its number.
    let ops = [
        Kind::Linear(Linear { outputs: 5 }),
        Kind::BatchNorm(BatchNorm::default()),
        Kind::Dropout(Dropout { p: Constant(0.25) }),
        Kind::Linear(Linear { outputs: 3 }),
    ];
    let network = Graph { input: Shape::Flat(8), nodes: ops.into_iter().map(Node::new).collect() };
    let t = config(&[8, 5, 3], 60, 16).with(|t| (t.spec.epochs, t.spec.network) = (2, Some(Form::Graph(network))));
    resumes(&t, &x, &one_hot(&y, 3), 3);
    let adam = t.clone().with(|t| (t.spec.optimiser, t.spec.lr, t.spec.clip) = (OptimiserKind::Amsgrad, 0.01, Some(0.5)));
    resumes(&adam, &x, &one_hot(&y, 3), 3);
    let (x, y) = curve(60, 7);
    resumes(
        &regression(&[5], 60).with(|t| {
            t.spec.epochs = 2;
        }),
        &x,
        &y,
        1,
    );
}

/// From every step's state, training ends at the same weights and velocities, bit for bit, and reports the same figures.
fn resumes(c: &Training, x: &Array2<f64>, y: &Array2<f64>, steps_per_epoch: u64) {
    let t = Trainer::new(c.clone()).unwrap();
    let steps = 2 * steps_per_epoch;
    assert_eq!((t.steps_per_epoch(), t.total_steps()), (steps_per_epoch, steps));
    let e = &mut Fixed::default();
    let all = t.data(e, x, y).unwrap();
    let end = |e: &mut Fixed, state: State<_>| {
        let kept: Vec<_> = state.kept.iter().map(|u| e.open(u).unwrap().unwrap()).collect();
        assert!(!kept.is_empty());
        (params(e, &state), kept)
    };
    let start = t.initial(e).unwrap();
    let (mut states, mut figures) = (vec![(0, start.clone())], Vec::new());
    let last = t.train(e, start, 0, &all, &all, &mut |_, event| {
        match event {
            Event::Step { step, state, .. } => states.push((step, state.clone())),
            Event::Epoch { epoch, loss, metric, .. } => figures.push((epoch, loss.unwrap(), metric.unwrap())),
            Event::Start | Event::Statistics { .. } | Event::OpenedStatistics { .. } => {}
            Event::Figures { .. } | Event::Opening { .. } | Event::Opened { .. } => {}
        }
        Ok::<(), Error>(())
    });
    let want = end(e, last.unwrap());
    assert_eq!(states.len() as u64, steps + 1);
    for (step, state) in states {
        let mut again = Vec::new();
        let last = t.train(e, state, step, &all, &all, &mut |_, event| {
            if let Event::Epoch { epoch, loss, metric, .. } = event {
                again.push((epoch, loss.unwrap(), metric.unwrap()));
            }
            Ok::<(), Error>(())
        });
        assert_eq!(end(e, last.unwrap()), want, "from step {step}");
        assert_eq!(again, figures[(step / steps_per_epoch) as usize..], "from step {step}");
    }
}

/// Whoever keeps an epoch's figures closed hears nothing of it; the training is the same, and one that has gone astray is found at the
/// next epoch that is open.
#[test]
fn figures_stay_closed_where_the_caller_says_so() {
    let e = &mut Fixed::default();
    let (x, y) = blobs(60, 7);
    let mut train = |t: &Trainer, closed: &[u64], start: State<_>| {
        let all = data(e, t, &x, &y);
        let mut seen = Vec::new();
        let end = t.train(e, start, 0, &all, &all, &mut |_, event| {
            match event {
                Event::Figures { epoch, open } => *open = !closed.contains(&epoch),
                Event::Epoch { epoch, loss, metric, checked, .. } => seen.push((epoch, loss.zip(metric).is_some(), checked)),
                _ => {}
            }
            Ok::<(), Error>(())
        });
        (end.map(|state| params(e, &state)), seen)
    };
    let t = Trainer::new(config(&[8, 5, 3], 60, 16).with(|t| {
        t.spec.epochs = 4;
    }))
    .unwrap();
    let start = t.initial(&Fixed::default()).unwrap();
    let (open, seen) = train(&t, &[], start.clone());
    assert_eq!(seen, [1, 2, 3, 4].map(|epoch| (epoch, true, true)));
    let (closed, seen) = train(&t, &[2, 4], start);
    assert_eq!(seen, [(1, true, true), (2, false, false), (3, true, true), (4, false, false)]);
    assert_eq!(open.unwrap(), closed.unwrap());

    // Weights that only the check of the range finds.
    let schedule = "0,0@2".parse::<Schedule>().unwrap();
    let t = Trainer::new(config(&[8, 16, 3], 60, 16).with(|t| {
        t.spec.epochs = 4;
        t.spec.lr_schedule = schedule;
        t.spec.momentum = 0.0;
    }))
    .unwrap();
    let (fixed, format) = (Fixed::default(), t.scales().weight);
    let mut astray = t.initial(&fixed).unwrap();
    let w = Array2::from_shape_fn((3, 16), |(i, _)| 8.0 * i as f64);
    astray.params[2] = fixed.claim(&fixed.public(&w, Format { bits: 40, ..format }).unwrap(), format.bits);
    for closed in [&[][..], &[1], &[1, 2, 3]] {
        let (end, seen) = train(&t, closed, astray.clone());
        let next = closed.len() as u64 + 1;
        assert!(matches!(end, Err(Error::Weights { epoch, .. }) if epoch == next), "{end:?}");
        assert_eq!(seen.len(), closed.len());
    }
}

#[test]
fn the_callers_error_stops_a_training() {
    let t = Trainer::new(config(&[8, 5, 3], 60, 16).with(|t| {
        t.spec.epochs = 2;
    }))
    .unwrap();
    let e = &mut Fixed::default();
    let (x, y) = blobs(60, 7);
    let all = data(e, &t, &x, &y);
    let start = t.initial(e).unwrap();
    // The caller's error comes back as it is, right after the step.
    #[derive(Debug)]
    enum Caller {
        Stop(u64),
        Nn,
    }
    impl From<Error> for Caller {
        fn from(_: Error) -> Caller {
            Caller::Nn
        }
    }
    let stopped = t.train(e, start, 0, &all, &all, &mut |_, event| match event {
        Event::Step { step: 4, .. } => Err(Caller::Stop(4)),
        _ => Ok(()),
    });
    assert!(matches!(stopped, Err(Caller::Stop(4))));
}

#[test]
fn divergence_ends_a_training_and_names_the_place() {
    // The loss, where nothing else notices; the weights, where the loss is small; a product that leaves its range.
    fn run<E: Engine>(e: &mut E, weight: f64, lr: f64) -> Error {
        let schedule = format!("0,{lr}@2").parse::<Schedule>().unwrap();
        let t = Trainer::new(config(&[8, 16, 3], 600, 16).with(|t| {
            t.spec.lr_schedule = schedule;
            t.spec.momentum = 0.0;
        }))
        .unwrap();
        let (x, y) = blobs(600, 7);
        let all = data(e, &t, &x, &y);
        let mut state = t.initial(e).unwrap();
        let format = t.scales().weight;
        let w = e.public(&Array2::from_shape_fn((3, 16), |(i, _)| weight * i as f64), Format { bits: 40, ..format }).unwrap();
        state.params[2] = e.claim(&w, format.bits);
        t.train(e, state, 0, &all, &all, &mut |_, _| Ok::<(), Error>(())).err().unwrap()
    }
    assert!(matches!(run(&mut Float, 1000.0, 0.0), Error::Diverged { epoch: 1, .. }));
    let error = run(&mut Fixed::default(), 8.0, 0.0);
    assert!(matches!(error, Error::Weights { epoch: 1, blocks: 4, .. }), "{error}");
    let error = run(&mut Fixed::default(), 2.0, 4.0).to_string();
    assert!(error.starts_with("epoch 2, step ") && error.contains("out of range"), "{error}");
}

#[test]
fn weights_out_of_range_are_counted() {
    fn run<E: Engine>(e: &mut E) {
        let t = Trainer::new(config(&[8, 16, 3], 600, 16)).unwrap();
        let mut state = t.initial(e).unwrap();
        assert_eq!(t.weights_out_of_range(e, &state).unwrap(), Some(0));
        let weight = t.scales().weight;
        for (value, blocks) in [(9.0, 0), (-9.0, 0), (15.9, 0), (-15.9, 0), (16.01, 3), (-17.5, 3), (40.0, 3)] {
            // One in each of two blocks of fc1, and one in the last and shorter block of fc2's bias.
            let mut w = Array2::zeros((16, 8));
            (w[[0, 0]], w[[15, 7]]) = (value, value);
            let wide = Format { bits: 40, ..weight };
            let public = |e: &E, w: &Array2<f64>| e.claim(&e.public(w, wide).unwrap(), weight.bits);
            state.params[0] = public(e, &w);
            state.params[3] = public(e, &Array2::from_shape_vec((1, 3), vec![0.0, 0.0, value]).unwrap());
            let found = t.weights_out_of_range(e, &state).unwrap();
            assert_eq!(found, Some(blocks), "{value}");
        }
    }
    run(&mut Float);
    run(&mut Fixed::default());
}

#[test]
fn unfit_configurations_are_refused() {
    let good = || config(&[8, 16, 3], 600, 16);
    let mut ends_with_relu = Graph::perceptron(&[8, 3]);
    ends_with_relu.nodes.push(Node::new(Kind::Relu));
    assert!(Trainer::new(good()).is_ok());
    let adam = |change: &dyn Fn(&mut TrainSpec)| {
        good().with(|t| {
            (t.spec.optimiser, t.spec.lr) = (OptimiserKind::Adam, 0.01);
            change(&mut t.spec);
        })
    };
    let bad = [
        good().with(|t| {
            t.spec.network = Some(Form::Graph(Graph::perceptron(&[8])));
        }),
        good().with(|t| {
            t.spec.network = Some(Form::Graph(Graph::perceptron(&[8, 0, 3])));
        }),
        good().with(|t| t.spec.network = Some(Form::Graph(Graph::perceptron(&[8, 1])))),
        config(&[8, 65], 600, 16),
        good().with(|t| t.spec.network = Some(Form::Graph(ends_with_relu))),
        good().with(|t| {
            t.open = Open { metric: Some(Metric::Auc), loss: true, activations: true, ..Open::default() };
        }),
        good().with(|t| {
            t.open = Open { metric: Some(Metric::SquaredError), loss: true, activations: true, ..Open::default() };
        }),
        regression(&[8], 600).with(|t| {
            t.open = Open { metric: Some(Metric::Accuracy), loss: true, activations: true, ..Open::default() };
        }),
        regression(&[8], 600).with(|t| {
            t.open = Open { metric: Some(Metric::Auc), loss: true, activations: true, ..Open::default() };
        }),
        good().with(|t| t.spec.hidden = vec![8]),
        good().with(|t| {
            t.spec.batch = 0;
        }),
        good().with(|t| {
            t.spec.batch = 601;
        }),
        good().with(|t| {
            t.spec.epochs = 0;
        }),
        good().with(|t| {
            t.spec.epochs = u64::MAX;
        }),
        good().with(|t| {
            t.spec.momentum = 1.0;
        }),
        good().with(|t| {
            t.spec.momentum = f64::NAN;
        }),
        good().with(|t| t.spec.beta1 = Some(0.9)),
        good().with(|t| (t.spec.optimiser, t.spec.epsilon) = (OptimiserKind::Nesterov, Some(1e-3))),
        good().with(|t| (t.spec.optimiser, t.spec.momentum) = (OptimiserKind::Nesterov, 0.0)),
        good().with(|t| t.spec.clip = Some(0.0)),
        good().with(|t| t.spec.clip = Some(f64::NAN)),
        adam(&|s| s.lr = 2.0),
        adam(&|s| s.lr_schedule = "0.01,5@2".parse().unwrap()),
        adam(&|s| s.clip = Some(1e-6)),
        adam(&|s| s.beta1 = Some(1.0)),
        adam(&|s| (s.beta1, s.beta2) = (Some(0.95), Some(0.9))),
        adam(&|s| s.beta2 = Some(0.99999)),
        adam(&|s| s.beta2 = Some(f64::NAN)),
        adam(&|s| s.epsilon = Some(1e-8)),
        adam(&|s| s.epsilon = Some(2.0)),
        adam(&|s| s.weight_decay = -0.1),
        good().with(|t| {
            t.spec.fraction_bits = Some(7);
        }),
        good().with(|t| {
            t.spec.fraction_bits = Some(25);
        }),
        good().with(|t| {
            t.records = t.records.with_input(Format::new(8, 40));
        }),
        good().with(|t| {
            (t.spec.lr, t.spec.lr_schedule) = (1e-12, Schedule::Constant);
        }),
        good().with(|t| {
            (t.spec.lr, t.spec.lr_schedule) = (f64::INFINITY, Schedule::Constant);
        }),
    ];
    for c in bad {
        let shown = format!("{c:?}");
        let error = Trainer::new(c).expect_err(&shown).to_string();
        assert!(error.contains("found") && error.contains("expected") && !error.contains('\n'), "{error}");
    }
    let e = &mut Float;
    let t = Trainer::new(good()).unwrap();
    let (x, y) = blobs(599, 7);
    let (short, start) = (data(e, &t, &x, &y), t.initial(e).unwrap());
    let error = t.train(e, start, 0, &short, &short, &mut |_, _| Ok::<(), Error>(())).err().unwrap();
    assert!(error.to_string().starts_with("training data: found records [599, 8]"), "{error}");
}

/// The embedded digits, to train on and held out: pixels and classes.
fn embedded() -> [(ndarray::Array2<f64>, Vec<usize>); 2] {
    let digits = trefoil_data::digits::load().unwrap();
    [&digits.train, &digits.test].map(|samples| {
        let [x, y] = samples.decoded(&digits.schema);
        (x, y.outer_iter().map(|row| row.iter().position(|v| *v == 1.0).unwrap()).collect())
    })
}

/// The digits with another optimiser: the accuracy after eight epochs.
fn digits_by<E: Engine>(e: &mut E, set: &dyn Fn(&mut TrainSpec)) -> f64 {
    let [(x, y), (test_x, test_y)] = embedded();
    let t = config(&[784, 32, 10], y.len(), 64).with(|t| {
        (t.spec.epochs, t.spec.lr, t.spec.lr_schedule) = (8, 0.1, Schedule::Constant);
        set(&mut t.spec);
    });
    let t = t.trainer().unwrap();
    let (all, held_out) = (data(e, &t, &x, &y), data(e, &t, &test_x, &test_y));
    let (start, mut accuracy) = (t.initial(e).unwrap(), 0.0);
    let end = t.train(e, start, 0, &all, &held_out, &mut |_, event| {
        if let Event::Epoch { metric, .. } = event {
            accuracy = metric.unwrap();
        }
        Ok::<(), Error>(())
    });
    end.unwrap();
    accuracy
}

#[test]
fn every_optimiser_learns_the_digits_alike() {
    let adam = |s: &mut TrainSpec| (s.optimiser, s.lr) = (OptimiserKind::Adam, 0.004);
    let cases: [&dyn Fn(&mut TrainSpec); 5] = [
        &|s| s.optimiser = OptimiserKind::Nesterov,
        &|s| s.clip = Some(0.01),
        &adam,
        &|s| (s.optimiser, s.lr, s.weight_decay) = (OptimiserKind::Amsgrad, 0.004, 0.01),
        &|s| (s.optimiser, s.lr, s.clip) = (OptimiserKind::Adam, 0.004, Some(0.01)),
    ];
    for set in cases {
        let (float, fixed) = (digits_by(&mut Float, set), digits_by(&mut Fixed::default(), set));
        println!("float {float}, fixed {fixed}");
        assert!(float > 0.85 && (float - fixed).abs() <= 0.015, "float {float}, fixed {fixed}");
    }
}

/// Of default settings nothing has come to be written, and names are what they are in PyTorch.
#[test]
fn optimisers_are_written_by_name_where_they_are_not_the_default() {
    let text = |spec: &TrainSpec| serde_json::to_value(spec).unwrap();
    let keys = |spec: &TrainSpec| text(spec).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let default = TrainSpec::default();
    let today = ["batch", "epochs", "hidden", "init", "lr", "lr_schedule", "momentum", "seed", "softmax"];
    let mut found = keys(&default);
    found.sort();
    assert_eq!(found, today);
    let set = TrainSpec { optimiser: OptimiserKind::Amsgrad, beta1: Some(0.5), clip: Some(2.0), ..default };
    assert_eq!(
        (text(&set)["optimiser"].clone(), text(&set)["beta1"].clone(), text(&set)["clip"].clone()),
        ("amsgrad".into(), 0.5.into(), 2.0.into())
    );
    assert_eq!(serde_json::from_value::<TrainSpec>(text(&set)).unwrap(), set);
    assert!(OptimiserKind::ALL.iter().all(|kind| kind.to_string().parse::<OptimiserKind>().unwrap() == *kind));
    assert_eq!(
        "rmsprop".parse::<OptimiserKind>().unwrap_err().to_string(),
        "optimiser: found \"rmsprop\", expected sgd, nesterov, adam or amsgrad"
    );
}

/// The demonstration's network on its data: the accuracy on shares and that of the model.
fn digits<E: Engine>(e: &mut E) -> (f64, f64) {
    let [(x, y), (test_x, test_y)] = embedded();
    let t = Trainer::new(config(&[784, 256, 10], y.len(), 128).with(|t| {
        t.spec.epochs = 12;
        (t.spec.lr, t.spec.lr_schedule) = (0.1, Schedule::Cosine);
    }))
    .unwrap();
    let (all, held_out) = (data(e, &t, &x, &y), data(e, &t, &test_x, &test_y));
    let start = t.initial(e).unwrap();
    let mut accuracy = 0.0;
    let end = t.train(e, start, 0, &all, &held_out, &mut |_, event| {
        if let Event::Epoch { metric, .. } = event {
            accuracy = metric.unwrap();
        }
        Ok::<(), Error>(())
    });
    let model = Model::new(t.network().graph(), &params(e, &end.unwrap()), "p/256").unwrap();
    (accuracy, model.accuracy(&test_x, &test_y).unwrap())
}

#[test]
fn digits_are_learnt_alike() {
    let ((float, float_model), (fixed, fixed_model)) = (digits(&mut Float), digits(&mut Fixed::default()));
    println!("float {float} and as a model {float_model}, fixed {fixed} and as a model {fixed_model}");
    assert!(float > 0.97 && fixed > 0.97 && (float - fixed).abs() <= 0.01);
    assert!((float - float_model).abs() <= 0.003 && (fixed - fixed_model).abs() <= 0.003);
}

/// FNV-1a over the ring elements of weights, biases and velocities after three epochs.
fn fingerprint(c: Training, x: &Array2<f64>, y: &Array2<f64>) -> u64 {
    let (t, e) = (Trainer::new(c).unwrap(), &mut Fixed::default());
    let all = t.data(e, x, y).unwrap();
    let mut state = t.initial(e).unwrap();
    for step in 0..t.total_steps() {
        t.step(e, &mut state, &all, step).unwrap();
    }
    let words = state.params.iter().chain(&state.kept).flat_map(|w| w.value.iter().copied().collect::<Vec<_>>());
    words.flat_map(u64::to_le_bytes).fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// The ring's arithmetic is exact, so that a change of these is a change of what is computed: formats, order or initial weights.
#[test]
fn training_on_the_ring_is_the_same_to_the_last_bit() {
    let (x, y) = blobs(96, 7);
    let c = |sizes: &[usize]| {
        config(sizes, 96, 16).with(|t| {
            t.spec.epochs = 3;
        })
    };
    let (cx, cy) = curve(96, 5);
    let found = [
        fingerprint(c(&[8, 16, 3]), &x, &one_hot(&y, 3)),
        fingerprint(c(&[8, 16, 16, 3]), &x, &one_hot(&y, 3)),
        fingerprint(
            c(&[8, 3]).with(|t| {
                t.spec.momentum = 0.0;
                t.spec.fraction_bits = Some(20);
            }),
            &x,
            &one_hot(&y, 3),
        ),
        fingerprint(
            c(&[8, 16, 3]).with(|t| {
                t.spec.softmax = SoftmaxKind::Asm;
            }),
            &x,
            &one_hot(&y, 3),
        ),
        fingerprint(
            regression(&[12, 5], 96).with(|t| {
                t.spec.epochs = 3;
            }),
            &cx,
            &cy,
        ),
        fingerprint(
            c(&[8, 130, 3]).with(|t| {
                (t.spec.lr, t.spec.lr_schedule) = (0.3, Schedule::Cosine);
                t.spec.fraction_bits = Some(13);
            }),
            &x,
            &one_hot(&y, 3),
        ),
    ];
    let want =
        ["53104c4df33a7383", "8cb57bf0fbfa0e7b", "378243895b8bfda7", "96a530a3db2beb46", "57c485272a5c3798", "ca18fea737271bf4"];
    assert_eq!(found.map(|h| format!("{h:016x}")), want);
}

/// Verdicts from outside, as parties agree on them, end a training and choose the model; a training that goes on from a state in its middle
/// ends alike.
#[test]
fn the_best_epoch_is_kept_and_training_ends_early() {
    use trefoil_nn::Keep;
    let script = [Some(true), Some(false), Some(true), None, Some(false), Some(false), Some(true)];
    let t = Training::of(Graph::perceptron(&[2, 3, 2]), 8).unwrap().with(|t| {
        (t.spec.batch, t.spec.epochs, t.spec.patience, t.spec.keep) = (4, 7, Some(2), Keep::Best);
        t.open.metric = None;
    });
    let t = t.trainer().unwrap();
    let x = Array2::from_shape_fn((8, 2), |(i, j)| ((i * 3 + j) % 5) as f64 / 8.0);
    let y = Array2::from_shape_fn((8, 2), |(i, j)| f64::from((i % 2 == 0) == (j == 0)));
    let data = t.data(&Float, &x, &y).unwrap();
    let none = Data { x: Float.gather(&data.x, Index::Rows(&[])), y: Float.gather(&data.y, Index::Rows(&[])) };
    let run = |state, from| {
        let mut states = vec![];
        let mut on = |_: &mut Float, event: Event<'_, _>| {
            match event {
                Event::Opened { epoch, verdict, .. } => *verdict.unwrap() = script[epoch as usize - 1],
                Event::Epoch { epoch, last, state, .. } => states.push((epoch, last, state.clone())),
                _ => {}
            }
            Ok::<(), trefoil_nn::Error>(())
        };
        let end = t.train(&mut Float, state, from, &data, &none, &mut on).unwrap();
        (end.params.into_iter().map(|p| p.value).collect::<Vec<_>>(), states)
    };
    let (end, states) = run(t.initial(&Float).unwrap(), 0);
    assert_eq!(states.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), (1..=6).map(|n| (n, n == 6)).collect::<Vec<_>>());
    let params = |epoch: usize| states[epoch - 1].2.params.iter().map(|p| p.value.clone()).collect::<Vec<_>>();
    assert!(end == params(3) && end != params(6) && end != params(1));
    for from in 1..=6 {
        let (again, more) = run(states[from - 1].2.clone(), from as u64 * t.steps_per_epoch());
        assert!(again == end && more.len() == 6 - from, "from epoch {from}");
    }
}
