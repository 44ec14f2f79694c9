//! The kernel for products of which the lower 52 bits are wanted: one multiply-add of AVX-512's 52-bit multipliers (IFMA) for eight elements.
//!
//! It multiplies the lower 52 bits of two words, and adds the lower 52 bits of that to a word. These are x y modulo 2^52 whatever stands above the 52 bits of x
//! and of y, and what sums carry beyond 52 bits says nothing about those below.

use super::super::pack::Layout;
use super::{Block, LANE, Lane, body};
use std::arch::x86_64::{_mm512_madd52lo_epu64, _mm512_set1_epi64, _mm512_setzero_si512};

/// A tile has 16 sums: twice as many as must be on their way for one to begin in each cycle.
pub(super) const LAYOUT: Layout = Layout::plain(ROWS, LANES);
const ROWS: usize = 8;
const LANES: usize = 2;

/// Whether this machine has the instructions.
pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("avx512vl")
}

/// See [`Kernel::run`](super::Kernel::run).
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn run(block: Block) {
    body::<ROWS, LANES>(block, LAYOUT, |sliver, panel, columns| match columns {
        ..=LANE => tile::<1>(sliver, panel),
        _ => tile::<LANES>(sliver, panel),
    });
}

/// The sums of `sliver` times the first `N` lanes of `panel`; of the others zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn tile<const N: usize>(sliver: &[u64], panel: &[Lane]) -> [[Lane; LANES]; ROWS] {
    let mut sums = [[_mm512_setzero_si512(); N]; ROWS];
    for (x, y) in sliver.as_chunks::<ROWS>().0.iter().zip(panel.as_chunks::<LANES>().0) {
        let y: [_; N] = std::array::from_fn(|j| super::ifma::load(&y[j].0));
        macro_rules! rows {
            ($($i:literal)*) => {$(
                let row = _mm512_set1_epi64(x[$i].cast_signed());
                for j in 0..N {
                    sums[$i][j] = _mm512_madd52lo_epu64(sums[$i][j], row, y[j]);
                }
            )*};
        }
        rows!(0 1 2 3 4 5 6 7);
    }
    let mut out = [[Lane([0; LANE]); LANES]; ROWS];
    for (out, sums) in out.iter_mut().zip(sums) {
        out.iter_mut().zip(sums).for_each(|(out, sum)| super::ifma::store(&mut out.0, sum));
    }
    out
}
