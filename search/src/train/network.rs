//! A graph with trained numbers: what it computes in floating point and with quantised weights and activations.

use rand::Rng;
use tch::{Device, Kind, Tensor};

use super::params::{ParamId, Params, ParamsBuilder, Role};
use crate::export::Frozen;
use crate::model::{Graph, NodeId, Op, Window};
use crate::quant;
use crate::space::{Assignment, INPUT_BITS, Space, in_blocks};

/// Momentum of the running statistics of normalisation.
const MOMENTUM: f64 = 0.1;
/// What normalisation adds to the variance, so that it is not 0.
pub const NORM_EPS: f64 = 1e-5;

/// Parameters of a node with weights.
#[derive(Debug)]
struct Weighted {
    /// `[channels, fan-in]`, fan-in as kernel row, kernel column, input channel: the order of the integer network, and
    /// channels-last for libtorch.
    weight: ParamId,
    /// `[channels]`.
    bias: ParamId,
    /// Normalisation between weights and bias, where the graph has one.
    norm: Option<Norm>,
    /// Log scales `[widths, channels]`.
    scales: ParamId,
    /// Choice logits of the layer, `[widths, 1]`.
    choice: ParamId,
    /// By how much those of each channel differ, `[widths, channels]`, where channels choose for themselves. Nodes whose
    /// outputs meet in an addition share it: their channels are stored in one order, so they are ranked together, while each
    /// layer still decides how many of them are wide.
    deviation: Option<ParamId>,
}

/// Batch normalisation of a node.
#[derive(Debug)]
struct Norm {
    /// `[channels]`.
    gain: ParamId,
    /// Running mean and variance.
    statistics: [Tensor; 2],
}

/// Parameters of a quantised tensor.
#[derive(Debug)]
struct Quantised {
    /// Log scales `[widths]`.
    scales: ParamId,
    /// Choice logits `[widths]`.
    choice: ParamId,
}

/// A trainable network.
#[derive(Debug)]
pub struct Network {
    /// Its graph.
    pub graph: Graph,
    /// The widths it may choose from.
    pub space: Space,
    /// Everything that is trained.
    pub params: Params,
    weighted: Vec<Option<Weighted>>,
    quantised: Vec<Option<Quantised>>,
}

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

/// Which width every channel and tensor has, as factors for a sum over widths.
#[derive(Debug)]
pub struct Choices {
    /// By node with weights: the choice of each channel.
    pub weights: Vec<Option<Choice>>,
    /// By quantised node: the choice of its output.
    pub activations: Vec<Option<Choice>>,
}

/// A choice of widths.
#[derive(Debug)]
pub enum Choice {
    /// Factors `[widths, channels]` for weights and `[widths]` for activations: forward one-hot, with the gradient of the
    /// softmax.
    Soft(Tensor),
    /// Indices of the width of each channel, `[channels]` or one.
    Hard(Vec<i64>),
}

/// Rectifies where asked to; quantising without sign does it by itself.
fn rectified(relu: bool, y: Tensor, how: Arithmetic) -> Tensor {
    if relu && !matches!(how, Arithmetic::Fake(_)) { y.relu() } else { y }
}

/// Convolution without bias; libtorch pads alike on opposite sides, so other paddings are made before.
fn convolve(x: &Tensor, weight: &Tensor, window: Window, groups: usize) -> Tensor {
    let [top, left, bottom, right] = window.pad.map(|n| n as i64);
    let stride = window.stride.map(|n| n as i64);
    let conv =
        |x: &Tensor, pad: [i64; 2]| x.conv2d(weight, None::<Tensor>, stride, pad, [1i64, 1], groups as i64);
    if (top, left) == (bottom, right) {
        conv(x, [top, left])
    } else {
        conv(&x.constant_pad_nd([left, right, top, bottom]), [0, 0])
    }
}

fn column(values: impl Iterator<Item = f64>) -> Tensor {
    Tensor::from_slice(&values.map(|v| v as f32).collect::<Vec<_>>())
}

