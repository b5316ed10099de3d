//! Layers to measurements: each is deployed alone with random data and run on the simulator.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::deploy::{Guard, Options};
use crate::lut::{
    Cost, Entry, FEATURES, Geometry, LayerKind, Lut, LutError, Query, Sample, Store, features, queries,
    queries_of,
};
use crate::net::{IntNet, NetError};
use crate::plan::{self, BLOCK, Plan};
use crate::random::{self, Builder, Shape};
use crate::source::{Source, SourceError};
use crate::width::Width;
use crate::window::Window;
use crate::{deploy, graph, simulate};

/// A layer to measure over all precision pairs, and over channel counts up to those of `geometry` and `channels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Kind of the layer.
    pub layer: LayerKind,
    /// Sizes of input, output and window.
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
        /// The layer that was measured.
        what: String,
        /// Why it cannot be measured.
        why: String,
    },
    /// There is no such network.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no such integer network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The listener asked to stop.
    #[error("interrupted; what was measured is kept, and measured again it goes on from there")]
    Interrupted,
}

/// What measuring has to say while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A sentence for people.
    Note(&'a str),
    /// How many layers are measured by now, and how many will be.
    Layers {
        /// Measurements made so far.
        done: usize,
        /// In the end.
        total: usize,
    },
}

/// Hears how measuring gets on, on any thread, and may stop it.
pub type Listener<'a> = dyn Fn(Progress<'_>) -> ControlFlow<()> + Sync + 'a;

