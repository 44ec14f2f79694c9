//! Masked bits whose masks are shared: b = m_b XOR l_b0 XOR l_b1, with m_b at both servers, l_b0 at P0 and P2, l_b1 at P1 and P2. So a claim can be made about them.

use crate::{Id, Party};
use std::sync::{Arc, OnceLock};
use trefoil_engine::Index;
use trefoil_ring::planes;

/// Two shares of planes of bits, plane after plane, whose exclusive or they are: P0's and P1's. P2 has both, and a server its own; the other one is empty.
pub type Shared = [Vec<u64>; 2];

/// One party's view of a matrix of masked bits whose masks are shared, as planes. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Bit {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// m_b at P0 and P1.
    pub(super) m: Option<Vec<u64>>,
    /// l_b0 at P0 and P2, l_b1 at P1 and P2.
    pub(super) l: [Option<Vec<u64>>; 2],
    /// A_0 and A_1 of a Select, of which a server has its own, once they have been dealt.
    pub(super) a: Arc<OnceLock<[Vec<u64>; 2]>>,
}

impl Bit {
    /// From what this party knows, as planes.
    pub fn new(shape: [usize; 2], m: Option<Vec<u64>>, l: [Option<Vec<u64>>; 2]) -> Bit {
        Bit { shape, m, l, a: Arc::default() }
    }

    /// The same from what there is at this party, of which what it does not know is empty.
    pub(super) fn of(p: &Party, shape: [usize; 2], m: Vec<u64>, [l_0, l_1]: Shared) -> Bit {
        let known = |id: Id, plane: Vec<u64>| (p.id != id).then_some(plane);
        Bit::new(shape, known(Id::P2, m), [known(Id::P1, l_0), known(Id::P0, l_1)])
    }

    /// The number of bits.
    pub fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A plane as words of 0 and 1.
    pub(super) fn words(&self, plane: Option<&Vec<u64>>) -> Vec<u64> {
        plane.map_or_else(Vec::new, |plane| planes::spread(plane, self.len()))
    }

    /// Elements rearranged.
    pub fn gather(&self, index: Index<'_>) -> Bit {
        let of = |plane: &Option<Vec<u64>>| {
            let x = super::super::matrix::tensor(self.shape, self.words(plane.as_ref()));
            plane.is_some().then(|| planes::pack(index.of(&x).as_standard_layout().as_slice().unwrap_or(&[])))
        };
        Bit::new(index.shape(self.shape), of(&self.m), self.l.each_ref().map(of))
    }

    /// Column j negated where `flip[j]`: m_b changes, its mask does not.
    pub fn flip(&self, flip: &[bool]) -> Bit {
        let columns = self.shape[1].max(1);
        let flipped = |plane: &Vec<u64>| {
            let bits = self.words(Some(plane)).into_iter().enumerate();
            planes::pack(&bits.map(|(i, bit)| bit ^ u64::from(flip[i % columns])).collect::<Vec<_>>())
        };
        Bit { m: self.m.as_ref().map(flipped), ..self.clone() }
    }
}