impl Network {
    /// A network with random weights (He et al. 2015, uniform).
    pub fn new(graph: Graph, space: Space, rng: &mut impl Rng) -> Self {
        let mut b = ParamsBuilder::default();
        let ties = graph.ties();
        let widths = space.weights.len();
        // The widest starts ahead, so that the search starts from an accurate network.
        let ahead = |bits: &[u8]| -> Vec<f32> {
            let most = f32::from(bits.iter().copied().max().unwrap_or(1));
            bits.iter().map(|&b| f32::from(b) / most).collect()
        };
        let mut shared: Vec<Option<ParamId>> = vec![None; graph.nodes.len()];
        let (mut weighted, mut quantised) = (Vec::new(), Vec::new());
        for (id, node) in graph.nodes.iter().enumerate() {
            let channels = node.shape[2];
            weighted.push(node.has_weights().then(|| {
                let fan_in = graph.fan_in(id);
                let bound = (6.0 / fan_in as f32).sqrt();
                let values: Vec<f32> =
                    (0..channels * fan_in).map(|_| rng.random_range(-bound..bound)).collect();
                let deviation = space.per_channel.then(|| {
                    let zeros = vec![0.0; widths * channels];
                    *shared[ties[id]].get_or_insert_with(|| b.add(Role::Choice, &[widths, channels], &zeros))
                });
                Weighted {
                    weight: b.add(Role::Weight, &[channels, fan_in], &values),
                    bias: b.add(Role::Weight, &[channels], &vec![0.0; channels]),
                    norm: node.has_norm().then(|| Norm {
                        gain: b.add(Role::Weight, &[channels], &vec![1.0; channels]),
                        statistics: [0.0, 1.0]
                            .map(|v| Tensor::full([channels as i64], v, (Kind::Float, Device::Cpu))),
                    }),
                    scales: b.add(Role::Scale, &[widths, channels], &vec![0.0; widths * channels]),
                    choice: b.add(Role::Choice, &[widths, 1], &ahead(&space.weights)),
                    deviation,
                }
            }));
            let searched = id != 0 && id != graph.output() && graph.quantised_as(id) == id;
            quantised.push(searched.then(|| {
                let n = space.activations.len();
                Quantised {
                    scales: b.add(Role::Scale, &[n], &vec![0.0; n]),
                    choice: b.add(Role::Choice, &[n], &ahead(&space.activations)),
                }
            }));
        }
        Self { params: b.build(), graph, space, weighted, quantised }
    }

    /// Outputs `[batch, channels]` for samples `[batch, channels, height, width]` of real values; as fast as it gets if
    /// channels lie innermost in memory.
    pub fn forward(&self, p: &[Tensor], x: &Tensor, how: Arithmetic) -> Tensor {
        self.trace(p, x, how).pop().expect("a network has nodes")
    }

