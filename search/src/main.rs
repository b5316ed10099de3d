//! `nas-search`.

fn main() -> std::process::ExitCode {
    nas_search::process::keep_large_allocations();
    nas_search::cli::main()
}
