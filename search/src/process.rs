//! What the program does to its own process before it trains; nothing of the library calls it.

/// Tells the allocator to keep what is freed: training allocates and frees the same large tensors at every step, and mapping
/// and unmapping each anew costs a fifth of the time. To be called once, before anything runs.
pub fn keep_large_allocations() {
    // SAFETY: `mallopt` only sets limits of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}

/// Makes the threads of libtorch sleep soon when they wait for work. They spin for milliseconds otherwise, which costs a
/// training that shares its cores with another a multiple of its time; sleeping at once costs one that has them to itself a
/// quarter. The library reads that from the environment when it is loaded, so the program replaces itself by one with the
/// variables set, unless there is one. To be called first.
///
/// # Errors
/// If the program cannot be started again.
pub fn wait_briefly() -> std::io::Result<()> {
    #[cfg(unix)]
    if WAITING.iter().all(|(name, _)| std::env::var_os(name).is_none()) {
        use std::os::unix::process::CommandExt as _;
        let mut args = std::env::args_os();
        let name = args.next().unwrap_or_default();
        let mut again = std::process::Command::new(std::env::current_exe()?);
        return Err(again.arg0(name).args(args).envs(WAITING).exec());
    }
    Ok(())
}

/// How threads of OpenMP wait: the standard's variable, and turns of GNU's waiting loop, of which more
/// make a lone training little faster and two side by side much slower.
#[cfg(unix)]
const WAITING: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "2000")];
