//! The inner kernel: one generic body, compiled for several instruction sets.
//!
//! A tile of the result, `M` rows by `N` lanes, stays in registers while the inner dimension runs.
//! The compiler vectorises the body; AVX-512DQ has a 64-bit multiply (`vpmullq`), the others make
//! one from three 32-bit multiplies; ifma.rs does with two 52-bit ones and half of a 16-bit one, and low.rs with one where only
//! lower bits are wanted. Which one runs is decided at run time.

#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod low;

use super::pack::{LANE, Lane, Layout};
use ndarray::ArrayView2;
use std::sync::OnceLock;

/// An instruction set that the kernel was compiled for. A value of this type is a proof that this
/// machine has it: only [`Kernel::available`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// What every machine of the target has.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Ifma,
    #[cfg(target_arch = "x86_64")]
    Low,
}

/// Rows and lanes of a tile: its sums, a row of the panel and a factor fit in the registers, 16 of
/// 128 bits, 16 of 256 bits and 32 of 512 bits.
const PORTABLE: Layout = Layout::plain(2, 1);
#[cfg(target_arch = "x86_64")]
const AVX2: Layout = Layout::plain(4, 1);
#[cfg(target_arch = "x86_64")]
const AVX512: Layout = Layout::plain(8, 2);

/// A block of rows of the result and its packed factors:
/// columns `first..first + width` of `out` get `slivers * panels` added.
pub(super) struct Block<'a> {
    pub(super) slivers: &'a [u64],
    pub(super) panels: &'a [Lane],
    /// Inner dimension of both.
    pub(super) depth: usize,
    pub(super) out: &'a mut [u64],
    /// Words of a row of `out`.
    pub(super) columns: usize,
    pub(super) first: usize,
    pub(super) width: usize,
}

impl Kernel {
    /// Those that this machine can run, the fastest first, and of a result `bits` lower bits at least are right. Never empty.
    pub(super) fn available(bits: u8) -> impl Iterator<Item = Self> {
        let sets = [
            #[cfg(target_arch = "x86_64")]
            (bits <= super::LOWER && low::detected()).then_some(Set::Low),
            #[cfg(target_arch = "x86_64")]
            ifma::detected().then_some(Set::Ifma),
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl"))
                .then_some(Set::Avx512),
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avx2").then_some(Set::Avx2),
            Some(Set::Portable),
        ];
        sets.into_iter().flatten().map(Self)
    }

    /// The fastest that this machine can run.
    pub(super) fn best(bits: u8) -> Self {
        // Found once: on a virtual machine the question who made the processor goes to the machine around it, and takes microseconds.
        static BEST: OnceLock<[Kernel; 2]> = OnceLock::new();
        let of = |bits| Self::available(bits).next().unwrap_or(Self(Set::Portable));
        BEST.get_or_init(|| [of(64), of(0)])[usize::from(bits <= super::LOWER)]
    }

    /// How the factors are to be packed.
    pub(super) fn layout(self) -> Layout {
        match self.0 {
            Set::Portable => PORTABLE,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => AVX2,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => AVX512,
            #[cfg(target_arch = "x86_64")]
            Set::Ifma => ifma::LAYOUT,
            #[cfg(target_arch = "x86_64")]
            Set::Low => low::LAYOUT,
        }
    }

    /// Makes what a packed panel holds beside its words.
    pub(super) fn finish_panel(self, _panel: &mut [Lane]) {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Set::Ifma {
            // SAFETY: `available` made this value, so the machine has the instructions.
            unsafe { ifma::cross_panel(_panel) }
        }
    }

    /// Makes what a packed sliver holds beside its words.
    pub(super) fn finish_sliver(self, _sliver: &mut [u64]) {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Set::Ifma {
            // SAFETY: as above.
            unsafe { ifma::cross_sliver(_sliver) }
        }
    }

    /// Adds x y to one row of a result: each element of `y` is used once, so that nothing is packed.
    pub(super) fn run_row(self, out: &mut [u64], x: &[u64], y: ArrayView2<u64>) {
        match self.0 {
            Set::Portable => row(out, x, y),
            // SAFETY: `available` made this value, so the machine has the instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { row_avx2(out, x, y) },
            // SAFETY: as above; `detected` of the two asks for these, too.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Ifma | Set::Low => unsafe { row_avx512(out, x, y) },
        }
    }

