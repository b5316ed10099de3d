//! A graph with trained numbers: what it computes in floating point and with quantised weights and activations.

use rand::Rng;
use tch::{Device, Kind, Tensor};

use super::choose::Choice;
use super::forward::{Arithmetic, Statistics};
use super::params::{ParamId, Params, ParamsBuilder, Role};
use crate::export::Frozen;
use crate::model::{Graph, NodeId};
use crate::quant::{self, Quantisers};
use crate::space::{Assignment, Moved, Space};

/// Values of a tensor that the scales of its quantisers are fitted to, about.
const CALIBRATION: usize = 1 << 16;
/// How much more likely than not a channel is there at the start of a search, as a logit.
const KEPT: f32 = 2.0;
/// What normalisation adds to the variance, so that it is not 0.
pub const NORM_EPS: f64 = 1e-5;

/// Parameters of a node with weights.
#[derive(Debug)]
pub(super) struct Weighted {
    /// `[channels, fan-in]`, fan-in as kernel row, kernel column, input channel: the order of the integer network, and
    /// channels-last for libtorch.
    pub(super) weight: ParamId,
    /// `[channels]`.
    pub(super) bias: ParamId,
    /// Normalisation between weights and bias, where the graph has one.
    pub(super) norm: Option<Norm>,
    /// Log scales `[widths, channels]`.
    pub(super) scales: ParamId,
    /// Choice logits of the layer, `[widths, 1]`; the widths are those of channels that are there.
    pub(super) choice: ParamId,
    /// By how much those of each channel differ, `[widths, channels]`, where channels choose for themselves. Nodes whose
    /// outputs meet in an addition share it: their channels are stored in one order, so they are ranked together, while each
    /// layer still decides how many of them are wide.
    pub(super) deviation: Option<ParamId>,
    /// Logit of each channel being there, `[channels]`, where channels may be pruned; shared by all tied nodes.
    pub(super) gate: Option<ParamId>,
}

/// Batch normalisation of a node.
#[derive(Debug)]
pub(super) struct Norm {
    /// `[channels]`.
    pub(super) gain: ParamId,
    /// Running mean and variance.
    pub(super) statistics: [Tensor; 2],
}

/// Parameters of a quantised tensor.
#[derive(Debug)]
pub(super) struct Quantised {
    /// Log scales `[widths]`.
    pub(super) scales: ParamId,
    /// Choice logits `[widths]`.
    pub(super) choice: ParamId,
}

/// A trainable network.
#[derive(Debug)]
pub struct Network {
    /// The network as a graph of layers.
    pub graph: Graph,
    /// The widths it may choose from.
    pub space: Space,
    /// Everything that is trained.
    pub params: Params,
    /// See [`Graph::ties`].
    pub(super) ties: Vec<NodeId>,
    pub(super) weighted: Vec<Option<Weighted>>,
    pub(super) quantised: Vec<Option<Quantised>>,
    /// How quantisers find their scales.
    pub quantisers: Quantisers,
    /// Whether quantisers may run in passes of our own; otherwise torch operations do the same, slower.
    pub(super) by_passes: bool,
}

/// Values as a row of 32-bit floats.
pub(super) fn column(values: impl Iterator<Item = f64>) -> Tensor {
    Tensor::from_slice(&values.map(|v| v as f32).collect::<Vec<_>>())
}

