//! `mpic-kernels lut`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::deploy::Guard;
use crate::measure::{self, Progress, Target};
use crate::{files, lut};

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
    /// Kernels to measure; a table holds those of one guard
    #[arg(long, value_enum, default_value = "none")]
    guard: Guard,
    /// Table to write, or to complete if it is there; one of other kernels is measured anew for what it held
    #[arg(short, long, value_name = "FILE", default_value = "lut.json")]
    output: PathBuf,
    /// Replace the output even if it is no table
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    files::guard(&args.output, args.force, |head| files::is_json(head, lut::FORMAT))?;
    let targets = match &args.shapes {
        Some(path) => shapes(path)?,
        None => args.network.iter().map(|n| measure::targets_of(n)).collect::<Result<Vec<_>, _>>()?.concat(),
    };
    let start = std::time::Instant::now();
    let style = ProgressStyle::with_template("measuring {bar:30} {pos}/{len} layers, {eta} left")
        .expect("the template is well-formed");
    let bar = ProgressBar::new(0).with_style(style);
    let (lut, measured) = measure::refresh(&args.output, args.guard, targets, &|progress| {
        match progress {
            Progress::Note(sentence) => eprintln!("mpic-kernels: {sentence}"),
            Progress::Layers { done, total } => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            }
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let total = lut.entries().count();
    eprintln!(
        "{}: measured {measured} layers in {:.1} s, {total} in all",
        args.output.display(),
        start.elapsed().as_secs_f64()
    );
    Ok(0)
}

fn shapes(path: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!("{} is no list of layer shapes; networks are named by --network", path.display())
    })
}
