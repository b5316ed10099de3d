//! Quantisation and its gradient, in one pass over memory each, on the CPU.
//!
//! As torch operations a quantiser takes seven passes forward and as many back for each width, which is where searches spend
//! their time. Here [`quantise`] is one pass, and one more on the way back masks the gradient and gathers what scales and
//! choices of all widths need from it. [`super::normalised`] does the same behind a batch normalisation.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use tch::{Kind, Tensor};

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
    /// Gradient of the logarithm of its scale (LSQ: straight through the rounding); 0 if it is not the chosen one.
    pub log_scale: f64,
    /// Gradient of its factor in a sum over branches.
    pub factor: f64,
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.log_scale += other.log_scale;
        self.factor += other.factor;
    }
}

/// What the gradient of a tensor means for the numbers it was made with.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// By row and branch.
    pub branches: Vec<Vec<Sums>>,
    /// Of the gain and of the bias of the normalisation in front of the quantiser, `[channels]` each; empty without one.
    pub gain_and_bias: [Vec<f32>; 2],
}

/// Gradients that are known once the gradient of a tensor has gone back through it.
#[derive(Clone, Debug, Default)]
pub struct Later(Arc<OnceLock<Gradients>>);

impl Later {
    /// What came back; nothing if no gradient came by.
    #[must_use]
    pub fn gradients(&self) -> Option<&Gradients> {
        self.0.get()
    }

    /// Says what came back. A graph that is gone through twice means the same both times, so the first word stands.
    pub(super) fn say(&self, gradients: Gradients) {
        let _ = self.0.set(gradients);
    }
}

/// A branch in the arithmetic of the passes.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) scale: f32,
    /// Codes are found by a product: a division takes several times as long.
    pub(super) inverse: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Part {
    pub(super) fn new(b: &Branch, unsigned: bool) -> Self {
        let (low, high) = range(b.bits, unsigned);
        Self { scale: b.scale as f32, inverse: (1.0 / b.scale) as f32, low: low as f32, high: high as f32 }
    }
}

/// `y` rounded to the nearest (half up, as in the integer network) value that a code of the chosen branch of its row stands
/// for. A single row are all values, whatever the shape and the strides of `y`, which the output shares; several are those of
/// a matrix. The gradient is that of a clamp: straight through the rounding, nothing to what was clipped. What it means for
/// each branch, had it been the chosen one, is known afterwards.
///
/// # Panics
/// If `y` is not on the CPU, there are no rows or the shape does not have as many, or a row has no branch, more than three,
/// or another number than the first.
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
        let (masked, branches) = match self.rows[0].branches.len() {
            1 => self.back::<1>(gradient, alone),
            2 => self.back::<2>(gradient, alone),
            _ => self.back::<3>(gradient, alone),
        };
        self.later.say(Gradients { branches, ..Gradients::default() });
        masked
    }
}

impl Pass {
    fn forward(&self) -> Tensor {
        let mut out = self.y.empty_like();
        let (y, share, unsigned, rows) = (floats(&self.y), self.share(), self.unsigned, &self.rows);
        shares(floats_mut(&mut out), share, |i, out| {
            let row = row_of(rows, i);
            let part = Part::new(&row.branches[row.chosen], unsigned);
            quantise_pass(&y[i * share..][..out.len()], out, part);
        });
        out
    }

    fn back<const N: usize>(&self, gradient: Tensor, alone: bool) -> (Tensor, Vec<Vec<Sums>>) {
        let (mut out, from) = target(gradient, &self.y, alone);
        let (y, from, share) = (floats(&self.y), from.as_ref().map(floats), self.share());
        let (unsigned, rows) = (self.unsigned, &self.rows);
        let each = shares(floats_mut(&mut out), share, |i, g| {
            let row = row_of(rows, i);
            let parts: [Part; N] = std::array::from_fn(|n| Part::new(&row.branches[n], unsigned));
            let at = i * share..i * share + g.len();
            back_pass(&y[at.clone()], g, from.map(|from| &from[at]), parts, row.chosen)
        });
        let mut sums = vec![vec![Sums::default(); N]; self.rows.len()];
        for (i, share) in each.iter().enumerate() {
            let row = &mut sums[i.min(self.rows.len() - 1)];
            row.iter_mut().zip(share).for_each(|(sum, s)| *sum += *s);
        }
        (out, sums)
    }

    /// Elements that a thread takes at a time: a row, or of a single one a fixed number, so that sums do not depend on the
    /// number of threads.
    fn share(&self) -> usize {
        if self.rows.len() == 1 { SHARE } else { self.y.numel() / self.rows.len() }
    }
}

/// The row of a share.
fn row_of(rows: &[Row], share: usize) -> &Row {
    &rows[share.min(rows.len() - 1)]
}

