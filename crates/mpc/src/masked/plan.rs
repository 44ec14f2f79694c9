//! What the protocols of this suite take, without values ([`crate::plan`]). It reads as suite.rs does: where that calls a protocol, this books
//! the protocol's `cost`. What is kept of a share is what decides whether something is paid: its lift, and whether a bit's mask was dealt.

use super::held::Asked;
use super::suite::Riders as Suite;
use super::{and, drelu, lanes, lift, product, select, share, softmax, truncate};
use crate::plan::held::{Bytes, Held};
use crate::plan::{Blank, Books, Said};
use crate::secure::{Factors, Num, Protocols, Secure, Shares};
use crate::{Price, Result};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use trefoil_engine::{Format, Index, Lane, Result as EngineResult};
use trefoil_ring::Tensor;

/// The engine on this suite, without values.
pub type MaskedPlan = Secure<Riders>;

/// Values whose lift travels with the next comparison.
#[derive(Default)]
pub struct Riders(Vec<Planned>);

impl Default for MaskedPlan {
    fn default() -> MaskedPlan {
        MaskedPlan::of_lane(Lane::ALONE)
    }
}

impl MaskedPlan {
    /// Of one lane of several: what it takes of a training, and what its party's ranks say to one another.
    pub fn of_lane(lane: Lane) -> MaskedPlan {
        Secure { party: Books::of_lane(lane), suite: Riders::default() }
    }
}

/// Bytes of an element of a share: m and l_j at P_j, l_0 and l_1 at P2.
const SHARE: Held = [16, 16, 16];
/// Of what was dealt: m, and seeds.
const DEALT: Held = [8, 8, 0];
/// Of e_j, and of m made whole. Bits are too small to count.
const LIFT: Held = [8, 8, 0];
/// Of what a narrow share waits for: it is dealt later.
const NOTHING: Held = [0; 3];

/// A masked matrix of which only the shape is known, and whether it waits for its lift.
#[derive(Clone)]
pub struct Planned {
    shape: [usize; 2],
    lift: Option<Rc<Lift>>,
    /// Whether the lift is that of a share with the same elements in other places.
    turned: bool,
    /// Where ranks of a party hold its rows.
    elsewhere: Option<Elsewhere>,
    /// Clones have it in common.
    _held: Rc<Bytes>,
}

/// As in share.rs: how many rows there are, and which of them, or all.
#[derive(Clone)]
struct Elsewhere {
    of: usize,
    rows: Option<Arc<[usize]>>,
}

impl Elsewhere {
    fn asked(&self) -> Asked {
        Asked::of(&share::Elsewhere { number: 0, of: self.of, rows: self.rows.clone() })
    }
}

/// As in share.rs: how many bits are open, and whether m has been made whole; clones of a share have it in common.
struct Lift {
    f: u8,
    narrow: bool,
    whole: Cell<bool>,
    held: RefCell<Vec<Bytes>>,
}

/// A matrix of bits, and modulo which power of two shares of their masks have been dealt.
#[derive(Clone)]
pub struct PlannedBit {
    shape: [usize; 2],
    dealt: Rc<Cell<u8>>,
}

impl Planned {
    fn new(shape: [usize; 2], f: Option<u8>) -> Planned {
        Planned::with(shape, f, false)
    }
    fn with(shape: [usize; 2], f: Option<u8>, narrow: bool) -> Planned {
        let elements = shape[0] * shape[1];
        let held = || RefCell::new(vec![Bytes::of(elements, if narrow { NOTHING } else { LIFT })]);
        let lift = f.filter(|f| *f > 0).map(|f| Rc::new(Lift { f, narrow, whole: Cell::new(false), held: held() }));
        Planned { shape, lift, turned: false, elsewhere: None, _held: Rc::new(Bytes::of(elements, SHARE)) }
    }
    /// With nothing of it here.
    fn unheld(shape: [usize; 2]) -> Planned {
        Planned { shape, lift: None, turned: false, elsewhere: None, _held: Rc::new(Bytes::of(0, SHARE)) }
    }
    fn is_narrow(&self) -> bool {
        self.pending().is_some_and(|lift| lift.narrow)
    }
    /// The lift of one that is made of these.
    fn of(shape: [usize; 2], xs: &[&Planned]) -> Planned {
        Planned::with(shape, xs.iter().filter_map(|x| x.open()).max(), xs.iter().any(|x| x.is_narrow()))
    }
    fn pending(&self) -> Option<&Rc<Lift>> {
        self.lift.as_ref().filter(|lift| !lift.whole.get())
    }
    /// How many bits are open.
    fn open(&self) -> Option<u8> {
        self.pending().map(|lift| lift.f)
    }
    /// Words of it that a server gives another rank: m, its mask, and e where there is a lift.
    fn words(&self) -> usize {
        self.count() * (2 + usize::from(self.pending().is_some_and(|lift| !lift.narrow)))
    }
}

