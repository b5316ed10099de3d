//! Cost models: what an assignment costs. A model is one function of hard widths; [`SoftCost`] makes of any of them something
//! to differentiate.

mod measured;
mod memory;
mod published;
mod soft;

use std::path::Path;

use clap::ValueEnum as _;
use mpic_kernels::lut::LutError;
use serde::{Deserialize, Serialize};

pub use measured::Measured;
pub use memory::{Macs, Ram, Size};
pub use published::Published;
pub use soft::SoftCost;

use crate::model::Graph;
use crate::space::Assignment;

/// A cost model.
pub trait CostModel: std::fmt::Debug + Send + Sync {
    /// Name in reports.
    fn name(&self) -> &'static str;
    /// Unit of its numbers.
    fn unit(&self) -> &'static str;
    /// Cost of the whole network.
    ///
    /// # Errors
    /// If the model does not know a layer; nothing is free by default.
    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, LutError>;
}

/// What a search minimises beside the loss, or holds below a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Clock cycles of an inference.
    Cycles,
    /// Energy of an inference, microjoules, by the class model.
    Energy,
    /// Bytes of packed weights, requantisation data and tables.
    Size,
    /// Bytes of activation buffers at their peak.
    Ram,
    /// Multiply-accumulates of what is not pruned.
    Macs,
}

impl Objective {
    /// Name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Energy => "energy",
            Self::Size => "size",
            Self::Ram => "ram",
            Self::Macs => "macs",
        }
    }

    /// Its model: cycles and energy from the measured table or, without one, the published.
    ///
    /// # Errors
    /// If the table cannot be loaded.
    pub fn model(self, lut: Option<&Path>) -> Result<Box<dyn CostModel>, LutError> {
        Ok(match (self, lut) {
            (Self::Cycles, Some(path)) => Box::new(Measured::load(path)?),
            (Self::Energy, Some(path)) => Box::new(Measured::load(path)?.energy()),
            (Self::Cycles, None) => Box::new(Published::CYCLES),
            (Self::Energy, None) => Box::new(Published::ENERGY),
            (Self::Size, _) => Box::new(Size),
            (Self::Ram, _) => Box::new(Ram),
            (Self::Macs, _) => Box::new(Macs),
        })
    }
}

/// Every model there is, each once: those of a search with the measured table, if there is one, and of a search without.
///
/// # Errors
/// If the table cannot be loaded.
pub fn models(lut: Option<&Path>) -> Result<Vec<Box<dyn CostModel>>, LutError> {
    let mut out: Vec<Box<dyn CostModel>> = Vec::new();
    for table in lut.map(Some).into_iter().chain([None]) {
        for objective in Objective::value_variants() {
            let model = objective.model(table)?;
            if out.iter().all(|m| m.name() != model.name()) {
                out.push(model);
            }
        }
    }
    Ok(out)
}
