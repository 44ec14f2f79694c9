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
    let (x, w) = (input(0, 20), input(7, 21));
    for (z, (x, w)) in z.iter().zip(x.iter().zip(&w)) {
        let floor = (*x as i64 * *w as i64) >> F;
        assert!([floor, floor + 1].contains(&(*z as i64)));
    }
    let fixed = &mut Fixed::default();
    let (z, y) = (FixedNum::new(z, PRODUCT), FixedNum::new(y, Format { frac: F + 1, ..PRODUCT }));
    let want = chain(fixed, &z, &y, &FixedNum::new(input(3, 28), WHOLE), settled).unwrap();
    for ((name, ulp, want), got) in want.iter().zip(values) {
        let got = got.unwrap();
        assert_eq!(want.value.dim(), got.dim(), "{name}");
        let far = want.value.iter().zip(&got).find(|(want, got)| got.wrapping_sub(**want) > *ulp);
        assert!(far.is_none(), "{}, settled {settled:?}, {name}: (Fixed, found) = {far:?}", S::NAME);
    }
}

#[test]
fn what_waits_is_what_it_opens_to() {
    for settled in [Settled::Never, Settled::First, Settled::Copy, Settled::Between] {
        run::<Masked>(settled);
        run::<SecureNn>(settled);
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
