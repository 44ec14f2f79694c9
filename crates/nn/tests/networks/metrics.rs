//! Figures of the records held out, each as a plain computation on the same outputs has it.

use crate::common::{blobs, config, curve, one_hot, regression};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, Float};
use trefoil_nn::{Figure, Metric, Open, Outputs, Trainer, Training};

const CLASSES: [Metric; 6] =
    [Metric::Accuracy, Metric::Confusion, Metric::Precision, Metric::Recall, Metric::F1, Metric::LogLoss];
const VALUES: [Metric; 4] = [Metric::SquaredError, Metric::Rmse, Metric::AbsoluteError, Metric::R2];

fn opens(metrics: &[Metric]) -> Open {
    Open { metric: metrics.first().copied(), also: metrics.iter().copied().collect(), ..Open::default() }
}

/// What is told, and the network's outputs.
fn told<E: Engine>(e: &mut E, t: &Training, x: &Array2<f64>, y: &Array2<f64>) -> (Vec<Figure>, Array2<f64>) {
    let t = Trainer::new(t.clone()).unwrap();
    let state = t.initial(e).unwrap();
    let data = t.data(e, x, y).unwrap();
    let z = t.forward(e, &state, &data.x).unwrap();
    (t.figures(e, &state, &data).unwrap(), e.open(&z).unwrap().unwrap())
}

/// The share of pairs that are won, with ties in halves.
fn by_pairs(scores: &[f64], labels: &[usize]) -> f64 {
    let of = |class: usize| scores.iter().zip(labels).filter(move |(_, l)| **l == class).map(|(s, _)| *s);
    let won = |p: f64| of(0).map(|n| f64::from(u8::from(p > n)) + 0.5 * f64::from(u8::from(p == n))).sum::<f64>();
    of(1).map(won).sum::<f64>() / (of(1).count() * of(0).count()) as f64
}

/// Each figure of these outputs, as whoever sees them would say.
fn plain(metric: Metric, z: &Array2<f64>, labels: &[usize]) -> (Option<f64>, Vec<Option<f64>>, Vec<Vec<u64>>) {
    let (n, k) = (labels.len() as f64, z.ncols().max(2));
    let taken: Vec<usize> = z
        .outer_iter()
        .map(|z| match z.len() {
            1 => usize::from(z[0] >= 0.0),
            _ => (0..k).fold(0, |best, j| if z[j] > z[best] { j } else { best }),
        })
        .collect();
    let count = |class: Option<usize>, as_class: Option<usize>| {
        let fits = |(l, t): (&usize, &usize)| class.is_none_or(|c| c == *l) && as_class.is_none_or(|c| c == *t);
        labels.iter().zip(&taken).filter(|pair| fits(*pair)).count() as u64
    };
    let right: u64 = (0..k).map(|c| count(Some(c), Some(c))).sum();
    let of_classes = |of: &dyn Fn(usize) -> (u64, u64)| {
        let all: Vec<Option<f64>> = (0..k).map(of).map(|(a, b)| (b > 0).then(|| a as f64 / b as f64)).collect();
        (Some(all.iter().map(|x| x.unwrap_or(0.0)).sum::<f64>() / k as f64), all, vec![])
    };
    match metric {
        Metric::Accuracy => (Some(right as f64 / n), vec![], vec![]),
        Metric::Confusion => {
            (Some(right as f64 / n), vec![], (0..k).map(|c| (0..k).map(|t| count(Some(c), Some(t))).collect()).collect())
        }
        Metric::Precision => of_classes(&|c| (count(Some(c), Some(c)), count(None, Some(c)))),
        Metric::Recall => of_classes(&|c| (count(Some(c), Some(c)), count(Some(c), None))),
        Metric::F1 => of_classes(&|c| (2 * count(Some(c), Some(c)), count(None, Some(c)) + count(Some(c), None))),
        Metric::Auc => {
            let scores: Vec<f64> = z.outer_iter().map(|z| if z.len() == 1 { z[0] } else { z[1] - z[0] }).collect();
            (Some(by_pairs(&scores, labels)), vec![], vec![])
        }
        _ => {
            let loss = |(z, l): (ndarray::ArrayView1<'_, f64>, &usize)| match z.len() {
                1 => z[0].exp().ln_1p() - *l as f64 * z[0],
                _ => z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[*l],
            };
            (Some(z.outer_iter().zip(labels).map(loss).sum::<f64>() / n), vec![], vec![])
        }
    }
}

