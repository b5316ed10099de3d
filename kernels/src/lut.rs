//! `lut.json`: measured cycles and energy of layers, and the cost of any layer interpolated from them.
//!
//! A convolution or linear layer costs `prepare(fill of its output) + sum over its precision groups of group(w, inputs, n)`,
//! because each group runs by itself and only the preparation of the output buffer is shared. What a group costs depends on
//! its inputs through the passes of the inner loop, and on its outputs through their blocks: it is measured over both and
//! interpolated linearly between measured counts; outside them there is no answer. Depthwise layers, pooling and addition are
//! measured over channel counts, preparation apart in the same way.

mod query;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use query::{Query, queries, queries_of};

use crate::deploy::Guard;
pub use crate::net::LayerKind;
use crate::pack::Pair;
use crate::plan::{self, BLOCK, Fill};
use crate::width::Width;

/// Where a layer's output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// Channels of a pixel together, 2, 4 or 8 bits.
    #[default]
    Packed,
    /// Planes of bytes, for a depthwise layer.
    Planes,
    /// 32 bits.
    Wide,
}

/// Sizes of a layer, without bit widths and output channels. A pointwise layer whose pixels lie in one line without borders
/// is a single row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Geometry {
    /// Input rows.
    pub in_height: usize,
    /// Input columns.
    pub in_width: usize,
    /// Input channels that are stored; for depthwise, pooling and addition 0, their channels being the output's.
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
    /// Whether the input is an image of bytes without filling between pixels.
    #[serde(default)]
    pub dense: bool,
    /// Where the output goes.
    #[serde(default)]
    pub store: Store,
    /// Offset of output rows from a word boundary, for planes.
    #[serde(default)]
    pub offset: usize,
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

/// Samples of a curve: by parity and passes, then by channels.
type Curve = BTreeMap<(bool, usize), BTreeMap<usize, Entry>>;

/// A measured layer without counts of channels: kind, sizes (with 0 input channels), input bits, weight bits.
type CurveKey = (LayerKind, Geometry, u8, u8);

/// One sample: passes of the inner loop per kernel row, whether the number of blocks is odd where blocks go in pairs, channels.
type Counts = (usize, bool, usize);

/// What a group of output channels is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// Kind of layer.
    pub layer: LayerKind,
    /// Sizes, with stored input channels.
    pub geometry: Geometry,
    /// Input bits (output bits for a depthwise layer).
    pub a_bits: u8,
    /// Weight bits; 0 for layers without weights of several widths.
    pub w_bits: u8,
    /// Output channels.
    pub channels: usize,
}

impl Sample {
    fn key(&self) -> CurveKey {
        (self.layer, Geometry { in_channels: 0, ..self.geometry }, self.a_bits, self.w_bits)
    }

    fn counts(&self) -> Counts {
        let g = &self.geometry;
        if self.layer.by_channel() {
            return (0, false, self.channels);
        }
        let slots = self.channels.next_multiple_of(BLOCK);
        let pixel = if g.dense {
            g.in_channels
        } else {
            (g.in_channels.next_multiple_of(BLOCK) * usize::from(self.a_bits)).div_ceil(32) * 4
        };
        // Of a kernel row; a linear layer's is its whole input.
        let columns = if self.layer.windowed() { g.kernel[1] } else { g.in_height * g.in_width };
        let pair = Pair::of(self.a_bits, self.w_bits).expect("a sample has widths of the kernels");
        let passes = (columns * pixel).div_ceil(pair.pass_bytes());
        let pairs = plan::parts(g.out_width).1 > 0;
        (passes, pairs && slots / BLOCK % 2 == 1, slots)
    }
}

impl std::fmt::Display for Sample {
    /// In words, for people who look for it in their network.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let g = &self.geometry;
        let kind = self.layer.in_words();
        let inputs = if g.in_channels == 0 { self.channels } else { g.in_channels };
        let [kh, kw] = g.kernel;
        write!(
            f,
            "{kh}x{kw} {kind} from {}x{}x{inputs} to {}x{}x{}",
            g.in_height, g.in_width, g.out_height, g.out_width, self.channels
        )?;
        if g.stride != [1, 1] {
            write!(f, ", stride {}x{}", g.stride[0], g.stride[1])?;
        }
        if g.pad != [0; 4] {
            write!(f, ", padding {:?}", g.pad)?;
        }
        write!(f, ", activations of {} bits", self.a_bits)?;
        if self.w_bits > 0 { write!(f, " and weights of {}", self.w_bits) } else { Ok(()) }
    }
}

