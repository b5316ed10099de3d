//! The search space: which widths there are, and the hard assignment that a search ends with. Plain integers.

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
        let bits = |id: NodeId| match id {
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
            for group in mpic_kernels::plan::groups(bits, &order) {
                for c in group.channels {
                    out[c] = group.bits;
                }
            }
            out
        });
        Self { weights: weights.collect(), activations: self.activations.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fashion;

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
