//! What can be searched for: data, network and training recipe by name. A task is one line here.

use std::path::Path;

use crate::data::{self, DataError, Dataset};
use crate::model::{self, Graph};
use crate::train::{Epochs, Recipe};

/// A benchmark task.
pub struct Task {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Its network.
    pub graph: fn() -> Graph,
    /// Its data, from a folder or, where it is embedded, without one.
    pub data: fn(Option<&Path>) -> Result<Dataset, DataError>,
    /// How it is trained.
    pub recipe: Recipe,
}

/// Every task.
pub const TASKS: &[Task] = &[Task {
    name: "fashion",
    about: "Fashion-MNIST at 14x14 (embedded), small residual network",
    graph: model::fashion,
    data: data::fashion14,
    recipe: Recipe {
        epochs: Epochs { warm_up: 40, search: 8, fine_tune: 8 },
        batch: 64,
        shift: 1,
        mirror: true,
    },
}];

/// The task of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|t| t.name == name)
}
