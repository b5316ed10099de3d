//! The layers of a network. What they mean is in [`crate::golden`].

use serde::{Deserialize, Serialize};

use super::TensorId;

/// Integer requantisation of one output channel: `(acc * kappa + lambda) >> shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requant {
    /// Multiplier.
    pub kappa: i32,
    /// Addend: bias, output zero point and rounding, in units of `2^-shift` output steps.
    pub lambda: i32,
    /// Arithmetic right shift, 0..=31.
    pub shift: u8,
}

/// One layer. Matches over this enum have no `_` arm, so that no layer is ever skipped or free by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IntLayer {
    /// 2-D convolution, groups = 1.
    Conv2d(Conv2d),
    /// Fully connected layer over the flattened (height, width, channel) input; output is 1 x 1 x n.
    Linear(Linear),
    /// 2-D convolution of each channel with a kernel of its own; as many output as input channels.
    Depthwise(Depthwise),
    /// Average over a window without padding.
    AvgPool(AvgPool),
    /// Largest code of a window.
    MaxPool(MaxPool),
    /// Elementwise sum of two tensors of one shape, each with its own rescaling.
    Add(Add),
}

/// 2-D convolution with per-output-channel weight precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Name, unique in the network.
    pub name: String,
    /// Input tensor.
    pub input: TensorId,
    /// Output tensor.
    pub output: TensorId,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub pad: [usize; 4],
    /// Weight bits (2, 4, 8, or 0 for a pruned channel) of each output channel.
    pub weight_bits: Vec<u8>,
    /// Weight codes, `[output channel][kernel row][kernel column][input channel]`.
    pub weights: Vec<i8>,
    /// Requantisation of each output channel.
    pub requant: Vec<Requant>,
}

/// Fully connected layer with per-output-channel weight precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// Name, unique in the network.
    pub name: String,
    /// Input tensor.
    pub input: TensorId,
    /// Output tensor, 1 x 1 x outputs.
    pub output: TensorId,
    /// Weight bits (2, 4, 8, or 0 for a pruned output) of each output.
    pub weight_bits: Vec<u8>,
    /// Weight codes, `[output][row][column][channel]` of the input tensor.
    pub weights: Vec<i8>,
    /// Requantisation of each output.
    pub requant: Vec<Requant>,
}

/// 2-D depthwise convolution with per-channel weight precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Depthwise {
    /// Name, unique in the network.
    pub name: String,
    /// Input tensor.
    pub input: TensorId,
    /// Output tensor.
    pub output: TensorId,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub pad: [usize; 4],
    /// Weight bits (2, 4, 8, or 0 for a pruned channel) of each channel.
    pub weight_bits: Vec<u8>,
    /// Weight codes, `[channel][kernel row][kernel column]`.
    pub weights: Vec<i8>,
    /// Requantisation of each channel.
    pub requant: Vec<Requant>,
}

/// Average pooling: `out = clip((sum * kappa + lambda) >> shift)`, `sum` over `code - zero_point` in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AvgPool {
    /// Name, unique in the network.
    pub name: String,
    /// Input tensor.
    pub input: TensorId,
    /// Output tensor.
    pub output: TensorId,
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Requantisation, the same for all channels; the division by the window size is in `kappa` and `shift`.
    pub requant: Requant,
}

/// Max pooling: the largest code of the window. Padding never wins: it counts as the smallest code. The output has the
/// number format of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Name, unique in the network.
    pub name: String,
    /// Input tensor.
    pub input: TensorId,
    /// Output tensor.
    pub output: TensorId,
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pad: [usize; 4],
}

/// Residual addition: `out = clip((a * kappa_a + b * kappa_b + lambda) >> shift)` with `a`, `b` minus their zero points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Add {
    /// Name, unique in the network.
    pub name: String,
    /// The two input tensors.
    pub inputs: [TensorId; 2],
    /// Output tensor.
    pub output: TensorId,
    /// Multiplier of each input.
    pub kappa: [i32; 2],
    /// Addend: output zero point and rounding.
    pub lambda: i32,
    /// Arithmetic right shift, 0..=31.
    pub shift: u8,
}

impl Requant {
    /// The requantisation nearest to `acc * scale + offset` (rounded half up) for accumulators in `range`: the largest
    /// shift, and with it the finest `kappa`, for which nothing can leave the `i32` range. `None` if there is none, which
    /// takes a scale or offset of about 2^30.
    ///
    /// The error against exact arithmetic is at most half a unit of `kappa`, so `|acc| / 2^(shift + 1)` output steps.
    #[must_use]
    pub fn from_real(scale: f64, offset: f64, range: (i64, i64)) -> Option<Self> {
        (0..=31u8).rev().find_map(|shift| {
            let unit = f64::from(shift).exp2();
            let (kappa, lambda) = ((scale * unit).round(), ((offset + 0.5) * unit).round());
            let ends = [range.0, range.1].map(|acc| acc as f64 * kappa + lambda);
            let limit = f64::from(1 << 30) * 2.0 - 1.0;
            let fits = |v: f64| v.abs() < limit;
            (fits(kappa) && fits(lambda) && ends.into_iter().all(fits)).then_some(Self {
                kappa: kappa as i32,
                lambda: lambda as i32,
                shift,
            })
        })
    }

    /// `(acc * kappa + lambda) >> shift`, modulo 2^32 as on the core.
    #[must_use]
    pub fn apply(self, acc: i32) -> i32 {
        acc.wrapping_mul(self.kappa).wrapping_add(self.lambda) >> self.shift
    }
}

impl IntLayer {
    /// Name of the layer.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Conv2d(l) => &l.name,
            Self::Linear(l) => &l.name,
            Self::Depthwise(l) => &l.name,
            Self::AvgPool(l) => &l.name,
            Self::MaxPool(l) => &l.name,
            Self::Add(l) => &l.name,
        }
    }

    /// The tensors it reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<TensorId> {
        match self {
            Self::Conv2d(l) => vec![l.input],
            Self::Linear(l) => vec![l.input],
            Self::Depthwise(l) => vec![l.input],
            Self::AvgPool(l) => vec![l.input],
            Self::MaxPool(l) => vec![l.input],
            Self::Add(l) => l.inputs.to_vec(),
        }
    }

    /// The tensor it writes.
    #[must_use]
    pub fn output(&self) -> TensorId {
        match self {
            Self::Conv2d(l) => l.output,
            Self::Linear(l) => l.output,
            Self::Depthwise(l) => l.output,
            Self::AvgPool(l) => l.output,
            Self::MaxPool(l) => l.output,
            Self::Add(l) => l.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Within the range nothing overflows, and the result is the exact one up to the stated error.
        #[test]
        fn requantisation_is_near_and_never_overflows(
            scale in 1e-6f64..4.0, offset in -300.0f64..300.0, low in -5_000_000i64..=0, high in 0i64..5_000_000, at in 0.0f64..=1.0,
        ) {
            let q = Requant::from_real(scale, offset, (low, high)).expect("moderate values have one");
            let acc = low + ((high - low) as f64 * at) as i64;
            let wide = acc * i64::from(q.kappa) + i64::from(q.lambda);
            prop_assert!(i32::try_from(wide).is_ok());
            let exact = acc as f64 * scale + offset;
            let error = acc.abs() as f64 / f64::from(q.shift + 1).exp2() + 1.0 / f64::from(q.shift).exp2();
            let got = f64::from(q.apply(acc as i32));
            prop_assert!((got - (exact + 0.5).floor()).abs() <= 1.0 + error, "{got} for {exact}");
        }
    }
}
