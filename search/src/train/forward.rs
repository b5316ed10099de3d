//! What a network computes, in floating point and with quantised weights and activations.

use tch::{Device, Kind, Tensor};

use super::choose::{Choice, Choices};
use super::network::{NORM_EPS, Network, column};
use super::params::ParamId;
use crate::model::{NodeId, Op, Rectifier, Window};
use crate::quant::{self, Branch, Later, Quantisers, Row};

/// What batch normalisation normalises with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// The running mean and variance.
    Running,
    /// Those of the batch, of which the running ones take over this share.
    Batch(f64),
}

/// How the forward pass computes.
#[derive(Clone, Copy, Debug)]
pub enum Arithmetic<'a> {
    /// In floating point.
    Float(Statistics),
    /// Fake-quantised by choices.
    Fake(&'a Choices, Statistics),
}

impl Arithmetic<'_> {
    fn statistics(self) -> Statistics {
        match self {
            Self::Float(statistics) | Self::Fake(_, statistics) => statistics,
        }
    }
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
    /// The normalisation that is part of the pass, if any.
    norm: Option<Normed>,
    later: Later,
}

/// A normalisation that is part of a quantiser's pass.
#[derive(Debug)]
struct Normed {
    gain: ParamId,
    bias: ParamId,
    /// 1 for channels that are kept, `[channels]`, where some are pruned.
    kept: Option<Tensor>,
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
            let y = match node.op {
                Op::Conv { window, .. } => self.convolution(id, input, weights(), window, 1),
                Op::Depthwise { window, .. } => self.convolution(id, input, weights(), window, node.shape[2]),
                Op::Linear { .. } => {
                    // Height, width, channels is the order of its weights.
                    let flat = input.permute([0, 2, 3, 1]).flatten(1, -1);
                    let (weight, bias) = weights();
                    let y = flat.linear(&weight, bias);
                    if id == self.graph.output() { y } else { y.unsqueeze(-1).unsqueeze(-1) }
                }
                Op::Add { .. } => input + &values[node.inputs[1]],
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
            values.push(self.finished(p, id, y, how, &mut quantised));
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

    /// The bias of a node without normalisation; that of a pruned channel is 0.
    fn bias(&self, p: &[Tensor], id: NodeId, how: Arithmetic) -> Option<Tensor> {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        if w.norm.is_some() {
            return None;
        }
        let bias = &p[w.bias];
        let kept = match how {
            Arithmetic::Float(_) => None,
            Arithmetic::Fake(choices, _) => choices.kept[id].as_ref(),
        };
        Some(kept.map_or_else(|| bias.shallow_clone(), |kept| bias * kept))
    }

    /// What becomes of the sums of a node: normalised, rectified, quantised, as far as it is.
    fn finished(
        &self,
        p: &[Tensor],
        id: NodeId,
        y: Tensor,
        how: Arithmetic,
        list: &mut Vec<Quantised>,
    ) -> Tensor {
        if let Some(out) = self.in_passes(p, id, &y, how, list) {
            return out;
        }
        let y = self.normalised(p, id, y, how);
        match (how, &self.quantised[id]) {
            (Arithmetic::Float(_), _) | (_, None) => match self.graph.nodes[id].rectifier() {
                Rectifier::None => y,
                Rectifier::Relu => y.relu(),
                Rectifier::UpTo(end) => y.clamp(0.0, end),
            },
            // Quantising without sign rectifies.
            (Arithmetic::Fake(choices, _), Some(q)) => {
                let unsigned = self.graph.nodes[id].unsigned(&self.graph);
                let choice = choices.activations[id].as_ref().expect("a choice for every quantised node");
                let widths = &self.space.activations;
                let branch = |i: usize| {
                    let log_scale = p[q.scales].get(i as i64);
                    self.quantisers.activation(&y, &log_scale, widths[i], unsigned)
                };
                match choice {
                    Choice::Hard(index) => branch(index[0] as usize),
                    Choice::OneHot(_, factors) | Choice::Mixed(factors) => (0..widths.len())
                        .map(|i| branch(i) * factors.get(i as i64))
                        .reduce(|a, b| a + b)
                        .expect("a space has widths"),
                }
            }
        }
    }

    /// Normalises and quantises the output of a node in passes of our own, where they can: with learned scales and a single
    /// width at a time, on the CPU. Elsewhere torch operations do the same.
    fn in_passes(
        &self,
        p: &[Tensor],
        id: NodeId,
        y: &Tensor,
        how: Arithmetic,
        list: &mut Vec<Quantised>,
    ) -> Option<Tensor> {
        let (Arithmetic::Fake(choices, statistics), Some(q)) = (how, &self.quantised[id]) else {
            return None;
        };
        let choice = choices.activations[id].as_ref().expect("a choice for every quantised node");
        if !self.passes(choice) {
            return None;
        }
        let unsigned = self.graph.nodes[id].unsigned(&self.graph);
        let (index, mut rows) = rows(&p[q.scales], &self.space.activations, choice);
        let factors = choice.factors().map(Tensor::shallow_clone);
        let Some((w, norm)) = self.weighted[id].as_ref().and_then(|w| Some((w, w.norm.as_ref()?))) else {
            let (out, later) = quant::quantise(y, rows, unsigned);
            list.push(Quantised { scales: q.scales, index, factors, norm: None, later });
            return Some(out);
        };
        let kept = choices.kept[id].as_ref();
        let list_of = |t: &Tensor| Vec::<f32>::try_from(t.detach()).expect("numbers");
        let masked = |t: &Tensor| list_of(&kept.map_or_else(|| t.shallow_clone(), |kept| t * kept));
        let normalisation = quant::Normalisation {
            gain: masked(&p[norm.gain]),
            bias: masked(&p[w.bias]),
            statistics: match statistics {
                Statistics::Running => quant::Statistics::Given([0, 1].map(|i| list_of(&norm.statistics[i]))),
                Statistics::Batch(_) => quant::Statistics::Batch,
            },
            eps: NORM_EPS,
        };
        let done = quant::normalise_quantise(y, &normalisation, rows.swap_remove(0), unsigned);
        if let (Statistics::Batch(share), Some(batch)) = (statistics, &done.batch) {
            for (running, batch) in norm.statistics.iter().zip(batch) {
                let _ = tch::no_grad(|| running.shallow_clone().lerp_(&Tensor::from_slice(batch), share));
            }
        }
        let kept = kept.map(Tensor::shallow_clone);
        let norm = Some(Normed { gain: norm.gain, bias: w.bias, kept });
        list.push(Quantised { scales: q.scales, index, factors, norm, later: done.later });
        Some(done.out)
    }

    /// Whether passes of our own quantise by a choice.
    fn passes(&self, choice: &Choice) -> bool {
        let single = match choice {
            Choice::Hard(_) | Choice::OneHot(..) => true,
            Choice::Mixed(_) => false,
        };
        single && self.by_passes && self.quantisers == Quantisers::Learned && self.device() == Device::Cpu
    }

    /// Normalises the output of a node that has a normalisation; what is pruned becomes 0.
    fn normalised(&self, p: &[Tensor], id: NodeId, y: Tensor, how: Arithmetic) -> Tensor {
        let Some((w, norm)) = self.weighted[id].as_ref().and_then(|w| Some((w, w.norm.as_ref()?))) else {
            return y;
        };
        let kept = match how {
            Arithmetic::Float(_) => None,
            Arithmetic::Fake(choices, _) => choices.kept[id].as_ref(),
        };
        let masked = |t: &Tensor| kept.map_or_else(|| t.shallow_clone(), |kept| t * kept);
        let (gain, bias) = (masked(&p[norm.gain]), masked(&p[w.bias]));
        let [mean, var] = &norm.statistics;
        let (batch, share) = match how.statistics() {
            Statistics::Running => (false, 0.0),
            Statistics::Batch(share) => (true, share),
        };
        y.batch_norm(Some(&gain), Some(&bias), Some(mean), Some(var), batch, share, NORM_EPS, false)
    }

    /// The weights of a node as they take part in the computation, `[channels, fan-in]`.
    fn weight(&self, p: &[Tensor], id: NodeId, how: Arithmetic, list: &mut Vec<Quantised>) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let Arithmetic::Fake(choices, _) = how else { return p[w.weight].shallow_clone() };
        let choice = choices.weights[id].as_ref().expect("a choice for every node with weights");
        let weight = &p[w.weight];
        let out = if self.passes(choice) {
            let (index, rows) = rows(&p[w.scales], &self.space.widths(), choice);
            let (out, later) = quant::quantise(weight, rows, false);
            let factors = choice.factors().map(Tensor::shallow_clone);
            list.push(Quantised { scales: w.scales, index, factors, norm: None, later });
            out
        } else if let Choice::Hard(index) = choice {
            let (scale, low, high) = self.chosen(p, w, index);
            let row = |t: Tensor| t.unsqueeze(0);
            quant::weights(weight, &row(scale), &row(low), &row(high)).squeeze_dim(0)
        } else {
            let factors = choice.factors().expect("it is no hard choice");
            let widths = self.space.widths();
            let channels = self.graph.nodes[id].shape[2] as i64;
            let per = |f: fn((f64, f64)) -> f64| {
                let ends = column(widths.iter().map(|&b| f(quant::range(b, false))));
                ends.to_device(self.device()).unsqueeze(1).expand([-1, channels], false)
            };
            let scales = self.weight_scales(p, w);
            let all = quant::weights(weight, &scales, &per(|r| r.0), &per(|r| r.1));
            (all * factors.unsqueeze(-1)).sum_dim_intlist([0i64].as_slice(), false, Kind::Float)
        };
        match &choices.kept[id] {
            // Behind a normalisation its gain and bias are masked: what is pruned keeps a direction to come back in.
            Some(kept) if w.norm.is_none() => out * kept.unsqueeze(1),
            _ => out,
        }
    }

