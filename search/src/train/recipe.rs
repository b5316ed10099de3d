//! How a network is trained: everything about it that a user can choose, as a value.

use serde::{Deserialize, Serialize};

use super::params::Rates;
use crate::data::Augment;
use crate::quant::Quantisers;

/// What trains when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Training in floating point, before any width counts.
    WarmUp,
    /// Weights and scales, while widths are chosen.
    Search,
    /// Weights and scales of a found network.
    FineTune,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 3] = [Self::WarmUp, Self::Search, Self::FineTune];

    /// Name for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Search => "search",
            Self::FineTune => "fine-tuning",
        }
    }
}

/// Epochs of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs {
    /// Of the warm-up.
    pub warm_up: usize,
    /// Of the search: of the whole descent, or of each strength.
    pub search: usize,
    /// Of the fine-tuning of each network.
    pub fine_tune: usize,
}

/// Learning rates at the start of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Of the warm-up.
    pub warm_up: Rates,
    /// Of the search.
    pub search: Rates,
    /// Of the fine-tuning.
    pub fine_tune: Rates,
}

/// Learning from the outputs of the floating-point network as well (Hinton et al. 2015).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distill {
    /// Share of the loss that compares outputs with the teacher's; the rest compares them with labels.
    pub share: f64,
    /// Temperature of both softmaxes.
    pub temperature: f64,
}

/// How the logits of choices learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceOptimiser {
    /// As everything else.
    #[default]
    Adam,
    /// Gradient descent with a momentum of 0.9, as in the released code of Risso et al. 2022.
    Momentum,
}

/// How a task is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Epochs unless told otherwise.
    pub epochs: Epochs,
    /// Steps that each phase has at least unless told otherwise, however small the data: epochs of small data are short.
    pub least_steps: usize,
    /// Samples of a step.
    pub batch: usize,
    /// How training samples vary.
    pub augment: Augment,
    /// Learning rates at the start of each phase.
    pub pace: Pace,
    /// What weights lose in a step, times their learning rate (`AdamW`, Loshchilov and Hutter 2019).
    pub weight_decay: f64,
    /// Learning from the floating-point network.
    pub distill: Option<Distill>,
    /// How quantisers find their scales.
    pub quantisers: Quantisers,
    /// How choices learn.
    pub choices: ChoiceOptimiser,
    /// Whether normalisation is folded into the weights before quantisers are trained, in place of being trained with them.
    pub fold_norm: bool,
}

impl Recipe {
    /// What tasks start from.
    pub const BASE: Self = Self {
        epochs: Epochs { warm_up: 40, search: 8, fine_tune: 8 },
        least_steps: 0,
        batch: 64,
        augment: Augment::None,
        pace: Pace {
            warm_up: Rates { weight: 4e-3, scale: 0.0, choice: 0.0 },
            search: Rates { weight: 1e-3, scale: 1e-3, choice: 2e-2 },
            fine_tune: Rates { weight: 4e-3, scale: 1e-3, choice: 0.0 },
        },
        weight_decay: 0.0,
        distill: None,
        quantisers: Quantisers::Learned,
        choices: ChoiceOptimiser::Adam,
        fold_norm: false,
    };

    /// Learning rates at the start of a phase.
    #[must_use]
    pub fn rates(&self, phase: Phase) -> Rates {
        match phase {
            Phase::WarmUp => self.pace.warm_up,
            Phase::Search => self.pace.search,
            Phase::FineTune => self.pace.fine_tune,
        }
    }

    /// The epochs of each phase for so many training samples: those of the recipe, and more where they are few.
    #[must_use]
    pub fn epochs_for(&self, samples: usize) -> Epochs {
        let steps = samples.div_ceil(self.batch).max(1);
        let enough = |epochs: usize| epochs.max(self.least_steps.div_ceil(steps));
        let Epochs { warm_up, search, fine_tune } = self.epochs;
        Epochs { warm_up: enough(warm_up), search: enough(search), fine_tune: enough(fine_tune) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_get_more_epochs() {
        let recipe = Recipe { least_steps: 500, batch: 64, ..Recipe::BASE };
        let of = |samples| recipe.epochs_for(samples);
        assert_eq!(of(50_000), recipe.epochs, "an epoch has 782 steps");
        assert_eq!(of(240), Epochs { warm_up: 125, search: 125, fine_tune: 125 }, "an epoch has 4 steps");
        assert_eq!(of(0), Epochs { warm_up: 500, search: 500, fine_tune: 500 }, "no division by nothing");
    }
}
