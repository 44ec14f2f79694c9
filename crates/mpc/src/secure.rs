//! The engine on secret shares: formats, alignment and shapes are the same for every suite, and are here once. What differs is
//! what a share is ([`Shares`]) and which protocol serves which operation ([`Protocols`]).

mod protocols;

pub use protocols::{Factors, Host, Protocols, Shares};

use trefoil_engine::{
    Engine, Error, Format, Index, Lane, Opened, Product, Result as EngineResult, Scatter, Sum, Told, Took, fits, fixed, functions,
};
use trefoil_ring::{Tensor, matrix, words};

/// Bits that a narrow number has beside those of its value at least: two for its lift, and one more since it is for differences.
const BESIDE: u8 = 3;

/// The engine: a party and its suite.
pub struct Secure<P: Protocols> {
    /// This party, or the books of a plan.
    pub party: P::Host,
    pub(crate) suite: P,
}

/// A shared matrix with its format.
#[derive(Clone)]
pub struct Num<S> {
    /// This party's part.
    pub share: S,
    pub(crate) format: Format,
}

impl<S> Num<S> {
    /// A share under a format.
    pub fn new(share: S, format: Format) -> Num<S> {
        Num { share, format }
    }
}

/// What of these is to be made whole may be: of a narrow share only the lower k bits are known, which says what its value is below 2^(k-2).
fn in_range<'a, P: Protocols + 'a>(x: impl IntoIterator<Item = &'a Num<P::Share>>) -> EngineResult<()> {
    for x in x {
        let (bits, k) = (x.format.bits, P::narrow_bits(&x.share));
        if let Some(k) = k.filter(|k| bits > k - 2) {
            return Err(Error::Range {
                what: "a number of which the lower bits are known",
                found: format!("2^{bits}"),
                bits: k - 2,
            });
        }
    }
    Ok(())
}

/// How many lower bits of a narrow product are to be known that is cut by `f`: as few less as make it sooner had; 64 if it cannot be narrow.
fn bits_to_open<P: Protocols>(f: u8, bits: u8) -> u8 {
    let most = P::NARROW.min(64 - f);
    let least = bits.saturating_add(BESIDE);
    match most.min(matrix::LOWER.saturating_sub(f)) {
        _ if f == 0 || most < least => 64,
        sooner if sooner >= least => sooner,
        _ => most,
    }
}

/// `y` repeated to `shape` if it is one row, one column or one element.
fn broadcast<S: Shares>(y: &S, shape: [usize; 2], what: &'static str) -> EngineResult<S> {
    if y.shape() == shape {
        return Ok(y.clone());
    }
    fits(y.shape(), shape, what)?;
    Ok(y.linear(shape, |y| y.broadcast(shape).map_or_else(|| Tensor::zeros((shape[0], shape[1])), |y| y.to_owned())))
}

fn aligned<S: Shares>(x: &Num<S>, y: &Num<S>, what: &'static str, f: impl Fn(u64, u64) -> u64 + Copy) -> EngineResult<Num<S>> {
    let (sx, sy, format) = x.format.align(y.format, what)?;
    let y = broadcast(&y.share, x.share.shape(), what)?;
    let share = match (sx, sy) {
        (0, 0) => x.share.zip(&y, f),
        _ => x.share.zip(&y, |x, y| f(x << sx, y << sy)),
    };
    Ok(Num::new(share, format))
}

/// As many as were asked for.
fn array<T, const N: usize>(x: Vec<T>) -> [T; N] {
    x.try_into().unwrap_or_else(|_| unreachable!("as many results as inputs"))
}

impl<P: Protocols> Engine for Secure<P> {
    type Num = Num<P::Share>;
    type Bit = P::Bit;

    fn shape(&self, x: &Self::Num) -> [usize; 2] {
        x.share.shape()
    }
    fn format(&self, x: &Self::Num) -> Format {
        x.format
    }
    fn claim(&self, x: &Self::Num, bits: u8) -> Self::Num {
        Num::new(x.share.clone(), Format { bits, ..x.format })
    }
    fn public(&self, x: &ndarray::Array2<f64>, format: Format) -> EngineResult<Self::Num> {
        Ok(Num::new(P::public(&self.party, &fixed::encode(x, format)?), format))
    }