impl PlannedBit {
    fn new(shape: [usize; 2]) -> PlannedBit {
        PlannedBit { shape, dealt: Rc::default() }
    }
}

impl Blank for Planned {
    fn blank(shape: [usize; 2]) -> Planned {
        Planned::new(shape, None)
    }
    fn dealt(shape: [usize; 2]) -> Planned {
        Planned { shape, lift: None, turned: false, elsewhere: None, _held: Rc::new(Bytes::of(shape[0] * shape[1], DEALT)) }
    }
}

impl Shares for Planned {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }
    fn linear(&self, shape: [usize; 2], _: impl Fn(&Tensor) -> Tensor) -> Planned {
        Planned::of(shape, &[self])
    }
    fn zip(&self, y: &Planned, _: impl Fn(u64, u64) -> u64 + Copy) -> Planned {
        Planned::of(self.shape, &[self, y])
    }
    fn gather(&self, index: Index<'_>) -> Planned {
        if let (Some(Elsewhere { of, rows }), Index::Rows(places)) = (&self.elsewhere, index) {
            let place = |row: &usize| rows.as_ref().map_or(*row, |rows| rows[*row]);
            let rows = Some(places.iter().map(place).collect());
            return Planned { elsewhere: Some(Elsewhere { of: *of, rows }), ..Planned::unheld(index.shape(self.shape)) };
        }
        let out = Planned::of(index.shape(self.shape), &[self]);
        // As many elements have the lift in common.
        let same = matches!(index, Index::Blocks { .. }) && out.count() == self.count() && !self.turned;
        if same && self.pending().is_some() { Planned { lift: self.lift.clone(), turned: true, ..out } } else { out }
    }
    fn beside(x: &[&Planned]) -> Option<Planned> {
        Some(Planned::of(Planned::joined(x)?, x))
    }
}

/// What the lifts that `shares` wait for take, each once; they are whole then.
fn lifts<'a>(shares: impl IntoIterator<Item = &'a Planned>) -> Price {
    Price::at_once(shares.into_iter().filter_map(|x| {
        let lift = x.pending()?;
        lift.whole.set(true);
        lift.held.borrow_mut().push(Bytes::of(x.count(), LIFT));
        Some(if lift.narrow { lift::narrow_cost(x.count(), lift.f) } else { lift::cost(x.count(), lift.f) })
    }))
}

/// Makes every share whole, in one round.
fn whole<'a>(books: &mut Books, shares: impl IntoIterator<Item = &'a Planned>) {
    books.book("masked.lift", lifts(shares));
}

impl Protocols for Riders {
    type Host = Books;
    type Share = Planned;
    type Bit = PlannedBit;
    const MOST_SHIFT: u8 = Suite::MOST_SHIFT;
    const PAIRS: bool = Suite::PAIRS;
    const NARROW: u8 = Suite::NARROW;

