//! `mpic-sim profile`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::machine::{self, MachineArgs};

/// Arguments of `mpic-sim profile`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// ELF file: 32-bit RISC-V, bare metal
    elf: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
    /// Show the instructions of functions and the loops that take at least this share of the cycles
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    min_share: f64,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    if !(0.0..=100.0).contains(&args.min_share) {
        bail!("--min-share {}: a share lies between 0 and 100", args.min_share);
    }
    let program = super::load(&args.elf)?;
    let mut machine = args.machine.machine(&program, &args.elf, true, None)?;
    let outcome = machine::run(&mut machine, args.machine.limits(), &mut ())?;
    let Some(profile) = machine.profile() else { unreachable!("the machine was asked for a profile") };
    let mut text = profile.annotated(&program.symbols, machine.memory(), args.min_share / 100.0);
    let _ = writeln!(text, "\n        runs       %  instruction");
    for (name, n) in profile.mix(machine.memory()) {
        let _ =
            writeln!(text, "{n:>12}  {:>6.2}  {name}", 100.0 * n as f64 / outcome.instructions.max(1) as f64);
    }
    std::io::stdout().write_all(text.as_bytes()).context(super::TO_STDOUT)?;
    if let Some(fault) = outcome.fault_text(&program.symbols, &machine.memory().describe()) {
        super::tell!("mpic-sim: {fault}\n");
    }
    Ok(outcome.exit_status())
}
