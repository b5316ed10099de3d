//! Cycles and energy by the published MPIC table: MACs over MAC/cycle, for layers with weights; nothing else is priced by that
//! model, and it knows of no block and no border, which is why it is only the fallback.

use super::{CostError, CostModel};
use crate::model::Graph;
use crate::space::Assignment;

/// MAC/cycle by activation bits (2, 4, 8) and weight bits (2, 4, 8).
///
/// Source: the `hw_models` table of the authors' released code, identical in `PLiNIO`.
const MAC_PER_CYCLE: [[f64; 3]; 3] = [[6.5, 4.0, 2.2], [3.9, 3.5, 2.1], [2.5, 2.3, 2.1]];

/// Mean of the four published powers over 250 MHz, microjoules per cycle.
const PER_CYCLE: f64 = 21.53e-6;

/// The MAC/cycle figures published for MPIC, for each pair of widths.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    name: &'static str,
    unit: &'static str,
    per_cycle: f64,
}

impl Published {
    /// Clock cycles.
    pub const CYCLES: Self = Self { name: "published MPIC table", unit: "cycles", per_cycle: 1.0 };
    /// Energy: cycles times a constant.
    pub const ENERGY: Self =
        Self { name: "published MPIC table, energy", unit: "microjoules", per_cycle: PER_CYCLE };
}

fn index(bits: u8) -> usize {
    usize::from(bits.trailing_zeros() as u8 - 1)
}

impl CostModel for Published {
    fn name(&self) -> &'static str {
        self.name
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError> {
        let layer = |(id, macs): (usize, Vec<(u8, f64)>)| {
            let Some(&x) = graph.nodes[id].inputs.first() else { return 0.0 };
            let a = index(assignment.activations[x]);
            let cycles: f64 = macs.iter().map(|&(w, macs)| macs / MAC_PER_CYCLE[a][index(w)]).sum();
            cycles * self.per_cycle
        };
        Ok(assignment.macs(graph).into_iter().enumerate().skip(1).map(layer).collect())
    }
}