    /// Adds the product to the block.
    pub(super) fn run(self, block: Block) {
        match self.0 {
            Set::Portable => body::<{ PORTABLE.rows }, { PORTABLE.lanes }>(block, PORTABLE, tile),
            // SAFETY: `available` made this value, so the machine has the instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Ifma => unsafe { ifma::run(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Low => unsafe { low::run(block) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(block: Block) {
    body::<{ AVX2.rows }, { AVX2.lanes }>(block, AVX2, tile);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn avx512(block: Block) {
    body::<{ AVX512.rows }, { AVX512.lanes }>(block, AVX512, tile);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn row_avx2(out: &mut [u64], x: &[u64], y: ArrayView2<u64>) {
    row(out, x, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn row_avx512(out: &mut [u64], x: &[u64], y: ArrayView2<u64>) {
    row(out, x, y);
}

/// See [`Kernel::run_row`].
#[inline(always)]
fn row(out: &mut [u64], x: &[u64], y: ArrayView2<u64>) {
    if y.strides()[1] != 1 {
        // A transposed factor: its columns are dot products.
        for (out, y) in out.iter_mut().zip(y.columns()) {
            *out = match y.to_slice() {
                Some(y) => x.iter().zip(y).fold(*out, |sum, (x, y)| sum.wrapping_add(x.wrapping_mul(*y))),
                None => x.iter().zip(y).fold(*out, |sum, (x, y)| sum.wrapping_add(x.wrapping_mul(*y))),
            };
        }
        return;
    }
    let rows = |i: usize| y.row(i).to_slice().unwrap_or(&[]);
    let (fours, rest) = x.as_chunks::<4>();
    for (i, &[a, b, c, d]) in fours.iter().enumerate() {
        let [y_0, y_1, y_2, y_3] = std::array::from_fn(|j| rows(4 * i + j));
        for (out, (((p, q), r), s)) in out.iter_mut().zip(y_0.iter().zip(y_1).zip(y_2).zip(y_3)) {
            let [p, q, r, s] = [a.wrapping_mul(*p), b.wrapping_mul(*q), c.wrapping_mul(*r), d.wrapping_mul(*s)];
            *out = out.wrapping_add(p.wrapping_add(q)).wrapping_add(r.wrapping_add(s));
        }
    }
    for (i, x) in rest.iter().enumerate() {
        out.iter_mut().zip(rows(4 * fours.len() + i)).for_each(|(out, y)| *out = out.wrapping_add(x.wrapping_mul(*y)));
    }
}

/// `M` and `N` are the layout's rows and lanes. Of a panel's last columns there may be fewer: `tile` is told how many count.
#[inline(always)]
fn body<const M: usize, const N: usize>(block: Block, layout: Layout, tile: impl Fn(&[u64], &[Lane], usize) -> [[Lane; N]; M]) {
    let Block { slivers, panels, depth, out, columns, first, width } = block;
    for (j, panel) in panels.chunks_exact(layout.panel * depth).enumerate() {
        let from = j * N * LANE;
        let to = width.min(from + N * LANE);
        for (sliver, out) in slivers.chunks_exact(layout.sliver * depth).zip(out.chunks_mut(M * columns)) {
            let tile = tile(sliver, panel, to - from);
            for (row, out) in tile.iter().zip(out.chunks_mut(columns)) {
                let out = &mut out[first + from..first + to];
                for (lane, out) in row.iter().zip(out.chunks_mut(LANE)) {
                    match out.first_chunk_mut::<LANE>() {
                        Some(out) => *out = std::array::from_fn(|l| out[l].wrapping_add(lane.0[l])),
                        None => out.iter_mut().zip(lane.0).for_each(|(out, sum)| *out = out.wrapping_add(sum)),
                    }
                }
            }
        }
    }
}

/// The sums of `sliver` times `panel`. The rows are unrolled by hand: left with a loop over them,
/// the compiler vectorises that one, with gathers.
#[inline(always)]
fn tile<const M: usize, const N: usize>(sliver: &[u64], panel: &[Lane], _columns: usize) -> [[Lane; N]; M] {
    const { assert!(M <= 8, "the unrolled loop ends at eight rows") };
    let mut sums = [[Lane([0; LANE]); N]; M];
    let (sliver, panel) = (sliver.as_chunks::<M>().0, panel.as_chunks::<N>().0);
    for (x, y) in sliver.iter().zip(panel) {
        macro_rules! rows {
            ($($i:literal)*) => {$(
                if $i < M {
                    for j in 0..N {
                        sums[$i][j] = sums[$i][j].add_product(x[$i], y[j]);
                    }
                }
            )*};
        }
        rows!(0 1 2 3 4 5 6 7);
    }
    sums
}

impl Lane {
    #[inline(always)]
    fn add_product(self, x: u64, y: Self) -> Self {
        Self(std::array::from_fn(|l| self.0[l].wrapping_add(x.wrapping_mul(y.0[l]))))
    }
}
