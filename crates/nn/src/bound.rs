//! What keeps an opened figure inside of the bound that stands for it, and what refuses one that is outside.

use crate::{Error, Result};
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Result as EngineResult, Sum};

/// Promises the most that a comparison can tell apart: all of the ring.
const WHOLE: u8 = 63;

/// The sum of a column, in which each element that is not in \[least, most\] counts as `most`: one element.
///
/// Elements are compared as any words of the ring, whatever their format promises, and what a comparison lets through is what it has
/// compared. So the sum is between `least` and `most` times the number of rows even where a product has left its range before. (SecureNN
/// compares 63 bits of a word: there an element may be off by 2^63, which [`within`] finds in the sum.)
///
/// # Errors
/// Those of the engine.
pub fn clipped_sum<E: Engine>(e: &mut E, x: &E::Num, least: f64, most: f64) -> EngineResult<E::Num> {
    let ([rows, _], frac) = (e.shape(x), e.format(x).frac);
    let bits = frac + most.abs().max(least.abs()).log2().ceil() as u8 + 1;
    let constant = |e: &E, c: f64, n: usize| e.public(&Array2::from_elem((n, 1), c), Format { frac, bits });
    // What is added to a word moves the point at which it wraps, and takes nothing away from what is compared.
    let above = e.sub(x, &constant(e, least, 1)?)?;
    let below = e.sub(&constant(e, most, rows)?, x)?;
    let ends = e.drelu([&e.claim(&above, WHOLE), &e.claim(&below, WHOLE)])?;
    let inside = e.all(&ends.iter().collect::<Vec<_>>())?;
    // x inside, and `most` less `most` inside: together x or `most`.
    let ceiling = constant(e, most, rows)?;
    let [kept, ceilings] = e.select([(&inside, x), (&inside, &ceiling)])?;
    let clipped = e.sub(&e.add(&kept, &ceiling)?, &ceilings)?;
    Ok(e.sum(&e.claim(&clipped, bits), Sum::Rows))
}

/// An opened figure, if it is one that there can be: between `least` and `most`, but for rounding.
///
/// # Errors
/// [`Error::Bound`], which does not say what was opened.
pub fn within(figure: &'static str, opened: Option<f64>, least: f64, most: f64) -> Result<Option<f64>> {
    match opened {
        Some(x) if !(least - 0.5..=most + 0.5).contains(&x) => {
            let number = |x: f64| x.round() as i64;
            Err(Error::Bound { figure, bound: format!("{} to {}", number(least), number(most)) })
        }
        opened => Ok(opened),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_engine::{Fixed, Float};

    fn clipped<E: Engine>(e: &mut E, x: &[f64]) -> f64 {
        let x = Array2::from_shape_fn((x.len(), 1), |(i, _)| x[i]);
        let x = e.public(&x, Format { frac: 16, bits: 60 }).unwrap();
        let sum = clipped_sum(e, &e.claim(&x, 20), -1.0, 128.0).unwrap();
        e.open(&sum).unwrap().unwrap()[[0, 0]]
    }

    /// What the engine has promised to be below 2^4 is anything.
    #[test]
    fn whatever_the_elements_are_the_sum_is_within_its_bound() {
        let far = 2f64.powi(43);
        for (x, want) in [
            (vec![0.5, 3.25, -0.5], 3.25),
            (vec![128.0, -1.0], 127.0),
            (vec![128.5, -1.25, 129.0], 3.0 * 128.0),
            (vec![far, -far, 1.5], 257.5),
            (vec![], 0.0),
        ] {
            assert_eq!(clipped(&mut Fixed::default(), &x), want, "{x:?}");
            assert_eq!(clipped(&mut Float, &x), want, "{x:?}");
        }
    }

    #[test]
    fn what_is_out_of_its_bound_is_refused_and_not_told() {
        for x in [-0.6, 10.6, 1e300, f64::NAN, f64::INFINITY] {
            let refused = within("number of correct records", Some(x), 0.0, 10.0).unwrap_err().to_string();
            assert!(
                refused.starts_with("number of correct records: opened was a figure outside of its bound, 0 to 10;"),
                "{refused}"
            );
            assert!(!refused.contains(&x.to_string()), "{refused}");
        }
        assert_eq!(within("count", Some(10.4), 0.0, 10.0).unwrap(), Some(10.4));
        assert_eq!(within("count", None, 0.0, 10.0).unwrap(), None);
    }
}
