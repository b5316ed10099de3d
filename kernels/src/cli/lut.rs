//! `mpic-kernels lut`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::lut::{Lut, LutError};
use crate::measure::{self, Target};
use crate::net::IntNet;
use crate::random::NETWORKS;

/// Arguments of `mpic-kernels lut`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What to measure: a network.json, or a JSON list of {layer, geometry, channels}; without --shapes and --network, all
    /// networks this program knows by name
    #[arg(long, value_name = "FILE")]
    shapes: Option<PathBuf>,
    /// What to measure: the layers of a network.json, or of a network by name (fashion, resnet8, dscnn, mobilenet,
    /// autoencoder)
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "shapes")]
    network: Vec<String>,
    /// Table to write, or to complete if it is there
    #[arg(short, long, value_name = "FILE", default_value = "lut.json")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let mut targets = match &args.shapes {
        Some(path) => from_file(path)?,
        None if args.network.is_empty() => {
            NETWORKS.iter().filter_map(|(name, _)| named(name)).flatten().collect()
        }
        None => Vec::new(),
    };
    for network in &args.network {
        targets.extend(match named(network) {
            Some(targets) => targets,
            None => from_file(Path::new(network)).with_context(|| {
                let names: Vec<_> = NETWORKS.iter().map(|(name, _)| *name).collect();
                format!("--network {network}: the networks known by name are {}", names.join(", "))
            })?,
        });
    }
    targets.sort_unstable();
    targets.dedup();
    let mut lut = match Lut::load(&args.output) {
        Ok(lut) => lut,
        Err(LutError::Read(..)) if !args.output.exists() => Lut::default(),
        Err(e @ (LutError::Stale { .. } | LutError::Malformed { .. })) => {
            eprintln!("mpic-kernels: measuring anew: {e}");
            Lut::default()
        }
        Err(e) => return Err(e.into()),
    };
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

/// The layers of a network known by name.
fn named(name: &str) -> Option<Vec<Target>> {
    let (_, build) = NETWORKS.iter().find(|(known, _)| *known == name)?;
    Some(measure::targets(&build(&mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n])))
}

fn from_file(path: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match serde_json::from_slice::<IntNet>(&text) {
        Ok(net) => {
            net.validate().with_context(|| path.display().to_string())?;
            Ok(measure::targets(&net))
        }
        Err(_) => serde_json::from_slice::<Vec<Target>>(&text).with_context(|| {
            format!("{} is neither a network.json nor a list of layer shapes", path.display())
        }),
    }
}
