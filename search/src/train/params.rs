//! All trained numbers in one flat tensor, and the optimiser over it.
//!
//! One leaf tensor makes an optimiser step a handful of operations however many parameters a network has, and a checkpoint
//! three tensors.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::recipe::ChoiceOptimiser;

/// What a parameter is, which decides its learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Weights, biases, normalisation gains.
    Weight,
    /// Logarithms of quantiser scales.
    Scale,
    /// Logits of bit-width choices.
    Choice,
}

/// Where a parameter lies in the flat tensor.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    shape: Vec<i64>,
    role: Role,
}

/// Index of a parameter.
pub(super) type ParamId = usize;

/// The parameters and the moments of Adam.
#[derive(Debug)]
pub struct Params {
    slots: Vec<Slot>,
    /// All numbers behind one another.
    flat: Tensor,
    moments: [Tensor; 2],
    steps: i64,
}

/// Learning rate of each role.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Learning rate of weights, biases and normalisation.
    pub weight: f64,
    /// Learning rate of the logarithms of scales.
    pub scale: f64,
    /// Learning rate of the logits of choices.
    pub choice: f64,
}

impl Rates {
    /// Those of the choices, and those of everything else.
    pub(super) fn split(self) -> [Self; 2] {
        [Self { weight: 0.0, scale: 0.0, ..self }, Self { choice: 0.0, ..self }]
    }
}

/// How each number of a network moves in a step: its learning rate, its decay, and by which rule.
#[derive(Debug)]
pub struct Schedule {
    rates: Tensor,
    /// What a number loses, times its rate.
    decay: Option<Tensor>,
    /// 1 for numbers that go down the gradient with momentum, 0 for those that follow Adam.
    momentum: Option<Tensor>,
}

/// Decay of the moments.
const BETAS: [f64; 2] = [0.9, 0.999];

/// Gathers parameters before they become one tensor.
#[derive(Debug, Default)]
pub(super) struct ParamsBuilder {
    slots: Vec<Slot>,
    values: Vec<f32>,
}

impl ParamsBuilder {
    /// Adds a parameter; `values` in row-major order.
    ///
    /// # Panics
    /// If `values` does not have the size of `shape`.
    pub(super) fn add(&mut self, role: Role, shape: &[usize], values: &[f32]) -> ParamId {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values fill the shape {shape:?}");
        self.slots.push(Slot { shape: shape.iter().map(|&n| n as i64).collect(), role });
        self.values.extend(values);
        self.slots.len() - 1
    }

    /// Puts what was added into one flat tensor.
    #[must_use]
    pub(super) fn build(self) -> Params {
        let flat = Tensor::from_slice(&self.values);
        let moments = [flat.zeros_like(), flat.zeros_like()];
        Params { slots: self.slots, flat: flat.set_requires_grad(true), moments, steps: 0 }
    }
}

impl Slot {
    fn len(&self) -> i64 {
        self.shape.iter().product()
    }
}

impl Params {
    /// Every parameter as a view that gradients flow through.
    #[must_use]
    pub fn views(&self) -> Vec<Tensor> {
        self.parts(&self.flat)
    }

    /// What belongs to each parameter of a flat tensor of all, as a view in its shape.
    pub(super) fn parts(&self, flat: &Tensor) -> Vec<Tensor> {
        let sizes: Vec<i64> = self.slots.iter().map(Slot::len).collect();
        let parts = flat.split_with_sizes(sizes, 0);
        parts.into_iter().zip(&self.slots).map(|(t, s)| t.view(s.shape.as_slice())).collect()
    }

    fn range(&self, id: ParamId) -> Range<i64> {
        let start = self.slots[..id].iter().map(Slot::len).sum();
        start..start + self.slots[id].len()
    }

    /// Values of a parameter, in row-major order.
    pub(super) fn values(&self, id: ParamId) -> Vec<f32> {
        let Range { start, end } = self.range(id);
        Vec::try_from(self.flat.detach().narrow(0, start, end - start)).expect("numbers")
    }

    /// Running mean of the squared gradient of each value of a parameter, in its shape: what Adam keeps.
    pub(super) fn squared_gradient(&self, id: ParamId) -> Tensor {
        let Range { start, end } = self.range(id);
        let corrected = 1.0 - BETAS[1].powi(self.steps.max(1) as i32);
        (self.moments[1].narrow(0, start, end - start) / corrected).view(self.slots[id].shape.as_slice())
    }

