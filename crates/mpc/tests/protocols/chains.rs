//! Operations on values that an engine has not finished (the masked suite puts the last part of a truncation off): whatever happens to
//! such a value in between, the results are those of the same operations on the value that it opens to.

use crate::common::{Tested, edges, secret, with_engine};
use ndarray::Array2;
use trefoil_engine::{Engine, Fixed, FixedNum, Format, Index, Product, Result, Sum};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::simulate;
use trefoil_ring::Tensor;

const F: u8 = 16;
const SHAPE: [usize; 2] = [40, 6];
/// Of the products that the chain starts from.
const PRODUCT: Format = Format { frac: F, bits: 26 };
const WHOLE: Format = Format { frac: F + 2, bits: 28 };

fn input(salt: usize, bits: u8) -> Tensor {
    let words = edges(bits, SHAPE[0] * SHAPE[1]);
    Tensor::from_shape_fn((SHAPE[0], SHAPE[1]), |(i, j)| words[(i * SHAPE[1] + j + salt) % words.len()])
}

/// When what is pending is made whole.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Settled {
    Never,
    First,
    Copy,
    Between,
}

/// Names and values, and how many units a value may lie above that of `Fixed`.
type Values<N> = Vec<(&'static str, u64, N)>;

/// `z` and `y` are pending, `v` is not.
fn chain<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num, v: &E::Num, settled: Settled) -> Result<Values<E::Num>> {
    let copy = e.claim(&z.clone(), 28);
    match settled {
        Settled::First => e.settle(&[z, y, v])?,
        Settled::Copy => e.settle(&[&copy, &copy])?,
        Settled::Never | Settled::Between => {}
    }
    let less = e.sub(z, v)?;
    let more = e.add(v, z)?;
    let both = e.sub(z, y)?;
    let moved = e.times_2(&e.times(y, -3.3, 4)?, 3)?;
    let mixed = e.add(&moved, &less)?;
    let reverse: Vec<usize> = (0..SHAPE[0] * SHAPE[1]).rev().collect();
    let turned = e.gather(&both, Index::Flat([SHAPE[1], SHAPE[0]], &reverse));
    if settled == Settled::Between {
        e.settle(&[&both])?;
    }
    let wide = e.beside(&[z, &copy, &both])?;
    let rows = e.sum(&wide, Sum::Cols);
    let all = e.add(&wide, &e.gather(&rows, Index::Cols(&[0; 18])))?;
    // A product of products, with an addend that waits as well; then a comparison that carries two lifts, and one that is too wide to.
    let [zy, zz, zv] = e.products([
        Product::mul(z, y, PRODUCT_OF_TWO).plus(&both),
        Product::matmul(z, true, &copy, false, Format { frac: F, bits: 60 }),
        Product::mul(z, v, Format { frac: 2 * F + 2, bits: 56 }),
    ])?;
    let [low, high, same] = e.drelu([&e.claim(&mixed, 40), &zz, &e.claim(&mixed, 40)])?;
    let [picked, again, square] = e.select([(&low, &mixed), (&same, z), (&high, &zz)])?;
    let (relu, bit) = e.relu(&turned)?;
    let [after] = e.select([(&bit, &e.sub(&turned, &relu)?)])?;
    Ok(vec![
        ("difference", 0, less),
        ("sum", 0, more),
        ("difference of two that wait", 0, both),
        ("multiple", 0, moved),
        ("mixture", 0, mixed),
        ("rearranged", 0, turned),
        ("beside", 0, wide),
        ("sum of columns", 0, rows),
        ("columns and their sum", 0, all),
        ("product of products", 1, zy),
        ("matrix product", 1, zz.clone()),
        ("exact product", 0, zv),
        ("selected", 0, picked),
        ("selected by the same", 0, again),
        ("relu of the matrix product", 1, square),
        ("relu", 0, relu),
        ("what relu leaves", 0, after),
        ("the value itself", 0, z.clone()),
        ("its copy", 0, copy),
    ])
}

const PRODUCT_OF_TWO: Format = Format { frac: F, bits: 46 };