impl Entry {
    /// What it is a measurement of.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let Self { layer, geometry, a_bits, w_bits, channels, .. } = *self;
        Sample { layer, geometry, a_bits, w_bits, channels }
    }
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    simulator: String,
    kernels: String,
    /// What these kernels are guarded against; a table of those for ideal memory does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard: Option<Guard>,
    core: String,
    /// Preparing an output buffer: see [`Lut::prepare`].
    prepare: [Cost; FEATURES],
    entries: Vec<Entry>,
}

impl File {
    fn guard(&self) -> Guard {
        self.guard.unwrap_or_default()
    }

    fn read(path: &Path) -> Result<Self, LutError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| LutError::Read(name.clone(), e.to_string()))?;
        let malformed = |why: String| LutError::Malformed { path: name.clone(), why };
        let file: Self = serde_json::from_slice(&bytes).map_err(|e| malformed(e.to_string()))?;
        if file.format != FORMAT || file.version != 1 {
            return Err(malformed(format!("it says '{}' version {}", file.format, file.version)));
        }
        let known = |e: &&Entry| Width::of(e.a_bits).is_some() && Width::is_of_weights(e.w_bits);
        let in_blocks = |e: &&Entry| e.layer.by_channel() || e.w_bits > 0;
        match file.entries.iter().find(|e| !(known(e) && in_blocks(e))) {
            Some(e) => Err(malformed(format!(
                "a layer of activations of {} and weights of {} bits",
                e.a_bits, e.w_bits
            ))),
            None => Ok(file),
        }
    }
}

/// Measured costs by layer, precision and channel count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lut {
    /// The kernels that were measured.
    guard: Guard,
    /// Preparing an output buffer: cost of a layer that fills nothing; of filling anything, a plane, a gap between rows, a pair
    /// of words.
    pub prepare: [Cost; FEATURES],
    curves: BTreeMap<CurveKey, Curve>,
}

/// What the cost of preparing an output depends on.
pub const FEATURES: usize = 5;

/// The features of a fill.
#[must_use]
pub fn features(fill: Option<&Fill>) -> [f64; FEATURES] {
    match fill {
        None => [1.0, 0.0, 0.0, 0.0, 0.0],
        Some(f) => [1.0, 1.0, f.planes as f64, f.gaps() as f64, f.stores() as f64],
    }
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
         mpic-kernels lut{} -o {path}", guard.option()
    )]
    Stale {
        /// The file.
        path: String,
        /// Its key.
        found: String,
        /// This program's key.
        expected: String,
        /// The guard of these kernels.
        guard: Guard,
    },
    /// Measured with kernels of another guard than asked for.
    #[error(
        "{path} was measured with kernels of --guard {found}, its numbers do not hold for those of --guard {expected}; measure \
         these into a table of their own with: mpic-kernels lut --guard {expected} -o TABLE"
    )]
    Guard {
        /// The file.
        path: String,
        /// Its guard.
        found: Guard,
        /// The guard that was asked for.
        expected: Guard,
    },
    /// A layer that was not measured.
    #[error(
        "the table has no measurement for layer '{layer}' ({what}); add the network's layers with: mpic-kernels lut --network NETWORK -o TABLE, \
         then search with --cost TABLE"
    )]
    Missing {
        /// Name of the layer.
        layer: String,
        /// What is missing.
        what: String,
    },
}

/// Value of `format` in the file.
pub const FORMAT: &str = "mpic-lut";

/// Simulator and kernels that measured numbers depend on.
fn simulator_key() -> String {
    format!("mpic-sim timing {}, energy {}", mpic_sim::timing::VERSION, mpic_sim::energy::table::VERSION)
}

impl Lut {
    /// An empty table for the kernels with this guard.
    #[must_use]
    pub fn new(guard: Guard) -> Self {
        Self { guard, ..Self::default() }
    }

    /// The guard of the kernels whose costs these are.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Reads a table that was measured with kernels as they are here, on this simulator; it says which guard they have.
    ///
    /// # Errors
    /// If it is unreadable, malformed or stale; the message says how to measure it.
    pub fn load(path: &Path) -> Result<Self, LutError> {
        let file = File::read(path)?;
        let guard = file.guard();
        Self::current(file, path, guard)
    }

    /// As [`load`](Self::load), of the kernels with this guard and no others.
    ///
    /// # Errors
    /// As [`load`](Self::load), and if it is of kernels with another guard.
    pub fn load_of(path: &Path, guard: Guard) -> Result<Self, LutError> {
        let file = File::read(path)?;
        Self::current(file, path, guard)
    }

