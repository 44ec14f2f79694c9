//! Statistics on the ring's arithmetic against plain ones, with their stated errors; what is folded into a model; a training that goes on.

use crate::common::noise;
use ndarray::{Array2, Axis, s};
use trefoil_engine::{Engine, Fixed, Float, Format};
use trefoil_nn::graph::{Kind, Node};
use trefoil_nn::layers::{BatchNorm, Linear};
use trefoil_nn::{Data, Error, Event, Gaps, Graph, QUANTILES_OF, Scaling, State, Statistics, Training};

const SHARED: Format = Format::new(12, 10);
const OUT: Format = Format::new(12, 3);
const STEP: f64 = 1.0 / 4096.0;

/// On the grid that values are handed in on.
fn grid(v: f64) -> f64 {
    (v / STEP).round() * STEP
}

/// Columns that are hard in one way or another.
fn columns(n: usize) -> Array2<f64> {
    let noise = noise(n, 11, 5);
    let of = |i: usize, j: usize| {
        let (u, last) = (noise[[i, j]], i + 1 == n);
        match j {
            // The same in all records: at a bound, elsewhere, nothing.
            0 => 1000.0,
            1 => -7.125,
            2 => 0.0,
            // One outlier, among others that are the same or nearly so.
            3 => {
                if last {
                    1000.0
                } else {
                    -1000.0
                }
            }
            4 => {
                if last {
                    -1000.0
                } else {
                    999.0 + u
                }
            }
            // Deviations of one step, of about a unit, of two, and the largest that there is.
            5 => 123.0 + if i.is_multiple_of(2) { STEP } else { 0.0 },
            6 => -998.0 + 2.0 * f64::from(u8::from(i.is_multiple_of(2))),
            7 => 500.0 + 4.0 * u,
            8 => {
                if i.is_multiple_of(2) {
                    1000.0
                } else {
                    -1000.0
                }
            }
            // As people have them.
            9 => 60.0 * u,
            _ => 900.0 * u - 50.0,
        }
    };
    Array2::from_shape_fn((n, 11), |(i, j)| grid(of(i, j)))
}

/// Mean and deviation, which is at least a unit.
fn plain(column: &[f64]) -> (f64, f64) {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    (mean, (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1.0))
}

fn keeps_its_errors<E: Engine>(e: &mut E, w: &Array2<f64>) {
    let x = e.public(w, SHARED).unwrap();
    let statistics = Statistics::of(e, &x, &[Scaling::Deviation; 11]).unwrap();
    let [mean, inverse] = [&statistics.mean, &statistics.inverse].map(|x| e.open(x).unwrap().unwrap());
    let z = statistics.standardise(e, &x, OUT).unwrap();
    assert_eq!((e.shape(&z), e.format(&z)), ([w.nrows(), w.ncols()], OUT));
    let z = e.open(&z).unwrap().unwrap();
    for (j, column) in w.axis_iter(Axis(1)).enumerate() {
        let (m, deviation) = plain(&column.to_vec());
        let told = |what: &str, error: f64| format!("{what} of column {j} of {} records is off by {error:e}", w.nrows());
        let (by_mean, by_inverse) = ((mean[[0, j]] - m).abs(), (inverse[[0, j]] * deviation - 1.0).abs());
        assert!(by_mean < 2f64.powi(-14), "{}", told("mean", by_mean));
        assert!(by_inverse < 2f64.powi(-16), "{}", told("deviation", by_inverse));
        for (v, z) in column.iter().zip(z.column(j)) {
            let exact = ((v - m) / deviation).clamp(STEP - 8.0, 8.0 - STEP);
            let error = (z - exact).abs();
            assert!(error <= 2.0 * STEP + exact.abs() * 2f64.powi(-16), "{}", told(&format!("{exact} for {v}"), error));
        }
    }
}

#[test]
fn statistics_keep_their_stated_errors() {
    // A record, few, all that are added up before a truncation, and more.
    for n in [1, 2, 3, 5, 64, 1000, 16_384, 16_385, 50_000] {
        keeps_its_errors(&mut Fixed::default(), &columns(n));
    }
    keeps_its_errors(&mut Float, &columns(1000));
}