/// Each value that was found lies above that of `Fixed` by as many units as it may.
fn compare<S: Tested>(what: &str, want: &Values<FixedNum>, found: Vec<Option<Tensor>>) {
    for ((name, ulp, want), found) in want.iter().zip(found) {
        let found = found.unwrap();
        assert_eq!(want.value.dim(), found.dim(), "{name}");
        let far = want.value.iter().zip(&found).find(|(want, found)| found.wrapping_sub(**want) > *ulp);
        assert!(far.is_none(), "{}, {what}, {name}: (Fixed, found) = {far:?}", S::NAME);
    }
}

/// Each is the floor of the product of the inputs, or one more.
fn are_products(z: &Tensor) {
    for (z, (x, w)) in z.iter().zip(input(0, 20).iter().zip(&input(7, 21))) {
        let floor = (*x as i64 * *w as i64) >> F;
        assert!([floor, floor + 1].contains(&(*z as i64)));
    }
}

fn run<S: Tested>(settled: Settled) {
    let [p0, _, _] = simulate(1, |p| {
        with_engine::<S, _>(p, |e| {
            let x = secret(e, &input(0, 20), Format { frac: F, bits: 20 }, 1);
            let w = secret(e, &input(7, 21), Format { frac: F, bits: 21 }, 2);
            let v = secret(e, &input(3, 28), WHOLE, 3);
            let [z, y] = e.products([Product::mul(&x, &w, PRODUCT), Product::mul(&w, &w, Format { frac: F + 1, ..PRODUCT })])?;
            let values = chain(e, &z, &y, &v, settled)?;
            let values: Vec<_> = values.into_iter().map(|(_, _, v)| e.words(&v)).collect();
            Ok((values, e.words(&z), e.words(&y)))
        })
    });
    let (values, z, y) = p0.unwrap().0;
    let (z, y) = (z.unwrap(), y.unwrap());
    are_products(&z);
    let fixed = &mut Fixed::default();
    let (z, y) = (FixedNum::new(z, PRODUCT), FixedNum::new(y, Format { frac: F + 1, ..PRODUCT }));
    let want = chain(fixed, &z, &y, &FixedNum::new(input(3, 28), WHOLE), settled).unwrap();
    compare::<S>(&format!("settled {settled:?}"), &want, values);
}

#[test]
fn what_waits_is_what_it_opens_to() {
    for settled in [Settled::Never, Settled::First, Settled::Copy, Settled::Between] {
        run::<Masked>(settled);
        run::<SecureNn>(settled);
    }
}

/// What is done to a number of which the lower bits are known: everything before its comparisons, and what is needed whole after them.
fn narrow_chain<E: Engine>(e: &mut E, z: &E::Num, y: &E::Num, whole: &E::Num) -> Result<Values<E::Num>> {
    let z = e.narrow(z)?;
    let (less, more) = (e.sub(&z, y)?, e.add(whole, &z)?);
    let reverse: Vec<usize> = (0..SHAPE[0] * SHAPE[1]).rev().collect();
    let turned = e.gather(&less, Index::Flat([SHAPE[1], SHAPE[0]], &reverse));
    let blocks = e.gather(&z, Index::Blocks { of: SHAPE[1], cols: SHAPE[1], at: &[5, 4, 3, 2, 1, 0] });
    let [positive, of_blocks] = e.drelu([&less, &blocks])?;
    // By the same bits: of few lower bits, of all of them, and of few again.
    let [picked] = e.select([(&positive, &less)])?;
    let narrowed = e.narrow(whole)?;
    let [wide, of_blocks] = e.select([(&positive, &narrowed), (&of_blocks, &blocks)])?;
    let [words] = e.select([(&positive, whole)])?;
    let [again] = e.select([(&positive, &more)])?;
    let larger = e.claim(&e.add(y, &picked)?, 27);
    let both = e.beside(&[&larger, whole, &z])?;
    let rows = e.sum(&e.gather(&both, Index::Cols(&[0, 7, 13])), Sum::Cols);
    let [square] = e.products([Product::mul(&larger, &z, Format { frac: 2 * F, bits: 54 })])?;
    let [down] = e.truncate([(&more, Format { frac: F - 4, bits: 26 })])?;
    Ok(vec![
        ("difference", 0, less),
        ("sum", 0, more),
        ("rearranged", 0, turned),
        ("blocks", 0, blocks),
        ("selected", 0, picked),
        ("selected of a whole one", 0, wide),
        ("selected of blocks", 0, of_blocks),
        ("selected of words", 0, words),
        ("selected again", 0, again),
        ("the larger one", 0, larger),
        ("beside", 0, both),
        ("sum of columns", 0, rows),
        ("exact product", 0, square),
        ("cut", 1, down),
        ("the value itself", 0, z),
    ])
}

