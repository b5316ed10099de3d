//! The subcommands of `mpic-kernels`.

mod build;
mod deploy;
mod lut;
mod run;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::net::LayerKind;
use crate::pack::Pair;

/// Exit status for usage, I/O and file errors.
const USAGE: u8 = 125;

#[derive(Parser)]
#[command(
    name = "mpic-kernels",
    version,
    about = "Integer networks on MPIC: kernels, deployment, measured costs"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the kernels with their precisions and limits
    List,
    /// Write one layer with random data as an ELF that checks itself
    Build(build::Args),
    /// Measure layers into lut.json; adds only what is missing
    Lut(lut::Args),
    /// Write a saved integer network as an ELF or as C sources
    Deploy(deploy::Args),
    /// Run the Rust reference; with --check also an ELF on the simulator
    Run(run::Args),
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

/// Parses the command line, runs it, and turns errors into one message and an exit status.
#[must_use]
pub fn main() -> ExitCode {
    mpic_sim::cli::end_quietly_on_closed_pipes();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { USAGE } else { 0 });
        }
    };
    let done = match cli.command {
        Command::List => {
            list();
            Ok(0)
        }
        Command::Build(args) => build::run(&args),
        Command::Lut(args) => lut::run(&args),
        Command::Deploy(args) => deploy::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "mpic-kernels", &mut std::io::stdout());
            Ok(0)
        }
    };
    ExitCode::from(done.unwrap_or_else(|e| {
        if mpic_sim::cli::is_closed_pipe(&e) {
            return 0;
        }
        eprintln!("mpic-kernels: {e:#}");
        USAGE
    }))
}

fn list() {
    let pairs: Vec<_> = Pair::all().map(|p| format!("{}x{}", p.a, p.w)).collect();
    println!("bits of activations x weights: {}", pairs.join(" "));
    for kind in LayerKind::ALL {
        println!("{:<10} {}", kind.name(), kind.limits());
    }
}
