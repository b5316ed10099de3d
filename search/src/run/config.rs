//! What a run is asked for, and the networks that follow from it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cost::{Objective, Strength};
use crate::space::Space;
use crate::train::{Epochs, Recipe, Sampling};

/// How finely widths are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Every output channel has a weight width of its own.
    Channel,
    /// Every layer has a weight width, which all its channels share.
    Layer,
    /// Widths are given; the search only prunes channels.
    Width,
    /// Widths are given and the same everywhere; nothing is searched.
    Fixed,
}

impl Granularity {
    /// Name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Layer => "layer",
            Self::Width => "width",
            Self::Fixed => "fixed",
        }
    }
}

/// How widths are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The network starts with the widest widths and comes down to budgets, move by move, while it trains.
    #[default]
    Descent,
    /// Logits of the widths are trained by gradient, under a cost term in the loss.
    Regulariser,
}

impl Method {
    /// Name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Descent => "descent",
            Self::Regulariser => "regulariser",
        }
    }
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
    /// The device of libtorch that it stands for.
    ///
    /// # Errors
    /// If libtorch finds no such device.
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

/// What a run is asked for. Its results follow from this alone, on one kind of processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Always `nas-run`.
    pub format: String,
    /// Version of this record.
    pub version: u32,
    /// Name of the task, as in [`crate::task::TASKS`].
    pub task: String,
    /// Folder of the data; `None` for embedded data.
    pub data: Option<PathBuf>,
    /// The network, by built-in name or file (whose copy is `model.toml`); `None` for the task's own.
    #[serde(default)]
    pub model: Option<String>,
    /// How finely widths are chosen.
    pub granularity: Granularity,
    /// How widths are found.
    pub method: Method,
    /// Widths that weights may have, in bits; 0 lets channels be pruned.
    pub weights: Vec<u8>,
    /// Widths that activation tensors may have, in bits.
    pub activations: Vec<u8>,
    /// What is minimised beside the loss; all of them count alike.
    pub objectives: Vec<Objective>,
    /// Whether there is a measured table (`lut.json` in the run's folder).
    pub measured: bool,
    /// Strengths of the cost term of a regulariser; each gives a point.
    pub lambdas: Vec<f64>,
    /// Targets of a regulariser in place of strengths; each list gives a point, which must meet all of them.
    pub targets: Vec<Vec<Target>>,
    /// Descents, each of which gives a row of points.
    pub descents: Vec<Route>,
    /// How a search computes with undecided widths.
    pub sampling: Sampling,
    /// Temperature at the start and at the end of a search.
    pub temperature: [f64; 2],
    /// Share of the training data on which only the choices of widths are trained.
    pub split: Option<f64>,
    /// Whether what a search finds is refined under the exact costs.
    pub refine: bool,
    /// Given widths as (weights, activations), in bits; each pair gives a fixed network, or a descent that only prunes.
    pub fixed: Vec<(u8, u8)>,
    /// How networks are trained.
    pub recipe: Recipe,
    /// Share of the training samples that is held out for validation, where the data have no validation set.
    pub validation: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of libtorch.
    pub threads: usize,
    /// What training runs on.
    pub device: Processor,
    /// How many test inputs are run on the simulator; `None` for all.
    pub simulate: Option<usize>,
    /// Whether the run started from given weights (`float.safetensors`) in place of a warm-up.
    pub warm_start: bool,
    /// The command that made the run.
    pub command: String,
}

/// A descent past a row of budgets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Beginning of the names of its points.
    pub id: String,
    /// Name of the folder that holds its state.
    pub folder: String,
    /// The widths it may use.
    pub space: Space,
    /// What the networks at its stops may cost, for each objective.
    pub limits: Vec<Budgets>,
}

/// What the networks at the stops of a descent may cost, by one objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// The objective whose cost is limited.
    pub objective: Objective,
    /// The most that the network at each stop may cost, falling, in the unit of the objective's model.
    pub allowed: Vec<f64>,
}

impl Route {
    /// The names of its points, in the order of its stops.
    #[must_use]
    pub fn points(&self) -> Vec<String> {
        let stops = self.limits.first().map_or(0, |l| l.allowed.len());
        let of = |stop: usize| {
            let parts = self.limits.iter().map(|l| format!("{}-{}", l.objective.name(), l.allowed[stop]));
            format!("{}-{}", self.id, parts.collect::<Vec<_>>().join("-"))
        };
        (0..stops).map(of).collect()
    }
}

/// The most that a network may cost by one objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The objective whose cost is limited.
    pub objective: Objective,
    /// The most it may cost, in the unit of the objective's model.
    pub value: f64,
}

impl Config {
    /// Value of [`Config::format`].
    pub const FORMAT: &str = "nas-run";
    /// Value of [`Config::version`].
    pub const VERSION: u32 = 3;

    /// Gives libtorch and our own loops the threads of the run.
    pub(super) fn share_threads(&self) -> Result<()> {
        tch::set_num_threads(i32::try_from(self.threads).context("so many threads")?);
        // The pool can be made once in a process; whoever made it before has said how many threads there are.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        Ok(())
    }

