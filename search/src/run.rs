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
use crate::model;
use crate::pareto::{LayerPoint, Point};
use crate::space::{Assignment, Space};
use crate::task;
use crate::train::{self, Arithmetic, Epochs, Goal, Network, Phase, Pressure, TrainError, Trainer};

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
    /// What is minimised beside the loss.
    pub objective: Objective,
    /// Whether there is a measured table (`lut.json` in the run's folder).
    pub measured: bool,
    /// Strengths of the cost term, one point each.
    pub lambdas: Vec<f64>,
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

impl Config {
    /// Value of [`Config::format`].
    pub const FORMAT: &str = "nas-run";
    /// Value of [`Config::version`].
    pub const VERSION: u32 = 1;
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
    lambda: Option<f64>,
    fixed: Option<(u8, u8)>,
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
        let searched =
            |&lambda: &f64| Plan { id: format!("{name}-{lambda}"), lambda: Some(lambda), fixed: None };
        let fixed =
            |&(w, a): &(u8, u8)| Plan { id: format!("{name}-w{w}a{a}"), lambda: None, fixed: Some((w, a)) };
        match self.config.granularity {
            Granularity::Channel | Granularity::Layer => self.config.lambdas.iter().map(searched).collect(),
            Granularity::Fixed => self.config.fixed.iter().map(fixed).collect(),
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
        let model = cost::for_objective(self.config.objective, self.lut().as_deref())?;
        let soft = SoftCost::new(model.as_ref(), &graph, &space)?;
        let trainer = Trainer { data: &data, recipe: &task.recipe, seed: self.config.seed, stop };
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut warm = Network::new(graph.clone(), space.clone(), &mut rng);
        let (state, weights) = (self.folder.join("warmup.safetensors"), self.folder.join(FLOAT));
        if !weights.exists() {
            trainer.phase(&mut warm, Phase::WarmUp, self.config.epochs.warm_up, &Goal::Float, &state)?;
            train::save_weights(&warm, &weights)?;
        }
        train::load_weights(&mut warm, &weights)?;
        let float = trainer.score(&warm, Arithmetic::Normalised(false));
        warm.fold();
        warm.calibrate(&trainer.calibration());
        eprintln!(
            "  float {} {float:.2}; 8 bits everywhere cost {:.0} {}",
            task.metric,
            soft.reference(),
            model.unit()
        );
        let shared = Shared {
            data: &data,
            soft: &soft,
            trainer: &trainer,
            float,
            warm: warm.state(),
            model: model.as_ref(),
        };
        let plans = self.plans();
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
        let (graph, trainer) = (shared.soft.graph(), shared.trainer);
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut net = Network::new(graph.clone(), self.space(), &mut rng);
        assert!(net.restore(&shared.warm), "the warm-up has the same network");
        let state = folder.join("state.safetensors");
        let Epochs { search, fine_tune, .. } = self.config.epochs;
        let (assignment, tuning) = match (plan.lambda, plan.fixed) {
            (Some(lambda), _) => {
                let goal = Goal::Choose(Pressure { lambda, cost: shared.soft });
                trainer.phase(&mut net, Phase::Search, search, &goal, &state)?;
                let found = net.argmax();
                (
                    if self.config.granularity == Granularity::Channel { found.promoted() } else { found },
                    fine_tune,
                )
            }
            // Without a search the baseline trains as long as the others.
            (None, Some((w, a))) => (Assignment::uniform(graph, w, a), search + fine_tune),
            (None, None) => unreachable!("a plan is searched or fixed"),
        };
        trainer.phase(&mut net, Phase::FineTune, tuning, &Goal::Keep(&assignment), &state)?;
        let fake = trainer.score(&net, Arithmetic::Fake(&net.hard_choices(&assignment)));
        let (frozen, scales) = net.freeze(&assignment);
        let network = export::lower(graph, &assignment, &frozen, &scales)?;
        let point = self.measure(plan, shared, &assignment, &network, fake)?;
        write_json(&folder.join("assignment.json"), &assignment)?;
        network.save(&folder.join("network.json"))?;
        write_json(&folder.join("report.json"), &point)?;
        let _ = std::fs::remove_file(state);
        Ok(())
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
        let scale = network.tensors[network.output].scale;
        let verdict = |i: usize| {
            let y: Vec<f64> = output(i).into_iter().map(|y| scale * f64::from(y)).collect();
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
        let queries = queries(network);
        let layers: Vec<LayerPoint> = queries
            .iter()
            .zip(&runs[0].layers)
            .map(|(q, cost)| {
                let predicted = measured.as_ref().map(|m| m.layer(q)).transpose()?;
                let channels = q.groups.iter().copied().filter(|g| g.0 != 0).collect();
                let cycles = cost.cycles as u64;
                Ok(LayerPoint {
                    name: q.name.clone(),
                    input_bits: q.a_bits,
                    channels,
                    cycles,
                    predicted_cycles: predicted,
                })
            })
            .collect::<Result<_>>()?;
        let predicted_cycles = match (&measured, self.config.objective) {
            (Some(m), _) => Some(m.hard(shared.soft.graph(), assignment)?),
            (None, Objective::Cycles) => Some(shared.model.hard(shared.soft.graph(), assignment)?),
            (None, Objective::Size) => None,
        };
        let graph = shared.soft.graph();
        let macs = (0..graph.nodes.len())
            .map(|id| graph.fan_in(id) * graph.nodes[id].shape.iter().product::<usize>())
            .sum::<usize>();
        let run = &runs[0];
        let [nominal, low, high, constant] = run.energy_pj.map(|pj| pj / 1e6);
        Ok(Point {
            id: plan.id.clone(),
            run: self.folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            granularity: plan.id.split('-').next().unwrap_or_default().into(),
            objective: match self.config.objective {
                Objective::Cycles => "cycles".into(),
                Objective::Size => "size".into(),
            },
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
            cost_model: measured.as_ref().map_or_else(|| shared.model.name(), |m| m.name()).into(),
            simulated_inputs: simulated.len(),
            bit_exact,
            macs: macs as u64,
            layers,
            assignment: assignment.clone(),
        })
    }
}

/// What all points of a run share.
struct Shared<'a> {
    data: &'a Dataset,
    soft: &'a SoftCost<'a>,
    model: &'a dyn CostModel,
    trainer: &'a Trainer<'a>,
    float: f64,
    warm: Vec<(String, tch::Tensor)>,
}
