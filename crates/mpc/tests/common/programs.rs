//! The protocols of the SecureNN suite as programs whose views are tested. Every element is the same secret, and one server holds all of it: a view must
//! look the same for the least random of all sharings, not only for a random one.

use trefoil_engine::{Engine, Format, Index, Kind, Product, functions};
use trefoil_mpc::range::{Block, Range};
use trefoil_mpc::securenn::{
    Num, SecureNn, Share, compute_msb, drelu, matmul, private_compare, range, share, share_convert, truncate,
};
use trefoil_mpc::{Id, Kept, Party, Result};
use trefoil_net::Ring;
use trefoil_nn::{Scaling, Statistics};
use trefoil_ring::{Tensor, odd};

/// A secret, as many times as `n` says, all of it at one server.
#[derive(Clone, Copy)]
pub struct Input {
    pub n: usize,
    pub secret: u64,
    pub holder: Id,
    /// Whether the masks of all elements are one, where an owner handed them in.
    pub same: bool,
}

impl Input {
    /// `n` elements of a secret, all of it at P0 where there is no owner.
    pub fn of(n: usize, secret: u64) -> Input {
        Input { n, secret, holder: Id::P0, same: false }
    }
}

impl Input {
    pub fn words(self, p: &Party, f: impl Fn(u64) -> u64) -> Vec<u64> {
        match p.id {
            Id::P2 => vec![],
            id => vec![if id == self.holder { f(self.secret) } else { 0 }; self.n],
        }
    }

    fn share(self, p: &Party) -> Share {
        Share::from_words([1, self.n], (p.id != Id::P2).then(|| self.words(p, |v| v)))
    }
}

