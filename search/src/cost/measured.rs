//! Cycles and energy from `lut.json`.

use std::path::Path;
use std::sync::Arc;

use mpic_kernels::deploy::Guard;
use mpic_kernels::lut::{Cost, Lut, LutError, Query, queries};

use super::{CostError, CostModel};
use crate::export::skeleton;
use crate::model::Graph;
use crate::space::Assignment;

/// The table of costs measured on the simulator (`lut.json`).
#[derive(Clone, Debug)]
pub struct Measured {
    lut: Arc<Lut>,
    energy: bool,
}

impl Measured {
    /// Loads the table; it prices cycles.
    ///
    /// # Errors
    /// If it is unreadable, malformed or stale.
    pub fn load(path: &Path) -> Result<Self, LutError> {
        Ok(Self { lut: Arc::new(Lut::load(path)?), energy: false })
    }

    /// The same table, pricing nominal energy.
    #[must_use]
    pub fn energy(self) -> Self {
        Self { energy: true, ..self }
    }

    /// The guard of the kernels that were measured; a network is deployed with the same.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.lut.guard()
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

    fn layers(&self, graph: &Graph, assignment: &Assignment) -> Result<Vec<f64>, CostError> {
        let cost = |q: &Query| -> Result<f64, CostError> {
            let Cost { cycles, energy_pj, .. } = self.lut.cost(q)?;
            Ok(if self.energy { energy_pj / 1e6 } else { cycles })
        };
        queries(&skeleton(graph, assignment)).iter().map(cost).collect()
    }
}
