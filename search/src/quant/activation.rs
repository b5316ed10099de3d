//! Quantised activations and their gradient, in one pass over memory each.
//!
//! As torch operations a quantiser takes seven passes forward and as many back for each width, which is where searches spend
//! their time. Here [`quantise`] is one pass whose gradient is that of a clamp, and [`sums`] gathers what scales and choices
//! of all widths need from the gradient of its output in one more. On other devices than the CPU the same is done with torch
//! operations, which are also the reference of the tests.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::range;

/// One width of a quantised tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Bits of a code.
    pub bits: u8,
    /// Real value of a step.
    pub scale: f64,
}

/// What the gradient of a quantised tensor means for one branch.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// `y` rounded to the nearest (half up, as in the integer network) value that a code of the branch stands for, with the
/// strides of `y`. The gradient is that of a clamp: straight through the rounding, nothing to what was clipped.
pub fn quantise(y: &Tensor, branch: &Branch, unsigned: bool) -> Tensor {
    let (low, high) = range(branch.bits, unsigned);
    let y = dense(y);
    // What is computed forward is then overwritten; backward only needs `y` and the bounds.
    let out = y.clamp(low * branch.scale, high * branch.scale);
    tch::no_grad(|| {
        let mut values = out.detach();
        if y.device() == Device::Cpu {
            let part = Part::new(branch, unsigned);
            let shares = floats_mut(&mut values).par_chunks_mut(SHARE).zip(floats(&y).par_chunks(SHARE));
            shares.for_each(|(out, y)| quantise_pass(y, out, [part]));
        } else {
            values.copy_(&(codes(&y, branch, unsigned).0 * branch.scale));
        }
    });
    out
}

/// For each branch, what the gradient `g` of [`quantise`]`(y)` means for it, had it been the chosen one.
///
/// # Panics
/// If there is no branch or more than three, or shapes differ.
#[must_use]
pub fn sums(y: &Tensor, g: &Tensor, branches: &[Branch], unsigned: bool) -> Vec<Sums> {
    assert_eq!(y.size(), g.size(), "a gradient has the shape of the value");
    let (y, mut g) = (dense(&y.detach()), g.detach());
    if y.device() != Device::Cpu {
        return branches.iter().map(|b| sums_torch(&y, &g, b, unsigned)).collect();
    }
    if g.stride() != y.stride() {
        let mut same = y.empty_like();
        same.copy_(&g);
        g = same;
    }
    let parts: Vec<_> = branches.iter().map(|b| Part::new(b, unsigned)).collect();
    match *parts.as_slice() {
        [a] => sums_shared(floats(&y), floats(&g), [a]),
        [a, b] => sums_shared(floats(&y), floats(&g), [a, b]),
        [a, b, c] => sums_shared(floats(&y), floats(&g), [a, b, c]),
        _ => panic!("a tensor has one to three widths, not {}", branches.len()),
    }
}

/// Codes, and where they are not clipped.
fn codes(y: &Tensor, b: &Branch, unsigned: bool) -> (Tensor, Tensor) {
    let (low, high) = range(b.bits, unsigned);
    let steps = y / b.scale;
    let inside = steps.ge(low).logical_and(&steps.le(high)).to_kind(Kind::Float);
    ((steps.clamp(low, high) + 0.5).floor(), inside)
}

fn sums_torch(y: &Tensor, g: &Tensor, b: &Branch, unsigned: bool) -> Sums {
    let (codes, inside) = codes(y, b, unsigned);
    let sum = |t: Tensor| (t * g).sum(Kind::Double).double_value(&[]);
    Sums { log_scale: sum(&codes * b.scale - y * &inside), factor: sum(codes * b.scale) }
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
    // to it meanwhile: whoever called waits for the pass, and `floats_mut` is only given tensors made in this module.
    unsafe { std::slice::from_raw_parts(t.data_ptr().cast::<f32>(), t.numel()) }
}

/// As [`floats`], to write.
fn floats_mut(t: &mut Tensor) -> &mut [f32] {
    // SAFETY: as for `floats`; the tensor was just made, so nobody else has its memory.
    unsafe { std::slice::from_raw_parts_mut(t.data_ptr().cast::<f32>(), t.numel()) }
}