/// What a party ends with. "output": its share of a result, a function of what it drew and received; "opened": what it has opened;
/// "own": what it knows beside that.
pub type End = Vec<(&'static str, Ring, Vec<u64>)>;

/// A protocol as the tests run it.
pub struct Program {
    pub name: &'static str,
    /// Whether P2's bit in it is one that nobody may know.
    pub hidden_bit: bool,
    /// Who finds what is opened uniform beside each message: it is masked by what this server is dealt.
    pub dealt: Option<Id>,
    /// Who is sent messages that are uniform even to who knows what is drawn under a label; that label, and theirs.
    pub given: Option<(Id, &'static str, &'static str)>,
    pub run: fn(&mut Party, Input) -> Result<End>,
}

impl Program {
    /// One of which no more is asked.
    pub const fn of(name: &'static str, run: fn(&mut Party, Input) -> Result<End>) -> Program {
        Program { name, hidden_bit: false, dealt: None, given: None, run }
    }
}

/// All of them.
pub const PROGRAMS: [Program; 8] = [
    Program::of("reshare", |p, x| Ok(words(&share::reshare(p, &x.share(p))?))),
    Program { given: Some((Id::P1, "securenn.matmul.A_0", "securenn.matmul.C_1")), ..Program::of("product", product) },
    Program {
        given: Some((Id::P1, "securenn.truncate.r_0", "securenn.truncate.deal")),
        ..Program::of("truncate", |p, x| Ok(words(&truncate::truncate(p, &[(&x.share(p), 16)])?[0])))
    },
    Program::of("private compare", compare),
    Program { hidden_bit: true, ..Program::of("share convert", convert) },
    Program { hidden_bit: true, ..Program::of("compute msb", msb) },
    Program {
        hidden_bit: true,
        ..Program::of("relu", |p, x| relu(p, &x.share(p)).map(|(y, b)| [words(&y), words(&b)].concat()))
    },
    Program::of("range", lower_bits),
];

fn words(x: &Share) -> End {
    x.value.iter().map(|_| ("output", Ring::Word, x.words().to_vec())).collect()
}

/// Two products of one value, the second with what is open already, beside a product of two others.
fn product(p: &mut Party, x: Input) -> Result<End> {
    let (a, b, c) = (x.share(p), x.share(p), x.share(p));
    let z = matmul::matmul(p, &[(Kind::Mul, &a, &b, a.shape), (Kind::Mul, &a, &a, a.shape)])?;
    let y = matmul::matmul(p, &[(Kind::Mul, &a, &c, a.shape)])?;
    Ok(z.iter().chain(&y).flat_map(words).collect())
}

/// max(x, 0) as the engine makes it, and the bit.
fn relu(p: &mut Party, x: &Share) -> Result<(Share, Share)> {
    let b = drelu::drelu(p, x)?;
    let mut y = matmul::matmul(p, &[(Kind::Mul, &b, x, x.shape)])?;
    Ok((y.swap_remove(0), b))
}

/// Both values of beta in turn, so that half of the elements have a zero. The bits of x lie open at one server.
fn compare(p: &mut Party, x: Input) -> Result<End> {
    let n = x.n;
    let beta: Vec<u64> = (0..n as u64).map(|i| i & 1).collect();
    let bits = match p.id {
        Id::P2 => return private_compare::private_compare(p, n, &[], &[], &[]).map(|_| vec![]),
        id if id == x.holder => private_compare::bits_of(&vec![x.secret; n]),
        _ => private_compare::bits_of(&vec![0; n]),
    };
    private_compare::private_compare(p, n, &bits, &vec![x.secret.wrapping_sub(1); n], &beta)?;
    Ok(vec![])
}

fn convert(p: &mut Party, x: Input) -> Result<End> {
    let doubled = x.words(p, |v| v.wrapping_mul(2));
    let y = share_convert::share_convert(p, x.n, &doubled)?;
    Ok(if p.id == Id::P2 { vec![] } else { vec![("output", Ring::Odd, y)] })
}

fn msb(p: &mut Party, x: Input) -> Result<End> {
    let a = x.words(p, odd::from_word);
    let y = compute_msb::compute_msb(p, x.n, &a)?;
    Ok(if p.id == Id::P2 { vec![] } else { vec![("output", Ring::Word, y)] })
}

/// The lower bits of two matrices under masks, as the range check of owners' words wants them.
fn lower_bits(p: &mut Party, x: Input) -> Result<End> {
    let kept = Kept::new([x.words(p, |v| v), vec![]]);
    let block = |bits| {
        let range = Range { bits, signed: true };
        Block { owner: 0, shape: [1, x.n], range, one_hot: false, kept: kept.clone() }
    };
    range::mask(p, &[block(16), block(63)])?;
    Ok(vec![])
}

/// A training step in small, on x of [4, 6], whose columns have been standardised; the hidden layer.
pub fn step<E: Engine>(e: &mut E, x: &E::Num) -> trefoil_engine::Result<E::Num> {
    const F: u8 = 16;
    let weights = e.public(&ndarray::Array2::from_elem((3, 6), 0.25), Format::new(F, 1))?;
    let x = Statistics::of(e, x, &[Scaling::Deviation; 6])?.standardise(e, x, Format::new(F, 3))?;
    let x = e.prepare(&x)?;
    let [h] = e.products([Product::matmul(&x, false, &weights, true, Format { frac: F, bits: 30 })])?;
    let (h, positive) = e.relu(&h)?;
    let probabilities = e.softmax(&e.claim(&h, 22), Format::new(F, 1))?;
    functions::argmax(e, &h)?;
    let [d] = e.select([(&positive, &probabilities)])?;
    let [dw] = e.products([Product::matmul(&d, true, &x, false, Format { frac: F, bits: 30 })])?;
    e.open(&dw)?;
    Ok(h)
}

/// A training step, and the protocols that it does not call.
pub fn training(p: &mut Party, secret: u64) -> Result<End> {
    const F: u8 = 16;
    let x = Input::of(24, (secret as i64).clamp(-1 << 20, 1 << 20) as u64).share(p);
    let x = share::reshare(p, &x)?.gather(Index::Flat([4, 6], &(0..24).collect::<Vec<_>>()));
    let num = Num::new(x, Format { frac: F, bits: 21 });
    let logits = super::with_engine::<SecureNn, _>(p, |e| step(e, &num))?;
    share::reconstruct(p, &logits.share)?;
    lower_bits(p, Input::of(24, secret))
}
