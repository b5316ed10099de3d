//! Networks of a given graph with random weights.

use rand_chacha::ChaCha8Rng;

use super::{Builder, Shape};
use crate::graph::{self, Graph, Op, Window};
use crate::net::IntNet;

/// Weight bits of a layer's `n` output channels.
pub type Widths<'a> = dyn FnMut(&mut ChaCha8Rng, usize) -> Vec<u8> + 'a;

/// A network of this graph with random weights, the given activation bits (input 8, logits 32) and weight bits.
///
/// # Panics
/// If `widths` gives another number of widths than it was asked for.
pub fn of(graph: &Graph, rng: &mut ChaCha8Rng, activation_bits: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut b = Builder::new(&graph.name, graph.nodes[0].shape, 8);
    let mut shape = |rng: &mut ChaCha8Rng, window: Window, channels: usize| {
        let Window { kernel, stride, pad } = window;
        Shape { kernel, stride, pad, weight_bits: widths(rng, channels), out_bits: activation_bits }
    };
    // Every node makes one layer, so a node and the tensor it makes have the same number.
    for (id, node) in graph.nodes.iter().enumerate() {
        let channels = node.shape[2];
        match node.op {
            Op::Input => continue,
            Op::Conv { window, .. } => {
                let shape = shape(rng, window, channels);
                b.conv2d(rng, node.inputs[0], &shape)
            }
            Op::Depthwise { window, .. } => {
                let shape = shape(rng, window, channels);
                b.depthwise(rng, node.inputs[0], &shape)
            }
            Op::Linear { .. } => {
                let Shape { weight_bits, .. } = shape(rng, Window::ONE, channels);
                let bits = if id == graph.output() { 32 } else { activation_bits };
                b.linear(rng, node.inputs[0], weight_bits, bits)
            }
            Op::Add { .. } => b.add(rng, [node.inputs[0], node.inputs[1]], activation_bits),
            Op::AvgPool { window } => {
                b.avg_pool(node.inputs[0], window.kernel, window.stride, activation_bits)
            }
            Op::MaxPool { window } => {
                let Window { kernel, stride, pad } = window;
                let shape = Shape { kernel, stride, pad, weight_bits: Vec::new(), out_bits: activation_bits };
                b.max_pool(node.inputs[0], &shape)
            }
        };
    }
    b.finish(graph.output())
}

/// As [`of`], for a built-in network; see [`graph::BUILT_IN`].
///
/// # Panics
/// If there is no network of that name.
pub fn built_in(name: &str, rng: &mut ChaCha8Rng, activation_bits: u8, widths: &mut Widths<'_>) -> IntNet {
    let graph = graph::built_in(name).unwrap_or_else(|| panic!("there is no built-in network '{name}'"));
    of(&graph, rng, activation_bits, widths)
}
