//! Choices of widths: from logits to factors, from factors to an assignment.
//!
//! Each layer has a logit per weight width and each of its channels a deviation from them. Whether a channel is there at all
//! is one decision for all nodes it is tied to: what meets in an addition or goes through a depthwise layer is pruned
//! together or not at all, or nothing would be saved.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::network::{Network, Weighted, column};
use crate::model::{Graph, NodeId};
use crate::space::{Assignment, INPUT_BITS, Space, in_blocks, whole_blocks};

/// How a search computes with widths it has not decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// With the likeliest width, and the gradient of the softmax (straight-through).
    #[default]
    Argmax,
    /// With all widths, weighted by the softmax.
    Softmax,
    /// With a width drawn by its probability, and the gradient of the softmax (Jang et al. 2017).
    Gumbel,
}

/// A choice of widths.
#[derive(Debug)]
pub enum Choice {
    /// Index of the width of each channel, or of the tensor.
    Hard(Vec<i64>),
    /// The same, with factors `[widths, channels]` or `[widths]`: one-hot, with the gradient of a softmax.
    OneHot(Vec<i64>, Tensor),
    /// Factors of a weighted sum.
    Mixed(Tensor),
}

/// The choices of a network.
#[derive(Debug)]
pub struct Choices {
    /// By node with weights: the width of each channel.
    pub weights: Vec<Option<Choice>>,
    /// By node with weights, where channels may be pruned: 1 for channels that are kept, `[channels]`.
    pub kept: Vec<Option<Tensor>>,
    /// By quantised node: the width of its output.
    pub activations: Vec<Option<Choice>>,
}

fn indices(t: &Tensor) -> Vec<i64> {
    Vec::try_from(t.flatten(0, -1)).expect("indices")
}

impl Choice {
    /// Factors of the widths, where there are any.
    #[must_use]
    pub fn factors(&self) -> Option<&Tensor> {
        match self {
            Self::OneHot(_, factors) | Self::Mixed(factors) => Some(factors),
            Self::Hard(_) => None,
        }
    }

    /// The likeliest width of each channel, or of the tensor.
    fn index(&self) -> Vec<i64> {
        match self {
            Self::Hard(index) | Self::OneHot(index, _) => index.clone(),
            Self::Mixed(factors) => indices(&factors.argmax(0, false)),
        }
    }
}

impl Choices {
    /// Where its factors are.
    #[must_use]
    pub fn device(&self) -> Device {
        let mut all = self.weights.iter().chain(&self.activations).flatten();
        all.find_map(Choice::factors).map_or(Device::Cpu, Tensor::device)
    }

    /// The assignment that the likeliest widths stand for.
    #[must_use]
    pub fn assignment(&self, graph: &Graph, space: &Space) -> Assignment {
        let (widths, mut out) = (space.widths(), Assignment::uniform(graph, 8, INPUT_BITS));
        for id in 0..graph.nodes.len() {
            if let Some(choice) = &self.weights[id] {
                out.weights[id] = choice.index().into_iter().map(|i| widths[i as usize]).collect();
            }
            if let Some(kept) = &self.kept[id] {
                for (bits, kept) in out.weights[id].iter_mut().zip(floats(kept)) {
                    *bits = if kept > 0.5 { *bits } else { 0 };
                }
            }
            if let Some(choice) = &self.activations[id] {
                out.set_activation(graph, id, space.activations[choice.index()[0] as usize]);
            }
        }
        out
    }
}

fn floats(t: &Tensor) -> Vec<f32> {
    Vec::try_from(t.flatten(0, -1)).expect("floats")
}

/// Draws what makes of logits a sample of their softmax.
fn gumbel(like: &Tensor, rng: &mut ChaCha8Rng) -> Tensor {
    let draw = |_| -(-rng.random_range(1e-7f32..1.0).ln()).ln();
    Tensor::from_slice(&(0..like.numel()).map(draw).collect::<Vec<f32>>())
        .view(like.size().as_slice())
        .to_device(like.device())
}

/// Factors for logits whose first dimension are the widths.
fn sample(logits: &Tensor, sampling: Sampling, temperature: f64, rng: &mut ChaCha8Rng) -> Choice {
    let noisy = match sampling {
        Sampling::Gumbel => logits + gumbel(logits, rng),
        Sampling::Argmax | Sampling::Softmax => logits.shallow_clone(),
    };
    let soft = (&noisy / temperature).softmax(0, Kind::Float);
    if sampling == Sampling::Softmax {
        return Choice::Mixed(soft);
    }
    let index = noisy.argmax(0, true);
    let hard = soft.zeros_like().scatter_value(0, &index, 1.0);
    Choice::OneHot(indices(&index), &soft + (hard - &soft).detach())
}