impl Network {
    /// A network with random weights (He et al. 2015, uniform).
    pub fn new(graph: Graph, space: Space, rng: &mut impl Rng) -> Self {
        let mut b = ParamsBuilder::default();
        let ties = graph.ties();
        let all = space.widths();
        let widths = all.len();
        // The widest starts ahead, so that the search starts from an accurate network.
        let ahead = |bits: &[u8]| -> Vec<f32> {
            let most = f32::from(bits.iter().copied().max().unwrap_or(1));
            bits.iter().map(|&b| f32::from(b) / most).collect()
        };
        let mut shared: Vec<Option<ParamId>> = vec![None; graph.nodes.len()];
        let mut gates = shared.clone();
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
                let gate = (space.prunes() && graph.prunable(id)).then(|| {
                    *gates[ties[id]]
                        .get_or_insert_with(|| b.add(Role::Choice, &[channels], &vec![KEPT; channels]))
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
                    choice: b.add(Role::Choice, &[widths, 1], &ahead(&all)),
                    deviation,
                    gate,
                }
            }));
            quantised.push(graph.searched(id).then(|| {
                let n = space.activations.len();
                Quantised {
                    scales: b.add(Role::Scale, &[n], &vec![0.0; n]),
                    choice: b.add(Role::Choice, &[n], &ahead(&space.activations)),
                }
            }));
        }
        Self {
            params: b.build(),
            graph,
            space,
            ties,
            weighted,
            quantised,
            quantisers: Quantisers::Learned,
            by_passes: true,
        }
    }

    /// Moves everything to a device.
    pub fn to_device(&mut self, device: Device) {
        self.params.to_device(device);
        for norm in self.weighted.iter_mut().flatten().filter_map(|w| w.norm.as_mut()) {
            norm.statistics.iter_mut().for_each(|t| *t = t.to_device(device));
        }
    }

    /// The device that holds its numbers.
    #[must_use]
    pub fn device(&self) -> Device {
        self.params.device()
    }

    /// Log scale, lowest and highest code of each channel for chosen widths.
    pub(super) fn chosen(&self, p: &[Tensor], w: &Weighted, index: &[i64]) -> (Tensor, Tensor, Tensor) {
        let device = self.device();
        let index_there = Tensor::from_slice(index).unsqueeze(0).to_device(device);
        let scale = self.weight_scales(p, w).gather(0, &index_there, false).squeeze_dim(0);
        let widths = self.space.widths();
        let range = |i: &i64| quant::range(widths[*i as usize], false);
        let ends = |f: fn((f64, f64)) -> f64| column(index.iter().map(|i| f(range(i)))).to_device(device);
        (scale, ends(|r| r.0), ends(|r| r.1))
    }

    /// Log scales of the weights of a node, `[widths, channels]`.
    pub(super) fn weight_scales(&self, p: &[Tensor], w: &Weighted) -> Tensor {
        self.quantisers.weight_scales(&p[w.weight], &p[w.scales], &self.space.widths())
    }

    /// Factor and addend that the normalisation of a node comes to with the running statistics, `[channels]` each.
    fn line(p: &[Tensor], w: &Weighted) -> Option<[Tensor; 2]> {
        let norm = w.norm.as_ref()?;
        let [mean, var] = &norm.statistics;
        let factor = (&p[norm.gain] / (var + NORM_EPS).sqrt()).detach();
        let addend = (&p[w.bias] - mean * &factor).detach();
        Some([factor, addend])
    }

    /// The same network without normalisation, which is folded into weights and biases: its graph, and its weights as
    /// [`Network::weights`].
    #[must_use]
    pub fn folded(&self) -> (Graph, Vec<(String, Tensor)>) {
        let p: Vec<_> = self.params.views().iter().map(Tensor::detach).collect();
        let mut out = Vec::new();
        for (node, w) in self.graph.nodes.iter().zip(&self.weighted) {
            let Some(w) = w else { continue };
            let (weight, bias) = match Self::line(&p, w) {
                Some([factor, addend]) => (&p[w.weight] * factor.unsqueeze(1), addend),
                None => (p[w.weight].copy(), p[w.bias].copy()),
            };
            out.push((format!("{}.weight", node.name), weight));
            out.push((format!("{}.bias", node.name), bias));
        }
        (self.graph.without_norm(), out)
    }

    /// Sets the scale of a width of some channels of a node to the one with the least squared error for the weights as they
    /// are.
    pub(super) fn rescale(&mut self, id: NodeId, width: usize, channels: &[usize]) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let w = self.weighted[id].as_ref().expect("only weights are rescaled");
        let index = Tensor::from_slice(&channels.iter().map(|&c| c as i64).collect::<Vec<_>>());
        let index = index.to_device(self.device());
        let best =
            quant::best_log_scale(&p[w.weight].index_select(0, &index), self.space.widths()[width], false);
        let scales = p[w.scales].copy();
        let _ = scales.get(width as i64).index_copy_(0, &index, &best);
        self.params.set(w.scales, &scales);
    }

    /// Gives the channels that a move widens, narrows or restores, from the widths `now`, scales that suit the weights as they
    /// are; returns the scales before, for [`Network::take_scales`].
    pub(super) fn scales_for(&mut self, now: &Assignment, moved: &Moved) -> Vec<(NodeId, Tensor)> {
        let mut before = Vec::new();
        for id in 0..self.graph.nodes.len() {
            if moved.to.weights[id] == now.weights[id] {
                continue;
            }
            let scales = self.weighted[id].as_ref().expect("it has widths").scales;
            before.push((id, self.params.views()[scales].detach().copy()));
            for (index, width) in self.space.widths().into_iter().enumerate() {
                let given = |c: &usize| moved.to.weights[id][*c] == width && now.weights[id][*c] != width;
                let channels: Vec<usize> = (0..now.weights[id].len()).filter(given).collect();
                if !channels.is_empty() {
                    self.rescale(id, index, &channels);
                }
            }
        }
        before
    }

    /// Takes back what [`Network::scales_for`] did.
    pub(super) fn take_scales(&mut self, before: Vec<(NodeId, Tensor)>) {
        for (id, scales) in before {
            let slot = self.weighted[id].as_ref().expect("it has scales").scales;
            self.params.set(slot, &scales);
        }
    }

    /// Sets every quantiser's scale to the one with the least squared error: weights by channel, activations on a batch.
    pub fn calibrate(&mut self, x: &Tensor) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let values = self.trace(&p, x, Arithmetic::Float(Statistics::Running)).values;
        for w in self.weighted.iter().flatten() {
            let per: Vec<_> = self
                .space
                .widths()
                .into_iter()
                .map(|b| quant::best_log_scale(&p[w.weight], b, false))
                .collect();
            self.params.set(w.scales, &Tensor::stack(&per, 0));
        }
        self.calibrate_activations(&values, |_, _| true);
    }

    /// As [`Network::calibrate`], for the activation widths that `now` does not use, on what the network with `now` makes of a
    /// batch.
    pub(super) fn recalibrate(&mut self, x: &Tensor, now: &Assignment) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let choices = self.hard_choices(now);
        let values = self.trace(&p, x, Arithmetic::Fake(&choices, Statistics::Running)).values;
        self.calibrate_activations(&values, |id, bits| now.activations[id] != bits);
    }

    /// Sets the scales of some widths of activations by their values.
    fn calibrate_activations(&mut self, values: &[Tensor], which: impl Fn(NodeId, u8) -> bool) {
        for (id, value) in values.iter().enumerate() {
            let Some(q) = &self.quantised[id] else { continue };
            let unsigned = self.graph.nodes[id].unsigned(&self.graph);
            let row = value.flatten(0, -1);
            // An odd step does not keep to some channels.
            let step = (row.numel() / CALIBRATION).max(1) as i64 | 1;
            let row = row.slice(0, None, None, step).unsqueeze(0);
            let scales = self.params.values(q.scales);
            let of = |(i, &bits): (usize, &u8)| {
                if which(id, bits) {
                    quant::best_log_scale(&row, bits, unsigned)
                } else {
                    Tensor::from_slice(&scales[i..=i]).to_device(row.device())
                }
            };
            let per: Vec<_> = self.space.activations.iter().enumerate().map(of).collect();
            self.params.set(q.scales, &Tensor::cat(&per, 0));
        }
    }

    /// The integer codes, scales and biases of an assignment, by node, and the scale of every node's output. Normalisation with
    /// the running statistics is part of scales and biases, so that a scale is negative where its factor is.
    #[must_use]
    pub fn freeze(&self, assignment: &Assignment) -> (Vec<Option<Frozen>>, Vec<f64>) {
        let _guard = tch::no_grad_guard();
        let p = self.params.views();
        let choices = self.hard_choices(assignment);
        let doubles = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double)).expect("numbers");
        let frozen = |id: NodeId, w: &Weighted| {
            let Some(Choice::Hard(index)) = &choices.weights[id] else {
                unreachable!("hard choices were asked for")
            };
            let (scale, low, high) = self.chosen(&p, w, index);
            let codes = quant::weight_codes(&p[w.weight], &scale, &low, &high);
            let mut codes = Vec::<i8>::try_from(codes.flatten(0, -1)).expect("codes");
            let (scale, bias) = match Self::line(&p, w) {
                Some([factor, addend]) => (
                    doubles(&scale.exp()).into_iter().zip(doubles(&factor)).map(|(s, f)| s * f).collect(),
                    addend,
                ),
                None => (doubles(&scale.exp()), p[w.bias].shallow_clone()),
            };
            let mut bias = doubles(&bias);
            let fan_in = self.graph.fan_in(id);
            for (c, _) in assignment.weights[id].iter().enumerate().filter(|(_, b)| **b == 0) {
                codes[c * fan_in..][..fan_in].fill(0);
                bias[c] = 0.0;
            }
            Frozen { codes, scale, bias }
        };
        let weights =
            (0..self.graph.nodes.len()).map(|id| Some(frozen(id, self.weighted[id].as_ref()?))).collect();
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
        let device = self.device();
        for (id, node) in self.graph.nodes.iter().enumerate() {
            let Some(w) = &mut self.weighted[id] else { continue };
            let find = |name: &str, size: usize| {
                let full = format!("{}.{name}", node.name);
                let t = weights.iter().find(|(n, _)| *n == full).map(|(_, t)| t.copy().to_device(device));
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

    /// The state that a checkpoint must hold, as tensors by name.
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

    /// Takes over a state that [`Network::state`] gave. Returns `false` if it is of another network.
    pub fn restore(&mut self, state: &[(String, Tensor)]) -> bool {
        let device = self.device();
        let get =
            |name: String| state.iter().find(|(n, _)| *n == name).map(|(_, t)| t.copy().to_device(device));
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
