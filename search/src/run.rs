//! A whole run: its configuration, its folder, and the way from a lambda to a measured point.
//!
//! ```text
//! RUN/config.json            what was asked for; --resume reads it
//! RUN/lut.json               the cost table, as it was; model.toml, the network, if it came from a file
//! RUN/warmup.safetensors     state of the warm-up; float.safetensors, its result, which other runs can start from
//! RUN/points/ID/             assignment.json network.json network.elf report.json, state.safetensors while training
//! RUN/pareto.json …          see `report`
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use mpic_kernels::fast::Fast;
use mpic_kernels::lut::queries;
use mpic_kernels::net::IntNet;
use mpic_kernels::{deploy, files, golden, simulate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cost::{self, CostModel, Measured, Objective, SoftCost};
use crate::data::Dataset;
use crate::export;
use crate::import::Values;
use crate::model::{self, Graph};
use crate::pareto::{Estimate, LayerPoint, Point};
use crate::refine::{Price, Refinement};
use crate::space::{Assignment, Space};
use crate::task;
use crate::train::{
    self, Arithmetic, Epochs, Goal, Network, Phase, Pressure, Sampling, Strength, Term, TrainError, Trainer,
};

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
}

/// The network in floating point after warm-up.
pub const FLOAT: &str = "float.safetensors";

/// The copy of the network file.
const MODEL: &str = "model.toml";

/// What a run starts from in place of a warm-up.
#[derive(Debug)]
pub enum Weights<'a> {
    /// Nothing: it warms up.
    None,
    /// The warm-up of another run.
    File(&'a Path),
    /// Weights trained elsewhere.
    Imported(Values),
}

/// A run in its folder.
#[derive(Debug)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// What it does.
    pub config: Config,
}

/// One network to find.
struct Plan {
    id: String,
    /// Strength of the cost, for reports.
    lambda: Option<f64>,
    goal: Way,
}

/// How to find it.
enum Way {
    /// By search under these costs.
    Search(Vec<(Objective, Strength)>),
    /// It is given: weight and activation bits.
    Fixed(u8, u8),
}

/// Writes `bytes` to `path` at once or not at all.
///
/// # Errors
/// If that cannot be done; the message names the file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain records become JSON");
    text.push(b'\n');
    write_atomically(path, &text)
}

impl Run {
    /// Starts a run in a folder that holds none yet.
    ///
    /// # Errors
    /// If there is a run already, or the folder or the table cannot be written.
    pub fn create(folder: &Path, config: Config, lut: Option<&Path>, weights: &Weights) -> Result<Self> {
        let name = folder.display();
        if folder.join("config.json").exists() {
            bail!(
                "{name} already holds a run; continue it with --resume {name}, or name another folder with --out"
            );
        }
        std::fs::create_dir_all(folder.join("points")).with_context(|| format!("cannot create {name}"))?;
        let model = config.model.as_deref().filter(|m| model::built_in(m).is_none()).map(Path::new);
        let other = match weights {
            Weights::None => None,
            Weights::File(path) => Some(*path),
            Weights::Imported(values) => {
                train::save_values(values, &folder.join(FLOAT))?;
                None
            }
        };
        for (from, to) in [(lut, "lut.json"), (model, MODEL), (other, FLOAT)] {
            if let Some(from) = from {
                std::fs::copy(from, folder.join(to))
                    .with_context(|| format!("cannot copy {} to {name}", from.display()))?;
            }
        }
        write_json(&folder.join("config.json"), &config)?;
        Ok(Self { folder: folder.into(), config })
    }