impl Network {
    /// The choices of a search, drawn with `rng` where drawing is asked for.
    pub fn soft_choices(
        &self,
        p: &[Tensor],
        sampling: Sampling,
        temperature: f64,
        rng: &mut ChaCha8Rng,
    ) -> Choices {
        let mut out = Choices { weights: vec![], kept: vec![], activations: vec![] };
        let mut gates: Vec<Option<Tensor>> = self.graph.nodes.iter().map(|_| None).collect();
        for (id, w) in self.weighted.iter().enumerate() {
            out.weights.push(w.as_ref().map(|w| sample(&self.logits(p, id, w), sampling, temperature, rng)));
            let gate = w.as_ref().and_then(|w| w.gate).map(|gate| {
                let shared = &mut gates[self.ties[id]];
                if shared.is_none() {
                    // A softmax over being kept and not.
                    let pair = Tensor::stack(&[p[gate].zeros_like(), p[gate].shallow_clone()], 0);
                    let choice = sample(&pair, sampling, temperature, rng);
                    *shared = choice.factors().map(|f| f.get(1));
                }
                shared.as_ref().expect("just made").shallow_clone()
            });
            out.kept.push(gate);
            let q = self.quantised[id].as_ref();
            out.activations.push(q.map(|q| sample(&p[q.choice], sampling, temperature, rng)));
        }
        out
    }

    /// The choices of an assignment.
    ///
    /// # Panics
    /// If it has widths that are not in the space.
    #[must_use]
    pub fn hard_choices(&self, assignment: &Assignment) -> Choices {
        let widths = self.space.widths();
        let index =
            |all: &[u8], b: u8| all.iter().position(|&x| x == b).expect("a width of the space") as i64;
        let mut out = Choices { weights: vec![], kept: vec![], activations: vec![] };
        for (id, w) in self.weighted.iter().enumerate() {
            let bits = &assignment.weights[id];
            // What is pruned may have any width.
            let of = |&b: &u8| if b == 0 { 0 } else { index(&widths, b) };
            out.weights.push(w.as_ref().map(|_| Choice::Hard(bits.iter().map(of).collect())));
            let pruned = bits.contains(&0);
            let kept = || column(bits.iter().map(|b| f64::from(u8::from(*b != 0)))).to_device(self.device());
            out.kept.push(pruned.then(kept));
            let activation =
                || Choice::Hard(vec![index(&self.space.activations, assignment.activations[id])]);
            out.activations.push(self.quantised[id].as_ref().map(|_| activation()));
        }
        out
    }

    /// Logits of the widths of each channel, `[widths, channels]`.
    fn logits(&self, p: &[Tensor], id: NodeId, w: &Weighted) -> Tensor {
        let layer = p[w.choice].expand([-1, self.graph.nodes[id].shape[2] as i64], false);
        w.deviation.map_or_else(|| layer.shallow_clone(), |d| &layer + &p[d])
    }

    /// How much the search wants each channel of a node to be there and wide.
    #[must_use]
    pub fn rank(&self, id: NodeId) -> Vec<f32> {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let channels = self.graph.nodes[id].shape[2];
        let Some(w) = &self.weighted[id] else { return vec![0.0; channels] };
        let mut rank = Tensor::zeros([channels as i64], (Kind::Float, self.params.device()));
        if let Some(d) = w.deviation {
            // Tied layers rank their channels alike, by what they share.
            let widths = column(self.space.widths().iter().map(|&b| f64::from(b)));
            let widths = widths.unsqueeze(1).to_device(self.device());
            rank += (p[d].softmax(0, Kind::Float) * widths).sum_dim_intlist(
                [0i64].as_slice(),
                false,
                Kind::Float,
            );
        }
        if let Some(gate) = w.gate {
            // Whether a channel is kept comes before how wide it is.
            rank += &p[gate] * 100.0;
        }
        floats(&rank)
    }

    /// The widths with the largest logits; where channels choose for themselves, in whole blocks.
    #[must_use]
    pub fn argmax(&self) -> Assignment {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let widths = self.space.widths();
        let likeliest = |logits: &Tensor, of: &[u8]| -> Vec<u8> {
            indices(&logits.argmax(0, false)).into_iter().map(|i| of[i as usize]).collect()
        };
        let mut out = Assignment::uniform(&self.graph, 8, INPUT_BITS);
        for id in 0..self.graph.nodes.len() {
            if let Some(w) = &self.weighted[id] {
                out.weights[id] = likeliest(&self.logits(&p, id, w), &widths);
                if w.deviation.is_some() {
                    let rank = self.rank(id);
                    let keeps = w.gate.map(|gate| whole_blocks(&floats(&p[gate])));
                    out.weights[id] = in_blocks(&out.weights[id], &rank, keeps);
                }
            }
            if let Some(q) = &self.quantised[id] {
                out.set_activation(&self.graph, id, likeliest(&p[q.choice], &self.space.activations)[0]);
            }
        }
        out
    }
}
