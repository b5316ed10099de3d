//! How a convolution or linear layer walks over its input.

use super::{Form, Plan};
use crate::net::IntLayer;
use crate::pack::Pair;

/// Pixels of a row that are computed four at a time, and pixels at its end that are computed alone. One or two pixels are less
/// work alone than in a block of four; three are not, and overlap with the block before.
#[must_use]
pub fn parts(out_width: usize) -> (usize, usize) {
    match (out_width, out_width % 4) {
        (..=3, _) => (0, out_width),
        (_, alone @ 1..=2) => (out_width - alone, alone),
        (..) => (out_width, 0),
    }
}

/// Steps in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Offset of the first window in the input's buffer; negative never.
    pub start: usize,
    /// To the next output pixel's window.
    pub pixel: usize,
    /// To the next output row's window.
    pub row: usize,
    /// Rows of the kernel.
    pub kernel_rows: usize,
    /// Bytes of a kernel row.
    pub row_bytes: usize,
    /// From one kernel row to the next.
    pub next_row: usize,
    /// Output rows; one if the output's pixels can be taken as a single row.
    pub out_height: usize,
    /// Output pixels of a row.
    pub out_width: usize,
}

impl Window {
    /// Passes of the inner loop per kernel row.
    #[must_use]
    pub fn passes(&self, pair: Pair) -> usize {
        self.row_bytes.div_ceil(pair.pass_bytes())
    }
}

impl Plan {
    /// The window of a convolution or linear layer; `None` for other layers.
    #[must_use]
    pub fn window(&self, layer: &IntLayer) -> Option<Window> {
        match layer {
            IntLayer::Conv2d(l) => {
                let (x, y) = (&self.layouts[l.input], &self.layouts[l.output]);
                let (tx, ty) = (&self.net.tensors[l.input], &self.net.tensors[l.output]);
                let [top, left, ..] = l.pad;
                let in_line = l.kernel == [1, 1]
                    && l.stride == [1, 1]
                    && x.form == Form::Pixels
                    && x.row == tx.width * x.pixel
                    && y.row == ty.width * y.pixel;
                let (out_height, out_width) =
                    if in_line { (1, ty.height * ty.width) } else { (ty.height, ty.width) };
                Some(Window {
                    start: x.first - top * x.row - left * x.pixel,
                    pixel: l.stride[1] * x.pixel,
                    row: l.stride[0] * x.row,
                    kernel_rows: l.kernel[0],
                    row_bytes: l.kernel[1] * x.pixel,
                    next_row: x.row,
                    out_height,
                    out_width,
                })
            }
            // A convolution whose kernel is the whole input.
            IntLayer::Linear(l) => {
                let (t, x) = (&self.net.tensors[l.input], &self.layouts[l.input]);
                let in_line = x.row == t.width * x.pixel;
                Some(Window {
                    start: x.first,
                    pixel: 0,
                    row: 0,
                    kernel_rows: if in_line { 1 } else { t.height },
                    row_bytes: if in_line { t.height * x.row } else { t.width * x.pixel },
                    next_row: x.row,
                    out_height: 1,
                    out_width: 1,
                })
            }
            IntLayer::Depthwise(_) | IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => None,
        }
    }
}
