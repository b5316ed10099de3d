//! How a tensor lies in memory.

use super::{BLOCK, copies};
use crate::net::{IntNet, Layer, Tensor, TensorId};

/// How the codes of a tensor are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Row by row, a pixel's channels together and filled up to whole words.
    Pixels,
    /// As `Pixels`, bytes without filling: an image of one or two channels, so that windows take fewer words.
    Dense,
    /// Channel by channel, a byte per code: the input of depthwise layers.
    Planes,
}

/// Where a tensor lies in memory: rows of pixels with a border. Rows share their side borders with their neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Slot `s` holds channel `order[s]`; other channels are not stored.
    pub order: Vec<usize>,
    /// Arrangement.
    pub form: Form,
    /// Border: top, left, bottom, right, in pixels.
    pub border: [usize; 4],
    /// Bytes from a pixel to the next.
    pub pixel: usize,
    /// Bytes from a row to the next.
    pub row: usize,
    /// Bytes from a plane to the next; 0 if there are no planes.
    pub plane: usize,
    /// Bytes in all, border included.
    pub bytes: usize,
    /// Offset of pixel (0, 0).
    pub first: usize,
}

/// What is to be filled with the border code. Sizes in pairs of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Planes, or 1.
    pub planes: usize,
    /// From the first byte on.
    pub head: usize,
    /// Gaps between rows.
    pub rows: usize,
    /// Size of a gap.
    pub pairs: usize,
    /// Bytes from the end of a filled gap to the next one.
    pub step: isize,
    /// Behind the last row.
    pub tail: usize,
    /// Bytes from the end of what is filled to the next plane.
    pub next: isize,
    /// Bytes from the end of the filled head to the first gap.
    pub skip_head: isize,
}

/// Bytes that filling in pairs of words may write behind a tensor's end.
const SLACK: usize = 8;

pub(super) fn layouts(net: &IntNet, orders: Vec<Vec<usize>>) -> Vec<Layout> {
    let layout = |(id, order)| layout(&net.tensors[id], order, border(net, id), form(net, id));
    orders.into_iter().enumerate().map(layout).collect()
}

fn layout(t: &Tensor, order: Vec<usize>, border: [usize; 4], form: Form) -> Layout {
    let [top, left, bottom, right] = border;
    // Blocks are stored whole, so there must be room for a multiple of four channels.
    let slots = order.len().next_multiple_of(BLOCK);
    let pixel = match form {
        Form::Pixels => (slots * usize::from(t.bits)).div_ceil(32) * 4,
        Form::Dense => order.len(),
        Form::Planes => 1,
    };
    let row = ((t.width + left.max(right)) * pixel).next_multiple_of(4);
    let first = top * row + left * pixel;
    let size = (first + (t.height - 1 + bottom) * row + (t.width + right) * pixel).next_multiple_of(4);
    let (plane, bytes) = match form {
        Form::Pixels | Form::Dense => (0, size),
        Form::Planes => (size, size * slots),
    };
    Layout { order, form, border, pixel, row, plane, bytes: bytes + SLACK, first }
}

fn form(net: &IntNet, id: TensorId) -> Form {
    let t = &net.tensors[id];
    // Windows of convolutions may begin at any byte.
    let fewer_words = |l: &Layer| {
        let window = l.op.window().filter(|_| !l.kind().by_channel());
        window.is_some_and(|w| (w.kernel[1] * t.channels).div_ceil(4) < w.kernel[1] * t.channels.div_ceil(4))
    };
    let mut readers = net.layers.iter().filter(|l| l.inputs.contains(&id));
    if copies::in_planes(net, id) {
        Form::Planes
    } else if id == net.input && id != net.output && t.bits == 8 && t.channels < 3 && readers.all(fewer_words)
    {
        Form::Dense
    } else {
        Form::Pixels
    }
}

/// The border a tensor needs: the largest padding of its readers.
fn border(net: &IntNet, id: TensorId) -> [usize; 4] {
    let mut out = [0; 4];
    let readers = net.layers.iter().filter(|l| l.inputs.contains(&id));
    for window in readers.filter_map(|l| l.op.window()) {
        for (have, need) in out.iter_mut().zip(window.pad) {
            *have = need.max(*have);
        }
    }
    out
}

impl Layout {
    /// Bits in which a code is stored.
    #[must_use]
    pub fn code_bits(&self, t: &Tensor) -> u8 {
        match self.form {
            Form::Pixels => t.bits,
            Form::Dense | Form::Planes => 8,
        }
    }

    /// Everything.
    #[must_use]
    pub fn whole_fill(&self) -> Fill {
        let head = (self.bytes - SLACK).div_ceil(8);
        Fill { planes: 1, head, rows: 0, pairs: 0, step: 0, tail: 0, next: 0, skip_head: 0 }
    }

    /// The border, or everything if that is less work; nothing without a border.
    #[must_use]
    pub fn border_fill(&self, t: &Tensor) -> Option<Fill> {
        if self.border == [0; 4] {
            return None;
        }
        let (planes, size) = match self.form {
            Form::Pixels | Form::Dense => (1, self.bytes - SLACK),
            Form::Planes => (self.order.len(), self.plane),
        };
        let end_of_row = self.first + t.width * self.pixel;
        let gap = self.row - t.width * self.pixel;
        let last = end_of_row + (t.height - 1) * self.row;
        let (head, pairs, tail) = (self.first.div_ceil(8), gap.div_ceil(8), (size - last).div_ceil(8));
        let rows = if gap > 0 { t.height - 1 } else { 0 };
        let from = if gap > 0 { end_of_row } else { last };
        let border = Fill {
            planes,
            head,
            rows,
            pairs,
            step: self.row as isize - 8 * pairs as isize,
            tail,
            next: size as isize - (last + 8 * tail) as isize,
            skip_head: from as isize - 8 * head as isize,
        };
        let whole = self.whole_fill();
        Some(if border.work() < whole.work() { border } else { whole })
    }
}

impl Fill {
    /// About how many cycles it takes: to choose between two ways.
    fn work(&self) -> usize {
        self.planes * (12 + 2 * self.head + self.rows * (3 + 2 * self.pairs) + 2 * self.tail)
    }

    /// Pairs of words written.
    #[must_use]
    pub fn stores(&self) -> usize {
        self.planes * (self.head + self.rows * self.pairs + self.tail)
    }

    /// Gaps in all planes.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.planes * self.rows
    }
}
