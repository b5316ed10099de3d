//! The cost of a search as something to differentiate.

use mpic_kernels::lut::LutError;
use tch::{Kind, Tensor};

use super::{CostModel, Slopes};
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, INPUT_BITS, Space};
use crate::train::{Choice, Choices};

/// One node's part.
#[derive(Debug)]
struct Term {
    node: NodeId,
    /// Node whose quantiser the output it reads has.
    input: NodeId,
    /// `[input widths, weight widths]`.
    per_channel: Tensor,
    /// `[input widths]`.
    constant: Tensor,
}

/// A cost relative to 8 bits everywhere: its value is the model's for the widths the choices stand for, block rule and all;
/// its gradient is that of the model's slopes.
#[derive(Debug)]
pub struct SoftCost<'a> {
    model: &'a dyn CostModel,
    graph: &'a Graph,
    space: &'a Space,
    terms: Vec<Term>,
    reference: f64,
}

fn factors(choice: Option<&Choice>) -> Option<&Tensor> {
    match choice? {
        Choice::Soft(t) => Some(t),
        Choice::Hard(_) => None,
    }
}

/// The widths that factors `[widths, n]` or `[widths]` favour.
fn favoured(factors: &Tensor, widths: &[u8]) -> Vec<u8> {
    let index = Vec::<i64>::try_from(factors.argmax(0, false).flatten(0, -1)).expect("indices");
    index.into_iter().map(|i| widths[i as usize]).collect()
}

impl<'a> SoftCost<'a> {
    /// The cost of a graph under a model.
    ///
    /// # Errors
    /// If the model does not know a layer.
    pub fn new(model: &'a dyn CostModel, graph: &'a Graph, space: &'a Space) -> Result<Self, LutError> {
        let reference = model.hard(graph, &Assignment::uniform(graph, 8, 8))?;
        let term = |node: NodeId| {
            let input = graph.quantised_as(graph.nodes[node].inputs[0]);
            let a_bits = if input == 0 { &[INPUT_BITS][..] } else { &space.activations };
            let Slopes { per_channel, constant } = model.slopes(graph, node, a_bits, &space.weights)?;
            let shape = [per_channel.len() as i64, space.weights.len() as i64];
            let relative = |v: Vec<f64>| {
                Tensor::from_slice(&v.iter().map(|v| (v / reference) as f32).collect::<Vec<_>>())
            };
            let per_channel = relative(per_channel.concat()).view(shape);
            Ok(Term { node, input, per_channel, constant: relative(constant) })
        };
        let terms = (1..graph.nodes.len()).map(term).collect::<Result<_, _>>()?;
        Ok(Self { model, graph, space, terms, reference })
    }

    /// The graph it is for.
    #[must_use]
    pub fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// Cost of 8 bits everywhere, in the unit of the model.
    #[must_use]
    pub fn reference(&self) -> f64 {
        self.reference
    }

    /// Cost of soft choices as a scalar, 1 for 8 bits everywhere.
    ///
    /// # Errors
    /// If the model does not know a layer.
    pub fn relative(&self, choices: &Choices) -> Result<Tensor, LutError> {
        let part = |t: &Term| {
            let by_input = match factors(choices.weights[t.node].as_ref()) {
                Some(w) => {
                    t.per_channel.mv(&w.sum_dim_intlist([1i64].as_slice(), false, Kind::Float)) + &t.constant
                }
                None => t.constant.shallow_clone(),
            };
            match factors(choices.activations[t.input].as_ref()) {
                Some(a) => (by_input * a).sum(Kind::Float),
                None => by_input.sum(Kind::Float),
            }
        };
        let linear = self.terms.iter().map(part).reduce(|a, b| a + b).expect("a network has layers");
        let value = self.model.hard(self.graph, &self.favoured(choices))? / self.reference;
        Ok(&linear + (value - linear.detach()))
    }

    /// The assignment that choices stand for.
    fn favoured(&self, choices: &Choices) -> Assignment {
        let mut out = Assignment::uniform(self.graph, 8, INPUT_BITS);
        for id in 0..self.graph.nodes.len() {
            if let Some(w) = factors(choices.weights[id].as_ref()) {
                out.weights[id] = favoured(w, &self.space.weights);
            }
            if let Some(a) = factors(choices.activations[self.graph.quantised_as(id)].as_ref()) {
                out.activations[id] = favoured(a, &self.space.activations)[0];
            }
        }
        out
    }
}
