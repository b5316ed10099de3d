//! Training: warm-up in floating point, search of the widths, fine-tuning of the found network.
//!
//! Everything random in an epoch follows from (seed, phase, epoch), so a run that was interrupted continues with exactly
//! what it would have done.

mod checkpoint;
mod network;
mod params;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use checkpoint::{CheckpointError, Progress, load_weights, save_values, save_weights};
pub use network::{Arithmetic, Choice, Choices, NORM_EPS, Network};
pub use params::{Params, Rates};

use crate::cost::SoftCost;
use crate::data::{Augment, Dataset, Learn, Samples};
use crate::progress;
use crate::space::Assignment;

/// What trains when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Floating point with batch normalisation.
    WarmUp,
    /// Weights, scales and choices together.
    Search,
    /// Weights and scales of the found network.
    FineTune,
}

/// Epochs of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs {
    /// Of the warm-up.
    pub warm_up: usize,
    /// Of the search.
    pub search: usize,
    /// Of the fine-tuning.
    pub fine_tune: usize,
}

/// How a task is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Epochs unless told otherwise.
    pub epochs: Epochs,
    /// Images of a step.
    pub batch: usize,
    /// How training samples vary.
    pub augment: Augment,
}

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// The loss is no number.
    #[error(
        "training diverged in epoch {epoch} of {phase}: the loss is {loss}; a smaller --lambda or another --seed may help"
    )]
    Diverged {
        /// Name of the phase.
        phase: &'static str,
        /// Epoch, from 1.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// The checkpoint cannot be used or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The cost model does not know a layer.
    #[error(transparent)]
    Cost(#[from] mpic_kernels::lut::LutError),
}

impl Phase {
    /// Name for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Search => "search",
            Self::FineTune => "fine-tuning",
        }
    }

    /// Learning rates at the start of the phase; they fall to zero by half a cosine.
    fn rates(self) -> Rates {
        match self {
            Self::WarmUp => Rates { weight: 4e-3, scale: 0.0, choice: 0.0 },
            Self::Search => Rates { weight: 1e-3, scale: 1e-3, choice: 2e-2 },
            Self::FineTune => Rates { weight: 1e-3, scale: 1e-3, choice: 0.0 },
        }
    }
}

/// Cost term of a search: how much a network as costly as the reference (8 bits everywhere) adds to the loss.
#[derive(Debug)]
pub struct Pressure<'a> {
    /// Strength.
    pub lambda: f64,
    /// The cost to differentiate.
    pub cost: &'a SoftCost<'a>,
}

/// What a phase optimises.
#[derive(Debug)]
pub enum Goal<'a> {
    /// The loss of the floating-point network.
    Float,
    /// The loss of the fake-quantised network under pressure.
    Choose(Pressure<'a>),
    /// The loss of one assignment.
    Keep(&'a Assignment),
}

/// Everything training needs beside the network.
#[derive(Debug)]
pub struct Trainer<'a> {
    /// The data.
    pub data: &'a Dataset,
    /// How to train.
    pub recipe: &'a Recipe,
    /// Seed of everything random.
    pub seed: u64,
    /// Set to stop after the current step.
    pub stop: &'a AtomicBool,
}

