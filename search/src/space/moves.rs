//! Small changes of an assignment: what refinement and descent try out.
//!
//! A move changes a block of channels, since less costs the same, or a whole layer where layers choose as one.

use mpic_kernels::plan::BLOCK;

use super::{Assignment, Space};
use crate::model::{Graph, NodeId};

/// A small change of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The node whose weights or output change; of tied nodes the first.
    pub node: NodeId,
    /// What happens to it.
    pub how: How,
}

/// The kind of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Channels of one width get another.
    Width {
        /// Their bits before the move.
        from: u8,
        /// Their bits after the move.
        to: u8,
    },
    /// Channels whose widest weights have one width get another, in all tied nodes: these are stored in one order, so that one
    /// node alone saves nothing.
    Tied {
        /// Bits of their widest weights before the move.
        from: u8,
        /// The most bits that they have after the move.
        to: u8,
    },
    /// The output gets the width.
    Activation(u8),
    /// The output gets the width, and no weights of the layers that read it stay wider: the kernels are as slow as the wider of
    /// the two, so that either alone saves next to nothing.
    Together(u8),
    /// One block of channels is pruned in all tied nodes.
    Fewer,
    /// One pruned block of channels comes back.
    More,
}

impl How {
    /// Whether it makes the network narrower, for a node whose output has `activation` bits.
    #[must_use]
    pub fn narrows(self, activation: u8) -> bool {
        match self {
            Self::Width { from, to } | Self::Tied { from, to } => to < from,
            Self::Activation(to) | Self::Together(to) => to < activation,
            Self::Fewer => true,
            Self::More => false,
        }
    }
}

/// A move and what it makes of an assignment.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The move that was made.
    pub by: Move,
    /// The assignment after it.
    pub to: Assignment,
}

/// Every move that a space allows from `a`; it changes the channels for which `price` is least. (Of equal prices the first.)
#[must_use]
pub fn moves(graph: &Graph, space: &Space, a: &Assignment, price: &dyn Fn(Move, usize) -> f64) -> Vec<Moved> {
    let mut out = Vec::new();
    for id in 0..graph.nodes.len() {
        widths(space, a, id, price, &mut out);
        if graph.searched(id) {
            for bits in neighbours(&space.activations, a.activations[id]) {
                let mut to = a.clone();
                to.set_activation(graph, id, bits);
                let by = Move { node: id, how: How::Activation(bits) };
                out.extend(together(graph, space, a.activations[id], &to, by));
                out.push(Moved { by, to });
            }
        }
        if space.per_channel && graph.tied_to(id)[0] == id {
            tied(graph, space, a, id, price, &mut out);
        }
        if space.prunes() && graph.tied_to(id)[0] == id && graph.prunable(id) {
            pruning(graph, space, a, id, price, &mut out);
        }
    }
    out
}

/// The cheapest channels for a move, at most `n`.
fn cheapest(mut channels: Vec<usize>, n: usize, price: impl Fn(usize) -> f64) -> Vec<usize> {
    channels.sort_by(|&a, &b| price(a).total_cmp(&price(b)).then(a.cmp(&b)));
    channels.truncate(n);
    channels
}

/// The nodes with weights that a node is tied to, itself included.
fn weighted(graph: &Graph, a: &Assignment, id: NodeId) -> Vec<NodeId> {
    graph.tied_to(id).into_iter().filter(|&n| !a.weights[n].is_empty()).collect()
}

/// Channels of a node a width up or down: a block of them, or all where the layer decides as a whole.
fn widths(
    space: &Space,
    a: &Assignment,
    id: NodeId,
    price: &dyn Fn(Move, usize) -> f64,
    out: &mut Vec<Moved>,
) {
    let widths = space.widths();
    for &from in &widths {
        let channels: Vec<usize> = (0..a.weights[id].len()).filter(|&c| a.weights[id][c] == from).collect();
        if channels.is_empty() {
            continue;
        }
        for bits in neighbours(&widths, from) {
            let by = Move { node: id, how: How::Width { from, to: bits } };
            let n = if space.per_channel { BLOCK } else { channels.len() };
            let channels = cheapest(channels.clone(), n, |c| price(by, c));
            let mut to = a.clone();
            for c in channels {
                to.weights[id][c] = bits;
            }
            out.push(Moved { by, to });
        }
    }
}

