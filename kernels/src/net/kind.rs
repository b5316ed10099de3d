//! The kinds of layer, and what each of them is to those who plan, measure and list layers.
//!
//! Other rooms ask here instead of matching, so that a new kind answers every question in this one file.

use serde::{Deserialize, Serialize};

/// What a layer does, without its sizes and numbers. Matches over it have no `_` arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// 2-D convolution, groups = 1.
    Conv2d,
    /// Fully connected layer over the flattened (height, width, channel) input; output is 1 x 1 x n.
    Linear,
    /// 2-D convolution of each channel with a kernel of its own; as many output as input channels.
    Depthwise,
    /// Average over a window without padding.
    AvgPool,
    /// Largest code of a window.
    MaxPool,
    /// Elementwise sum of two tensors of one shape, each with its own rescaling.
    Add,
}

impl LayerKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Conv2d, Self::Linear, Self::Depthwise, Self::AvgPool, Self::MaxPool, Self::Add];

    /// Its name in files and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conv2d => "conv2d",
            Self::Linear => "linear",
            Self::Depthwise => "depthwise",
            Self::AvgPool => "avg_pool",
            Self::MaxPool => "max_pool",
            Self::Add => "add",
        }
    }

    /// Its name in sentences.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Conv2d => "convolution",
            Self::Linear => "linear layer",
            Self::Depthwise => "depthwise convolution",
            Self::AvgPool => "average pooling",
            Self::MaxPool => "max pooling",
            Self::Add => "addition",
        }
    }

    /// What its kernel accepts, in the words of `mpic-kernels list`.
    #[must_use]
    pub fn limits(self) -> &'static str {
        match self {
            Self::Conv2d => {
                "each width of activations x each of weights, per output channel; any kernel, stride, padding, channels"
            }
            Self::Linear => "as conv2d; the output may also have 32 bits",
            Self::Depthwise => {
                "as conv2d, any kernel, stride, padding; activations and weights are stored as bytes"
            }
            Self::AvgPool => "any width in and out; any window and stride, no padding",
            Self::MaxPool => "any width, output as input; any window, stride, padding",
            Self::Add => "any width in and out; two tensors of one shape",
        }
    }

    /// How many tensors it reads.
    #[must_use]
    pub fn reads(self) -> usize {
        match self {
            Self::Conv2d | Self::Linear | Self::Depthwise | Self::AvgPool | Self::MaxPool => 1,
            Self::Add => 2,
        }
    }

    /// Whether an output channel depends on the input channels of the same number only. Such layers tie the channel orders
    /// of their tensors; the others run in blocks of output channels by weight width ([`crate::plan`]).
    #[must_use]
    pub fn by_channel(self) -> bool {
        match self {
            Self::Conv2d | Self::Linear => false,
            Self::Depthwise | Self::AvgPool | Self::MaxPool | Self::Add => true,
        }
    }

    /// Whether it moves a window over its input.
    #[must_use]
    pub fn windowed(self) -> bool {
        match self {
            Self::Conv2d | Self::Depthwise | Self::AvgPool | Self::MaxPool => true,
            Self::Linear | Self::Add => false,
        }
    }

    /// Whether its window may reach over the edge of its input.
    #[must_use]
    pub fn pads(self) -> bool {
        match self {
            Self::Conv2d | Self::Depthwise | Self::MaxPool => true,
            Self::Linear | Self::AvgPool | Self::Add => false,
        }
    }

    /// Whether an output element depends on the input elements at the same place only, so that the output may be written
    /// over an input.
    #[must_use]
    pub fn elementwise(self) -> bool {
        match self {
            Self::Add => true,
            Self::Conv2d | Self::Linear | Self::Depthwise | Self::AvgPool | Self::MaxPool => false,
        }
    }

    /// Whether its output may have 32 bits.
    #[must_use]
    pub fn writes_wide(self) -> bool {
        match self {
            Self::Linear => true,
            Self::Conv2d | Self::Depthwise | Self::AvgPool | Self::MaxPool | Self::Add => false,
        }
    }

    /// Whether its kernel reads planes of bytes ([`crate::plan::Form::Planes`]).
    #[must_use]
    pub fn reads_planes(self) -> bool {
        match self {
            Self::Depthwise => true,
            Self::Conv2d | Self::Linear | Self::AvgPool | Self::MaxPool | Self::Add => false,
        }
    }

    /// Whether its kernel can write planes of bytes.
    #[must_use]
    pub fn writes_planes(self) -> bool {
        match self {
            Self::Conv2d | Self::MaxPool => true,
            Self::Linear | Self::Depthwise | Self::AvgPool | Self::Add => false,
        }
    }
}

impl std::fmt::Display for LayerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for LayerKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("there is no kind of layer '{name}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files, command lines and the list of all kinds agree.
    #[test]
    fn a_kind_has_one_name() {
        for kind in LayerKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a name"), kind.name());
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("conv3d".parse::<LayerKind>().is_err_and(|e| e.contains("conv3d")));
    }
}
