//! What a network computes, in floating point and with quantised weights and activations.

use tch::{Kind, Tensor};

use super::choose::{Choice, Choices};
use super::network::{MOMENTUM, NORM_EPS, Network, column};
use super::params::ParamId;
use crate::model::{NodeId, Op, Rectifier, Window};
use crate::quant::{self, Branch, Later, Row};

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
    quantised: Vec<Quantised>,
}

/// A quantised tensor, whose scales and factors get their gradient from [`Network::rest`].
#[derive(Debug)]
struct Quantised {
    /// Log scales, `[widths]` or `[widths, rows]`.
    scales: ParamId,
    /// The chosen width of each row.
    index: Vec<i64>,
    /// Of the same shape as the scales, where there is something to choose.
    factors: Option<Tensor>,
    later: Later,
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
        let (mut values, mut quantised) = (vec![x.shallow_clone()], vec![]);
        for (id, node) in self.graph.nodes.iter().enumerate().skip(1) {
            let input = &values[node.inputs[0]];
            let mut weights = || (self.weight(p, id, how, &mut quantised), self.bias(p, id, how));
            let finished = |relu, y| rectified(relu, self.normalised(p, id, y, how), how);
            let y = match node.op {
                Op::Conv { window, relu, .. } => {
                    finished(relu, self.convolution(id, input, weights(), window, 1))
                }
                Op::Depthwise { window, relu, .. } => {
                    finished(relu, self.convolution(id, input, weights(), window, node.shape[2]))
                }
                Op::Linear { relu, .. } => {
                    // Height, width, channels is the order of its weights.
                    let flat = input.permute([0, 2, 3, 1]).flatten(1, -1);
                    let (weight, bias) = weights();
                    let y = finished(relu, flat.linear(&weight, bias));
                    if id == self.graph.output() { y } else { y.unsqueeze(-1).unsqueeze(-1) }
                }
                Op::Add { relu } => rectified(relu, input + &values[node.inputs[1]], how),
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
            values.push(self.output(p, id, y, how, &mut quantised));
        }
        Trace { values, quantised }
    }

    fn convolution(
        &self,
        id: NodeId,
        input: &Tensor,
        (weight, bias): (Tensor, Option<Tensor>),
        window: Window,
        groups: usize,
    ) -> Tensor {
        // Input channels innermost in memory.
        let [rows, columns, channels] = self.graph.kernel(id);
        let shape = [self.graph.nodes[id].shape[2], rows, columns, channels].map(|n| n as i64);
        let weight = weight.view(shape).permute([0, 3, 1, 2]);
        convolve(input, &weight, bias.as_ref(), window, groups)
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
    fn weight(&self, p: &[Tensor], id: NodeId, how: Arithmetic, list: &mut Vec<Quantised>) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let Arithmetic::Fake(choices) = how else { return p[w.weight].shallow_clone() };
        let widths = self.space.widths();
        let quantised = match choices.weights[id].as_ref().expect("a choice for every node with weights") {
            Choice::Mixed(factors) => {
                let channels = self.graph.nodes[id].shape[2] as i64;
                let per = |f: fn((f64, f64)) -> f64| {
                    let ends = column(widths.iter().map(|&b| f(quant::range(b, false))));
                    ends.to_device(self.device()).unsqueeze(1).expand([-1, channels], false)
                };
                let all = quant::weights(&p[w.weight], &p[w.scales], &per(|r| r.0), &per(|r| r.1));
                (all * factors.unsqueeze(-1)).sum_dim_intlist([0i64].as_slice(), false, Kind::Float)
            }
            one => quantised(&p[w.weight], (w.scales, &p[w.scales]), &widths, one, false, list),
        };
        match &choices.kept[id] {
            Some(kept) => quantised * kept.unsqueeze(1),
            None => quantised,
        }
    }

