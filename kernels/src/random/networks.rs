//! Networks of a given graph with random weights.

use rand_chacha::ChaCha8Rng;

use super::{Builder, Shape};
use crate::graph::{self, Graph, Window};
use crate::net::IntNet;

/// Weight bits of a layer's `n` output channels.
pub type Widths<'a> = dyn FnMut(&mut ChaCha8Rng, usize) -> Vec<u8> + 'a;

/// A network of this graph with random weights, the given activation bits (input 8, logits 32) and weight bits.
///
/// # Panics
/// If `widths` gives another number of widths than it was asked for.
pub fn of(graph: &Graph, rng: &mut ChaCha8Rng, activation_bits: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut b = Builder::new(&graph.name, graph.nodes[0].shape, 8);
    // Every node makes one layer, so a node and the tensor it makes have the same number.
    for (id, node) in graph.nodes.iter().enumerate() {
        let Some(kind) = node.op.kind() else { continue };
        let weight_bits = if node.has_weights() { widths(rng, node.shape[2]) } else { Vec::new() };
        let out_bits = if id == graph.output() { 32 } else { activation_bits };
        let window = node.op.window().unwrap_or(Window::ONE);
        b.layer(rng, kind, &node.inputs, Shape { window, weight_bits, out_bits });
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
