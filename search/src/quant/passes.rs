//! Quantisation and its gradient, in one pass over memory each.
//!
//! As torch operations a quantiser takes seven passes forward and as many back for each width, which is where searches spend
//! their time. Here [`quantise`] is one pass, and one more on the way back masks the gradient and gathers what scales and
//! choices of all widths need from it. On other devices than the CPU the same is done with torch operations, which are also
//! the reference of the tests.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::backward::{Backward, attach};
use super::range;

/// One width of a quantised tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Bits of a code.
    pub bits: u8,
    /// Real value of a step.
    pub scale: f64,
}

/// The widths of the values that share them: a channel of weights, or a whole activation tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One to three widths.
    pub branches: Vec<Branch>,
    /// Index of the one to quantise with.
    pub chosen: usize,
}

/// What the gradient of a quantised tensor means for one branch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Gradient of the logarithm of its scale, if it is the chosen one (LSQ: straight through the rounding).
    pub log_scale: f64,
    /// Gradient of its factor in a sum over branches.
    pub factor: f64,
}

/// A branch in the arithmetic of the passes.
#[derive(Clone, Copy)]
struct Part {
    scale: f32,
    low: f32,
    high: f32,
}

impl Part {
    fn new(b: &Branch, unsigned: bool) -> Self {
        let (low, high) = range(b.bits, unsigned);
        Self { scale: b.scale as f32, low: low as f32, high: high as f32 }
    }
}

/// What a gradient meant for the branches of a quantised tensor, known once it has gone back through it.
#[derive(Clone, Debug, Default)]
pub struct Later(Arc<OnceLock<Vec<Vec<Sums>>>>);

impl Later {
    /// By row and branch; nothing if no gradient came by.
    #[must_use]
    pub fn sums(&self) -> Option<&[Vec<Sums>]> {
        self.0.get().map(Vec::as_slice)
    }
}

/// `y` rounded to the nearest (half up, as in the integer network) value that a code of the chosen branch of its row stands
/// for. A single row are all values, whatever the shape and the strides of `y`, which the output shares; several are those of
/// a matrix. The gradient is that of a clamp: straight through the rounding, nothing to what was clipped. What it means for
/// each branch, had it been the chosen one, is known afterwards.
///
/// # Panics
/// If there are no rows or the shape does not have as many, or a row has no branch, more than three, or another number than
/// the first.
pub fn quantise(y: &Tensor, rows: Vec<Row>, unsigned: bool) -> (Tensor, Later) {
    let branches = rows[0].branches.len();
    assert!((1..=3).contains(&branches), "there are one to three widths, not {branches}");
    assert!(rows.iter().all(|r| r.branches.len() == branches), "all rows have {branches} widths");
    let y = if rows.len() == 1 {
        dense(y)
    } else {
        assert_eq!(y.size()[0], rows.len() as i64, "rows of a tensor of shape {:?}", y.size());
        y.contiguous()
    };
    let later = Later::default();
    let pass = Pass { y: y.detach(), rows, unsigned, later: later.clone() };
    let out = tch::no_grad(|| pass.forward());
    attach(&y, &out, pass);
    (out, later)
}

/// The way through [`quantise`] and back.
#[derive(Debug)]
struct Pass {
    y: Tensor,
    rows: Vec<Row>,
    unsigned: bool,
    later: Later,
}

impl Backward for Pass {
    fn backward(&self, gradient: Tensor, alone: bool) -> Tensor {
        let (masked, sums) = match (self.y.device(), self.rows[0].branches.len()) {
            (Device::Cpu, 1) => self.back_cpu::<1>(gradient, alone),
            (Device::Cpu, 2) => self.back_cpu::<2>(gradient, alone),
            (Device::Cpu, _) => self.back_cpu::<3>(gradient, alone),
            _ => self.back_torch(&gradient),
        };
        // A graph that is gone through twice means the same both times.
        let _ = self.later.0.set(sums);
        masked
    }
}

impl Pass {
    fn forward(&self) -> Tensor {
        if self.y.device() != Device::Cpu {
            let chosen = |r: &Row| r.chosen;
            return self.codes(chosen).0 * self.per_row(|r| r.branches[r.chosen].scale);
        }
        let mut out = self.y.empty_like();
        let (y, share, unsigned) = (floats(&self.y), self.share(), self.unsigned);
        shares(floats_mut(&mut out), share, &self.rows, |i, row, out| {
            let part = Part::new(&row.branches[row.chosen], unsigned);
            quantise_pass(&y[i * share..][..out.len()], out, part);
        });
        out
    }

