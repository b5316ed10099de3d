//! The scalar reference: what each integer layer means, written to be read. Everything else is held against it.

use crate::net::{Add, AvgPool, Conv2d, Depthwise, IntLayer, IntNet, Linear, MaxPool, Requant, Tensor};

/// Runs a network on one input.
///
/// `input` holds the codes of the input tensor, height x width x channels. The result holds the codes of every tensor,
/// by [`crate::net::TensorId`]; the network must be [valid](IntNet::validate).
///
/// # Panics
/// If `input` has another length than the input tensor.
#[must_use]
pub fn run(net: &IntNet, input: &[i32]) -> Vec<Vec<i32>> {
    assert_eq!(
        input.len(),
        net.tensors[net.input].len(),
        "the input has the size of tensor '{}'",
        net.tensors[net.input].name
    );
    let mut values: Vec<Vec<i32>> = vec![Vec::new(); net.tensors.len()];
    values[net.input] = input.to_vec();
    for layer in &net.layers {
        let tensor = |id: usize| &net.tensors[id];
        values[layer.output()] = match layer {
            IntLayer::Conv2d(l) => conv2d(l, tensor(l.input), tensor(l.output), &values[l.input]),
            IntLayer::Linear(l) => linear(l, tensor(l.input), tensor(l.output), &values[l.input]),
            IntLayer::Depthwise(l) => depthwise(l, tensor(l.input), tensor(l.output), &values[l.input]),
            IntLayer::MaxPool(l) => max_pool(l, tensor(l.input), tensor(l.output), &values[l.input]),
            IntLayer::AvgPool(l) => avg_pool(l, tensor(l.input), tensor(l.output), &values[l.input]),
            IntLayer::Add(l) => {
                let [a, b] = l.inputs;
                add(l, [tensor(a), tensor(b)], tensor(l.output), [&values[a], &values[b]])
            }
        };
    }
    values
}

/// Requantises into the output's range; a 32-bit output is not clipped.
fn requantise(q: Requant, acc: i32, y: &Tensor) -> i32 {
    let (low, high) = y.range();
    q.apply(acc).clamp(low, high)
}

/// Index of an element in height x width x channels order.
fn at(t: &Tensor, row: usize, column: usize, channel: usize) -> usize {
    (row * t.width + column) * t.channels + channel
}

/// The position `offset` steps into the window of output position `out`; `None` in the padding.
fn inside(out: usize, stride: usize, offset: usize, pad: usize, size: usize) -> Option<usize> {
    (out * stride + offset).checked_sub(pad).filter(|&at| at < size)
}

fn conv2d(l: &Conv2d, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let mut out = vec![0; y.len()];
    let [kernel_height, kernel_width] = l.kernel;
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut acc = 0i32;
                for ky in 0..kernel_height {
                    for kx in 0..kernel_width {
                        // Positions in the padding stand for the real value 0 and contribute nothing.
                        let (Some(in_row), Some(in_column)) = (
                            inside(row, l.stride[0], ky, l.pad[0], x.height),
                            inside(column, l.stride[1], kx, l.pad[1], x.width),
                        ) else {
                            continue;
                        };
                        for c in 0..x.channels {
                            let code = input[at(x, in_row, in_column, c)];
                            let w = l.weights
                                [((channel * kernel_height + ky) * kernel_width + kx) * x.channels + c];
                            acc += (code - x.zero_point) * i32::from(w);
                        }
                    }
                }
                out[at(y, row, column, channel)] = requantise(l.requant[channel], acc, y);
            }
        }
    }
    out
}

fn linear(l: &Linear, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    l.weights
        .chunks_exact(x.len())
        .zip(&l.requant)
        .map(|(row, q)| {
            let acc = input.iter().zip(row).map(|(code, w)| (code - x.zero_point) * i32::from(*w)).sum();
            requantise(*q, acc, y)
        })
        .collect()
}

fn depthwise(l: &Depthwise, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let mut out = vec![0; y.len()];
    let [kernel_height, kernel_width] = l.kernel;
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut acc = 0i32;
                for ky in 0..kernel_height {
                    for kx in 0..kernel_width {
                        let (Some(in_row), Some(in_column)) = (
                            inside(row, l.stride[0], ky, l.pad[0], x.height),
                            inside(column, l.stride[1], kx, l.pad[1], x.width),
                        ) else {
                            continue;
                        };
                        let w = l.weights[(channel * kernel_height + ky) * kernel_width + kx];
                        acc += (input[at(x, in_row, in_column, channel)] - x.zero_point) * i32::from(w);
                    }
                }
                out[at(y, row, column, channel)] = requantise(l.requant[channel], acc, y);
            }
        }
    }
    out
}

fn max_pool(l: &MaxPool, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let mut out = vec![x.range().0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for ky in 0..l.kernel[0] {
                for kx in 0..l.kernel[1] {
                    let (Some(in_row), Some(in_column)) = (
                        inside(row, l.stride[0], ky, l.pad[0], x.height),
                        inside(column, l.stride[1], kx, l.pad[1], x.width),
                    ) else {
                        continue;
                    };
                    for channel in 0..y.channels {
                        let best = &mut out[at(y, row, column, channel)];
                        *best = (*best).max(input[at(x, in_row, in_column, channel)]);
                    }
                }
            }
        }
    }
    out
}

fn avg_pool(l: &AvgPool, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let mut out = vec![0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut sum = 0;
                for ky in 0..l.kernel[0] {
                    for kx in 0..l.kernel[1] {
                        sum += input[at(x, row * l.stride[0] + ky, column * l.stride[1] + kx, channel)]
                            - x.zero_point;
                    }
                }
                out[at(y, row, column, channel)] = requantise(l.requant, sum, y);
            }
        }
    }
    out
}

fn add(l: &Add, [a, b]: [&Tensor; 2], y: &Tensor, [left, right]: [&[i32]; 2]) -> Vec<i32> {
    let (low, high) = y.range();
    left.iter()
        .zip(right)
        .map(|(p, q)| {
            let sum = (p - a.zero_point) * l.kappa[0] + (q - b.zero_point) * l.kappa[1] + l.lambda;
            (sum >> l.shift).clamp(low, high)
        })
        .collect()
}
