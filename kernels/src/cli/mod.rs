//! The subcommands of `mpic-kernels`.

mod build;
mod deploy;
mod lut;
mod run;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    let pairs: Vec<_> = Pair::ALL.iter().map(|p| format!("{}x{}", p.a, p.w)).collect();
    println!("kernel     precisions and limits");
    println!("conv2d     activations x weights {}, per output channel", pairs.join(" "));
    println!("           any kernel, stride, padding, channels; output 2, 4, 8 bit");
    println!(
        "depthwise  activations 2, 4, 8 x weights 2, 4, 8 (both stored as bytes); any kernel, stride, padding;"
    );
    println!("           output 2, 4, 8 bit");
    println!("linear     as conv2d; output 2, 4, 8, 32 bit");
    println!("avg_pool   2, 4, 8 bit in and out; any window and stride, no padding");
    println!("max_pool   2, 4, 8 bit, output as input; any window, stride, padding");
    println!("add        2, 4, 8 bit in and out; two tensors of one shape");
    println!(
        "Channels of 0 bits are pruned: they are neither computed nor, where all tied layers prune them, stored."
    );
}
