//! Bytes of packed weights (by the block rule) and requantisation data.

use mpic_kernels::lut::LutError;
use mpic_kernels::plan::{self, BLOCK};

use super::{CostModel, Slopes};
use crate::model::{Graph, NodeId};
use crate::space::Assignment;

/// Bytes of kappa, lambda and shift of a channel.
const REQUANT_BYTES: f64 = 12.0;

/// Packed size.
#[derive(Clone, Copy, Debug)]
pub struct Size;

impl CostModel for Size {
    fn name(&self) -> &'static str {
        "size"
    }

    fn unit(&self) -> &'static str {
        "bytes"
    }

    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, LutError> {
        Ok((0..graph.nodes.len())
            .map(|id| {
                let bits = &assignment.weights[id];
                let mut order: Vec<usize> = (0..bits.len()).collect();
                order.sort_by_key(|&c| std::cmp::Reverse(bits[c]));
                let group = |g: &plan::Group| {
                    g.slots() as f64 * (graph.fan_in(id) as f64 * f64::from(g.bits) / 8.0 + REQUANT_BYTES)
                };
                plan::groups(bits, &order).iter().map(group).sum::<f64>()
            })
            .sum())
    }

    fn slopes(&self, graph: &Graph, id: NodeId, a_bits: &[u8], w_bits: &[u8]) -> Result<Slopes, LutError> {
        let rounding =
            graph.nodes[id].shape[2].next_multiple_of(BLOCK) as f64 / graph.nodes[id].shape[2] as f64;
        let per: Vec<f64> = w_bits
            .iter()
            .map(|w| rounding * (graph.fan_in(id) as f64 * f64::from(*w) / 8.0 + REQUANT_BYTES))
            .collect();
        Ok(Slopes { per_channel: vec![per; a_bits.len()], constant: vec![0.0; a_bits.len()] })
    }
}
