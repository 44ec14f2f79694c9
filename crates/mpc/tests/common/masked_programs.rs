//! The protocols of the masked suite as programs whose views are tested. Every element is the same secret, handed in by an owner.

use super::programs::{End, Input, Program, step};
use trefoil_engine::{Engine, Format, Index, Kind, functions};
use trefoil_mpc::masked::powers::{Flying, Polynomial};
use trefoil_mpc::masked::range::{self, Piece, Sums};
use trefoil_mpc::masked::{Bit, Masked, Num, Share, and, drelu, land, lift, powers, product, select, truncate};
use trefoil_mpc::range::Range;
use trefoil_mpc::{Id, Party, Question, Result, Suite};
use trefoil_net::Ring;
use trefoil_ring::Tensor;

/// This party's view of a matrix that an owner has handed in under masks from `seed`.
pub fn dealt(p: &Party, x: &Tensor, seed: u8) -> Share {
    let shape = [x.nrows(), x.ncols()];
    let kept = Masked::accept(p.id, x.len(), &Masked::deal(x, [seed; 32])[p.id.index()]).unwrap();
    let [a, b] = kept.words().map(|v| Tensor::from_shape_vec((shape[0], shape[1]), v).unwrap());
    match p.id {
        Id::P0 => Share::new(shape, Some(a), [Some(b), None]),
        Id::P1 => Share::new(shape, Some(a), [None, Some(b)]),
        Id::P2 => Share::new(shape, None, [Some(a), Some(b)]),
    }
}

impl Input {
    /// The secret, brought below 2^bits.
    fn masked(self, p: &Party, bits: u8, seed: u8) -> Share {
        let most = (1i64 << bits) - 1;
        let x = |n| Tensor::from_elem((1, n), (self.secret as i64).clamp(-most, most) as u64);
        if !self.same {
            return dealt(p, &x(self.n), seed);
        }
        let all = vec![0; self.n];
        dealt(p, &x(1), seed).gather(Index::Flat([1, self.n], &all))
    }
}

/// All of them.
pub const PROGRAMS: [Program; 10] = [
    Program { dealt: Some(Id::P1), ..Program::of("product", products) },
    Program::of("truncate", truncations),
    Program::of("drelu", comparisons),
    Program { dealt: Some(Id::P1), ..Program::of("select", selects) },
    Program { given: Some((Id::P0, "masked.and.mu_1", "masked.and.masks")), ..Program::of("and of bits", ands) },
    Program { dealt: Some(Id::P1), ..Program::of("relu", relu) },
    Program::of("narrow", narrow),
    Program::of("range", ranges),
    Program::of("question", questions),
    Program { dealt: Some(Id::P0), ..Program::of("powers", powers) },
];

/// m, which the servers have opened, and the masks that this party knows beside it.
fn seen(x: &Share) -> End {
    let m = x.m().map(|m| ("opened", Ring::Word, m.iter().copied().collect()));
    let l = [0, 1].into_iter().filter_map(|j| x.mask(j)).map(|l| ("own", Ring::Word, l.iter().copied().collect()));
    m.into_iter().chain(l).collect()
}

/// What lies open of a number that waits for its lift by f bits, and of the masks as much. The rest comes with the lift: the servers add up what they
/// send one another, so that it says what the message says.
fn cut(x: &Share, f: u8) -> End {
    let low = |words: Vec<u64>| words.into_iter().map(|w| w & (u64::MAX >> f)).collect();
    let ring = if f == 0 { Ring::Word } else { Ring::Bits(64 - f) };
    seen(x).into_iter().map(|(what, _, words)| (what, ring, low(words))).collect()
}

/// A number whose lift is done.
fn lifted(x: &Share) -> End {
    seen(x).into_iter().map(|(what, ring, words)| (if what == "opened" { "lifted" } else { what }, ring, words)).collect()
}

/// The same of an input: it is what it is before the program starts.
fn given(x: &Share) -> End {
    seen(x).into_iter().map(|(_, ring, words)| ("own", ring, words)).collect()
}

fn seen_bit(p: &Party, b: &Bit) -> End {
    vec![(if p.id == Id::P2 { "own" } else { "opened" }, Ring::Word, b.plane.clone())]
}

fn factors<'a>(x: &'a Share, y: &'a Share, f: u8) -> product::Factors<'a> {
    product::Factors { kind: Kind::Mul, x, y, scatter: None, known: 64, plus: None, shape: x.shape, f }
}

