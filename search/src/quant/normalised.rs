//! Batch normalisation and quantisation behind it, and their gradient, in two passes over memory each, on the CPU.
//!
//! By libtorch a normalised activation takes two passes forward and two back, its quantiser one of ours each; here the
//! quantiser rides along, so that a search step costs little more than a step in floating point.
//!
//! With `x` what comes in, `mean` and `var` of the batch and `xhat = (x - mean) / sqrt(var + eps)`, what is quantised is
//! `gain * xhat + bias`; the gradients are those of Ioffe and Szegedy 2015, "Batch normalization", section 3.

use tch::Tensor;

use super::backward::{Backward, attach};
use super::passes::{
    Gradients, Later, Part, Row, SHARE, Sums, code, floats, floats_mut, gather, shares, target, vectorised,
};

/// Mean and variance that a normalisation uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Statistics {
    /// Those of the batch.
    Batch,
    /// These ones, `[channels]` each.
    Given([Vec<f32>; 2]),
}

/// A batch normalisation by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// Factor of the normalised values, `[channels]`.
    pub gain: Vec<f32>,
    /// What is added to them, `[channels]`.
    pub bias: Vec<f32>,
    /// Mean and variance.
    pub statistics: Statistics,
    /// What is added to the variance.
    pub eps: f64,
}

/// The result of [`normalise_quantise`].
#[derive(Debug)]
pub struct Normalised {
    /// Quantised values, of the shape of the input.
    pub out: Tensor,
    /// What its gradient will mean for scales, choices, gain and bias.
    pub later: Later,
    /// Mean and unbiased variance of the batch, `[channels]` each, where they were asked for.
    pub batch: Option<[Vec<f32>; 2]>,
}

/// Normalises `x`, `[batch, channels]` or `[batch, channels, height, width]`, by channel and quantises the outcome as
/// [`super::quantise`] does, with one row.
///
/// # Panics
/// If `x` is not on the CPU, the normalisation has another number of channels, or the row no branch or more than three.
pub fn normalise_quantise(x: &Tensor, norm: &Normalisation, row: Row, unsigned: bool) -> Normalised {
    let branches = row.branches.len();
    assert!((1..=3).contains(&branches), "there are one to three widths, not {branches}");
    assert!(x.size()[1] as usize == norm.gain.len(), "a gain for each of {:?}", x.size());
    let x = channels_innermost(x);
    let later = Later::default();
    let (raw, channels) = (x.detach(), norm.gain.len());
    let ([mean, var], batch) = match &norm.statistics {
        Statistics::Given(both) => (both.clone(), None),
        Statistics::Batch => {
            let (both, unbiased) = moments(&raw, channels);
            (both, Some(unbiased))
        }
    };
    let deviation: Vec<f32> = var.iter().map(|&v| ((f64::from(v) + norm.eps).sqrt()) as f32).collect();
    let slope: Vec<f32> = norm.gain.iter().zip(&deviation).map(|(g, d)| g / d).collect();
    let offset: Vec<f32> =
        norm.bias.iter().zip(mean.iter().zip(&slope)).map(|(b, (m, s))| b - m * s).collect();
    let line = Line { slope: pattern(&slope), offset: pattern(&offset) };
    let pass =
        Pass { x: raw, line, mean, deviation, own: batch.is_some(), row, unsigned, later: later.clone() };
    let out = tch::no_grad(|| pass.forward());
    attach(&x, &out, pass);
    Normalised { out, later, batch }
}

/// `slope * x + offset`, each a [`pattern`].
#[derive(Debug)]
struct Line {
    slope: Vec<f32>,
    offset: Vec<f32>,
}

/// `t` itself if the channels of a pixel lie side by side and pixels one after another, else a copy that does.
fn channels_innermost(t: &Tensor) -> Tensor {
    if t.dim() == 4 { t.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]) } else { t.contiguous() }
}

/// Values of a [`pattern`] at most, but for networks with more channels.
const PATTERN: usize = 1024;

/// Numbers by channel for some pixels, one after another: with channels innermost these pass along the values in long loops
/// without a branch, whatever the number of channels.
fn pattern(by_channel: &[f32]) -> Vec<f32> {
    by_channel.repeat((PATTERN / by_channel.len()).max(1))
}

/// Elements of the patterns that a thread takes at a time.
fn share(pattern: usize) -> usize {
    (SHARE / pattern).max(1) * pattern
}

/// Adds what a pattern holds of each channel to its sum.
fn fold(sums: &mut [f64], pattern: &[f32]) {
    for pixel in pattern.chunks_exact(sums.len()) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
}

