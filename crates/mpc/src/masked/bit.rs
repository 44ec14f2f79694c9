//! Masked bits: b = m_b XOR l_b, with m_b at P0 and P1 and l_b at P2.
//!
//! The servers hold no share of l_b; where a protocol needs one, P2 deals it. Bits are packed, 64 elements a word.

use crate::{Id, Party};
use std::sync::{Arc, Mutex, PoisonError};
use trefoil_engine::Index;
use trefoil_ring::{Tensor, planes};

/// One party's view of a matrix of masked bits. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Bit {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// m_b at P0 and P1, l_b at P2: a plane.
    pub plane: Vec<u64>,
    /// A_j, where a Select has had them dealt; the next one uses them again.
    a: Arc<Mutex<Dealt>>,
}

/// Additive shares of l_b modulo 2^k, and that k: 0 before any have been dealt. P2 keeps none of them, but knows that it has dealt them.
#[derive(Clone, Default)]
pub(super) struct Dealt {
    pub k: u8,
    pub shares: Arc<Vec<u64>>,
}

impl Bit {
    /// From a plane.
    pub fn new(shape: [usize; 2], plane: Vec<u64>) -> Bit {
        Bit { shape, plane, a: Arc::default() }
    }

    /// The number of bits.
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has been dealt of l_b; `None` if that is modulo less than 2^k.
    pub(super) fn dealt(&self, k: u8) -> Option<Dealt> {
        let dealt = self.a.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (dealt.k >= k).then_some(dealt)
    }

    /// Keeps for the next Select what has been dealt.
    pub(super) fn keep(&self, dealt: Dealt) {
        *self.a.lock().unwrap_or_else(PoisonError::into_inner) = dealt;
    }

    /// The bits as words of 0 and 1.
    pub fn words(&self) -> Vec<u64> {
        planes::spread(&self.plane, self.len())
    }

    /// Those from place `at` on, a multiple of 64, as words of 0 and 1 in `out`, which is given back.
    pub(super) fn words_from<'o>(&self, at: usize, out: &'o mut [u64]) -> &'o [u64] {
        planes::spread_into(&self.plane[at / 64..], out);
        out
    }

    fn map(&self, shape: [usize; 2], f: impl FnOnce(&Tensor) -> Tensor) -> Bit {
        let x = f(&super::matrix::tensor(self.shape, self.words()));
        Bit::new(shape, planes::pack(x.as_standard_layout().as_slice().unwrap_or(&[])))
    }

    /// Elements rearranged.
    pub fn gather(&self, index: Index<'_>) -> Bit {
        self.map(index.shape(self.shape), |x| index.of(x))
    }

    /// Column j negated where `flip[j]`: m_b changes, l_b does not.
    pub fn flip(&self, p: &Party, flip: &[bool]) -> Bit {
        match p.id {
            Id::P2 => self.clone(),
            _ => Bit {
                a: self.a.clone(),
                ..self.map(self.shape, |x| Tensor::from_shape_fn(x.dim(), |at| x[at] ^ u64::from(flip[at.1])))
            },
        }
    }
}
