//! Which channels of each tensor are stored, and in what order.

use crate::net::{IntLayer, IntNet, Requant, Tensor, TensorId};

/// Channels of every tensor in slot order.
///
/// Tensors tied by an addition, a pooling or a depthwise layer share one order: by the widest weights that any of their
/// layers gives a channel. The network's input keeps the natural order. A channel is left out if in each of the tied
/// tensors it is the real value 0 everywhere, or nothing depends on it; one channel is always kept.
#[must_use]
pub(super) fn orders(net: &IntNet) -> Vec<Vec<usize>> {
    let roots = ties(net);
    let (zero, needed) = (zeros(net), needs(net));
    let mut widest: Vec<Vec<u8>> = net.tensors.iter().map(|t| vec![0; t.channels]).collect();
    let mut stored: Vec<Vec<bool>> = net.tensors.iter().map(|t| vec![false; t.channels]).collect();
    for layer in &net.layers {
        for (have, bits) in widest[roots[layer.output()]].iter_mut().zip(weight_bits(layer)) {
            *have = (*have).max(*bits);
        }
    }
    for t in 0..net.tensors.len() {
        for c in 0..net.tensors[t].channels {
            stored[roots[t]][c] |= !zero[t][c] && needed[t][c];
        }
    }
    let order = |t: TensorId| {
        let root = roots[t];
        let mut order: Vec<usize> = (0..net.tensors[t].channels).filter(|&c| stored[root][c]).collect();
        if order.is_empty() {
            order.push(0);
        }
        if root != roots[net.input] {
            order.sort_by_key(|&c| std::cmp::Reverse(widest[root][c]));
        }
        order
    };
    (0..net.tensors.len()).map(order).collect()
}

fn weight_bits(layer: &IntLayer) -> &[u8] {
    match layer {
        IntLayer::Conv2d(l) => &l.weight_bits,
        IntLayer::Linear(l) => &l.weight_bits,
        IntLayer::Depthwise(l) => &l.weight_bits,
        IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => &[],
    }
}

/// Whether output channels depend on the input channels of the same number only.
fn by_channel(layer: &IntLayer) -> bool {
    match layer {
        IntLayer::Conv2d(_) | IntLayer::Linear(_) => false,
        IntLayer::Depthwise(_) | IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => true,
    }
}

/// By tensor, a representative of the tensors it is tied to.
fn ties(net: &IntNet) -> Vec<TensorId> {
    let mut root: Vec<TensorId> = (0..net.tensors.len()).collect();
    for layer in net.layers.iter().filter(|l| by_channel(l)) {
        for input in layer.inputs() {
            let (from, to) = (root[input], root[layer.output()]);
            root.iter_mut().filter(|r| **r == from).for_each(|r| *r = to);
        }
    }
    root
}

/// By tensor and channel: whether it is provably the real value 0 everywhere.
fn zeros(net: &IntNet) -> Vec<Vec<bool>> {
    let mut zero: Vec<Vec<bool>> = net.tensors.iter().map(|t| vec![false; t.channels]).collect();
    let keeps = |q: Requant, y: &Tensor| q.apply(0).clamp(y.range().0, y.range().1) == y.zero_point;
    for layer in &net.layers {
        let output = layer.output();
        let y = &net.tensors[output];
        zero[output] = (0..y.channels)
            .map(|c| match layer {
                IntLayer::Conv2d(l) => l.weight_bits[c] == 0,
                IntLayer::Linear(l) => l.weight_bits[c] == 0,
                IntLayer::Depthwise(l) => l.weight_bits[c] == 0 || zero[l.input][c] && keeps(l.requant[c], y),
                IntLayer::AvgPool(l) => zero[l.input][c] && keeps(l.requant, y),
                IntLayer::MaxPool(l) => zero[l.input][c],
                IntLayer::Add(l) => {
                    let q = Requant { kappa: 0, lambda: l.lambda, shift: l.shift };
                    l.inputs.iter().all(|&i| zero[i][c]) && keeps(q, y)
                }
            })
            .collect();
    }
    zero
}

/// By tensor and channel: whether the network's output depends on it.
fn needs(net: &IntNet) -> Vec<Vec<bool>> {
    let mut needed: Vec<Vec<bool>> = net.tensors.iter().map(|t| vec![false; t.channels]).collect();
    needed[net.output].fill(true);
    for layer in net.layers.iter().rev() {
        let output = needed[layer.output()].clone();
        for input in layer.inputs() {
            for (c, need) in needed[input].iter_mut().enumerate() {
                *need |= match layer {
                    IntLayer::Conv2d(_) | IntLayer::Linear(_) => true,
                    IntLayer::Depthwise(l) => l.weight_bits[c] > 0 && output[c],
                    IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => output[c],
                };
            }
        }
    }
    // The caller fills the whole input.
    needed[net.input].fill(true);
    needed
}
