//! `lut.json`: measured cycles and energy of layers, and the cost of any layer interpolated from them.
//!
//! A convolution or linear layer costs `prepare(words of its output) + sum over its precision groups of group(w, n)`,
//! because each group runs by itself and only the preparation of the output buffer is shared. `group` is measured over
//! channel counts and interpolated linearly between them; outside the measured counts there is no answer. Pooling and
//! addition are measured per channel count, preparation included in the same way.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::net::{IntLayer, IntNet};
use crate::plan;

/// What kind of layer a cost is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// 2-D convolution.
    Conv2d,
    /// Fully connected layer.
    Linear,
    /// Depthwise convolution.
    Depthwise,
    /// Average pooling.
    AvgPool,
    /// Max pooling.
    MaxPool,
    /// Residual addition.
    Add,
}

/// Sizes of a layer, without bit widths and output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Geometry {
    /// Input rows.
    pub in_height: usize,
    /// Input columns.
    pub in_width: usize,
    /// Input channels; for depthwise, pooling and addition 0, their channels being the output's.
    pub in_channels: usize,
    /// Output rows.
    pub out_height: usize,
    /// Output columns.
    pub out_width: usize,
    /// Kernel or window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pad: [usize; 4],
}

/// A layer whose cost is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name, for messages.
    pub name: String,
    /// Kind.
    pub kind: LayerKind,
    /// Sizes.
    pub geometry: Geometry,
    /// Bits of the (first) input.
    pub a_bits: u8,
    /// 32-bit words of the output buffer, border included.
    pub out_words: usize,
    /// Weight bits and channels of each precision group by the block rule; one `(0, channels)` for pooling and addition.
    pub groups: Vec<(u8, usize)>,
}

/// Cost of a layer or a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Clock cycles.
    pub cycles: f64,
    /// Instructions.
    pub instructions: f64,
    /// Nominal energy, pJ.
    pub energy_pj: f64,
}

impl Cost {
    /// Combines two costs component by component.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            cycles: f(self.cycles, other.cycles),
            instructions: f(self.instructions, other.instructions),
            energy_pj: f(self.energy_pj, other.energy_pj),
        }
    }

    fn scaled(self, by: f64) -> Self {
        self.zip(self, |a, _| a * by)
    }
}

impl std::ops::Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl std::ops::Sub for Cost {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

/// One measured group: the whole layer minus the preparation of its output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Kind of layer.
    pub layer: LayerKind,
    /// Sizes.
    pub geometry: Geometry,
    /// Input bits.
    pub a_bits: u8,
    /// Weight bits; 0 for layers without weights.
    pub w_bits: u8,
    /// Output channels.
    pub channels: usize,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// What a table is about, apart from its precision and channel counts.
pub type CurveKey = (LayerKind, Geometry, u8, u8);

impl Entry {
    /// The curve it is a sample of.
    #[must_use]
    pub fn key(&self) -> CurveKey {
        (self.layer, self.geometry, self.a_bits, self.w_bits)
    }
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    simulator: String,
    kernels: String,
    core: String,
    /// Preparing an output buffer: cost of none, and of each word.
    prepare: [Cost; 2],
    entries: Vec<Entry>,
}

/// Measured costs by layer, precision and channel count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lut {
    /// Preparing an output buffer: cost of none, and of each word.
    pub prepare: [Cost; 2],
    curves: BTreeMap<CurveKey, BTreeMap<usize, Cost>>,
}

/// Why a table cannot answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LutError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, String),
    /// The file cannot be written.
    #[error("cannot write {0}: {1}")]
    Write(String, String),
    /// Not a table.
    #[error("{path} is not a complete lut.json ({why}); measure it again with: mpic-kernels lut -o {path}")]
    Malformed {
        /// The file.
        path: String,
        /// What the parser said.
        why: String,
    },
    /// Measured with other kernels or timing.
    #[error(
        "{path} was measured with {found}, this program has {expected}: its numbers no longer hold; refresh it with: \
         mpic-kernels lut -o {path}"
    )]
    Stale {
        /// The file.
        path: String,
        /// Its key.
        found: String,
        /// This program's key.
        expected: String,
    },
    /// A layer that was not measured.
    #[error(
        "lut.json has no measurement for layer '{layer}' ({what}); add it with: mpic-kernels lut --shapes network.json -o lut.json"
    )]
    Missing {
        /// Name of the layer.
        layer: String,
        /// What is missing.
        what: String,
    },
}

/// Format name of the file.
const FORMAT: &str = "mpic-lut";

/// Simulator and kernels that measured numbers depend on.
fn simulator_key() -> String {
    format!("mpic-sim timing {}", mpic_sim::timing::VERSION)
}

