//! A whole run: its configuration, its folder, and the way from a strength or a budget to a measured point.
//!
//! ```text
//! RUN/config.json            what was asked for; --resume reads it
//! RUN/lut.json               the cost table, as it was; model.toml, the network, if it came from a file
//! RUN/warmup.safetensors     state of the warm-up; float.safetensors, its result, which other runs can start from
//! RUN/descents/ID/           state.safetensors of a descent while it trains
//! RUN/points/ID/             search.json assignment.json network.json network.elf report.json; state.safetensors and tuning.safetensors while training
//! RUN/pareto.json …          see `report`
//! ```

mod config;
mod find;
mod measure;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};
use mpic_kernels::deploy::Guard;
use mpic_kernels::files;
use mpic_kernels::source::Source;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use config::Plan;
pub use config::{Budgets, Config, Granularity, Method, Processor, Route, Target};

use crate::cost::{Models, Objective, Strength};
use crate::data::Dataset;
use crate::import::Values;
use crate::model::{self, Graph};
use crate::pareto::Point;
use crate::progress::Listener;
use crate::report;
use crate::space::{Assignment, Space};
use crate::task::{self, Loaded, Task};
use crate::train::{self, Arithmetic, Goal, Network, Phase, Statistics, Trainer};

/// The network in floating point after warm-up.
pub const FLOAT: &str = "float.safetensors";

/// The file that a process locks while it works on a run.
const LOCK: &str = ".lock";

/// Another process works on a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another process is working on {}; wait for it, or stop it", .0.display())]
pub struct Busy(pub PathBuf);

/// The copy of the network file.
const MODEL: &str = "model.toml";

/// What a run starts from in place of a warm-up.
#[derive(Debug)]
pub enum Weights {
    /// Nothing: the run trains its own warm-up.
    None,
    /// The warm-up of another run, from its file.
    File(PathBuf),
    /// Weights trained elsewhere.
    Imported(Values),
}

/// A run in its folder.
#[derive(Debug)]
pub struct Run {
    /// Path of the folder.
    pub folder: PathBuf,
    /// What the run was asked for.
    pub config: Config,
}

/// What a run computes with. It is loaded and checked before anything is written or trained.
#[derive(Debug)]
pub struct Inputs {
    task: &'static Task,
    data: Dataset,
    graph: Graph,
    models: Models,
    device: tch::Device,
    /// Whole sentences for the user about the data.
    pub notes: Vec<String>,
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
        let Loaded { mut data, graph, notes } = task.load(config.data.as_deref(), model)?;
        if data.validation.is_empty() && config.validation > 0.0 {
            data.hold_out(config.validation, config.seed);
        }
        let inputs = Self { task, data, graph, models: Models::load(lut)?, device, notes };
        inputs.check(config)?;
        Ok(inputs)
    }

    /// Number of training samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.data.train.len()
    }

    /// The guard that networks are deployed with: that of the kernels whose costs the table holds.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.models.guard()
    }

    /// Checks that the cost models know every layer and that some network meets each target, which a user wants to know at once
    /// and not after hours.
    ///
    /// # Errors
    /// As [`Inputs::load`].
    pub fn check(&self, config: &Config) -> Result<()> {
        let graph = &self.graph;
        for plan in config.plans() {
            let costs = config.costs(&plan);
            for objective in costs.iter().map(|c| c.0).chain([Objective::Cycles]) {
                let model = self.models.of(objective);
                for w in plan.space.widths() {
                    for &a in &plan.space.activations {
                        model.hard(graph, &Assignment::uniform(graph, w, a))?;
                    }
                }
            }
            let least = Assignment::least(graph, &plan.space);
            for (objective, strength) in costs {
                let Strength::Target(target) = strength else { continue };
                let model = self.models.of(objective);
                let cost = model.hard(graph, &least)?;
                ensure!(
                    target >= cost,
                    "the target {}={target} cannot be reached: the narrowest network of these --weights and --activations takes \
                     {cost:.0} {} ({})",
                    objective.name(),
                    model.unit(),
                    model.name()
                );
            }
        }
        Ok(())
    }

    /// `points` budgets for a descent through a space, evenly spread by ratio between its dearest network and its cheapest. The
    /// cheapest is that of the narrowest widths; where channels are pruned half of that, since less is left of hardly any
    /// network.
    ///
    /// # Errors
    /// If the model does not know a layer.
    pub fn budgets(&self, objective: Objective, space: &Space, points: usize) -> Result<Vec<f64>> {
        let model = self.models.of(objective);
        let of = |a: &Assignment| model.hard(&self.graph, a);
        let dearest = of(&Assignment::widest(&self.graph, space))?;
        let kept = Space { weights: space.widths(), ..space.clone() };
        let narrowest = of(&Assignment::least(&self.graph, &kept))?;
        let cheapest = if space.prunes() {
            (narrowest / 2.0).max(1.2 * of(&Assignment::least(&self.graph, space))?)
        } else {
            narrowest * 1.01
        };
        let step = (cheapest / dearest).powf(1.0 / points as f64);
        let rounded = |value: f64| {
            let unit = 10f64.powf(value.log10().floor() - 2.0);
            // Upwards, or the last might be less than there is.
            (value / unit).ceil() * unit
        };
        Ok((1..=points).map(|n| rounded(dearest * step.powi(n as i32))).collect())
    }
}

