//! The cross entropy of one output, and weights of classes, in the clear.

#[allow(dead_code)] // each test file uses its own part
use crate::common::{blobs, config, noise, one_hot, params};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float};
use trefoil_nn::{Data, Error, Event, Loss, Metric, Model, Outputs, State, Trainer, Training};

/// Two classes that overlap, with their labels as one column.
fn overlapping(rows: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let (x, _) = blobs(rows, seed);
    let noise = noise(rows, 1, seed + 1);
    let y = Array2::from_shape_fn((rows, 1), |(i, _)| f64::from(u8::from(x[[i, 0]] + 0.5 * noise[[i, 0]] > 0.8)));
    (x, y)
}

fn binary(metric: Metric) -> Training {
    config(&[8, 6, 1], 300, 16).with(|t| (t.records.outputs, t.open.metric) = (Outputs::Binary, Some(metric)))
}

fn train<E: Engine>(e: &mut E, t: &Trainer, train: &Data<E::Num>, test: &Data<E::Num>) -> (State<E::Num>, [f64; 2]) {
    let (start, mut last) = (t.initial(e).unwrap(), [f64::NAN; 2]);
    let end = t.train(e, start, 0, train, test, &mut |_, event| {
        if let Event::Epoch { loss, metric, .. } = event {
            last = [loss.unwrap(), metric.unwrap()];
        }
        Ok::<(), Error>(())
    });
    (end.unwrap(), last)
}

/// Loss, accuracy and AUC of one output are those of the outputs in the clear, and the network learns.
#[test]
fn one_output_for_two_classes() {
    fn run<E: Engine>(e: &mut E, metric: Metric) {
        let t = Trainer::new(binary(metric)).unwrap();
        let (x, y) = overlapping(300, 7);
        let all = t.data(e, &x, &y).unwrap();
        let (test_x, test_y) = overlapping(500, 9);
        let test = t.data(e, &test_x, &test_y).unwrap();
        let (state, [loss, metric_found]) = train(e, &t, &all, &test);
        // Parameters as they are on the ring.
        let z = Model::new(t.network().graph(), &params(e, &state), "").unwrap();
        let (of_train, z) = (z.logits(&x).unwrap(), z.logits(&test_x).unwrap());
        let want: f64 = of_train.iter().zip(&y).map(|(z, y)| z.exp().ln_1p() - y * z).sum::<f64>() / 300.0;
        assert!((loss - want).abs() < 5e-4 && want < 0.6, "{loss}, in the clear {want}");
        let want = match metric {
            Metric::Accuracy => z.iter().zip(&test_y).filter(|(z, y)| (**z >= 0.0) == (**y == 1.0)).count() as f64 / 500.0,
            _ => {
                let scores = |label: f64| z.iter().zip(&test_y).filter(move |(_, y)| **y == label).map(|(z, _)| *z);
                let won =
                    |p: f64| scores(0.0).map(|n| f64::from(u8::from(p > n)) + 0.5 * f64::from(u8::from(p == n))).sum::<f64>();
                scores(1.0).map(won).sum::<f64>() / (scores(1.0).count() * scores(0.0).count()) as f64
            }
        };
        println!("{metric:?}: {metric_found}, in the clear {want}");
        assert!(want > 0.7 && (metric_found - want).abs() < 3e-3, "{metric_found}, in the clear {want}");
    }
    for metric in [Metric::Accuracy, Metric::Auc] {
        run(&mut Float, metric);
        run(&mut Fixed::default(), metric);
    }
}

#[test]
fn the_loss_of_a_large_output_is_exact() {
    let e = &mut Fixed::default();
    let t = Trainer::new(binary(Metric::Accuracy)).unwrap();
    let z = Array2::from_shape_fn((41, 1), |(i, _)| (i as f64 - 20.0) * 10.0);
    for label in [0.0, 1.0] {
        let y = e.public(&Array2::from_elem((41, 1), label), t.label_format()).unwrap();
        let num = e.public(&z, t.scales().activation).unwrap();
        let found = Loss::BinaryCrossEntropy.losses(e, &num, &y, t.scales()).unwrap();
        let found = e.open(&found).unwrap().unwrap();
        for (z, found) in z.iter().zip(&found) {
            let want = z.max(0.0) - label * z + (-z.abs()).exp().ln_1p();
            assert!((want - found).abs() < 2f64.powi(-13), "{z} {label}: {found}, expected {want}");
        }
    }
}

/// What a step takes off the weights is multiplied by the weight of the records' class, and so is the loss.
#[test]
fn classes_count_as_much_as_they_weigh() {
    fn moved<E: Engine>(e: &mut E, t: &Trainer, x: &Array2<f64>, y: &Array2<f64>) -> (Vec<Array2<f64>>, f64) {
        let data = t.data(e, x, y).unwrap();
        let mut state = t.initial(e).unwrap();
        let loss = t.loss(e, &state, &data).unwrap().unwrap();
        let start = params(e, &state);
        t.step(e, &mut state, &data, 0).unwrap();
        (params(e, &state).iter().zip(&start).map(|(a, b)| a - b).collect(), loss)
    }
    fn run<E: Engine>(e: &mut E, within: f64) {
        let (x, _) = blobs(16, 3);
        let three = config(&[8, 5, 3], 16, 16);
        let one = binary(Metric::Accuracy).with(|t| t.records.train_rows = 16);
        for (c, weights) in [(three, &[0.5, 3.0, 1.25][..]), (one, &[0.25, 2.5])] {
            let (plain, weighed) =
                (c.trainer().unwrap(), c.clone().with(|t| t.spec.class_weights = weights.to_vec().into()).trainer().unwrap());
            for (class, weight) in weights.iter().enumerate() {
                let y = if weights.len() == 2 { Array2::from_elem((16, 1), class as f64) } else { one_hot(&[class; 16], 3) };
                let ((a, loss), (b, weighed_loss)) = (moved(e, &plain, &x, &y), moved(e, &weighed, &x, &y));
                assert!((loss * weight - weighed_loss).abs() < within, "{class}: {weighed_loss}, expected {loss} times {weight}");
                for (a, b) in a.iter().zip(&b) {
                    let far = (a * *weight - b).iter().fold(0f64, |m, d| m.max(d.abs()));
                    assert!(far < within, "{class} {weight}: {far:e}");
                }
            }
        }
    }
    run(&mut Float, 1e-12);
    run(&mut Fixed::default(), 1e-3);
}

#[test]
fn what_has_no_classes_has_no_weights() {
    let refused = |t: Training, weights: &[f64]| {
        t.with(|t| t.spec.class_weights = weights.to_vec().into()).trainer().unwrap_err().to_string()
    };
    assert!(refused(crate::common::regression(&[8], 600), &[1.0, 2.0]).contains("class weights: found a regression"));
    assert!(refused(binary(Metric::Accuracy), &[1.0]).contains("expected 2 numbers"));
    assert!(Trainer::new(binary(Metric::SquaredError)).is_err());
    let two = config(&[8, 2], 300, 16).with(|t| t.records.outputs = Outputs::Binary);
    assert!(Trainer::new(two).unwrap_err().to_string().contains("expected 8 and 1"));
}
