//! `mpic-kernels lut`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::lut::{Lut, LutError};
use crate::measure::{self, Target};
use crate::net::IntNet;
use crate::random;

/// Arguments of `mpic-kernels lut`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What to measure: a network.json, or a JSON list of {layer, geometry, channels}; without it the fashion network
    #[arg(long, value_name = "FILE")]
    shapes: Option<PathBuf>,
    /// Table to write, or to complete if it is there
    #[arg(short, long, value_name = "FILE", default_value = "lut.json")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let targets = match &args.shapes {
        None => {
            let rng = &mut ChaCha8Rng::seed_from_u64(0);
            measure::targets(&random::fashion(rng, 8, &mut |_, n| vec![8; n]))
        }
        Some(path) => {
            let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            match serde_json::from_slice::<IntNet>(&text) {
                Ok(net) => {
                    net.validate().with_context(|| path.display().to_string())?;
                    measure::targets(&net)
                }
                Err(_) => serde_json::from_slice::<Vec<Target>>(&text).with_context(|| {
                    format!("{} is neither a network.json nor a list of layer shapes", path.display())
                })?,
            }
        }
    };
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