/// Minimum and maximum are exact, and stand in their columns' places beside others.
fn keeps_its_range<E: Engine>(e: &mut E, w: &Array2<f64>) {
    let by: Vec<Scaling> = (0..w.ncols()).map(|j| if j % 3 == 1 { Scaling::Deviation } else { Scaling::Range }).collect();
    let x = e.public(w, SHARED).unwrap();
    let statistics = Statistics::of(e, &x, &by).unwrap();
    let [least, inverse] = [&statistics.mean, &statistics.inverse].map(|x| e.open(x).unwrap().unwrap());
    let z = statistics.standardise(e, &x, OUT).unwrap();
    let z = e.open(&z).unwrap().unwrap();
    for (j, column) in w.axis_iter(Axis(1)).enumerate() {
        let [min, max] = [f64::min, f64::max].map(|f| column.iter().copied().reduce(f).unwrap());
        let (from, apart) = match by[j] {
            Scaling::Range => (min, (max - min).max(2.0)),
            Scaling::Deviation | Scaling::Quantiles => plain(&column.to_vec()),
        };
        assert!((least[[0, j]] - from).abs() < if by[j] == Scaling::Range { 1e-12 } else { 2f64.powi(-14) }, "column {j}");
        assert!((inverse[[0, j]] * apart - 1.0).abs() < 2f64.powi(-16), "column {j} of {} records", w.nrows());
        for (v, z) in column.iter().zip(z.column(j)) {
            let exact = ((v - from) / apart).clamp(STEP - 8.0, 8.0 - STEP);
            assert!(
                (z - exact).abs() <= 2.0 * STEP + exact.abs() * 2f64.powi(-16),
                "column {j} of {} records: {z} for {exact}",
                w.nrows()
            );
        }
    }
}

#[test]
fn minimum_and_maximum_are_exact() {
    for n in [1, 2, 3, 5, 64, 1000, 1023] {
        keeps_its_range(&mut Fixed::default(), &columns(n));
    }
    keeps_its_range(&mut Float, &columns(1000));
}

/// Median and quartiles are values of the column, at their ranks, in columns that stand between others.
fn keeps_its_quantiles<E: Engine>(e: &mut E, w: &Array2<f64>) {
    let n = w.nrows();
    let by: Vec<Scaling> = (0..w.ncols()).map(|j| if j == 4 { Scaling::Deviation } else { Scaling::Quantiles }).collect();
    let x = e.public(w, SHARED).unwrap();
    let statistics = Statistics::of(e, &x, &by).unwrap();
    let [median, inverse] = [&statistics.mean, &statistics.inverse].map(|x| e.open(x).unwrap().unwrap());
    let z = statistics.standardise(e, &x, OUT).unwrap();
    let z = e.open(&z).unwrap().unwrap();
    for (j, column) in w.axis_iter(Axis(1)).enumerate().filter(|(j, _)| *j != 4) {
        let mut sorted = column.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| sorted[(part * (n - 1) as f64).floor() as usize];
        let (middle, apart) = (at(0.5), (at(0.75) - at(0.25)).max(2.0));
        if n > QUANTILES_OF {
            let rank = |v: f64| {
                sorted.partition_point(|w| *w < v) as f64 / n as f64..=sorted.partition_point(|w| *w <= v) as f64 / n as f64
            };
            let found = rank(median[[0, j]]);
            assert!(*found.start() < 0.52 && *found.end() > 0.48, "column {j}: the median's rank is {found:?}");
            continue;
        }
        assert_eq!(median[[0, j]], middle, "column {j} of {n} records");
        assert!((inverse[[0, j]] * apart - 1.0).abs() < 2f64.powi(-16), "column {j} of {n} records");
        for (v, z) in column.iter().zip(z.column(j)) {
            let exact = ((v - middle) / apart).clamp(STEP - 8.0, 8.0 - STEP);
            assert!((z - exact).abs() <= 2.0 * STEP + exact.abs() * 2f64.powi(-16), "column {j} of {n} records: {z} for {exact}");
        }
    }
}

