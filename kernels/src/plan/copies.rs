//! Copies of tensors whose readers need different layouts.

use crate::net::{IntLayer, IntNet, MaxPool, TensorId};

/// The network with a copy (a maximum over windows of one pixel) in front of
/// * every depthwise layer whose input cannot lie in planes, because another kind of layer reads or writes it;
/// * every padded maximum whose input needs another border.
///
/// Beside it, the layer of `net` each of its layers belongs to.
pub(super) fn with_copies(net: &IntNet) -> (IntNet, Vec<usize>) {
    let mut out = net.clone();
    out.layers.clear();
    let mut region = Vec::new();
    for (n, layer) in net.layers.iter().enumerate() {
        let mut layer = layer.clone();
        let input = layer.inputs()[0];
        let copy = match &layer {
            IntLayer::Depthwise(_) => !in_planes(net, input),
            IntLayer::MaxPool(l) => {
                let differs = net.tensors[input].zero_point != smallest(net, input);
                l.pad != [0; 4] && differs && (shared(net, input) || pruned(net, input))
            }
            IntLayer::Conv2d(_) | IntLayer::Linear(_) | IntLayer::AvgPool(_) | IntLayer::Add(_) => false,
        };
        if copy {
            let id = out.tensors.len();
            let mut tensor = net.tensors[input].clone();
            tensor.name = format!("{} for {}", tensor.name, layer.name());
            let name = format!("copy for {}", layer.name());
            let (kernel, stride, pad) = ([1, 1], [1, 1], [0; 4]);
            out.tensors.push(tensor);
            out.layers.push(IntLayer::MaxPool(MaxPool { name, input, output: id, kernel, stride, pad }));
            region.push(n);
            match &mut layer {
                IntLayer::Depthwise(l) => l.input = id,
                IntLayer::MaxPool(l) => l.input = id,
                IntLayer::Conv2d(_) | IntLayer::Linear(_) | IntLayer::AvgPool(_) | IntLayer::Add(_) => {}
            }
        }
        out.layers.push(layer);
        region.push(n);
    }
    (out, region)
}

fn readers(net: &IntNet, id: TensorId) -> impl Iterator<Item = &IntLayer> {
    net.layers.iter().filter(move |l| l.inputs().contains(&id))
}

fn smallest(net: &IntNet, id: TensorId) -> i32 {
    net.tensors[id].range().0
}

/// Whether a padded maximum shares its input with others.
fn shared(net: &IntNet, id: TensorId) -> bool {
    readers(net, id).count() > 1
}

/// Whether channels may be filled with the border's code instead of being computed.
fn pruned(net: &IntNet, id: TensorId) -> bool {
    net.layers.iter().filter(|l| l.output() == id).any(|l| match l {
        IntLayer::Conv2d(l) => l.weight_bits.contains(&0),
        IntLayer::Linear(l) => l.weight_bits.contains(&0),
        IntLayer::Depthwise(_) | IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => false,
    })
}

/// Whether a tensor can lie in planes: depthwise layers alone read it, and its writer knows how to.
pub(super) fn in_planes(net: &IntNet, id: TensorId) -> bool {
    let mut depthwise = readers(net, id).map(|l| matches!(l, IntLayer::Depthwise(_))).peekable();
    let writer = net.layers.iter().find(|l| l.output() == id);
    let writes = writer.is_none_or(|l| match l {
        IntLayer::Conv2d(_) | IntLayer::MaxPool(_) => true,
        IntLayer::Linear(_) | IntLayer::Depthwise(_) | IntLayer::AvgPool(_) | IntLayer::Add(_) => false,
    });
    depthwise.peek().is_some() && depthwise.all(|d| d) && writes && id != net.output
}

/// The code of a tensor's border: the zero point for convolutions, the smallest code for a maximum.
pub(super) fn border_code(net: &IntNet, id: TensorId) -> i32 {
    let maximum = readers(net, id).any(|l| match l {
        IntLayer::MaxPool(l) => l.pad != [0; 4],
        IntLayer::Conv2d(_)
        | IntLayer::Depthwise(_)
        | IntLayer::Linear(_)
        | IntLayer::AvgPool(_)
        | IntLayer::Add(_) => false,
    });
    if maximum { smallest(net, id) } else { net.tensors[id].zero_point }
}
