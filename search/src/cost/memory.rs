//! Costs without a measurement: bytes as the deployment lays them out, and multiply-accumulates.

use mpic_kernels::deploy::{self, MemoryUse};

use super::{CostError, CostModel};
use crate::export::skeleton;
use crate::model::Graph;
use crate::space::Assignment;

fn memory(graph: &Graph, assignment: &Assignment) -> MemoryUse {
    deploy::memory(&skeleton(graph, assignment)).expect("the runtime this program carries loads")
}

/// Bytes that must be kept without power: packed weights by the block rule, and requantisation data.
#[derive(Clone, Copy, Debug)]
pub struct Size;

impl CostModel for Size {
    fn name(&self) -> &'static str {
        "size"
    }

    fn unit(&self) -> &'static str {
        "bytes"
    }

    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError> {
        Ok(vec![memory(graph, assignment).flash() as f64])
    }
}

/// Bytes of activation buffers, at their peak.
#[derive(Clone, Copy, Debug)]
pub struct Ram;

impl CostModel for Ram {
    fn name(&self) -> &'static str {
        "ram"
    }

    fn unit(&self) -> &'static str {
        "bytes"
    }

    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError> {
        Ok(vec![memory(graph, assignment).buffers as f64])
    }
}

/// Multiply-accumulates of channels that are not pruned, whatever their widths.
#[derive(Clone, Copy, Debug)]
pub struct Macs;

impl CostModel for Macs {
    fn name(&self) -> &'static str {
        "macs"
    }

    fn unit(&self) -> &'static str {
        "MACs"
    }

    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError> {
        let sum = |layer: Vec<(u8, f64)>| layer.iter().map(|(_, macs)| macs).sum();
        Ok(assignment.macs(graph).into_iter().skip(1).map(sum).collect())
    }
}
