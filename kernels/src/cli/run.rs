//! `mpic-kernels run`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use mpic_sim::{Config, Image, Limits, Machine, Status};

use crate::deploy::deploy;
use crate::fast::Fast;
use crate::net::IntNet;

/// Arguments of `mpic-kernels run`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Network to run
    network: PathBuf,
    /// Inputs: one signed byte per code, one input after another
    #[arg(long, value_name = "FILE")]
    inputs: PathBuf,
    /// Also run this deployed ELF on the simulator and compare every output
    #[arg(long, value_name = "ELF")]
    check: Option<PathBuf>,
}

/// Inputs of `size` codes each.
pub(super) fn read_codes(path: &Path, size: usize) -> Result<Vec<Vec<i32>>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.is_empty() || bytes.len() % size != 0 {
        bail!(
            "{} has {} bytes, which is no multiple of an input's {size} codes",
            path.display(),
            bytes.len()
        );
    }
    Ok(bytes.chunks_exact(size).map(|c| c.iter().map(|&b| i32::from(b as i8)).collect()).collect())
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let net = IntNet::load(&args.network)?;
    let inputs = read_codes(&args.inputs, net.tensors[net.input].len())?;
    let (low, high) = net.tensors[net.input].range();
    if let Some(n) = inputs.iter().position(|x| x.iter().any(|c| *c < low || *c > high)) {
        bail!("input {n} of {} has codes outside {low}..={high}", args.inputs.display());
    }
    let loaded = args.check.as_ref().map(|elf| load(elf)).transpose()?;
    let mut unequal = 0;
    for ((n, x), want) in inputs.iter().enumerate().zip(Fast::new(&net).run_all(&inputs)) {
        println!("{}", want.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        if let Some((image, machine)) = &loaded {
            let got = simulate(&net, image, machine.clone(), x)?;
            if got != want {
                eprintln!("input {n}: the simulator says {got:?}");
                unequal += 1;
            }
        }
    }
    if loaded.is_some() {
        eprintln!("{} of {} outputs equal", inputs.len() - unequal, inputs.len());
    }
    Ok(u8::from(unequal > 0))
}

fn load(elf: &Path) -> Result<(Image, Machine)> {
    let bytes = std::fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let image = Image::parse(&bytes).with_context(|| elf.display().to_string())?;
    let machine = Machine::new(&image, &Config::default()).with_context(|| elf.display().to_string())?;
    Ok((image, machine))
}

/// Runs the given ELF, which may be older than the network, on one input.
fn simulate(net: &IntNet, image: &Image, mut machine: Machine, x: &[i32]) -> Result<Vec<i32>> {
    let address = image
        .symbol("input")
        .context("the ELF has no symbol 'input'; was it made by mpic-kernels deploy?")?;
    let bytes = deploy(net, x)?.pack_input(x);
    if image.symbol_size("input") != Some(bytes.len() as u32) || !machine.write(address, &bytes) {
        bail!("the ELF's input buffer does not fit this network; deploy it again");
    }
    let outcome = machine.run(Limits { cycles: 20_000_000_000, ..Limits::default() });
    if !matches!(outcome.status, Status::Exited(0)) {
        bail!("the ELF did not end: {:?}", outcome.status);
    }
    Ok(outcome.results.iter().map(|&w| w as i32).collect())
}
