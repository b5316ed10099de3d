//! Training: warm-up in floating point, search of the widths, fine-tuning of the found network.
//!
//! Everything random in an epoch follows from (seed, phase, epoch), so a run that was interrupted continues with exactly
//! what it would have done.

mod checkpoint;
mod choose;
mod forward;
mod network;
mod params;
mod pressure;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use mpic_kernels::lut::LutError;
use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use checkpoint::{CheckpointError, Progress, load_weights, save_values, save_weights};
pub use choose::{Choice, Choices, Sampling};
pub use forward::{Arithmetic, Trace};
pub use network::{NORM_EPS, Network};
pub use params::{Params, Rates};
pub use pressure::{Pressure, Strength, Term};

use crate::data::{Augment, Dataset, Learn, Samples};
use crate::progress;
use crate::space::Assignment;

/// Tells the allocator to keep what is freed: training allocates and frees the same large tensors at every step, and mapping
/// and unmapping each anew costs a fifth of the time. To be called once, before anything runs.
pub fn keep_large_allocations() {
    // SAFETY: `mallopt` only sets limits of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}

/// Makes the threads of libtorch sleep soon when they wait for work. They spin for milliseconds otherwise, which costs a
/// training that shares its cores with another a multiple of its time; sleeping at once costs one that has them to itself a
/// quarter. The library reads that from the environment when it is loaded, so the program replaces itself by one with the
/// variables set, unless there is one. To be called first.
///
/// # Errors
/// If the program cannot be started again.
pub fn wait_briefly() -> std::io::Result<()> {
    #[cfg(unix)]
    if WAITING.iter().all(|(name, _)| std::env::var_os(name).is_none()) {
        use std::os::unix::process::CommandExt as _;
        let mut args = std::env::args_os();
        let name = args.next().unwrap_or_default();
        let mut again = std::process::Command::new(std::env::current_exe()?);
        return Err(again.arg0(name).args(args).envs(WAITING).exec());
    }
    Ok(())
}

/// How threads of OpenMP wait: the standard's variable, and turns of GNU's waiting loop, of which more
/// make a lone training little faster and two side by side much slower.
#[cfg(unix)]
const WAITING: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "2000")];

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
    Cost(#[from] LutError),
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

/// What a phase optimises.
#[derive(Debug)]
pub enum Goal<'a, 'costs> {
    /// The loss of the floating-point network.
    Float,
    /// The loss of the fake-quantised network under pressure.
    Choose(&'a mut Pressure<'costs>),
    /// The loss of one assignment.
    Keep(&'a Assignment),
}

impl<'costs> Goal<'_, 'costs> {
    fn pressure(&mut self) -> Option<&mut Pressure<'costs>> {
        match self {
            Self::Choose(pressure) => Some(pressure),
            Self::Float | Self::Keep(_) => None,
        }
    }
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
    /// Where it computes: where the network is.
    pub device: Device,
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
        mut goal: Goal,
        checkpoint: &Path,
    ) -> Result<(), TrainError> {
        let done = match checkpoint::load(net, goal.pressure(), checkpoint)? {
            Some(p) if p.phase > phase => return Ok(()),
            Some(p) if p.phase == phase => p.epochs,
            _ => {
                net.params.restart();
                0
            }
        };
        let rates = net.params.rates(phase.rates());
        // Where choices and weights learn by turns: which of them does, from which step of an epoch on.
        let turns = goal.pressure().and_then(|p| p.split).map(|share| {
            let [choices, weights] = phase.rates().split();
            (share, net.params.rates(choices), net.params.rates(weights))
        });
        let steps = self.data.train.len().div_ceil(self.recipe.batch);
        let bar = progress::bar(phase.name(), (epochs * steps) as u64, (done * steps) as u64);
        for epoch in done..epochs {
            let seed = self.seed.wrapping_mul(1000).wrapping_add(phase as u64);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch as u64);
            let mut order: Vec<usize> = (0..self.data.train.len()).collect();
            order.shuffle(&mut rng);
            if let Some(pressure) = goal.pressure() {
                pressure.restart();
            }
            let mut sum = 0.0;
            for (i, batch) in order.chunks(self.recipe.batch).enumerate() {
                if self.stop.load(Ordering::Relaxed) {
                    bar.abandon();
                    return Err(TrainError::Interrupted);
                }
                let progress = (epoch * steps + i) as f64 / (epochs * steps) as f64;
                let factor = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                let rates = match &turns {
                    Some((share, choices, _)) if (i as f64) < share * steps as f64 => choices,
                    Some((_, _, weights)) => weights,
                    None => &rates,
                };
                let (x, y) = self.batch(batch, epoch);
                let error = |outputs: &Tensor| self.error(outputs, &x, &y);
                let (gradient, loss) = gradient(net, &x, &mut goal, progress, &mut rng, error)?;
                net.params.step(&gradient, rates, factor);
                if !loss.is_finite() {
                    return Err(TrainError::Diverged { phase: phase.name(), epoch: epoch + 1, loss });
                }
                sum += loss;
                bar.inc(1);
            }
            checkpoint::save(net, goal.pressure(), Progress { phase, epochs: epoch + 1 }, checkpoint)?;
            bar.note(&format!("epoch {}/{epochs}, loss {:.3}", epoch + 1, sum / steps as f64));
        }
        bar.finish();
        Ok(())
    }

    /// Augmented training samples and their labels.
    fn batch(&self, batch: &[usize], epoch: usize) -> (Tensor, Tensor) {
        let values = self.data.augmented(batch, &self.recipe.augment, self.seed, epoch);
        let x = tensor(&values, self.data.shape);
        (x.to_device(self.device), self.wanted(&self.data.train, batch))
    }

    /// What is to be learned of samples: their classes, or `[n, outputs]` numbers.
    fn wanted(&self, samples: &Samples, indices: &[usize]) -> Tensor {
        let wanted = match self.data.learn {
            Learn::Classes(_) | Learn::Reconstruction => {
                let labels: Vec<i64> = indices.iter().map(|&i| i64::from(samples.label(i))).collect();
                Tensor::from_slice(&labels)
            }
            Learn::Values(n) => {
                let values: Vec<f32> = indices.iter().flat_map(|&i| samples.target(i)).copied().collect();
                Tensor::from_slice(&values).view([-1, n as i64])
            }
        };
        wanted.to_device(self.device)
    }

    /// Training samples as they are, for calibration.
    pub fn calibration(&self) -> Tensor {
        self.samples(&self.data.train, &self.data.train.spread(256))
    }

    /// Samples on which assignments are compared, inputs and labels: of the validation set, or where there is none of what is
    /// trained on; never of the test set.
    pub fn sample(&self) -> (Tensor, Tensor) {
        let from = if self.data.validation.is_empty() { &self.data.train } else { &self.data.validation };
        let indices = from.spread(512);
        (self.samples(from, &indices), self.wanted(from, &indices))
    }

    /// Loss of an assignment on samples, in fake-quantised arithmetic.
    ///
    /// # Errors
    /// If interrupted.
    pub fn loss(&self, net: &Network, (x, y): &(Tensor, Tensor), a: &Assignment) -> Result<f64, TrainError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted);
        }
        let _guard = tch::no_grad_guard();
        let out = net.forward(&net.params.views(), x, Arithmetic::Fake(&net.hard_choices(a)));
        Ok(self.error(&out, x, y).double_value(&[]))
    }

    /// What outputs for samples `x` of classes `y` lose.
    fn error(&self, outputs: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
        match self.data.learn {
            Learn::Classes(_) => outputs.cross_entropy_for_logits(y),
            Learn::Values(_) => outputs.mse_loss(y, tch::Reduction::Mean),
            Learn::Reconstruction => {
                outputs.mse_loss(&x.permute([0, 2, 3, 1]).flatten(1, -1), tch::Reduction::Mean)
            }
        }
    }

    /// Samples as they are.
    fn samples(&self, samples: &Samples, indices: &[usize]) -> Tensor {
        tensor(&self.data.values(samples, indices), self.data.shape).to_device(self.device)
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

/// The gradient of a goal on a batch `x`, whose loss is `error` of the output, and its value.
///
/// # Errors
/// If a cost model does not know a layer.
pub fn gradient(
    net: &Network,
    x: &Tensor,
    goal: &mut Goal,
    progress: f64,
    rng: &mut ChaCha8Rng,
    error: impl Fn(&Tensor) -> Tensor,
) -> Result<(Tensor, f64), LutError> {
    let p = net.params.views();
    let choices = match goal {
        Goal::Float => {
            let loss = error(&net.forward(&p, x, Arithmetic::Normalised(true)));
            return Ok((net.params.gradient(&loss), loss.double_value(&[])));
        }
        Goal::Choose(pressure) => {
            net.soft_choices(&p, pressure.sampling, pressure.temperature(progress), rng)
        }
        Goal::Keep(assignment) => net.hard_choices(assignment),
    };
    let trace = net.trace(&p, x, Arithmetic::Fake(&choices));
    let mut loss = error(trace.output());
    if let Some(pressure) = goal.pressure() {
        loss += pressure.of(&choices, progress)?;
    }
    let mut gradient = net.params.gradient(&loss);
    let (scales, factors) = net.rest(&trace);
    gradient += scales;
    if let Some(factors) = factors {
        gradient += net.params.gradient(&factors);
    }
    Ok((gradient, loss.double_value(&[])))
}

/// `[n, channels, height, width]`, channels innermost in memory, from values height x width x channels.
fn tensor(values: &[f32], [height, width, channels]: [usize; 3]) -> Tensor {
    Tensor::from_slice(values).view([-1, height as i64, width as i64, channels as i64]).permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Published;
    use crate::cost::SoftCost;
    use crate::model::fashion;
    use crate::space::Space;

    /// The gradient of a search step, gathered in passes of our own, is that of torch operations alone.
    #[test]
    fn the_gradient_of_a_step_equals_autograd() {
        tch::set_num_threads(1);
        tch::manual_seed(1);
        let graph = fashion();
        let space = Space { weights: vec![0, 2, 4, 8], activations: vec![2, 4, 8], per_channel: true };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut net = Network::new(graph.clone(), space.clone(), &mut rng);
        let x = Tensor::rand([6, 1, 14, 14], (Kind::Float, tch::Device::Cpu));
        let y = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5]);
        net.calibrate(&x);
        // Different logits everywhere, so that all widths and pruned channels occur.
        let noise = net.params.rates(Rates { weight: 0.0, scale: 0.0, choice: 3.0 });
        net.params.step(&Tensor::randn(noise.size(), (Kind::Float, tch::Device::Cpu)), &noise, 1.0);
        let cost = || SoftCost::new(&Published::CYCLES, &graph, &space).expect("known");
        let mut pressure = Pressure {
            terms: vec![Term::new(cost(), Strength::Fixed(0.3)), Term::new(cost(), Strength::Target(3e5))],
            sampling: Sampling::Argmax,
            temperature: [1.0, 1.0],
            split: None,
        };
        let error = |out: &Tensor| out.cross_entropy_for_logits(&y);
        let (fast, loss) =
            gradient(&net, &x, &mut Goal::Choose(&mut pressure), 0.5, &mut rng, error).expect("known");

        let p = net.params.views();
        let mut choices = net.soft_choices(&p, Sampling::Argmax, 1.0, &mut rng);
        let widths: Vec<u8> = choices.assignment(&graph, &space).weights.concat();
        assert!([0, 2, 4, 8].iter().all(|w| widths.contains(w)), "every width occurs");
        pressure.restart();
        pressure.restore(&[0.5, 0.5]);
        let costs = pressure.of(&choices, 0.5).expect("known");
        for choice in choices.weights.iter_mut().chain(&mut choices.activations).flatten() {
            if let Choice::OneHot(_, factors) = choice {
                *choice = Choice::Mixed(factors.shallow_clone());
            }
        }
        let slow = error(&net.forward(&p, &x, Arithmetic::Fake(&choices))) + costs;
        assert!((slow.double_value(&[]) - loss).abs() < 1e-5, "the losses are {loss} and {slow}");
        let slow = net.params.gradient(&slow);
        let off = (&fast - &slow).abs().max().double_value(&[]);
        let largest = slow.abs().max().double_value(&[]);
        assert!(largest > 1e-3 && off < 1e-4 * largest, "{off} off, where the largest is {largest}");
    }
}