/// Hears nothing.
///
/// # Errors
/// It stops nothing.
pub fn silent(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The targets that cover a network whatever precisions its channels get, pruning included.
#[must_use]
pub fn targets(net: &IntNet) -> Vec<Target> {
    let mut all: Vec<Target> = queries(net)
        .iter()
        .map(|q| Target {
            layer: q.kind,
            geometry: if q.kind.by_channel() {
                q.geometry
            } else {
                Geometry { in_channels: q.real_in_channels, ..q.geometry }
            },
            channels: q.real_channels,
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The targets that cover a network given by its built-in name, as a TOML or ONNX file, or as a `network.json`.
///
/// # Errors
/// If there is no such network.
pub fn targets_of(name: &str) -> Result<Vec<Target>, MeasureError> {
    Ok(targets(&network_of(name, 8, 8)?))
}

/// The integer network of a `network.json`, or a random one with these widths everywhere of a graph: a built-in name, a TOML or
/// an ONNX file.
///
/// # Errors
/// If there is no such network.
pub fn network_of(name: &str, weights: u8, activations: u8) -> Result<IntNet, MeasureError> {
    let path = Path::new(name);
    if graph::built_in(name).is_none() && path.extension().is_some_and(|e| e == "json") {
        return Ok(IntNet::load(path)?);
    }
    let source = Source::load(name)?;
    let mut widths = |_: &mut ChaCha8Rng, n: usize| vec![weights; n];
    Ok(random::of(source.graph(), &mut random::seeded(0), activations, &mut widths))
}

/// Completes the table in a file, of the kernels with this guard, for `targets`, or for every built-in network where there are none. A table that is stale
/// is measured anew for what it held, and one that is damaged from nothing. Returns the table and the number of
/// measurements that were made.
///
/// # Errors
/// As [`complete`].
pub fn refresh(
    path: &Path,
    guard: Guard,
    mut targets: Vec<Target>,
    listen: &Listener<'_>,
) -> Result<(Lut, usize), MeasureError> {
    let say = |sentence: String| match listen(Progress::Note(&sentence)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MeasureError::Interrupted),
    };
    let mut lut = match Lut::load_of(path, guard) {
        Ok(lut) => lut,
        Err(LutError::Read(..)) if !path.exists() => Lut::new(guard),
        Err(e @ LutError::Stale { .. }) => {
            let held = held(&Lut::load_stale(path)?);
            say(format!("measuring anew the {} layers it held: {e}", held.len()))?;
            targets.extend(held);
            Lut::new(guard)
        }
        Err(e @ LutError::Malformed { .. }) => {
            say(format!("measuring anew: {e}"))?;
            Lut::new(guard)
        }
        Err(e) => return Err(e.into()),
    };
    if targets.is_empty() {
        for (name, _) in graph::BUILT_IN {
            targets.extend(targets_of(name)?);
        }
    }
    targets.sort_unstable();
    targets.dedup();
    let measured = complete(&mut lut, &targets, path, listen)?;
    Ok((lut, measured))
}

/// The targets that cover what a table holds.
#[must_use]
pub fn held(lut: &Lut) -> Vec<Target> {
    let mut out: BTreeMap<(LayerKind, Geometry), Target> = BTreeMap::new();
    for Entry { layer, geometry, channels, .. } in lut.entries() {
        // A dense input is measured as it is, others over counts of channels.
        let key = Geometry { in_channels: if geometry.dense { geometry.in_channels } else { 0 }, ..geometry };
        let target = out.entry((layer, key)).or_insert(Target { layer, geometry, channels });
        target.channels = target.channels.max(channels);
        target.geometry.in_channels = target.geometry.in_channels.max(geometry.in_channels);
    }
    out.into_values().collect()
}

/// Counts at which a curve is sampled: cost grows evenly, so few suffice. Blocks that go in pairs are sampled by odd and by
/// even numbers.
fn output_counts(t: &Target) -> Vec<usize> {
    let in_blocks = !t.layer.by_channel();
    let most = if in_blocks { t.channels.next_multiple_of(BLOCK) } else { t.channels };
    let middle = (most / 2).next_multiple_of(BLOCK);
    let mut counts = vec![1, BLOCK, 2 * BLOCK, 3 * BLOCK, middle, most.saturating_sub(BLOCK), most];
    counts.retain(|&n| n <= most && n > 0 && (!in_blocks || n % BLOCK == 0));
    if in_blocks && plan::parts(t.geometry.out_width).1 == 0 {
        counts.retain(|n| [BLOCK, middle, most].contains(n));
    }
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Every sample of the targets.
fn samples(targets: &[Target]) -> Vec<Sample> {
    let mut all = Vec::new();
    for t in targets {
        let inputs = match t.geometry.in_channels {
            0 => vec![0],
            most if t.geometry.dense => vec![most],
            // Fewer than four are stored as four.
            most => [BLOCK, most.div_ceil(2), most].map(|n| n.max(BLOCK)).to_vec(),
        };
        let widths = Width::ALL.map(Width::bits);
        // A dense input is one of bytes, and its layers run at 8 bits.
        let bytes = [Width::Eight.bits()];
        let activations: &[u8] = if t.geometry.dense { &bytes } else { &widths };
        for &a_bits in activations {
            let weights: &[u8] = match (t.layer.by_channel(), t.geometry.dense) {
                (false, false) => &widths,
                (false, true) => &bytes,
                (true, _) => &[0],
            };
            for &w_bits in weights {
                for &in_channels in &inputs {
                    let geometry = Geometry { in_channels, ..t.geometry };
                    let sample = |channels| Sample { layer: t.layer, geometry, a_bits, w_bits, channels };
                    all.extend(output_counts(t).into_iter().map(sample));
                }
            }
        }
    }
    all
}

/// A network whose first layer is the one to measure; what follows gives its output the right layout.
fn network(s: &Sample) -> IntNet {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let Sample { geometry: g, a_bits: a, w_bits: w, channels, .. } = *s;
    let in_channels = if s.layer.by_channel() { channels } else { g.in_channels };
    let mut b = Builder::new("layer", [g.in_height, g.in_width, in_channels], a);
    let shape = Shape {
        window: Window { kernel: g.kernel, stride: g.stride, pad: g.pad },
        // Layers by channel run alike whatever widths their weights have.
        weight_bits: vec![if s.layer.by_channel() { 8 } else { w }; channels],
        out_bits: if g.store == Store::Wide { 32 } else { a },
    };
    let out = b.layer(rng, s.layer, &vec![0; s.layer.reads()], shape);
    let follow = |kernel: [usize; 2], pad: [usize; 4]| Shape {
        window: Window { kernel, stride: [1, 1], pad },
        weight_bits: vec![8; channels],
        out_bits: a,
    };
    let pointwise = s.layer == LayerKind::Conv2d && g.kernel == [1, 1] && g.stride == [1, 1];
    let out = match g.store {
        // Planes with a border, beginning at the right offset from a word boundary.
        Store::Planes => {
            let side = if g.offset > 0 { g.offset } else { 0 };
            let columns = 3.max(side + 1);
            let shape = follow([3, columns], [1, side, 1, columns - 1 - side]);
            b.layer(rng, LayerKind::Depthwise, &[out], shape)
        }
        // A border, lest the pixels lie in one line.
        Store::Packed if pointwise && g.in_height > 1 => {
            b.layer(rng, LayerKind::MaxPool, &[out], follow([3, 3], [1; 4]))
        }
        Store::Packed | Store::Wide => out,
    };
    b.finish(out)
}

/// Runs a network; the cost of its first layer. With `empty` only the preparation of its output.
fn run(net: &IntNet, empty: bool, guard: Guard) -> Result<(Cost, Query), MeasureError> {
    let plan = Plan::as_is(net);
    let query = queries_of(&plan).swap_remove(0);
    let failed = |why: String| MeasureError::Layer { what: format!("{query:?}"), why };
    let x = random::input(&mut ChaCha8Rng::seed_from_u64(2), net);
    net.validate().map_err(|e| failed(e.to_string()))?;
    let deployment =
        deploy::deploy_plan(plan, &x, !empty, Options { guard }).map_err(|e| failed(e.to_string()))?;
    let run = simulate::run(&deployment, &[x], true).map_err(|e| failed(e.to_string()))?.swap_remove(0);
    Ok((run.layers[0], query))
}

/// Measures what preparing an output buffer costs: from as many different outputs as there are features.
fn prepare(guard: Guard) -> Result<[Cost; FEATURES], MeasureError> {
    type Case = ([f64; FEATURES], Cost);
    let case = |size: usize, channels: usize, planes: bool, border: usize| -> Result<Case, MeasureError> {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let mut b = Builder::new("prepare", [size, size, 4], 8);
        let shape = |kernel: usize, pad: usize| Shape {
            window: Window { kernel: [kernel; 2], stride: [1, 1], pad: [pad; 4] },
            weight_bits: vec![8; channels],
            out_bits: 8,
        };
        let mut out = b.layer(rng, LayerKind::Conv2d, &[0], shape(1, 0));
        let reader = if planes { LayerKind::Depthwise } else { LayerKind::MaxPool };
        if planes || border > 0 {
            out = b.layer(rng, reader, &[out], shape(2 * border + 1, border));
        }
        let (cost, query) = run(&b.finish(out), true, guard)?;
        Ok((features(query.fill.as_ref()), cost))
    };
    let cases = [
        case(8, 4, false, 0)?,
        case(8, 32, false, 1)?,
        case(16, 32, false, 1)?,
        case(32, 4, true, 1)?,
        case(32, 16, true, 1)?,
    ];
    Ok(solve(cases))
}

/// Solves `features x prepare = cost` by elimination.
fn solve(mut rows: [([f64; FEATURES], Cost); FEATURES]) -> [Cost; FEATURES] {
    for i in 0..FEATURES {
        let pivot = (i..FEATURES).max_by(|&a, &b| rows[a].0[i].abs().total_cmp(&rows[b].0[i].abs()));
        rows.swap(i, pivot.expect("the range is not empty"));
        let (lead, cost) = rows[i];
        for (j, row) in rows.iter_mut().enumerate() {
            if j != i {
                let by = row.0[i] / lead[i];
                row.0.iter_mut().zip(lead).for_each(|(v, l)| *v -= by * l);
                row.1 = row.1.zip(cost, |v, c| v - by * c);
            }
        }
    }
    std::array::from_fn(|i| rows[i].1.zip(rows[i].1, |v, _| v / rows[i].0[i]))
}

/// Measures what `lut` lacks of the targets, in parallel, and saves it to `path` now and then and at the end; the number of
/// measurements.
///
/// # Errors
/// If a layer cannot be run, the file not be written, or whoever listens stops it; what was measured by then is saved.
pub fn complete(
    lut: &mut Lut,
    targets: &[Target],
    path: &Path,
    listen: &Listener<'_>,
) -> Result<usize, MeasureError> {
    let guard = lut.guard();
    lut.prepare = prepare(guard)?;
    let mut missing: Vec<_> = samples(targets).into_iter().filter(|s| !lut.has(s)).collect();
    missing.sort_unstable();
    missing.dedup();
    let total = missing.len();
    let shared = Mutex::new((&mut *lut, 0, std::time::Instant::now()));
    let all = missing.par_iter().try_for_each(|s| -> Result<(), MeasureError> {
        let (cost, query) = run(&network(s), false, guard)?;
        let mut guard = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (lut, done, saved) = &mut *guard;
        let cost = cost - lut.preparation(query.fill.as_ref());
        let Sample { layer, geometry, a_bits, w_bits, channels } = *s;
        lut.insert(Entry { layer, geometry, a_bits, w_bits, channels, cost });
        *done += 1;
        if saved.elapsed().as_secs() >= 5 {
            lut.save(path)?;
            *saved = std::time::Instant::now();
        }
        match listen(Progress::Layers { done: *done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(MeasureError::Interrupted),
        }
    });
    lut.save(path)?;
    all.map(|()| total)
}
