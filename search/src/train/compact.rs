//! A network without the channels that were pruned, for the training that follows: what is not there costs no time.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::network::Network;
use super::params::ParamId;
use crate::export::Frozen;
use crate::model::{Graph, NodeId};
use crate::space::Assignment;

/// Which channels of a network are left, and the network that has only those.
#[derive(Debug)]
pub struct Compact {
    /// The smaller network; its parameters, statistics and moments are those of the channels that are left.
    pub net: Network,
    /// The widths of what is left.
    pub assignment: Assignment,
    /// By node of either network: the channels of its output that are left, ascending.
    left: Vec<Vec<usize>>,
}

/// Channels of a node that take part in something.
struct Kept {
    /// Of its output.
    outputs: Vec<usize>,
    /// Of its weights, in the order of [`Graph::kernel`].
    columns: Vec<usize>,
}

/// The output channels and the weights of a node that are left.
fn kept(graph: &Graph, left: &[Vec<usize>], id: NodeId) -> Kept {
    let [rows, columns, inputs] = graph.kernel(id);
    let node = &graph.nodes[id];
    // A layer that goes channel by channel has one column for whatever its input has.
    let of_input = if node.op.by_channel() { &[0][..] } else { &left[node.inputs[0]] };
    let columns = (0..rows * columns).flat_map(|tap| of_input.iter().map(move |c| tap * inputs + c));
    Kept { outputs: left[id].clone(), columns: columns.collect() }
}

impl Network {
    /// The network without the channels that an assignment does not store. It computes the same: a channel that is pruned is 0
    /// everywhere, and so is what it adds.
    #[must_use]
    pub fn compact(&self, assignment: &Assignment) -> Compact {
        let left: Vec<Vec<usize>> = assignment
            .stored(&self.graph)
            .iter()
            .map(|stored| (0..stored.len()).filter(|&c| stored[c]).collect())
            .collect();
        let (mut graph, mut smaller) = (self.graph.clone(), assignment.clone());
        for (id, node) in graph.nodes.iter_mut().enumerate() {
            node.shape[2] = left[id].len();
            if node.has_weights() {
                smaller.weights[id] = left[id].iter().map(|&c| assignment.weights[id][c]).collect();
            }
        }
        // All it starts with is replaced below.
        let mut net = Self::new(graph, self.space.clone(), &mut ChaCha8Rng::seed_from_u64(0));
        net.quantisers = self.quantisers;
        net.by_passes = self.by_passes;
        net.to_device(self.device());
        // Both make their parameters in the same order, so that one index names the same in either.
        let mut places: Vec<Vec<usize>> = (0..self.params.count()).map(|id| self.all(id)).collect();
        for (id, w) in self.weighted.iter().enumerate() {
            let Some(w) = w else { continue };
            let Kept { outputs, columns } = kept(&self.graph, &left, id);
            let (channels, fan_in) = (self.graph.nodes[id].shape[2], self.graph.fan_in(id));
            let by_width = || {
                let widths = self.space.widths().len();
                (0..widths).flat_map(|b| outputs.iter().map(move |c| b * channels + c)).collect::<Vec<_>>()
            };
            places[w.weight] =
                outputs.iter().flat_map(|c| columns.iter().map(move |k| c * fan_in + k)).collect();
            places[w.bias].clone_from(&outputs);
            places[w.scales] = by_width();
            if let Some(deviation) = w.deviation {
                places[deviation] = by_width();
            }
            if let Some(gate) = w.gate {
                places[gate].clone_from(&outputs);
            }
            if let (Some(from), Some(to)) = (&w.norm, net.weighted[id].as_mut().and_then(|w| w.norm.as_mut()))
            {
                places[from.gain].clone_from(&outputs);
                let index: Vec<i64> = outputs.iter().map(|&c| c as i64).collect();
                let index = Tensor::from_slice(&index).to_device(self.device());
                to.statistics = [0, 1].map(|i| from.statistics[i].index_select(0, &index));
            }
        }
        net.params.take(&self.params, &places);
        Compact { net, assignment: smaller, left }
    }

    fn all(&self, id: ParamId) -> Vec<usize> {
        (0..self.params.len(id)).collect()
    }
}

impl Compact {
    /// What the smaller network froze to, as nodes of the graph that it was made of: codes and biases of pruned channels are 0,
    /// and so is what a step of theirs is worth.
    #[must_use]
    pub fn whole(&self, graph: &Graph, frozen: Vec<Option<Frozen>>) -> Vec<Option<Frozen>> {
        let of = |(id, frozen): (NodeId, Option<Frozen>)| {
            let frozen = frozen?;
            let (channels, fan_in) = (graph.nodes[id].shape[2], graph.fan_in(id));
            let Kept { outputs, columns } = kept(graph, &self.left, id);
            let mut out = Frozen {
                codes: vec![0; channels * fan_in],
                scale: vec![0.0; channels],
                bias: vec![0.0; channels],
            };
            for (n, &c) in outputs.iter().enumerate() {
                for (&k, &code) in columns.iter().zip(&frozen.codes[n * columns.len()..]) {
                    out.codes[c * fan_in + k] = code;
                }
                out.scale[c] = frozen.scale[n];
                out.bias[c] = frozen.bias[n];
            }
            Some(out)
        };
        frozen.into_iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arithmetic, ChoiceOptimiser, Goal, Recipe, Statistics, gradient};
    use super::*;
    use crate::model::built_in;
    use crate::space::{Space, moves};
    use rand::Rng as _;
    use tch::{Device, Kind};

