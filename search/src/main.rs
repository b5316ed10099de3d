//! `nas-search`.

fn main() -> std::process::ExitCode {
    // Training allocates and frees the same large tensors at every step. Without this each would be mapped and unmapped anew,
    // at the price of a fifth of the time.
    // SAFETY: `mallopt` only sets limits of the allocator; it is called before any other thread exists.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
    nas_search::cli::main()
}
