//! Cycles from `lut.json`.

use std::path::Path;

use mpic_kernels::lut::{Cost, Lut, LutError, Query, Sample, queries};
use mpic_kernels::plan::BLOCK;

use super::{CostModel, Slopes};
use crate::export::skeleton;
use crate::model::{Graph, NodeId};
use crate::space::Assignment;

/// The measured table.
#[derive(Clone, Debug)]
pub struct Measured {
    lut: Lut,
}

impl Measured {
    /// Loads the table.
    ///
    /// # Errors
    /// If it is unreadable, malformed or stale.
    pub fn load(path: &Path) -> Result<Self, LutError> {
        Ok(Self { lut: Lut::load(path)? })
    }

    /// Cost of the layers of a deployed assignment.
    ///
    /// # Errors
    /// If a layer was not measured.
    pub fn cost(&self, graph: &Graph, assignment: &Assignment) -> Result<Cost, LutError> {
        queries(&skeleton(graph, assignment))
            .iter()
            .try_fold(Cost::default(), |sum, q| Ok(sum + self.lut.cost(q)?))
    }

    /// Cycles of one layer.
    ///
    /// # Errors
    /// If it was not measured.
    pub fn layer(&self, q: &Query) -> Result<f64, LutError> {
        Ok(self.lut.cost(q)?.cycles)
    }

    /// Cost of a group of a query's layer.
    fn group(&self, q: &Query, a: u8, w: u8, channels: usize) -> Result<f64, LutError> {
        let sample = Sample { a_bits: a, ..q.sample(w, channels) };
        Ok(self.lut.group(&q.name, &sample)?.cycles)
    }
}

impl CostModel for Measured {
    fn name(&self) -> &'static str {
        "measured table"
    }

    fn unit(&self) -> &'static str {
        "cycles"
    }

    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, LutError> {
        Ok(self.cost(graph, assignment)?.cycles)
    }

    fn slopes(&self, graph: &Graph, id: NodeId, a_bits: &[u8], w_bits: &[u8]) -> Result<Slopes, LutError> {
        // Layers follow the nodes, the input having none.
        let q = queries(&skeleton(graph, &Assignment::uniform(graph, 8, 8)))
            .into_iter()
            .rfind(|q| q.region == id - 1)
            .expect("every node but the input has a layer");
        let mut slopes = Slopes::default();
        for &a in a_bits {
            if graph.nodes[id].has_weights() {
                let most = graph.nodes[id].shape[2].next_multiple_of(BLOCK);
                let rounding = most as f64 / graph.nodes[id].shape[2] as f64;
                let mut per = Vec::new();
                for &w in w_bits {
                    let (few, many) = (self.group(&q, a, w, BLOCK)?, self.group(&q, a, w, most)?);
                    let slope =
                        if most > BLOCK { (many - few) / (most - BLOCK) as f64 } else { many / most as f64 };
                    per.push(slope * rounding);
                }
                slopes.per_channel.push(per);
                slopes.constant.push(0.0);
            } else {
                slopes.per_channel.push(vec![0.0; w_bits.len()]);
                slopes.constant.push(self.group(&q, a, 0, graph.nodes[id].shape[2])?);
            }
        }
        Ok(slopes)
    }
}