    /// The output of a node, quantised if that is asked for.
    fn output(
        &self,
        p: &[Tensor],
        id: NodeId,
        y: Tensor,
        how: Arithmetic,
        list: &mut Vec<Quantised>,
    ) -> Tensor {
        let (Arithmetic::Fake(choices), Some(q)) = (how, &self.quantised[id]) else { return y };
        let unsigned = self.graph.nodes[id].unsigned(&self.graph);
        let widths = &self.space.activations;
        match choices.activations[id].as_ref().expect("a choice for every quantised node") {
            Choice::Mixed(factors) => {
                let branch = |i: usize| {
                    let scale = p[q.scales].get(i as i64);
                    quant::activation(&y, &scale, widths[i], unsigned) * factors.get(i as i64)
                };
                (0..widths.len()).map(branch).reduce(|a, b| a + b).expect("a space has widths")
            }
            one => quantised(&y, (q.scales, &p[q.scales]), widths, one, unsigned, list),
        }
    }

    /// What is missing in the gradient of the loss, which has gone back through the trace: the part of the scales, for all
    /// parameters, and a scalar whose gradient is the part of the choices, if there are any.
    pub(super) fn rest(&self, trace: &Trace) -> (Tensor, Option<Tensor>) {
        let (mut scales, mut factors, mut by) = (vec![], vec![], vec![]);
        for q in &trace.quantised {
            // What the loss does not depend on has a gradient of 0.
            let Some(sums) = q.later.sums() else { continue };
            let rows = q.index.len();
            let widths = self.params.len(q.scales) / rows;
            let mut gradient = vec![0.0; rows * widths];
            for (row, (&i, sums)) in q.index.iter().zip(sums).enumerate() {
                // Where nothing is to be chosen, there is only the chosen width.
                let chosen = if q.factors.is_some() { i as usize } else { 0 };
                gradient[i as usize * rows + row] = sums[chosen].log_scale as f32;
            }
            scales.push((q.scales, gradient));
            if let Some(f) = &q.factors {
                factors.push(f.flatten(0, -1));
                by.extend((0..widths).flat_map(|b| sums.iter().map(move |row| row[b].factor as f32)));
            }
        }
        let choices = (!factors.is_empty())
            .then(|| Tensor::cat(&factors, 0).dot(&Tensor::from_slice(&by).to_device(self.device())));
        (self.params.flat(&scales), choices)
    }
}

/// `x` quantised with one width for each row, and that noted in the `list`.
fn quantised(
    x: &Tensor,
    (id, log_scales): (ParamId, &Tensor),
    widths: &[u8],
    choice: &Choice,
    unsigned: bool,
    list: &mut Vec<Quantised>,
) -> Tensor {
    let (Choice::Hard(index) | Choice::OneHot(index, _)) = choice else {
        unreachable!("mixed choices have no single width")
    };
    let (rows, factors) = (index.len(), choice.factors());
    let scales = tch::no_grad(|| log_scales.exp().flatten(0, -1));
    let scales = Vec::<f32>::try_from(scales).expect("numbers");
    let branch = |i: usize, row: usize| Branch { bits: widths[i], scale: f64::from(scales[i * rows + row]) };
    let row = |(row, &chosen): (usize, &i64)| match factors {
        Some(_) => {
            let branches = (0..widths.len()).map(|i| branch(i, row)).collect();
            Row { branches, chosen: chosen as usize }
        }
        // What cannot be chosen otherwise needs no other width.
        None => Row { branches: vec![branch(chosen as usize, row)], chosen: 0 },
    };
    let (out, later) = quant::quantise(x, index.iter().enumerate().map(row).collect(), unsigned);
    let factors = factors.map(Tensor::shallow_clone);
    list.push(Quantised { scales: id, index: index.clone(), factors, later });
    out
}

/// Rectifies where asked to; quantising without sign does it by itself.
fn rectified(relu: Rectifier, y: Tensor, how: Arithmetic) -> Tensor {
    match (relu, how) {
        (Rectifier::None, _) | (_, Arithmetic::Fake(_)) => y,
        (Rectifier::Relu, _) => y.relu(),
        (Rectifier::UpTo(end), _) => y.clamp(0.0, end),
    }
}