    /// A network with random numbers and widths of which some channels are pruned, by moves as a descent makes them.
    fn pruned(name: &str, seed: u64) -> (Network, Assignment, Tensor) {
        tch::set_num_threads(1);
        tch::manual_seed(seed as i64);
        let graph = built_in(name).expect("it is listed");
        let space = Space { weights: vec![0, 2, 4, 8], activations: vec![2, 4, 8], per_channel: true };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut net = Network::new(graph.clone(), space.clone(), &mut rng);
        let [height, width, channels] = graph.nodes[0].shape.map(|n| n as i64);
        let x = Tensor::rand([3, height, width, channels], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
        net.calibrate(&x);
        let mut a = Assignment::widest(&graph, &space);
        for _ in 0..60 {
            let price = |_, _| 0.0;
            let all = moves(&graph, &space, &a, &price);
            a = all[rng.random_range(0..all.len())].to.clone();
        }
        // Moments, and biases that are not 0.
        let mut goal = Goal::Keep(&a);
        for _ in 0..2 {
            let error = |out: &Tensor| out.square().mean(Kind::Float);
            let (gradient, _) = gradient(&net, &x, &mut goal, 0.5, &mut rng, error).expect("no cost");
            let schedule = net.params.schedule(Recipe::BASE.pace.fine_tune, 0.0, ChoiceOptimiser::Adam);
            net.params.step(&gradient, &schedule, 1.0);
        }
        (net, a, x)
    }

    /// On every built-in network: the same outputs, gradients and integers as with what was pruned.
    #[test]
    fn what_is_pruned_takes_part_in_nothing() {
        for (seed, name) in crate::model::BUILT_IN.iter().map(|b| b.0).enumerate() {
            let (net, a, x) = pruned(name, seed as u64);
            let small = net.compact(&a);
            let channels = |g: &Graph| g.nodes.iter().map(|n| n.shape[2]).sum::<usize>();
            assert!(channels(&small.net.graph) < channels(&net.graph), "{name}: something is pruned");
            let out = |net: &Network, a: &Assignment| {
                let _guard = tch::no_grad_guard();
                let choices = net.hard_choices(a);
                net.forward(&net.params.views(), &x, Arithmetic::Fake(&choices, Statistics::Running))
            };
            let (before, after) = (out(&net, &a), out(&small.net, &small.assignment));
            let off = (&before - &after).abs().max().double_value(&[]);
            let size = before.abs().max().double_value(&[]);
            assert!(off <= 1e-4 * size && size > 0.0, "{name}: outputs of {size} are {off} off");

            let (frozen, scales) = net.freeze(&a);
            let (less, same) = small.net.freeze(&small.assignment);
            assert_eq!(scales, same, "{name}: activations have the scales they had");
            let whole = small.whole(&net.graph, less);
            let left = a.stored(&net.graph);
            for (id, (frozen, whole)) in frozen.iter().zip(&whole).enumerate() {
                let (Some(frozen), Some(whole)) = (frozen, whole) else {
                    assert!(frozen.is_none() && whole.is_none());
                    continue;
                };
                let kept = kept(&net.graph, &small.left, id);
                let fan_in = net.graph.fan_in(id);
                for (c, &left) in left[id].iter().enumerate() {
                    let row = |f: &Frozen| f.codes[c * fan_in..][..fan_in].to_vec();
                    if left {
                        assert!(
                            kept.columns.iter().all(|&k| row(frozen)[k] == row(whole)[k]),
                            "{name}: codes"
                        );
                        assert_eq!(
                            (frozen.scale[c], frozen.bias[c]),
                            (whole.scale[c], whole.bias[c]),
                            "{name}"
                        );
                    } else {
                        assert!(row(whole).iter().all(|&code| code == 0) && whole.bias[c] == 0.0, "{name}");
                    }
                }
            }
        }
    }

    /// The optimiser goes on where it was: a step of the small network moves its numbers as one of the whole network does.
    #[test]
    fn training_goes_on_alike() {
        let (mut net, a, x) = pruned("fashion", 3);
        let mut small = net.compact(&a);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut step = |net: &mut Network, a: &Assignment| {
            let error = |out: &Tensor| out.square().mean(Kind::Float);
            let (gradient, _) = gradient(net, &x, &mut Goal::Keep(a), 0.5, &mut rng, error).expect("no cost");
            let schedule = net.params.schedule(Recipe::BASE.pace.fine_tune, 0.0, ChoiceOptimiser::Adam);
            net.params.step(&gradient, &schedule, 1.0);
        };
        step(&mut net, &a);
        step(&mut small.net, &small.assignment);
        let again = net.compact(&a);
        let [one, other] = [&again.net, &small.net]
            .map(|n| Tensor::cat(&n.params.views().iter().map(|p| p.flatten(0, -1)).collect::<Vec<_>>(), 0));
        let off = (&one - &other).abs().max().double_value(&[]);
        assert!(off < 1e-4, "numbers are {off} apart after a step of 1e-3");
    }
}