fn near(figure: &Figure, want: (Option<f64>, Vec<Option<f64>>, Vec<Vec<u64>>)) {
    let within = if figure.metric == Metric::LogLoss { 2e-3 } else { 4e-5 };
    let same = |a: &Option<f64>, b: &Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < within,
        (a, b) => a == b,
    };
    let classes = figure.classes.len() == want.1.len() && figure.classes.iter().zip(&want.1).all(|(a, b)| same(a, b));
    assert!(same(&figure.value, &want.0) && classes && figure.counts == want.2, "{figure:?}, expected {want:?}");
}

/// Together, where the confusion matrix tells the others, and each alone, where quotients are divided on shares.
#[test]
fn figures_of_classes_are_those_of_the_outputs() {
    fn run<E: Engine>(e: &mut E, training: &Training, classes: usize) {
        let (x, y) = blobs(1300, 9);
        let labels: Vec<usize> = y.iter().map(|l| l % classes).collect();
        let one_hot = one_hot(&labels, classes);
        let y = if training.records.outputs == Outputs::Binary { one_hot.select(ndarray::Axis(1), &[1]) } else { one_hot };
        let two = (classes == 2).then_some(Metric::Auc);
        let all: Vec<Metric> = CLASSES.into_iter().chain(two).collect();
        let divided = [Metric::F1, Metric::Accuracy, Metric::Precision];
        for metrics in [&all[..], &divided, &[Metric::Recall], &[Metric::LogLoss, Metric::Recall, Metric::F1]] {
            let (figures, z) = told(e, &training.clone().with(|t| t.open = opens(metrics)), &x, &y);
            let told: Vec<Metric> = figures.iter().map(|f| f.metric).collect();
            assert!(told[0] == metrics[0] && told.len() == metrics.len(), "{told:?}");
            figures.iter().for_each(|figure| near(figure, plain(figure.metric, &z, &labels)));
        }
    }
    for (training, classes) in [
        (config(&[8, 5, 3], 300, 16), 3),
        (config(&[8, 5, 2], 300, 16), 2),
        (config(&[8, 5, 1], 300, 16).with(|t| (t.records.outputs, t.open) = (Outputs::Binary, Open::default())), 2),
    ] {
        run(&mut Float, &training, classes);
        run(&mut Fixed::default(), &training, classes);
    }
}

/// More records than are compared each with each, with many equal scores: exact, as that of few is.
#[test]
fn the_area_of_sorted_records_is_exact() {
    fn run<E: Engine>(e: &mut E) {
        let one = config(&[8, 1], 300, 16).with(|t| (t.records.outputs, t.open) = (Outputs::Binary, opens(&[Metric::Auc])));
        let t = Trainer::new(one).unwrap();
        let mut state = t.initial(e).unwrap();
        let first = Array2::from_shape_fn((1, 8), |(_, j)| [1.0, 1.0 / 256.0].get(j).copied().unwrap_or_default());
        state.params[0] = e.public(&first, t.scales().weight).unwrap();
        for (rows, of) in [(999, 40), (1001, 40), (1500, 1500), (1500, 1), (2048, 200)] {
            let scores: Vec<f64> = (0..rows).map(|i| (i * 7919 % rows % of * 31) as f64 / 65536.0).collect();
            let labels: Vec<usize> =
                (0..rows).map(|i| usize::from((i * i + 3 * i) % 11 + (scores[i] * 9.0) as usize > 9)).collect();
            let digits = |i: usize| {
                let above = (scores[i] * 256.0).floor() / 256.0;
                [above, (scores[i] - above) * 256.0]
            };
            let x = Array2::from_shape_fn((rows, 8), |(i, j)| digits(i).get(j).copied().unwrap_or_default());
            let y = Array2::from_shape_fn((rows, 1), |(i, _)| labels[i] as f64);
            let data = t.data(e, &x, &y).unwrap();
            let (found, want) = (t.metric(e, &state, &data).unwrap().unwrap(), by_pairs(&scores, &labels));
            assert!((found - want).abs() < 1e-12, "{rows} {of}: {found}, expected {want}");
        }
    }
    run(&mut Float);
    run(&mut Fixed::default());
}