    fn add(&self, x: &Self::Num, y: &Self::Num) -> EngineResult<Self::Num> {
        aligned(x, y, "sum", u64::wrapping_add)
    }
    fn sub(&self, x: &Self::Num, y: &Self::Num) -> EngineResult<Self::Num> {
        aligned(x, y, "difference", u64::wrapping_sub)
    }
    fn times(&self, x: &Self::Num, c: f64, frac: u8) -> EngineResult<Self::Num> {
        let format = x.format.times(c, frac)?;
        let c = fixed::constant(c, frac);
        Ok(Num::new(x.share.linear(x.share.shape(), |x| words::scale(x, c)), format))
    }
    fn choice(&self, numbers: usize, bits: u8, selected: usize) -> Took {
        P::choice_price(numbers, (bits + 1).clamp(2, 64), selected).took()
    }
    fn times_2(&self, x: &Self::Num, power: i8) -> EngineResult<Self::Num> {
        Ok(Num::new(x.share.clone(), x.format.times_2(power)?))
    }
    fn gather(&self, x: &Self::Num, index: Index<'_>) -> Self::Num {
        Num::new(x.share.gather(index), x.format)
    }
    fn scatter(&self, x: &Self::Num, scatter: &Scatter) -> EngineResult<Self::Num> {
        scatter.check(x.share.shape())?;
        Ok(Num::new(x.share.linear(scatter.shape(), |x| scatter.words(x)), scatter.format(x.format)))
    }
    fn beside(&self, x: &[&Self::Num]) -> EngineResult<Self::Num> {
        let what = "matrices side by side";
        let first = x.first().ok_or(Error::Shape { what, left: [0, 0], right: [0, 0] })?;
        let share = P::Share::beside(&x.iter().map(|x| &x.share).collect::<Vec<_>>());
        let share = share.ok_or(Error::Shape { what, left: first.share.shape(), right: [0, 0] })?;
        Ok(Num::new(share, first.format))
    }
    fn sum(&self, x: &Self::Num, over: Sum) -> Self::Num {
        let [rows, cols] = x.share.shape();
        let n = if over == Sum::Rows { rows } else { cols };
        Num::new(x.share.sum(over), x.format.sum(n))
    }

    fn gather_bits(&self, x: &P::Bit, index: Index<'_>) -> P::Bit {
        P::gather_bits(x, index)
    }
    fn flip(&self, x: &P::Bit, flip: &[bool]) -> P::Bit {
        P::flip(&self.party, x, flip)
    }

    fn prepare(&mut self, x: &Self::Num) -> EngineResult<Self::Num> {
        in_range::<P>([x])?;
        self.suite.prepare(&mut self.party, &x.share)?;
        Ok(x.clone())
    }
    fn settle(&mut self, x: &[&Self::Num]) -> EngineResult<()> {
        in_range::<P>(x.iter().copied())?;
        Ok(self.suite.settle(&mut self.party, &x.iter().map(|x| &x.share).collect::<Vec<_>>())?)
    }
    fn narrow(&mut self, x: &Self::Num) -> EngineResult<Self::Num> {
        if P::narrow_bits(&x.share).is_some() {
            return Ok(x.clone());
        }
        if x.format.bits.saturating_add(BESIDE) > P::NARROW {
            self.settle(&[x])?;
            return Ok(x.clone());
        }
        Ok(Num::new(self.suite.narrow(&mut self.party, &x.share)?, x.format))
    }

    fn lane(&self) -> Lane {
        P::lane(&self.party)
    }
    fn lead(&mut self, step: u64, common: &[&Self::Num], rows: &[&Self::Num]) -> EngineResult<Vec<Self::Num>> {
        Ok(self.suite.lead(&mut self.party, step, common, rows)?)
    }
    fn follow(&mut self) -> EngineResult<Option<Told<Self::Num>>> {
        Ok(self.suite.follow(&mut self.party)?)
    }
    fn below(&mut self, x: Vec<Self::Num>) -> EngineResult<Vec<Self::Num>> {
        Ok(P::below(&mut self.party, x)?)
    }
    fn held(&mut self, own: Self::Num, rows: usize) -> Self::Num {
        self.suite.held(&self.party, own, rows)
    }
    fn spread(&mut self, x: &Self::Num) -> EngineResult<Self::Num> {
        Ok(self.suite.spread(&mut self.party, x)?)
    }
    fn here(&mut self, x: &Self::Num) -> EngineResult<Self::Num> {
        Ok(self.suite.here(&mut self.party, x)?)
    }
    fn whole_batch(&mut self) {
        P::set_apart(&mut self.party, false);
    }
    fn sum_of_lanes(&mut self, x: Self::Num) -> EngineResult<Self::Num> {
        Ok(P::sum_of_lanes(&mut self.party, x)?)
    }

    fn in_lane_0<const N: usize>(
        &mut self,
        f: impl FnOnce(&mut Self) -> EngineResult<[Self::Num; N]>,
    ) -> EngineResult<[Self::Num; N]> {
        if !P::is_apart(&self.party) {
            return f(self);
        }
        let mut made = vec![];
        if P::does_for_all(&self.party) {
            P::set_apart(&mut self.party, false);
            let of_all = f(self);
            P::set_apart(&mut self.party, true);
            made = of_all?.into();
        }
        let all = P::from_lane_0(&mut self.party, made)?;
        let what = "matrices from lane 0";
        all.try_into().map_err(|all: Vec<_>| Error::Shape { what, left: [all.len(), 1], right: [N, 1] })
    }