#[test]
fn quantiles_are_exact() {
    for n in [1, 2, 3, 4, 5, 64, 1000, 1023, 20_000] {
        keeps_its_quantiles(&mut Fixed::default(), &columns(n));
    }
    keeps_its_quantiles(&mut Float, &columns(1000));
}

/// How many values of each column are clipped is what anybody would count who had them; it is told only if that is asked for.
#[test]
fn what_is_clipped_is_counted() {
    let mut t = training(Graph::perceptron(&[5, 6, 3]));
    let [mut x, y] = records(60);
    // Two values of the second column, and one of the last, far from all others on either side.
    (x[[3, 1]], x[[40, 1]], x[[7, 4]]) = (900.0, -900.0, -200.0);
    t.secure[0].1 = Scaling::Quantiles;
    for (statistics, clipped) in [(false, true), (true, true), (true, false), (false, false)] {
        let t = t.clone().with(|t| (t.open.statistics, t.open.clipped) = (statistics, clipped)).trainer().unwrap();
        let (e, mut said) = (&mut Fixed::default(), vec![]);
        let (data, state) = (t.data(e, &x, &y).unwrap(), t.initial(e).unwrap());
        let test = data.select(e, &(0..20).collect::<Vec<_>>());
        t.train(e, state, 0, &data, &test, &mut |_, event| {
            if let Event::OpenedStatistics { told, clipped } = event {
                said.push((told.is_some(), clipped));
            }
            Ok::<(), Error>(())
        })
        .unwrap();
        // Of 60 values one alone is not beyond 8 deviations of all.
        let expected = clipped.then(|| vec![2, 0, 0]);
        assert_eq!(said, if statistics || clipped { vec![(statistics, expected)] } else { vec![] });
    }
}

/// Of `n` records every how many lacks a value, column by column: none, some, many, nearly all and all of them.
fn lacks(n: usize, j: usize, i: usize) -> bool {
    match j % 5 {
        0 => false,
        1 => i.is_multiple_of(3),
        2 => !i.is_multiple_of(10),
        3 => i + 2 < n,
        _ => true,
    }
}

/// Statistics are those of the values that are there, and what is missing becomes exactly 0.
fn keeps_its_errors_with_gaps<E: Engine>(e: &mut E, w: &Array2<f64>) {
    let n = w.nrows();
    // All columns but two may lack values; these stand between them.
    let whole = [4, 9];
    let columns: Vec<usize> = (0..w.ncols()).filter(|j| !whole.contains(j)).collect();
    let is_missing = |i: usize, j: usize| !whole.contains(&j) && lacks(n, j, i);
    let given = Array2::from_shape_fn(w.dim(), |(i, j)| if is_missing(i, j) { 0.0 } else { w[[i, j]] });
    let missing = Array2::from_shape_fn((n, columns.len()), |(i, j)| f64::from(u8::from(is_missing(i, columns[j]))));
    let (x, missing) = (e.public(&given, SHARED).unwrap(), e.public(&missing, Format { frac: 0, bits: 1 }).unwrap());
    let gaps = Some(&Gaps { columns, missing });
    let by: Vec<Scaling> = (0..w.ncols()).map(|j| if j == 9 { Scaling::Range } else { Scaling::Deviation }).collect();
    let statistics = Statistics::of_present(e, &x, &by, gaps).unwrap();
    let [mean, inverse] = [&statistics.mean, &statistics.inverse].map(|x| e.open(x).unwrap().unwrap());
    let z = statistics.standardise_present(e, &x, gaps, OUT).unwrap();
    assert_eq!((e.shape(&z), e.format(&z)), ([n, w.ncols()], OUT));
    let z = e.open(&z).unwrap().unwrap();
    for (j, column) in w.axis_iter(Axis(1)).enumerate().filter(|(j, _)| *j != 9) {
        let there: Vec<f64> = (0..n).filter(|i| !is_missing(*i, j)).map(|i| column[i]).collect();
        let (m, deviation) = if there.is_empty() { (0.0, 1.0) } else { plain(&there) };
        let share = there.len().max(1) as f64 / n.next_power_of_two() as f64;
        let told = |what: &str, error: f64| format!("{what} of column {j} of {} of {n} records is off by {error:e}", there.len());
        let (by_mean, by_inverse) = ((mean[[0, j]] - m).abs(), (inverse[[0, j]] * deviation - 1.0).abs());
        for i in (0..n).filter(|i| is_missing(*i, j)) {
            assert!(z[[i, j]] == 0.0, "record {i}, column {j} of {n}: {}", z[[i, j]]);
        }
        // With fewer values than one of a thousand the mean is taken nearer to the middle.
        if share < 2f64.powi(-10) {
            assert!((mean[[0, j]] - m * share * 1024.0).abs() < 2f64.powi(-4), "{}", told("mean", by_mean));
            continue;
        }
        assert!(by_mean < 2f64.powi(-14), "{}", told("mean", by_mean));
        let most = 2f64.powi(-15) / share;
        assert!(by_inverse < most, "{}", told("deviation", by_inverse));
        for i in (0..n).filter(|i| !is_missing(*i, j)) {
            let exact = ((column[i] - m) / deviation).clamp(STEP - 8.0, 8.0 - STEP);
            let error = (z[[i, j]] - exact).abs();
            assert!(error <= 2.0 * STEP + exact.abs() * most, "{}", told("value", error));
        }
    }
}