/// Mean and variance of each channel, and mean and unbiased variance.
fn moments(x: &Tensor, channels: usize) -> ([Vec<f32>; 2], [Vec<f32>; 2]) {
    use rayon::prelude::*;
    let values = floats(x);
    // Of what the channel is off its first value: where all lie close together, their squares would swallow the difference.
    let shift = pattern(&values[..channels]);
    let parts: Vec<[Vec<f32>; 2]> =
        values.par_chunks(share(shift.len())).map(|v| moments_pass(v, &shift)).collect();
    let count = (values.len() / channels) as f64;
    let [mut sums, mut squares] = [(); 2].map(|()| vec![0f64; channels]);
    for [sum, square] in &parts {
        fold(&mut sums, sum);
        fold(&mut squares, square);
    }
    let mean: Vec<f64> = sums.iter().map(|s| s / count).collect();
    let var: Vec<f64> = squares.iter().zip(&mean).map(|(s, m)| (s / count - m * m).max(0.0)).collect();
    let mean: Vec<f64> = mean.iter().zip(&shift).map(|(m, &s)| m + f64::from(s)).collect();
    let floats = |v: &[f64], by: f64| v.iter().map(|v| (v * by) as f32).collect::<Vec<f32>>();
    let unbiased = count / (count - 1.0).max(1.0);
    ([floats(&mean, 1.0), floats(&var, 1.0)], [floats(&mean, 1.0), floats(&var, unbiased)])
}

/// The way through [`normalise_quantise`] and back.
#[derive(Debug)]
struct Pass {
    x: Tensor,
    line: Line,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// Whether mean and variance are those of `x`, so that they pass gradients on.
    own: bool,
    row: Row,
    unsigned: bool,
    later: Later,
}

impl Pass {
    fn channels(&self) -> usize {
        self.mean.len()
    }

    fn forward(&self) -> Tensor {
        let mut out = self.x.empty_like();
        let (x, share) = (floats(&self.x), share(self.line.slope.len()));
        let part = Part::new(&self.row.branches[self.row.chosen], self.unsigned);
        let line = &self.line;
        shares(floats_mut(&mut out), share, |i, out| {
            forward_pass(&x[i * share..][..out.len()], out, line, part);
        });
        out
    }

    fn back<const N: usize>(&self, gradient: Tensor, alone: bool) -> (Tensor, Gradients) {
        let (mut out, from) = target(gradient, &self.x, alone);
        let (x, from) = (floats(&self.x), from.as_ref().map(floats));
        let channels = self.channels();
        let share = share(self.line.slope.len());
        let parts: [Part; N] = std::array::from_fn(|n| Part::new(&self.row.branches[n], self.unsigned));
        let (line, chosen) = (&self.line, self.row.chosen);
        let each = shares(floats_mut(&mut out), share, |i, g| {
            let at = i * share..i * share + g.len();
            back_pass(&x[at.clone()], g, from.map(|from| &from[at]), line, parts, chosen)
        });
        let mut branches = vec![Sums::default(); N];
        // What the gradient sums up to by channel, alone and times xhat: the gradients of bias and gain.
        let [mut by_bias, mut by_x] = [(); 2].map(|()| vec![0f64; channels]);
        for part in &each {
            branches.iter_mut().zip(&part.branches).for_each(|(sum, s)| *sum += *s);
            fold(&mut by_bias, &part.channels[0]);
            fold(&mut by_x, &part.channels[1]);
        }
        let by_gain: Vec<f64> = (0..channels)
            .map(|c| (by_x[c] - f64::from(self.mean[c]) * by_bias[c]) / f64::from(self.deviation[c]))
            .collect();
        // slope * (g - mean(g) - xhat * mean(g * xhat)), as slope * g + along * x + level.
        let pixels = if self.own { (x.len() / channels) as f64 } else { f64::INFINITY };
        let along: Vec<f32> = (0..channels)
            .map(|c| {
                (-f64::from(self.line.slope[c]) * by_gain[c] / pixels / f64::from(self.deviation[c])) as f32
            })
            .collect();
        let level: Vec<f32> = (0..channels)
            .map(|c| {
                let mean = f64::from(self.line.slope[c]) * by_bias[c] / pixels;
                (-mean - f64::from(along[c]) * f64::from(self.mean[c])) as f32
            })
            .collect();
        let curve = Curve { slope: self.line.slope.clone(), along: pattern(&along), level: pattern(&level) };
        shares(floats_mut(&mut out), share, |i, g| input_pass(&x[i * share..][..g.len()], g, &curve));
        let floats = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
        let gain_and_bias = [floats(by_gain), floats(by_bias)];
        (out, Gradients { branches: vec![branches], gain_and_bias })
    }
}

impl Backward for Pass {
    fn backward(&self, gradient: Tensor, alone: bool) -> Tensor {
        let (out, gradients) = match self.row.branches.len() {
            1 => self.back::<1>(gradient, alone),
            2 => self.back::<2>(gradient, alone),
            _ => self.back::<3>(gradient, alone),
        };
        self.later.say(gradients);
        out
    }
}