    fn products<const N: usize>(&mut self, ps: [Product<'_, Self::Num>; N]) -> EngineResult<[Self::Num; N]> {
        self.products_over(ps, [false; N])
    }
    fn products_over<const N: usize>(
        &mut self,
        ps: [Product<'_, Self::Num>; N],
        of_batch: [bool; N],
    ) -> EngineResult<[Self::Num; N]> {
        let mut factors = Vec::with_capacity(N);
        for p in &ps {
            let (shape, before) = p.check(|n| (n.share.shape(), n.format))?;
            in_range::<P>([p.x, p.y].into_iter().chain(p.plus))?;
            let f = before.frac - p.out.frac;
            if f > P::MOST_SHIFT {
                return Err(Error::Range { what: "truncated bits", found: f.to_string(), bits: P::MOST_SHIFT });
            }
            if before.bits > P::most_bits(f) {
                return Err(Error::Range { what: "product", found: format!("2^{}", before.bits), bits: P::most_bits(f) });
            }
            let plus = p.plus.map(|plus| match before.frac - plus.format.frac {
                0 => plus.share.clone(),
                shift => plus.share.linear(plus.share.shape(), |x| words::shl(x, shift)),
            });
            let known = if p.narrow { bits_to_open::<P>(f, p.out.bits) } else { 64 };
            factors.push(Factors { kind: p.kind, x: &p.x.share, y: &p.y.share, scatter: p.scatter, plus, shape, f, known });
        }
        let out = self.suite.products_over(&mut self.party, &factors, &of_batch)?;
        Ok(array(out.into_iter().zip(&ps).map(|(z, p)| Num::new(z, p.out)).collect()))
    }
    fn truncate<const N: usize>(&mut self, x: [(&Self::Num, Format); N]) -> EngineResult<[Self::Num; N]> {
        let down = |(x, out): &(&'_ Self::Num, Format)| {
            let (frac, bits) = (x.format.frac, x.format.bits);
            match frac.checked_sub(out.frac) {
                Some(f) if f <= P::MOST_SHIFT && bits <= P::TRUNCATED => Ok(f),
                _ => Err(Error::Range {
                    what: "truncation",
                    found: format!("2^{bits} from {frac} to {} bits", out.frac),
                    bits: P::TRUNCATED,
                }),
            }
        };
        in_range::<P>(x.iter().map(|(x, _)| *x))?;
        let shifts = x.iter().map(down).collect::<EngineResult<Vec<u8>>>()?;
        let down: Vec<_> = x.iter().zip(shifts).map(|((x, _), f)| (&x.share, f)).collect();
        let out = self.suite.truncate(&mut self.party, &down)?;
        Ok(array(out.into_iter().zip(x).map(|(z, (_, out))| Num::new(z, out)).collect()))
    }
    fn drelu<const N: usize>(&mut self, x: [&Self::Num; N]) -> EngineResult<[P::Bit; N]> {
        let wide = |x: &&&Self::Num| P::narrow_bits(&x.share).is_some_and(|k| x.format.bits >= k);
        in_range::<P>(x.iter().filter(wide).copied())?;
        let x = x.map(|x| (&x.share, (x.format.bits + 1).clamp(2, 64)));
        Ok(array(self.suite.drelu(&mut self.party, &x)?))
    }
    fn select<const N: usize>(&mut self, s: [(&P::Bit, &Self::Num); N]) -> EngineResult<[Self::Num; N]> {
        for (b, x) in &s {
            same(P::shape_of_bits(b), x.share.shape(), "select")?;
        }
        let out = self.suite.select(&mut self.party, &s.map(|(b, x)| (b, &x.share)))?;
        Ok(array(out.into_iter().zip(s).map(|(z, (_, x))| Num::new(z, x.format)).collect()))
    }
    fn all(&mut self, bits: &[&P::Bit]) -> EngineResult<P::Bit> {
        let first = bits.first().ok_or(Error::Shape { what: "and of no bits", left: [0, 0], right: [0, 0] })?;
        for b in bits {
            same(P::shape_of_bits(first), P::shape_of_bits(b), "and")?;
        }
        Ok(self.suite.all(&mut self.party, bits)?)
    }
    fn open(&mut self, x: &Self::Num) -> EngineResult<Opened> {
        in_range::<P>([x])?;
        let opened = self.suite.open(&mut self.party, &x.share)?;
        Ok(opened.map(|v| fixed::decode(&v, x.format)))
    }
    fn row_max(&mut self, x: &Self::Num) -> EngineResult<Self::Num> {
        if !P::PAIRS {
            return functions::row_max(self, x);
        }
        in_range::<P>([x])?;
        self.suite.ride(&x.share);
        functions::row_max_of_pairs(self, x)
    }

    fn softmax(&mut self, x: &Self::Num, out: Format) -> EngineResult<Self::Num> {
        P::softmax(self, x, out)
    }

    fn within<T>(&mut self, layer: &str, f: impl FnOnce(&mut Self) -> EngineResult<T>) -> EngineResult<T> {
        let outer = self.party.set_layer(layer);
        let result = f(self);
        self.party.set_layer(&outer);
        result.map_err(|e| e.within(layer))
    }
    fn begin_step(&mut self, step: u64) {
        self.party.begin_step(step);
    }
}

fn same(left: [usize; 2], right: [usize; 2], what: &'static str) -> EngineResult<()> {
    if left == right { Ok(()) } else { Err(Error::Shape { what, left, right }) }
}
