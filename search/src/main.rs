//! `nas-search`.

fn main() -> std::process::ExitCode {
    nas_search::cli::main()
}
