//! Fake quantisation: real numbers that take only the values integer codes can have, differentiable (LSQ: a learned scale,
//! straight-through rounding).
//!
//! Codes always fit the hardware: `b` bits signed are `-2^(b-1) ..= 2^(b-1)-1`, unsigned `0 ..= 2^b-1` (stored with zero
//! point `-2^(b-1)`). Rounding is half up, as in the integer requantisation. Scales are kept as natural logarithms, so that
//! they stay positive and a step of the optimiser is a relative one.
//!
//! Source: Esser et al. 2020, "Learned step size quantization" (the gradient follows from the expression below).

mod backward;
mod normalised;
mod passes;

pub use normalised::{Normalisation, Normalised, Statistics, normalise_quantise};
pub use passes::{Branch, Gradients, Later, Row, Sums, quantise};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Smallest and largest code of `bits`.
#[must_use]
pub fn range(bits: u8, unsigned: bool) -> (f64, f64) {
    let levels = f64::from(bits).exp2();
    if unsigned { (0.0, levels - 1.0) } else { (-levels / 2.0, levels / 2.0 - 1.0) }
}

/// Rounds half up with the gradient of the identity.
// Scales divide as a product with their reciprocal, here as in the passes, so that both round alike.
fn round(x: &Tensor) -> Tensor {
    x + ((x + 0.5).floor() - x).detach()
}

/// Quantises an activation tensor of any shape with one scale (a scalar tensor).
pub fn activation(x: &Tensor, log_scale: &Tensor, bits: u8, unsigned: bool) -> Tensor {
    let (low, high) = range(bits, unsigned);
    let scale = log_scale.exp();
    round(&(x * scale.reciprocal()).clamp(low, high)) * scale
}

/// Quantises weights `[channels, fan-in]` with a scale per row of `log_scale` `[widths, channels]`, whose codes lie in
/// `low ..= high` (same shape): `[widths, channels, fan-in]`.
pub fn weights(w: &Tensor, log_scale: &Tensor, low: &Tensor, high: &Tensor) -> Tensor {
    let scale = log_scale.exp().unsqueeze(-1);
    let (low, high) = (low.unsqueeze(-1), high.unsqueeze(-1));
    round(&(w.unsqueeze(0) * scale.reciprocal()).clamp_tensor(Some(low), Some(high))) * scale
}

/// How quantisers find their scales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantisers {
    /// Scales are trained (LSQ, Esser et al. 2020).
    #[default]
    Learned,
    /// Weights by the least and the largest weight of a channel, anew in each step, their codes clipped to those of the
    /// hardware; activations by a trained clip that only clipped values move (PACT, Choi et al. 2018). As in Risso et al. 2022.
    MinMaxPact,
}

impl Quantisers {
    /// Quantises an activation tensor of any shape with one scale, whose logarithm is a scalar tensor.
    pub fn activation(self, x: &Tensor, log_scale: &Tensor, bits: u8, unsigned: bool) -> Tensor {
        match self {
            Self::Learned => activation(x, log_scale, bits, unsigned),
            Self::MinMaxPact => {
                let (low, high) = range(bits, unsigned);
                let scale = log_scale.exp();
                let clipped = x.maximum(&(&scale * low)).minimum(&(&scale * high));
                let (codes, scale) = (clipped.detach() / scale.detach(), scale.detach());
                let rounded = (codes + 0.5).floor() * scale;
                &clipped + (rounded - clipped.detach())
            }
        }
    }

    /// Logarithms of the scales of weights `[channels, fan-in]` at the given widths, `[widths, channels]`; `trained` are those
    /// that are learned.
    pub fn weight_scales(self, w: &Tensor, trained: &Tensor, widths: &[u8]) -> Tensor {
        match self {
            Self::Learned => trained.shallow_clone(),
            Self::MinMaxPact => {
                let w = w.detach();
                let spread = (w.amax([1], false) - w.amin([1], false)).clamp_min(1e-6);
                let each: Vec<_> =
                    widths.iter().map(|&b| (&spread / (f64::from(b).exp2() - 1.0)).log()).collect();
                Tensor::stack(&each, 0)
            }
        }
    }
}

/// The codes that [`weights`] stands for, for one width: `[channels, fan-in]`.
pub fn weight_codes(w: &Tensor, log_scale: &Tensor, low: &Tensor, high: &Tensor) -> Tensor {
    let v = w * log_scale.exp().reciprocal().unsqueeze(-1);
    (v.clamp_tensor(Some(low.unsqueeze(-1)), Some(high.unsqueeze(-1))) + 0.5).floor().to_kind(Kind::Int8)
}

