//! What a search pays for: costs with a strength of their own, or with a target that sets it.

use tch::Tensor;

use super::choose::{Choices, Sampling};
use super::soft::SoftCost;
use crate::cost::{CostError, Strength};

/// A cost and how strongly it counts.
#[derive(Debug)]
pub struct Term<'a> {
    /// The cost to differentiate.
    pub cost: SoftCost<'a>,
    /// How much it counts.
    pub strength: Strength,
    /// What a network as costly as 8 bits everywhere adds to the loss at present, if there is a target.
    multiplier: f64,
}

/// Everything a search pays for, and how it decides.
#[derive(Debug)]
pub struct Pressure<'a> {
    /// The costs that count, each with its strength.
    pub terms: Vec<Term<'a>>,
    /// How the search computes with undecided widths.
    pub sampling: Sampling,
    /// Temperature of the softmax at the start and at the end, between which it falls exponentially.
    pub temperature: [f64; 2],
    /// Share of the training data on which choices learn, each epoch anew, while weights learn on the rest; without it
    /// both learn on all of them together.
    pub split: Option<f64>,
}

/// Multiplier of a target at the start, by how much it grows (and falls) with each step on a network of twice (and of none of) what
/// is allowed, and where it stays between.
const MULTIPLIER: f64 = 0.5;
const GROWTH: f64 = 0.1;
const MULTIPLIERS: [f64; 2] = [0.01, 30.0];

/// How much stronger a target counts at once, without waiting for its multiplier, on a network of twice what is allowed, and
/// by how much of what is allowed a network can exceed it and still count more.
const DAMPING: f64 = 2.0;
const EXCESS: f64 = 3.0;

/// Share of a search in which what is allowed comes down from the cost of 8 bits everywhere to the target.
const DESCENT: f64 = 0.25;

impl<'a> Term<'a> {
    /// A cost with its strength.
    #[must_use]
    pub fn new(cost: SoftCost<'a>, strength: Strength) -> Self {
        Self { cost, strength, multiplier: MULTIPLIER }
    }
}

impl Pressure<'_> {
    /// Temperature when a share of the search is done.
    #[must_use]
    pub fn temperature(&self, progress: f64) -> f64 {
        let [start, end] = self.temperature;
        start * (end / start).powf(progress)
    }

    /// What choices add to the loss when a share of the search is done. A target counts as a strength that grows while it is
    /// exceeded and falls while it is not: what the search sees is never more than a strength that changes slowly, since a
    /// term that comes and goes would drive widths to and fro.
    ///
    /// # Errors
    /// If a model does not know a layer.
    pub(super) fn of(&mut self, choices: &Choices, progress: f64) -> Result<Tensor, CostError> {
        let mut sum = Tensor::from(0f32).to_device(choices.device());
        for term in &mut self.terms {
            let relative = term.cost.relative(choices)?;
            match term.strength {
                Strength::Fixed(lambda) => sum += relative * lambda,
                Strength::Target(target) => {
                    let target = target / term.cost.reference();
                    let allowed = 1.0 + (target - 1.0) * (progress / DESCENT).min(1.0);
                    let excess = (relative.double_value(&[]) / allowed - 1.0).min(EXCESS);
                    let grown = term.multiplier * (GROWTH * excess).exp();
                    term.multiplier = grown.clamp(MULTIPLIERS[0], MULTIPLIERS[1]);
                    sum += relative * (term.multiplier * (DAMPING * excess).exp());
                }
            }
        }
        Ok(sum)
    }

    /// Begins an epoch: what follows must not depend on whether the run was interrupted here.
    pub(super) fn restart(&mut self) {
        for term in &mut self.terms {
            term.cost.restart();
        }
    }

    /// What a checkpoint must hold, as tensors by name.
    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let multipliers: Vec<f64> = self.terms.iter().map(|t| t.multiplier).collect();
        vec![("multipliers".into(), Tensor::from_slice(&multipliers))]
    }

    /// Takes over a state; false if it is of another number of costs.
    pub(super) fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        let found = state.iter().find(|(n, _)| n == "multipliers").map(|(_, t)| t.flatten(0, -1));
        let Some(multipliers) = found.and_then(|t| Vec::<f64>::try_from(t).ok()) else { return false };
        for (term, multiplier) in self.terms.iter_mut().zip(&multipliers) {
            term.multiplier = *multiplier;
        }
        multipliers.len() == self.terms.len()
    }
}