    fn back_cpu<const N: usize>(&self, gradient: Tensor, alone: bool) -> (Tensor, Vec<Vec<Sums>>) {
        let same = gradient.stride() == self.y.stride();
        let (mut out, from) = if same && alone {
            (gradient, None)
        } else if same {
            (self.y.empty_like(), Some(&gradient))
        } else {
            let mut out = self.y.empty_like();
            out.copy_(&gradient);
            (out, None)
        };
        let (y, from, share, unsigned) = (floats(&self.y), from.map(floats), self.share(), self.unsigned);
        let each = shares(floats_mut(&mut out), share, &self.rows, |i, row, g| {
            let parts: [Part; N] = std::array::from_fn(|n| Part::new(&row.branches[n], unsigned));
            let at = i * share..i * share + g.len();
            back_pass(&y[at.clone()], g, from.map(|from| &from[at]), parts, row.chosen)
        });
        let mut sums = vec![vec![Sums::default(); N]; self.rows.len()];
        for (i, share) in each.iter().enumerate() {
            for (sum, s) in sums[i.min(self.rows.len() - 1)].iter_mut().zip(share) {
                sum.log_scale += s.log_scale;
                sum.factor += s.factor;
            }
        }
        (out, sums)
    }

    fn back_torch(&self, g: &Tensor) -> (Tensor, Vec<Vec<Sums>>) {
        let by_row = |t: Tensor| -> Vec<f64> {
            let t = (t * g).to_kind(Kind::Double);
            let sums = if self.rows.len() == 1 {
                t.sum(Kind::Double).view(1)
            } else {
                t.flatten(1, -1).sum_dim_intlist(1, false, Kind::Double)
            };
            Vec::try_from(sums).expect("numbers")
        };
        let mut sums = vec![vec![]; self.rows.len()];
        for n in 0..self.rows[0].branches.len() {
            let (codes, inside) = self.codes(|_| n);
            let scale = self.per_row(|r| r.branches[n].scale);
            let log_scale = by_row(&codes * &scale - &self.y * inside);
            for ((row, log_scale), factor) in sums.iter_mut().zip(log_scale).zip(by_row(codes * scale)) {
                row.push(Sums { log_scale, factor });
            }
        }
        (self.codes(|r| r.chosen).1 * g, sums)
    }

    /// Codes of one branch of each row, and where they are not clipped, by torch operations.
    fn codes(&self, branch: impl Fn(&Row) -> usize) -> (Tensor, Tensor) {
        let end = |r: &Row, f: fn((f64, f64)) -> f64| f(range(r.branches[branch(r)].bits, self.unsigned));
        let (low, high) = (self.per_row(|r| end(r, |ends| ends.0)), self.per_row(|r| end(r, |ends| ends.1)));
        let steps = &self.y / self.per_row(|r| r.branches[branch(r)].scale);
        let inside = steps.ge_tensor(&low).logical_and(&steps.le_tensor(&high)).to_kind(Kind::Float);
        ((steps.clamp_tensor(Some(&low), Some(&high)) + 0.5).floor(), inside)
    }

    /// A number for each row, to compute with `y`.
    fn per_row(&self, f: impl Fn(&Row) -> f64) -> Tensor {
        let values: Vec<f32> = self.rows.iter().map(|r| f(r) as f32).collect();
        Tensor::from_slice(&values).view([-1, 1]).to_device(self.y.device())
    }

    /// Elements that a thread takes at a time: a row, or of a single one a fixed number, so that sums do not depend on the
    /// number of threads.
    fn share(&self) -> usize {
        if self.rows.len() == 1 { SHARE } else { self.y.numel() / self.rows.len() }
    }
}

/// What `f` says to the number, the row and the elements of each share of `values`, by all threads if there is enough to do.
fn shares<T: Send>(
    values: &mut [f32],
    share: usize,
    rows: &[Row],
    f: impl Fn(usize, &Row, &mut [f32]) -> T + Sync,
) -> Vec<T> {
    let f = |(i, values)| f(i, &rows[i.min(rows.len() - 1)], values);
    // Of a tensor without elements, too.
    let share = share.max(1);
    if values.len() <= SHARE {
        values.chunks_mut(share).enumerate().map(f).collect()
    } else {
        values.par_chunks_mut(share).enumerate().map(f).collect()
    }
}