#[test]
fn figures_of_values_are_those_of_the_outputs() {
    fn run<E: Engine>(e: &mut E) {
        let (x, y) = curve(1300, 8);
        for metrics in [&VALUES[..], &[Metric::R2], &[Metric::AbsoluteError]] {
            let (figures, z) = told(e, &regression(&[6], 300).with(|t| t.open = opens(metrics)), &x, &y);
            let d: Vec<f64> = z.iter().zip(&y).map(|(z, y)| z - y).collect();
            let n = d.len() as f64;
            let (squares, mean) = (d.iter().map(|d| d * d).sum::<f64>(), y.sum() / n);
            for figure in &figures {
                let want = match figure.metric {
                    Metric::SquaredError => squares / n,
                    Metric::Rmse => (squares / n).sqrt(),
                    Metric::AbsoluteError => d.iter().map(|d| d.abs()).sum::<f64>() / n,
                    _ => 1.0 - squares / y.iter().map(|y| (y - mean).powi(2)).sum::<f64>(),
                };
                assert!(figure.value.is_some_and(|x| (x - want).abs() < 3e-4), "{figure:?}, expected {want}");
            }
            assert_eq!(figures.len(), metrics.len());
        }
    }
    run(&mut Float);
    run(&mut Fixed::default());
}

#[test]
fn what_cannot_be_told_says_why() {
    fn run<E: Engine>(e: &mut E) {
        let all: Vec<Metric> = CLASSES.into_iter().chain([Metric::Auc]).collect();
        for metrics in [&all[..], &[Metric::Recall, Metric::Precision, Metric::F1, Metric::Auc]] {
            for (label, which) in [(0, "positive"), (1, "negative")] {
                let two = config(&[8, 5, 2], 300, 16).with(|t| t.open = opens(metrics));
                let (x, y) = (blobs(60, 9).0, one_hot(&[label; 60], 2));
                let (figures, _) = told(e, &two, &x, &y);
                let of = |metric: Metric| figures.iter().find(|f| f.metric == metric).unwrap();
                assert_eq!(of(Metric::Auc).why.as_deref(), Some(format!("no {which} among 60 held out").as_str()));
                let recall = of(Metric::Recall);
                assert_eq!(recall.why, Some(format!("no record of 60 held out is in class {}", 1 - label)));
                assert!(recall.classes[1 - label].is_none() && recall.classes[label].is_some(), "{recall:?}");
            }
        }
        let alike = Array2::from_elem((40, 1), 0.5);
        let value = regression(&[6], 300).with(|t| t.open = opens(&[Metric::R2]));
        let (figures, _) = told(e, &value, &curve(40, 8).0, &alike);
        assert!(figures[0].value.is_none() && figures[0].why.as_ref().unwrap().contains("of 40 held out are all alike"));
    }
    run(&mut Float);
    run(&mut Fixed::default());
    let refused = |t: Training, metric| t.with(|t| t.open = opens(&[metric])).trainer().unwrap_err().to_string();
    let line = refused(config(&[8, 3], 300, 16), Metric::Auc);
    assert_eq!(
        line,
        "metric: found auc with CrossEntropy(Exact) and 3 outputs, expected one of accuracy, confusion, precision, recall, f1, log-loss"
    );
    assert!(refused(regression(&[6], 300), Metric::F1).ends_with("one of squared-error, rmse, absolute-error, r2"));
    assert!(refused(config(&[8, 3], 300, 16), Metric::R2).starts_with("metric: found r2 with"));
}
