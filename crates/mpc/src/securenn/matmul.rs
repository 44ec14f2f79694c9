//! MatMul: Z = X Y over Z_L with a Beaver triple dealt by P2. Also elementwise.
//!
//! Source: SecureNN, algorithm 1 (F_MATMUL); Beaver, CRYPTO 1991. Shapes: X m x n, Y n x v, Z m x v (or all m x n).
//!
//! P2 deals A, B and C = AB; E = X - A and F = Y - B are opened; Z = E Y + A F + C, so P_j outputs E Y_j + A_j F + C_j.
//!
//! |            | rounds | words                                    |
//! |------------|--------|------------------------------------------|
//! | paper      | 2      | 2(2mn + 2nv + mv)                        |
//! | here       | 1      | 2mn + 2nv + mv; less for what is reused  |
//!
//! Deviations.
//! - A_0, A_1, B_0, B_1 and C_0 come from generators that P2 shares with P0 or P1; only C_1 is sent, ahead of time.
//! - The paper's fresh zero sharing U_j is left out: C_0 is uniform and used once, so that each output share is uniform already.
//! - The formula above is the paper's -j EF + X_j F + E Y_j + C_j with the sharing X_0 = E + A_0, X_1 = A_1 of X put in.
//! - A value is opened once, under one mask, whatever the number of products it enters ([`Share`] keeps E and A_j): X and X^T
//!   in the two passes, W in both, and the training data for all epochs, by row. The mask belongs to that value alone; C is
//!   new for each product.

use super::Share;
use crate::{Id, Op, Pair, Part, Party, Price, Result};
use trefoil_engine::{Index, Kind};
use trefoil_ring::{Tensor, words};

/// A value opened under its mask.
#[derive(Clone)]
pub(crate) struct Opened {
    /// X - A at P0 and P1; `None` at P2.
    e: Option<Tensor>,
    /// A_j at P_j; all of A at P2.
    a: Tensor,
}

impl Opened {
    pub(crate) fn gather(&self, index: Index<'_>) -> Opened {
        Opened { e: self.e.as_ref().map(|e| index.of(e)), a: index.of(&self.a) }
    }
}

