//! Which channels of each tensor are stored, and in what order.

use crate::net::{IntNet, TensorId};

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
        let bits = layer.op.weights().into_iter().flat_map(|w| &w.bits);
        for (have, bits) in widest[roots[layer.output]].iter_mut().zip(bits) {
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

/// By tensor, a representative of the tensors it is tied to.
fn ties(net: &IntNet) -> Vec<TensorId> {
    let mut root: Vec<TensorId> = (0..net.tensors.len()).collect();
    for layer in net.layers.iter().filter(|l| l.kind().by_channel()) {
        for &input in &layer.inputs {
            let (from, to) = (root[input], root[layer.output]);
            root.iter_mut().filter(|r| **r == from).for_each(|r| *r = to);
        }
    }
    root
}

/// By tensor and channel: whether it is provably the real value 0 everywhere.
fn zeros(net: &IntNet) -> Vec<Vec<bool>> {
    let mut zero: Vec<Vec<bool>> = net.tensors.iter().map(|t| vec![false; t.channels]).collect();
    for layer in &net.layers {
        let y = &net.tensors[layer.output];
        let of = |c: usize| {
            let pruned = layer.op.weights().is_some_and(|w| w.bits[c] == 0);
            let reads_zeros = layer.kind().by_channel() && layer.inputs.iter().all(|&i| zero[i][c]);
            pruned || reads_zeros && layer.op.code_of_zeros(c, y) == y.zero_point
        };
        zero[layer.output] = (0..y.channels).map(of).collect();
    }
    zero
}

/// By tensor and channel: whether the network's output depends on it.
fn needs(net: &IntNet) -> Vec<Vec<bool>> {
    let mut needed: Vec<Vec<bool>> = net.tensors.iter().map(|t| vec![false; t.channels]).collect();
    needed[net.output].fill(true);
    for layer in net.layers.iter().rev() {
        let output = needed[layer.output].clone();
        let reads = |c: usize| {
            let pruned = || layer.op.weights().is_some_and(|w| w.bits[c] == 0);
            !layer.kind().by_channel() || output[c] && !pruned()
        };
        for &input in &layer.inputs {
            for (c, need) in needed[input].iter_mut().enumerate() {
                *need |= reads(c);
            }
        }
    }
    // The caller fills the whole input.
    needed[net.input].fill(true);
    needed
}
