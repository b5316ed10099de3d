//! The `mpic-kernels` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mpic_kernels::cli::main()
}
