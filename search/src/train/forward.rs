//! What a network computes, in floating point and with quantised weights and activations.

use tch::{Kind, Tensor};

use super::choose::{Choice, Choices};
use super::network::{MOMENTUM, NORM_EPS, Network, column};
use crate::model::{NodeId, Op, Window};
use crate::quant::{self, Branch};

/// How the forward pass computes.
#[derive(Clone, Copy, Debug)]
pub enum Arithmetic<'a> {
    /// Floating point with batch normalisation; `true` normalises with the batch and updates the running statistics.
    Normalised(bool),
    /// Floating point after folding.
    Float,
    /// Fake-quantised by choices.
    Fake(&'a Choices),
}

/// What a forward pass leaves behind.
#[derive(Debug)]
pub struct Trace {
    /// The output of every node.
    pub values: Vec<Tensor>,
    /// Outputs whose quantisers get their gradient from [`Network::rest`].
    pub(super) passes: Vec<Pass>,
}

/// A quantised tensor: by node, before and after.
#[derive(Debug)]
pub(super) struct Pass {
    node: NodeId,
    before: Tensor,
    pub(super) after: Tensor,
}

impl Trace {
    /// The output of the network, `[batch, channels]`.
    ///
    /// # Panics
    /// Never: a network has nodes.
    pub fn output(&self) -> &Tensor {
        self.values.last().expect("a network has nodes")
    }
}

/// Convolution; libtorch pads alike on opposite sides, so other paddings are made before.
fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, window: Window, groups: usize) -> Tensor {
    let [top, left, bottom, right] = window.pad.map(|n| n as i64);
    let stride = window.stride.map(|n| n as i64);
    let conv = |x: &Tensor, pad: [i64; 2]| x.conv2d(weight, bias, stride, pad, [1i64, 1], groups as i64);
    if (top, left) == (bottom, right) {
        conv(x, [top, left])
    } else {
        conv(&x.constant_pad_nd([left, right, top, bottom]), [0, 0])
    }
}

impl Network {
    /// Outputs `[batch, channels]` for samples `[batch, channels, height, width]` of real values; as fast as it gets if
    /// channels lie innermost in memory.
    pub fn forward(&self, p: &[Tensor], x: &Tensor, how: Arithmetic) -> Tensor {
        self.trace(p, x, how).output().shallow_clone()
    }

    /// The output of every node.
    pub fn trace(&self, p: &[Tensor], x: &Tensor, how: Arithmetic) -> Trace {
        let mut trace = Trace { values: vec![x.shallow_clone()], passes: vec![] };
        for (id, node) in self.graph.nodes.iter().enumerate().skip(1) {
            let input = &trace.values[node.inputs[0]];
            let y = match node.op {
                Op::Conv { window, relu, .. } => self.convolution(p, id, input, window, (1, relu), how),
                Op::Depthwise { window, relu, .. } => {
                    self.convolution(p, id, input, window, (node.shape[2], relu), how)
                }
                Op::Linear { relu, .. } => {
                    // Height, width, channels is the order of its weights.
                    let flat = input.permute([0, 2, 3, 1]).flatten(1, -1);
                    let y = flat.linear(&self.weight(p, id, how), self.bias(p, id, how));
                    let y = rectified(relu, self.normalised(p, id, y, how), how);
                    if id == self.graph.output() { y } else { y.unsqueeze(-1).unsqueeze(-1) }
                }
                Op::Add { relu } => rectified(relu, input + &trace.values[node.inputs[1]], how),
                Op::AvgPool { window } if window.kernel == [0, 1].map(|i| self.graph.input_shape(id)[i]) => {
                    input.mean_dim([2i64, 3].as_slice(), true, Kind::Float)
                }
                Op::AvgPool { window } => {
                    let [kernel, stride] = [window.kernel, window.stride].map(|v| v.map(|n| n as i64));
                    input.avg_pool2d(kernel, stride, [0i64, 0], false, true, None::<i64>)
                }
                Op::MaxPool { window } => {
                    let [kernel, stride] = [window.kernel, window.stride].map(|v| v.map(|n| n as i64));
                    let [top, left, bottom, right] = window.pad.map(|n| n as i64);
                    let x = if window.pad == [0; 4] {
                        input.shallow_clone()
                    } else {
                        input.pad([left, right, top, bottom], "constant", f64::NEG_INFINITY)
                    };
                    x.max_pool2d(kernel, stride, [0i64, 0], [1i64, 1], false)
                }
                Op::Input => unreachable!("node 0 is the only input"),
            };
            self.output(p, id, y, how, &mut trace);
        }
        trace
    }

    fn convolution(
        &self,
        p: &[Tensor],
        id: NodeId,
        input: &Tensor,
        window: Window,
        (groups, relu): (usize, bool),
        how: Arithmetic,
    ) -> Tensor {
        // Input channels innermost in memory.
        let [rows, columns, channels] = self.graph.kernel(id);
        let shape = [self.graph.nodes[id].shape[2], rows, columns, channels].map(|n| n as i64);
        let weight = self.weight(p, id, how).view(shape).permute([0, 3, 1, 2]);
        let y = convolve(input, &weight, self.bias(p, id, how).as_ref(), window, groups);
        rectified(relu, self.normalised(p, id, y, how), how)
    }

    /// The bias of a node, if it does not come with a normalisation; that of a pruned channel is 0.
    fn bias(&self, p: &[Tensor], id: NodeId, how: Arithmetic) -> Option<Tensor> {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let bias = &p[w.bias];
        match how {
            Arithmetic::Normalised(_) if w.norm.is_some() => None,
            Arithmetic::Normalised(_) | Arithmetic::Float => Some(bias.shallow_clone()),
            Arithmetic::Fake(choices) => {
                Some(choices.kept[id].as_ref().map_or_else(|| bias.shallow_clone(), |kept| bias * kept))
            }
        }
    }

