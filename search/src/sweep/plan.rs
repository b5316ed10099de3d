//! From searches to cells: those that need the same warm-up share one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Cell;
use crate::cost::Objective;
use crate::quant::Quantisers;
use crate::run::{Config, Granularity, Method, Run, Weights};
use crate::train::{ChoiceOptimiser, Epochs, Recipe};

/// A cell and the run that it is.
#[derive(Debug)]
pub struct Planned {
    /// The cell as it stands in the record of the sweep.
    pub cell: Cell,
    config: Config,
    lut: Option<PathBuf>,
    weights: Weights,
}

/// A search as it was asked for.
#[derive(Debug)]
pub struct Search {
    /// Its name, unlike all others.
    pub name: String,
    /// What it does.
    pub config: Config,
    /// Its cost table.
    pub lut: Option<PathBuf>,
    /// What it starts from.
    pub weights: Weights,
}

impl Planned {
    /// Cells for searches, in their order, warm-ups before those that need them.
    #[must_use]
    pub fn of(searches: Vec<Search>) -> Vec<Self> {
        let mut cells: Vec<Self> = Vec::new();
        let mut warm_ups: BTreeMap<String, String> = BTreeMap::new();
        for Search { name, mut config, lut, weights } in searches {
            let mut needs = None;
            if matches!(weights, Weights::None) && config.recipe.epochs.warm_up > 0 {
                let warm_up = warm_up(&config);
                let key = serde_json::to_string(&Config { command: String::new(), ..warm_up.clone() })
                    .expect("a configuration becomes JSON");
                let number = warm_ups.len() + 1;
                let id = warm_ups.entry(key).or_insert_with(|| {
                    let id = format!("warm-up-{number}");
                    let cell = Cell { id: id.clone(), needs: None, epochs: warm_up.epochs() };
                    cells.push(Self { cell, config: warm_up, lut: None, weights: Weights::None });
                    id
                });
                needs = Some(id.clone());
                config.warm_start = true;
            }
            let cell = Cell { id: name, needs, epochs: config.epochs() };
            cells.push(Self { cell, config, lut, weights });
        }
        cells
    }

    /// Makes the run in its folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        Run::create(folder, self.config.clone(), self.lut.as_deref(), &self.weights).map(drop)
    }
}

/// What a search does before anything that tells it from others.
fn warm_up(of: &Config) -> Config {
    let epochs = Epochs { search: 0, fine_tune: 0, ..of.recipe.epochs };
    let pace = crate::train::Pace { warm_up: of.recipe.pace.warm_up, ..Recipe::BASE.pace };
    let recipe = Recipe {
        epochs,
        pace,
        distill: None,
        quantisers: Quantisers::Learned,
        choices: ChoiceOptimiser::Adam,
        fold_norm: false,
        ..of.recipe.clone()
    };
    Config {
        granularity: Granularity::Fixed,
        method: Method::Descent,
        weights: vec![8],
        activations: vec![8],
        objectives: vec![Objective::Cycles],
        measured: false,
        lambdas: vec![],
        targets: vec![],
        descents: vec![],
        sampling: crate::train::Sampling::Argmax,
        temperature: [1.0; 2],
        split: None,
        refine: false,
        fixed: vec![],
        recipe,
        simulate: Some(1),
        ..of.clone()
    }
}
