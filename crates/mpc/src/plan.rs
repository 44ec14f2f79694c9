//! A plan: what a program takes, in rounds and in bytes by link, found out without a value, a party or a message.
//!
//! The engine on shares ([`Secure`]) does not look into a share: it asks for linear functions of one, and for protocols. So it runs as well
//! on shares of which only the shape is known, and of that what decides what is paid: whether a lift is still to be done, whether a matrix
//! has been opened under its mask, whether a bit's mask has been dealt. Each suite has a file `plan.rs` beside its `suite.rs`, which books
//! the [`Price`] that the protocols' own `cost` states where the other one calls the protocol. What is written against
//! [`Engine`] is planned by running it here, and takes what is booked, to the byte.
//!
//! ```
//! use trefoil_engine::{Engine, Format, Product};
//! use trefoil_mpc::plan::Planner;
//! use trefoil_mpc::masked::MaskedPlan;
//! let mut e = MaskedPlan::default();
//! let (x, w) = (e.secret([128, 784], Format::new(8, 0)), e.secret([256, 784], Format::new(24, 4)));
//! let [z] = e.products([Product::matmul(&x, false, &w, true, Format::new(16, 8))]).unwrap();
//! e.settle(&[&z]).unwrap();
//! let price = e.books().total();
//! // One round for the product, one for the lift: 32 bits to P0 and 64 to P1 of a truncation by 16 ahead, 48 in the round and 16 in the lift.
//! assert_eq!((price.rounds, price.ahead, price.servers), (2, [128 * 256 * 4, 128 * 256 * 8], 128 * 256 * 16));
//! ```

pub mod held;
mod inside;

pub use inside::{Inside, Said};

use crate::Price;
use crate::secure::{Host, Num, Protocols, Secure, Shares};
use std::collections::BTreeMap;
use std::ops::Sub;
use trefoil_engine::{Engine, Format, Lane};

/// What has been booked, by layer and protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Of each layer and protocol.
    pub entries: BTreeMap<(String, &'static str), Price>,
    /// What ranks of one party have said to one another.
    pub inside: Inside,
    layer: String,
    lane: Lane,
    /// Whether matrices are this lane's rows of a batch. What is not is lane 0's to do.
    apart: bool,
}

impl Books {
    /// Of one lane of several.
    pub(crate) fn of_lane(lane: Lane) -> Books {
        Books { lane, ..Books::default() }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    pub(crate) fn set_apart(&mut self, apart: bool) {
        self.apart = apart;
    }

    /// Whether matrices are this lane's rows, and those of others elsewhere.
    pub(crate) fn is_apart(&self) -> bool {
        self.apart && self.lane.has_others()
    }

    /// Books what a protocol takes to the layer that is at work.
    pub(crate) fn book(&mut self, protocol: &'static str, price: Price) {
        if price != Price::NONE && (self.lane.leads() || self.apart) {
            // While it is at work it has its messages beside the shares: not all at once, as measured.
            let sent = price.sent();
            let messages = |i: usize| (0..3).map(|j: usize| sent[i][j] + sent[j][i]).sum::<u64>() * 3 / 4;
            held::at_work([0, 1, 2].map(messages));
            *self.entries.entry((self.layer.clone(), protocol)).or_default() += price;
        }
    }

    /// All that has been booked.
    pub fn total(&self) -> Price {
        self.entries.values().fold(Price::NONE, |sum, price| sum.then(*price))
    }

    /// The same by layer.
    pub fn by_layer(&self) -> BTreeMap<&str, Price> {
        let mut all = BTreeMap::<&str, Price>::new();
        self.entries.iter().for_each(|((layer, _), price)| *all.entry(layer).or_default() += *price);
        all
    }

    /// The same by protocol.
    pub fn by_protocol(&self) -> BTreeMap<&'static str, Price> {
        let mut all = BTreeMap::<&'static str, Price>::new();
        self.entries.iter().for_each(|((_, protocol), price)| *all.entry(protocol).or_default() += *price);
        all
    }
}

impl Host for Books {
    fn set_layer(&mut self, layer: &str) -> String {
        std::mem::replace(&mut self.layer, layer.to_owned())
    }
    /// What is booked has no address.
    fn begin_step(&mut self, _: u64) {}
}

impl Sub for &Books {
    type Output = Books;

    /// What was booked since `before`.
    fn sub(self, before: &Books) -> Books {
        let mut out = self.clone();
        for (key, old) in &before.entries {
            let entry = out.entries.entry(key.clone()).or_default();
            *entry = *entry - *old;
        }
        out.entries.retain(|_, price| *price != Price::NONE);
        out.inside = out.inside - before.inside;
        out
    }
}

/// An engine without values that keeps [`Books`].
pub trait Planner: Engine {
    /// A secret matrix with which nothing has been done yet.
    fn secret(&self, shape: [usize; 2], format: Format) -> Self::Num;

    /// The same as owners have dealt it: what is a seed stays one.
    fn dealt(&self, shape: [usize; 2], format: Format) -> Self::Num;

    /// What has been booked so far.
    fn books(&self) -> &Books;
}

/// A share of which only the shape is known.
pub trait Blank: Shares {
    /// With which nothing has been done yet.
    fn blank(shape: [usize; 2]) -> Self;

    /// The same as owners have dealt it.
    fn dealt(shape: [usize; 2]) -> Self {
        Self::blank(shape)
    }

    /// Matrices of equal height side by side have this shape; `None` if there are none or they do not fit.
    fn joined(x: &[&Self]) -> Option<[usize; 2]> {
        let [rows, _] = x.first()?.shape();
        x.iter().all(|x| x.shape()[0] == rows).then(|| [rows, x.iter().map(|x| x.shape()[1]).sum()])
    }

    /// Elements.
    fn count(&self) -> usize {
        self.shape()[0] * self.shape()[1]
    }
}

impl<P: Protocols<Host = Books>> Planner for Secure<P>
where
    P::Share: Blank,
{
    fn secret(&self, shape: [usize; 2], format: Format) -> Self::Num {
        Num::new(P::Share::blank(shape), format)
    }

    fn dealt(&self, shape: [usize; 2], format: Format) -> Self::Num {
        Num::new(P::Share::dealt(shape), format)
    }

    fn books(&self) -> &Books {
        &self.party
    }
}
