//! The network while it is read: nodes with weights, and the rewritings that keep what it computes.

use super::Values;
use super::layout::Layout;
use crate::graph::{Codes, Graph, Node, NodeId, Op, Rectifier, Window};

/// Trained numbers of a node: `gain * (weights * x + bias - mean) / sqrt(variance) + shift` with a normalisation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    /// `[channels][rows][columns][input channels]`.
    pub(super) values: Vec<f64>,
    pub(super) bias: Vec<f64>,
    pub(super) norm: Option<Norm>,
}

/// Batch normalisation, by channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Norm {
    pub(super) gain: Vec<f64>,
    pub(super) shift: Vec<f64>,
    pub(super) mean: Vec<f64>,
    /// What keeps it from 0 included.
    pub(super) variance: Vec<f64>,
}

/// A node while the network is read.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) inputs: Vec<NodeId>,
    /// Height, width, channels.
    pub(super) shape: [usize; 3],
    pub(super) relu: Rectifier,
    pub(super) weights: Option<Weights>,
    /// Whether nothing else reads what it reads.
    pub(super) sole: bool,
}

/// What a node does; [`Op`] without what is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Input,
    Conv(Window),
    Depthwise(Window),
    Linear,
    Add,
    AvgPool(Window),
    MaxPool(Window),
}

/// Most outputs of a linear layer that only passes its input on.
const MOST_IDENTITY: usize = 1024;

/// The nodes so far, in order of execution.
#[derive(Clone, Debug, Default)]
pub(super) struct Drafts {
    pub(super) nodes: Vec<Draft>,
}

impl Drafts {
    pub(super) fn push(&mut self, draft: Draft) -> NodeId {
        self.nodes.push(draft);
        self.nodes.len() - 1
    }

    /// Whether a node's output is never negative.
    pub(super) fn unsigned(&self, id: NodeId) -> bool {
        let node = &self.nodes[id];
        match node.kind {
            Kind::Input => false,
            Kind::Conv(_) | Kind::Depthwise(_) | Kind::Linear | Kind::Add => node.relu.rectifies(),
            Kind::AvgPool(_) | Kind::MaxPool(_) => self.unsigned(node.inputs[0]),
        }
    }

    /// A layer of one weight per channel that follows `id`.
    fn by_channel(&mut self, id: NodeId, name: &str, scale: Vec<f64>, bias: Vec<f64>) -> NodeId {
        let shape = self.nodes[id].shape;
        let weights = Some(Weights { values: scale, bias, norm: None });
        let kind = Kind::Depthwise(Window::ONE);
        let relu = Rectifier::None;
        self.push(Draft { name: name.into(), kind, inputs: vec![id], shape, relu, weights, sole: false })
    }

    /// `scale * x + bias` by channel, inside the weights of `id` if nobody else sees them; returns the node that makes it.
    pub(super) fn affine(
        &mut self,
        id: NodeId,
        sole: bool,
        name: &str,
        scale: Vec<f64>,
        bias: Vec<f64>,
    ) -> NodeId {
        let node = &mut self.nodes[id];
        match &mut node.weights {
            Some(w) if sole && node.relu == Rectifier::None => {
                let fan_in = w.values.len() / w.bias.len();
                let (factors, offsets) = if let Some(norm) = &mut w.norm {
                    (&mut norm.gain, &mut norm.shift)
                } else {
                    w.values.iter_mut().enumerate().for_each(|(i, v)| *v *= scale[i / fan_in]);
                    (&mut Vec::new(), &mut w.bias)
                };
                factors.iter_mut().zip(&scale).for_each(|(f, s)| *f *= s);
                offsets.iter_mut().zip(scale.iter().zip(&bias)).for_each(|(o, (s, b))| *o = *o * s + b);
                id
            }
            _ => self.by_channel(id, name, scale, bias),
        }
    }

    /// A normalisation of a node's output: its own if nobody else sees it before, or else of a layer behind it.
    pub(super) fn normalise(&mut self, id: NodeId, sole: bool, name: &str, norm: Norm) -> NodeId {
        let node = &self.nodes[id];
        let free = sole && node.relu == Rectifier::None;
        let at = match &node.weights {
            Some(Weights { norm: None, .. }) if free => id,
            Some(_) if free => {
                let factor = |(g, v): (&f64, &f64)| g / v.sqrt();
                let scale: Vec<f64> = norm.gain.iter().zip(&norm.variance).map(factor).collect();
                let shift = |((s, m), f): ((&f64, &f64), &f64)| s - m * f;
                let bias = norm.shift.iter().zip(&norm.mean).zip(&scale).map(shift).collect();
                return self.affine(id, sole, name, scale, bias);
            }
            _ => {
                let channels = node.shape[2];
                self.by_channel(id, name, vec![1.0; channels], vec![0.0; channels])
            }
        };
        self.nodes[at].weights.as_mut().expect("chosen for its weights").norm = Some(norm);
        at
    }