/// A block of channels a width down in all tied nodes, where there are several.
fn tied(
    graph: &Graph,
    space: &Space,
    a: &Assignment,
    id: NodeId,
    price: &dyn Fn(Move, usize) -> f64,
    out: &mut Vec<Moved>,
) {
    let nodes = weighted(graph, a, id);
    let [first, _, ..] = nodes[..] else { return };
    let widest = |c: usize| nodes.iter().map(|&n| a.weights[n][c]).max().unwrap_or(0);
    for &from in &space.widths() {
        let channels: Vec<usize> = (0..a.weights[first].len()).filter(|&c| widest(c) == from).collect();
        let below = neighbours(&space.widths(), from).find(|&to| to < from);
        let (Some(bits), false) = (below, channels.is_empty()) else { continue };
        let by = Move { node: id, how: How::Tied { from, to: bits } };
        let mut to = a.clone();
        for c in cheapest(channels, BLOCK, |c| price(by, c)) {
            for &n in &nodes {
                to.weights[n][c] = to.weights[n][c].min(bits);
            }
        }
        out.push(Moved { by, to });
    }
}

/// Narrower activations with the weights that read them, where some are wider and there are weights as narrow.
fn together(graph: &Graph, space: &Space, now: u8, to: &Assignment, alone: Move) -> Option<Moved> {
    let How::Activation(bits) = alone.how else { return None };
    if bits > now || !space.weights.contains(&bits) {
        return None;
    }
    let mut both = to.clone();
    for (id, node) in graph.nodes.iter().enumerate() {
        if node.inputs.first().is_some_and(|&x| graph.quantised_as(x) == alone.node) {
            both.weights[id].iter_mut().for_each(|w| *w = (*w).min(bits));
        }
    }
    let by = Move { node: alone.node, how: How::Together(bits) };
    (both != *to).then_some(Moved { by, to: both })
}

/// A block less and a block more of the channels of tied nodes.
fn pruning(
    graph: &Graph,
    space: &Space,
    a: &Assignment,
    id: NodeId,
    price: &dyn Fn(Move, usize) -> f64,
    out: &mut Vec<Moved>,
) {
    let nodes = weighted(graph, a, id);
    let Some(&first) = nodes.first() else { return };
    let all = 0..a.weights[first].len();
    let (pruned, kept): (Vec<_>, Vec<_>) = all.partition(|&c| nodes.iter().all(|&n| a.weights[n][c] == 0));
    if kept.len() > BLOCK {
        let by = Move { node: id, how: How::Fewer };
        let n = BLOCK.min(kept.len() - BLOCK);
        let mut to = a.clone();
        let channels = cheapest(kept, n, |c| price(by, c));
        for &n in &nodes {
            for &c in &channels {
                to.weights[n][c] = 0;
            }
        }
        out.push(Moved { by, to });
    }
    if !pruned.is_empty() {
        let by = Move { node: id, how: How::More };
        let channels = cheapest(pruned, BLOCK, |c| price(by, c));
        let mut to = a.clone();
        for &n in &nodes {
            let width = a.weights[n].iter().copied().filter(|w| *w != 0).min();
            let width = width.unwrap_or(space.widths()[0]);
            for &c in &channels {
                to.weights[n][c] = width;
            }
        }
        out.push(Moved { by, to });
    }
}

/// The next width below and above.
fn neighbours(widths: &[u8], of: u8) -> impl Iterator<Item = u8> {
    let below = widths.iter().copied().filter(|&w| w < of).max();
    let above = widths.iter().copied().filter(|&w| w > of).min();
    below.into_iter().chain(above)
}
