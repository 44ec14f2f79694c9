//! Where numbers of a record stand as they are shared, and as the network takes them: what says whether a value is missing is shared too, and
//! need not be an input.

use super::{Gaps, Scaling, Statistics, in_order, others};
use trefoil_engine::{Engine, Format, Index, Result};

/// Columns of records, and which of their values are missing.
type Present<N> = (N, Option<Gaps<N>>);

/// Of records whose columns are partly standardised on shares.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Layout {
    /// Numbers of a record as it is shared.
    pub width: usize,
    /// Which of the network's inputs are standardised on shares.
    pub places: Vec<usize>,
    /// Where these stand as they are shared.
    secure: Vec<usize>,
    /// Which of these may be missing, and where that is said.
    gaps: [Vec<usize>; 2],
    /// All other inputs of the network that are handed in as they are, where they stand, and where they are shared.
    plain: [Vec<usize>; 2],
    /// The same of those that say whether a value is missing.
    flags: [Vec<usize>; 2],
}

impl Layout {
    /// Of so many inputs, some of them standardised, and some of those with a number behind them that says whether they are missing, which
    /// may be an input.
    pub fn new(inputs: usize, secure: &[(usize, Scaling)], missing: &[(usize, bool)]) -> Layout {
        let places: Vec<usize> = secure.iter().map(|(place, _)| *place).collect();
        let mut layout =
            Layout { width: 0, places, secure: vec![], gaps: [vec![], vec![]], plain: [vec![], vec![]], flags: [vec![], vec![]] };
        let mut input = 0;
        while input < inputs {
            let place = layout.places.binary_search(&input).ok();
            let gap = missing.binary_search_by(|(place, _)| place.cmp(&input)).ok().map(|at| missing[at].1);
            match place {
                Some(_) => layout.secure.push(layout.width),
                None => [input, layout.width].into_iter().zip(&mut layout.plain).for_each(|(at, all)| all.push(at)),
            }
            (input, layout.width) = (input + 1, layout.width + 1);
            if let (Some(place), Some(is_input)) = (place, gap) {
                [place, layout.width].into_iter().zip(&mut layout.gaps).for_each(|(at, all)| all.push(at));
                if is_input {
                    [input, layout.width].into_iter().zip(&mut layout.flags).for_each(|(at, all)| all.push(at));
                    input += 1;
                }
                layout.width += 1;
            }
        }
        layout
    }

    /// The columns of records as they are shared that are standardised, and which of their values are missing.
    pub fn columns<E: Engine>(&self, e: &E, x: &E::Num) -> Result<Present<E::Num>> {
        let w = e.gather(x, Index::Cols(&self.secure));
        let [columns, at] = &self.gaps;
        if columns.is_empty() {
            return Ok((w, None));
        }
        // Whole numbers, which stand among others as steps of their last bit.
        let missing = e.times_2(&e.gather(x, Index::Cols(at)), e.format(x).frac.cast_signed())?;
        Ok((w, Some(Gaps { columns: columns.clone(), missing: e.claim(&missing, 1) })))
    }

    /// Records as a network takes them; and how many values of each column that is standardised were clipped, if that is to be `counted`.
    pub fn standardised<E: Engine>(
        &self,
        e: &mut E,
        statistics: &Statistics<E::Num>,
        x: &E::Num,
        out: Format,
        counted: bool,
    ) -> Result<(E::Num, Option<E::Num>)> {
        let (w, gaps) = self.columns(e, x)?;
        let (z, counts) = statistics.standardise_counted(e, &w, gaps.as_ref(), out, counted)?;
        // Of these nobody has handed in more than that.
        let plain = (!self.plain[0].is_empty()).then(|| e.claim(&e.gather(x, Index::Cols(&self.plain[1])), out.bits));
        let rest = match self.flags[0].is_empty() {
            true => plain,
            false => {
                let flags = e.claim(&e.gather(x, Index::Cols(&self.flags[1])), 1);
                let flags = e.claim(&e.times(&flags, f64::from(out.frac).exp2(), 0)?, out.bits);
                let rest = others(&self.places, self.places.len() + self.flags[0].len() + self.plain[0].len());
                let at: Vec<usize> = self.flags[0].iter().filter_map(|at| rest.binary_search(at).ok()).collect();
                Some(in_order(e, &at, flags, plain)?)
            }
        };
        Ok((in_order(e, &self.places, z, rest)?, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_a_value_is_missing_stands_behind_it() {
        use Scaling::Deviation;
        // Inputs: plain, secure without gaps, secure with a hidden gap, secure with a flag, the flag, plain.
        let layout = Layout::new(6, &[(1, Deviation), (2, Deviation), (3, Deviation)], &[(2, false), (3, true)]);
        assert_eq!((layout.width, &layout.places[..], &layout.secure[..]), (7, &[1, 2, 3][..], &[1, 2, 4][..]));
        assert_eq!(layout.gaps, [vec![1, 2], vec![3, 5]]);
        assert_eq!((layout.plain, layout.flags), ([vec![0, 5], vec![0, 6]], [vec![4], vec![5]]));
    }
}
