//! Layers to measurements: each is deployed alone with random data and run on the simulator.

use std::path::Path;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::lut::{Cost, CurveKey, Entry, Geometry, LayerKind, Lut, LutError, Query, queries};
use crate::net::IntNet;
use crate::plan::BLOCK;
use crate::random::{self, Builder, Shape};
use crate::{deploy, simulate};

/// A layer to measure over all precision pairs and channel counts up to `channels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Kind.
    pub layer: LayerKind,
    /// Sizes.
    pub geometry: Geometry,
    /// Largest number of output channels.
    pub channels: usize,
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The table cannot be written.
    #[error(transparent)]
    Lut(#[from] LutError),
    /// A layer cannot be deployed or run.
    #[error("measuring {what}: {why}")]
    Layer {
        /// The layer.
        what: String,
        /// Why.
        why: String,
    },
}

const WIDTHS: [u8; 3] = [8, 4, 2];

/// The targets that cover a network whatever precisions its channels get.
#[must_use]
pub fn targets(net: &IntNet) -> Vec<Target> {
    let mut all: Vec<Target> = queries(net)
        .iter()
        .map(|q| Target { layer: q.kind, geometry: q.geometry, channels: q.groups.iter().map(|g| g.1).sum() })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Channel counts at which a curve is sampled. Cost grows by whole blocks, evenly; a few counts suffice.
fn counts(t: &Target) -> Vec<usize> {
    let most = match t.layer {
        LayerKind::Conv2d | LayerKind::Linear | LayerKind::Depthwise => t.channels.next_multiple_of(BLOCK),
        LayerKind::AvgPool | LayerKind::MaxPool | LayerKind::Add => t.channels,
    };
    let mut counts =
        vec![BLOCK.min(most), (2 * BLOCK).min(most), (most / 2).next_multiple_of(BLOCK).min(most), most];
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Every sample of the targets.
fn samples(targets: &[Target]) -> Vec<(CurveKey, usize)> {
    let mut all = Vec::new();
    for t in targets {
        for a in WIDTHS {
            let weights: &[u8] = match t.layer {
                LayerKind::Conv2d | LayerKind::Linear | LayerKind::Depthwise => &WIDTHS,
                LayerKind::AvgPool | LayerKind::MaxPool | LayerKind::Add => &[0],
            };
            for &w in weights {
                all.extend(counts(t).into_iter().map(|n| ((t.layer, t.geometry, a, w), n)));
            }
        }
    }
    all
}

/// A network of the one layer.
fn network(&(kind, g, a, w): &CurveKey, channels: usize) -> IntNet {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    match kind {
        LayerKind::Conv2d => {
            let mut b = Builder::new("conv2d", [g.in_height, g.in_width, g.in_channels], a);
            let weight_bits = vec![w; channels];
            let shape = Shape { kernel: g.kernel, stride: g.stride, pad: g.pad, weight_bits, out_bits: a };
            let out = b.conv2d(rng, 0, &shape);
            b.finish(out)
        }
        LayerKind::Linear => {
            let mut b = Builder::new("linear", [g.in_height, g.in_width, g.in_channels], a);
            let out = b.linear(rng, 0, vec![w; channels], 32);
            b.finish(out)
        }
        LayerKind::Depthwise => {
            let mut b = Builder::new("depthwise", [g.in_height, g.in_width, channels], a);
            let weight_bits = vec![w; channels];
            let shape = Shape { kernel: g.kernel, stride: g.stride, pad: g.pad, weight_bits, out_bits: a };
            let out = b.depthwise(rng, 0, &shape);
            b.finish(out)
        }
        LayerKind::MaxPool => {
            let mut b = Builder::new("max_pool", [g.in_height, g.in_width, channels], a);
            let (kernel, stride, pad) = (g.kernel, g.stride, g.pad);
            let out = b.max_pool(0, &Shape { kernel, stride, pad, weight_bits: Vec::new(), out_bits: a });
            b.finish(out)
        }
        LayerKind::AvgPool => {
            let mut b = Builder::new("avg_pool", [g.in_height, g.in_width, channels], a);
            let out = b.avg_pool(0, g.kernel, g.stride, a);
            b.finish(out)
        }
        LayerKind::Add => {
            let mut b = Builder::new("add", [g.in_height, g.in_width, channels], a);
            let out = b.add(rng, [0, 0], a);
            b.finish(out)
        }
    }
}

/// Runs the layer alone; with `empty` only the preparation of its output.
fn run(net: &IntNet, empty: bool) -> Result<(Cost, Query), MeasureError> {
    let failed = |why: String| MeasureError::Layer { what: net.name.clone(), why };
    let x = random::input(&mut ChaCha8Rng::seed_from_u64(2), net);
    let build = if empty { deploy::deploy_empty } else { deploy::deploy };
    let deployment = build(net, &x).map_err(|e| failed(e.to_string()))?;
    let run = simulate::run(&deployment, &[x], true).map_err(|e| failed(e.to_string()))?.swap_remove(0);
    Ok((run.layers[0], queries(net).swap_remove(0)))
}

/// Measures what preparing an output buffer costs: two sizes give the constant and the cost per word.
fn prepare() -> Result<[Cost; 2], MeasureError> {
    let sized = |size: usize| {
        let geometry = Geometry {
            in_height: size,
            in_width: size,
            in_channels: 4,
            out_height: size,
            out_width: size,
            kernel: [1, 1],
            stride: [1, 1],
            pad: [0; 4],
        };
        run(&network(&(LayerKind::Conv2d, geometry, 8, 8), 4), true)
    };
    let ((small, q0), (large, q1)) = (sized(4)?, sized(20)?);
    let words = (q1.out_words - q0.out_words) as f64;
    let per_word = (large - small).zip(Cost::default(), |d, _| d / words);
    let none = small.zip(per_word, |s, p| s - p * q0.out_words as f64);
    Ok([none, per_word])
}

/// Measures what `lut` lacks of the targets, in parallel, and saves it to `path` now and then and at the end.
///
/// # Errors
/// If a layer cannot be run or the file not be written; what was measured by then is saved.
pub fn complete(lut: &mut Lut, targets: &[Target], path: &Path) -> Result<usize, MeasureError> {
    lut.prepare = prepare()?;
    let missing: Vec<_> = samples(targets).into_iter().filter(|(key, n)| !lut.has(key, *n)).collect();
    let bar = progress(missing.len() as u64);
    let shared = Mutex::new((&mut *lut, std::time::Instant::now()));
    let done = missing.par_iter().try_for_each(|(key, channels)| -> Result<(), MeasureError> {
        let (cost, query) = run(&network(key, *channels), false)?;
        let mut guard = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (lut, saved) = &mut *guard;
        let cost = cost - lut.preparation(query.out_words);
        let &(layer, geometry, a_bits, w_bits) = key;
        lut.insert(Entry { layer, geometry, a_bits, w_bits, channels: *channels, cost });
        if saved.elapsed().as_secs() >= 5 {
            lut.save(path)?;
            *saved = std::time::Instant::now();
        }
        drop(guard);
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    lut.save(path)?;
    done.map(|()| missing.len())
}

fn progress(n: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("measuring {bar:30} {pos}/{len} layers, {eta} left")
        .expect("the template is well-formed");
    ProgressBar::new(n).with_style(style)
}
