//! The cost of a search as something to differentiate.
//!
//! Cost models only answer for hard assignments. How a cost changes is measured on them: every so often each width of each
//! layer and tensor, and a few channels less of each pruned group, are tried out on the network as it stands. So the gradient
//! knows the block rule, what other layers do to a layer's input, and which tensors meet at the peak of memory, for any model.

use mpic_kernels::plan::BLOCK;
use tch::{Kind, Tensor};

use super::choose::{Choice, Choices};
use crate::cost::{CostError, CostModel};
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, Space};

/// Steps for which measured slopes serve.
const SERVES: u64 = 16;

/// How a relative cost changes with the choices.
#[derive(Debug, Default)]
struct Slopes {
    /// By node with weights: of a channel, by width.
    weights: Vec<Option<Tensor>>,
    /// By quantised node: of its output, by width.
    activations: Vec<Option<Tensor>>,
    /// By representative of tied nodes: of a channel that is kept.
    kept: Vec<f64>,
}

/// A cost relative to 8 bits everywhere: its value is the model's for the widths the choices stand for, block rule and all.
#[derive(Debug)]
pub struct SoftCost<'a> {
    model: &'a dyn CostModel,
    graph: &'a Graph,
    space: &'a Space,
    reference: f64,
    slopes: Slopes,
    asked: u64,
}

impl<'a> SoftCost<'a> {
    /// The cost of a graph under a model.
    ///
    /// # Errors
    /// If the model does not know a layer.
    pub fn new(model: &'a dyn CostModel, graph: &'a Graph, space: &'a Space) -> Result<Self, CostError> {
        let reference = model.hard(graph, &Assignment::uniform(graph, 8, 8))?;
        Ok(Self { model, graph, space, reference, slopes: Slopes::default(), asked: 0 })
    }

    /// The cost model that is differentiated.
    #[must_use]
    pub fn model(&self) -> &'a dyn CostModel {
        self.model
    }

    /// Cost of 8 bits everywhere, in the unit of the model.
    #[must_use]
    pub fn reference(&self) -> f64 {
        self.reference
    }

    /// Forgets measured slopes, so that what follows does not depend on what was asked before.
    pub fn restart(&mut self) {
        self.asked = 0;
    }

    /// Cost of soft choices as a scalar, 1 for 8 bits everywhere.
    ///
    /// # Errors
    /// If the model does not know a layer.
    pub fn relative(&mut self, choices: &Choices) -> Result<Tensor, CostError> {
        let now = choices.assignment(self.graph, self.space);
        let value = self.model.hard(self.graph, &now)? / self.reference;
        if self.asked.is_multiple_of(SERVES) {
            self.slopes = self.measure(&now, value)?;
        }
        self.asked += 1;
        let device = choices.device();
        let mut linear = Tensor::from(0f32).to_device(device);
        for (id, choice) in choices.weights.iter().enumerate() {
            let (Some(choice), Some(slopes)) = (choice, &self.slopes.weights[id]) else { continue };
            let Some(factors) = choice.factors() else { continue };
            let kept = Tensor::from_slice(
                &now.weights[id].iter().map(|&b| f32::from(u8::from(b != 0))).collect::<Vec<_>>(),
            );
            let slopes = slopes.unsqueeze(1) * kept;
            linear += (factors * slopes.to_device(device)).sum(Kind::Float);
        }
        for (choice, slopes) in choices.activations.iter().zip(&self.slopes.activations) {
            if let (Some(slopes), Some(factors)) = (slopes, choice.as_ref().and_then(Choice::factors)) {
                linear += (factors * slopes.to_device(device)).sum(Kind::Float);
            }
        }
        for (kept, slope) in choices.kept.iter().zip(&self.slopes.kept) {
            if let Some(kept) = kept {
                linear += kept.sum(Kind::Float) * *slope;
            }
        }
        Ok(&linear + (value - linear.detach()))
    }

    /// Tries every alternative on the assignment as it stands, whose relative cost is `value`.
    fn measure(&self, now: &Assignment, value: f64) -> Result<Slopes, CostError> {
        let cost = |a: &Assignment| Ok::<f64, CostError>(self.model.hard(self.graph, a)? / self.reference);
        let floats = |v: Vec<f64>| Tensor::from_slice(&v.iter().map(|v| *v as f32).collect::<Vec<_>>());
        let mut out = Slopes::default();
        for id in 0..self.graph.nodes.len() {
            let kept = now.weights[id].iter().filter(|b| **b != 0).count();
            out.weights.push(if kept == 0 {
                None
            } else {
                let mut per = Vec::new();
                for &w in &self.space.widths() {
                    let mut other = now.clone();
                    other.weights[id].iter_mut().filter(|b| **b != 0).for_each(|b| *b = w);
                    per.push((cost(&other)? - value) / kept as f64);
                }
                Some(floats(per))
            });
            out.activations.push(if self.graph.searched(id) {
                let mut per = Vec::new();
                for &a in &self.space.activations {
                    let mut other = now.clone();
                    other.set_activation(self.graph, id, a);
                    per.push(cost(&other)? - value);
                }
                Some(floats(per))
            } else {
                None
            });
            out.kept.push(self.kept(now, value, id)?);
        }
        Ok(out)
    }

    /// What a channel of the nodes tied to `id` costs, if it can be pruned.
    fn kept(&self, now: &Assignment, value: f64, id: NodeId) -> Result<f64, CostError> {
        if !self.space.prunes() || !self.graph.prunable(id) {
            return Ok(0.0);
        }
        let group = self.graph.tied_to(id);
        let weighted = group.iter().find(|&&n| self.graph.nodes[n].has_weights());
        let Some(&first) = weighted else { return Ok(0.0) };
        let kept: Vec<usize> =
            (0..now.weights[first].len()).filter(|&c| now.weights[first][c] != 0).collect();
        if kept.len() <= BLOCK {
            return Ok(0.0);
        }
        // A whole block less, of the channels with the most common width, so that no group of blocks is torn.
        let mut other = now.clone();
        let mut narrow = kept;
        narrow.sort_by_key(|&c| (now.weights[first][c], c));
        for &c in &narrow[..BLOCK] {
            for &n in &group {
                if let Some(bits) = other.weights[n].get_mut(c) {
                    *bits = 0;
                }
            }
        }
        Ok((value - self.model.hard(self.graph, &other)? / self.reference) / BLOCK as f64)
    }
}