    fn public(_: &Books, x: &Tensor) -> Planned {
        Planned::blank([x.nrows(), x.ncols()])
    }
    fn gather_bits(x: &PlannedBit, index: Index<'_>) -> PlannedBit {
        PlannedBit::new(index.shape(x.shape))
    }
    fn flip(_: &Books, x: &PlannedBit, _: &[bool]) -> PlannedBit {
        x.clone()
    }
    fn shape_of_bits(x: &PlannedBit) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, books: &mut Books, x: &Planned) -> Result<()> {
        whole(books, [x]);
        Ok(())
    }
    fn settle(&mut self, books: &mut Books, x: &[&Planned]) -> Result<()> {
        whole(books, x.iter().copied());
        Ok(())
    }
    fn ride(&mut self, x: &Planned) {
        self.0.push(x.clone());
    }
    fn narrow(&mut self, books: &mut Books, x: &Planned) -> Result<Planned> {
        whole(books, Some(x).filter(|x| x.open().is_some_and(|f| 64 - f < Suite::NARROW)));
        Ok(Planned::with(x.shape, Some(64 - Suite::NARROW), true))
    }
    fn narrow_bits(x: &Planned) -> Option<u8> {
        x.open().filter(|_| x.is_narrow()).map(|f| 64 - f)
    }
    fn products(&mut self, books: &mut Books, z: &[Factors<'_, Planned>]) -> Result<Vec<Planned>> {
        self.products_over(books, z, &[])
    }
    fn products_over(&mut self, books: &mut Books, z: &[Factors<'_, Planned>], of_batch: &[bool]) -> Result<Vec<Planned>> {
        whole(books, z.iter().flat_map(|z| [z.x, z.y].into_iter().chain(&z.plus)));
        let summed = |i: usize| books.is_apart() && of_batch.get(i).is_some_and(|of_batch| *of_batch);
        let elements = |z: &Factors<'_, Planned>| z.shape[0] * z.shape[1];
        let words: usize = z.iter().enumerate().filter(|(i, _)| summed(*i)).map(|(_, z)| elements(z)).sum();
        let here = |(i, z): (usize, _)| (books.lane().leads() || !summed(i)).then_some(z);
        let cost = |z: &Factors<'_, Planned>| match z.known {
            64 => product::cost(elements(z), z.f),
            k => product::narrow_cost(elements(z), z.f, k),
        };
        let price = Price::at_once(z.iter().enumerate().filter_map(here).map(cost));
        books.book("masked.product", price);
        if words > 0 {
            books.inside.summed += Said::once(words);
        }
        let made = |z: &Factors<'_, Planned>| match z.known {
            64 => Planned::new(z.shape, Some(z.f)),
            k => Planned::with(z.shape, Some(64 - k), true),
        };
        Ok(z.iter().map(made).collect())
    }
    fn truncate(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<Planned>> {
        whole(books, x.iter().filter(|(_, f)| *f > 0).map(|(x, _)| *x));
        books.book("masked.truncate", Price::at_once(x.iter().map(|(x, f)| truncate::cost(x.count(), *f))));
        Ok(x.iter().map(|(x, f)| if *f > 0 { Planned::new(x.shape, Some(*f)) } else { (*x).clone() }).collect())
    }
    fn drelu(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<PlannedBit>> {
        let riders = std::mem::take(&mut self.0);
        // Open bits that are looked at must be there before; all others come along.
        whole(books, x.iter().filter(|(x, b)| x.open().is_some_and(|f| *b > 64 - f)).map(|(x, _)| *x));
        let riding = lifts(x.iter().map(|(x, _)| *x).filter(|x| !x.is_narrow()).chain(&riders));
        books.book("masked.lift", Price { rounds: 0, ..riding });
        books.book("masked.drelu", drelu::costs(&x.iter().map(|(x, b)| (x.count(), b - 1)).collect::<Vec<_>>()));
        Ok(x.iter().map(|(x, _)| PlannedBit::new(x.shape)).collect())
    }
    fn select(&mut self, books: &mut Books, x: &[(&PlannedBit, &Planned)]) -> Result<Vec<Planned>> {
        whole(books, x.iter().map(|(_, x)| *x).filter(|x| !x.is_narrow()));
        let known = |x: &Planned| x.open().map_or(64, |f| 64 - f);
        let cost = |(bit, x): &(&PlannedBit, &Planned)| {
            let again = bit.dealt.get() >= known(x);
            bit.dealt.set(bit.dealt.get().max(known(x)));
            select::narrow_cost(x.count(), known(x), again)
        };
        books.book("masked.select", Price::at_once(x.iter().map(cost)));
        Ok(x.iter().map(|(_, x)| Planned::with(x.shape, x.open(), x.is_narrow())).collect())
    }
    fn all(&mut self, books: &mut Books, bits: &[&PlannedBit]) -> Result<PlannedBit> {
        let [first, _, ..] = bits else {
            return Ok(bits.first().map_or_else(|| PlannedBit::new([0, 0]), |only| (*only).clone()));
        };
        books.book("masked.and", and::all_cost(bits.len(), first.shape[0] * first.shape[1]));
        Ok(PlannedBit::new(first.shape))
    }
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price {
        let again = numbers * selected.saturating_sub(1);
        let selected = Price::at_once([(numbers, false), (again, true)].map(|(n, again)| select::cost(n, again)));
        drelu::cost(numbers, bits).then(selected)
    }
    fn open(&mut self, books: &mut Books, x: &Planned) -> Result<Option<Tensor>> {
        whole(books, [x]);
        books.book("masked.share", share::reconstruct_cost(x.count()));
        Ok(None)
    }

    fn lane(books: &Books) -> Lane {
        books.lane()
    }
    /// What a rank sends to single others: rows that are theirs to work on.
    fn lead(&mut self, books: &mut Books, _: u64, common: &[&Num<Planned>], rows: &[&Num<Planned>]) -> Result<Vec<Num<Planned>>> {
        let Lane { rank, of } = books.lane();
        let words = |x: &Num<Planned>| lanes::HEAD + x.share.words();
        let asked: Vec<_> = rows.iter().map(|x| x.share.elsewhere.as_ref().map(|rows| (rows.asked(), x.share.shape))).collect();
        let told: usize = asked.iter().map(|asked| Asked::words(asked.as_ref().map(|(_, [rows, _])| *rows))).sum();
        books.inside.spread += Said::once(lanes::BEFORE_STEP + told + common.iter().map(|x| words(x)).sum::<usize>());
        let own = |(x, asked): (&&Num<Planned>, &Option<_>)| {
            let rows: Vec<usize> = books.lane().rows(x.share.shape[0]).collect();
            let share = match asked {
                Some(_) => Planned::blank([rows.len(), x.share.shape[1]]),
                None => x.share.gather(Index::Rows(&rows)),
            };
            Num::new(share, x.format)
        };
        let own: Vec<Num<Planned>> = rows.iter().zip(&asked).map(own).collect();
        let given: usize = own.iter().zip(&asked).filter(|(_, asked)| asked.is_none()).map(|(x, _)| words(x)).sum();
        for to in (0..of).filter(|to| *to != rank) {
            if rank == 0 && given > 0 {
                books.inside.rows += Said::once(given);
            }
            let passed = asked.iter().flatten().map(|(asked, [_, columns])| asked.passed(of, of, rank, to) * columns);
            if let passed @ 1.. = passed.sum::<usize>() {
                books.inside.rows += Said::once(lanes::HEAD * asked.iter().flatten().count() + 2 * passed);
            }
        }
        books.set_apart(true);
        Ok(own)
    }
    fn held(&mut self, _: &Books, own: Num<Planned>, rows: usize) -> Num<Planned> {
        let shape = [rows, own.share.shape[1]];
        let share = Planned { elsewhere: Some(Elsewhere { of: rows, rows: None }), ..Planned::unheld(shape) };
        Num::new(Planned { _held: own.share._held, ..share }, own.format)
    }
    /// It is dealt in blocks, and stays so.
    fn spread(&mut self, books: &mut Books, x: &Num<Planned>) -> Result<Num<Planned>> {
        if !books.lane().has_others() || x.share.elsewhere.is_some() {
            return Ok(x.clone());
        }
        let [rows, columns] = x.share.shape;
        let own = Planned::dealt([books.lane().block(rows).len(), columns]);
        Ok(self.held(books, Num::new(own, x.format), rows))
    }
    fn here(&mut self, books: &mut Books, x: &Num<Planned>) -> Result<Num<Planned>> {
        let Some(elsewhere) = &x.share.elsewhere else { return Ok(x.clone()) };
        let (Lane { rank, of }, columns) = (books.lane(), x.share.shape[1]);
        for asked in elsewhere.asked().at_once(columns) {
            books.inside.spread += Said::once(1 + Asked::words(Some(asked.len())));
            match asked.passed(of, 1, rank, 0) * columns {
                passed @ 1.. if rank > 0 => books.inside.rows += Said::once(lanes::HEAD + 2 * passed),
                _ => {}
            }
        }
        Ok(Num::new(Planned::blank(x.share.shape), x.format))
    }
    /// A plan of any lane goes on as lane 0 does.
    fn below(books: &mut Books, x: Vec<Num<Planned>>) -> Result<Vec<Num<Planned>>> {
        let of = books.lane().of;
        let all_rows = |x: Num<Planned>| {
            let rows = x.share.shape[0];
            let places: Vec<usize> = (0..rows * of).map(|i| i % rows.max(1)).collect();
            Num::new(x.share.gather(Index::Rows(&places)), x.format)
        };
        Ok(x.into_iter().map(all_rows).collect())
    }
    fn set_apart(books: &mut Books, apart: bool) {
        books.set_apart(apart);
    }
    fn is_apart(books: &Books) -> bool {
        books.is_apart()
    }
    fn does_for_all(_: &Books) -> bool {
        true
    }
    fn from_lane_0(books: &mut Books, x: Vec<Num<Planned>>) -> Result<Vec<Num<Planned>>> {
        let words = |x: &Num<Planned>| lanes::HEAD + x.share.words();
        books.inside.spread += Said::once(lanes::PLACE + x.iter().map(words).sum::<usize>());
        Ok(x)
    }
    fn sum_of_lanes(books: &mut Books, x: Num<Planned>) -> Result<Num<Planned>> {
        if books.is_apart() {
            books.inside.summed += Said::once(x.share.words());
        }
        Ok(Num { format: x.format.sum(books.lane().of), ..x })
    }

    fn softmax(e: &mut MaskedPlan, x: &Num<Planned>, out: Format) -> EngineResult<Num<Planned>> {
        softmax::of_rows(e, x, out, |books, x, (_, b), frac| {
            let [rows, n] = x.shape;
            books.book("masked.softmax", softmax::cost(rows, n, b, frac));
            Ok(Planned::new(x.shape, Some(softmax::last_cut(frac))))
        })
    }
}
