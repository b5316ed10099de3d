//! Cost models: what an assignment costs. A model is one function of hard widths, and plain Rust; training makes of any of
//! them something to differentiate (`train::SoftCost`) or to keep below (`train::Descent`).

mod measured;
mod memory;
mod published;

use std::path::Path;

use clap::ValueEnum as _;
use mpic_kernels::deploy::Guard;
use mpic_kernels::lut::LutError;
use serde::{Deserialize, Serialize};

pub use measured::Measured;
pub use memory::{Macs, Ram, Size};
pub use published::Published;

use crate::model::Graph;
use crate::space::Assignment;

/// Why a model cannot say what something costs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CostError {
    /// The measured table cannot be used, or lacks a layer.
    #[error(transparent)]
    Table(#[from] LutError),
}

/// A cost model.
pub trait CostModel: std::fmt::Debug + Send + Sync {
    /// Name in reports.
    fn name(&self) -> &'static str;
    /// Unit of its numbers.
    fn unit(&self) -> &'static str;
    /// Costs that add up to that of the network: of each layer in execution order, or of all together where a model does not
    /// tell layers apart (memory is laid out, or shared, as a whole).
    ///
    /// # Errors
    /// If the model does not know a layer; nothing is free by default.
    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError>;
    /// Cost of the whole network.
    ///
    /// # Errors
    /// As for [`CostModel::layers`].
    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, CostError> {
        Ok(self.layers(graph, assignment)?.iter().sum())
    }
}

/// How much a cost counts in a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strength {
    /// This much: what is added to the loss of a network that costs as much as one with 8 bits everywhere.
    Fixed(f64),
    /// As much as it takes for the network to cost no more than this, in the unit of the model.
    Target(f64),
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
}

/// The source of cost models: the measured table, parsed once, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Models {
    table: Option<Measured>,
}

impl Models {
    /// Reads the measured table from `lut`, if there is one.
    ///
    /// # Errors
    /// If the table cannot be read, or was measured with other kernels or another simulator.
    pub fn load(lut: Option<&Path>) -> Result<Self, CostError> {
        Ok(Self { table: lut.map(Measured::load).transpose()? })
    }

    /// The measured table, if there is one.
    #[must_use]
    pub fn table(&self) -> Option<&Measured> {
        self.table.as_ref()
    }

    /// The guard of the kernels that costs are of: that of the table.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.table.as_ref().map_or_else(Guard::default, Measured::guard)
    }

    /// The model of an objective. Cycles and energy come from the measured table or, without one, from the published table.
    #[must_use]
    pub fn of(&self, objective: Objective) -> Box<dyn CostModel> {
        match (objective, &self.table) {
            (Objective::Cycles, Some(table)) => Box::new(table.clone()),
            (Objective::Energy, Some(table)) => Box::new(table.clone().energy()),
            (Objective::Cycles, None) => Box::new(Published::CYCLES),
            (Objective::Energy, None) => Box::new(Published::ENERGY),
            (Objective::Size, _) => Box::new(Size),
            (Objective::Ram, _) => Box::new(Ram),
            (Objective::Macs, _) => Box::new(Macs),
        }
    }

    /// Every model once: those of a search with the measured table, if there is one, and those of a search without.
    #[must_use]
    pub fn all(&self) -> Vec<Box<dyn CostModel>> {
        let mut out: Vec<Box<dyn CostModel>> = Vec::new();
        for models in [self, &Self::default()] {
            for &objective in Objective::value_variants() {
                let model = models.of(objective);
                if out.iter().all(|m| m.name() != model.name()) {
                    out.push(model);
                }
            }
        }
        out
    }
}
