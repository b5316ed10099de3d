//! Which channels are the cheapest to narrow or to prune, by an estimate of what that does to the loss.
//!
//! Changing weights by `d` changes the loss by about `1/2 * sum(F * d^2)` near a minimum, `F` being the diagonal of the Fisher
//! information (Le Cun et al. 1990, "Optimal brain damage"). Adam keeps a running mean of squared batch gradients, which is `F`
//! over the batch size: the estimate costs nothing that training does not have anyway.

use tch::{Kind, Tensor};

use super::network::{Network, Weighted};
use crate::model::NodeId;
use crate::quant;
use crate::space::{Assignment, How, Move, Moved};

/// Prices of the weights of one node, in units of the loss.
#[derive(Debug)]
struct Node {
    /// By width and channel: of the step from the codes there are to codes of the width.
    step: Vec<Vec<f64>>,
    /// By width and channel: of what codes of the width are off the weights behind them.
    error: Vec<Vec<f64>>,
    /// By channel: of what the codes there are, are off.
    now: Vec<f64>,
    /// By channel: of being without its weights, gain and bias.
    without: Vec<f64>,
    /// By input channel: of being without the weights that read it.
    columns: Vec<f64>,
}

/// Estimates of what moves do to the loss, for a network as it stands.
#[derive(Debug)]
pub(super) struct Prices {
    nodes: Vec<Option<Node>>,
    /// By node: the nodes with weights that it is tied to, and those that read one of these.
    groups: Vec<[Vec<NodeId>; 2]>,
    widths: Vec<u8>,
}

fn doubles(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.to_kind(Kind::Double).flatten(0, -1)).expect("numbers")
}

impl Prices {
    /// Of the moves of a network with an assignment, trained in batches of so many samples.
    pub(super) fn new(net: &Network, a: &Assignment, batch: usize) -> Self {
        let graph = &net.graph;
        let group = |id: NodeId| {
            let tied = |n: &NodeId| net.ties[*n] == net.ties[id] && graph.nodes[*n].has_weights();
            let reads = |n: &NodeId| {
                let node = &graph.nodes[*n];
                // A layer that goes channel by channel is tied to what it reads.
                node.has_weights() && !node.op.by_channel() && net.ties[node.inputs[0]] == net.ties[id]
            };
            let all = || 0..graph.nodes.len();
            [all().filter(tied).collect(), all().filter(reads).collect()]
        };
        let mut out = Self {
            nodes: graph.nodes.iter().map(|_| None).collect(),
            groups: (0..graph.nodes.len()).map(group).collect(),
            widths: net.space.widths(),
        };
        for id in 0..graph.nodes.len() {
            out.refresh(net, a, batch, id);
        }
        out
    }

    /// Looks at a node anew, whose widths have changed.
    pub(super) fn refresh(&mut self, net: &Network, a: &Assignment, batch: usize, id: NodeId) {
        self.nodes[id] = net.weighted[id].as_ref().map(|w| node(net, w, a, batch, id));
    }

    /// Of a move, all its channels together; nothing is known of activations and of what was pruned.
    pub(super) fn of(&self, moved: &Moved, now: &Assignment) -> Option<f64> {
        let changed =
            |c: &usize| moved.to.weights.iter().zip(&now.weights).any(|(to, now)| to.get(*c) != now.get(*c));
        let channels = moved.to.weights.iter().map(Vec::len).max().unwrap_or(0);
        match moved.by.how {
            How::Width { .. } | How::Tied { .. } | How::Fewer => {}
            How::Activation(_) | How::Together(_) | How::More => return None,
        }
        (0..channels).filter(changed).map(|c| self.channel(moved.by, c)).sum()
    }

    /// Of a move for one of its channels; negative if it helps. Nothing is known of activations and of what was pruned.
    pub(super) fn channel(&self, by: Move, channel: usize) -> Option<f64> {
        let at = |width: u8| self.widths.iter().position(|w| *w == width);
        match by.how {
            How::Width { from, to } => {
                let (node, to_index) = (self.nodes[by.node].as_ref()?, at(to)?);
                Some(if to < from {
                    node.step[to_index][channel]
                } else {
                    (node.error[to_index][channel] - node.now[channel]).min(0.0)
                })
            }
            How::Tied { to, .. } => {
                let to = at(to)?;
                let tied = self.groups[by.node][0].iter().filter_map(|&n| self.nodes[n].as_ref());
                Some(tied.map(|node| node.step[to][channel]).sum())
            }
            How::Fewer => {
                let [tied, readers] = &self.groups[by.node];
                let of = |ids: &[NodeId], f: fn(&Node) -> &Vec<f64>| -> f64 {
                    ids.iter().filter_map(|&n| self.nodes[n].as_ref()).map(|n| f(n)[channel]).sum()
                };
                Some(of(tied, |n| &n.without) + of(readers, |n| &n.columns))
            }
            How::Activation(_) | How::Together(_) | How::More => None,
        }
    }
}

fn node(net: &Network, w: &Weighted, a: &Assignment, batch: usize, id: NodeId) -> Node {
    let _guard = tch::no_grad_guard();
    let p = net.params.views();
    let weight = &p[w.weight];
    let widths = net.space.widths();
    let half = batch as f64 / 2.0;
    let importance = net.params.squared_gradient(w.weight) * half;
    let price = |d: &Tensor| {
        let each = &importance * d.square();
        doubles(&each.sum_dim_intlist([1i64].as_slice(), false, Kind::Float))
    };
    let index: Vec<i64> =
        a.weights[id].iter().map(|b| widths.iter().position(|w| w == b).unwrap_or(0) as i64).collect();
    let (scale, low, high) = net.chosen(&p, w, &index);
    let row = |t: &Tensor| t.unsqueeze(0);
    let now = quant::weights(weight, &row(&scale), &row(&low), &row(&high)).squeeze_dim(0);
    let quantised = |bits: u8| {
        let scale = quant::best_log_scale(weight, bits, false);
        let (low, high) = quant::range(bits, false);
        let per = |v: f64| scale.full_like(v).unsqueeze(0);
        quant::weights(weight, &row(&scale), &per(low), &per(high)).squeeze_dim(0)
    };
    let by_width: Vec<Tensor> = widths.iter().map(|&b| quantised(b)).collect();
    let vanish = |id| doubles(&(net.params.squared_gradient(id) * half * p[id].square()));
    let mut without = price(&now);
    for id in w.norm.iter().map(|norm| norm.gain).chain([w.bias]) {
        without.iter_mut().zip(vanish(id)).for_each(|(sum, v)| *sum += v);
    }
    let (channels, inputs) = (net.graph.nodes[id].shape[2] as i64, net.graph.kernel(id)[2] as i64);
    let columns = (&importance * now.square()).view([channels, -1, inputs]);
    Node {
        step: by_width.iter().map(|q| price(&(q - &now))).collect(),
        error: by_width.iter().map(|q| price(&(q - weight))).collect(),
        now: price(&(&now - weight)),
        without,
        columns: doubles(&columns.sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float)),
    }
}
