//! How a convolution or linear layer walks over its input.

use super::{Form, Plan};
use crate::net::Layer;
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

/// How it goes from one output pixel's inputs to the next, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Offset of the first window in the input's buffer.
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

impl Walk {
    /// Passes of the inner loop per kernel row.
    #[must_use]
    pub fn passes(&self, pair: Pair) -> usize {
        self.row_bytes.div_ceil(pair.pass_bytes())
    }
}

impl Plan {
    /// The walk of a convolution or linear layer; `None` for layers that go channel by channel.
    #[must_use]
    pub fn walk(&self, layer: &Layer) -> Option<Walk> {
        if layer.kind().by_channel() {
            return None;
        }
        let (tx, ty) = (&self.net.tensors[layer.input()], &self.net.tensors[layer.output]);
        let (x, y) = (&self.layouts[layer.input()], &self.layouts[layer.output]);
        let in_line = x.row == tx.width * x.pixel;
        let Some(window) = layer.op.window() else {
            // A linear layer: a convolution whose kernel is the whole input.
            return Some(Walk {
                start: x.first,
                pixel: 0,
                row: 0,
                kernel_rows: if in_line { 1 } else { tx.height },
                row_bytes: if in_line { tx.height * x.row } else { tx.width * x.pixel },
                next_row: x.row,
                out_height: 1,
                out_width: 1,
            });
        };
        let [top, left, ..] = window.pad;
        let one_line = (window.kernel, window.stride) == ([1, 1], [1, 1])
            && x.form == Form::Pixels
            && in_line
            && y.row == ty.width * y.pixel;
        let (out_height, out_width) =
            if one_line { (1, ty.height * ty.width) } else { (ty.height, ty.width) };
        Some(Walk {
            start: x.first - top * x.row - left * x.pixel,
            pixel: window.stride[1] * x.pixel,
            row: window.stride[0] * x.row,
            kernel_rows: window.kernel[0],
            row_bytes: window.kernel[1] * x.pixel,
            next_row: x.row,
            out_height,
            out_width,
        })
    }
}