#[test]
fn statistics_of_the_values_that_are_there() {
    for n in [1, 2, 3, 64, 1000, 1024, 3000, 40_000] {
        keeps_its_errors_with_gaps(&mut Fixed::default(), &columns(n));
    }
    keeps_its_errors_with_gaps(&mut Float, &columns(1000));
}

/// The same of the values that are there, in columns that stand between those that lack none; what is missing becomes exactly 0.
fn keeps_its_quantiles_with_gaps<E: Engine>(e: &mut E, w: &Array2<f64>) {
    let n = w.nrows();
    let columns: Vec<usize> = (0..w.ncols()).filter(|j| ![4, 9].contains(j)).collect();
    let is_missing = |i: usize, j: usize| columns.contains(&j) && lacks(n, j, i);
    let given = Array2::from_shape_fn(w.dim(), |(i, j)| if is_missing(i, j) { 0.0 } else { w[[i, j]] });
    let missing = Array2::from_shape_fn((n, columns.len()), |(i, j)| f64::from(u8::from(is_missing(i, columns[j]))));
    let (x, missing) = (e.public(&given, SHARED).unwrap(), e.public(&missing, Format { frac: 0, bits: 1 }).unwrap());
    let gaps = Some(&Gaps { columns: columns.clone(), missing });
    // Some by mean and deviation, whole and not.
    let by: Vec<Scaling> =
        (0..w.ncols()).map(|j| if j == 4 || j == 7 { Scaling::Deviation } else { Scaling::Quantiles }).collect();
    let statistics = Statistics::of_present(e, &x, &by, gaps).unwrap();
    let [median, inverse] = [&statistics.mean, &statistics.inverse].map(|x| e.open(x).unwrap().unwrap());
    let z = statistics.standardise_present(e, &x, gaps, OUT).unwrap();
    let z = e.open(&z).unwrap().unwrap();
    for (j, column) in w.axis_iter(Axis(1)).enumerate() {
        let told = format!("column {j} of {n} records");
        assert!((0..n).filter(|i| is_missing(*i, j)).all(|i| z[[i, j]] == 0.0), "{told}");
        let mut sorted: Vec<f64> = (0..n).filter(|i| !is_missing(*i, j)).map(|i| column[i]).collect();
        if by[j] == Scaling::Deviation {
            continue;
        }
        if sorted.is_empty() {
            assert!(median[[0, j]] == 0.0 && (inverse[[0, j]] - 0.5).abs() < 2f64.powi(-16), "{told}");
            continue;
        }
        sorted.sort_by(f64::total_cmp);
        let share = sorted.len() as f64 / n as f64;
        if n > QUANTILES_OF {
            let rank = |of: &dyn Fn(&f64) -> bool| sorted.partition_point(of) as f64 / sorted.len() as f64;
            let (m, off) = (median[[0, j]], 0.02 / share.sqrt());
            assert!(rank(&|w| *w < m) < 0.5 + off && rank(&|w| *w <= m) > 0.5 - off, "{told}: {m}");
            continue;
        }
        let at = |part: f64| sorted[(part * (sorted.len() - 1) as f64).floor() as usize];
        let (middle, apart) = (at(0.5), (at(0.75) - at(0.25)).max(2.0));
        assert_eq!(median[[0, j]], middle, "{told}");
        assert!((inverse[[0, j]] * apart - 1.0).abs() < 2f64.powi(-16), "{told}");
        for i in (0..n).filter(|i| !is_missing(*i, j)) {
            let exact = ((column[i] - middle) / apart).clamp(STEP - 8.0, 8.0 - STEP);
            assert!((z[[i, j]] - exact).abs() <= 2.0 * STEP + exact.abs() * 2f64.powi(-16), "{told}: {} for {exact}", z[[i, j]]);
        }
    }
}

