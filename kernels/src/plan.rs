//! Where things go: which channels are stored and in what order, the block rule, tensor layouts and addresses.
//!
//! # The block rule
//!
//! The convolution kernels work on four output channels at a time. Channels are sorted by weight width, widest first, and
//! cut into blocks of four; a block runs at the widest width in it (codes of few bits are codes of more bits too). A block
//! of pruned channels is not computed. This module is the only place that says so.

mod buffers;
mod channels;
mod copies;
mod layout;
mod turn;
mod walk;

pub use layout::{Fill, Form, Layout};
pub use walk::{Walk, parts};

use crate::net::{IntNet, Layer, TensorId};

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

/// Blocks of output channels taken in `order`, merged into groups of one width. Blocks of pruned channels are left out.
#[must_use]
pub fn groups(weight_bits: &[u8], order: &[usize]) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for (n, block) in order.chunks(BLOCK).enumerate() {
        let bits = block.iter().map(|&c| weight_bits[c]).max().expect("a chunk is not empty");
        let follows = |g: &Group| g.bits == bits && g.first + g.slots() == n * BLOCK;
        if let Some(group) = out.last_mut().filter(|g| follows(g)) {
            group.channels.extend(block);
        } else if bits > 0 {
            out.push(Group { bits, first: n * BLOCK, channels: block.to_vec() });
        }
    }
    out
}

/// A network laid out in memory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether rows and columns are exchanged.
    pub turned: bool,
    /// The network, perhaps turned, with copies where a reader needs another layout (see [`Plan::region`]).
    pub net: IntNet,
    /// By layer of `net`: the layer of the original network it belongs to.
    pub region: Vec<usize>,
    /// By tensor.
    pub layouts: Vec<Layout>,
    /// By tensor: offset of its buffer.
    pub offsets: Vec<usize>,
    /// Bytes of all buffers.
    pub bytes: usize,
}

impl Plan {
    /// Lays out a [valid](IntNet::validate) network.
    #[must_use]
    pub fn new(net: &IntNet) -> Self {
        let turned = turn::is_better(net);
        Self { turned, ..if turned { Self::as_is(&turn::turned(net)) } else { Self::as_is(net) } }
    }

    /// As [`Plan::new`], but with rows and columns as they are.
    #[must_use]
    pub fn as_is(net: &IntNet) -> Self {
        let (net, region) = copies::with_copies(net);
        let layouts = layout::layouts(&net, channels::orders(&net));
        let (offsets, bytes) = buffers::buffers(&net, &layouts);
        Self { turned: false, net, region, layouts, offsets, bytes }
    }

    /// The precision groups of a convolution or linear layer; none for layers that go channel by channel.
    #[must_use]
    pub fn groups(&self, layer: &Layer) -> Vec<Group> {
        let Some(weights) = layer.op.weights().filter(|_| !layer.kind().by_channel()) else {
            return Vec::new();
        };
        let order = &self.layouts[layer.output].order;
        match self.layouts[layer.input()].form {
            // Windows begin at any byte. Only loops with operands of one width may wait for such loads.
            Form::Dense => {
                groups(&weights.bits.iter().map(|&b| if b == 0 { 0 } else { 8 }).collect::<Vec<_>>(), order)
            }
            Form::Pixels | Form::Planes => groups(&weights.bits, order),
        }
    }

    /// What must be filled with the zero point before a layer runs: the border, or all of its output if it does not
    /// compute every stored channel.
    #[must_use]
    pub fn fill(&self, layer: &Layer) -> Option<Fill> {
        let output = layer.output;
        let layout = &self.layouts[output];
        // A layer that writes over its input finds the border it needs.
        if layer.inputs.iter().any(|&i| self.offsets[i] == self.offsets[output]) {
            return None;
        }
        let computed = layer.kind().by_channel()
            || self.groups(layer).iter().map(Group::slots).sum::<usize>() >= layout.order.len();
        if computed { layout.border_fill(&self.net.tensors[output]) } else { Some(layout.whole_fill()) }
    }

    /// Rows and columns of a tensor as the original network has them, and the bytes from one to the next.
    #[must_use]
    pub fn steps(&self, id: TensorId) -> (usize, usize, usize, usize) {
        let (t, l) = (&self.net.tensors[id], &self.layouts[id]);
        if self.turned { (t.width, t.height, l.pixel, l.row) } else { (t.height, t.width, l.row, l.pixel) }
    }

    /// The code of a tensor's border.
    #[must_use]
    pub fn border_code(&self, id: TensorId) -> i32 {
        copies::border_code(&self.net, id)
    }
}
