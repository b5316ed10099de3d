//! `mpic-kernels deploy`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::deploy::{STACK, c_sources, deploy};
use crate::net::IntNet;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// An ELF for the simulator
    Elf,
    /// C sources, kernels and a Makefile, for a board
    C,
}

/// Arguments of `mpic-kernels deploy`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Network to deploy
    network: PathBuf,
    /// ELF to write, or folder for the C sources
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value = "elf")]
    emit: Form,
    /// Input codes the program starts with: one signed byte each, height x width x channels (default: the zero point)
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Memory of the target, KiB; more is a warning
    #[arg(long, value_name = "KIB", default_value_t = 512)]
    memory: usize,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let net = IntNet::load(&args.network)?;
    let tensor = &net.tensors[net.input];
    let sample = match &args.input {
        Some(path) => super::run::read_codes(path, tensor.len())?.swap_remove(0),
        None => vec![tensor.zero_point; tensor.len()],
    };
    let deployed = deploy(&net, &sample)?;
    match args.emit {
        Form::Elf => write(&args.output, &deployed.elf)?,
        Form::C => {
            std::fs::create_dir_all(&args.output)
                .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
            for source in c_sources(&net, &sample)? {
                write(&args.output.join(source.name), source.text.as_bytes())?;
            }
        }
    }
    let m = deployed.memory;
    eprintln!("{}: {} bytes of {} KiB", args.output.display(), m.total(), args.memory);
    let parts = [
        ("weights", m.weights),
        ("requantisation", m.requant),
        ("tables", m.tables),
        ("code", m.code),
        ("buffers", m.buffers),
        ("stack", STACK),
    ];
    for (name, bytes) in parts {
        eprintln!("  {name:<16} {bytes:>8}");
    }
    if m.total() > args.memory * 1024 {
        eprintln!(
            "warning: that is {} bytes more than the target has; use fewer or narrower channels, or --memory KIB for another \
             target",
            m.total() - args.memory * 1024
        );
    }
    Ok(0)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    crate::files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
