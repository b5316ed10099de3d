//! The `mpic-sim` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mpic_sim::cli::main()
}
