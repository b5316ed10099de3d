//! The search space: which widths there are, and the hard assignment that a search ends with. Plain integers.

mod moves;

pub use moves::{How, Move, Moved, moves};

use mpic_kernels::plan::{self, BLOCK};
use serde::{Deserialize, Serialize};

use crate::model::{Graph, NodeId};

/// Bits of the network's input and of its logits, which are not searched.
pub const INPUT_BITS: u8 = 8;

/// Widths to choose from, and how finely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Weight bits, ascending; 0 stands for channels that may be pruned.
    pub weights: Vec<u8>,
    /// Activation bits, ascending.
    pub activations: Vec<u8>,
    /// Whether every output channel chooses for itself.
    pub per_channel: bool,
}

impl Space {
    /// Weight bits of channels that are there, ascending.
    #[must_use]
    pub fn widths(&self) -> Vec<u8> {
        self.weights.iter().copied().filter(|&b| b != 0).collect()
    }

    /// Whether channels may be pruned.
    #[must_use]
    pub fn prunes(&self) -> bool {
        self.per_channel && self.weights.contains(&0)
    }
}

/// Widths of every layer's channels and of every tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// By node: weight bits of each output channel, 0 if it is pruned; empty for nodes without weights.
    pub weights: Vec<Vec<u8>>,
    /// By node: bits of its output; the logits have 32.
    pub activations: Vec<u8>,
}

impl Assignment {
    /// The same widths everywhere.
    #[must_use]
    pub fn uniform(graph: &Graph, w: u8, a: u8) -> Self {
        let last = graph.nodes.len() - 1;
        let weights = graph.nodes.iter().map(|n| if n.has_weights() { vec![w; n.shape[2]] } else { vec![] });
        let bits = |id: NodeId| match graph.quantised_as(id) {
            0 => INPUT_BITS,
            id if id == last => 32,
            _ => a,
        };
        Self { weights: weights.collect(), activations: (0..graph.nodes.len()).map(bits).collect() }
    }

    /// The widest network of a space, nothing pruned.
    #[must_use]
    pub fn widest(graph: &Graph, space: &Space) -> Self {
        let widest = |of: &[u8]| of.iter().copied().max().expect("a space has widths");
        Self::uniform(graph, widest(&space.widths()), widest(&space.activations))
    }

    /// What costs least in a space: the narrowest widths and, where channels may be pruned, a single block of them.
    #[must_use]
    pub fn least(graph: &Graph, space: &Space) -> Self {
        let narrowest = |of: &[u8]| of.iter().copied().min().expect("a space has widths");
        let mut out = Self::uniform(graph, narrowest(&space.widths()), narrowest(&space.activations));
        for (id, bits) in out.weights.iter_mut().enumerate() {
            if space.prunes() && graph.prunable(id) {
                bits.iter_mut().skip(BLOCK).for_each(|b| *b = 0);
            }
        }
        out
    }

    /// Sets the width of a node's output, and of those that have the same quantiser.
    pub fn set_activation(&mut self, graph: &Graph, id: NodeId, bits: u8) {
        for (other, have) in self.activations.iter_mut().enumerate() {
            if graph.quantised_as(other) == id {
                *have = bits;
            }
        }
    }

    /// Which channels of each node's output are stored: those that are not pruned by everything they are tied to.
    #[must_use]
    pub fn stored(&self, graph: &Graph) -> Vec<Vec<bool>> {
        let ties = graph.ties();
        let mut by_group: Vec<Option<Vec<bool>>> = vec![None; graph.nodes.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            // A layer that goes channel by channel keeps what it is given.
            let makes = node.has_weights() && !node.op.by_channel();
            if makes {
                let group = by_group[ties[id]].get_or_insert_with(|| vec![false; node.shape[2]]);
                group.iter_mut().zip(&self.weights[id]).for_each(|(stored, bits)| *stored |= *bits != 0);
            }
        }
        let input = ties[0];
        let of = |id: NodeId| match &by_group[ties[id]] {
            Some(stored) if ties[id] != input => stored.clone(),
            _ => vec![true; graph.nodes[id].shape[2]],
        };
        (0..graph.nodes.len()).map(of).collect()
    }

