//! Check 1: one body over the engines. Every operation of `Engine` on random and edge matrices, and every function built on them.

use crate::common::{Tested, edges, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::functions::OverRoot;
use trefoil_engine::{Engine, Fixed, FixedNum, Float, Format, Index, Product, Result, Scatter, Sum, functions};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_nn::{Gaps, Scaling, Statistics};
use trefoil_ring::Tensor;

/// An engine that takes secret ring elements, and shows them.
trait Exact: Engine {
    fn secret(&mut self, x: &Tensor, format: Format) -> Self::Num;
    fn words(&mut self, x: &Self::Num) -> Tensor;
    fn bits(&mut self, x: &Self::Bit) -> Tensor;
}

impl Exact for Fixed {
    fn secret(&mut self, x: &Tensor, format: Format) -> FixedNum {
        FixedNum::new(x.clone(), format)
    }
    fn words(&mut self, x: &FixedNum) -> Tensor {
        x.value.clone()
    }
    fn bits(&mut self, x: &Array2<bool>) -> Tensor {
        x.mapv(u64::from)
    }
}

impl<S: Tested> Exact for S {
    fn secret(&mut self, x: &Tensor, format: Format) -> S::Num {
        secret(self, x, format, 1)
    }
    fn words(&mut self, x: &S::Num) -> Tensor {
        let [rows, cols] = self.shape(x);
        Tested::words(self, x).unwrap_or_else(|| Tensor::zeros((rows, cols)))
    }
    fn bits(&mut self, x: &S::Bit) -> Tensor {
        let [rows, cols] = self.bit_shape(x);
        let one = self.public(&Array2::ones((rows, cols)), Format { frac: 0, bits: 1 }).unwrap();
        let [x] = self.select([(x, &one)]).unwrap();
        Exact::words(self, &x)
    }
}

/// Results by name, each with the number of units by which it may lie above that of `Fixed`.
type Results = Vec<(String, u64, Tensor)>;

/// A matrix of `shape` with the edges of `bits` bits first, then random values.
fn matrix(shape: [usize; 2], bits: u8) -> Tensor {
    let words = edges(bits, (shape[0] * shape[1]).max(9));
    Tensor::from_shape_fn((shape[0], shape[1]), |(i, j)| words[i * shape[1] + j])
}

fn local<E: Exact>(e: &mut E, shape: [usize; 2], out: &mut Results) -> Result<()> {
    let [rows, cols] = shape;
    let wide = e.secret(&matrix(shape, 50), Format { frac: 16, bits: 50 });
    let narrow = e.secret(&matrix(shape, 20), Format { frac: 10, bits: 20 });
    let mut put = |e: &mut E, name: &str, x: &E::Num| {
        let words = e.words(x);
        out.push((format!("{name} {shape:?}"), 0, words));
    };
    for y in [shape, [1, cols], [rows, 1], [1, 1]] {
        let y = e.secret(&matrix(y, 30), Format { frac: 18, bits: 30 });
        let (sum, difference) = (e.add(&wide, &y)?, e.sub(&wide, &y)?);
        put(e, "add", &sum);
        put(e, "sub", &difference);
    }
    let sum = e.add(&narrow, &wide)?;
    put(e, "add, the second with more fraction bits", &sum);
    for (name, x) in [("times", e.times(&narrow, -3.3, 12)?), ("times 2^3", e.times_2(&wide, 3)?), ("claim", e.claim(&wide, 51))]
    {
        put(e, name, &x);
    }
    let (r, c): (Vec<usize>, Vec<usize>) = ((0..rows).rev().chain(0..rows).collect(), (0..cols).rev().chain(0..cols).collect());
    let flat: Vec<usize> = (0..rows * cols).rev().collect();
    for index in [Index::Rows(&r), Index::Cols(&c), Index::Flat([cols, rows], &flat), Index::Rows(&[]), Index::Cols(&[])] {
        put(e, "gather", &e.gather(&wide, index));
    }
    // Every third element is dropped, the others meet in fours.
    let places = |n: usize| (0..n).map(|i| if i % 3 == 2 { usize::MAX } else { i / 4 }).collect::<Vec<_>>();
    let sums = e.scatter(&narrow, &Scatter::new([1, rows * cols / 4 + 1], places(rows * cols)))?;
    put(e, "scatter", &sums);
    put(e, "sum of rows", &e.sum(&narrow, Sum::Rows));
    put(e, "sum of columns", &e.sum(&narrow, Sum::Cols));
    let pair = e.beside(&[&wide, &wide])?;
    put(e, "beside", &pair);
    Ok(())
}

fn interactive<E: Exact>(e: &mut E, shape: [usize; 2], (widest, adds_up): (u8, bool), out: &mut Results) -> Result<()> {
    let [rows, cols] = shape;
    let put = |e: &mut E, name: &str, ulp: u64, x: &E::Num, out: &mut Results| {
        let words = e.words(x);
        out.push((format!("{name} {shape:?}"), ulp, words));
    };
    let x = e.secret(&matrix(shape, 30), Format { frac: 16, bits: 30 });
    let y = e.secret(&matrix(shape, 29).mapv(u64::wrapping_neg), Format { frac: 14, bits: 29 });
    let (full, short) = (Format { frac: 30, bits: 60 }, Format { frac: 16, bits: 46 });
    // Element by element, and each third nowhere.
    let places = (0..rows * cols).map(|i| if i % 3 == 2 { usize::MAX } else { i / 4 }).collect();
    let scatter = Scatter::new([1, rows * cols / 4 + 1], places);
    let added = |frac, bits| Product { scatter: Some(&scatter), ..Product::mul(&x, &y, Format { frac, bits }) };
    let [sums, cut] = e.products([added(30, 61), added(16, 47)])?;
    put(e, "product, added up", 0, &sums, out);
    put(e, "product, added up, truncated", 1, &cut, out);
    let [exact, truncated] = e.products([Product::mul(&x, &y, full), Product::mul(&x, &y, short)])?;
    put(e, "product", 0, &exact, out);
    put(e, "product, truncated", 1, &truncated, out);
    let row = e.secret(&matrix([1, cols], 30), Format { frac: 16, bits: 30 });
    let [with_row] = e.products([Product::mul(&x, &y, Format { frac: 16, bits: 47 }).plus(&row)])?;
    put(e, "product plus row", 1, &with_row, out);

    let small = e.secret(&matrix([rows.min(40), cols.min(30)], 24), Format { frac: 10, bits: 24 });
    let small = e.prepare(&small)?;
    for (tx, ty) in [(false, true), (true, false)] {
        let product = |frac, bits| Product::matmul(&small, tx, &small, ty, Format { frac, bits });
        let [z, cut] = e.products([product(20, 54), product(3, 40)])?;
        let [m, n] = e.shape(&z);
        let scatter = Scatter::new([2, m * n / 2 + 1], (0..m * n).map(|i| if i % 5 == 4 { usize::MAX } else { i / 2 }).collect());
        let added = |frac, bits| Product { scatter: Some(&scatter), ..product(frac, bits) };
        let plus = e.secret(&matrix([1, m * n / 2 + 1], 30), Format { frac: 16, bits: 30 });
        if adds_up {
            let [sums, short] = e.products([added(20, 55), added(3, 41).plus(&plus)])?;
            put(e, "matrix product, added up", 0, &sums, out);
            put(e, "matrix product, added up, plus row, truncated", 1, &short, out);
        }
        put(e, "matrix product", 0, &z, out);
        put(e, "matrix product, truncated", 1, &cut, out);
    }

    let large = e.secret(&matrix(shape, widest), Format { frac: 16, bits: widest });
    for frac in [0, 15, 16] {
        let [down] = e.truncate([(&large, Format { frac, bits: widest })])?;
        put(e, "truncation", u64::from(frac < 16), &down, out);
    }
    let [a, b] = e.drelu([&large, &x])?;
    let [picked, same] = e.select([(&a, &x), (&b, &large)])?;
    put(e, "select", 0, &picked, out);
    put(e, "select", 0, &same, out);
    let (relu, bit) = e.relu(&large)?;
    put(e, "relu", 0, &relu, out);
    let flipped = e.flip(&bit, &(0..cols).map(|j| j % 2 == 0).collect::<Vec<_>>());
    let turned = e.gather_bits(&bit, Index::Cols(&(0..cols).rev().collect::<Vec<_>>()));
    let mut bits = vec![("drelu", a.clone()), ("flip", flipped.clone()), ("gather bits", turned.clone())];
    for many in [vec![&a], vec![&a, &b], vec![&a, &b, &flipped], vec![&a, &turned, &b, &bit, &a]] {
        bits.push(("all", e.all(&many)?));
    }
    if cols > 0 && cols < 20 {
        let x = e.claim(&x, 40);
        let max = functions::row_max(e, &x)?;
        put(e, "row maximum", 0, &max, out);
        bits.push(("argmax", functions::argmax(e, &x)?));
    }
    // 0 <= x <= y, both ends included.
    let y = matrix([rows, 1], 20).mapv(|v| 1 + (v & 0xf_ffff));
    let below = Tensor::from_shape_fn((rows, cols.min(10)), |(i, j)| [0, y[[i, 0]], y[[i, 0]] / (j as u64 + 1)][j.min(2)]);
    let format = Format { frac: 8, bits: 21 };
    let (below, y) = (e.secret(&below, format), e.secret(&y, format));
    let quotient = functions::division(e, &below, &y, 12)?;
    put(e, "division", 0, &quotient, out);
    for (name, b) in bits {
        let words = e.bits(&b);
        out.push((format!("{name} {shape:?}"), 0, words));
    }
    Ok(())
}

/// All operations on one shape, in the manner of a training: layers within steps.
fn operations<E: Exact>(e: &mut E, shape: [usize; 2], knows: (u8, bool)) -> Result<Results> {
    e.drive(vec![], 1..3, |e, out: &mut Results, step| match step {
        1 => local(e, shape, out),
        _ => e.within("layer", |e| interactive(e, shape, knows, out)),
    })
}

fn every_operation<S: Tested>() {
    // Empty, one, edges alone, and a hundred thousand elements.
    for shape in [[0, 3], [0, 1], [1, 1], [1, 9], [5, 4], [100, 1000]] {
        let knows = (S::TRUNCATED, S::ADDS_UP);
        let want = operations(&mut Fixed::default(), shape, knows).unwrap();
        let [p0, p1, p2] = simulate(1, |p| with_engine::<S, _>(p, |e| operations(e, shape, knows)));
        assert_eq!(p2.unwrap().0.len(), want.len());
        for got in [p0, p1] {
            for ((name, ulp, want), (_, _, got)) in want.iter().zip(got.unwrap().0) {
                assert_eq!(want.dim(), got.dim(), "{name}");
                let [below, above] = S::ROUNDING.map(|units| units * ulp);
                let far = want.iter().zip(&got).find(|(want, got)| got.wrapping_sub(**want).wrapping_add(below) > below + above);
                assert!(far.is_none(), "{name} on {}: (Fixed, found) = {far:?}", S::NAME);
            }
        }
    }
}

#[test]
fn every_operation_of_secure_nn_gives_what_fixed_gives() {
    every_operation::<SecureNn>();
}

#[test]
fn every_operation_of_masked_gives_what_fixed_gives() {
    every_operation::<Masked>();
}

#[test]
fn every_operation_of_verified_gives_what_fixed_gives() {
    every_operation::<Verified>();
}

/// A column from `low` to `high`, on a grid that 20 fraction bits hold exactly.
fn column(rows: usize, low: f64, high: f64) -> Array2<f64> {
    let last = rows.max(2) - 1;
    Array2::from_shape_fn((rows, 1), |(i, _)| {
        ((low + (high - low) * i as f64 / last as f64) * 20f64.exp2()).round() / 20f64.exp2()
    })
}

/// Logits for softmax: rows of random size, with ties, and rows of extremes.
fn logits(rows: usize, cols: usize) -> Array2<f64> {
    let words = edges(12, (rows * cols).max(9));
    Array2::from_shape_fn((rows, cols), |(i, j)| words[i * cols + j] as i64 as f64 / 64.0)
}

fn worst(y: Option<Array2<f64>>, want: &Array2<f64>) -> f64 {
    y.map_or(0.0, |y| {
        assert_eq!(y.dim(), want.dim());
        y.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    })
}

/// The errors of all functions on `rows` rows, with their stated bounds.
fn errors<E: Engine>(
    e: &mut E,
    rows: usize,
    secret: impl Fn(&mut E, &Array2<f64>, Format) -> Result<E::Num>,
) -> Result<Vec<(String, f64, f64)>> {
    let mut out = vec![];
    let x = column(rows, -30.0, 0.0);
    let num = secret(e, &x, Format::new(20, 6))?;
    let y = functions::exp(e, &num, Format::new(24, 1))?;
    out.push(("exp".into(), worst(e.open(&y)?, &x.mapv(f64::exp)), 16f64.exp2().recip()));
    for (most, bound) in [(2.0, 14f64), (10.0, 14.0), (64.0, 7.0)] {
        let x = column(rows, 1.0, most);
        let num = secret(e, &x, Format::new(20, 7))?;
        let y = functions::ln(e, &num, most, Format::new(20, 4))?;
        out.push((format!("ln to {most}"), worst(e.open(&y)?, &x.mapv(f64::ln)), bound.exp2().recip()));
        let y = functions::reciprocal(e, &num, most)?;
        out.push((format!("reciprocal to {most}"), worst(e.open(&y)?, &x.mapv(f64::recip)), 20f64.exp2().recip()));
    }
    let x = column(rows, -30.0, 30.0);
    let num = secret(e, &x, Format::new(20, 6))?;
    let y = functions::sigmoid(e, &num, Format::new(24, 1))?;
    out.push(("sigmoid".into(), worst(e.open(&y)?, &x.mapv(|v| 1.0 / (1.0 + (-v).exp()))), 15f64.exp2().recip()));
    // So few that a hundred thousand of them would be no use.
    let x = column(rows.min(1000), 2f64.powi(-18), 15.75);
    let num = secret(e, &x, Format::new(28, 4))?;
    let y = functions::inverse_sqrt(e, &num, [-18, 4], Format::new(20, 10))?;
    let relative = e.open(&y)?.map(|y| y * x.mapv(f64::sqrt));
    out.push(("inverse square root".into(), worst(relative, &x.mapv(|_| 1.0)), 18f64.exp2().recip() + 2f64.powi(-18)));
    let low = 2f64.powi(-20);
    let s = column(rows, low, 15.0);
    let x = column(rows, -3.0, 3.0) * s.mapv(f64::sqrt);
    let (over, num) = (secret(e, &s, Format::new(36, 4))?, secret(e, &x, Format::new(24, 4))?);
    let q =
        OverRoot { x: &num, s: &over, range: [low, 15.0], factor: 0.5, whole: 0, bits: 28, plus: None, out: Format::new(24, 2) };
    let y = e.over_root(&q)?;
    out.push(("quotient by a root".into(), worst(e.open(&y)?, &(x / s.mapv(f64::sqrt) / 2.0)), 1.5 / 400.0 + 1e-4));
    let w = column(rows, -1000.0, 990.0).mapv(|v| (v * 4096.0).round() / 4096.0);
    let num = secret(e, &w, Format::new(12, 10))?;
    let statistics = Statistics::of(e, &num, &[Scaling::Deviation])?;
    let z = statistics.standardise(e, &num, Format::new(12, 3))?;
    if let Some(mean) = w.mean() {
        let deviation = w.var(0.0).sqrt();
        let (m, inverse) = (e.open(&statistics.mean)?, e.open(&statistics.inverse)?.map(|r| r * deviation));
        out.push(("mean of a column".into(), worst(m, &Array2::from_elem((1, 1), mean)), 14f64.exp2().recip()));
        out.push(("deviation of a column".into(), worst(inverse, &Array2::ones((1, 1))), 16f64.exp2().recip()));
        let exact = w.mapv(|v| (v - mean) / deviation);
        out.push(("standardised".into(), worst(e.open(&z)?, &exact), 2.0 / 4096.0 + 15f64.exp2().recip()));
    }
    let few = w.slice(ndarray::s![..w.nrows().min(1000), ..]).to_owned();
    let num = secret(e, &few, Format::new(12, 10))?;
    let statistics = Statistics::of(e, &num, &[Scaling::Quantiles])?;
    let mut sorted: Vec<f64> = few.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    if let Some(last) = sorted.len().checked_sub(1) {
        let at = |part: f64| sorted[(part * last as f64).floor() as usize];
        let apart = at(0.75) - at(0.25);
        let (median, inverse) = (e.open(&statistics.mean)?, e.open(&statistics.inverse)?.map(|r| r * apart));
        out.push(("median".into(), worst(median, &Array2::from_elem((1, 1), at(0.5))), 0.0));
        out.push(("quartiles".into(), worst(inverse, &Array2::ones((1, 1))), 16f64.exp2().recip()));
    }
    // The same where every third value is missing, and by what then is left; what is missing becomes exactly 0.
    let there = Array2::from_shape_fn(w.dim(), |(i, j)| f64::from(u8::from((i + j) % 3 > 0)));
    let (num, missing) =
        (secret(e, &(&w * &there), Format::new(12, 10))?, secret(e, &there.mapv(|v| 1.0 - v), Format { frac: 0, bits: 1 })?);
    let gaps = Gaps { columns: vec![0], missing };
    let statistics = Statistics::of_present(e, &num, &[Scaling::Deviation], Some(&gaps))?;
    let z = statistics.standardise_present(e, &num, Some(&gaps), Format::new(12, 3))?;
    let values: Vec<f64> = w.iter().zip(&there).filter(|(_, there)| **there > 0.0).map(|(v, _)| *v).collect();
    if !values.is_empty() {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        let (m, inverse) = (e.open(&statistics.mean)?, e.open(&statistics.inverse)?.map(|r| r * deviation));
        out.push(("mean of what is there".into(), worst(m, &Array2::from_elem((1, 1), mean)), 14f64.exp2().recip()));
        out.push(("deviation of what is there".into(), worst(inverse, &Array2::ones((1, 1))), 13f64.exp2().recip()));
        let (z, exact) = (e.open(&z)?, w.mapv(|v| (v - mean) / deviation) * &there);
        let of_missing = z.as_ref().map(|z| z * there.mapv(|v| 1.0 - v));
        out.push(("what is missing".into(), worst(of_missing, &Array2::zeros(w.dim())), 0.0));
        out.push(("standardised of what is there".into(), worst(z, &exact), 2.0 / 4096.0 + 12f64.exp2().recip()));
    }
    let few: Vec<usize> = (0..w.nrows().min(100)).collect();
    let [num, missing] = [&num, &gaps.missing].map(|x| e.gather(x, Index::Rows(&few)));
    let statistics = Statistics::of_present(e, &num, &[Scaling::Quantiles], Some(&Gaps { columns: vec![0], missing }))?;
    let mut values: Vec<f64> = few.iter().filter(|i| there[[**i, 0]] > 0.0).map(|i| w[[*i, 0]]).collect();
    values.sort_by(f64::total_cmp);
    if let Some(middle) = values.get(values.len().saturating_sub(1) / 2) {
        let median = e.open(&statistics.mean)?;
        out.push(("median of what is there".into(), worst(median, &Array2::from_elem((1, 1), *middle)), 0.0));
    }
    for (cols, rows) in [(1, rows / 10), (2, rows / 10), (10, rows / 10), (14, rows / 1000), (64, rows / 1000)] {
        let x = logits(rows, cols);
        let num = secret(e, &x, Format::new(16, 8))?;
        let y = e.softmax(&num, Format::new(16, 1))?;
        let mut want = x.clone();
        for mut row in want.rows_mut() {
            let max = row.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
            row.mapv_inplace(|v| (v - max).exp() / sum);
        }
        out.push((format!("softmax of {cols}"), worst(e.open(&y)?, &want), 14f64.exp2().recip()));
    }
    Ok(out)
}

fn check(engine: &str, found: Vec<(String, f64, f64)>) {
    for (name, error, bound) in found {
        assert!(error <= bound, "{name} on {engine}: {error:e}, stated {bound:e}");
    }
}

fn every_function<S: Tested>() {
    for rows in [0, 10, S::ROWS] {
        let [p0, p1, _] = simulate(1, |p| {
            with_engine::<S, _>(p, |e| errors(e, rows, |e, x, f| Ok(secret(e, &trefoil_engine::fixed::encode(x, f)?, f, 1))))
        });
        // Where multiples of a unit do not stay what they are, 0 of 12 fraction bits is 0 within one.
        let loose = |(name, error, bound): (String, f64, f64)| match name == "what is missing" {
            true => (name, error, bound.max(S::ROUNDING[0] as f64 / 4096.0)),
            false => (name, error, bound),
        };
        for party in [p0, p1] {
            check(S::NAME, party.unwrap().0.into_iter().map(loose).collect());
        }
    }
}

#[test]
fn every_function_keeps_its_stated_error_in_the_clear() {
    for rows in [0, 10, 100_000] {
        check("Float", errors(&mut Float, rows, |e, x, f| e.public(x, f)).unwrap());
        check("Fixed", errors(&mut Fixed::default(), rows, |e, x, f| e.public(x, f)).unwrap());
    }
}

#[test]
fn every_function_of_secure_nn_keeps_its_stated_error() {
    every_function::<SecureNn>();
}

#[test]
fn every_function_of_masked_keeps_its_stated_error() {
    every_function::<Masked>();
}

#[test]
fn every_function_of_verified_keeps_its_stated_error() {
    every_function::<Verified>();
}