#[test]
fn quantiles_of_the_values_that_are_there() {
    for n in [1, 2, 3, 4, 5, 64, 1000, 20_000] {
        keeps_its_quantiles_with_gaps(&mut Fixed::default(), &columns(n));
    }
    keeps_its_quantiles_with_gaps(&mut Float, &columns(1000));
}

/// Of 5 columns the second and the last two are standardised on shares.
const SECURE: [usize; 3] = [1, 3, 4];

fn training(network: Graph) -> Training {
    Training::of(network, 60).unwrap().with(|t| {
        t.records = t.records.with_input(OUT);
        t.secure = SECURE.map(|place| (place, Scaling::Deviation)).to_vec();
        (t.spec.batch, t.spec.epochs, t.records.test_rows) = (20, 2, 20);
    })
}

fn records(rows: usize) -> [Array2<f64>; 2] {
    let mut x = noise(rows, 5, 3).mapv(grid);
    for (j, (middle, width)) in SECURE.into_iter().zip([(20.0, 3.0), (-400.0, 500.0), (999.0, 1.0)]) {
        x.column_mut(j).mapv_inplace(|v| grid(middle + width * v));
    }
    let y = Array2::from_shape_fn((rows, 3), |(i, j)| f64::from(u8::from(i % 3 == j)));
    [x, y]
}

/// Trains from a state on, and gives the state after each step.
fn trained<E: Engine>(e: &mut E, t: &Training, state: Option<State<E::Num>>, from: u64) -> Vec<State<E::Num>> {
    let t = t.trainer().unwrap();
    let data = |e: &E, rows: usize| {
        let [x, y] = records(rows);
        t.data(e, &x, &y).unwrap()
    };
    let (train, test): (Data<E::Num>, Data<E::Num>) = (data(e, 60), data(e, 20));
    let state = state.unwrap_or_else(|| t.initial(e).unwrap());
    let mut states = Vec::new();
    t.train(e, state, from, &train, &test, &mut |_, event| {
        if let Event::Step { state, .. } = event {
            states.push(state.clone());
        }
        Ok::<(), Error>(())
    })
    .unwrap();
    states
}

/// The network that is given away says of records as they are shared what the one that was trained says of standardised ones; and so does
/// the prediction that answers from shares.
#[test]
fn what_is_given_away_takes_records_as_they_are_shared() {
    for network in [Graph::perceptron(&[5, 6, 3]), Graph::perceptron(&[5, 3])] {
        let (t, e) = (training(network), &mut Fixed::default());
        let state = trained(e, &t, None, 0).pop().unwrap();
        let t = t.trainer().unwrap();
        let [x, _] = records(40);
        let shared = e.public(&x, SHARED).unwrap();
        let standardised = t.standardised(e, &state, &shared).unwrap();
        let within = |e: &mut Fixed, a: &_, b: &Array2<f64>, most: f64| {
            let far = (e.open(a).unwrap().unwrap() - b).iter().fold(0f64, |m, v| m.max(v.abs()));
            assert!(far < most, "{far:e}");
        };
        let expected = t.forward(e, &state, &standardised).unwrap();
        let expected = e.open(&expected).unwrap().unwrap();

        let exports = t.exports(e, &state).unwrap();
        assert_eq!(exports.iter().map(|p| e.format(p)).collect::<Vec<_>>(), t.exported().unwrap());
        let params: Vec<Array2<f64>> = exports.iter().map(|p| e.open(p).unwrap().unwrap()).collect();
        let relu = t.network().params().len() == 4;
        let mut z = x.dot(&params[0].t()) + &params[1];
        if relu {
            z = z.mapv(|v| v.max(0.0)).dot(&params[2].t()) + &params[3];
        }
        // None of these records is beyond 8 deviations.
        let trained = t.forward(e, &state, &standardised).unwrap();
        within(e, &trained, &z, 4e-3);

        let prediction = t.prediction().unwrap();
        assert_eq!(prediction.input(), SHARED);
        let statistics = state.statistics.clone().unwrap();
        let params: Vec<_> = state.params.iter().cloned().chain([statistics.mean, statistics.inverse]).collect();
        assert!(prediction.parts().eq(params.iter().map(|p| (e.shape(p), e.format(p)))));
        let answered = prediction.forward(e, &params, &shared).unwrap();
        within(e, &answered, &expected, 1e-12);
    }
}

