//! Training: warm-up in floating point, search of the widths, fine-tuning of the found network.
//!
//! Everything random in an epoch follows from (seed, phase, epoch), so a run that was interrupted continues with exactly
//! what it would have done.

mod checkpoint;
mod choose;
mod compact;
mod descent;
mod forward;
mod network;
mod params;
mod pressure;
mod prices;
mod recipe;
mod soft;
mod trainer;

use rand_chacha::ChaCha8Rng;
use tch::Tensor;

pub use checkpoint::{
    CheckpointError, Progress, load_state, load_weights, save as save_state, save_values, save_weights,
};
pub use choose::{Choice, Choices, Sampling};
pub use compact::Compact;
pub use descent::{AtStop, Descent, Limit};
pub use forward::{Arithmetic, Statistics, Trace};
pub use network::{NORM_EPS, Network};
pub use params::{Params, Rates, Schedule};
pub use pressure::{Pressure, Term};
pub use recipe::{ChoiceOptimiser, Distill, Epochs, Pace, Phase, Recipe};
pub use soft::SoftCost;
pub use trainer::Trainer;

use crate::cost::CostError;
use crate::space::Assignment;

/// Share of the batch's statistics in the running ones at every step of training.
const MOMENTUM: f64 = 0.1;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// The loss is not a finite number.
    #[error(
        "training diverged in epoch {epoch} of {phase}: the loss is {loss}; a smaller --lambda or --learning-rate, or another \
         --seed may help"
    )]
    Diverged {
        /// Name of the phase.
        phase: &'static str,
        /// Epoch, from 1.
        epoch: usize,
        /// The loss, which is not a finite number.
        loss: f64,
    },
    /// No move is left and the budget is still exceeded.
    #[error("no smaller network of this space is left, and the budget is still exceeded by {over:.2} %")]
    Stuck {
        /// Percent by which the budgets are exceeded together.
        over: f64,
    },
    /// The checkpoint cannot be used or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The cost model does not know a layer.
    #[error(transparent)]
    Cost(#[from] CostError),
}

/// What a phase optimises.
#[derive(Debug)]
pub enum Goal<'a, 'costs> {
    /// The loss of the floating-point network.
    Float,
    /// The loss of the fake-quantised network, and the costs under pressure.
    Choose(&'a mut Pressure<'costs>),
    /// The loss of a network that comes down to budgets.
    Descend(&'a mut Descent<'costs>),
    /// The loss of the fake-quantised network with this assignment.
    Keep(&'a Assignment),
}

impl<'costs> Goal<'_, 'costs> {
    fn pressure(&mut self) -> Option<&mut Pressure<'costs>> {
        match self {
            Self::Choose(pressure) => Some(pressure),
            Self::Float | Self::Keep(_) | Self::Descend(_) => None,
        }
    }

    /// The part of its state that a checkpoint must hold.
    fn state(&self) -> Vec<(String, Tensor)> {
        match self {
            Self::Choose(pressure) => pressure.state(),
            Self::Descend(descent) => descent.state(),
            Self::Float | Self::Keep(_) => vec![],
        }
    }

    /// Takes over a state from a checkpoint. Returns `false` if it does not fit.
    fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        match self {
            Self::Choose(pressure) => pressure.restore(state),
            Self::Descend(descent) => descent.restore(state),
            Self::Float | Self::Keep(_) => true,
        }
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
) -> Result<(Tensor, f64), CostError> {
    let p = net.params.views();
    let batch = Statistics::Batch(MOMENTUM);
    let choices = match goal {
        Goal::Float => {
            let loss = error(&net.forward(&p, x, Arithmetic::Float(batch)));
            return Ok((net.params.gradient(&loss), loss.double_value(&[])));
        }
        Goal::Choose(pressure) => {
            net.soft_choices(&p, pressure.sampling, pressure.temperature(progress), rng)
        }
        Goal::Descend(descent) => net.hard_choices(descent.assignment()),
        Goal::Keep(assignment) => net.hard_choices(assignment),
    };
    let trace = net.trace(&p, x, Arithmetic::Fake(&choices, batch));
    let mut loss = error(trace.output());
    if let Some(pressure) = goal.pressure() {
        loss += pressure.of(&choices, progress)?;
    }
    let mut gradient = net.params.gradient(&loss);
    let (given, factors) = net.rest(&trace);
    if let Some(given) = given {
        gradient += given;
    }
    if let Some(factors) = factors {
        gradient += net.params.gradient(&factors);
    }
    Ok((gradient, loss.double_value(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Published, Strength};
    use crate::model::fashion;
    use crate::space::Space;
    use rand::SeedableRng as _;
    use tch::Kind;

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
        let rates = Rates { weight: 0.0, scale: 0.0, choice: 3.0 };
        let noise = net.params.schedule(rates, 0.0, ChoiceOptimiser::Adam);
        let like = net.params.gradient(&net.params.views()[0].sum(Kind::Float));
        net.params.step(&like.randn_like(), &noise, 1.0);
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
        let choices = net.soft_choices(&p, Sampling::Argmax, 1.0, &mut rng);
        let widths: Vec<u8> = choices.assignment(&graph, &space).weights.concat();
        assert!([0, 2, 4, 8].iter().all(|w| widths.contains(w)), "every width occurs");
        pressure.restart();
        pressure.restore(&[("multipliers".into(), Tensor::from_slice(&[0.5, 0.5]))]);
        let costs = pressure.of(&choices, 0.5).expect("known");
        net.by_passes = false;
        let batch = Statistics::Batch(0.0);
        let slow = error(&net.forward(&p, &x, Arithmetic::Fake(&choices, batch))) + costs;
        // The two round differently now and then, and a value that falls on the other side of a step moves the loss a little.
        assert!((slow.double_value(&[]) - loss).abs() < 2e-3, "the losses are {loss} and {slow}");
        let slow = net.params.gradient(&slow);
        let norm = |t: &Tensor| t.square().sum(Kind::Double).sqrt().double_value(&[]);
        let whole = norm(&slow);
        for (id, (fast, slow)) in net.params.parts(&fast).iter().zip(net.params.parts(&slow)).enumerate() {
            let (off, size) = (norm(&(fast - &slow)), norm(&slow));
            assert!(
                off < 0.02 * size + 1e-3 * whole,
                "parameter {id} {:?} is {off} off, of {size}",
                fast.size()
            );
        }
        assert!(whole > 1e-2, "there is a gradient");
    }
}
