//! The layers of a network. What they mean is in [`crate::golden`].

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{LayerKind, Tensor, TensorId};
use crate::window::Window;

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

/// One layer: what all have, and what it does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Read")]
pub struct Layer {
    /// Name, unique in the network.
    pub name: String,
    /// The tensors it reads, as many as [`LayerKind::reads`].
    pub inputs: Vec<TensorId>,
    /// The tensor it writes.
    pub output: TensorId,
    /// What it does.
    pub op: Op,
}

/// What a layer does. Matches over this enum have no `_` arm, so that no layer is ever skipped or free by default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Op {
    /// 2-D convolution, groups = 1; weights `[output channel][kernel row][kernel column][input channel]`.
    Conv2d(Convolution),
    /// Fully connected layer over the flattened input; weights `[output][row][column][channel]` of the input tensor, whose
    /// output is 1 x 1 x outputs.
    Linear(Weights),
    /// 2-D convolution of each channel with a kernel of its own; weights `[channel][kernel row][kernel column]`.
    Depthwise(Convolution),
    /// Average over a window without padding.
    AvgPool(AvgPool),
    /// The largest code of a window. Padding never wins: it counts as the smallest code. The output has the number format of
    /// the input.
    MaxPool(Window),
    /// Elementwise sum of two tensors of one shape, each with its own rescaling.
    Add(Add),
}

/// Weights that move over an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Convolution {
    /// How they move.
    #[serde(flatten)]
    pub window: Window,
    /// The weights.
    #[serde(flatten)]
    pub weights: Weights,
}

/// Weights with a precision per output channel.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Weights {
    /// Bits (2, 4, 8, or 0 for a pruned channel) of each output channel.
    #[serde(rename = "weight_bits")]
    pub bits: Vec<u8>,
    /// Codes, one output channel after another.
    #[serde(rename = "weights")]
    pub codes: Vec<i8>,
    /// Requantisation of each output channel.
    pub requant: Vec<Requant>,
}

/// Average pooling: `out = clip((sum * kappa + lambda) >> shift)`, `sum` over `code - zero_point` in the window.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AvgPool {
    /// The window; its padding is 0.
    #[serde(flatten, deserialize_with = "without_padding")]
    pub window: Window,
    /// Requantisation, the same for all channels; the division by the window size is in `kappa` and `shift`.
    pub requant: Requant,
}

/// Residual addition: `out = clip((a * kappa_a + b * kappa_b + lambda) >> shift)` with `a`, `b` minus their zero points.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Add {
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

impl Layer {
    /// The first of the tensors it reads.
    #[must_use]
    pub fn input(&self) -> TensorId {
        self.inputs[0]
    }

    /// What kind of layer it is.
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        self.op.kind()
    }
}

