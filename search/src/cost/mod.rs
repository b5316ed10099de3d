//! Cost models: what a network would cost, as numbers and as something to differentiate.
//!
//! Every model answers `hard` for an assignment. Its `slopes` say how cost grows with the channels of each width, for the
//! gradient of the search: the soft cost has the hard value of the chosen widths and the slopes' gradient.

mod measured;
mod published;
mod size;
mod soft;

use std::path::Path;

use mpic_kernels::lut::LutError;

pub use measured::Measured;
pub use published::Published;
pub use size::Size;
pub use soft::SoftCost;

use crate::model::{Graph, NodeId};
use crate::space::Assignment;

/// Cost per output channel of a node for a width of its input and of its weights, and a constant per input width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slopes {
    /// `per_channel[a][w]`, by index into the widths asked for.
    pub per_channel: Vec<Vec<f64>>,
    /// `constant[a]`.
    pub constant: Vec<f64>,
}

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
    /// How the cost of a node depends on the width of its input, among `a_bits`, and of its channels, among `w_bits`.
    ///
    /// # Errors
    /// As [`CostModel::hard`].
    fn slopes(&self, graph: &Graph, id: NodeId, a_bits: &[u8], w_bits: &[u8]) -> Result<Slopes, LutError>;
}

/// The model for an objective: `cycles` from the measured table or, without one, the published; `size`.
///
/// # Errors
/// If the table cannot be loaded, or the objective is none.
pub fn for_objective(objective: Objective, lut: Option<&Path>) -> Result<Box<dyn CostModel>, LutError> {
    Ok(match (objective, lut) {
        (Objective::Size, _) => Box::new(Size),
        (Objective::Cycles, Some(path)) => Box::new(Measured::load(path)?),
        (Objective::Cycles, None) => Box::new(Published),
    })
}

/// What a search minimises beside the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Clock cycles of an inference.
    Cycles,
    /// Bytes of packed weights and requantisation data.
    Size,
}
