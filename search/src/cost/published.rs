//! Cycles by the published MPIC table: MACs over MAC/cycle, for convolutions and linear layers; nothing else is priced by
//! that model, which is why it is only the fallback.

use mpic_kernels::lut::LutError;

use super::{CostModel, Slopes};
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, INPUT_BITS};

/// MAC/cycle by activation bits (2, 4, 8) and weight bits (2, 4, 8).
///
/// Source: the `hw_models` table of the authors' released code, identical in `PLiNIO`.
const MAC_PER_CYCLE: [[f64; 3]; 3] = [[6.5, 4.0, 2.2], [3.9, 3.5, 2.1], [2.5, 2.3, 2.1]];

/// The published table.
#[derive(Clone, Copy, Debug)]
pub struct Published;

fn index(bits: u8) -> usize {
    usize::from(bits.trailing_zeros() as u8 - 1)
}

/// Cycles per output channel.
fn per_channel(graph: &Graph, id: NodeId, a: u8, w: u8) -> f64 {
    let [h, width, _] = graph.nodes[id].shape;
    (h * width * graph.fan_in(id)) as f64 / MAC_PER_CYCLE[index(a)][index(w)]
}

impl CostModel for Published {
    fn name(&self) -> &'static str {
        "published MPIC table"
    }

    fn unit(&self) -> &'static str {
        "cycles"
    }

    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, LutError> {
        let node = |id: NodeId| -> f64 {
            let a = graph.nodes[id].inputs.first().map_or(INPUT_BITS, |&x| assignment.activations[x]);
            assignment.weights[id].iter().map(|&w| per_channel(graph, id, a, w)).sum()
        };
        Ok((0..graph.nodes.len()).map(node).sum())
    }

    fn slopes(&self, graph: &Graph, id: NodeId, a_bits: &[u8], w_bits: &[u8]) -> Result<Slopes, LutError> {
        let weighted = graph.nodes[id].has_weights();
        let per = |a: u8| {
            w_bits.iter().map(|&w| if weighted { per_channel(graph, id, a, w) } else { 0.0 }).collect()
        };
        let constant = vec![0.0; a_bits.len()];
        Ok(Slopes { per_channel: a_bits.iter().map(|&a| per(a)).collect(), constant })
    }
}