    /// How many values a parameter has.
    pub(super) fn len(&self, id: ParamId) -> usize {
        self.slots[id].len() as usize
    }

    /// How many parameters there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Takes over some of the values of each parameter of another network, and their moments.
    ///
    /// # Panics
    /// If the places, as many as a parameter here has values, are not those of the other's.
    pub(super) fn take(&mut self, other: &Self, places: &[Vec<usize>]) {
        let (mut index, mut start) = (Vec::with_capacity(self.flat.numel()), 0);
        for ((places, to), from) in places.iter().zip(&self.slots).zip(&other.slots) {
            assert_eq!(places.len() as i64, to.len(), "a place for every value of {:?}", to.shape);
            index.extend(places.iter().map(|&p| start + p as i64));
            start += from.len();
        }
        let index = Tensor::from_slice(&index).to_device(other.device());
        let of = |t: &Tensor| t.detach().index_select(0, &index);
        tch::no_grad(|| self.flat.copy_(&of(&other.flat)));
        self.moments = [0, 1].map(|i| of(&other.moments[i]));
        self.steps = other.steps;
    }

    /// A number for every parameter: those given, in row-major order, and 0.
    pub(super) fn flat(&self, given: &[(ParamId, Vec<f32>)]) -> Tensor {
        let mut all = vec![0.0; self.flat.numel()];
        for (id, values) in given {
            let Range { start, end } = self.range(*id);
            all[start as usize..end as usize].copy_from_slice(values);
        }
        Tensor::from_slice(&all).to_device(self.device())
    }

    /// Overwrites a parameter.
    pub fn set(&mut self, id: ParamId, value: &Tensor) {
        let Range { start, end } = self.range(id);
        tch::no_grad(|| self.flat.narrow(0, start, end - start).copy_(&value.flatten(0, -1)));
    }

    /// Forgets the moments: a new phase begins.
    pub fn restart(&mut self) {
        self.moments = [self.flat.zeros_like(), self.flat.zeros_like()];
        self.moments.iter_mut().for_each(|m| *m = m.detach());
        self.steps = 0;
    }

    /// The schedule for the given learning rates and weight decay.
    pub fn schedule(&self, rates: Rates, decay: f64, choices: ChoiceOptimiser) -> Schedule {
        let device = self.device();
        let each = |f: &dyn Fn(Role) -> f64| {
            let full = |s: &Slot| Tensor::full([s.len()], f(s.role), (Kind::Float, device));
            Tensor::cat(&self.slots.iter().map(full).collect::<Vec<_>>(), 0)
        };
        let rate = |role| match role {
            Role::Weight => rates.weight,
            Role::Scale => rates.scale,
            Role::Choice => rates.choice,
        };
        let decayed = |role| match role {
            Role::Weight => decay,
            Role::Scale | Role::Choice => 0.0,
        };
        let by_momentum = |role| f64::from(u8::from(role == Role::Choice));
        Schedule {
            rates: each(&rate),
            decay: (decay > 0.0).then(|| each(&decayed)),
            momentum: (choices == ChoiceOptimiser::Momentum).then(|| each(&by_momentum)),
        }
    }

    /// The gradient of a scalar, for all parameters.
    pub fn gradient(&self, of: &Tensor) -> Tensor {
        // Choices take part in the loss, the cost and the rest of the gradient.
        Tensor::run_backward(&[of], &[&self.flat], true, false).swap_remove(0)
    }

    /// One step of Adam (Kingma and Ba 2015) down a gradient, as scheduled, with all rates times `factor`.
    pub fn step(&mut self, gradient: &Tensor, schedule: &Schedule, factor: f64) {
        self.steps += 1;
        tch::no_grad(|| {
            let corrected = |beta: f64| 1.0 - beta.powi(self.steps as i32);
            let [m, v] = &mut self.moments;
            let _ = m.lerp_(gradient, 1.0 - BETAS[0]);
            let _ = v.lerp_(&gradient.square(), 1.0 - BETAS[1]);
            let scale = corrected(BETAS[1]).sqrt() / corrected(BETAS[0]);
            // eps is 1e-8 before the correction, as in the paper's efficient form.
            let mut change = &*m * scale / (v.sqrt() + 1e-8);
            if let Some(momentum) = &schedule.momentum {
                // A sum of gradients that fade by 0.9 a step is ten times their running mean.
                change = momentum * &*m / (1.0 - BETAS[0]) + (1.0 - momentum) * change;
            }
            if let Some(decay) = &schedule.decay {
                change += decay * &self.flat;
            }
            self.flat -= change * &schedule.rates * factor;
        });
    }