    /// The node whose output may be rectified in place of that of `id`: its own, or what a maximum is taken of.
    fn rectifiable(&self, id: NodeId, sole: bool) -> Option<NodeId> {
        let node = &self.nodes[id];
        match node.kind {
            _ if !sole => None,
            Kind::Conv(_) | Kind::Depthwise(_) | Kind::Linear | Kind::Add => Some(id),
            Kind::MaxPool(_) => self.rectifiable(node.inputs[0], node.sole),
            Kind::Input | Kind::AvgPool(_) => None,
        }
    }

    /// Rectifies a node's output; returns the node that makes it.
    pub(super) fn rectify(&mut self, id: NodeId, sole: bool, name: &str, relu: Rectifier) -> NodeId {
        if relu == Rectifier::Relu && self.unsigned(id) {
            return id;
        }
        let (at, result) = if let Some(at) = self.rectifiable(id, sole) {
            (at, id)
        } else {
            let channels = self.nodes[id].shape[2];
            let new = self.by_channel(id, name, vec![1.0; channels], vec![0.0; channels]);
            (new, new)
        };
        let have = &mut self.nodes[at].relu;
        *have = match (*have, relu) {
            (Rectifier::None | Rectifier::Relu, new) | (new, Rectifier::None | Rectifier::Relu) => new,
            (Rectifier::UpTo(a), Rectifier::UpTo(b)) => Rectifier::UpTo(a.min(b)),
        };
        result
    }