/// Fractions of the largest magnitude that are tried as the largest code's value.
const CLIPS: usize = 48;

/// Logarithm of the scale with the least squared error for each row of `x` `[rows, n]`: `[rows]`.
pub fn best_log_scale(x: &Tensor, bits: u8, unsigned: bool) -> Tensor {
    let (low, high) = range(bits, unsigned);
    // A row of zeros has no best scale; any positive one will do.
    let largest = x.abs().amax([1], true).clamp_min(1e-6);
    let mut best =
        (Tensor::full([x.size()[0], 1], f64::INFINITY, (Kind::Float, x.device())), largest.ones_like());
    for i in 1..=CLIPS {
        let scale = &largest * (i as f64 / CLIPS as f64 / high);
        let rounded = ((x / &scale).clamp(low, high) + 0.5).floor() * &scale;
        let error = (x - rounded).square().sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        let better = error.lt_tensor(&best.0);
        best = (error.where_self(&better, &best.0), scale.where_self(&better, &best.1));
    }
    best.1.log().squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn floats(t: &Tensor) -> Vec<f32> {
        Vec::try_from(t.flatten(0, -1)).expect("floats")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// No value off the grid, no code outside the hardware's range, and within the range at most half a step away.
        #[test]
        fn codes_fit_the_hardware(
            x in prop::collection::vec(-3.0f32..3.0, 24), log in -4.0f32..1.0, bits in prop::sample::select(vec![2u8, 4, 8]),
            unsigned: bool,
        ) {
            tch::set_num_threads(1);
            let (low, high) = range(bits, unsigned);
            let scale = log.exp();
            for (v, q) in x.iter().zip(floats(&activation(&Tensor::from_slice(&x), &Tensor::from(log), bits, unsigned))) {
                let code = f64::from(q / scale);
                prop_assert!((code - code.round()).abs() < 1e-3 && code.round() >= low && code.round() <= high, "{code}");
                let inside = f64::from(v / scale).clamp(low, high);
                prop_assert!((code - inside).abs() <= 0.501, "{v} became {q}");
            }
            if !unsigned {
                let w = Tensor::from_slice(&x).view([4, 6]);
                let per = |v: f64| Tensor::full([1, 4], v, (Kind::Float, tch::Device::Cpu));
                let (l, h) = (per(low), per(high));
                let fake = weights(&w, &per(f64::from(log)), &l, &h).squeeze_dim(0);
                let codes = weight_codes(&w, &per(f64::from(log)).squeeze_dim(0), &l.squeeze_dim(0), &h.squeeze_dim(0));
                prop_assert!(codes.min().int64_value(&[]) >= low as i64 && codes.max().int64_value(&[]) <= high as i64);
                let again = codes.to_kind(Kind::Float) * f64::from(scale);
                prop_assert!((fake - again).abs().max().double_value(&[]) < 1e-4 * high.max(1.0));
            }
        }
    }

    #[test]
    fn gradients_are_those_of_lsq() {
        tch::set_num_threads(1);
        // scale 1: in range d/dlog(s) = round(v) - v; below or above it the end of the range; d/dx is 1 in range, 0 outside.
        let x = Tensor::from_slice(&[0.3f32, -50.0, 9.0]).set_requires_grad(true);
        let log = Tensor::from(0f32).set_requires_grad(true);
        activation(&x, &log, 4, false).sum(Kind::Float).backward();
        assert_eq!(floats(&x.grad()), [1.0, 0.0, 0.0]);
        assert!((log.grad().double_value(&[]) - (-0.3 - 8.0 + 7.0)).abs() < 1e-5);
    }

    #[test]
    fn best_scale_beats_the_largest_magnitude() {
        tch::set_num_threads(1);
        let x: Vec<f32> = (0..400).map(|i| ((i * 7919 % 400) as f32 / 200.0 - 1.0).powi(5)).collect();
        let x = Tensor::from_slice(&x).view([2, 200]);
        for bits in [2, 4, 8] {
            let error = |log: &Tensor| {
                let (low, high) = range(bits, false);
                let per = |v| Tensor::full([1, 2], v, (Kind::Float, tch::Device::Cpu));
                (weights(&x, &log.view([1, 2]), &per(low), &per(high)) - &x)
                    .square()
                    .sum(Kind::Float)
                    .double_value(&[])
            };
            let naive = (x.abs().amax([1], false) / range(bits, false).1).log();
            assert!(error(&best_log_scale(&x, bits, false)) <= error(&naive), "{bits} bits");
        }
    }
}