/// What `f` says to the number and the elements of each share of `values`, by all threads if there is enough to do.
pub(super) fn shares<T: Send>(
    values: &mut [f32],
    share: usize,
    f: impl Fn(usize, &mut [f32]) -> T + Sync,
) -> Vec<T> {
    let f = |(i, values)| f(i, values);
    // Of a tensor without elements, too.
    let share = share.max(1);
    if values.len() <= SHARE {
        values.chunks_mut(share).enumerate().map(f).collect()
    } else {
        values.par_chunks_mut(share).enumerate().map(f).collect()
    }
}

/// Where a gradient laid out as `y` is to be written: over `gradient` where nobody else sees it and it lies alike, else in
/// memory of its own, with what is to be read in its place.
pub(super) fn target(gradient: Tensor, y: &Tensor, alone: bool) -> (Tensor, Option<Tensor>) {
    let same = gradient.stride() == y.stride();
    if same && alone {
        (gradient, None)
    } else if same {
        (y.empty_like(), Some(gradient))
    } else {
        let mut out = y.empty_like();
        out.copy_(&gradient);
        (out, None)
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
pub(super) fn floats(t: &Tensor) -> &[f32] {
    assert_eq!(t.device(), tch::Device::Cpu, "the passes read memory of the processor");
    // SAFETY: the tensor holds `numel` floats side by side from `data_ptr` on, and lives as long as the slice; nothing writes
    // to it meanwhile: whoever called waits for the pass, and `floats_mut` is only given tensors that nobody else has.
    unsafe { std::slice::from_raw_parts(t.data_ptr().cast::<f32>(), t.numel()) }
}

/// As [`floats`], to write.
pub(super) fn floats_mut(t: &mut Tensor) -> &mut [f32] {
    assert_eq!(t.device(), tch::Device::Cpu, "the passes write memory of the processor");
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
pub(super) use vectorised;

/// Elements that a thread takes at a time of a row without end.
pub(super) const SHARE: usize = 16 * CHUNK;

vectorised!(quantise_pass, quantise_loop, (y: &[f32], out: &mut [f32], part: Part) -> ());
vectorised!(back_pass<const N>, back_loop, (y: &[f32], g: &mut [f32], from: Option<&[f32]>, parts: [Part; N], chosen: usize) -> Vec<Sums>);

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn code(steps: f32, p: &Part) -> f32 {
    (steps.max(p.low).min(p.high) + 0.5).floor()
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn quantise_loop(y: &[f32], out: &mut [f32], part: Part) {
    for (out, &y) in out.iter_mut().zip(y) {
        *out = code(y * part.inverse, &part) * part.scale;
    }
}

/// Sums that several lanes add to.
#[derive(Clone, Copy)]
struct Lanes<const N: usize> {
    /// Of the chosen branch.
    by_scale: [f32; LANES],
    by_factor: [[f32; LANES]; N],
}

impl<const N: usize> Lanes<N> {
    const ZERO: Self = Self { by_scale: [0.0; LANES], by_factor: [[0.0; LANES]; N] };

    /// Takes in a value and its gradient; what is left of the gradient behind the clamp of the chosen branch, `part`.
    // Must become part of `vectorised` functions, to use their instructions.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn gather(&mut self, lane: usize, y: f32, g: f32, parts: &[Part; N], part: Part) -> f32 {
        for (by_factor, p) in self.by_factor.iter_mut().zip(parts) {
            by_factor[lane] += g * code(y * p.inverse, p);
        }
        let steps = y * part.inverse;
        let is_inside = steps >= part.low && steps <= part.high;
        self.by_scale[lane] += g * (code(steps, &part) - if is_inside { steps } else { 0.0 });
        if is_inside { g } else { 0.0 }
    }

    /// As [`Lanes::gather`] for all lanes at once, branch by branch, so that each is a handful of vector instructions; the
    /// gradients are replaced by what is left of them.
    // Must become part of `vectorised` functions, to use their instructions.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn gather_block(&mut self, y: &[f32; LANES], g: &mut [f32; LANES], parts: &[Part; N], part: Part) {
        for (by_factor, p) in self.by_factor.iter_mut().zip(parts) {
            for lane in 0..LANES {
                by_factor[lane] += g[lane] * code(y[lane] * p.inverse, p);
            }
        }
        for lane in 0..LANES {
            let steps = y[lane] * part.inverse;
            let is_inside = steps >= part.low && steps <= part.high;
            self.by_scale[lane] += g[lane] * (code(steps, &part) - if is_inside { steps } else { 0.0 });
            g[lane] = if is_inside { g[lane] } else { 0.0 };
        }
    }

    /// Adds what the lanes come to, to the sums of each branch.
    fn add_to(&self, total: &mut [Sums], parts: &[Part; N], chosen: usize) {
        let sum = |lanes: &[f32; LANES]| lanes.iter().map(|v| f64::from(*v)).sum::<f64>();
        for ((total, lanes), p) in total.iter_mut().zip(&self.by_factor).zip(parts) {
            total.factor += sum(lanes) * f64::from(p.scale);
        }
        total[chosen].log_scale += sum(&self.by_scale) * f64::from(parts[chosen].scale);
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
    let mut total = vec![Sums::default(); N];
    for (i, (y, g)) in y.chunks(CHUNK).zip(g.chunks_mut(CHUNK)).enumerate() {
        if let Some(from) = from {
            g.copy_from_slice(&from[i * CHUNK..][..g.len()]);
        }
        gather(&mut total, y, g, &parts, chosen);
    }
    total
}

/// Takes values and their gradients into the sums of all branches; of the gradients stays what the clamp of the chosen one
/// lets through. Sums run in single precision.
// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn gather<const N: usize>(
    total: &mut [Sums],
    y: &[f32],
    g: &mut [f32],
    parts: &[Part; N],
    chosen: usize,
) {
    let (mut sums, part) = (Lanes::<N>::ZERO, parts[chosen]);
    let whole = y.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let y = y[at..][..LANES].first_chunk().expect("whole");
        let g = g[at..][..LANES].first_chunk_mut().expect("whole");
        sums.gather_block(y, g, parts, part);
    }
    // Sums of their own, so that the others may stay in registers.
    let mut rest = Lanes::<N>::ZERO;
    for (lane, i) in (whole..y.len()).enumerate() {
        g[i] = rest.gather(lane, y[i], g[i], parts, part);
    }
    sums.add_to(total, parts, chosen);
    rest.add_to(total, parts, chosen);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tch::Device;

    /// Codes of a branch of each row as real values, and 1 where they are not clipped, by torch operations.
    fn reference(y: &Tensor, rows: &[Row], branch: impl Fn(&Row) -> usize, unsigned: bool) -> [Tensor; 2] {
        let per_row = |f: &dyn Fn(&Row) -> f64| {
            let values: Vec<f32> = rows.iter().map(|r| f(r) as f32).collect();
            Tensor::from_slice(&values).view([-1, 1])
        };
        let of = |r: &Row| r.branches[branch(r)];
        let low = per_row(&|r| range(of(r).bits, unsigned).0);
        let high = per_row(&|r| range(of(r).bits, unsigned).1);
        let scale = per_row(&|r| of(r).scale);
        let steps = y * per_row(&|r| 1.0 / of(r).scale);
        let inside = steps.ge_tensor(&low).logical_and(&steps.le_tensor(&high)).to_kind(Kind::Float);
        [(steps.clamp_tensor(Some(&low), Some(&high)) + 0.5).floor() * scale, inside]
    }

    fn by_row(t: &Tensor, rows: usize) -> Vec<f64> {
        let t = t.to_kind(Kind::Double);
        let sums = if rows == 1 {
            t.sum(Kind::Double).view(1)
        } else {
            t.flatten(1, -1).sum_dim_intlist(1, false, Kind::Double)
        };
        Vec::try_from(sums).expect("numbers")
    }

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
            prop_assert!(later.gradients().is_none());
            // A gradient that nobody else sees, or one that another operand of an addition also gets, and must get unmasked.
            let used = if shared { &out + &other } else { out.shallow_clone() };
            (used * &g).sum(Kind::Float).backward();
            if shared {
                prop_assert!(source.grad() == g);
            }

            let [expected, inside] = reference(&y, &rows, |r| r.chosen, unsigned);
            prop_assert!((&out - expected).abs().max().double_value(&[]) < 1e-5);
            prop_assert!((leaf.grad() - inside * &g).abs().max().double_value(&[]) < 1e-6);
            let size = g.abs().sum(Kind::Double).double_value(&[]);
            let near = |a: f64, b: f64| (a - b).abs() <= 2e-5 * size;
            let fast = &later.gradients().expect("a gradient came by").branches;
            for b in 0..n {
                let [values, inside] = reference(&y, &rows, |_| b, unsigned);
                let log_scale = by_row(&((&values - &y * inside) * &g), rows.len());
                let factor = by_row(&(values * &g), rows.len());
                for ((fast, row), (log_scale, factor)) in fast.iter().zip(&rows).zip(log_scale.iter().zip(&factor)) {
                    let log_scale = if row.chosen == b { *log_scale } else { 0.0 };
                    prop_assert!(near(fast[b].log_scale, log_scale) && near(fast[b].factor, *factor), "{fast:?}");
                }
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
        let s = later.gradients().expect("a gradient came by").branches[0][0];
        assert!((s.log_scale - (-0.3 - 8.0 + 7.0)).abs() < 1e-5);
        assert!((s.factor - (0.0 - 8.0 + 7.0)).abs() < 1e-5);
    }
}