    /// Normalises the output of a node that has a normalisation which is not folded yet.
    fn normalised(&self, p: &[Tensor], id: NodeId, y: Tensor, how: Arithmetic) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let (Arithmetic::Normalised(training), Some(norm)) = (how, &w.norm) else { return y };
        let [mean, var] = &norm.statistics;
        let (gain, bias) = (Some(&p[norm.gain]), Some(&p[w.bias]));
        y.batch_norm(gain, bias, Some(mean), Some(var), training, MOMENTUM, NORM_EPS, false)
    }

    /// The weights of a node as they take part in the computation, `[channels, fan-in]`.
    fn weight(&self, p: &[Tensor], id: NodeId, how: Arithmetic) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let Arithmetic::Fake(choices) = how else { return p[w.weight].shallow_clone() };
        let quantised = match choices.weights[id].as_ref().expect("a choice for every node with weights") {
            Choice::Hard(index) => {
                let (scale, low, high) = self.chosen(p, w, index);
                quant::weights(&p[w.weight], &scale.unsqueeze(0), &low.unsqueeze(0), &high.unsqueeze(0))
                    .squeeze_dim(0)
            }
            Choice::OneHot(_, factors) | Choice::Mixed(factors) => {
                let channels = self.graph.nodes[id].shape[2] as i64;
                let per = |f: fn((f64, f64)) -> f64| {
                    let ends = column(self.space.widths().iter().map(|&b| f(quant::range(b, false))));
                    ends.to_device(self.device()).unsqueeze(1).expand([-1, channels], false)
                };
                let all = quant::weights(&p[w.weight], &p[w.scales], &per(|r| r.0), &per(|r| r.1));
                (all * factors.unsqueeze(-1)).sum_dim_intlist([0i64].as_slice(), false, Kind::Float)
            }
        };
        match &choices.kept[id] {
            Some(kept) => quantised * kept.unsqueeze(1),
            None => quantised,
        }
    }

    /// Adds the output of a node to the trace, quantised if that is asked for.
    fn output(&self, p: &[Tensor], id: NodeId, y: Tensor, how: Arithmetic, trace: &mut Trace) {
        let (Arithmetic::Fake(choices), Some(q)) = (how, &self.quantised[id]) else {
            trace.values.push(y);
            return;
        };
        let unsigned = self.graph.nodes[id].unsigned(&self.graph);
        match choices.activations[id].as_ref().expect("a choice for every quantised node") {
            Choice::Hard(index) | Choice::OneHot(index, _) => {
                let after = quant::quantise(&y, &self.branches(p, id)[index[0] as usize], unsigned);
                trace.values.push(after.shallow_clone());
                trace.passes.push(Pass { node: id, before: y, after });
            }
            Choice::Mixed(factors) => {
                let branch = |i: usize| {
                    let (scale, bits) = (p[q.scales].get(i as i64), self.space.activations[i]);
                    quant::activation(&y, &scale, bits, unsigned) * factors.get(i as i64)
                };
                let sum = (0..self.space.activations.len()).map(branch).reduce(|a, b| a + b);
                trace.values.push(sum.expect("a space has widths"));
            }
        }
    }

    /// The widths of a quantised node.
    fn branches(&self, p: &[Tensor], id: NodeId) -> Vec<Branch> {
        let q = self.quantised[id].as_ref().expect("asked of quantised nodes");
        let scales = Vec::<f64>::try_from(p[q.scales].exp().to_kind(Kind::Double)).expect("numbers");
        self.space.activations.iter().zip(scales).map(|(&bits, scale)| Branch { bits, scale }).collect()
    }

    /// A scalar whose gradient is what is missing in that of the loss: the part of the quantisers of activations, whose
    /// outputs have the `gradients`, in the order of the trace.
    pub(super) fn rest(
        &self,
        p: &[Tensor],
        trace: &Trace,
        gradients: &[Tensor],
        choices: &Choices,
    ) -> Tensor {
        let mut sum = Tensor::zeros([], (Kind::Float, self.device()));
        for (pass, g) in trace.passes.iter().zip(gradients) {
            let q = self.quantised[pass.node].as_ref().expect("only quantised nodes have passes");
            let unsigned = self.graph.nodes[pass.node].unsigned(&self.graph);
            let branches = self.branches(p, pass.node);
            let (index, factors) =
                match choices.activations[pass.node].as_ref().expect("it has been used forward") {
                    Choice::Hard(index) => (index[0] as usize, None),
                    Choice::OneHot(index, factors) => (index[0] as usize, Some(factors)),
                    Choice::Mixed(_) => unreachable!("mixed outputs have no pass"),
                };
            let of = if factors.is_some() { &branches[..] } else { &branches[index..=index] };
            let sums = quant::sums(&pass.before, g, of, unsigned);
            let chosen = if factors.is_some() { sums[index] } else { sums[0] };
            sum += p[q.scales].get(index as i64) * chosen.log_scale;
            if let Some(factors) = factors {
                let by = column(sums.iter().map(|s| s.factor)).to_device(self.device());
                sum += (factors * by).sum(Kind::Float);
            }
        }
        sum
    }
}

/// Rectifies where asked to; quantising without sign does it by itself.
fn rectified(relu: bool, y: Tensor, how: Arithmetic) -> Tensor {
    if relu && !matches!(how, Arithmetic::Fake(_)) { y.relu() } else { y }
}
