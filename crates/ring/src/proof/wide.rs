//! Loops compiled for wider registers than every machine has, and chosen when they run.

/// Runs `work`, which must be inlined to be compiled for what this machine has.
pub(super) fn run(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        let words = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
        if words && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: this machine has the instructions.
            return unsafe { avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: this machine has the instructions.
            return unsafe { avx2(work) };
        }
    }
    work();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
fn avx512(work: impl FnOnce()) {
    work();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(work: impl FnOnce()) {
    work();
}

/// sums_i ^= a b_i, as polynomials over GF(2).
pub(super) fn add_carryless(sums: &mut [u128], a: u64, b: &[u64]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: this machine has the instruction.
        return unsafe { add_pclmul(sums, a, b) };
    }
    sums.iter_mut().zip(b).for_each(|(sum, b)| *sum ^= carryless(a, *b));
}

/// The sum of x_i y_i, as polynomials over GF(2).
pub(super) fn inner_carryless(x: &[u64], y: &[u64]) -> u128 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: this machine has the instruction.
        return unsafe { inner_pclmul(x, y) };
    }
    x.iter().zip(y).fold(0, |sum, (x, y)| sum ^ carryless(*x, *y))
}

/// Without the instruction: both factors may be secret, so every bit costs the same.
pub(super) fn carryless(a: u64, b: u64) -> u128 {
    (0..64).fold(0, |sum, i| sum ^ (u128::from(b) << i & 0u128.wrapping_sub(u128::from(a >> i & 1))))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "pclmulqdq,sse2")]
fn pclmul(a: u64, b: u64) -> u128 {
    use std::arch::x86_64::{__m128i, _mm_clmulepi64_si128, _mm_set_epi64x};
    let product: __m128i = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, a as i64), _mm_set_epi64x(0, b as i64));
    // SAFETY: both are 128 bits without further meaning.
    unsafe { std::mem::transmute(product) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "pclmulqdq,sse2")]
fn add_pclmul(sums: &mut [u128], a: u64, b: &[u64]) {
    use std::arch::x86_64::{_mm_clmulepi64_si128, _mm_loadu_si128, _mm_set_epi64x, _mm_storeu_si128, _mm_xor_si128};
    let (weight, a) = (a, _mm_set_epi64x(0, a as i64));
    let ((sums, last), (pairs, odd)) = (sums.as_chunks_mut::<2>(), b.as_chunks::<2>());
    for (sums, b) in sums.iter_mut().zip(pairs) {
        // SAFETY: two words, and two sums, are there; no alignment is asked for.
        unsafe {
            let b = _mm_loadu_si128(b.as_ptr().cast());
            let to: *mut _ = sums.as_mut_ptr().cast();
            _mm_storeu_si128(to, _mm_xor_si128(_mm_loadu_si128(to), _mm_clmulepi64_si128::<0>(a, b)));
            _mm_storeu_si128(to.add(1), _mm_xor_si128(_mm_loadu_si128(to.add(1)), _mm_clmulepi64_si128::<0x10>(a, b)));
        }
    }
    last.iter_mut().zip(odd).for_each(|(sum, b)| *sum ^= pclmul(weight, *b));
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "pclmulqdq,sse2")]
fn inner_pclmul(x: &[u64], y: &[u64]) -> u128 {
    x.iter().zip(y).fold(0, |sum, (x, y)| sum ^ pclmul(*x, *y))
}
