//! Where things go: channel order, the block rule, tensor layouts and addresses.
//!
//! # The block rule
//!
//! The convolution kernels work on four output channels at a time. Channels are sorted by weight width, widest first, and
//! cut into blocks of four; a block runs at the widest width in it (codes of few bits are codes of more bits too). This
//! module is the only place that says so.

use crate::net::{Conv2d, Depthwise, IntLayer, IntNet, MaxPool, Tensor, TensorId};

/// Output channels of a block.
pub const BLOCK: usize = 4;

/// Consecutive blocks of one weight width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Weight bits the blocks run at.
    pub bits: u8,
    /// First channel slot.
    pub first: usize,
    /// Real channels, in slot order; the last block may lack some.
    pub channels: Vec<usize>,
}

impl Group {
    /// Channels rounded up to whole blocks.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.channels.len().next_multiple_of(BLOCK)
    }
}

/// Blocks of output channels taken in `order`, merged into groups of one width.
#[must_use]
pub fn groups(weight_bits: &[u8], order: &[usize]) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for (n, block) in order.chunks(BLOCK).enumerate() {
        let bits = block.iter().map(|&c| weight_bits[c]).max().expect("a chunk is not empty");
        if let Some(group) = out.last_mut().filter(|g| g.bits == bits) {
            group.channels.extend(block);
        } else {
            out.push(Group { bits, first: n * BLOCK, channels: block.to_vec() });
        }
    }
    out
}

/// Where a tensor lies in memory: rows of pixels with a border, channels contiguous in slot order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Slot `s` holds channel `order[s]`.
    pub order: Vec<usize>,
    /// Border: top, left, bottom, right, in pixels.
    pub border: [usize; 4],
    /// Bytes per pixel, a multiple of 4.
    pub pixel: usize,
    /// Bytes per row, border included.
    pub row: usize,
    /// Bytes in all, border included.
    pub bytes: usize,
    /// Offset of pixel (0, 0).
    pub first: usize,
}

/// The layout of every tensor.
#[must_use]
pub fn layouts(net: &IntNet) -> Vec<Layout> {
    let orders = orders(net);
    let borders = borders(net);
    net.tensors.iter().zip(orders).zip(borders).map(|((t, order), border)| layout(t, order, border)).collect()
}

fn layout(t: &Tensor, order: Vec<usize>, border: [usize; 4]) -> Layout {
    let [top, left, bottom, right] = border;
    // Blocks are stored whole, so there must be room for a multiple of four channels.
    let pixel = (t.channels.next_multiple_of(BLOCK) * usize::from(t.bits)).div_ceil(32) * 4;
    let row = (t.width + left + right) * pixel;
    Layout {
        order,
        border,
        pixel,
        row,
        bytes: row * (t.height + top + bottom),
        first: top * row + left * pixel,
    }
}

/// The border each tensor needs: the largest padding of its readers.
fn borders(net: &IntNet) -> Vec<[usize; 4]> {
    let mut out = vec![[0; 4]; net.tensors.len()];
    for layer in &net.layers {
        match layer {
            IntLayer::Conv2d(Conv2d { input, pad, .. })
            | IntLayer::Depthwise(Depthwise { input, pad, .. })
            | IntLayer::MaxPool(MaxPool { input, pad, .. }) => {
                for (have, need) in out[*input].iter_mut().zip(pad) {
                    *have = (*need).max(*have);
                }
            }
            IntLayer::Linear(_) | IntLayer::AvgPool(_) | IntLayer::Add(_) => {}
        }
    }
    out
}

/// Channel order of every tensor. Tensors tied by an addition or a pooling share one order: by the widest weights that
/// any of their convolutions gives a channel. Network input and output of other layers keep the natural order.
fn orders(net: &IntNet) -> Vec<Vec<usize>> {
    let mut tied: Vec<TensorId> = (0..net.tensors.len()).collect();
    let find = |tied: &[TensorId], mut t: TensorId| {
        while tied[t] != t {
            t = tied[t];
        }
        t
    };
    for layer in &net.layers {
        match layer {
            IntLayer::Add(_) | IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Depthwise(_) => {
                for input in layer.inputs() {
                    let (a, b) = (find(&tied, input), find(&tied, layer.output()));
                    tied[a] = b;
                }
            }
            IntLayer::Conv2d(_) | IntLayer::Linear(_) => {}
        }
    }
    let mut widest: Vec<Vec<u8>> = net.tensors.iter().map(|t| vec![0; t.channels]).collect();
    for layer in &net.layers {
        let bits = match layer {
            IntLayer::Conv2d(l) => &l.weight_bits,
            IntLayer::Linear(l) => &l.weight_bits,
            IntLayer::Depthwise(l) => &l.weight_bits,
            IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => continue,
        };
        for (have, bits) in widest[find(&tied, layer.output())].iter_mut().zip(bits) {
            *have = (*have).max(*bits);
        }
    }
    let input = find(&tied, net.input);
    (0..net.tensors.len())
        .map(|t| {
            let root = find(&tied, t);
            let mut order: Vec<usize> = (0..net.tensors[t].channels).collect();
            if root != input {
                order.sort_by_key(|&c| std::cmp::Reverse(widest[root][c]));
            }
            order
        })
        .collect()
}

/// Offset of every tensor's buffer and the bytes of all. A tensor lives from the layer that writes it to the last that
/// reads it (the input from the start, the output to the end); tensors that live at the same time do not overlap. The input
/// keeps its place to itself, so that a program can be run again with another input.
#[must_use]
pub fn buffers(net: &IntNet, layouts: &[Layout]) -> (Vec<usize>, usize) {
    let steps = net.layers.len();
    let mut life = vec![(steps, 0); layouts.len()];
    life[net.input] = (0, steps);
    for (step, layer) in net.layers.iter().enumerate() {
        life[layer.output()].0 = step;
        life[layer.output()].1 = step;
        for input in layer.inputs() {
            life[input].1 = life[input].1.max(step);
        }
    }
    life[net.output].1 = steps;
    let mut offsets = vec![0; layouts.len()];
    let mut placed: Vec<TensorId> = Vec::new();
    let mut total = 0;
    let written = net.layers.iter().map(IntLayer::output);
    for id in std::iter::once(net.input).chain(written) {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&p| life[p].0 <= life[id].1 && life[id].0 <= life[p].1)
            .map(|&p| (offsets[p], offsets[p] + layouts[p].bytes))
            .collect();
        taken.sort_unstable();
        let size = layouts[id].bytes;
        let at = taken
            .iter()
            .fold(0, |at, &(from, to)| if at + size <= from { at } else { to.next_multiple_of(16).max(at) });
        offsets[id] = at;
        total = total.max(at + size);
        placed.push(id);
    }
    (offsets, total)
}