    /// What is missing in the gradient of the loss, which has gone back through the trace: the part of the scales, for all
    /// parameters, and a scalar whose gradient is the part of the choices, if there are any.
    pub(super) fn rest(&self, trace: &Trace) -> (Option<Tensor>, Option<Tensor>) {
        let (mut given, mut factors, mut by) = (vec![], vec![], vec![]);
        for q in &trace.quantised {
            // What the loss does not depend on has a gradient of 0.
            let Some(back) = q.later.gradients() else { continue };
            let rows = q.index.len();
            let widths = self.params.len(q.scales) / rows;
            let mut gradient = vec![0.0; rows * widths];
            for (row, (&i, sums)) in q.index.iter().zip(&back.branches).enumerate() {
                // Where nothing is to be chosen, there is only the chosen width.
                let chosen = if q.factors.is_some() { i as usize } else { 0 };
                gradient[i as usize * rows + row] = sums[chosen].log_scale as f32;
            }
            given.push((q.scales, gradient));
            if let Some(f) = &q.factors {
                factors.push(f.flatten(0, -1));
                by.extend(
                    (0..widths).flat_map(|b| back.branches.iter().map(move |row| row[b].factor as f32)),
                );
            }
            if let Some(norm) = &q.norm {
                let kept = norm.kept.as_ref();
                for (id, by) in [norm.gain, norm.bias].into_iter().zip(&back.gain_and_bias) {
                    let by = Tensor::from_slice(by);
                    let masked = kept.map_or_else(|| by.shallow_clone(), |kept| &by * kept.detach());
                    given.push((id, Vec::try_from(masked).expect("numbers")));
                }
                if let Some(kept) = kept.filter(|kept| kept.requires_grad()) {
                    factors.push(kept.shallow_clone());
                    let [gain, bias] = [norm.gain, norm.bias].map(|id| self.params.values(id));
                    let [by_gain, by_bias] = &back.gain_and_bias;
                    by.extend((0..gain.len()).map(|c| by_gain[c] * gain[c] + by_bias[c] * bias[c]));
                }
            }
        }
        let choices = (!factors.is_empty())
            .then(|| Tensor::cat(&factors, 0).dot(&Tensor::from_slice(&by).to_device(self.device())));
        ((!given.is_empty()).then(|| self.params.flat(&given)), choices)
    }
}

/// The chosen width of each row, and the rows, of a tensor that is quantised with one width for each row; `log_scales` is
/// `[widths]` or `[widths, rows]`.
fn rows(log_scales: &Tensor, widths: &[u8], choice: &Choice) -> (Vec<i64>, Vec<Row>) {
    let (Choice::Hard(index) | Choice::OneHot(index, _)) = choice else {
        unreachable!("mixed choices have no single width")
    };
    let (n, free) = (index.len(), choice.factors().is_some());
    let scales = tch::no_grad(|| log_scales.exp().flatten(0, -1));
    let scales = Vec::<f32>::try_from(scales).expect("numbers");
    let branch = |i: usize, row: usize| Branch { bits: widths[i], scale: f64::from(scales[i * n + row]) };
    let row = |(row, &chosen): (usize, &i64)| {
        if free {
            let branches = (0..widths.len()).map(|i| branch(i, row)).collect();
            Row { branches, chosen: chosen as usize }
        } else {
            // What cannot be chosen otherwise needs no other width.
            Row { branches: vec![branch(chosen as usize, row)], chosen: 0 }
        }
    };
    (index.clone(), index.iter().enumerate().map(row).collect())
}