    /// The networks to find, in order.
    pub(super) fn plans(&self) -> Vec<Plan> {
        let name = self.granularity.name();
        // Cycles are what is usually minimised; other objectives are part of the name.
        let of = match self.objectives.as_slice() {
            [Objective::Cycles] => String::new(),
            all => all.iter().flat_map(|o| [o.name(), "-"]).collect(),
        };
        let plan = |id: String, kind: String, lambda, space, goal| Plan { id, kind, lambda, space, goal };
        let searched = |&lambda: &f64| {
            let each = lambda / self.objectives.len() as f64;
            let costs = self.objectives.iter().map(|&o| (o, Strength::Fixed(each))).collect();
            let id = format!("{name}-{of}{lambda}");
            plan(id, name.into(), Some(lambda), self.space(), Way::Search(costs))
        };
        let aimed = |targets: &Vec<Target>| {
            let parts: Vec<_> =
                targets.iter().map(|t| format!("{}-{}", t.objective.name(), t.value)).collect();
            let costs = targets.iter().map(|t| (t.objective, Strength::Target(t.value))).collect();
            plan(format!("{name}-{}", parts.join("-")), name.into(), None, self.space(), Way::Search(costs))
        };
        let descents = self.descents.iter().enumerate().flat_map(|(path, p)| {
            // One descent of many is told from others by its widths only where these differ.
            let kind = if self.granularity == Granularity::Width { p.id.clone() } else { name.into() };
            p.points().into_iter().enumerate().map(move |(stop, id)| {
                plan(id, kind.clone(), None, p.space.clone(), Way::Descend { path, stop })
            })
        });
        let fixed = |&(w, a): &(u8, u8)| {
            let space = Space { weights: vec![w], activations: vec![a], per_channel: false };
            plan(format!("{name}-w{w}a{a}"), name.into(), None, space, Way::Fixed(w, a))
        };
        let all = self.lambdas.iter().map(searched).chain(self.targets.iter().map(aimed)).chain(descents);
        let fixed = self.fixed.iter().filter(|_| self.granularity == Granularity::Fixed).map(fixed);
        all.chain(fixed).collect()
    }

    /// Number of epochs of everything that the run trains.
    #[must_use]
    pub fn epochs(&self) -> usize {
        let Epochs { warm_up, search, fine_tune } = self.recipe.epochs;
        let own = if self.warm_start { 0 } else { warm_up };
        let each = |plan: &Plan| match plan.goal {
            Way::Search(_) | Way::Fixed(..) => search + fine_tune,
            Way::Descend { .. } => fine_tune,
        };
        own + self.descents.len() * search + self.plans().iter().map(each).sum::<usize>()
    }

    /// The widths that a search of the run chooses from.
    #[must_use]
    pub fn space(&self) -> Space {
        let sorted = |v: &[u8]| {
            let mut v = v.to_vec();
            v.sort_unstable();
            v.dedup();
            v
        };
        Space {
            weights: sorted(&self.weights),
            activations: sorted(&self.activations),
            per_channel: self.granularity == Granularity::Channel,
        }
    }

    /// The names and spaces of its descents: one, or one for each width of pruned networks of one width.
    #[must_use]
    pub fn spaces(&self) -> Vec<(String, Space)> {
        let name = self.granularity.name();
        match self.granularity {
            Granularity::Channel | Granularity::Layer => vec![(name.into(), self.space())],
            Granularity::Width => {
                let of = |&(w, a): &(u8, u8)| {
                    let space = Space { weights: vec![0, w], activations: vec![a], per_channel: true };
                    (format!("{name}-w{w}a{a}"), space)
                };
                self.fixed.iter().map(of).collect()
            }
            Granularity::Fixed => vec![],
        }
    }
}

/// One network to find.
pub(super) struct Plan {
    pub(super) id: String,
    /// Which points it makes a front with.
    pub(super) kind: String,
    /// Strength of the cost, for reports.
    pub(super) lambda: Option<f64>,
    /// The widths it may have.
    pub(super) space: Space,
    pub(super) goal: Way,
}

/// How to find it.
pub(super) enum Way {
    /// By search under these costs.
    Search(Vec<(Objective, Strength)>),
    /// At a stop of a descent, by their numbers.
    Descend { path: usize, stop: usize },
    /// It is given: weight and activation bits.
    Fixed(u8, u8),
}

impl Config {
    /// How a plan finds its network, for reports.
    pub(super) fn method(plan: &Plan) -> &'static str {
        match plan.goal {
            Way::Search(_) => Method::Regulariser.name(),
            Way::Descend { .. } => Method::Descent.name(),
            Way::Fixed(..) => "given",
        }
    }

    /// What a plan pays for.
    pub(super) fn costs(&self, plan: &Plan) -> Vec<(Objective, Strength)> {
        match &plan.goal {
            Way::Search(costs) => costs.clone(),
            Way::Descend { path, stop } => {
                let limits = &self.descents[*path].limits;
                limits.iter().map(|l| (l.objective, Strength::Target(l.allowed[*stop]))).collect()
            }
            Way::Fixed(..) => vec![],
        }
    }
}
