//! The integer network: the one description that training lowers to, the reference evaluates, and deployment runs.
//!
//! # Numbers
//!
//! Every activation tensor holds **signed codes** of [`Tensor::bits`] bits, `-2^(bits-1) ..= 2^(bits-1)-1`, that
//! stand for `scale * (code - zero_point)`. A tensor behind a `ReLU` uses its whole range for values >= 0, so its
//! zero point is `-2^(bits-1)`; a tensor that may be negative has zero point 0. An unsigned 8-bit image `p` is stored
//! as `p - 128` with zero point -128. Thus all dot products on the core are signed times signed.
//!
//! Weights are symmetric signed codes of 2, 4 or 8 bits, chosen **per output channel**. A channel of 0 bits is *pruned*: its
//! weights are all 0 and it holds the real value 0 everywhere, so its requantisation turns `acc = 0` into the zero point.
//!
//! A layer with weights computes, for each output channel `c`,
//!
//! ```text
//! acc = sum over the kernel window of (input_code - input_zero_point) * weight_code      (padding contributes 0)
//! out = clip((acc * kappa[c] + lambda[c]) >> shift[c], output range)                     (arithmetic shift)
//! ```
//!
//! where bias, output zero point and rounding (half a step) are inside `lambda`. All arithmetic is exact in 32-bit
//! two's complement: [`IntNet::validate`] proves per channel that `acc * kappa + lambda` cannot leave the `i32` range.
//!
//! Channels are in the order of training; reordering, grouping and packing for the core are the deployment's business.

mod kind;
mod layers;
mod validate;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use kind::LayerKind;
pub use layers::{Add, AvgPool, Convolution, Layer, Op, Requant, Weights};
pub use validate::NetError;

/// Index of a tensor in [`IntNet::tensors`].
pub type TensorId = usize;

/// A whole integer network: the content of `network.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntNet {
    /// Always [`IntNet::FORMAT`].
    pub format: String,
    /// Version of the file format, [`IntNet::VERSION`].
    pub version: u32,
    /// Name of the network, for people.
    pub name: String,
    /// Every activation tensor, network input and output included.
    pub tensors: Vec<Tensor>,
    /// Layers in execution order.
    pub layers: Vec<Layer>,
    /// The tensor the caller fills.
    pub input: TensorId,
    /// The tensor the caller reads.
    pub output: TensorId,
}

/// Shape and number format of an activation tensor (height x width x channels, channels innermost).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Name, unique in the network.
    pub name: String,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// 2, 4 or 8; 32 only for the network output (raw `(acc * kappa + lambda) >> shift`, not clipped).
    pub bits: u8,
    /// Code that stands for the real value 0.
    pub zero_point: i32,
    /// Real value of one code step. For reports and for reading outputs; integer execution never uses it.
    pub scale: f64,
}

impl Tensor {
    /// Smallest and largest code.
    #[must_use]
    pub fn range(&self) -> (i32, i32) {
        let half = 1i64 << (self.bits - 1);
        ((-half) as i32, (half - 1) as i32)
    }

    /// The nearest code; an output of 32 bits is not clipped.
    #[must_use]
    pub fn clip(&self, code: i32) -> i32 {
        let (low, high) = self.range();
        code.clamp(low, high)
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl IntNet {
    /// Value of [`IntNet::format`].
    pub const FORMAT: &str = "mpic-intnet";
    /// Value of [`IntNet::version`].
    pub const VERSION: u32 = 1;

    /// Reads and validates a `network.json`.
    ///
    /// # Errors
    /// If the file cannot be read, is no such JSON, or does not [validate](IntNet::validate).
    pub fn load(path: &Path) -> Result<Self, NetError> {
        let text =
            std::fs::read(path).map_err(|e| NetError::Read(path.display().to_string(), e.to_string()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// As [`IntNet::load`], from the text of a file; `name` is what errors call it.
    ///
    /// # Errors
    /// If it is no such JSON, or does not [validate](IntNet::validate).
    pub fn parse(text: &[u8], name: &str) -> Result<Self, NetError> {
        let net: Self =
            serde_json::from_slice(text).map_err(|e| NetError::Json(name.into(), e.to_string()))?;
        net.validate()?;
        Ok(net)
    }

    /// Writes the network as JSON; an existing file is replaced at once or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), NetError> {
        let failed = |e: &dyn std::fmt::Display| NetError::Write(path.display().to_string(), e.to_string());
        let text = serde_json::to_vec(self).map_err(|e| failed(&e))?;
        crate::files::write(path, &text).map_err(|e| failed(&e))
    }
}