    /// Multiply-accumulates of each node, by weight bits, of what is not pruned.
    #[must_use]
    pub fn macs(&self, graph: &Graph) -> Vec<Vec<(u8, f64)>> {
        let stored = self.stored(graph);
        let of = |id: NodeId| {
            let node = &graph.nodes[id];
            let Some(&x) = node.inputs.first() else { return vec![] };
            let inputs = stored[x].iter().filter(|s| **s).count() as f64 / stored[x].len() as f64;
            let share = if node.op.by_channel() { 1.0 } else { inputs };
            let per = (node.shape[0] * node.shape[1] * graph.fan_in(id)) as f64 * share;
            let mut out: Vec<(u8, f64)> = Vec::new();
            for &w in self.weights[id].iter().filter(|w| **w != 0) {
                match out.iter_mut().find(|o| o.0 == w) {
                    Some(have) => have.1 += per,
                    None => out.push((w, per)),
                }
            }
            out
        };
        (0..graph.nodes.len()).map(of).collect()
    }

    /// Gives every channel the width of the block it rides in: accuracy for free, since the kernels run whole blocks.
    #[must_use]
    pub fn promoted(&self) -> Self {
        let weights = self.weights.iter().map(|bits| {
            let mut order: Vec<usize> = (0..bits.len()).filter(|&c| bits[c] != 0).collect();
            order.sort_by_key(|&c| std::cmp::Reverse(bits[c]));
            let mut out = bits.clone();
            for group in plan::groups(bits, &order) {
                for c in group.channels {
                    out[c] = group.bits;
                }
            }
            out
        });
        Self { weights: weights.collect(), activations: self.activations.clone() }
    }
}

/// How many channels to keep for logits that say keep where they are positive: whole blocks, at least one.
#[must_use]
pub fn whole_blocks(logits: &[f32]) -> usize {
    let wanted = logits.iter().filter(|l| **l > 0.0).count();
    let blocks = (wanted + BLOCK / 2) / BLOCK;
    (blocks.max(1) * BLOCK).min(logits.len())
}

/// Widths in whole blocks: as many channels of each width as `widths` has, rounded to the nearest block, the widest for the
/// channels of the highest `rank`; only the first `keeps` by rank are kept, if that is given. What does not fill a block would
/// run at the width of its neighbours.
#[must_use]
pub fn in_blocks(widths: &[u8], rank: &[f32], keeps: Option<usize>) -> Vec<u8> {
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by(|&a, &b| rank[b].total_cmp(&rank[a]).then(a.cmp(&b)));
    order.truncate(keeps.unwrap_or(widths.len()));
    let mut sorted: Vec<u8> = order.iter().map(|&c| widths[c]).collect();
    sorted.sort_unstable_by_key(|&w| std::cmp::Reverse(w));
    let mut out = vec![0; widths.len()];
    for (n, block) in order.chunks(BLOCK).enumerate() {
        // The block takes the width in its middle: boundaries go to the nearest multiple.
        let slots = &sorted[n * BLOCK..][..block.len()];
        let width = slots[(block.len() - 1) / 2];
        for &c in block {
            out[c] = width;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fashion;

    #[test]
    fn blocks_take_the_nearest_counts_and_the_highest_ranks() {
        // Five of eight wide: one block, for the four highest ranks.
        let rank = [0.1, 0.9, 0.8, 0.2, 0.7, 0.6, 0.0, 0.3];
        assert_eq!(in_blocks(&[8, 8, 8, 8, 8, 2, 2, 2], &rank, None), [2, 8, 8, 2, 8, 8, 2, 2]);
        // Six of eight: two blocks.
        assert_eq!(in_blocks(&[8, 8, 8, 8, 8, 8, 2, 2], &rank, None), [8; 8]);
        assert_eq!(in_blocks(&[4, 4, 4], &rank[..3], None), [4; 3]);
        // Four kept: those of the highest ranks.
        assert_eq!(in_blocks(&[8, 8, 8, 8, 8, 8, 2, 2], &rank, Some(4)), [0, 8, 8, 0, 8, 8, 0, 0]);
        assert_eq!(whole_blocks(&[-1.0; 8]), 4);
        assert_eq!(whole_blocks(&[1.0; 7]), 7);
    }

    #[test]
    fn promotion_fills_blocks_and_costs_nothing() {
        let mut a = Assignment::uniform(&fashion(), 2, 8);
        a.weights[1][5] = 8;
        a.weights[1][7] = 4;
        let p = a.promoted();
        assert_eq!(p.weights[1].iter().filter(|b| **b == 8).count(), 4);
        assert_eq!(p.weights[1][5], 8);
        assert_eq!(p.weights[1][7], 8);
        assert_eq!(p.promoted(), p);
    }
}