/// Products with and without truncation, one with an addend, of values that meet in two of them.
fn products(p: &mut Party, x: Input) -> Result<End> {
    let one = Input { secret: 1, ..x };
    let (a, b, c) = (x.masked(p, 60, 1), one.masked(p, 1, 2), x.masked(p, 20, 3));
    let plus = Some(c.clone());
    let z = product::products(p, &[factors(&a, &a, 0), product::Factors { plus, ..factors(&a, &b, 16) }, factors(&a, &b, 40)])?;
    let open: Vec<End> = z.iter().zip([0, 16, 40]).map(|(z, f)| cut(z, f)).collect();
    lift::lift(p, &z.iter().collect::<Vec<_>>())?;
    Ok([a, b, c].iter().flat_map(given).chain(open.concat()).chain(z[1..].iter().flat_map(lifted)).collect())
}

fn truncations(p: &mut Party, x: Input) -> Result<End> {
    let (a, b) = (x.masked(p, 62, 1), x.masked(p, 30, 2));
    let z = truncate::truncate(p, &[(&a, 16), (&b, 9)])?;
    lift::lift(p, &z.iter().collect::<Vec<_>>())?;
    // P1's masks of the results are what P2 has sent it: they are among its frames already.
    let kept = |(what, ..): &(&str, Ring, Vec<u64>)| p.id != Id::P1 || *what == "opened";
    Ok([a, b].iter().flat_map(given).chain(z.iter().flat_map(seen).filter(kept)).collect())
}

/// Widths with full groups of chunks, and with lone chunks.
fn comparisons(p: &mut Party, x: Input) -> Result<End> {
    let (a, b, c) = (x.masked(p, 62, 1), x.masked(p, 28, 2), x.masked(p, 19, 3));
    let bits = drelu::drelu(p, &[(&a, 64), (&b, 29), (&c, 20)], &[])?;
    Ok([a, b, c].iter().flat_map(given).chain(bits.iter().flat_map(|b| seen_bit(p, b))).collect())
}

/// A question whose words all lie open at one server.
fn questions(p: &mut Party, x: Input) -> Result<End> {
    let x_j = x.words(p, |v| v);
    let num = super::with_engine::<Masked, _>(p, |e| Ok(e.ask([1, x.n], Format::new(8, 8), x_j)?))?;
    Ok(seen(&num.share))
}

/// Two by one bit, one after the other, as forward and backward pass do.
fn selects(p: &mut Party, x: Input) -> Result<End> {
    let (a, b) = (x.masked(p, 19, 1), x.masked(p, 62, 2));
    let bit = drelu::drelu(p, &[(&a, 20)], &[])?.swap_remove(0);
    let y = select::select(p, &[(&bit, &a)])?;
    let z = select::select(p, &[(&bit, &b)])?;
    Ok([a, b].iter().flat_map(given).chain(y.iter().chain(&z).flat_map(seen)).chain(seen_bit(p, &bit)).collect())
}

fn ands(p: &mut Party, x: Input) -> Result<End> {
    let inputs: Vec<Share> = (1..=5).map(|seed| x.masked(p, 9, seed)).collect();
    let bits = drelu::drelu(p, &inputs.iter().map(|x| (x, 10)).collect::<Vec<_>>(), &[])?;
    let all = and::all(p, &bits.iter().collect::<Vec<_>>())?;
    // The inputs as one tensor, as P2 deals shares of their masks.
    let inputs = Bit::new([5, x.n], bits.iter().flat_map(|b| b.plane.iter().copied()).collect());
    Ok([&inputs, &all].into_iter().flat_map(|b| seen_bit(p, b)).collect())
}

/// A layer: a product whose lift travels with the comparison, and another's that travels along.
fn relu(p: &mut Party, x: Input) -> Result<End> {
    let one = Input { secret: 1, ..x };
    let (a, b) = (x.masked(p, 44, 1), one.masked(p, 1, 2));
    let z = product::products(p, &[factors(&a, &b, 16), factors(&a, &b, 24)])?;
    let open = [cut(&z[0], 16), cut(&z[1], 24)].concat();
    let bit = drelu::drelu(p, &[(&z[0], 29)], &z[1..])?.swap_remove(0);
    let y = select::select(p, &[(&bit, &z[0]), (&bit, &z[1])])?;
    Ok(open.into_iter().chain(z.iter().flat_map(lifted)).chain(y.iter().flat_map(seen)).chain(seen_bit(p, &bit)).collect())
}