impl Lut {
    /// Reads a table that was measured with these kernels on this simulator.
    ///
    /// # Errors
    /// If it is unreadable, malformed or stale; the message says how to measure it.
    pub fn load(path: &Path) -> Result<Self, LutError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| LutError::Read(name.clone(), e.to_string()))?;
        let malformed = |why: String| LutError::Malformed { path: name.clone(), why };
        let file: File = serde_json::from_slice(&bytes).map_err(|e| malformed(e.to_string()))?;
        if file.format != FORMAT || file.version != 1 {
            return Err(malformed(format!("it says '{}' version {}", file.format, file.version)));
        }
        let found = format!("kernels {} on {}", file.kernels, file.simulator);
        let expected = format!("kernels {} on {}", crate::deploy::kernels_hash(), simulator_key());
        if found != expected {
            return Err(LutError::Stale { path: name, found, expected });
        }
        let mut lut = Self { prepare: file.prepare, ..Self::default() };
        for e in file.entries {
            lut.insert(e);
        }
        Ok(lut)
    }

    /// Writes the table; an existing file is replaced at once or not at all. Entries are sorted, so that the same
    /// measurements give the same bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), LutError> {
        let failed = |e: &dyn std::fmt::Display| LutError::Write(path.display().to_string(), e.to_string());
        let file = File {
            format: FORMAT.into(),
            version: 1,
            simulator: simulator_key(),
            kernels: crate::deploy::kernels_hash(),
            core: "mpic".into(),
            prepare: self.prepare,
            entries: self.entries().collect(),
        };
        let text = serde_json::to_vec(&file).map_err(|e| failed(&e))?;
        crate::files::write(path, &text).map_err(|e| failed(&e))
    }

    /// Adds a measurement.
    pub fn insert(&mut self, e: Entry) {
        self.curves.entry(e.key()).or_default().insert(e.channels, e.cost);
    }

    /// Every measurement, sorted.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.curves.iter().flat_map(|(&(layer, geometry, a_bits, w_bits), samples)| {
            samples.iter().map(move |(&channels, &cost)| Entry {
                layer,
                geometry,
                a_bits,
                w_bits,
                channels,
                cost,
            })
        })
    }

    /// Whether a measurement is there.
    #[must_use]
    pub fn has(&self, key: &CurveKey, channels: usize) -> bool {
        self.curves.get(key).is_some_and(|c| c.contains_key(&channels))
    }

    /// Cost of preparing an output buffer of `words`.
    #[must_use]
    pub fn preparation(&self, words: usize) -> Cost {
        self.prepare[0] + self.prepare[1].scaled(words as f64)
    }

    /// Cost of a group of `channels` (rounded up to whole blocks where there are weights), preparation excluded.
    ///
    /// # Errors
    /// If the curve was not measured, or not for so few or many channels.
    pub fn group(&self, name: &str, key: &CurveKey, channels: usize) -> Result<Cost, LutError> {
        let missing = |what: String| LutError::Missing { layer: name.into(), what };
        let (kind, _, a, w) = key;
        let curve = self
            .curves
            .get(key)
            .ok_or_else(|| missing(format!("{kind:?} with a{a} w{w} and these sizes")))?;
        let n = match kind {
            LayerKind::Conv2d | LayerKind::Linear | LayerKind::Depthwise => {
                channels.next_multiple_of(plan::BLOCK)
            }
            LayerKind::AvgPool | LayerKind::MaxPool | LayerKind::Add => channels,
        };
        if let Some(cost) = curve.get(&n) {
            return Ok(*cost);
        }
        let (below, above) = (curve.range(..n).next_back(), curve.range(n..).next());
        let (Some((&n0, &c0)), Some((&n1, &c1))) = (below, above) else {
            let counts: Vec<_> = curve.keys().collect();
            return Err(missing(format!(
                "{kind:?} with a{a} w{w} for {n} channels; measured are {counts:?}"
            )));
        };
        Ok(c0 + (c1 - c0).scaled((n - n0) as f64 / (n1 - n0) as f64))
    }

    /// Cost of a layer.
    ///
    /// # Errors
    /// As [`Lut::group`].
    pub fn cost(&self, q: &Query) -> Result<Cost, LutError> {
        q.groups.iter().try_fold(self.preparation(q.out_words), |sum, &(w, channels)| {
            Ok(sum + self.group(&q.name, &(q.kind, q.geometry, q.a_bits, w), channels)?)
        })
    }
}

/// The layers of a network as queries, in execution order, by the block rule.
#[must_use]
pub fn queries(net: &IntNet) -> Vec<Query> {
    let layouts = plan::layouts(net);
    net.layers
        .iter()
        .map(|layer| {
            let (x, y) = (&net.tensors[layer.inputs()[0]], &net.tensors[layer.output()]);
            let out = &layouts[layer.output()];
            let weighted = |bits: &[u8]| {
                plan::groups(bits, &out.order).iter().map(|g| (g.bits, g.channels.len())).collect::<Vec<_>>()
            };
            let sizes = |in_channels, kernel, stride, pad| Geometry {
                in_height: x.height,
                in_width: x.width,
                in_channels,
                out_height: y.height,
                out_width: y.width,
                kernel,
                stride,
                pad,
            };
            let (kind, geometry, groups) = match layer {
                IntLayer::Conv2d(l) => (
                    LayerKind::Conv2d,
                    sizes(x.channels, l.kernel, l.stride, l.pad),
                    weighted(&l.weight_bits),
                ),
                IntLayer::Linear(l) => {
                    (LayerKind::Linear, sizes(x.channels, [1, 1], [1, 1], [0; 4]), weighted(&l.weight_bits))
                }
                IntLayer::AvgPool(l) => {
                    (LayerKind::AvgPool, sizes(0, l.kernel, l.stride, [0; 4]), vec![(0, y.channels)])
                }
                IntLayer::Depthwise(l) => {
                    (LayerKind::Depthwise, sizes(0, l.kernel, l.stride, l.pad), weighted(&l.weight_bits))
                }
                IntLayer::MaxPool(l) => {
                    (LayerKind::MaxPool, sizes(0, l.kernel, l.stride, l.pad), vec![(0, y.channels)])
                }
                IntLayer::Add(_) => (LayerKind::Add, sizes(0, [1, 1], [1, 1], [0; 4]), vec![(0, y.channels)]),
            };
            Query {
                name: layer.name().into(),
                kind,
                geometry,
                a_bits: x.bits,
                out_words: out.bytes / 4,
                groups,
            }
        })
        .collect()
}