fn run_narrow<S: Tested>() {
    let format = Format { frac: F, bits: 27 };
    let [p0, _, _] = simulate(1, |p| {
        with_engine::<S, _>(p, |e| {
            let x = secret(e, &input(0, 20), Format { frac: F, bits: 20 }, 1);
            let w = secret(e, &input(7, 21), Format { frac: F, bits: 21 }, 2);
            let v = secret(e, &input(3, 27), format, 3);
            let [z, y] = e.products([Product::mul(&x, &w, format).narrow(true), Product::mul(&w, &w, format)])?;
            let values = narrow_chain(e, &z, &y, &v)?;
            let values: Vec<_> = values.into_iter().map(|(_, _, v)| e.words(&v)).collect();
            Ok((values, e.words(&z), e.words(&y)))
        })
    });
    let (values, z, y) = p0.unwrap().0;
    let (z, y) = (z.unwrap(), y.unwrap());
    are_products(&z);
    let fixed = &mut Fixed::default();
    let [z, y, v] = [z, y, input(3, 27)].map(|x| FixedNum::new(x, format));
    let want = narrow_chain(fixed, &z, &y, &v).unwrap();
    compare::<S>("narrow", &want, values);
}

#[test]
fn what_is_narrow_is_what_it_opens_to() {
    run_narrow::<Masked>();
    run_narrow::<SecureNn>();
}

/// What its lower bits do not say is refused before anything is sent, and what is large from the beginning is not made narrow.
#[test]
fn a_narrow_number_stays_in_its_range() {
    let [p0, p1, p2] = simulate(1, |p| {
        with_engine::<Masked, _>(p, |e| {
            let x = secret(e, &input(0, 20), Format { frac: F, bits: 20 }, 1);
            let narrow = e.narrow(&x)?;
            let large = e.times(&narrow, 3000.0, 0)?;
            let before = e.party.cost.clone();
            let refused = [
                e.products([Product::mul(&large, &x, Format { frac: F, bits: 40 })]).map(drop),
                e.truncate([(&large, Format { frac: 2, bits: 20 })]).map(drop),
                e.settle(&[&large]),
                e.open(&large).map(drop),
                e.drelu([&large]).map(drop),
                e.row_max(&large).map(drop),
            ];
            assert!((&e.party.cost - &before).sent == [0; 3]);
            let wide = e.narrow(&e.claim(&x, 30))?;
            let [product] = e.products([Product::mul(&e.times(&wide, 100.0, 0)?, &x, Format { frac: F, bits: 56 })])?;
            e.settle(&[&product])?;
            Ok(refused.map(|r| r.map_err(|e| e.to_string())))
        })
    });
    for refused in [p0, p1, p2].map(|p| p.unwrap().0).into_iter().flatten() {
        let line = refused.unwrap_err();
        assert!(line.contains("a number of which the lower bits are known") && line.contains("2^32"), "{line}");
    }
}

/// Products of products of products, never opened in between: the error stays within a unit a product.
#[test]
fn errors_do_not_grow_where_nothing_is_opened() {
    let [p0, _, _] = simulate(2, |p| {
        with_engine::<Masked, _>(p, |e| {
            let format = Format { frac: F, bits: F + 1 };
            let mut x = secret(e, &Tensor::from_elem((10, 10), 1 << F), format, 1);
            let y = e.public(&Array2::from_elem((10, 10), 0.5), format)?;
            for _ in 0..10 {
                let [half] = e.products([Product::mul(&x, &y, format)])?;
                x = e.claim(&e.add(&half, &y)?, F + 1);
            }
            Ok(e.words(&x))
        })
    });
    // x = x / 2 + 1/2 stays at 1.
    assert!(p0.unwrap().0.unwrap().iter().all(|v| (*v as i64 - (1 << F)).abs() <= 2));
}