/// Of a column's values some are missing, and the network is told of one column which: records as they are shared, where that stands behind
/// the values, train and are answered as if somebody had put the mean of all others in their place.
#[test]
fn what_is_missing_trains_as_if_the_mean_were_there() {
    let e = &mut Fixed::default();
    // Inputs: plain, secure, whether that is missing, secure, plain; as they are shared, whether the latter is missing stands before the last.
    let t = training(Graph::perceptron(&[5, 6, 3])).with(|t| {
        t.secure = vec![(1, Scaling::Deviation), (3, Scaling::Deviation)];
        t.missing = vec![(1, true), (3, false)];
    });
    assert_eq!(t.width(), 6);
    let lacks = |i: usize, j: usize| (i + j).is_multiple_of(3);
    // What a network is given of a record, and the record as it is shared.
    let both = |rows: usize| {
        let [mut x, y] = records(rows);
        let of = |j: usize| {
            let [all, _] = records(60);
            let there: Vec<f64> = (0..60).filter(|i| !lacks(*i, j)).map(|i| all[[i, j]]).collect();
            plain(&there)
        };
        let mut shared = Array2::zeros((rows, 6));
        for i in 0..rows {
            for (j, at) in [(0, 0), (1, 1), (3, 3), (2, 5)] {
                shared[[i, at]] = x[[i, j]];
                if [1, 3].contains(&j) {
                    let ((mean, deviation), missing) = (of(j), lacks(i, j));
                    shared[[i, at]] = if missing { 0.0 } else { x[[i, j]] };
                    shared[[i, at + 1]] = if missing { STEP } else { 0.0 };
                    x[[i, j]] = if missing { 0.0 } else { grid((x[[i, j]] - mean) / deviation) };
                }
            }
            let (last, told) = (x[[i, 2]], f64::from(u8::from(lacks(i, 1))));
            (x[[i, 2]], x[[i, 4]]) = (told, last);
        }
        (x, shared, y)
    };
    let [trainer, public] =
        [t.clone(), t.clone().with(|t| (t.secure, t.missing) = (vec![], vec![]))].map(|t| t.trainer().unwrap());
    let data = |t: &trefoil_nn::Trainer, rows: usize, as_shared: bool| {
        let (x, shared, y) = both(rows);
        t.data(&Fixed::default(), if as_shared { &shared } else { &x }, &y).unwrap()
    };
    let run = |t: &trefoil_nn::Trainer, as_shared: bool| {
        let e = &mut Fixed::default();
        let state = t.initial(e).unwrap();
        t.train(e, state, 0, &data(t, 60, as_shared), &data(t, 20, as_shared), &mut |_, _| Ok::<(), Error>(())).unwrap()
    };
    let (state, expected) = (run(&trainer, true), run(&public, false));
    let far = |e: &mut Fixed, a: &trefoil_engine::FixedNum, b: &trefoil_engine::FixedNum| {
        (e.open(a).unwrap().unwrap() - e.open(b).unwrap().unwrap()).iter().fold(0f64, |m, v| m.max(v.abs()))
    };
    for (a, b) in state.params.iter().zip(&expected.params) {
        assert!(far(e, a, b) < 2e-3);
    }
    let (x, shared, _) = both(20);
    let prediction = trainer.prediction().unwrap();
    assert_eq!((prediction.width(), prediction.network().width()), (6, 5));
    let statistics = state.statistics.clone().unwrap();
    let params: Vec<_> = state.params.iter().cloned().chain([statistics.mean, statistics.inverse]).collect();
    let answered = prediction.forward(e, &params, &e.public(&shared, SHARED).unwrap()).unwrap();
    let input = e.public(&x, OUT).unwrap();
    let said = trainer.forward(e, &state, &input).unwrap();
    assert!(far(e, &answered, &said) < 4e-3);
    // What may be missing is standardised by its mean or median, and has an input behind it where the network is told.
    for missing in [vec![(2, false)], vec![(3, false), (1, true)], vec![(1, true), (1, true)]] {
        let line = t.clone().with(|t| t.missing = missing).trainer().unwrap_err().to_string();
        assert!(line.starts_with("values that may be missing: ") && !line.contains('\n'), "{line}");
    }
}

