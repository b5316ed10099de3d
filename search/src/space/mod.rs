//! The search space: which widths there are, and the hard assignment that a search ends with. Plain integers.

use mpic_kernels::plan::{self, BLOCK};
use serde::{Deserialize, Serialize};

use crate::model::{Graph, NodeId};

/// Bits of the network's input and of its logits, which are not searched.
pub const INPUT_BITS: u8 = 8;

/// Widths to choose from, and how finely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Weight bits, ascending.
    pub weights: Vec<u8>,
    /// Activation bits, ascending.
    pub activations: Vec<u8>,
    /// Whether every output channel chooses for itself.
    pub per_channel: bool,
}

/// Widths of every layer's channels and of every tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// By node: weight bits of each output channel; empty for nodes without weights.
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

    /// Gives every channel the width of the block it rides in: accuracy for free, since the kernels run whole blocks.
    #[must_use]
    pub fn promoted(&self) -> Self {
        let weights = self.weights.iter().map(|bits| {
            let mut order: Vec<usize> = (0..bits.len()).collect();
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

/// Widths in whole blocks: as many channels of each width as `widths` has, rounded to the nearest block, the widest for the
/// channels of the highest `rank`. What does not fill a block would run at the width of its neighbours.
#[must_use]
pub fn in_blocks(widths: &[u8], rank: &[f32]) -> Vec<u8> {
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by(|&a, &b| rank[b].total_cmp(&rank[a]).then(a.cmp(&b)));
    let mut sorted = widths.to_vec();
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
        assert_eq!(in_blocks(&[8, 8, 8, 8, 8, 2, 2, 2], &rank), [2, 8, 8, 2, 8, 8, 2, 2]);
        // Six of eight: two blocks.
        assert_eq!(in_blocks(&[8, 8, 8, 8, 8, 8, 2, 2], &rank), [8; 8]);
        assert_eq!(in_blocks(&[4, 4, 4], &rank[..3]), [4; 3]);
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