/// `t` itself if its elements lie side by side in some order of dimensions, else a copy that does.
fn dense(t: &Tensor) -> Tensor {
    assert_eq!(t.kind(), Kind::Float, "activations are 32-bit floats");
    let mut dims: Vec<(i64, i64)> = t.stride().into_iter().zip(t.size()).filter(|d| d.1 != 1).collect();
    dims.sort_unstable();
    let mut next = 1;
    for (stride, size) in dims {
        if stride != next {
            return t.contiguous();
        }
        next *= size;
    }
    t.shallow_clone()
}

/// The elements of a [`dense`] tensor on the CPU, in memory order.
fn floats(t: &Tensor) -> &[f32] {
    // SAFETY: the tensor holds `numel` floats side by side from `data_ptr` on, and lives as long as the slice; nothing writes
    // to it meanwhile: whoever called waits for the pass, and `floats_mut` is only given tensors that nobody else has.
    unsafe { std::slice::from_raw_parts(t.data_ptr().cast::<f32>(), t.numel()) }
}

/// As [`floats`], to write.
fn floats_mut(t: &mut Tensor) -> &mut [f32] {
    // SAFETY: as for `floats`; nobody else has the memory: the tensor was just made, or belongs to the gradient alone.
    unsafe { std::slice::from_raw_parts_mut(t.data_ptr().cast::<f32>(), t.numel()) }
}

