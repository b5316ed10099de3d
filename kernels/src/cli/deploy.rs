//! `mpic-kernels deploy`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::deploy::{Guard, Of, Options, STACK, Source, c_sources, deploy_with};
use crate::files;
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
    /// Kernels to use
    #[arg(long, value_enum, default_value = "none")]
    guard: Guard,
    /// Input codes the program starts with: one signed byte each, height x width x channels (default: the zero point)
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Memory of the target, KiB; more is a warning
    #[arg(long, value_name = "KIB", default_value_t = 512)]
    memory: usize,
    /// Replace files even if this program did not write them, or they were changed since
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let net = IntNet::load(&args.network)?;
    let tensor = &net.tensors[net.input];
    let sample = match &args.input {
        Some(path) => super::run::read_codes(path, tensor.len())?.swap_remove(0),
        None => vec![tensor.zero_point; tensor.len()],
    };
    let options = Options { guard: args.guard };
    let deployed = deploy_with(&net, &sample, options)?;
    match args.emit {
        Form::Elf => {
            files::guard(&args.output, args.force, files::is_elf)?;
            write(&args.output, &deployed.elf)?;
        }
        Form::C => sources(args, &c_sources(&net, &sample, options)?)?,
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

/// Writes the sources. What a board has of its own stays; what should be as it was written must be.
fn sources(args: &Args, sources: &[Source]) -> Result<()> {
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    let mut write_these = Vec::new();
    for source in sources {
        let path = args.output.join(source.name);
        let there = if args.force { None } else { std::fs::read(&path).ok() };
        match (there, source.of) {
            (Some(text), Of::Host) if text != source.text.as_bytes() => {
                eprintln!("{} is not as this program writes it: kept (--force replaces it)", path.display());
                continue;
            }
            (Some(text), Of::Kernels) if text != source.text.as_bytes() => bail!(
                "{} is not as this program writes it; name another folder, or replace it with --force",
                path.display()
            ),
            (Some(text), Of::Network) => {
                let head = source.text.lines().next().unwrap_or_default();
                // The name of the network stands in the first line.
                let same = |text: &[u8]| text.starts_with(&head.as_bytes()[..head.len().min(10)]);
                files::guard(&path, !text.is_empty() && same(&text), same)?;
            }
            (..) => {}
        }
        write_these.push((path, source));
    }
    write_these.into_iter().try_for_each(|(path, source)| write(&path, source.text.as_bytes()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
