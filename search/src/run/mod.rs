//! A whole run: its configuration, its folder, and the way from a lambda to a measured point.
//!
//! ```text
//! RUN/config.json            what was asked for; --resume reads it
//! RUN/lut.json               the cost table, as it was; model.toml, the network, if it came from a file
//! RUN/warmup.safetensors     state of the warm-up; float.safetensors, its result, which other runs can start from
//! RUN/points/ID/             search.json assignment.json network.json network.elf report.json, state.safetensors while training
//! RUN/pareto.json …          see `report`
//! ```

mod config;
mod measure;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};
use mpic_kernels::files;
use mpic_kernels::source::Source;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use config::{Config, Granularity, Processor, Target};
use config::{Plan, Way};

use crate::cost::{CostModel, Objective, SoftCost};
use crate::data::Dataset;
use crate::export;
use crate::import::Values;
use crate::model::{self, Graph};
use crate::pareto::Point;
use crate::refine::{Price, Refinement};
use crate::report;
use crate::space::{Assignment, Space};
use crate::task::{self, Loaded, Task};
use crate::train::{self, Arithmetic, Epochs, Goal, Network, Phase, Pressure, Strength, Term, Trainer};

/// The network in floating point after warm-up.
pub const FLOAT: &str = "float.safetensors";

/// The widths of a point, in its folder.
const ASSIGNMENT: &str = "assignment.json";

/// What else is known of a search when it ends, in the folder of its point.
const SEARCHED: &str = "search.json";

/// Scores of the fake-quantised network before fine-tuning.
#[derive(Serialize, Deserialize)]
struct Searched {
    /// As the search ended, widths undecided.
    end: f64,
    /// With widths decided and refined.
    decided: f64,
}

/// Locked by the process that works on a run.
const LOCK: &str = ".lock";

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

/// What a run computes with: loaded and held against each other before anything is written or trained.
#[derive(Debug)]
pub struct Inputs {
    task: &'static Task,
    data: Dataset,
    graph: Graph,
    models: Vec<(Objective, Box<dyn CostModel>)>,
    device: tch::Device,
}

impl Inputs {
    /// Loads what a run with this configuration needs; `model` and `lut` as they lie now.
    ///
    /// # Errors
    /// If the task, the data, the network, the table or the device cannot be used, the network does not fit the data, the
    /// table lacks a layer of it, or no network of the space can meet a target.
    pub fn load(config: &Config, model: Option<&str>, lut: Option<&Path>) -> Result<Self> {
        let task = task::named(&config.task)?;
        let device = config.device.device()?;
        let Loaded { data, graph, notes } = task.load(config.data.as_deref(), model)?;
        for note in notes {
            eprintln!("{note}");
        }
        let space = config.space();
        let mut models: Vec<(Objective, Box<dyn CostModel>)> = Vec::new();
        let plans = config.plans();
        let costs = || plans.iter().flat_map(Plan::costs);
        for objective in costs().map(|c| c.0).chain([Objective::Cycles]) {
            if models.iter().all(|m| m.0 != objective) {
                models.push((objective, objective.model(lut)?));
            }
        }
        // What a model does not know should not come out hours later.
        for (_, model) in &models {
            for w in space.widths() {
                for &a in &space.activations {
                    model.hard(&graph, &Assignment::uniform(&graph, w, a))?;
                }
            }
        }
        let least = Assignment::least(&graph, &space);
        for (objective, strength) in costs() {
            let Strength::Target(target) = strength else { continue };
            let (_, model) =
                models.iter().find(|m| m.0 == *objective).expect("every objective has its model");
            let cost = model.hard(&graph, &least)?;
            ensure!(
                *target >= cost,
                "the target {}={target} cannot be reached: the narrowest network of these --weights and --activations takes \
                 {cost:.0} {} ({})",
                objective.name(),
                model.unit(),
                model.name()
            );
        }
        Ok(Self { task, data, graph, models, device })
    }
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

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
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
        if let Some(path) = report::in_the_way(folder) {
            bail!("{} is of no run of this program; name another folder with --out", path.display());
        }
        std::fs::create_dir_all(folder.join("points")).with_context(|| format!("cannot create {name}"))?;
        if let Some(name) = &config.model {
            let text = match Source::load(name)? {
                Source::BuiltIn(_) => None,
                Source::Toml(_) => {
                    Some(std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?)
                }
                Source::Onnx(imported) => Some(model::to_toml(&imported.graph)),
            };
            if let Some(text) = text {
                write_atomically(&folder.join(MODEL), text.as_bytes())?;
            }
        }
        let other = match weights {
            Weights::None => None,
            Weights::File(path) => Some(*path),
            Weights::Imported(values) => {
                train::save_values(values, &folder.join(FLOAT))?;
                None
            }
        };
        for (from, to) in [(lut, "lut.json"), (other, FLOAT)] {
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
        ensure!(path.exists(), "{} holds no run: there is no {}", folder.display(), path.display());
        let config: Config = read_json(&path)?;
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

    /// Loads what the run computes with, from its folder.
    ///
    /// # Errors
    /// As [`Inputs::load`].
    pub fn inputs(&self) -> Result<Inputs> {
        let file = self.folder.join(MODEL).display().to_string();
        let model = if Path::new(&file).exists() { Some(file) } else { self.config.model.clone() };
        Inputs::load(&self.config, model.as_deref(), self.lut().as_deref())
    }

    /// Keeps others from working in the folder for as long as the result lives.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join(LOCK);
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another process is working on {}; wait for it, or stop it", self.folder.display())
            }
            // Some network file systems cannot; then nobody else is kept away.
            Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    fn lut(&self) -> Option<PathBuf> {
        self.config.measured.then(|| self.folder.join("lut.json"))
    }

