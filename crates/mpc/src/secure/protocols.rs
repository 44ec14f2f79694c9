//! What a suite is: its shares, and which of its protocols serves which operation of the engine. Whatever all suites do alike is the engine's
//! ([`Secure`]); what is here is asked of each.

use super::{Num, Secure};
use crate::{Party, Price, Result};
use trefoil_engine::MAX_BITS;
use trefoil_engine::{Format, Index, Kind, Lane, Result as EngineResult, Scatter, Sum, Told, fixed, functions};
use trefoil_ring::matrix::{self, Factor};
use trefoil_ring::{Tensor, words};

/// A shared matrix: one party's part of it. All that is here is local.
pub trait Shares: Clone {
    /// Rows and columns; all three know them.
    fn shape(&self) -> [usize; 2];
    /// A linear function, of each part alike.
    fn linear(&self, shape: [usize; 2], f: impl Fn(&Tensor) -> Tensor) -> Self;
    /// x + y or x - y, element by element: `f` is linear in each of two elements.
    fn zip(&self, y: &Self, f: impl Fn(u64, u64) -> u64 + Copy) -> Self;
    /// Elements rearranged.
    fn gather(&self, index: Index<'_>) -> Self;
    /// Matrices of equal height side by side; `None` if there are none or they do not fit.
    fn beside(x: &[&Self]) -> Option<Self>;

    /// The sum over rows or columns.
    fn sum(&self, over: Sum) -> Self {
        let shape = match over {
            Sum::Rows => [1, self.shape()[1]],
            Sum::Cols => [self.shape()[0], 1],
        };
        self.linear(shape, |x| fixed::sum(x, over).0)
    }
}

/// A product whose shapes and ranges have been found to fit: Z = (scatter(X Y) + plus) / 2^f.
pub struct Factors<'a, S> {
    /// Matrix product or elementwise.
    pub kind: Kind,
    /// X.
    pub x: &'a S,
    /// Y.
    pub y: &'a S,
    /// Where the product's elements are added up: local, and before anything of it is dealt or sent.
    pub scatter: Option<&'a Scatter>,
    /// Added before truncation; of the result's scale and shape, or one row that is added to every row.
    pub plus: Option<S>,
    /// The result's shape.
    pub shape: [usize; 2],
    /// Bits to truncate.
    pub f: u8,
    /// How many lower bits of the result are wanted: 64, or fewer of one that is narrow, where anything is truncated.
    pub known: u8,
}

impl<S: Shares> Factors<'_, S> {
    /// X Y of these, which are linear functions of X and Y, added up, in as many lower bits as are wanted; and of `plus` like this one's, a matrix or one row.
    pub(crate) fn sum<'t, T: Into<Factor<'t>>>(&self, terms: impl IntoIterator<Item = [T; 2]>, plus: Option<&Tensor>) -> Tensor {
        let ([x, k], [l, y]) = (self.x.shape(), self.y.shape());
        let shape = match self.kind {
            Kind::Mul => [x, k],
            Kind::MatMul { tx, ty } => [if tx { k } else { x }, if ty { l } else { y }],
        };
        // What is added is where the sum begins, unless the sum's elements are added up before.
        let mut z = match plus.filter(|_| self.scatter.is_none()) {
            None => Tensor::zeros(shape),
            Some(plus) => words::of_rows(plus, shape[0]),
        };
        let terms: Vec<[Factor<'_>; 2]> = terms.into_iter().map(|term| term.map(Into::into)).collect();
        match self.kind {
            Kind::MatMul { tx, ty } => matrix::products_into(&mut z, &terms, tx, ty, (self.known + self.f).min(64)),
            Kind::Mul => terms.iter().map(|term| term.map(|factor| factor.to_tensor())).for_each(|[x, y]| {
                ndarray::Zip::from(&mut z).and(&*x).and(&*y).for_each(|z, x, y| *z = z.wrapping_add(x.wrapping_mul(*y)));
            }),
        }
        if let Some(scatter) = self.scatter {
            z = scatter.words(&z);
            plus.iter().for_each(|plus| words::add_assign(&mut z, plus));
        }
        z
    }
}

/// What an engine works at: a [`Party`], or the [books](crate::plan::Books) of a plan.
pub trait Host {
    /// What follows is booked to another layer; gives the last one back.
    fn set_layer(&mut self, layer: &str) -> String;
    /// Starts a step; steps only grow.
    fn begin_step(&mut self, step: u64);
}

impl Host for Party {
    fn set_layer(&mut self, layer: &str) -> String {
        Party::set_layer(self, layer)
    }
    fn begin_step(&mut self, step: u64) {
        Party::begin_step(self, step);
    }
}

/// Which protocol serves which operation; the value itself holds a suite's choices. Each may take rounds, and fail with
/// the network.
#[allow(missing_docs, clippy::missing_errors_doc)] // as the operations of `Engine` that they serve
pub trait Protocols {
    type Host: Host;
    type Share: Shares;
    type Bit: Clone;
    /// More bits than this cannot be truncated at once.
    const MOST_SHIFT: u8;
    /// A truncation alone takes values below 2 to this: nothing is added up on its way.
    const TRUNCATED: u8 = 62;
    /// Whether the maximum of a row comes from all pairs at once rather than from a tournament.
    const PAIRS: bool;
    /// How many lower bits of a narrow share count; 0 where a suite knows no such shares.
    const NARROW: u8 = 0;

