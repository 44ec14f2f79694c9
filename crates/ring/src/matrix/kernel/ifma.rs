//! The kernel over AVX-512's 52-bit multipliers (IFMA): three multiply-adds an element, each one operation of the processor, where
//! Intel's `vpmullq` takes three and an addition.
//!
//! With x = x_0 + 2^52 x_1 and x_0 < 2^52, modulo 2^64,
//!
//! x y = low(x_0 y_0) + 2^52 (high(x_0 y_0) + x_0 y_1 + x_1 y_0),
//!
//! where low and high are the two halves, of 52 bits, of a product of 104. Of what 2^52 is in front of only 12 bits count, and so only
//! the 12 low bits x_0' of x_0: one multiplication gives both mixed terms, in the middle of
//!
//! (x_1 + 2^40 x_0') (y_1 + 2^40 y_0') = x_1 y_1 + 2^40 (x_1 y_0' + x_0' y_1) + 2^80 ..
//!
//! Sums of x_1 y_1 < 2^24 stay below 2^40 for an inner dimension below 2^16.

use super::{Block, LANE, Lane, body};
use std::arch::x86_64::{
    __cpuid, __m512i, _mm512_add_epi64, _mm512_loadu_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_epi64,
};

/// Rows and lanes of a tile: three sums for each of its elements.
pub(super) const TILE: (usize, usize) = (ROWS, 1);
const ROWS: usize = 8;

/// Whether this machine has the instructions, and of a kind that makes them worthwhile: AMD's `vpmullq` is a single operation.
pub(super) fn detected() -> bool {
    let name = __cpuid(0);
    [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512ifma")
}

/// See [`Kernel::run`](super::Kernel::run).
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn run(block: Block) {
    body::<ROWS, 1, 2>(block, |sliver, panel| tile(sliver, panel));
}

/// The sums of `sliver` times `panel`, both packed with their crossed words.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn tile(sliver: &[u64], panel: &[Lane]) -> [[Lane; 1]; ROWS] {
    let (mut low, mut high, mut mixed) =
        ([_mm512_setzero_si512(); ROWS], [_mm512_setzero_si512(); ROWS], [_mm512_setzero_si512(); ROWS]);
    for (x, [y, y_crossed]) in sliver.as_chunks::<{ 2 * ROWS }>().0.iter().zip(panel.as_chunks().0) {
        let (y, y_crossed) = (load(y), load(y_crossed));
        macro_rules! rows {
            ($($i:literal)*) => {$(
                let (row, row_crossed) = (_mm512_set1_epi64(x[$i].cast_signed()), _mm512_set1_epi64(x[ROWS + $i].cast_signed()));
                low[$i] = _mm512_madd52lo_epu64(low[$i], row, y);
                high[$i] = _mm512_madd52hi_epu64(high[$i], row, y);
                mixed[$i] = _mm512_madd52lo_epu64(mixed[$i], row_crossed, y_crossed);
            )*};
        }
        rows!(0 1 2 3 4 5 6 7);
    }
    let mut sums = [[Lane([0; LANE])]; ROWS];
    for (i, [sum]) in sums.iter_mut().enumerate() {
        let upper = _mm512_add_epi64(high[i], _mm512_srli_epi64::<40>(mixed[i]));
        let whole = _mm512_add_epi64(low[i], _mm512_slli_epi64::<52>(upper));
        // SAFETY: a lane has the eight words that are written.
        unsafe { _mm512_storeu_epi64(sum.0.as_mut_ptr().cast(), whole) };
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lane: &Lane) -> __m512i {
    // SAFETY: a lane has the eight words that are read.
    unsafe { _mm512_loadu_epi64(lane.0.as_ptr().cast()) }
}
