//! Regression, the AUC, and what is opened: on floating point and on the exact ring arithmetic.

use crate::common::{blobs, config, curve, noise, one_hot, params, regression};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float};
use trefoil_nn::{Data, Error, Event, Metric, Model, Open, State, Trainer, Training};

type Figures = Vec<(Option<f64>, Option<f64>)>;

/// Trains from the start; the state and the figures of each epoch.
fn train<E: Engine>(e: &mut E, t: &Trainer, train: &Data<E::Num>, test: &Data<E::Num>) -> (State<E::Num>, Figures) {
    let (start, mut figures) = (t.initial(e).unwrap(), Vec::new());
    let end = t.train(e, start, 0, train, test, &mut |_, event| {
        if let Event::Epoch { loss, metric, .. } = event {
            figures.push((loss, metric));
        }
        Ok::<(), Error>(())
    });
    (end.unwrap(), figures)
}

/// The mean squared error on test records, by the training and by the model.
fn fitted<E: Engine>(e: &mut E, hidden: &[usize]) -> [f64; 2] {
    let t = Trainer::new(regression(hidden, 600).with(|t| {
        t.spec.epochs = 12;
    }))
    .unwrap();
    let (x, y) = curve(600, 7);
    let all = t.data(e, &x, &y).unwrap();
    let (x, y) = curve(2100, 8);
    let test = t.data(e, &x, &y).unwrap();
    let (state, figures) = train(e, &t, &all, &test);
    let model = Model::new(t.network().graph(), &params(e, &state), "").unwrap();
    let (loss, metric) = figures.last().unwrap();
    println!("{hidden:?}: loss {loss:?}, metric {metric:?}");
    [metric.unwrap(), model.mean_squared_error(&x, y.as_slice().unwrap()).unwrap()]
}

#[test]
fn a_curve_is_fitted() {
    // The variance of the target is 3.1; its part that is not linear is 1.4.
    for (hidden, most) in [(&[][..], 1.7), (&[16], 0.1), (&[16, 8], 0.1)] {
        let ([float, float_model], [fixed, fixed_model]) = (fitted(&mut Float, hidden), fitted(&mut Fixed::default(), hidden));
        assert!(float < most && (float - fixed).abs() < 0.05 * float, "float {float}, fixed {fixed}");
        assert!((float - float_model).abs() < 1e-4 && (fixed - fixed_model).abs() < 2e-3, "models {float_model}, {fixed_model}");
    }
}

/// The area under the ROC curve by ranks, ties counting half.
fn by_ranks(scores: &[f64], labels: &[usize]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&i, &j| scores[i].total_cmp(&scores[j]));
    let (mut sum, mut at) = (0.0, 0);
    while at < order.len() {
        let end = (at..order.len()).find(|&k| scores[order[k]] > scores[order[at]]).unwrap_or(order.len());
        let positives = order[at..end].iter().filter(|&&i| labels[i] == 1).count();
        sum += positives as f64 * (at + end + 1) as f64 / 2.0;
        at = end;
    }
    let p = labels.iter().filter(|&&l| l == 1).count() as f64;
    (sum - p * (p + 1.0) / 2.0) / (p * (labels.len() as f64 - p))
}

/// Two classes that overlap.
fn overlapping(rows: usize, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let (x, _) = blobs(rows, seed);
    let noise = noise(rows, 1, seed + 1);
    let labels = (0..rows).map(|i| usize::from(x[[i, 0]] + 0.5 * noise[[i, 0]] > 0.8)).collect();
    (x, labels)
}

fn two_classes() -> Training {
    config(&[8, 6, 2], 300, 16).with(|t| {
        t.open = Open { loss: true, activations: true, metric: Some(Metric::Auc), ..Open::default() };
    })
}

