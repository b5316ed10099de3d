//! `mpic-kernels lut`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::lut::{self, Lut, LutError};
use crate::measure::{self, Target};
use crate::net::IntNet;
use crate::source::Source;
use crate::{files, graph, random};

/// Arguments of `mpic-kernels lut`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What to measure: the layers of a network, by name (fashion, resnet8, dscnn, mobilenet, autoencoder), as a TOML or ONNX
    /// file, or a network.json; may be given several times. Without it, all networks this program knows by name
    #[arg(long, value_name = "NAME|FILE")]
    network: Vec<String>,
    /// What to measure: a JSON list of {layer, geometry, channels}
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    shapes: Option<PathBuf>,
    /// Table to write, or to complete if it is there; one of other kernels is measured anew for what it held
    #[arg(short, long, value_name = "FILE", default_value = "lut.json")]
    output: PathBuf,
    /// Replace the output even if it is no table
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    files::guard(&args.output, args.force, |head| files::is_json(head, lut::FORMAT))?;
    let mut targets = match &args.shapes {
        Some(path) => shapes(path)?,
        None => args.network.iter().map(|n| network(n)).collect::<Result<Vec<_>>>()?.concat(),
    };
    let mut lut = match Lut::load(&args.output) {
        Ok(lut) => lut,
        Err(LutError::Read(..)) if !args.output.exists() => Lut::default(),
        Err(e @ LutError::Stale { .. }) => {
            let held = measure::held(&Lut::load_stale(&args.output)?);
            eprintln!("mpic-kernels: measuring anew the {} layers it held: {e}", held.len());
            targets.extend(held);
            Lut::default()
        }
        Err(e @ LutError::Malformed { .. }) => {
            eprintln!("mpic-kernels: measuring anew: {e}");
            Lut::default()
        }
        Err(e) => return Err(e.into()),
    };
    if targets.is_empty() {
        targets = graph::BUILT_IN.iter().map(|(name, _)| network(name)).collect::<Result<Vec<_>>>()?.concat();
    }
    targets.sort_unstable();
    targets.dedup();
    let start = std::time::Instant::now();
    let measured = measure::complete(&mut lut, &targets, &args.output)?;
    let total = lut.entries().count();
    eprintln!(
        "{}: measured {measured} layers in {:.1} s, {total} in all",
        args.output.display(),
        start.elapsed().as_secs_f64()
    );
    Ok(0)
}

/// The layers of a network, by name or file.
fn network(name: &str) -> Result<Vec<Target>> {
    let path = Path::new(name);
    if graph::built_in(name).is_none() && path.extension().is_some_and(|e| e == "json") {
        return Ok(measure::targets(&IntNet::load(path)?));
    }
    let source = Source::load(name)?;
    Ok(measure::targets(&random::of(source.graph(), &mut random::seeded(0), 8, &mut |_, n| vec![8; n])))
}

fn shapes(path: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!("{} is no list of layer shapes; networks are named by --network", path.display())
    })
}