    fn readers(&self, id: NodeId) -> Vec<NodeId> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].inputs.contains(&id)).collect()
    }

    /// Makes `output` a linear layer without rectifier, which is what makes logits; says what it added. `layout` is
    /// how the file's output lies.
    pub(super) fn end(
        &mut self,
        output: NodeId,
        layout: &Layout,
    ) -> Result<(NodeId, Option<String>), String> {
        let node = &self.nodes[output];
        let linear = node.kind == Kind::Linear && node.relu == Rectifier::None;
        if linear {
            return Ok((output, None));
        }
        // A mean of what a pointwise layer makes is what the layer makes of the mean.
        if let Kind::AvgPool(window) = node.kind {
            let from = node.inputs[0];
            let layer = &self.nodes[from];
            let whole = window.kernel == [layer.shape[0], layer.shape[1]];
            if whole
                && layer.kind == Kind::Conv(Window::ONE)
                && layer.relu == Rectifier::None
                && self.readers(from) == [output]
            {
                let (mut pool, mut layer) = (node.clone(), layer.clone());
                let x = layer.inputs[0];
                pool.inputs = vec![x];
                pool.shape[2] = self.nodes[x].shape[2];
                layer.kind = Kind::Linear;
                layer.inputs = vec![from];
                layer.shape = [1, 1, layer.shape[2]];
                (self.nodes[from], self.nodes[output]) = (pool, layer);
                return Ok((output, None));
            }
        }
        let node = &self.nodes[output];
        let n: usize = node.shape.iter().product();
        if n > MOST_IDENTITY {
            return Err(format!(
                "it ends with {n} numbers of node '{}', which is no linear layer; only a linear layer can make the output",
                node.name
            ));
        }
        let note = format!(
            "'{}' is no linear layer without rectifier, and only such a one can make the output: an identity of {n} x {n} weights follows it",
            node.name
        );
        // The numbers come out in the order of the file, which for an image is channels first.
        let from: Vec<usize> = layout.places(node.shape).unwrap_or_else(|| (0..n).collect());
        let mut values = vec![0.0; n * n];
        for (i, o) in from.into_iter().enumerate() {
            values[o * n + i] = 1.0;
        }
        let id = self.push(Draft {
            name: "output".into(),
            kind: Kind::Linear,
            inputs: vec![output],
            shape: [1, 1, n],
            relu: Rectifier::None,
            weights: Some(Weights { values, bias: vec![0.0; n], norm: None }),
            sole: true,
        });
        Ok((id, Some(note)))
    }

    /// Takes scales and offsets that stand between layers into the layer behind them, where that is exact: the layer is all
    /// that reads them, and it pads nothing.
    pub(super) fn fold_forward(&mut self) {
        for id in 1..self.nodes.len() {
            let node = &self.nodes[id];
            let (Kind::Depthwise(Window::ONE), Rectifier::None) = (node.kind, node.relu) else { continue };
            let [reader] = self.readers(id)[..] else { continue };
            let unpadded = match self.nodes[reader].kind {
                Kind::Conv(w) | Kind::Depthwise(w) => w.pad == [0; 4],
                Kind::Linear => true,
                Kind::Input | Kind::Add | Kind::AvgPool(_) | Kind::MaxPool(_) => false,
            };
            let Some(own) = node.weights.as_ref().filter(|_| unpadded) else { continue };
            let (scale, offset) = own.by_channel();
            let from = node.inputs[0];
            let one_each = matches!(self.nodes[reader].kind, Kind::Depthwise(_));
            let next = &mut self.nodes[reader];
            let w = next.weights.as_mut().expect("a layer that is not padded by anything has weights");
            let fan_in = w.values.len() / w.bias.len();
            for (i, v) in w.values.iter_mut().enumerate() {
                let channel = if one_each { i / fan_in } else { i % scale.len() };
                w.bias[i / fan_in] += *v * offset[channel];
                *v *= scale[channel];
            }
            next.inputs = vec![from];
        }
    }

    /// The graph of what `output` depends on, and its numbers.
    pub(super) fn finish(self, name: String, output: NodeId) -> (Graph, Values) {
        let mut needed = vec![false; self.nodes.len()];
        needed[0] = true;
        needed[output] = true;
        for id in (0..=output).rev().filter(|&id| id > 0) {
            if needed[id] {
                self.nodes[id].inputs.iter().for_each(|&i| needed[i] = true);
            }
        }
        let mut graph = Graph { name, input: Codes::IMAGE, nodes: Vec::new() };
        let mut values = Values::new();
        let mut numbers = vec![0; self.nodes.len()];
        for (id, draft) in self.nodes.into_iter().enumerate().filter(|(id, _)| needed[*id]) {
            let mut name = draft.name;
            let mut n = 2;
            let taken = |name: &str| graph.nodes.iter().any(|node: &Node| node.name == name);
            if taken(&name) {
                while taken(&format!("{name}.{n}")) {
                    n += 1;
                }
                name = format!("{name}.{n}");
            }
            let (relu, norm) = (draft.relu, draft.weights.as_ref().is_some_and(|w| w.norm.is_some()));
            let op = match draft.kind {
                Kind::Input => Op::Input,
                Kind::Conv(window) => Op::Conv { window, norm, relu },
                Kind::Depthwise(window) => Op::Depthwise { window, norm, relu },
                Kind::Linear => Op::Linear { norm, relu },
                Kind::Add => Op::Add { relu },
                Kind::AvgPool(window) => Op::AvgPool { window },
                Kind::MaxPool(window) => Op::MaxPool { window },
            };
            if let Some(w) = draft.weights {
                w.emit(&name, &mut values);
            }
            numbers[id] = graph.nodes.len();
            let inputs = draft.inputs.iter().map(|&i| numbers[i]).collect();
            graph.nodes.push(Node { name, op, inputs, shape: draft.shape });
        }
        (graph, values)
    }
}

impl Weights {
    /// What one weight per channel does to a channel: factor and addend.
    fn by_channel(&self) -> (Vec<f64>, Vec<f64>) {
        let Some(norm) = &self.norm else { return (self.values.clone(), self.bias.clone()) };
        let each = |c: usize| {
            let factor = norm.gain[c] / norm.variance[c].sqrt();
            (self.values[c] * factor, (self.bias[c] - norm.mean[c]) * factor + norm.shift[c])
        };
        (0..self.bias.len()).map(each).unzip()
    }

    fn emit(self, name: &str, out: &mut Values) {
        let floats = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let mut push = |part: &str, values: Vec<f32>| out.push((format!("{name}.{part}"), values));
        push("weight", floats(&self.values));
        let Some(norm) = self.norm else { return push("bias", floats(&self.bias)) };
        // There is no bias between weights and normalisation.
        let mean: Vec<f64> = norm.mean.iter().zip(&self.bias).map(|(m, b)| m - b).collect();
        push("bias", floats(&norm.shift));
        push("gain", floats(&norm.gain));
        push("mean", floats(&mean));
        push("variance", floats(&norm.variance));
    }
}
