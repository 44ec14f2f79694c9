//! The kernel over AVX-512's 52-bit multipliers (IFMA) and 16-bit dot products (VNNI): two and a half multiply-adds for eight
//! elements, each one operation of the processor, where Intel's `vpmullq` takes three and an addition.
//!
//! With x = x_0 + 2^52 x_1 and x_0 < 2^52, modulo 2^64,
//!
//! x y = low(x_0 y_0) + 2^52 (high(x_0 y_0) + x_0' y_1 + x_1 y_0'),
//!
//! where low and high are the two halves, of 52 bits, of a product of 104, and x_0' is x_0 modulo 2^12: of what 2^52 is in front of
//! only 12 bits count. The two mixed terms are a dot product of two pairs of 16-bit integers, the *crossed* words of x and y; one
//! operation adds sixteen of those to 32-bit sums, whose 12 low bits are right however often they wrap.

use super::super::pack::Layout;
use super::{Block, LANE, Lane, body};
use std::arch::x86_64::{
    __cpuid, __m512i, _mm256_or_si256, _mm256_slli_epi32, _mm512_add_epi64, _mm512_and_si512, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_cvtepi64_epi32, _mm512_cvtepu32_epi64, _mm512_dpwssd_epi32, _mm512_extracti64x4_epi64,
    _mm512_inserti64x4, _mm512_loadu_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_expand_epi64,
    _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_storeu_epi64,
};

/// A tile has two sums for each of its elements, and one for two: 25 registers. Of a sliver, a lane holds five rows' words and
/// their crossed ones, of half a word each; of a panel, a lane of crossed words follows two lanes.
pub(super) const LAYOUT: Layout = Layout { rows: ROWS, lanes: LANES, sliver: LANE, panel: LANES + 1 };
const ROWS: usize = 5;
const LANES: usize = 2;

/// Whether this machine has the instructions, and of a kind that makes them worthwhile: AMD's `vpmullq` is a single operation.
pub(super) fn detected() -> bool {
    let name = __cpuid(0);
    [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("avx512vnni")
}

/// See [`Kernel::run`](super::Kernel::run).
#[target_feature(enable = "avx512f,avx512ifma,avx512vnni")]
pub(super) fn run(block: Block) {
    body::<ROWS, LANES>(block, LAYOUT, |sliver, panel, columns| match columns {
        ..=LANE => tile::<1>(sliver, panel),
        _ => tile::<LANES>(sliver, panel),
    });
}

/// The sums of `sliver` times the first `N` lanes of `panel`, both packed with their crossed words; of the others zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vnni")]
fn tile<const N: usize>(sliver: &[u64], panel: &[Lane]) -> [[Lane; LANES]; ROWS] {
    let zero = _mm512_setzero_si512();
    let (mut low, mut high, mut mixed) = ([[zero; LANES]; ROWS], [[zero; LANES]; ROWS], [zero; ROWS]);
    for (x, [y_0, y_1, y_crossed]) in sliver.as_chunks::<LANE>().0.iter().zip(panel.as_chunks().0) {
        let (y_0, y_1, y_crossed) = (load(&y_0.0), load(&y_1.0), load(&y_crossed.0));
        // Read from memory, a half of a word at a time: from a register it would take a port that multiplies.
        let x_crossed = x[ROWS..].as_ptr().cast::<i32>();
        macro_rules! rows {
            ($($i:literal)*) => {$(
                let row = _mm512_set1_epi64(x[$i].cast_signed());
                // SAFETY: the three words behind the rows' are six halves.
                let row_crossed = _mm512_set1_epi32(unsafe { x_crossed.add($i).read() });
                low[$i][0] = _mm512_madd52lo_epu64(low[$i][0], row, y_0);
                high[$i][0] = _mm512_madd52hi_epu64(high[$i][0], row, y_0);
                if N == LANES {
                    low[$i][1] = _mm512_madd52lo_epu64(low[$i][1], row, y_1);
                    high[$i][1] = _mm512_madd52hi_epu64(high[$i][1], row, y_1);
                }
                mixed[$i] = _mm512_dpwssd_epi32(mixed[$i], row_crossed, y_crossed);
            )*};
        }
        rows!(0 1 2 3 4);
    }
    let mut sums = [[Lane([0; LANE]); LANES]; ROWS];
    for (i, sums) in sums.iter_mut().enumerate() {
        let mixed = [_mm512_castsi512_si256(mixed[i]), _mm512_extracti64x4_epi64::<1>(mixed[i])];
        for (j, sum) in sums.iter_mut().take(N).enumerate() {
            let upper = _mm512_add_epi64(high[i][j], _mm512_cvtepu32_epi64(mixed[j]));
            store(&mut sum.0, _mm512_add_epi64(low[i][j], _mm512_slli_epi64::<52>(upper)));
        }
    }
    sums
}

/// Adds to each two lanes of a packed panel the lane of their crossed words y_1 + 2^16 y_0'.
#[target_feature(enable = "avx512f")]
pub(super) fn cross_panel(panel: &mut [Lane]) {
    for [y_0, y_1, crossed] in panel.as_chunks_mut().0 {
        let [y_0, y_1] = [load(&y_0.0), load(&y_1.0)].map(|y| {
            let upper = _mm512_cvtepi64_epi32(_mm512_srli_epi64::<52>(y));
            let lower = _mm512_cvtepi64_epi32(_mm512_and_si512(y, _mm512_set1_epi64(0xfff)));
            _mm256_or_si256(upper, _mm256_slli_epi32::<16>(lower))
        });
        store(&mut crossed.0, _mm512_inserti64x4::<1>(_mm512_castsi256_si512(y_0), y_1));
    }
}

/// Adds to each five words of a packed sliver their crossed ones x_0' + 2^16 x_1.
#[target_feature(enable = "avx512f")]
pub(super) fn cross_sliver(sliver: &mut [u64]) {
    for column in sliver.as_chunks_mut().0 {
        let x = load(column);
        let upper = _mm512_slli_epi64::<16>(_mm512_srli_epi64::<52>(x));
        let lower = _mm512_and_si512(x, _mm512_set1_epi64(0xfff));
        let crossed = _mm512_castsi256_si512(_mm512_cvtepi64_epi32(_mm512_or_si512(upper, lower)));
        // The first three words of halves go where the lane's last three are.
        store(column, _mm512_mask_expand_epi64(x, 0b1110_0000, crossed));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(words: &[u64; LANE]) -> __m512i {
    // SAFETY: these are the eight words that are read.
    unsafe { _mm512_loadu_epi64(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(to: &mut [u64; LANE], words: __m512i) {
    // SAFETY: these are the eight words that are written.
    unsafe { _mm512_storeu_epi64(to.as_mut_ptr().cast(), words) };
}