/// Makes of a loop body a function that uses what vector instructions there are. Results do not depend on them: nothing is
/// fused or reordered.
macro_rules! vectorised {
    ($name:ident, $body:ident, ($($arg:ident: $type:ty),*) -> $out:ty) => {
        fn $name<const N: usize>($($arg: $type),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide<const N: usize>($($arg: $type),*) -> $out {
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

/// Elements that a thread takes at a time. A fixed number, so that sums do not depend on the number of threads.
const SHARE: usize = 16 * CHUNK;

/// [`sums_pass`] over shares of the elements, by all threads.
fn sums_shared<const N: usize>(y: &[f32], g: &[f32], parts: [Part; N]) -> Vec<Sums> {
    let shares = y.par_chunks(SHARE).zip(g.par_chunks(SHARE));
    let each: Vec<_> = shares.map(|(y, g)| sums_pass(y, g, parts)).collect();
    let none = Sums { log_scale: 0.0, factor: 0.0 };
    each.iter().fold(vec![none; N], |mut all, share| {
        for (sum, s) in all.iter_mut().zip(share) {
            sum.log_scale += s.log_scale;
            sum.factor += s.factor;
        }
        all
    })
}

vectorised!(quantise_pass, quantise_loop, (y: &[f32], out: &mut [f32], parts: [Part; N]) -> ());
vectorised!(sums_pass, sums_loop, (y: &[f32], g: &[f32], parts: [Part; N]) -> Vec<Sums>);

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn code(steps: f32, p: &Part) -> f32 {
    (steps.max(p.low).min(p.high) + 0.5).floor()
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn quantise_loop<const N: usize>(y: &[f32], out: &mut [f32], parts: [Part; N]) {
    for (out, &y) in out.iter_mut().zip(y) {
        for p in &parts {
            *out = code(y / p.scale, p) * p.scale;
        }
    }
}

/// Sums run over this many lanes, and in single precision over this many elements.
const LANES: usize = 16;
const CHUNK: usize = 256 * LANES;

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn sums_loop<const N: usize>(y: &[f32], g: &[f32], parts: [Part; N]) -> Vec<Sums> {
    let (mut scales, mut factors) = ([0f64; N], [0f64; N]);
    for (y, g) in y.chunks(CHUNK).zip(g.chunks(CHUNK)) {
        let (mut by_scale, mut by_factor) = ([[0f32; LANES]; N], [[0f32; LANES]; N]);
        let mut element = |lane: usize, y: f32, g: f32| {
            for (n, p) in parts.iter().enumerate() {
                let steps = y / p.scale;
                let code = code(steps, p);
                let inside = if steps >= p.low && steps <= p.high { steps } else { 0.0 };
                by_factor[n][lane] += g * code;
                by_scale[n][lane] += g * (code - inside);
            }
        };
        let whole = y.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            let (y, g) = (&y[at..][..LANES], &g[at..][..LANES]);
            for lane in 0..LANES {
                element(lane, y[lane], g[lane]);
            }
        }
        for (lane, i) in (whole..y.len()).enumerate() {
            element(lane, y[i], g[i]);
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

        /// The passes equal the torch operations, whatever the layout and the number of branches.
        #[test]
        fn passes_equal_torch(
            n in 1usize..4, unsigned: bool, scale in 0.01f64..0.5, seed: i64, channels_last: bool, side in 1i64..12,
        ) {
            tch::set_num_threads(1);
            tch::manual_seed(seed);
            let make = || {
                let t = Tensor::randn([3, side, 7, 5], (Kind::Float, Device::Cpu));
                if channels_last { t.permute([0, 3, 1, 2]) } else { t }
            };
            let (y, g) = (make(), make().contiguous());
            let branches: Vec<_> = (0..n).map(|i| Branch { bits: 2 << i, scale: scale / f64::from(1 << i) }).collect();
            for b in &branches {
                let leaf = y.copy().set_requires_grad(true);
                let out = quantise(&leaf, b, unsigned);
                let (codes, inside) = codes(&y, b, unsigned);
                prop_assert!((&out - codes * b.scale).abs().max().double_value(&[]) < 1e-5);
                (out * &g).sum(Kind::Float).backward();
                prop_assert!((leaf.grad() - inside * &g).abs().max().double_value(&[]) < 1e-6);
            }
            let size = g.abs().sum(Kind::Double).double_value(&[]);
            for (fast, b) in sums(&y, &g, &branches, unsigned).iter().zip(&branches) {
                let slow = sums_torch(&y, &g, b, unsigned);
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-5 * size;
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
            let out = quantise(&Tensor::from_slice(&x), &Branch { bits, scale }, unsigned);
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
        let x = Tensor::from_slice(&[0.3f32, -50.0, 9.0]);
        let s = sums(&x, &x.ones_like(), &[Branch { bits: 4, scale: 1.0 }], false)[0];
        assert!((s.log_scale - (-0.3 - 8.0 + 7.0)).abs() < 1e-5);
        assert!((s.factor - (0.0 - 8.0 + 7.0)).abs() < 1e-5);
    }
}