    /// Moves the numbers to a device.
    pub fn to_device(&mut self, device: Device) {
        self.flat = self.flat.detach().to_device(device).set_requires_grad(true);
        self.moments.iter_mut().for_each(|m| *m = m.to_device(device));
    }

    /// The device that holds the numbers.
    #[must_use]
    pub fn device(&self) -> Device {
        self.flat.device()
    }

    /// The state that a checkpoint must hold, as tensors by name.
    #[must_use]
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let named = |name: &str, t: &Tensor| (name.to_owned(), t.detach().shallow_clone());
        vec![
            named("flat", &self.flat),
            named("moment1", &self.moments[0]),
            named("moment2", &self.moments[1]),
            named("steps", &Tensor::from_slice(&[self.steps])),
        ]
    }

    /// Takes over a state that [`Params::state`] gave. Returns `false` if it does not fit this network.
    pub fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        let get = |name: &str| state.iter().find(|(n, _)| n == name).map(|(_, t)| t);
        let (Some(flat), Some(m), Some(v), Some(steps)) =
            (get("flat"), get("moment1"), get("moment2"), get("steps"))
        else {
            return false;
        };
        if [flat, m, v].iter().any(|t| t.size() != self.flat.size()) {
            return false;
        }
        tch::no_grad(|| self.flat.copy_(flat));
        self.moments = [m, v].map(|t| t.copy().to_device(self.device()));
        self.steps = steps.int64_value(&[0]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_descends_and_roles_have_their_own_rates() {
        tch::set_num_threads(1);
        let mut b = ParamsBuilder::default();
        let w = b.add(Role::Weight, &[2, 2], &[1.0, -2.0, 3.0, 4.0]);
        let s = b.add(Role::Scale, &[3], &[1.0, 1.0, 1.0]);
        let mut p = b.build();
        let rates = p.schedule(Rates { weight: 0.1, scale: 0.0, choice: 0.0 }, 0.0, ChoiceOptimiser::Adam);
        for _ in 0..200 {
            let v = p.views();
            let loss = v[w].square().sum(Kind::Float) + v[s].square().sum(Kind::Float);
            let gradient = p.gradient(&loss);
            p.step(&gradient, &rates, 1.0);
        }
        let v = p.views();
        assert!(v[w].abs().max().double_value(&[]) < 0.05, "weights reach the minimum");
        assert_eq!(v[s], Tensor::from_slice(&[1f32; 3]), "a rate of zero leaves the scales alone");
    }

    #[test]
    fn a_restored_state_continues_alike() {
        tch::set_num_threads(1);
        let make = || {
            let mut b = ParamsBuilder::default();
            b.add(Role::Weight, &[4], &[1.0, -2.0, 3.0, 4.0]);
            b.build()
        };
        let go = |p: &mut Params, n| {
            for _ in 0..n {
                let loss =
                    (p.views()[0].square() * Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0])).sum(Kind::Float);
                let rates =
                    p.schedule(Rates { weight: 0.1, scale: 0.0, choice: 0.0 }, 0.0, ChoiceOptimiser::Adam);
                let gradient = p.gradient(&loss);
                p.step(&gradient, &rates, 1.0);
            }
        };
        let (mut one, mut two) = (make(), make());
        go(&mut one, 7);
        go(&mut two, 3);
        let state: Vec<_> = two.state().into_iter().map(|(n, t)| (n, t.copy())).collect();
        let mut three = make();
        assert!(three.restore(&state));
        go(&mut three, 4);
        assert_eq!(one.views()[0], three.views()[0]);
        assert!(!three.restore(&state[1..]), "an incomplete state is refused");
    }
}