/// Writes `bytes` to `path` at once or not at all.
///
/// # Errors
/// If that cannot be done; the message names the file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain records become JSON");
    text.push(b'\n');
    write_atomically(path, &text)
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
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
            Weights::File(path) => Some(path.as_path()),
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
            // Some network file systems cannot lock; then nobody else is kept away.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Busy(self.folder.clone()).into()),
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

    /// Finds and measures every point that is missing; `done` is called after each and at the end,
    /// and `listener` hears how it gets on.
    ///
    /// # Errors
    /// If training is interrupted or fails, a layer has no measurement, or a file cannot be read or written. Whatever was
    /// complete is on disk.
    pub fn execute(
        &self,
        inputs: &Inputs,
        stop: &AtomicBool,
        listener: &dyn Listener,
        mut done: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let _lock = self.lock()?;
        let Inputs { task, data, graph, models, device, .. } = inputs;
        let (graph, plans, recipe) = (graph.clone(), self.config.plans(), &self.config.recipe);
        self.config.share_threads()?;
        let priced = plans.iter().flat_map(|p| self.config.costs(p)).map(|c| c.0).chain([Objective::Cycles]);
        for objective in priced.collect::<std::collections::BTreeSet<_>>() {
            let model = models.of(objective);
            let cost = model.hard(&graph, &Assignment::uniform(&graph, 8, 8))?;
            let (unit, name) = (model.unit(), model.name());
            listener.say(&format!("  8 bits everywhere cost {cost:.0} {unit} ({name})"));
        }
        let mut trainer =
            Trainer { data, recipe, teacher: None, seed: self.config.seed, device: *device, stop, listener };
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        // A space of one width: nothing of quantisers matters in floating point.
        let plain = Space { weights: vec![8], activations: vec![8], per_channel: false };
        let mut float = Network::new(graph.clone(), plain, &mut rng);
        float.to_device(*device);
        let (state, weights) = (self.folder.join("warmup.safetensors"), self.folder.join(FLOAT));
        if !weights.exists() {
            let epochs = recipe.epochs.warm_up;
            let nothing = &mut |_, _: &mut Network, _: &Assignment| Ok(());
            trainer.phase(&mut float, Phase::WarmUp, epochs, Goal::Float, &state, nothing)?;
            train::save_weights(&float, &weights)?;
        }
        train::load_weights(&mut float, &weights)?;
        let score = trainer.score(&float, Arithmetic::Float(Statistics::Running));
        listener.say(&format!("  float {} {score:.2}", task.metric));
        let (graph, values) = if recipe.fold_norm { float.folded() } else { (graph, float.weights()) };
        trainer.teacher = recipe.distill.is_some().then_some(&float);
        let shared = Shared { data, graph: &graph, models, trainer: &trainer, score, values };
        for (n, plan) in plans.iter().enumerate() {
            if self.point_folder(plan).join("report.json").exists() {
                continue;
            }
            listener.say(&format!("{} ({} of {})", plan.id, n + 1, plans.len()));
            self.point(plan, &shared)?;
            done()?;
        }
        done()
    }

    fn point_folder(&self, plan: &Plan) -> PathBuf {
        self.folder.join("points").join(&plan.id)
    }
}

/// What all points of a run share.
struct Shared<'a> {
    data: &'a Dataset,
    graph: &'a Graph,
    models: &'a Models,
    trainer: &'a Trainer<'a>,
    /// Score of the network in floating point.
    score: f64,
    /// Its trained numbers, by name.
    values: Vec<(String, tch::Tensor)>,
}