/// Makes of a loop body a function that uses what vector instructions there are. Results do not depend on them: nothing is
/// fused or reordered.
macro_rules! vectorised {
    ($name:ident $(<const $n:ident>)?, $body:ident, ($($arg:ident: $type:ty),*) -> $out:ty) => {
        fn $name$(<const $n: usize>)?($($arg: $type),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide$(<const $n: usize>)?($($arg: $type),*) -> $out {
                    $body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the instructions.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

/// Elements that a thread takes at a time of a row without end.
const SHARE: usize = 16 * CHUNK;

vectorised!(quantise_pass, quantise_loop, (y: &[f32], out: &mut [f32], part: Part) -> ());
vectorised!(back_pass<const N>, back_loop, (y: &[f32], g: &mut [f32], from: Option<&[f32]>, parts: [Part; N], chosen: usize) -> Vec<Sums>);

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn code(steps: f32, p: &Part) -> f32 {
    (steps.max(p.low).min(p.high) + 0.5).floor()
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn quantise_loop(y: &[f32], out: &mut [f32], part: Part) {
    for (out, &y) in out.iter_mut().zip(y) {
        *out = code(y / part.scale, &part) * part.scale;
    }
}

/// Sums run over this many lanes, and in single precision over this many elements.
const LANES: usize = 16;
const CHUNK: usize = 256 * LANES;

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn back_loop<const N: usize>(
    y: &[f32],
    g: &mut [f32],
    from: Option<&[f32]>,
    parts: [Part; N],
    chosen: usize,
) -> Vec<Sums> {
    let (mut scales, mut factors) = ([0f64; N], [0f64; N]);
    for (i, (y, g)) in y.chunks(CHUNK).zip(g.chunks_mut(CHUNK)).enumerate() {
        if let Some(from) = from {
            g.copy_from_slice(&from[i * CHUNK..][..g.len()]);
        }
        let (mut by_scale, mut by_factor) = ([[0f32; LANES]; N], [[0f32; LANES]; N]);
        let mut element = |lane: usize, y: f32, g: &mut f32| {
            let mut masked = 0.0;
            for (n, p) in parts.iter().enumerate() {
                let steps = y / p.scale;
                let code = code(steps, p);
                let is_inside = steps >= p.low && steps <= p.high;
                by_factor[n][lane] += *g * code;
                by_scale[n][lane] += *g * (code - if is_inside { steps } else { 0.0 });
                if n == chosen && is_inside {
                    masked = *g;
                }
            }
            *g = masked;
        };
        let whole = y.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            let (y, g) = (&y[at..][..LANES], &mut g[at..][..LANES]);
            for lane in 0..LANES {
                element(lane, y[lane], &mut g[lane]);
            }
        }
        for (lane, i) in (whole..y.len()).enumerate() {
            element(lane, y[i], &mut g[i]);
        }
        for n in 0..N {
            let sum = |lanes: &[f32; LANES]| lanes.iter().map(|v| f64::from(*v)).sum::<f64>();
            scales[n] += sum(&by_scale[n]);
            factors[n] += sum(&by_factor[n]);
        }
    }
    let of = |n: usize| {
        let scale = f64::from(parts[n].scale);
        Sums { log_scale: scales[n] * scale, factor: factors[n] * scale }
    };
    (0..N).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The passes equal the torch operations, whatever the layout and the number of rows and branches.
        #[test]
        fn passes_equal_torch(
            n in 1usize..4, chosen in prop::collection::vec(0usize..3, 5), single: bool, unsigned: bool, scale in 0.01f64..0.5,
            seed: i64, channels_last: bool, contiguous: bool, shared: bool, side in 1i64..12,
        ) {
            tch::set_num_threads(1);
            tch::manual_seed(seed);
            let make = || {
                let t = Tensor::randn([5, side, 7, 5], (Kind::Float, Device::Cpu));
                match (single, channels_last) {
                    (false, _) => t.flatten(1, -1),
                    (true, true) => t.permute([0, 3, 1, 2]),
                    (true, false) => t,
                }
            };
            let (y, g) = (make(), make());
            let g = if contiguous { g.contiguous() } else { g };
            let row = |(i, c): (usize, &usize)| {
                let scale = scale * (i + 1) as f64;
                let branches = (0..n).map(|b| Branch { bits: 2 << b, scale: scale / f64::from(1 << b) }).collect();
                Row { branches, chosen: c % n }
            };
            let rows: Vec<_> = chosen.iter().enumerate().map(row).take(if single { 1 } else { 5 }).collect();
            // Made first, so that its turn in the graph comes last.
            let source = y.zeros_like().set_requires_grad(true);
            let other = &source * 1.0;
            let leaf = y.copy().set_requires_grad(true);
            let (out, later) = quantise(&leaf, rows.clone(), unsigned);
            prop_assert!(later.sums().is_none());
            // A gradient that nobody else sees, or one that another operand of an addition also gets, and must get unmasked.
            let used = if shared { &out + &other } else { out.shallow_clone() };
            (used * &g).sum(Kind::Float).backward();
            if shared {
                prop_assert!(source.grad() == g);
            }

            let slow = Pass { y: y.shallow_clone(), rows, unsigned, later: Later::default() };
            let expected = slow.codes(|r| r.chosen).0 * slow.per_row(|r| r.branches[r.chosen].scale);
            prop_assert!((&out - expected).abs().max().double_value(&[]) < 1e-5);
            let (masked, sums) = slow.back_torch(&g);
            prop_assert!((leaf.grad() - masked).abs().max().double_value(&[]) < 1e-6);
            let size = g.abs().sum(Kind::Double).double_value(&[]);
            for (fast, slow) in later.sums().expect("a gradient came by").concat().iter().zip(sums.concat()) {
                let near = |a: f64, b: f64| (a - b).abs() <= 2e-5 * size;
                prop_assert!(near(fast.log_scale, slow.log_scale) && near(fast.factor, slow.factor), "{fast:?} {slow:?}");
            }
        }

        /// No value off the grid and no code outside the hardware's range; within the range at most half a step away.
        #[test]
        fn codes_fit_the_hardware(
            x in prop::collection::vec(-3.0f32..3.0, 24), scale in 0.02f64..2.0, bits in prop::sample::select(vec![2u8, 4, 8]),
            unsigned: bool,
        ) {
            tch::set_num_threads(1);
            let (low, high) = range(bits, unsigned);
            let (out, _) = quantise(&Tensor::from_slice(&x), vec![Row { branches: vec![Branch { bits, scale }], chosen: 0 }], unsigned);
            for (v, q) in x.iter().zip(Vec::<f32>::try_from(out).expect("floats")) {
                let code = f64::from(q) / scale;
                prop_assert!((code - code.round()).abs() < 1e-3 && code.round() >= low && code.round() <= high, "{code}");
                let inside = (f64::from(*v) / scale).clamp(low, high);
                prop_assert!((code - inside).abs() <= 0.501, "{v} became {q}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_lsq() {
        tch::set_num_threads(1);
        // scale 1: in range d/dlog(s) = round(v) - v; below or above it the end of the range.
        let x = Tensor::from_slice(&[0.3f32, -50.0, 9.0]).set_requires_grad(true);
        let row = Row { branches: vec![Branch { bits: 4, scale: 1.0 }], chosen: 0 };
        let (out, later) = quantise(&x, vec![row], false);
        out.sum(Kind::Float).backward();
        let s = later.sums().expect("a gradient came by")[0][0];
        assert!((s.log_scale - (-0.3 - 8.0 + 7.0)).abs() < 1e-5);
        assert!((s.factor - (0.0 - 8.0 + 7.0)).abs() < 1e-5);
    }
}