#[test]
fn the_auc_is_that_of_the_ranks() {
    fn run<E: Engine>(e: &mut E) {
        let t = Trainer::new(two_classes()).unwrap();
        let (x, labels) = overlapping(300, 7);
        let all = t.data(e, &x, &one_hot(&labels, 2)).unwrap();
        let (x, labels) = overlapping(999, 9);
        let test = t.data(e, &x, &one_hot(&labels, 2)).unwrap();
        let (state, figures) = train(e, &t, &all, &test);
        let metric = figures.last().unwrap().1.unwrap();
        let model = Model::new(t.network().graph(), &params(e, &state), "").unwrap();
        let want = by_ranks(&model.scores(&x).unwrap(), &labels);
        println!("{metric} and by ranks {want}");
        // Rounding may order two records otherwise than the model in the clear does.
        assert!(metric > 0.7 && metric < 0.99 && (metric - want).abs() < 5e-4);
        assert!((model.auc(&x, &labels).unwrap() - want).abs() < 1e-12);

        // Scores that are exact: then the area is, too.
        let mut exact = t.initial(e).unwrap();
        let zeros = |e: &E, m, n| e.public(&Array2::zeros((m, n)), t.scales().weight).unwrap();
        (exact.params[0], exact.params[2]) = (zeros(e, 6, 8), zeros(e, 2, 6));
        let one_at = |e: &E, m, n, at: [usize; 2]| {
            let mut w = Array2::zeros((m, n));
            w[at] = 1.0;
            e.public(&w, t.scales().weight).unwrap()
        };
        // Every record has one score.
        assert_eq!(t.metric(e, &exact, &test).unwrap(), Some(0.5));
        (exact.params[0], exact.params[2]) = (one_at(e, 6, 8, [0, 0]), one_at(e, 2, 6, [1, 0]));
        let spread = Array2::from_shape_fn((200, 8), |(i, _)| (i * 77 % 200 / 3) as f64 / 256.0);
        let labels: Vec<usize> = (0..200).map(|i| usize::from(i * i % 7 + i * 77 % 200 / 40 > 4)).collect();
        let data = t.data(e, &spread, &one_hot(&labels, 2)).unwrap();
        let scores: Vec<f64> = spread.column(0).to_vec();
        let (got, want) = (t.metric(e, &exact, &data).unwrap().unwrap(), by_ranks(&scores, &labels));
        assert!((got - want).abs() < 1e-12, "{got} and by ranks {want}");

        // One class, or one record, has no pairs.
        for (rows, label) in [(5, 0), (5, 1), (1, 1), (0, 0)] {
            let data = t.data(e, &Array2::zeros((rows, 8)), &one_hot(&vec![label; rows], 2)).unwrap();
            assert_eq!(t.metric(e, &exact, &data).unwrap(), None);
        }
        // More records than are compared each with each.
        let (x, labels) = overlapping(1500, 11);
        let data = t.data(e, &x, &one_hot(&labels, 2)).unwrap();
        let sorted = t.metric(e, &state, &data).unwrap().unwrap();
        println!("{sorted} and by ranks {} {}", model.auc(&x, &labels).unwrap(), by_ranks(&model.scores(&x).unwrap(), &labels));
        assert!((sorted - model.auc(&x, &labels).unwrap()).abs() < 5e-4);
    }
    run(&mut Float);
    run(&mut Fixed::default());
}

#[test]
fn only_what_is_asked_for_is_opened() {
    fn figures(c: Training, test_rows: usize) -> (Option<f64>, Option<f64>) {
        let e = &mut Fixed::default();
        let t = Trainer::new(c.with(|t| {
            t.spec.epochs = 1;
        }))
        .unwrap();
        let (x, y) = blobs(300, 7);
        let labels: Vec<usize> = y.iter().map(|l| l % t.network().outputs()).collect();
        let all = t.data(e, &x, &one_hot(&labels, t.network().outputs())).unwrap();
        let test = all.select(e, &(0..test_rows).collect::<Vec<_>>());
        train(e, &t, &all, &test).1[0]
    }
    let opens = |loss, metric| {
        two_classes().with(|t| {
            t.open = Open { loss, activations: true, metric, ..Open::default() };
        })
    };
    assert_eq!(figures(opens(false, None), 40), (None, None));
    assert!(matches!(figures(opens(true, None), 40), (Some(_), None)));
    for metric in [Metric::Auc, Metric::Accuracy] {
        assert!(matches!(figures(opens(false, Some(metric)), 40), (None, Some(m)) if (0.0..=1.0).contains(&m)));
        assert_eq!(figures(opens(false, Some(metric)), 0), (None, None));
    }
}

#[test]
fn sums_over_many_chunks_fit() {
    let e = &mut Fixed::default();
    let t = Trainer::new(config(&[8, 3], 300, 16)).unwrap();
    let (x, y) = blobs(300, 7);
    let all = t.data(e, &x, &one_hot(&y, 3)).unwrap();
    let state = t.initial(e).unwrap();
    assert_eq!(t.evaluate(e, &state, &all, 1).unwrap(), t.evaluate(e, &state, &all, 300).unwrap());
}