#[test]
fn standardised_columns_train_as_if_their_statistics_were_public() {
    let e = &mut Fixed::default();
    let t = training(Graph::perceptron(&[5, 6, 3]));
    let state = trained(e, &t, None, 0).pop().unwrap();
    // The same with records that somebody has standardised before.
    let public = t.clone().with(|t| t.secure.clear()).trainer().unwrap();
    let data = |rows: usize| {
        let [all, y] = records(rows);
        let [of, _] = records(60);
        let mut x = all.clone();
        for j in SECURE {
            let (mean, deviation) = plain(&of.slice(s![.., j]).to_vec());
            x.column_mut(j).mapv_inplace(|v| grid((v - mean) / deviation));
        }
        public.data(&Fixed::default(), &x, &y).unwrap()
    };
    let initial = public.initial(e).unwrap();
    let other = public.train(e, initial, 0, &data(60), &data(20), &mut |_, _| Ok::<(), Error>(())).unwrap();
    for (a, b) in state.params.iter().zip(&other.params) {
        let far = (e.open(a).unwrap().unwrap() - e.open(b).unwrap().unwrap()).iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(far < 2e-3, "{far:e}");
    }
}

/// A session that goes on from a checkpoint takes the statistics from there: they are computed once.
#[test]
fn a_training_goes_on_with_the_statistics_that_it_began_with() {
    let e = &mut Fixed::default();
    let t = training(Graph::perceptron(&[5, 6, 3]));
    let states = trained(e, &t, None, 0);
    let again = trained(e, &t, Some(states[2].clone()), 3);
    let words = |state: &State<_>| state.params.iter().map(|p: &trefoil_engine::FixedNum| p.value.clone()).collect::<Vec<_>>();
    assert_eq!(words(states.last().unwrap()), words(again.last().unwrap()));
    let blank = t.trainer().unwrap().to_restore(e).unwrap();
    let [kept, blank] = [&states[2], &blank].map(|state| {
        let Statistics { mean, inverse } = state.statistics.as_ref().unwrap();
        [mean, inverse].map(|x| (e.shape(x), e.format(x)))
    });
    assert_eq!(kept, blank);
}

#[test]
fn what_cannot_be_folded_is_refused_in_one_line() {
    let linear = |outputs| Kind::Linear(Linear { outputs });
    let graph = Graph {
        input: trefoil_nn::Shape::Flat(5),
        nodes: vec![Node::new(Kind::BatchNorm(BatchNorm::default())), Node::new(linear(3))],
    };
    let t = training(graph).trainer().unwrap();
    let line = t.exported().unwrap_err().to_string();
    assert!(line.contains("whose bn1 takes the record, expected a linear layer first") && !line.contains('\n'), "{line}");
    for places in [vec![0, 0], vec![2, 1], vec![5]] {
        let e = training(Graph::perceptron(&[5, 3]))
            .with(|t| t.secure = places.into_iter().map(|place| (place, Scaling::Range)).collect())
            .trainer()
            .unwrap_err()
            .to_string();
        assert!(e.contains("expected places below 5, each once, in their order"), "{e}");
    }
}
