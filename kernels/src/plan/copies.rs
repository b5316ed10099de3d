//! Copies of tensors whose readers need different layouts.

use crate::net::{IntNet, Layer, Op, TensorId};
use crate::window::Window;

/// The network with a copy (a maximum over windows of one pixel) in front of
/// * every layer that reads planes and whose input cannot lie in them, because another kind of layer reads or writes it;
/// * every layer that needs another border around its input than the zero point, which others share.
///
/// Beside it, the layer of `net` each of its layers belongs to.
pub(super) fn with_copies(net: &IntNet) -> (IntNet, Vec<usize>) {
    let mut out = net.clone();
    out.layers.clear();
    let mut region = Vec::new();
    for (n, layer) in net.layers.iter().enumerate() {
        let mut layer = layer.clone();
        let input = layer.input();
        let copy = if layer.kind().reads_planes() {
            !in_planes(net, input)
        } else {
            other_border(net, &layer).is_some() && (shared(net, input) || pruned(net, input))
        };
        if copy {
            let id = out.tensors.len();
            let mut tensor = net.tensors[input].clone();
            tensor.name = format!("{} for {}", tensor.name, layer.name);
            let name = format!("copy for {}", layer.name);
            out.tensors.push(tensor);
            out.layers.push(Layer { name, inputs: vec![input], output: id, op: Op::MaxPool(Window::ONE) });
            region.push(n);
            layer.inputs[0] = id;
        }
        out.layers.push(layer);
        region.push(n);
    }
    (out, region)
}

fn readers(net: &IntNet, id: TensorId) -> impl Iterator<Item = &Layer> {
    net.layers.iter().filter(move |l| l.inputs.contains(&id))
}

/// The code that a layer needs around its (first) input, if that is not the zero point.
fn other_border(net: &IntNet, layer: &Layer) -> Option<i32> {
    let x = &net.tensors[layer.input()];
    layer.op.padding_code(x).filter(|&code| code != x.zero_point)
}

/// Whether a layer shares its input with others.
fn shared(net: &IntNet, id: TensorId) -> bool {
    readers(net, id).count() > 1
}

/// Whether channels may be filled with the border's code instead of being computed.
fn pruned(net: &IntNet, id: TensorId) -> bool {
    let in_blocks = |l: &&Layer| !l.kind().by_channel() && l.output == id;
    let has_pruned = |l: &Layer| l.op.weights().is_some_and(|w| w.bits.contains(&0));
    net.layers.iter().filter(in_blocks).any(has_pruned)
}

/// Whether a tensor can lie in planes: only layers that read planes read it, and its writer knows how to.
pub(super) fn in_planes(net: &IntNet, id: TensorId) -> bool {
    let mut planes = readers(net, id).map(|l| l.kind().reads_planes()).peekable();
    let writer = net.layers.iter().find(|l| l.output == id);
    let writes = writer.is_none_or(|l| l.kind().writes_planes());
    planes.peek().is_some() && planes.all(|p| p) && writes && id != net.output
}

/// The code of a tensor's border: the zero point, unless a reader needs another (a maximum the smallest code).
pub(super) fn border_code(net: &IntNet, id: TensorId) -> i32 {
    let other = readers(net, id).find_map(|l| other_border(net, l));
    other.unwrap_or(net.tensors[id].zero_point)
}
