//! Features to mean 0 and standard deviation 1.

use ndarray::{Array2, ArrayView1, Axis};

/// Fraction bits of standardised features: a step is 1/4096 of a standard deviation, far below the noise of any
/// measurement, and the values stay narrow enough for short rings.
pub(crate) const FRAC: u8 = 12;

/// Steps in 1.
pub(crate) const STEPS: f64 = (1_u32 << FRAC) as f64;

/// Standardised values are clipped to (-8, 8): 15 bits and a sign in all.
const LIMIT: f64 = 8.0;

/// Standardises each column by the mean and (population) standard deviation that it has in `train`, clips to (-8, 8)
/// and rounds to [`FRAC`] fraction bits. A column that is constant in `train` becomes 0. Every finite input will do.
pub(crate) fn standardise(train: &mut Array2<f64>, test: &mut Array2<f64>) {
    for (mut a, mut b) in train.axis_iter_mut(Axis(1)).zip(test.axis_iter_mut(Axis(1))) {
        let map = Column::of(a.view());
        a.mapv_inplace(|v| map.apply(v));
        b.mapv_inplace(|v| map.apply(v));
    }
}

struct Column {
    scale: f64,
    mean: f64,
    deviation: f64,
}

impl Column {
    /// Everything after a division by the largest magnitude, so that no square overflows or vanishes.
    fn of(x: ArrayView1<'_, f64>) -> Column {
        let scale = x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let n = x.len() as f64;
        let mean = x.iter().map(|v| v / scale).sum::<f64>() / n;
        let variance = x.iter().map(|v| (v / scale - mean).powi(2)).sum::<f64>() / n;
        let constant = x.iter().all(|v| Some(v) == x.first());
        // Rounding can make the deviation of a constant column tiny instead of 0.
        Column { scale, mean, deviation: if constant { 0.0 } else { variance.sqrt() } }
    }

    fn apply(&self, v: f64) -> f64 {
        if self.deviation == 0.0 {
            return 0.0;
        }
        fixed((v / self.scale - self.mean) / self.deviation) as f64 / STEPS
    }
}

/// A standardised value with [`FRAC`] fraction bits: clipped to (-8, 8), rounded to the nearest.
pub(crate) fn fixed(z: f64) -> i64 {
    (z * STEPS).round().clamp(1.0 - LIMIT * STEPS, LIMIT * STEPS - 1.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use proptest::prelude::*;

    #[test]
    fn mean_and_deviation_come_from_the_training_part() {
        let mut train = arr2(&[[1.0, 5.0], [3.0, 5.0]]);
        let mut test = arr2(&[[2.0, 9.0], [2.5, 5.0], [1e9, 5.0], [-1e9, 5.0]]);
        standardise(&mut train, &mut test);
        assert_eq!(train, arr2(&[[-1.0, 0.0], [1.0, 0.0]]));
        assert_eq!(test, arr2(&[[0.0, 0.0], [0.5, 0.0], [8.0 - 1.0 / 4096.0, 0.0], [1.0 / 4096.0 - 8.0, 0.0]]));
    }

    proptest! {
        /// Any finite values, subnormal and huge ones too, become multiples of 2^-12 in (-8, 8).
        #[test]
        fn results_fit_the_format(a in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO, 2..20)) {
            let mut train = Array2::from_shape_fn((a.len() - 1, 1), |(i, _)| a[i]);
            let mut test = Array2::from_elem((1, 1), a[a.len() - 1]);
            standardise(&mut train, &mut test);
            for v in train.iter().chain(&test) {
                prop_assert!(v.abs() < 8.0 && (v * 4096.0).fract() == 0.0, "{v}");
            }
        }
    }
}