impl Trainer<'_> {
    /// Runs the rest of a phase. After every epoch the state is written to `checkpoint`; if that holds a state of this
    /// phase, training goes on from there, and if it is of a later phase nothing remains to be done here.
    ///
    /// # Errors
    /// If interrupted, diverged, or the checkpoint cannot be used.
    pub fn phase(
        &self,
        net: &mut Network,
        phase: Phase,
        epochs: usize,
        goal: &Goal,
        checkpoint: &Path,
    ) -> Result<(), TrainError> {
        let done = match checkpoint::load(net, checkpoint)? {
            Some(p) if p.phase > phase => return Ok(()),
            Some(p) if p.phase == phase => p.epochs,
            _ => {
                net.params.restart();
                0
            }
        };
        let rates = net.params.rates(phase.rates());
        let steps = self.data.train.len().div_ceil(self.recipe.batch);
        let bar = progress::bar(phase.name(), (epochs * steps) as u64, (done * steps) as u64);
        for epoch in done..epochs {
            let seed = self.seed.wrapping_mul(1000).wrapping_add(phase as u64);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch as u64);
            let mut order: Vec<usize> = (0..self.data.train.len()).collect();
            order.shuffle(&mut rng);
            let mut sum = 0.0;
            for (i, batch) in order.chunks(self.recipe.batch).enumerate() {
                if self.stop.load(Ordering::Relaxed) {
                    bar.abandon();
                    return Err(TrainError::Interrupted);
                }
                let progress = (epoch * steps + i) as f64 / (epochs * steps) as f64;
                let factor = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                let loss = self.step(net, self.batch(batch, epoch), goal, &rates, factor)?;
                if !loss.is_finite() {
                    return Err(TrainError::Diverged { phase: phase.name(), epoch: epoch + 1, loss });
                }
                sum += loss;
                bar.inc(1);
            }
            checkpoint::save(net, Progress { phase, epochs: epoch + 1 }, checkpoint)?;
            bar.note(&format!("epoch {}/{epochs}, loss {:.3}", epoch + 1, sum / steps as f64));
        }
        bar.finish();
        Ok(())
    }

    /// One step on a batch of training images; the loss before it.
    fn step(
        &self,
        net: &mut Network,
        (x, y): (Tensor, Tensor),
        goal: &Goal,
        rates: &Tensor,
        factor: f64,
    ) -> Result<f64, TrainError> {
        let error = |outputs: Tensor| match self.data.learn {
            Learn::Classes(_) => outputs.cross_entropy_for_logits(&y),
            Learn::Reconstruction => {
                outputs.mse_loss(&x.permute([0, 2, 3, 1]).flatten(1, -1), tch::Reduction::Mean)
            }
        };
        let p = net.params.views();
        let loss = match goal {
            Goal::Float => error(net.forward(&p, &x, Arithmetic::Normalised(true))),
            Goal::Choose(pressure) => {
                let choices = net.soft_choices(&p, 1.0);
                error(net.forward(&p, &x, Arithmetic::Fake(&choices)))
                    + pressure.cost.relative(&choices)? * pressure.lambda
            }
            Goal::Keep(assignment) => {
                let choices = net.hard_choices(assignment);
                error(net.forward(&p, &x, Arithmetic::Fake(&choices)))
            }
        };
        drop(p);
        net.params.step(&loss, rates, factor);
        Ok(loss.double_value(&[]))
    }

    /// Augmented training samples and their labels.
    fn batch(&self, batch: &[usize], epoch: usize) -> (Tensor, Tensor) {
        let labels: Vec<i64> = batch.iter().map(|&i| i64::from(self.data.train.label(i))).collect();
        let values = self.data.augmented(batch, &self.recipe.augment, self.seed, epoch);
        (tensor(&values, self.data.shape), Tensor::from_slice(&labels))
    }

    /// Training samples as they are, for calibration.
    pub fn calibration(&self) -> Tensor {
        self.samples(&self.data.train, &self.data.train.spread(256))
    }

    /// Samples as they are.
    fn samples(&self, samples: &Samples, indices: &[usize]) -> Tensor {
        tensor(&self.data.values(samples, indices), self.data.shape)
    }

    /// The score of the test set, 0 ..= 100; see [`Learn`].
    #[must_use]
    pub fn score(&self, net: &Network, how: Arithmetic) -> f64 {
        let test = &self.data.test;
        let mut verdicts = Vec::with_capacity(test.len());
        let all: Vec<usize> = (0..test.len()).collect();
        for indices in all.chunks(250) {
            let outputs = self.outputs(net, test, indices, how);
            let each = indices.iter().zip(outputs.chunks_exact(self.data.outputs()));
            verdicts.extend(each.map(|(&i, y)| self.data.verdict(test, i, y)));
        }
        self.data.score(test, &verdicts)
    }

    /// The outputs for samples, one after another.
    #[must_use]
    pub fn outputs(&self, net: &Network, samples: &Samples, indices: &[usize], how: Arithmetic) -> Vec<f64> {
        let _guard = tch::no_grad_guard();
        let x = self.samples(samples, indices);
        let outputs = net.forward(&net.params.views(), &x, how).to_kind(Kind::Double);
        Vec::try_from(outputs.contiguous().view([-1])).expect("numbers")
    }
}

/// `[n, channels, height, width]`, channels innermost in memory, from values height x width x channels.
fn tensor(values: &[f32], [height, width, channels]: [usize; 3]) -> Tensor {
    Tensor::from_slice(values).view([-1, height as i64, width as i64, channels as i64]).permute([0, 3, 1, 2])
}
