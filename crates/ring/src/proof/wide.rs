//! Loops compiled for wider registers than every machine has, and chosen when they run.

/// Runs `work`, which must be inlined to be compiled for what this machine has.
pub(super) fn run(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
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
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn avx512(work: impl FnOnce()) {
    work();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(work: impl FnOnce()) {
    work();
}