/// What one share of the way back adds up.
struct Share {
    branches: Vec<Sums>,
    /// The masked gradient, and the same times `x`, by place in the [`pattern`].
    channels: [Vec<f32>; 2],
}

/// The gradient of the input, `slope * g + along * x + level`, each a [`pattern`].
struct Curve {
    slope: Vec<f32>,
    along: Vec<f32>,
    level: Vec<f32>,
}

vectorised!(moments_pass, moments_loop, (x: &[f32], shift: &[f32]) -> [Vec<f32>; 2]);
vectorised!(forward_pass, forward_loop, (x: &[f32], out: &mut [f32], line: &Line, part: Part) -> ());
vectorised!(back_pass<const N>, back_loop, (x: &[f32], g: &mut [f32], from: Option<&[f32]>, line: &Line, parts: [Part; N], chosen: usize) -> Share);
vectorised!(input_pass, input_loop, (x: &[f32], g: &mut [f32], curve: &Curve) -> ());

/// Adds up values, and their squares, off their shift.
// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn moments_loop(x: &[f32], shift: &[f32]) -> [Vec<f32>; 2] {
    let [mut sums, mut squares] = [(); 2].map(|()| vec![0f32; shift.len()]);
    for x in x.chunks(shift.len()) {
        for (((x, shift), sum), square) in x.iter().zip(shift).zip(&mut sums).zip(&mut squares) {
            let x = x - shift;
            *sum += x;
            *square += x * x;
        }
    }
    [sums, squares]
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn forward_loop(x: &[f32], out: &mut [f32], line: &Line, part: Part) {
    let some = line.slope.len();
    for (x, out) in x.chunks(some).zip(out.chunks_mut(some)) {
        for (((x, out), slope), offset) in x.iter().zip(out).zip(&line.slope).zip(&line.offset) {
            *out = code((x * slope + offset) * part.inverse, &part) * part.scale;
        }
    }
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn back_loop<const N: usize>(
    x: &[f32],
    g: &mut [f32],
    from: Option<&[f32]>,
    line: &Line,
    parts: [Part; N],
    chosen: usize,
) -> Share {
    let some = line.slope.len();
    let mut branches = vec![Sums::default(); N];
    let [mut gradients, mut products, mut y] = [(); 3].map(|()| vec![0f32; some]);
    for (i, (x, g)) in x.chunks(some).zip(g.chunks_mut(some)).enumerate() {
        if let Some(from) = from {
            g.copy_from_slice(&from[i * some..][..g.len()]);
        }
        for (((y, x), slope), offset) in y.iter_mut().zip(x).zip(&line.slope).zip(&line.offset) {
            *y = x * slope + offset;
        }
        gather(&mut branches, &y[..x.len()], g, &parts, chosen);
        for (((x, g), gradient), product) in x.iter().zip(g).zip(&mut gradients).zip(&mut products) {
            *gradient += *g;
            *product += *g * x;
        }
    }
    Share { branches, channels: [gradients, products] }
}

// Must become part of `vectorised` functions, to use their instructions.
#[allow(clippy::inline_always)]
#[inline(always)]
fn input_loop(x: &[f32], g: &mut [f32], curve: &Curve) {
    let some = curve.slope.len();
    for (x, g) in x.chunks(some).zip(g.chunks_mut(some)) {
        let curve = curve.slope.iter().zip(&curve.along).zip(&curve.level);
        for ((x, g), ((slope, along), level)) in x.iter().zip(g).zip(curve) {
            *g = *g * slope + x * along + level;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Branch, activation};
    use super::*;
    use proptest::prelude::*;
    use tch::{Device, Kind};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Values and all gradients equal those of libtorch's normalisation and a quantiser of torch operations.
        #[test]
        fn passes_equal_torch(
            seed: i64, channels in 1i64..21, side in 1i64..6, batch in 2i64..6, flat: bool, own: bool, unsigned: bool, shared: bool,
            channels_last: bool, chosen in 0usize..3, n in 1usize..4, scale in 0.02f64..0.3,
        ) {
            tch::set_num_threads(1);
            tch::manual_seed(seed);
            let options = (Kind::Float, Device::Cpu);
            let make = || {
                let t = Tensor::randn([batch, side, side + 1, channels], options).permute([0, 3, 1, 2]);
                let t = if channels_last { t } else { t.contiguous() };
                if flat { t.flatten(2, -1).mean_dim([2i64].as_slice(), false, Kind::Float) } else { t }
            };
            let (x, g) = (make() * 3.0 + 1.0, make());
            let per_channel = || Tensor::randn([channels], options);
            let (gain, bias, mean) = (per_channel(), per_channel(), per_channel());
            let var = per_channel().square() + 0.1;
            let list = |t: &Tensor| Vec::<f32>::try_from(t).expect("floats");
            let statistics = if own { Statistics::Batch } else { Statistics::Given([list(&mean), list(&var)]) };
            let norm = Normalisation { gain: list(&gain), bias: list(&bias), statistics, eps: 1e-5 };
            let branches: Vec<_> = (0..n).map(|b| Branch { bits: 2 << b, scale: scale / f64::from(1 << b) }).collect();
            let row = Row { branches: branches.clone(), chosen: chosen % n };

            let fast = x.copy().set_requires_grad(true);
            let other = fast.zeros_like().set_requires_grad(true);
            let got = normalise_quantise(&fast, &norm, row.clone(), unsigned);
            let used = if shared { &got.out + &other * 1.0 } else { got.out.shallow_clone() };
            (used * &g).sum(Kind::Float).backward();

            let slow = x.copy().set_requires_grad(true);
            let [gain, bias] = [gain, bias].map(|t| t.set_requires_grad(true));
            // With a momentum of 1 the running statistics are those of the batch.
            let (running_mean, running_var) = (mean.copy(), var.copy());
            let y = slow.batch_norm(Some(&gain), Some(&bias), Some(&running_mean), Some(&running_var), own, 1.0, 1e-5, false);
            let each: Vec<_> = branches
                .iter()
                .map(|b| {
                    let log = Tensor::from(b.scale.ln() as f32).set_requires_grad(true);
                    (activation(&y, &log, b.bits, unsigned), log)
                })
                .collect();
            (&each[row.chosen].0 * &g).sum(Kind::Float).backward();

            // A value that rounding of floating point puts on the other side of a step differs by a whole one.
            let off = (&got.out - &each[row.chosen].0).abs();
            let step = branches[row.chosen].scale;
            let moved = off.ge(0.01 * step).sum(Kind::Int64).int64_value(&[]);
            prop_assert!(moved <= 1, "{moved} of {} values differ", off.numel());
            prop_assume!(moved == 0);
            let near = |a: &Tensor, b: &Tensor, what: &str| {
                let (off, size) = ((a - b).abs().max().double_value(&[]), b.abs().max().double_value(&[]));
                if off <= 5e-4 * size.max(1.0) { Ok(()) } else { Err(TestCaseError::fail(format!("{what}: {off} of {size}"))) }
            };
            near(&fast.grad(), &slow.grad(), "input")?;
            let back = got.later.gradients().expect("a gradient came by");
            near(&Tensor::from_slice(&back.gain_and_bias[0]), &gain.grad(), "gain")?;
            near(&Tensor::from_slice(&back.gain_and_bias[1]), &bias.grad(), "bias")?;
            let log_scale = each[row.chosen].1.grad().double_value(&[]);
            let size = g.abs().sum(Kind::Double).double_value(&[]);
            prop_assert!((back.branches[0][row.chosen].log_scale - log_scale).abs() <= 1e-4 * size);
            for (sums, (values, _)) in back.branches[0].iter().zip(&each) {
                let factor = (values * &g).sum(Kind::Double).double_value(&[]);
                prop_assert!((sums.factor - factor).abs() <= 1e-4 * size, "{} and {factor}", sums.factor);
            }
            if let Some([mean, var]) = &got.batch {
                near(&Tensor::from_slice(mean), &running_mean, "mean")?;
                near(&Tensor::from_slice(var), &running_var, "variance")?;
            }
            prop_assert_eq!(own, got.batch.is_some());
        }
    }

    /// Sums are gathered in fixed shares, so results do not depend on how many threads there are.
    #[test]
    fn threads_change_nothing() {
        tch::set_num_threads(1);
        tch::manual_seed(3);
        let x = Tensor::randn([16, 24, 20, 20], (Kind::Float, Device::Cpu));
        let g = x.randn_like();
        let norm = Normalisation {
            gain: vec![1.5; 24],
            bias: vec![0.1; 24],
            statistics: Statistics::Batch,
            eps: 1e-5,
        };
        let row = Row { branches: vec![Branch { bits: 4, scale: 0.2 }], chosen: 0 };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let (x, g, norm, row) = (x.copy(), g.copy(), norm.clone(), row.clone());
            pool.install(move || {
                let leaf = x.set_requires_grad(true);
                let got = normalise_quantise(&leaf, &norm, row, false);
                (&got.out * &g).sum(Kind::Float).backward();
                let back = got.later.gradients().expect("a gradient came by");
                (leaf.grad(), got.batch, back.gain_and_bias.clone(), back.branches.clone())
            })
        };
        let (one, three) = (run(1), run(3));
        assert!(one.0 == three.0 && one.1 == three.1 && one.2 == three.2 && one.3 == three.3);
    }
}
