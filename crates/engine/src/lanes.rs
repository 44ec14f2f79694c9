//! Lanes: engines that work on one batch together, each on rows of its own.

/// Which of the lanes of a batch an engine is.
///
/// ```
/// use trefoil_engine::Lane;
/// // The third of four lanes has the third quarter of a batch of 128 rows.
/// let lane = Lane { rank: 2, of: 4 };
/// assert_eq!(lane.rows(128), 64..96);
/// assert_eq!(Lane::ALONE.rows(128), 0..128);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane {
    /// Its number, counted from 0.
    pub rank: usize,
    /// How many there are.
    pub of: usize,
}

impl Default for Lane {
    fn default() -> Lane {
        Lane::ALONE
    }
}

impl Lane {
    /// The only one.
    pub const ALONE: Lane = Lane { rank: 0, of: 1 };

    /// Whether there are others.
    pub const fn has_others(self) -> bool {
        self.of > 1
    }

    /// Whether this lane holds what all have in common, such as the parameters' state.
    pub const fn leads(self) -> bool {
        self.rank == 0
    }

    /// Its rows of a batch, which the lanes divide evenly.
    pub const fn rows(self, batch: usize) -> std::ops::Range<usize> {
        let each = batch / self.of;
        self.rank * each..(self.rank + 1) * each
    }

    /// The rows of a matrix that this lane holds: neighbours, and of every lane as many, or one more.
    ///
    /// ```
    /// use trefoil_engine::Lane;
    /// let blocks = [0, 1, 2].map(|rank| Lane { rank, of: 3 }.block(10));
    /// assert_eq!(blocks, [0..3, 3..6, 6..10]);
    /// assert_eq!([2, 3, 6].map(|place| Lane::ALONE.holder(10, place)), [0; 3]);
    /// assert_eq!([2, 3, 6].map(|place| Lane { rank: 0, of: 3 }.holder(10, place)), [0, 1, 2]);
    /// ```
    pub const fn block(self, rows: usize) -> std::ops::Range<usize> {
        self.rank * rows / self.of..(self.rank + 1) * rows / self.of
    }

    /// Which lane holds the row at this place of a matrix of so many.
    pub const fn holder(self, rows: usize, place: usize) -> usize {
        match ((place + 1) * self.of - 1).checked_div(rows) {
            Some(rank) => rank,
            None => 0,
        }
    }
}

/// What lane 0 has told another lane to do: a step, on what all lanes have in common and on rows of its own.
pub struct Told<N> {
    /// The step, counted from 0, or what else lane 0 has called it.
    pub step: u64,
    /// The same in all lanes.
    pub common: Vec<N>,
    /// This lane's rows of each.
    pub rows: Vec<N>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_row_has_it_in_its_block() {
        for of in 1..9 {
            for rows in 0..40 {
                let lane = |rank| Lane { rank, of };
                let all: Vec<usize> = (0..of).flat_map(|rank| lane(rank).block(rows)).collect();
                assert_eq!(all, (0..rows).collect::<Vec<_>>());
                assert!((0..rows).all(|place| lane(lane(0).holder(rows, place)).block(rows).contains(&place)), "{rows} in {of}");
            }
        }
    }
}