    /// The output of every node.
    #[must_use]
    pub fn trace(&self, p: &[Tensor], x: &Tensor, how: Arithmetic) -> Vec<Tensor> {
        let mut values: Vec<Tensor> = vec![x.shallow_clone()];
        for (id, node) in self.graph.nodes.iter().enumerate().skip(1) {
            let input = &values[node.inputs[0]];
            let y = match node.op {
                Op::Conv { window, relu, .. } => {
                    let y = convolve(input, &self.kernel(p, id, how), window, 1);
                    rectified(relu, self.with_bias(p, id, y, how), how)
                }
                Op::Depthwise { window, relu, .. } => {
                    let y = convolve(input, &self.kernel(p, id, how), window, node.shape[2]);
                    rectified(relu, self.with_bias(p, id, y, how), how)
                }
                Op::Linear { relu, .. } => {
                    // Height, width, channels is the order of its weights.
                    let flat = input.permute([0, 2, 3, 1]).flatten(1, -1);
                    let y = flat.linear(&self.weight(p, id, how), None::<Tensor>);
                    let y = rectified(relu, self.with_bias(p, id, y, how), how);
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
            values.push(self.output(p, id, y, how));
        }
        values
    }

    /// Adds the bias of a node, behind its normalisation if it has one and that is not folded yet.
    fn with_bias(&self, p: &[Tensor], id: NodeId, y: Tensor, how: Arithmetic) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        if let (Arithmetic::Normalised(training), Some(norm)) = (how, &w.norm) {
            let [mean, var] = &norm.statistics;
            let (gain, bias) = (Some(&p[norm.gain]), Some(&p[w.bias]));
            return y.batch_norm(gain, bias, Some(mean), Some(var), training, MOMENTUM, NORM_EPS, false);
        }
        let mut shape = vec![1; y.dim()];
        shape[1] = -1;
        y + p[w.bias].view(shape.as_slice())
    }

    /// The weights of a convolution, `[channels, input channels, rows, columns]` with input channels innermost in memory.
    fn kernel(&self, p: &[Tensor], id: NodeId, how: Arithmetic) -> Tensor {
        let [rows, columns, channels] = self.graph.kernel(id);
        let shape = [self.graph.nodes[id].shape[2], rows, columns, channels].map(|n| n as i64);
        self.weight(p, id, how).view(shape).permute([0, 3, 1, 2])
    }

    /// The weights of a node as they take part in the computation, `[channels, fan-in]`.
    fn weight(&self, p: &[Tensor], id: NodeId, how: Arithmetic) -> Tensor {
        let w = self.weighted[id].as_ref().expect("asked of nodes with weights");
        let Arithmetic::Fake(choices) = how else { return p[w.weight].shallow_clone() };
        match choices.weights[id].as_ref().expect("a choice for every node with weights") {
            Choice::Hard(index) => {
                let (scale, low, high) = self.chosen(p, w, index);
                quant::weights(&p[w.weight], &scale.unsqueeze(0), &low.unsqueeze(0), &high.unsqueeze(0))
                    .squeeze_dim(0)
            }
            Choice::Soft(factors) => {
                let channels = self.graph.nodes[id].shape[2] as i64;
                let per = |f: fn((f64, f64)) -> f64| {
                    let ends = column(self.space.weights.iter().map(|&b| f(quant::range(b, false))));
                    ends.unsqueeze(1).expand([-1, channels], false)
                };
                let all = quant::weights(&p[w.weight], &p[w.scales], &per(|r| r.0), &per(|r| r.1));
                (all * factors.unsqueeze(-1)).sum_dim_intlist([0i64].as_slice(), false, Kind::Float)
            }
        }
    }

    /// Log scale, lowest and highest code of each channel for chosen widths.
    fn chosen(&self, p: &[Tensor], w: &Weighted, index: &[i64]) -> (Tensor, Tensor, Tensor) {
        let scale = p[w.scales].gather(0, &Tensor::from_slice(index).unsqueeze(0), false).squeeze_dim(0);
        let range = |i: &i64| quant::range(self.space.weights[*i as usize], false);
        (scale, column(index.iter().map(|i| range(i).0)), column(index.iter().map(|i| range(i).1)))
    }

    /// Quantises the output of a node if that is asked for.
    fn output(&self, p: &[Tensor], id: NodeId, y: Tensor, how: Arithmetic) -> Tensor {
        let (Arithmetic::Fake(choices), Some(q)) = (how, &self.quantised[id]) else { return y };
        let unsigned = self.graph.nodes[id].unsigned(&self.graph);
        let branch =
            |i: usize| quant::activation(&y, &p[q.scales].get(i as i64), self.space.activations[i], unsigned);
        match choices.activations[id].as_ref().expect("a choice for every quantised node") {
            Choice::Hard(index) => branch(index[0] as usize),
            // Forward only one factor is 1, so no gradient reaches the input or the scale of another branch: those are
            // computed without a graph, for the gradient of their factors alone.
            Choice::Soft(factors) => {
                let chosen = factors.argmax(0, false).int64_value(&[]) as usize;
                let part = |i: usize| {
                    let y = if i == chosen { branch(i) } else { tch::no_grad(|| branch(i)) };
                    y * factors.get(i as i64)
                };
                (0..self.space.activations.len()).map(part).reduce(|a, b| a + b).expect("a space has widths")
            }
        }
    }

    /// The choices of the search: argmax forward, gradient of the softmax at `temperature` (straight-through).
    #[must_use]
    pub fn soft_choices(&self, p: &[Tensor], temperature: f64) -> Choices {
        let one_hot = |logits: &Tensor| {
            let soft = (logits / temperature).softmax(0, Kind::Float);
            let hard = soft.zeros_like().scatter_value(0, &logits.argmax(0, true), 1.0);
            &soft + (hard - &soft).detach()
        };
        let per_node = |id: NodeId, w: &Weighted| Choice::Soft(one_hot(&self.logits(p, id, w)));
        Choices {
            weights: self
                .weighted
                .iter()
                .enumerate()
                .map(|(id, w)| w.as_ref().map(|w| per_node(id, w)))
                .collect(),
            activations: self
                .quantised
                .iter()
                .map(|q| q.as_ref().map(|q| Choice::Soft(one_hot(&p[q.choice]))))
                .collect(),
        }
    }

    /// The choices of an assignment.
    ///
    /// # Panics
    /// If it has widths that are not in the space.
    #[must_use]
    pub fn hard_choices(&self, assignment: &Assignment) -> Choices {
        let index =
            |all: &[u8], b: u8| all.iter().position(|&x| x == b).expect("a width of the space") as i64;
        let weights = |id: NodeId| {
            Choice::Hard(assignment.weights[id].iter().map(|&b| index(&self.space.weights, b)).collect())
        };
        let activation =
            |id: NodeId| Choice::Hard(vec![index(&self.space.activations, assignment.activations[id])]);
        Choices {
            weights: self
                .weighted
                .iter()
                .enumerate()
                .map(|(id, w)| w.as_ref().map(|_| weights(id)))
                .collect(),
            activations: self
                .quantised
                .iter()
                .enumerate()
                .map(|(id, q)| q.as_ref().map(|_| activation(id)))
                .collect(),
        }
    }

    /// Logits of the widths of each channel, `[widths, channels]`.
    fn logits(&self, p: &[Tensor], id: NodeId, w: &Weighted) -> Tensor {
        let layer = p[w.choice].expand([-1, self.graph.nodes[id].shape[2] as i64], false);
        w.deviation.map_or_else(|| layer.shallow_clone(), |d| &layer + &p[d])
    }

    /// The widths with the largest logits; where channels choose for themselves, in whole blocks.
    #[must_use]
    pub fn argmax(&self) -> Assignment {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let chosen = |logits: &Tensor, widths: &[u8]| -> Vec<u8> {
            let index = Vec::<i64>::try_from(logits.argmax(0, false).flatten(0, -1)).expect("indices");
            index.into_iter().map(|i| widths[i as usize]).collect()
        };
        let mut out = Assignment::uniform(&self.graph, 8, INPUT_BITS);
        for id in 0..self.graph.nodes.len() {
            if let Some(w) = &self.weighted[id] {
                let logits = self.logits(&p, id, w);
                out.weights[id] = chosen(&logits, &self.space.weights);
                if let Some(d) = w.deviation {
                    // Tied layers rank their channels alike, by what they share.
                    let widths = column(self.space.weights.iter().map(|&b| f64::from(b))).unsqueeze(1);
                    let rank = (p[d].softmax(0, Kind::Float) * widths).sum_dim_intlist(
                        [0i64].as_slice(),
                        false,
                        Kind::Float,
                    );
                    let rank = Vec::<f32>::try_from(rank).expect("one per channel");
                    out.weights[id] = in_blocks(&out.weights[id], &rank);
                }
            }
            if let Some(q) = &self.quantised[self.graph.quantised_as(id)] {
                out.activations[id] = chosen(&p[q.choice], &self.space.activations)[0];
            }
        }
        out
    }

    /// Folds the normalisation into weights and biases: [`Arithmetic::Float`] then equals `Normalised(false)`.
    pub fn fold(&mut self) {
        let p: Vec<_> = self.params.views().iter().map(Tensor::detach).collect();
        for w in &self.weighted {
            let Some(Weighted { weight, bias, norm: Some(norm), .. }) = w else { continue };
            let [mean, var] = &norm.statistics;
            let factor = &p[norm.gain] / (var + NORM_EPS).sqrt();
            self.params.set(*weight, &(&p[*weight] * factor.unsqueeze(1)));
            self.params.set(*bias, &(&p[*bias] - mean * &factor));
            self.params.set(norm.gain, &factor.ones_like());
        }
    }

    /// Sets every quantiser's scale to the one with the least squared error: weights by channel, activations on a batch.
    pub fn calibrate(&mut self, x: &Tensor) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let values = self.trace(&p, x, Arithmetic::Float);
        for (id, value) in values.iter().enumerate() {
            if let Some(w) = &self.weighted[id] {
                let per: Vec<_> = self
                    .space
                    .weights
                    .iter()
                    .map(|&b| quant::best_log_scale(&p[w.weight], b, false))
                    .collect();
                self.params.set(w.scales, &Tensor::stack(&per, 0));
            }
            if let Some(q) = &self.quantised[id] {
                let unsigned = self.graph.nodes[id].unsigned(&self.graph);
                let row = value.flatten(0, -1).unsqueeze(0);
                let per: Vec<_> = self
                    .space
                    .activations
                    .iter()
                    .map(|&b| quant::best_log_scale(&row, b, unsigned))
                    .collect();
                self.params.set(q.scales, &Tensor::cat(&per, 0));
            }
        }
    }

