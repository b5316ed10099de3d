//! `mpic-sim gdb`.

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};

use super::machine::MachineArgs;
use super::tell;
use crate::gdb::{Ended, serve};

/// Arguments of `mpic-sim gdb`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// ELF file: 32-bit RISC-V, bare metal, compiled with -g
    elf: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
    /// Port on this machine to wait on; 0 takes one that is free
    #[arg(long, default_value_t = 3333)]
    port: u16,
}

/// Waits for gdb, and serves it until the program ends or gdb goes; the exit status is that of the program, 0 if it did not end.
pub(super) fn run(args: &Args) -> Result<u8> {
    let program = super::load(&args.elf)?;
    let machine = args.machine.machine(&program, &args.elf, false, None)?;
    let listener = TcpListener::bind(("127.0.0.1", args.port))
        .with_context(|| format!("cannot wait on port {}; name another with --port", args.port))?;
    let port = listener.local_addr().context("cannot find out the port")?.port();
    tell!(
        "mpic-sim: waiting; connect with: gdb-multiarch {} -ex 'target remote :{port}'\n",
        args.elf.display()
    );
    let (stream, _) = listener.accept().context("cannot take the connection")?;
    let ram = machine.memory().describe();
    let symbols = crate::elf::Symbols::parse(&super::read(&args.elf)?);
    let (outcome, status) = match serve(machine, symbols, stream).map_err(|e| anyhow!("gdb: {e}"))? {
        Ended::Program(outcome) => {
            let status = outcome.exit_status();
            (outcome, status)
        }
        Ended::Left(outcome) => (outcome, 0),
    };
    tell!("mpic-sim: {} cycles, {} instructions\n", outcome.cycles, outcome.instructions);
    if let Some(fault) = outcome.fault_text(&program.symbols, &ram) {
        tell!("mpic-sim: {fault}\n");
    }
    Ok(status)
}