    /// The points that are complete, in the order of the configuration.
    ///
    /// # Errors
    /// If a report is damaged.
    pub fn points(&self) -> Result<Vec<Point>> {
        self.config
            .plans()
            .iter()
            .map(|plan| self.folder.join("points").join(&plan.id).join("report.json"))
            .filter(|path| path.exists())
            .map(|path| {
                read_json(&path)
                    .with_context(|| format!("remove {} to measure the point again", path.display()))
            })
            .collect()
    }

    /// Finds and measures every point that is missing; `done` is called after each and at the end.
    ///
    /// # Errors
    /// If training is interrupted or fails, a layer has no measurement, or a file cannot be read or written. Whatever was
    /// complete is on disk.
    pub fn execute(
        &self,
        inputs: &Inputs,
        stop: &AtomicBool,
        mut done: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let _lock = self.lock()?;
        let Inputs { task, data, graph, models, device } = inputs;
        let (graph, space, plans) = (graph.clone(), self.config.space(), self.config.plans());
        self.config.share_threads()?;
        for (_, model) in models {
            let cost = model.hard(&graph, &Assignment::uniform(&graph, 8, 8))?;
            eprintln!("  8 bits everywhere cost {cost:.0} {} ({})", model.unit(), model.name());
        }
        let trainer = Trainer { data, recipe: &task.recipe, seed: self.config.seed, device: *device, stop };
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut warm = Network::new(graph.clone(), space.clone(), &mut rng);
        warm.to_device(*device);
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
            data,
            graph: &graph,
            space: &space,
            models,
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
            done()?;
        }
        done()
    }

    fn point(&self, plan: &Plan, shared: &Shared) -> Result<()> {
        let folder = self.folder.join("points").join(&plan.id);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (graph, trainer) = (shared.graph, shared.trainer);
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut net = Network::new(graph.clone(), shared.space.clone(), &mut rng);
        net.to_device(trainer.device);
        assert!(net.restore(&shared.warm), "the warm-up has the same network");
        let state = folder.join("state.safetensors");
        let Epochs { search, fine_tune, .. } = self.config.epochs;
        let (assignment, searched, tuning) = match &plan.goal {
            Way::Search(costs) => {
                let (assignment, searched) = self.search(costs, &mut net, shared, &folder)?;
                (assignment, Some(searched), fine_tune)
            }
            // Without a search the baseline trains as long as the others.
            Way::Fixed(w, a) => {
                let assignment = Assignment::uniform(graph, *w, *a);
                write_json(&folder.join(ASSIGNMENT), &assignment)?;
                (assignment, None, search + fine_tune)
            }
        };
        trainer.phase(&mut net, Phase::FineTune, tuning, Goal::Keep(&assignment), &state)?;
        let fake = trainer.score(&net, Arithmetic::Fake(&net.hard_choices(&assignment)));
        let (frozen, scales) = net.freeze(&assignment);
        let network = export::lower(graph, &assignment, &frozen, &scales)?;
        let point = Point {
            accuracy_search: searched.as_ref().map(|s| s.end),
            accuracy_decided: searched.as_ref().map(|s| s.decided),
            ..self.measure(plan, shared, &assignment, &network, fake)?
        };
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
    ) -> Result<(Assignment, Searched)> {
        let [found, scores] = [ASSIGNMENT, SEARCHED].map(|name| folder.join(name));
        let (graph, space, trainer) = (shared.graph, shared.space, shared.trainer);
        if found.exists() {
            let again = || format!("remove {} to search again", found.display());
            let assignment = read_json(&found).with_context(again)?;
            return Ok((assignment, read_json(&scores).with_context(again)?));
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
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let undecided = net.soft_choices(&net.params.views(), sampling, temperature[1], &mut rng);
        let end = trainer.score(net, Arithmetic::Fake(&undecided));
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
        let decided = trainer.score(net, Arithmetic::Fake(&net.hard_choices(&assignment)));
        let searched = Searched { end, decided };
        write_json(&scores, &searched)?;
        // Last: where it is, the search is complete.
        write_json(&found, &assignment)?;
        Ok((assignment, searched))
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