impl Op {
    /// What kind of layer does it.
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Conv2d(_) => LayerKind::Conv2d,
            Self::Linear(_) => LayerKind::Linear,
            Self::Depthwise(_) => LayerKind::Depthwise,
            Self::AvgPool(_) => LayerKind::AvgPool,
            Self::MaxPool(_) => LayerKind::MaxPool,
            Self::Add(_) => LayerKind::Add,
        }
    }

    /// Its weights, if it has any.
    #[must_use]
    pub fn weights(&self) -> Option<&Weights> {
        match self {
            Self::Conv2d(l) | Self::Depthwise(l) => Some(&l.weights),
            Self::Linear(weights) => Some(weights),
            Self::AvgPool(_) | Self::MaxPool(_) | Self::Add(_) => None,
        }
    }

    /// As [`Op::weights`], to change them.
    pub fn weights_mut(&mut self) -> Option<&mut Weights> {
        match self {
            Self::Conv2d(l) | Self::Depthwise(l) => Some(&mut l.weights),
            Self::Linear(weights) => Some(weights),
            Self::AvgPool(_) | Self::MaxPool(_) | Self::Add(_) => None,
        }
    }

    /// The window it moves over its input, if it has one.
    #[must_use]
    pub fn window(&self) -> Option<&Window> {
        match self {
            Self::Conv2d(l) | Self::Depthwise(l) => Some(&l.window),
            Self::AvgPool(l) => Some(&l.window),
            Self::MaxPool(window) => Some(window),
            Self::Linear(_) | Self::Add(_) => None,
        }
    }

    /// As [`Op::window`], to change it.
    pub fn window_mut(&mut self) -> Option<&mut Window> {
        match self {
            Self::Conv2d(l) | Self::Depthwise(l) => Some(&mut l.window),
            Self::AvgPool(l) => Some(&mut l.window),
            Self::MaxPool(window) => Some(window),
            Self::Linear(_) | Self::Add(_) => None,
        }
    }

    /// The code that positions of the padding of its input `x` count as; `None` without padding.
    #[must_use]
    pub fn padding_code(&self, x: &Tensor) -> Option<i32> {
        self.window().filter(|w| w.pad != [0; 4])?;
        match self {
            Self::Conv2d(_) | Self::Depthwise(_) => Some(x.zero_point),
            Self::MaxPool(_) => Some(x.range().0),
            Self::Linear(_) | Self::AvgPool(_) | Self::Add(_) => None,
        }
    }

    /// The code of an output channel in `y` where all that it depends on is the real value 0.
    #[must_use]
    pub fn code_of_zeros(&self, channel: usize, y: &Tensor) -> i32 {
        let code = match self {
            Self::Conv2d(Convolution { weights, .. })
            | Self::Depthwise(Convolution { weights, .. })
            | Self::Linear(weights) => weights.requant[channel].apply(0),
            Self::AvgPool(l) => l.requant.apply(0),
            // Input and output have one number format.
            Self::MaxPool(_) => y.zero_point,
            Self::Add(l) => l.lambda >> l.shift,
        };
        y.clip(code)
    }
}

// The file has one flat object for each layer, `kind` first, and `input` for layers that read one tensor.

/// A layer as it is read.
#[derive(Deserialize)]
struct Read {
    name: String,
    input: Option<TensorId>,
    inputs: Option<Vec<TensorId>>,
    output: TensorId,
    #[serde(flatten)]
    op: Op,
}

impl TryFrom<Read> for Layer {
    type Error = String;

    fn try_from(read: Read) -> Result<Self, String> {
        let Read { name, input, inputs, output, op } = read;
        let reads = op.kind().reads();
        let inputs = match (input, inputs) {
            (Some(input), None) if reads == 1 => vec![input],
            (None, Some(inputs)) if reads > 1 && inputs.len() == reads => inputs,
            (..) => {
                let key = if reads == 1 { "'input' with a tensor" } else { "'inputs' with two tensors" };
                return Err(format!("layer '{name}' of kind {} has no {key}", op.kind()));
            }
        };
        Ok(Self { name, inputs, output, op })
    }
}

/// A window of which the file says kernel and stride.
fn without_padding<'de, D: Deserializer<'de>>(from: D) -> Result<Window, D::Error> {
    #[derive(Deserialize)]
    struct Steps {
        kernel: [usize; 2],
        stride: [usize; 2],
    }
    let Steps { kernel, stride } = Steps::deserialize(from)?;
    Ok(Window { kernel, stride, pad: [0; 4] })
}

impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("kind", &self.kind())?;
        map.serialize_entry("name", &self.name)?;
        if let [input] = self.inputs[..] {
            map.serialize_entry("input", &input)?;
        } else {
            map.serialize_entry("inputs", &self.inputs)?;
        }
        map.serialize_entry("output", &self.output)?;
        if let Some(window) = self.op.window() {
            map.serialize_entry("kernel", &window.kernel)?;
            map.serialize_entry("stride", &window.stride)?;
            if self.kind().pads() {
                map.serialize_entry("pad", &window.pad)?;
            }
        }
        if let Some(weights) = self.op.weights() {
            map.serialize_entry("weight_bits", &weights.bits)?;
            map.serialize_entry("weights", &weights.codes)?;
            map.serialize_entry("requant", &weights.requant)?;
        }
        match &self.op {
            Op::Conv2d(_) | Op::Linear(_) | Op::Depthwise(_) | Op::MaxPool(_) => {}
            Op::AvgPool(l) => map.serialize_entry("requant", &l.requant)?,
            Op::Add(l) => {
                map.serialize_entry("kappa", &l.kappa)?;
                map.serialize_entry("lambda", &l.lambda)?;
                map.serialize_entry("shift", &l.shift)?;
            }
        }
        map.end()
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
