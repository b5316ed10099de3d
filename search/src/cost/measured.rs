//! Cycles and energy from `lut.json`.

use std::path::Path;

use mpic_kernels::lut::{Cost, Lut, LutError, Query, queries};

use super::CostModel;
use crate::export::skeleton;
use crate::model::Graph;
use crate::space::Assignment;

/// The measured table.
#[derive(Clone, Debug)]
pub struct Measured {
    lut: Lut,
    energy: bool,
}

impl Measured {
    /// Loads the table; it prices cycles.
    ///
    /// # Errors
    /// If it is unreadable, malformed or stale.
    pub fn load(path: &Path) -> Result<Self, LutError> {
        Ok(Self { lut: Lut::load(path)?, energy: false })
    }

    /// The same table, pricing nominal energy.
    #[must_use]
    pub fn energy(self) -> Self {
        Self { energy: true, ..self }
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
}

impl CostModel for Measured {
    fn name(&self) -> &'static str {
        if self.energy { "measured table, energy" } else { "measured table" }
    }

    fn unit(&self) -> &'static str {
        if self.energy { "microjoules" } else { "cycles" }
    }

    fn hard(&self, graph: &Graph, assignment: &Assignment) -> Result<f64, LutError> {
        let cost = self.cost(graph, assignment)?;
        Ok(if self.energy { cost.energy_pj / 1e6 } else { cost.cycles })
    }
}