    /// The sums of products that can be truncated by f bits are below 2 to this.
    fn most_bits(_f: u8) -> u8 {
        MAX_BITS
    }
    fn public(p: &Self::Host, x: &Tensor) -> Self::Share;
    fn gather_bits(x: &Self::Bit, index: Index<'_>) -> Self::Bit;
    fn flip(p: &Self::Host, x: &Self::Bit, flip: &[bool]) -> Self::Bit;
    fn shape_of_bits(x: &Self::Bit) -> [usize; 2];

    fn prepare(&mut self, p: &mut Self::Host, x: &Self::Share) -> Result<()>;
    fn settle(&mut self, p: &mut Self::Host, x: &[&Self::Share]) -> Result<()>;
    /// `x` will be needed whole after the next comparison.
    fn ride(&mut self, x: &Self::Share);
    /// `x`, of which [`NARROW`](Protocols::NARROW) lower bits are looked at until it is needed whole.
    fn narrow(&mut self, p: &mut Self::Host, x: &Self::Share) -> Result<Self::Share> {
        self.settle(p, &[x])?;
        Ok(x.clone())
    }
    /// How many lower bits count of a share that is narrow.
    fn narrow_bits(_: &Self::Share) -> Option<u8> {
        None
    }
    fn products(&mut self, p: &mut Self::Host, z: &[Factors<'_, Self::Share>]) -> Result<Vec<Self::Share>>;
    fn truncate(&mut self, p: &mut Self::Host, x: &[(&Self::Share, u8)]) -> Result<Vec<Self::Share>>;
    /// \[x >= 0\] for -2^(b-1) <= x < 2^(b-1), of each (x, b).
    fn drelu(&mut self, p: &mut Self::Host, x: &[(&Self::Share, u8)]) -> Result<Vec<Self::Bit>>;
    fn select(&mut self, p: &mut Self::Host, x: &[(&Self::Bit, &Self::Share)]) -> Result<Vec<Self::Share>>;
    /// The AND of at least one matrix of bits, all of one shape.
    fn all(&mut self, p: &mut Self::Host, bits: &[&Self::Bit]) -> Result<Self::Bit>;
    fn open(&mut self, p: &mut Self::Host, x: &Self::Share) -> Result<Option<Tensor>>;

    /// As the operations of `Engine` of the same names. A suite that does not know lanes is the only one.
    fn lane(_: &Self::Host) -> Lane {
        Lane::ALONE
    }
    fn lead(
        &mut self,
        _: &mut Self::Host,
        _: u64,
        _: &[&Num<Self::Share>],
        rows: &[&Num<Self::Share>],
    ) -> Result<Vec<Num<Self::Share>>> {
        Ok(rows.iter().map(|x| (*x).clone()).collect())
    }
    fn held(&mut self, _: &Self::Host, own: Num<Self::Share>, _: usize) -> Num<Self::Share> {
        own
    }
    fn spread(&mut self, _: &mut Self::Host, x: &Num<Self::Share>) -> Result<Num<Self::Share>> {
        Ok(x.clone())
    }
    fn here(&mut self, _: &mut Self::Host, x: &Num<Self::Share>) -> Result<Num<Self::Share>> {
        Ok(x.clone())
    }
    fn follow(&mut self, _: &mut Self::Host) -> Result<Option<Told<Num<Self::Share>>>> {
        Ok(None)
    }
    fn below(_: &mut Self::Host, x: Vec<Num<Self::Share>>) -> Result<Vec<Num<Self::Share>>> {
        Ok(x)
    }
    fn set_apart(_: &mut Self::Host, _: bool) {}
    fn products_over(&mut self, p: &mut Self::Host, z: &[Factors<'_, Self::Share>], _: &[bool]) -> Result<Vec<Self::Share>> {
        self.products(p, z)
    }
    fn sum_of_lanes(_: &mut Self::Host, x: Num<Self::Share>) -> Result<Num<Self::Share>> {
        Ok(x)
    }
    /// Whether matrices are this lane's rows of a batch, and there are other lanes.
    fn is_apart(_: &Self::Host) -> bool {
        false
    }
    /// Whether what lane 0 alone does is done here: a plan does it in any case, to know the shapes.
    fn does_for_all(p: &Self::Host) -> bool {
        Self::lane(p).leads()
    }
    /// Lane 0's `x` at all lanes; the others have none.
    fn from_lane_0(_: &mut Self::Host, x: Vec<Num<Self::Share>>) -> Result<Vec<Num<Self::Share>>> {
        Ok(x)
    }

    /// Of [`Protocols::drelu`] of so many numbers, and of selecting so many times as many by what it says.
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price;

    /// The softmax of each row: from the operations above, unless a suite has a protocol for it.
    fn softmax(e: &mut Secure<Self>, x: &Num<Self::Share>, out: Format) -> EngineResult<Num<Self::Share>>
    where
        Self: Sized,
    {
        functions::softmax(e, x, out)
    }
}