    fn current(file: File, path: &Path, guard: Guard) -> Result<Self, LutError> {
        if file.guard() != guard {
            return Err(LutError::Guard {
                path: path.display().to_string(),
                found: file.guard(),
                expected: guard,
            });
        }
        let found = format!("kernels {} on {}", file.kernels, file.simulator);
        let expected = format!("kernels {} on {}", crate::deploy::kernels_hash(guard), simulator_key());
        if found != expected {
            return Err(LutError::Stale { path: path.display().to_string(), found, expected, guard });
        }
        Ok(Self::of(file))
    }

    /// Reads a table whatever it was measured with: to know what it held.
    ///
    /// # Errors
    /// If it is unreadable or malformed.
    pub fn load_stale(path: &Path) -> Result<Self, LutError> {
        File::read(path).map(Self::of)
    }

    fn of(file: File) -> Self {
        let mut lut = Self { guard: file.guard(), prepare: file.prepare, ..Self::default() };
        for e in file.entries {
            lut.insert(e);
        }
        lut
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
            kernels: crate::deploy::kernels_hash(self.guard),
            guard: (self.guard != Guard::None).then_some(self.guard),
            core: "mpic".into(),
            prepare: self.prepare,
            entries: self.entries().collect(),
        };
        let text = serde_json::to_vec(&file).map_err(|e| failed(&e))?;
        crate::files::write(path, &text).map_err(|e| failed(&e))
    }

    /// Adds a measurement.
    pub fn insert(&mut self, e: Entry) {
        let (sample, curves) = (e.sample(), &mut self.curves);
        let (passes, odd, channels) = sample.counts();
        curves.entry(sample.key()).or_default().entry((odd, passes)).or_default().insert(channels, e);
    }

    /// Every measurement, sorted.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.curves.values().flat_map(|c| c.values().flat_map(|by_channels| by_channels.values().copied()))
    }

    /// Whether there is a measurement with the same counts of passes and blocks.
    #[must_use]
    pub fn has(&self, sample: &Sample) -> bool {
        let (passes, odd, channels) = sample.counts();
        let curve = self.curves.get(&sample.key()).and_then(|c| c.get(&(odd, passes)));
        curve.is_some_and(|c| c.contains_key(&channels))
    }

    /// Cost of preparing an output.
    #[must_use]
    pub fn preparation(&self, fill: Option<&Fill>) -> Cost {
        let parts = self.prepare.iter().zip(features(fill));
        parts.fold(Cost::default(), |sum, (cost, n)| sum + cost.scaled(n))
    }

    /// Cost of a group of channels (rounded up to whole blocks where there are weights), preparation excluded.
    ///
    /// # Errors
    /// If the curve was not measured, or not for so few or many inputs or outputs.
    pub fn group(&self, name: &str, sample: &Sample) -> Result<Cost, LutError> {
        let missing = |what: String| LutError::Missing { layer: name.into(), what };
        let curve = self.curves.get(&sample.key()).ok_or_else(|| missing(sample.to_string()))?;
        let (passes, odd, n) = sample.counts();
        let rows = || curve.iter().filter(|((o, _), _)| *o == odd).map(|((_, p), c)| (*p, c));
        let at = |by_channels: &BTreeMap<usize, Entry>| {
            let point = |(&n, e): (&usize, &Entry)| (n, e.cost);
            let below = by_channels.range(..=n).next_back().map(point);
            let above = by_channels.range(n..).next().map(point);
            between(n, below, above)
        };
        // Not every number of passes was measured for as many channels, so only those that were are looked at.
        let measured = || rows().filter_map(|(p, c)| Some((p, at(c)?)));
        let below = measured().take_while(|(p, _)| *p <= passes).last();
        let above = measured().find(|(p, _)| *p >= passes);
        between(passes, below, above).ok_or_else(|| {
            let counts: Vec<_> = rows()
                .flat_map(|(_, c)| c.values())
                .map(|e| format!("{} to {}", e.geometry.in_channels, e.channels))
                .collect();
            missing(format!(
                "{sample}; such layers were measured for other numbers of channels: {}",
                counts.join(", ")
            ))
        })
    }

    /// Cost of a layer.
    ///
    /// # Errors
    /// As [`Lut::group`].
    pub fn cost(&self, q: &Query) -> Result<Cost, LutError> {
        q.groups.iter().try_fold(self.preparation(q.fill.as_ref()), |sum, &(w_bits, channels)| {
            Ok(sum + self.group(&q.name, &q.sample(w_bits, channels))?)
        })
    }
}

/// Linear interpolation between the nearest measured counts.
fn between(at: usize, below: Option<(usize, Cost)>, above: Option<(usize, Cost)>) -> Option<Cost> {
    let ((n0, c0), (n1, c1)) = (below?, above?);
    Some(if n0 == n1 { c0 } else { c0 + (c1 - c0).scaled((at - n0) as f64 / (n1 - n0) as f64) })
}
