//! Additive sharing between P0 and P1 over Z_L, L = 2^64: x = x_0 + x_1.
//!
//! Source: SecureNN, section 3.1 (share, reconstruct). P2 holds the shape and nothing else. Over Z_(L-1) and, bit by bit,
//! over Z_67, shares live only inside of the comparison protocols, as plain vectors; there too P2's place is empty.
//!
//! Reconstruct: 1 round, 2 words an element. Paper: the same.

use super::matmul::Opened;
use crate::{Id, Pair, Part, Party, Price, Result};
use std::sync::{Arc, OnceLock};
use trefoil_engine::Index;
use trefoil_ring::{Tensor, words};

/// One party's share of a matrix over Z_2^64. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Share {
    /// Rows and columns; all three know them.
    pub shape: [usize; 2],
    /// x_0 at P0, x_1 at P1, `None` at P2.
    pub value: Option<Tensor>,
    /// x - A, where a product has opened it under its mask; clones share it, so that it is opened once.
    pub(crate) opened: Arc<OnceLock<Opened>>,
}

impl Share {
    /// A share of `shape`; `value` is called at P0 and P1.
    pub fn new(p: &Party, shape: [usize; 2], value: impl FnOnce() -> Tensor) -> Share {
        let value = (p.id != Id::P2).then(value);
        Share { shape, value, opened: Arc::default() }
    }

    /// A share from its elements, row by row; `None` at P2.
    pub fn from_words(shape: [usize; 2], x: Option<Vec<u64>>) -> Share {
        let value = x.map(|x| Tensor::from_shape_fn((shape[0], shape[1]), |(i, j)| x[i * shape[1] + j]));
        Share { shape, value, opened: Arc::default() }
    }

    /// A public value: P0 has all of it.
    pub fn public(p: &Party, x: &Tensor) -> Share {
        Share::new(p, [x.nrows(), x.ncols()], || if p.id == Id::P0 { x.clone() } else { Tensor::zeros(x.dim()) })
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, row by row; empty at P2.
    pub fn words(&self) -> &[u64] {
        self.value.as_ref().and_then(|v| v.as_slice()).unwrap_or(&[])
    }

    /// The same local function of each party's own part.
    pub fn map(&self, shape: [usize; 2], f: impl FnOnce(&Tensor) -> Tensor) -> Share {
        Share { shape, value: self.value.as_ref().map(f), opened: Arc::default() }
    }

    /// x + y, x - y, or any other linear function of two shares of one shape.
    pub fn zip(&self, y: &Share, f: impl FnOnce(&Tensor, &Tensor) -> Tensor) -> Share {
        let value = self.value.as_ref().zip(y.value.as_ref()).map(|(x, y)| f(x, y));
        Share { shape: self.shape, value, opened: Arc::default() }
    }

    /// x + y.
    pub fn add(&self, y: &Share) -> Share {
        self.zip(y, words::add)
    }

    /// x - y.
    pub fn sub(&self, y: &Share) -> Share {
        self.zip(y, words::sub)
    }

    /// c x.
    pub fn scale(&self, c: u64) -> Share {
        self.map(self.shape, |x| words::scale(x, c))
    }

    /// c - x for a public c: P0 alone adds it.
    pub fn minus_from(&self, p: &Party, c: u64) -> Share {
        let c = if p.id == Id::P0 { c } else { 0 };
        self.map(self.shape, |x| x.mapv(|v| c.wrapping_sub(v)))
    }

    /// Elements rearranged; what is opened stays opened.
    pub fn gather(&self, index: Index<'_>) -> Share {
        let opened = self.opened.get().map(|o| OnceLock::from(o.gather(index)));
        Share {
            shape: index.shape(self.shape),
            value: self.value.as_ref().map(|x| index.of(x)),
            opened: Arc::new(opened.unwrap_or_default()),
        }
    }

    /// Matrices of equal height side by side; `None` if there are none or they do not fit.
    pub fn beside(x: &[&Share]) -> Option<Share> {
        let rows = x.first()?.shape[0];
        if x.iter().any(|x| x.shape[0] != rows) {
            return None;
        }
        let shape = [rows, x.iter().map(|x| x.shape[1]).sum()];
        let views: Vec<_> = x.iter().filter_map(|x| x.value.as_ref()).map(|v| v.view()).collect();
        if views.is_empty() {
            return Some(Share::from_words(shape, None));
        }
        // Concatenation may choose another memory order; shares are row by row.
        let value = ndarray::concatenate(ndarray::Axis(1), &views).ok()?.as_standard_layout().into_owned();
        Some(Share { shape, value: Some(value), opened: Arc::default() })
    }
}

/// A fresh sharing of a value that P0 and P1 share already: P0 adds what P1 subtracts. Local.
///
/// # Errors
/// A reused address.
pub fn reshare(p: &mut Party, x: &Share) -> Result<Share> {
    let op = p.op();
    if p.id == Id::P2 {
        return Ok(x.clone());
    }
    let mask = Share::from_words(x.shape, Some(p.draw(op, Pair::K01, "securenn.share.reshare")?.words(x.len())));
    Ok(if p.id == Id::P0 { x.add(&mask) } else { x.sub(&mask) })
}

/// Rounds and bytes of [`reconstruct`] for `n` elements.
pub const fn reconstruct_cost(n: usize) -> Price {
    Price { rounds: 1, servers: 16 * n as u64, ..Price::NONE }
}

/// Opens a matrix to P0 and P1; `None` at P2. 1 round, 2 words an element.
///
/// # Errors
/// Those of the network.
pub fn reconstruct(p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
    let op = p.op();
    if p.id == Id::P2 {
        return Ok(None);
    }
    let (peer, n) = (p.peer(), x.len());
    let theirs = p.round(op, "securenn.share.open").send(peer, Part::words(x.words())).then()?.words(peer, n)?;
    Ok(x.add(&Share::from_words(x.shape, Some(theirs))).value)
}
