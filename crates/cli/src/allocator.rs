//! What the allocator does with memory that is free for a moment.
//!
//! Each operation makes tensors of some megabytes and drops them. glibc gives such memory back to the kernel at once, and has it zeroed,
//! page by page, for the next tensor: a seventh of the processor time of a convolutional network. Here it keeps it.

/// Free memory up to this stays with the process, and what is larger is mapped and unmapped for itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 256 << 20;

/// Keeps freed memory, in one heap for all threads. To be called before there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub fn keep() {
    // SAFETY: mallopt sets numbers of the allocator. No other thread allocates yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Nothing: other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep() {}
