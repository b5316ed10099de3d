//! `nas-search`.

fn main() -> std::process::ExitCode {
    nas_search::train::keep_large_allocations();
    nas_search::cli::main()
}
