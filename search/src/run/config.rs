//! What a run is asked for, and the networks that follow from it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cost::Objective;
use crate::space::Space;
use crate::train::{Epochs, Sampling, Strength};

/// How finely widths are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Every output channel for itself.
    Channel,
    /// Every layer.
    Layer,
    /// Not at all: the same widths everywhere.
    Fixed,
}

/// What training runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Processor {
    /// The processor of this machine.
    #[default]
    Cpu,
    /// The first GPU that libtorch's CUDA finds.
    Cuda,
}

impl Processor {
    /// As libtorch names it.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn device(self) -> Result<tch::Device> {
        match self {
            Self::Cpu => Ok(tch::Device::Cpu),
            Self::Cuda if tch::Cuda::is_available() => Ok(tch::Device::Cuda(0)),
            Self::Cuda => bail!(
                "--device cuda: this libtorch finds no CUDA device; build with LIBTORCH=FOLDER of a libtorch 2.11 that has CUDA, \
                 on a machine with a GPU, or leave --device away"
            ),
        }
    }
}

/// Everything a run's results follow from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Always `nas-run`.
    pub format: String,
    /// Version of this record.
    pub version: u32,
    /// Task name.
    pub task: String,
    /// Data folder; none for embedded data.
    pub data: Option<PathBuf>,
    /// Network, by built-in name or file (whose copy is `model.toml`); none for the task's own.
    #[serde(default)]
    pub model: Option<String>,
    /// How finely widths are chosen.
    pub granularity: Granularity,
    /// Weight widths.
    pub weights: Vec<u8>,
    /// Activation widths.
    pub activations: Vec<u8>,
    /// What is minimised beside the loss; each counts alike.
    pub objectives: Vec<Objective>,
    /// Whether there is a measured table (`lut.json` in the run's folder).
    pub measured: bool,
    /// Strengths of the cost term, one point each.
    pub lambdas: Vec<f64>,
    /// Targets in place of strengths, one point each; all targets of a point hold together.
    pub targets: Vec<Vec<Target>>,
    /// How a search computes with undecided widths.
    pub sampling: Sampling,
    /// Temperature at the start and at the end of a search.
    pub temperature: [f64; 2],
    /// Share of the training data on which only choices learn.
    pub split: Option<f64>,
    /// Whether what a search finds is refined under the exact costs.
    pub refine: bool,
    /// For fixed widths: (weights, activations), one point each.
    pub fixed: Vec<(u8, u8)>,
    /// Epochs of each phase.
    pub epochs: Epochs,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of libtorch; results are repeatable for one number of them.
    pub threads: usize,
    /// What trains.
    #[serde(default)]
    pub device: Processor,
    /// Test inputs to run on the simulator.
    pub simulate: usize,
    /// Whether the run started from given weights (`float.safetensors`) in place of a warm-up.
    pub warm_start: bool,
    /// The command that made the run.
    pub command: String,
}

/// What a network may cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Of what.
    pub objective: Objective,
    /// How much, in the unit of its model.
    pub value: f64,
}

impl Config {
    /// Value of [`Config::format`].
    pub const FORMAT: &str = "nas-run";
    /// Value of [`Config::version`].
    pub const VERSION: u32 = 2;

    /// Gives libtorch and our own loops the threads of the run.
    pub(super) fn share_threads(&self) -> Result<()> {
        tch::set_num_threads(i32::try_from(self.threads).context("so many threads")?);
        // The pool can be made once in a process; whoever made it before has said how many threads there are.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        Ok(())
    }

    pub(super) fn plans(&self) -> Vec<Plan> {
        let name = match self.granularity {
            Granularity::Channel => "channel",
            Granularity::Layer => "layer",
            Granularity::Fixed => "fixed",
        };
        let config = self;
        // Cycles are what is usually minimised; other objectives are part of the name.
        let of = match config.objectives.as_slice() {
            [Objective::Cycles] => String::new(),
            all => all.iter().flat_map(|o| [o.name(), "-"]).collect(),
        };
        let searched = |&lambda: &f64| {
            let each = lambda / config.objectives.len() as f64;
            let costs = config.objectives.iter().map(|&o| (o, Strength::Fixed(each))).collect();
            Plan { id: format!("{name}-{of}{lambda}"), lambda: Some(lambda), goal: Way::Search(costs) }
        };
        let aimed = |targets: &Vec<Target>| {
            let parts: Vec<_> =
                targets.iter().map(|t| format!("{}-{}", t.objective.name(), t.value)).collect();
            let costs = targets.iter().map(|t| (t.objective, Strength::Target(t.value))).collect();
            Plan { id: format!("{name}-{}", parts.join("-")), lambda: None, goal: Way::Search(costs) }
        };
        let fixed = |&(w, a): &(u8, u8)| Plan {
            id: format!("{name}-w{w}a{a}"),
            lambda: None,
            goal: Way::Fixed(w, a),
        };
        match config.granularity {
            Granularity::Channel | Granularity::Layer => {
                config.lambdas.iter().map(searched).chain(config.targets.iter().map(aimed)).collect()
            }
            Granularity::Fixed => config.fixed.iter().map(fixed).collect(),
        }
    }

    pub(super) fn space(&self) -> Space {
        let sorted = |v: &[u8]| {
            let mut v = v.to_vec();
            v.sort_unstable();
            v.dedup();
            v
        };
        let mut space = Space {
            weights: sorted(&self.weights),
            activations: sorted(&self.activations),
            per_channel: self.granularity == Granularity::Channel,
        };
        for &(w, a) in &self.fixed {
            space.weights = sorted(&[&space.weights[..], &[w]].concat());
            space.activations = sorted(&[&space.activations[..], &[a]].concat());
        }
        space
    }
}

/// One network to find.
pub(super) struct Plan {
    pub(super) id: String,
    /// Strength of the cost, for reports.
    pub(super) lambda: Option<f64>,
    pub(super) goal: Way,
}

/// How to find it.
pub(super) enum Way {
    /// By search under these costs.
    Search(Vec<(Objective, Strength)>),
    /// It is given: weight and activation bits.
    Fixed(u8, u8),
}

impl Plan {
    /// What it pays for.
    pub(super) fn costs(&self) -> &[(Objective, Strength)] {
        match &self.goal {
            Way::Search(costs) => costs,
            Way::Fixed(..) => &[],
        }
    }
}
