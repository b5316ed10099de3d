//! `mpic-kernels deploy`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::deploy::deploy;
use crate::net::IntNet;

/// Arguments of `mpic-kernels deploy`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Network to deploy
    network: PathBuf,
    /// ELF to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Input codes the ELF starts with: one signed byte each, height x width x channels (default: the zero point)
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let net = IntNet::load(&args.network)?;
    let tensor = &net.tensors[net.input];
    let sample = match &args.input {
        Some(path) => super::run::read_codes(path, tensor.len())?.swap_remove(0),
        None => vec![tensor.zero_point; tensor.len()],
    };
    let deployed = deploy(&net, &sample)?;
    crate::files::write(&args.output, &deployed.elf)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    let m = deployed.memory;
    eprintln!(
        "{}: {} bytes of flash, {} bytes of buffers",
        args.output.display(),
        m.flash() + m.code,
        m.buffers
    );
    let parts =
        [("weights", m.weights), ("requantisation", m.requant), ("tables", m.tables), ("code", m.code)];
    for (name, bytes) in parts {
        eprintln!("  {name:<16} {bytes:>8}");
    }
    Ok(0)
}