    /// Opens a run.
    ///
    /// # Errors
    /// If the folder holds none.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let text = std::fs::read(&path)
            .with_context(|| format!("{} holds no run: cannot read {}", folder.display(), path.display()))?;
        let config: Config =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            config.format == Config::FORMAT && config.version == Config::VERSION,
            "{} says '{}' version {}, not '{}' version {}; it was made by another version of this program",
            path.display(),
            config.format,
            config.version,
            Config::FORMAT,
            Config::VERSION
        );
        Ok(Self { folder: folder.into(), config })
    }

    fn lut(&self) -> Option<PathBuf> {
        self.config.measured.then(|| self.folder.join("lut.json"))
    }

    /// The points that are complete, in the order of the configuration.
    ///
    /// # Errors
    /// If a report is damaged.
    pub fn points(&self) -> Result<Vec<Point>> {
        self.plans()
            .iter()
            .map(|plan| self.folder.join("points").join(&plan.id).join("report.json"))
            .filter(|path| path.exists())
            .map(|path| {
                let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_slice(&text).with_context(|| {
                    format!("{} is damaged; remove it to measure the point again", path.display())
                })
            })
            .collect()
    }

    fn plans(&self) -> Vec<Plan> {
        let name = match self.config.granularity {
            Granularity::Channel => "channel",
            Granularity::Layer => "layer",
            Granularity::Fixed => "fixed",
        };
        let config = &self.config;
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

    /// Finds and measures every point that is missing; after each, `done` sees all there are.
    ///
    /// # Errors
    /// If training is interrupted or fails, a layer has no measurement, or a file cannot be read or written. Whatever was
    /// complete is on disk.
    pub fn execute(&self, stop: &AtomicBool, mut done: impl FnMut(&[Point]) -> Result<()>) -> Result<()> {
        let task = task::find(&self.config.task)
            .with_context(|| format!("there is no task '{}'", self.config.task))?;
        tch::set_num_threads(i32::try_from(self.config.threads).context("so many threads")?);
        let data = (task.data)(self.config.data.as_deref())?;
        let file = self.folder.join(MODEL).display().to_string();
        let model = if Path::new(&file).exists() { Some(file) } else { self.config.model.clone() };
        let graph = task.graph(model.as_deref(), &data)?;
        let space = self.space();
        let plans = self.plans();
        let mut models: Vec<(Objective, Box<dyn CostModel>)> = Vec::new();
        for objective in plans.iter().flat_map(Plan::objectives).chain([Objective::Cycles]) {
            if models.iter().all(|m| m.0 != objective) {
                models.push((objective, objective.model(self.lut().as_deref())?));
            }
        }
        // Before anything is trained: what a model does not know should not come out hours later.
        for (_, model) in &models {
            for w in space.widths() {
                for &a in &space.activations {
                    model.hard(&graph, &Assignment::uniform(&graph, w, a))?;
                }
            }
            let cost = model.hard(&graph, &Assignment::uniform(&graph, 8, 8))?;
            eprintln!("  8 bits everywhere cost {cost:.0} {} ({})", model.unit(), model.name());
        }
        let trainer = Trainer { data: &data, recipe: &task.recipe, seed: self.config.seed, stop };
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut warm = Network::new(graph.clone(), space.clone(), &mut rng);
        let (state, weights) = (self.folder.join("warmup.safetensors"), self.folder.join(FLOAT));
        if !weights.exists() {
            trainer.phase(&mut warm, Phase::WarmUp, self.config.epochs.warm_up, Goal::Float, &state)?;
            train::save_weights(&warm, &weights)?;
        }
        train::load_weights(&mut warm, &weights)?;
        let float = trainer.score(&warm, Arithmetic::Normalised(false));
        warm.fold();
        warm.calibrate(&trainer.calibration());
        eprintln!("  float {} {float:.2}", task.metric);
        let shared = Shared {
            data: &data,
            graph: &graph,
            space: &space,
            models: &models,
            trainer: &trainer,
            float,
            warm: warm.state(),
        };
        for (n, plan) in plans.iter().enumerate() {
            let report = self.folder.join("points").join(&plan.id).join("report.json");
            if report.exists() {
                continue;
            }
            eprintln!("{} ({} of {})", plan.id, n + 1, plans.len());
            self.point(plan, &shared)?;
            done(&self.points()?)?;
        }
        done(&self.points()?)
    }

    fn space(&self) -> Space {
        let sorted = |v: &[u8]| {
            let mut v = v.to_vec();
            v.sort_unstable();
            v.dedup();
            v
        };
        let mut space = Space {
            weights: sorted(&self.config.weights),
            activations: sorted(&self.config.activations),
            per_channel: self.config.granularity == Granularity::Channel,
        };
        for &(w, a) in &self.config.fixed {
            space.weights = sorted(&[&space.weights[..], &[w]].concat());
            space.activations = sorted(&[&space.activations[..], &[a]].concat());
        }
        space
    }

    fn point(&self, plan: &Plan, shared: &Shared) -> Result<()> {
        let folder = self.folder.join("points").join(&plan.id);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (graph, trainer) = (shared.graph, shared.trainer);
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut net = Network::new(graph.clone(), shared.space.clone(), &mut rng);
        assert!(net.restore(&shared.warm), "the warm-up has the same network");
        let state = folder.join("state.safetensors");
        let Epochs { search, fine_tune, .. } = self.config.epochs;
        let (assignment, tuning) = match &plan.goal {
            Way::Search(costs) => (self.search(costs, &mut net, shared, &folder)?, fine_tune),
            // Without a search the baseline trains as long as the others.
            Way::Fixed(w, a) => (Assignment::uniform(graph, *w, *a), search + fine_tune),
        };
        trainer.phase(&mut net, Phase::FineTune, tuning, Goal::Keep(&assignment), &state)?;
        let fake = trainer.score(&net, Arithmetic::Fake(&net.hard_choices(&assignment)));
        let (frozen, scales) = net.freeze(&assignment);
        let network = export::lower(graph, &assignment, &frozen, &scales)?;
        let point = self.measure(plan, shared, &assignment, &network, fake)?;
        if matches!(plan.goal, Way::Fixed(..)) {
            write_json(&folder.join("assignment.json"), &assignment)?;
        }
        network.save(&folder.join("network.json"))?;
        write_json(&folder.join("report.json"), &point)?;
        let _ = std::fs::remove_file(state);
        Ok(())
    }

    /// Searches an assignment, or takes that of a search that is complete.
    fn search(
        &self,
        costs: &[(Objective, Strength)],
        net: &mut Network,
        shared: &Shared,
        folder: &Path,
    ) -> Result<Assignment> {
        let found = folder.join("assignment.json");
        let (graph, space, trainer) = (shared.graph, shared.space, shared.trainer);
        if found.exists() {
            let text = std::fs::read(&found).with_context(|| format!("cannot read {}", found.display()))?;
            return serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged; remove it to search again", found.display()));
        }
        let term = |&(objective, strength): &(Objective, Strength)| -> Result<Term> {
            Ok(Term::new(SoftCost::new(shared.model(objective), graph, space)?, strength))
        };
        let terms = costs.iter().map(term).collect::<Result<Vec<_>>>()?;
        let prices = terms
            .iter()
            .map(|t| Price { model: t.cost.model(), reference: t.cost.reference(), strength: t.strength })
            .collect();
        let Config { sampling, temperature, split, .. } = self.config;
        let mut pressure = Pressure { terms, sampling, temperature, split };
        let state = folder.join("state.safetensors");
        trainer.phase(net, Phase::Search, self.config.epochs.search, Goal::Choose(&mut pressure), &state)?;
        let mut assignment = net.argmax();
        if self.config.refine {
            let rank = (0..graph.nodes.len()).map(|id| net.rank(id)).collect();
            let refinement = Refinement { graph, space, prices, rank };
            let samples = trainer.sample();
            let bar = crate::progress::bar("refining", 0, 0);
            assignment = refinement.run(
                assignment,
                |a| Ok(trainer.loss(net, &samples, a)?),
                |round, changes| bar.note(&format!("round {round}: {changes} changes pay")),
            )?;
            bar.finish();
        } else if self.config.granularity == Granularity::Channel {
            assignment = assignment.promoted();
        }
        write_json(&found, &assignment)?;
        Ok(assignment)
    }

    /// Evaluates the integer network on the whole test set, deploys it and runs it on the simulator.
    fn measure(
        &self,
        plan: &Plan,
        shared: &Shared,
        assignment: &Assignment,
        network: &IntNet,
        fake: f64,
    ) -> Result<Point> {
        let data = shared.data;
        let bar = crate::progress::bar("measuring", 2, 0);
        let input = |i: usize| data.test.codes(i, 0).iter().map(|&c| i32::from(c)).collect::<Vec<_>>();
        let output = |i: usize| golden::run(network, &input(i)).swap_remove(network.output);
        let fast = Fast::new(network);
        let scale = network.tensors[network.output].scale;
        let verdict = |i: usize| {
            let y: Vec<f64> = fast.run(&input(i)).into_iter().map(|y| scale * f64::from(y)).collect();
            data.verdict(&data.test, i, &y)
        };
        let verdicts: Vec<f64> = (0..data.test.len()).into_par_iter().map(verdict).collect();
        bar.inc(1);
        if shared.trainer.stop.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted.into());
        }

        let simulated = data.test.spread(self.config.simulate);
        let inputs: Vec<_> = simulated.iter().map(|&i| input(i)).collect();
        let deployment = deploy::deploy(network, &inputs[0])?;
        let runs = simulate::run(&deployment, &inputs, true)?;
        bar.finish();
        let bit_exact = runs.iter().zip(&simulated).all(|(run, &i)| run.output == output(i));
        if let Some(run) = runs.iter().find(|r| r.cycles != runs[0].cycles || !r.warnings.is_empty()) {
            bail!(
                "{}: an input took {} cycles where another took {} (warnings: {:?}); kernels must not depend on data or on \
                 quirks, please report this",
                plan.id,
                run.cycles,
                runs[0].cycles,
                run.warnings
            );
        }
        let elf = self.folder.join("points").join(&plan.id).join("network.elf");
        write_atomically(&elf, &deployment.elf)?;

        let measured = self.lut().map(|path| Measured::load(&path)).transpose()?;
        // A layer may run as several steps; its channels are those of the last.
        let queries = queries(network);
        let layers: Vec<LayerPoint> = queries
            .chunk_by(|a, b| a.region == b.region)
            .map(|steps| {
                let q = steps.last().expect("a chunk is not empty");
                let predicted = |m: &Measured| steps.iter().map(|q| m.layer(q)).sum::<Result<f64, _>>();
                Ok(LayerPoint {
                    name: q.name.clone(),
                    input_bits: q.a_bits,
                    channels: q.groups.iter().copied().filter(|g| g.0 != 0).collect(),
                    cycles: runs[0].layers[q.region].cycles as u64,
                    predicted_cycles: measured.as_ref().map(predicted).transpose()?,
                })
            })
            .collect::<Result<_>>()?;
        let graph = shared.graph;
        let cycles = shared.model(Objective::Cycles);
        let predicted_cycles = Some(cycles.hard(graph, assignment)?);
        let costs = cost::models(self.lut().as_deref())?
            .iter()
            .map(|m| {
                let (model, unit) = (m.name().into(), m.unit().into());
                Ok(Estimate { model, unit, value: m.hard(graph, assignment)? })
            })
            .collect::<Result<_>>()?;
        let macs = (0..graph.nodes.len())
            .map(|id| graph.fan_in(id) * graph.nodes[id].shape.iter().product::<usize>())
            .sum::<usize>();
        let run = &runs[0];
        let [nominal, low, high, constant] = run.energy_pj.map(|pj| pj / 1e6);
        Ok(Point {
            id: plan.id.clone(),
            run: self.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            granularity: plan.id.split('-').next().unwrap_or_default().into(),
            objective: plan.objectives().map(Objective::name).collect::<Vec<_>>().join("+"),
            lambda: plan.lambda,
            seed: self.config.seed,
            accuracy: data.score(&data.test, &verdicts),
            accuracy_fake_quantised: fake,
            accuracy_float: shared.float,
            weight_bytes: deployment.memory.weights,
            flash_bytes: deployment.memory.flash(),
            ram_peak_bytes: deployment.memory.buffers,
            cycles: layers.iter().map(|l| l.cycles).sum(),
            program_cycles: run.cycles,
            energy_uj: nominal,
            energy_uj_range: [low, high],
            energy_uj_constant: constant,
            predicted_cycles,
            cost_model: cycles.name().into(),
            costs,
            simulated_inputs: simulated.len(),
            bit_exact,
            macs: macs as u64,
            layers,
            assignment: assignment.clone(),
        })
    }
}

impl Plan {
    /// What its costs are costs of.
    fn objectives(&self) -> impl Iterator<Item = Objective> {
        let costs = match &self.goal {
            Way::Search(costs) => &costs[..],
            Way::Fixed(..) => &[],
        };
        costs.iter().map(|c| c.0)
    }
}

/// What all points of a run share.
struct Shared<'a> {
    data: &'a Dataset,
    graph: &'a Graph,
    space: &'a Space,
    models: &'a [(Objective, Box<dyn CostModel>)],
    trainer: &'a Trainer<'a>,
    float: f64,
    warm: Vec<(String, tch::Tensor)>,
}

impl<'a> Shared<'a> {
    /// The model of an objective of the run.
    fn model(&self, objective: Objective) -> &'a dyn CostModel {
        let (_, model) =
            self.models.iter().find(|m| m.0 == objective).expect("every objective has its model");
        model.as_ref()
    }
}