/// Opens each value that is not yet open under a fresh mask, all in one round.
///
/// # Errors
/// Those of the network.
pub fn open_masked(p: &mut Party, values: &[&Share]) -> Result<()> {
    let mut new: Vec<&Share> = vec![];
    for x in values {
        let seen = new.iter().any(|y| std::sync::Arc::ptr_eq(&x.opened, &y.opened));
        if x.opened.get().is_none() && !seen {
            new.push(x);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let op = p.op();
    let masks = new.iter().map(|x| x.shape).collect::<Vec<_>>();
    let a = mask(p, op, &masks)?;
    let es = if p.id == Id::P2 { vec![None; new.len()] } else { exchange(p, op, &new, &a)? };
    for ((x, a), e) in new.iter().zip(a).zip(es) {
        // `set` fails only where the value is open already, and those were sorted out above.
        let _ = x.opened.set(Opened { e, a });
    }
    Ok(())
}

/// A_j at P_j, A_0 + A_1 at P2.
fn mask(p: &mut Party, op: Op, shapes: &[[usize; 2]]) -> Result<Vec<Tensor>> {
    let mut a: Vec<Tensor> = shapes.iter().map(|s| Tensor::zeros((s[0], s[1]))).collect();
    for (pair, label) in [(Pair::K02, "securenn.matmul.A_0"), (Pair::K12, "securenn.matmul.A_1")] {
        if p.id == Id::P2 || pair == Pair::of(p.id, Id::P2) {
            let mut prg = p.draw(op, pair, label)?;
            for a in &mut a {
                let share = Share::from_words([a.nrows(), a.ncols()], Some(prg.words(a.len())));
                share.value.iter().for_each(|s| words::add_assign(a, s));
            }
        }
    }
    Ok(a)
}

/// E_j = X_j - A_j to the other server; E = E_0 + E_1.
fn exchange(p: &mut Party, op: Op, x: &[&Share], a: &[Tensor]) -> Result<Vec<Option<Tensor>>> {
    let peer = p.peer();
    let own: Vec<Share> = x.iter().zip(a).map(|(x, a)| x.map(x.shape, |x| words::sub(x, a))).collect();
    let round = own.iter().fold(p.round(op, "securenn.matmul.open"), |r, e| r.send(peer, Part::words(e.words())));
    let mut round = round.then()?;
    own.iter().map(|e| Ok(e.add(&Share::from_words(e.shape, Some(round.words(peer, e.len())?))).value)).collect()
}

/// Rounds and bytes of [`matmul`] that opens `opened` elements which were not open yet, and has `out` elements of results.
pub const fn cost(opened: usize, out: usize) -> Price {
    Price { rounds: (opened > 0) as u64, ahead: [0, 8 * out as u64], servers: 16 * opened as u64, ..Price::NONE }
}

/// A product to be computed: kind, X, Y and the shape of Z.
pub type Factors<'a> = (Kind, &'a Share, &'a Share, [usize; 2]);

/// One that may have its elements added up in other places; it is not truncated here.
type Sums<'a> = crate::secure::Factors<'a, Share>;

/// The products of `factors`, in one round (none for what is open already).
///
/// # Errors
/// Those of the network.
pub fn matmul(p: &mut Party, factors: &[Factors<'_>]) -> Result<Vec<Share>> {
    let mut sums = Vec::with_capacity(factors.len());
    for &(kind, x, y, shape) in factors {
        sums.push(Sums { kind, x, y, scatter: None, known: 64, plus: None, shape, f: 0 });
    }
    matmul_sums(p, &sums)
}

/// The same where the elements of a product are added up in other places ([`trefoil_engine::Scatter`]). That is linear, so it is done
/// to C before it is dealt, and to the local products: `out` of [`cost`] counts the sums.
///
/// # Errors
/// Those of the network.
pub fn matmul_sums(p: &mut Party, factors: &[Sums<'_>]) -> Result<Vec<Share>> {
    let values: Vec<&Share> = factors.iter().flat_map(|z| [z.x, z.y]).collect();
    // P2 deals before it waits for anything, and the servers open before they wait for P2.
    open_masked(p, &values)?;
    let c = deal(p, factors)?;
    Ok(factors
        .iter()
        .zip(c)
        .map(|(z, c)| match (z.x.opened.get(), z.y.opened.get()) {
            (Some(Opened { e: Some(e), a }), Some(Opened { e: Some(f), .. })) => {
                Share::new(p, z.shape, || z.sum(z.y.value.iter().map(|y| [e, y]).chain([[a, f]]), c.as_ref()))
            }
            _ => Share::from_words(z.shape, None),
        })
        .collect())
}

/// C_j at P_j; P2 computes C = AB, and sends C_1.
fn deal(p: &mut Party, factors: &[Sums<'_>]) -> Result<Vec<Option<Tensor>>> {
    let op = p.op();
    let label = "securenn.matmul.C_1";
    let of = |shape: [usize; 2], x: Vec<u64>| Share::from_words(shape, Some(x)).value;
    match p.id {
        Id::P0 => {
            let mut prg = p.draw(op, Pair::K02, "securenn.matmul.C_0")?;
            Ok(factors.iter().map(|f| of(f.shape, prg.words(f.shape[0] * f.shape[1]))).collect())
        }
        Id::P1 => {
            let mut from = p.offline(op, label).then()?;
            factors.iter().map(|f| Ok(of(f.shape, from.words(Id::P2, f.shape[0] * f.shape[1])?))).collect()
        }
        Id::P2 => {
            let mut prg = p.draw(op, Pair::K02, "securenn.matmul.C_0")?;
            let mut parts = vec![];
            for z in factors {
                let c = match (z.x.opened.get(), z.y.opened.get()) {
                    (Some(x), Some(y)) => z.sum([[&x.a, &y.a]], None),
                    _ => Tensor::zeros(z.shape),
                };
                let c_0 = prg.words(c.len());
                let c_1: Vec<u64> = c.iter().zip(c_0).map(|(c, c_0)| c.wrapping_sub(c_0)).collect();
                parts.push(Part::words(&c_1));
            }
            parts.into_iter().fold(p.offline(op, label), |r, c| r.send(Id::P1, c)).then()?;
            Ok(vec![None; factors.len()])
        }
    }
}