    /// The integer codes, scales and biases of an assignment, by node, and the scale of every node's output.
    #[must_use]
    pub fn freeze(&self, assignment: &Assignment) -> (Vec<Option<Frozen>>, Vec<f64>) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let choices = self.hard_choices(assignment);
        let doubles = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double)).expect("numbers");
        let frozen = |w: &Weighted, choice: &Choice| {
            let Choice::Hard(index) = choice else { unreachable!("hard choices were asked for") };
            let (scale, low, high) = self.chosen(&p, w, index);
            let codes = quant::weight_codes(&p[w.weight], &scale, &low, &high);
            let codes = Vec::<i8>::try_from(codes.flatten(0, -1)).expect("codes");
            Frozen { codes, scale: doubles(&scale.exp()), bias: doubles(&p[w.bias]) }
        };
        let weights = (0..self.graph.nodes.len())
            .map(|id| Some(frozen(self.weighted[id].as_ref()?, choices.weights[id].as_ref()?)))
            .collect();
        let scale = |id: NodeId| match (&self.quantised[id], &choices.activations[id]) {
            (Some(q), Some(Choice::Hard(index))) => p[q.scales].get(index[0]).exp().double_value(&[]),
            _ => self.graph.input.scale,
        };
        let scale = |id: NodeId| scale(self.graph.quantised_as(id));
        (weights, (0..self.graph.nodes.len()).map(scale).collect())
    }

    /// What is trained before any width is chosen, by node and name, for another network of the same graph.
    #[must_use]
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        let p = self.params.views();
        let mut out = Vec::new();
        for (node, w) in self.graph.nodes.iter().zip(&self.weighted) {
            let Some(w) = w else { continue };
            let mut push =
                |name: &str, t: &Tensor| out.push((format!("{}.{name}", node.name), t.detach().copy()));
            push("weight", &p[w.weight]);
            push("bias", &p[w.bias]);
            if let Some(norm) = &w.norm {
                push("gain", &p[norm.gain]);
                push("mean", &norm.statistics[0]);
                push("variance", &norm.statistics[1]);
            }
        }
        out
    }

    /// Takes over [`Network::weights`].
    ///
    /// # Errors
    /// The first tensor that is missing or has another size.
    pub fn set_weights(&mut self, weights: &[(String, Tensor)]) -> Result<(), String> {
        for (id, node) in self.graph.nodes.iter().enumerate() {
            let Some(w) = &mut self.weighted[id] else { continue };
            let find = |name: &str, size: usize| {
                let full = format!("{}.{name}", node.name);
                let t = weights.iter().find(|(n, _)| *n == full).map(|(_, t)| t.copy());
                let t = t.ok_or_else(|| format!("there is no tensor '{full}'"))?;
                if t.numel() == size && t.kind() == Kind::Float {
                    Ok(t)
                } else {
                    Err(format!("'{full}' has {} values of {:?}, not {size} floats", t.numel(), t.kind()))
                }
            };
            let channels = node.shape[2];
            self.params.set(w.weight, &find("weight", channels * self.graph.fan_in(id))?);
            self.params.set(w.bias, &find("bias", channels)?);
            if let Some(norm) = &mut w.norm {
                self.params.set(norm.gain, &find("gain", channels)?);
                norm.statistics = [find("mean", channels)?, find("variance", channels)?];
            }
        }
        Ok(())
    }

    /// Everything a checkpoint must hold.
    #[must_use]
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut out = self.params.state();
        for (id, w) in self.weighted.iter().enumerate() {
            if let Some(norm) = w.as_ref().and_then(|w| w.norm.as_ref()) {
                out.push((format!("mean{id}"), norm.statistics[0].shallow_clone()));
                out.push((format!("var{id}"), norm.statistics[1].shallow_clone()));
            }
        }
        out
    }

    /// Takes over a state; false if it is of another network.
    pub fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        let get = |name: String| state.iter().find(|(n, _)| *n == name).map(|(_, t)| t.copy());
        for (id, w) in self.weighted.iter_mut().enumerate() {
            let Some(norm) = w.as_mut().and_then(|w| w.norm.as_mut()) else { continue };
            let (Some(mean), Some(var)) = (get(format!("mean{id}")), get(format!("var{id}"))) else {
                return false;
            };
            if mean.size() != norm.statistics[0].size() || var.size() != mean.size() {
                return false;
            }
            norm.statistics = [mean, var];
        }
        self.params.restore(state)
    }
}