/// A layer of which half the bits are opened: a product, its comparison and selection, and a sum with another narrow number; only then what is left is made whole.
fn narrow(p: &mut Party, x: Input) -> Result<End> {
    let one = Input { secret: 1, ..x };
    let (a, b) = (x.masked(p, 44, 1), one.masked(p, 1, 2));
    let z = product::products(p, &[product::Factors { known: 32, ..factors(&a, &b, 16) }])?.swap_remove(0);
    let bit = drelu::drelu(p, &[(&z, 29)], &[])?.swap_remove(0);
    let y = select::select(p, &[(&bit, &z)])?.swap_remove(0);
    let open = [cut(&z, 32), cut(&y, 32)].concat();
    let sum = z.zip(&y, u64::wrapping_add);
    lift::lift(p, &[&y, &sum])?;
    Ok([a, b].iter().flat_map(given).chain(open).chain([y, sum].iter().flat_map(lifted)).chain(seen_bit(p, &bit)).collect())
}

/// Squares in a wide ring and in an ordinary one, and a product of one that goes on in flight with another value, which lands. Softmax is more of these.
///
/// The shares that are opened are random by what P2 has dealt, so that the masks of an opening show in what is opened, and not in a message alone.
fn powers(p: &mut Party, x: Input) -> Result<End> {
    let (a, b) = (x.masked(p, 30, 1), x.masked(p, 20, 2));
    let y = powers::evaluate(p, 72, &[&Flying::of(p.id, &a)], &[Polynomial::power(2)], 30)?.swap_remove(0);
    let narrow = powers::evaluate(p, 64, &[&Flying::of(p.id, &b)], &[Polynomial::power(2)], 24)?.swap_remove(0);
    let opened = [(&y, 42), (&narrow, 40)].map(|(y, bits)| {
        let m = y.clone().parts().0;
        ("opened", Ring::Bits(bits), m.iter().map(|m| *m as u64 & ((1 << bits) - 1)).collect())
    });
    let servers = p.id != Id::P2;
    let opened = opened.into_iter().filter(move |_| servers);
    let op = p.op();
    let product = Polynomial(vec![([1, 1], 1)]);
    let z = powers::shares(p, op, 64, &[&y, &Flying::of(p.id, &b)], &[product])?.swap_remove(0);
    let z = land::land(p, op, a.shape, z.into_iter().map(|z| z as u64).collect(), 40)?;
    lift::lift(p, &[&z])?;
    Ok([a, b].iter().flat_map(given).chain(opened).chain(seen(&z)).collect())
}

/// The range check of a word that keeps its promise, as three matrices of one owner.
fn ranges(p: &mut Party, x: Input) -> Result<End> {
    let blocks = [(16, 1), (8, 2), (5, 3)].map(|(bits, seed)| (Range { bits, signed: bits > 1 }, x.masked(p, bits - 1, seed)));
    let pieces = blocks.iter().map(|(range, x)| {
        let (m, l) = (x.m().map(|m| m.mapv(|m| m.wrapping_add(range.offset()))), [0, 1].map(|j| x.mask(j).cloned()));
        let whole = match (&m, &l) {
            (Some(m), [Some(l_0), _]) => trefoil_ring::words::sub(m, l_0).into_iter().collect(),
            (Some(_), [_, Some(l_1)]) => trefoil_ring::words::neg(l_1).into_iter().collect(),
            _ => vec![],
        };
        Piece { owner: 0, range: *range, one_hot: false, low: Share::new(x.shape, m, l), whole }
    });
    let mut sums = Sums::new(&[7; 32], 1);
    sums.add(p, &pieces.collect::<Vec<_>>())?;
    // The 64 sums are too few to be counted, and zero for an owner that keeps its promise: any addends stand for them here. The comparison that
    // follows is above.
    let addend = if p.id == Id::P1 { 0 } else { x.secret };
    let sums = range::masked(p, [1, x.n], vec![addend; x.n])?;
    Ok(blocks.iter().flat_map(|(_, x)| given(x)).chain(seen(&sums)).collect())
}

/// A training step, and what it does not need: a truncation alone, and the check of what owners have sent.
pub fn training(p: &mut Party, secret: u64) -> Result<End> {
    ranges(p, Input::of(24, secret))?;
    let x = Tensor::from_elem((4, 6), (secret as i64).clamp(-1 << 20, 1 << 20) as u64);
    let x = dealt(p, &x, 1);
    super::with_engine::<Masked, _>(p, |e| {
        let x = Num::new(x, Format { frac: 16, bits: 21 });
        let h = step(e, &x)?;
        let [down] = e.truncate([(&h, Format { frac: 8, bits: 22 })])?;
        functions::argmax(e, &down)?;
        e.open(&down)
    })?;
    Ok(vec![])
}
