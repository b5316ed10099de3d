//! The way to one point: search or descent, fine-tuning, the integer network.

use std::path::Path;

use anyhow::{Context as _, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::{Plan, Way};
use super::{Config, Granularity, Run, Shared, read_json, write_json};
use crate::cost::{Objective, Strength};
use crate::export;
use crate::pareto::Point;
use crate::refine::{Price, Refinement};
use crate::space::{Assignment, Space};
use crate::train::{
    self, Arithmetic, Compact, Descent, Epochs, Goal, Limit, Network, Phase, Pressure, Progress, SoftCost,
    Statistics, Term, TrainError,
};

/// The widths of a point, in its folder.
const ASSIGNMENT: &str = "assignment.json";

/// What else is known of a search when it ends, in the folder of its point.
const SEARCHED: &str = "search.json";

/// The state of a search or a descent, in the folder of a point or a descent: also where a branch of a descent begins.
const STATE: &str = "state.safetensors";

/// The state of fine-tuning, in the folder of a point: of the network without what was pruned.
const TUNING: &str = "tuning.safetensors";

/// Scores of the fake-quantised network before fine-tuning.
#[derive(Serialize, Deserialize)]
struct Searched {
    /// As the search ended, widths undecided; where it came down move by move, as it passed here.
    end: f64,
    /// With widths decided and refined.
    decided: f64,
}

/// Nothing to do where a phase passes no budget.
#[allow(clippy::unnecessary_wraps)] // it stands where others can fail
fn nothing(_: usize, _: &mut Network, _: &Assignment) -> Result<(), TrainError> {
    Ok(())
}

impl Run {
    /// Finds, trains and measures a point.
    pub(super) fn point(&self, plan: &Plan, shared: &Shared) -> Result<()> {
        let folder = self.point_folder(plan);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (graph, trainer) = (shared.graph, shared.trainer);
        let mut net = self.network(&plan.space, shared);
        let Epochs { search, fine_tune, .. } = self.config.recipe.epochs;
        let (assignment, searched, tuning) = match &plan.goal {
            Way::Search(costs) => {
                let (assignment, searched) = self.search(costs, &plan.space, &mut net, shared, &folder)?;
                (assignment, Some(searched), fine_tune)
            }
            Way::Descend { path, stop } => {
                let (assignment, searched) = self.descend(*path, *stop, shared)?;
                (assignment, Some(searched), fine_tune)
            }
            // Without a search the baseline trains as long as the others.
            Way::Fixed(w, a) => {
                let assignment = Assignment::uniform(graph, *w, *a);
                write_json(&folder.join(ASSIGNMENT), &assignment)?;
                (assignment, None, search + fine_tune)
            }
        };
        let mut small = Self::compact(net, &assignment, &folder)?;
        let goal = Goal::Keep(&small.assignment);
        trainer.phase(&mut small.net, Phase::FineTune, tuning, goal, &folder.join(TUNING), &mut nothing)?;
        // What was not trained keeps the statistics it came with.
        if search + fine_tune > 0 {
            trainer.settle(&small.net, &small.assignment)?;
        }
        let choices = small.net.hard_choices(&small.assignment);
        let fake = trainer.score(&small.net, Arithmetic::Fake(&choices, Statistics::Running));
        let (frozen, scales) = small.net.freeze(&small.assignment);
        let network = export::lower(graph, &assignment, &small.whole(graph, frozen), &scales)?;
        let point = Point {
            accuracy_search: searched.as_ref().map(|s| s.end),
            accuracy_decided: searched.as_ref().map(|s| s.decided),
            ..self.measure(plan, shared, &assignment, &network, fake)?
        };
        network.save(&folder.join("network.json"))?;
        write_json(&folder.join("report.json"), &point)?;
        for state in [STATE, TUNING] {
            let _ = std::fs::remove_file(folder.join(state));
        }
        Ok(())
    }

    /// The network to fine-tune, as its search left it, without what was pruned. Fine-tuning that has begun goes on from its
    /// own state.
    fn compact(mut net: Network, a: &Assignment, folder: &Path) -> Result<Compact> {
        let tuning = folder.join(TUNING);
        if tuning.exists() {
            return Ok(net.compact(a));
        }
        let Some(progress) = train::load_state(&mut net, &folder.join(STATE))? else {
            return Ok(net.compact(a));
        };
        let small = net.compact(a);
        train::save_state(&small.net, &Goal::Keep(&small.assignment), progress, &tuning)?;
        Ok(small)
    }

    /// The network in floating point, with quantisers for a space.
    fn network(&self, space: &Space, shared: &Shared) -> Network {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let mut net = Network::new(shared.graph.clone(), space.clone(), &mut rng);
        net.quantisers = self.config.recipe.quantisers;
        net.to_device(shared.trainer.device);
        net.set_weights(&shared.values).expect("the warm-up has the same network");
        net.calibrate(&shared.trainer.calibration());
        net
    }

    /// Takes the widths of a stop from its descent, which is made first unless it is complete; the network waits in the state
    /// file of the point.
    fn descend(&self, path: usize, stop: usize, shared: &Shared) -> Result<(Assignment, Searched)> {
        let route = &self.config.descents[path];
        let trainer = shared.trainer;
        let points: Vec<_> = route.points().iter().map(|id| self.folder.join("points").join(id)).collect();
        let (graph, space) = (shared.graph, &route.space);
        let epochs = self.config.recipe.epochs.search;
        let complete = || points.iter().all(|p| p.join(SEARCHED).exists());
        if !complete() {
            let models: Vec<_> = route.limits.iter().map(|l| shared.models.of(l.objective)).collect();
            let limits = route.limits.iter().zip(&models);
            let limits = limits.map(|(l, m)| Limit { model: m.as_ref(), allowed: l.allowed.clone() });
            let mut descent = Descent::new(graph, space, limits.collect())?;
            let folder = self.folder.join("descents").join(&route.folder);
            for folder in points.iter().chain([&folder]) {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot create {}", folder.display()))?;
            }
            let state = folder.join(STATE);
            let mut failed = None;
            let mut at_stop = |n: usize, net: &mut Network, a: &Assignment| {
                Self::branch(&points[n], net, a, epochs, shared).map_err(|e| {
                    failed = Some(e);
                    TrainError::Interrupted
                })
            };
            let mut on_the_way = self.network(space, shared);
            let goal = Goal::Descend(&mut descent);
            let done = trainer.phase(&mut on_the_way, Phase::Search, epochs, goal, &state, &mut at_stop);
            if let Some(e) = failed {
                return Err(e);
            }
            done?;
            let _ = std::fs::remove_file(state);
        }
        let folder = &points[stop];
        let again = || format!("remove {} to descend again", folder.join(SEARCHED).display());
        let assignment: Assignment = read_json(&folder.join(ASSIGNMENT)).with_context(again)?;
        let searched = read_json(&folder.join(SEARCHED)).with_context(again)?;
        Ok((assignment, searched))
    }

    /// Keeps what a descent has at a stop, for its fine-tuning.
    fn branch(folder: &Path, net: &Network, a: &Assignment, epochs: usize, shared: &Shared) -> Result<()> {
        let scores = folder.join(SEARCHED);
        if scores.exists() {
            return Ok(());
        }
        let choices = net.hard_choices(a);
        let end = shared.trainer.score(net, Arithmetic::Fake(&choices, Statistics::Running));
        let progress = Progress { phase: Phase::Search, epochs };
        train::save_state(net, &Goal::Keep(a), progress, &folder.join(STATE))?;
        write_json(&folder.join(ASSIGNMENT), a)?;
        // Last: where it is, the stop is complete.
        write_json(&scores, &Searched { end, decided: end })
    }

    /// Searches an assignment, or takes that of a search that is complete.
    fn search(
        &self,
        costs: &[(Objective, Strength)],
        space: &Space,
        net: &mut Network,
        shared: &Shared,
        folder: &Path,
    ) -> Result<(Assignment, Searched)> {
        let [found, scores] = [ASSIGNMENT, SEARCHED].map(|name| folder.join(name));
        let (graph, trainer) = (shared.graph, shared.trainer);
        if found.exists() {
            let again = || format!("remove {} to search again", found.display());
            let assignment = read_json(&found).with_context(again)?;
            return Ok((assignment, read_json(&scores).with_context(again)?));
        }
        let models: Vec<_> = costs.iter().map(|c| shared.models.of(c.0)).collect();
        let mut terms = Vec::new();
        for ((_, strength), model) in costs.iter().zip(&models) {
            terms.push(Term::new(SoftCost::new(model.as_ref(), graph, space)?, *strength));
        }
        let prices = terms
            .iter()
            .map(|t| Price { model: t.cost.model(), reference: t.cost.reference(), strength: t.strength })
            .collect();
        let Config { sampling, temperature, split, .. } = self.config;
        let mut pressure = Pressure { terms, sampling, temperature, split };
        let state = folder.join(STATE);
        let epochs = self.config.recipe.epochs.search;
        let goal = Goal::Choose(&mut pressure);
        trainer.phase(net, Phase::Search, epochs, goal, &state, &mut nothing)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        let undecided = net.soft_choices(&net.params.views(), sampling, temperature[1], &mut rng);
        let end = trainer.score(net, Arithmetic::Fake(&undecided, Statistics::Running));
        let mut assignment = net.argmax();
        if self.config.refine {
            let rank = (0..graph.nodes.len()).map(|id| net.rank(id)).collect();
            let refinement = Refinement { graph, space, prices, rank };
            let samples = trainer.sample();
            let bar = trainer.listener.begin("refining", 0, 0);
            assignment = refinement.run(
                assignment,
                |a| Ok(trainer.loss(net, &samples, a)?),
                |round, changes| bar.note(&format!("round {round}: {changes} changes pay")),
            )?;
            bar.finish();
        } else if self.config.granularity == Granularity::Channel {
            assignment = assignment.promoted();
        }
        let choices = net.hard_choices(&assignment);
        let decided = trainer.score(net, Arithmetic::Fake(&choices, Statistics::Running));
        let searched = Searched { end, decided };
        write_json(&scores, &searched)?;
        // Last: where it is, the search is complete.
        write_json(&found, &assignment)?;
        Ok((assignment, searched))
    }
}
