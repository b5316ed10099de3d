//! The loop: epochs of steps, with checkpoints, and what is asked of a network on the way.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::checkpoint::{self, Progress};
use super::descent::{AtStop, ROUND};
use super::{Arithmetic, Distill, Goal, Network, Phase, Rates, Recipe, Statistics, TrainError, gradient};
use crate::data::{Dataset, Learn, Samples};
use crate::progress::Listener;
use crate::space::Assignment;

/// Everything training needs beside the network.
#[derive(Debug)]
pub struct Trainer<'a> {
    /// What the network is trained on.
    pub data: &'a Dataset,
    /// How to train.
    pub recipe: &'a Recipe,
    /// The network in floating point whose outputs are learned from, if the recipe says so.
    pub teacher: Option<&'a Network>,
    /// Seed of everything random.
    pub seed: u64,
    /// Where it computes: where the network is.
    pub device: Device,
    /// Set to stop after the current step.
    pub stop: &'a AtomicBool,
    /// Hears how it gets on.
    pub listener: &'a dyn Listener,
}

/// Batches over which the statistics of normalisation are taken anew.
const SETTLING: usize = 100;

/// Loss at the end of the last epoch, as a share of what it was some epochs before, below which it is called falling.
const FALLING: f64 = 0.95;

impl Trainer<'_> {
    /// Runs the rest of a phase. After every epoch the state is written to `checkpoint`; if that holds a state of this
    /// phase, training goes on from there, and if it is of a later phase nothing remains to be done here. `at_stop` is called
    /// whenever a descent reaches a budget; after an interruption it may be called again for the same one, with the same
    /// network.
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
        at_stop: AtStop,
    ) -> Result<(), TrainError> {
        let done = match checkpoint::load(net, phase, &mut goal, checkpoint)? {
            Some(p) if p.phase > phase => return Ok(()),
            Some(p) if p.phase == phase => p.epochs,
            // What was learned of the gradients in the phase before holds on.
            Some(_) => 0,
            None => {
                net.params.restart();
                0
            }
        };
        let schedule = |rates: Rates| {
            let Recipe { weight_decay, choices, .. } = self.recipe;
            net.params.schedule(rates, *weight_decay, *choices)
        };
        let rates = self.recipe.rates(phase);
        let all = schedule(rates);
        // Where choices and weights learn by turns: which of them does, from which step of an epoch on.
        let turns = goal.pressure().and_then(|p| p.split).map(|share| {
            let [choices, weights] = rates.split();
            (share, schedule(choices), schedule(weights))
        });
        let steps = self.data.train.len().div_ceil(self.recipe.batch);
        let bar = self.listener.begin(phase.name(), (epochs * steps) as u64, (done * steps) as u64);
        let mut losses = Vec::new();
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
                let step = epoch * steps + i;
                let progress = step as f64 / (epochs * steps) as f64;
                let factor = match &mut goal {
                    // A rate that stays lets every budget on the way be branched off and brought to rest by itself.
                    Goal::Descend(descent) => {
                        if step.is_multiple_of(ROUND) {
                            descent.advance(net, progress, self, &mut *at_stop)?;
                        }
                        1.0
                    }
                    Goal::Float | Goal::Choose(_) | Goal::Keep(_) => {
                        0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
                    }
                };
                let schedule = match &turns {
                    Some((share, choices, _)) if (i as f64) < share * steps as f64 => choices,
                    Some((_, _, weights)) => weights,
                    None => &all,
                };
                let (x, y) = self.batch(batch, epoch);
                let taught = self.taught(&x);
                let error = |outputs: &Tensor| self.learned(outputs, &x, &y, taught.as_ref());
                let (gradient, loss) = gradient(net, &x, &mut goal, progress, &mut rng, error)?;
                net.params.step(&gradient, schedule, factor);
                if !loss.is_finite() {
                    return Err(TrainError::Diverged { phase: phase.name(), epoch: epoch + 1, loss });
                }
                sum += loss;
                bar.inc(1);
            }
            if let (Goal::Descend(descent), true) = (&mut goal, epoch + 1 == epochs) {
                descent.advance(net, 1.0, self, &mut *at_stop)?;
            }
            checkpoint::save(net, &goal, Progress { phase, epochs: epoch + 1 }, checkpoint)?;
            losses.push(sum / steps as f64);
            let loss = sum / steps as f64;
            let place = match &goal {
                Goal::Descend(descent) => format!(", {}", descent.note()),
                Goal::Float | Goal::Choose(_) | Goal::Keep(_) => String::new(),
            };
            bar.note(&format!("epoch {}/{epochs}, loss {loss:.3}{place}", epoch + 1));
        }
        if let (Goal::Descend(descent), 0) = (&mut goal, epochs) {
            descent.advance(net, 1.0, self, at_stop)?;
        }
        bar.finish();
        if phase != Phase::Search
            && let Some(sentence) = still_falling(phase, &losses)
        {
            self.listener.say(&sentence);
        }
        Ok(())
    }

    /// Takes the running statistics of normalisation anew, as the mean over batches of training samples: while weights move,
    /// they lag behind.
    ///
    /// # Errors
    /// If interrupted.
    pub fn settle(&self, net: &Network, a: &Assignment) -> Result<(), TrainError> {
        let _guard = tch::no_grad_guard();
        let choices = net.hard_choices(a);
        let spread = self.data.train.spread(SETTLING * self.recipe.batch);
        for (n, indices) in spread.chunks(self.recipe.batch).enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(TrainError::Interrupted);
            }
            let (x, _) = self.batch(indices, usize::MAX >> 32);
            let share = 1.0 / (n + 1) as f64;
            let _ =
                net.forward(&net.params.views(), &x, Arithmetic::Fake(&choices, Statistics::Batch(share)));
        }
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
        self.some(512)
    }

    /// Training samples as they are, inputs and labels: `n` of them, or all.
    pub fn training(&self, n: usize) -> (Tensor, Tensor) {
        let indices = self.data.train.spread(n);
        (self.samples(&self.data.train, &indices), self.wanted(&self.data.train, &indices))
    }

    /// As [`Trainer::sample`], `n` of them.
    pub(super) fn some(&self, n: usize) -> (Tensor, Tensor) {
        let from = if self.data.validation.is_empty() { &self.data.train } else { &self.data.validation };
        let indices = from.spread(n);
        (self.samples(from, &indices), self.wanted(from, &indices))
    }

    /// Loss of an assignment on samples, in fake-quantised arithmetic, with the running statistics.
    ///
    /// # Errors
    /// If interrupted.
    pub fn loss(&self, net: &Network, samples: &(Tensor, Tensor), a: &Assignment) -> Result<f64, TrainError> {
        self.loss_with(net, samples, a, Statistics::Running)
    }

    /// As [`Trainer::loss`] with the statistics of the samples: what it comes to once the running ones have followed.
    pub(super) fn loss_by_batch(
        &self,
        net: &Network,
        samples: &(Tensor, Tensor),
        a: &Assignment,
    ) -> Result<f64, TrainError> {
        self.loss_with(net, samples, a, Statistics::Batch(0.0))
    }

    fn loss_with(
        &self,
        net: &Network,
        (x, y): &(Tensor, Tensor),
        a: &Assignment,
        statistics: Statistics,
    ) -> Result<f64, TrainError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted);
        }
        let _guard = tch::no_grad_guard();
        let choices = net.hard_choices(a);
        let out = net.forward(&net.params.views(), x, Arithmetic::Fake(&choices, statistics));
        Ok(self.error(&out, x, y).double_value(&[]))
    }

    /// What the teacher says of samples, if there is one.
    fn taught(&self, x: &Tensor) -> Option<(Distill, Tensor)> {
        let (Some(teacher), Some(distill)) = (self.teacher, self.recipe.distill) else { return None };
        let _guard = tch::no_grad_guard();
        let how = Arithmetic::Float(Statistics::Running);
        Some((distill, teacher.forward(&teacher.params.views(), x, how)))
    }

    /// What outputs lose against labels and teacher.
    fn learned(
        &self,
        outputs: &Tensor,
        x: &Tensor,
        y: &Tensor,
        taught: Option<&(Distill, Tensor)>,
    ) -> Tensor {
        let error = self.error(outputs, x, y);
        let Some((Distill { share, temperature }, teacher)) = taught else { return error };
        let apart = match self.data.learn {
            Learn::Classes(_) => {
                let teacher = (teacher / *temperature).softmax(-1, Kind::Float);
                let student = (outputs / *temperature).log_softmax(-1, Kind::Float);
                let each = &teacher * (teacher.clamp_min(1e-12).log() - student);
                let kl = each.sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
                kl.mean(Kind::Float) * (temperature * temperature)
            }
            Learn::Values(_) | Learn::Reconstruction => outputs.mse_loss(teacher, tch::Reduction::Mean),
        };
        error * (1.0 - share) + apart * *share
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

/// A sentence where the loss of a phase was still falling when it ended.
fn still_falling(phase: Phase, losses: &[f64]) -> Option<String> {
    if losses.len() < 4 {
        return None;
    }
    let (last, earlier) = (losses[losses.len() - 1], losses[losses.len() - losses.len() / 4 - 2]);
    // The rate comes to rest at the end, where every loss falls somewhat.
    (last < FALLING * earlier).then(|| {
        format!(
            "  the loss was still falling when the {} ended ({earlier:.3} to {last:.3} over its last quarter): more --epochs may help",
            phase.name()
        )
    })
}

/// `[n, channels, height, width]`, channels innermost in memory, from values height x width x channels.
fn tensor(values: &[f32], [height, width, channels]: [usize; 3]) -> Tensor {
    Tensor::from_slice(values).view([-1, height as i64, width as i64, channels as i64]).permute([0, 3, 1, 2])
}
