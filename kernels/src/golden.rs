//! The scalar reference: what each integer layer means, written to be read. Everything else is held against it.

use crate::net::{Add, AvgPool, Convolution, IntNet, Op, Tensor, Weights};
use crate::window::Window;

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
        let (x, y) = (&net.tensors[layer.input()], &net.tensors[layer.output]);
        let input = &values[layer.input()];
        values[layer.output] = match &layer.op {
            Op::Conv2d(l) => conv2d(l, x, y, input),
            Op::Linear(weights) => linear(weights, x, y, input),
            Op::Depthwise(l) => depthwise(l, x, y, input),
            Op::MaxPool(window) => max_pool(window, x, y, input),
            Op::AvgPool(l) => avg_pool(l, x, y, input),
            Op::Add(l) => {
                let other = layer.inputs[1];
                add(l, [x, &net.tensors[other]], y, [input, &values[other]])
            }
        };
    }
    values
}

/// Index of an element in height x width x channels order.
fn at(t: &Tensor, row: usize, column: usize, channel: usize) -> usize {
    (row * t.width + column) * t.channels + channel
}

/// The position `offset` steps into the window of output position `out`; `None` in the padding.
fn inside(out: usize, stride: usize, offset: usize, pad: usize, size: usize) -> Option<usize> {
    (out * stride + offset).checked_sub(pad).filter(|&at| at < size)
}

fn conv2d(l: &Convolution, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let Convolution { window: Window { kernel: [kernel_height, kernel_width], stride, pad }, weights } = l;
    let mut out = vec![0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut acc = 0i32;
                for ky in 0..*kernel_height {
                    for kx in 0..*kernel_width {
                        // Positions in the padding stand for the real value 0 and contribute nothing.
                        let (Some(in_row), Some(in_column)) = (
                            inside(row, stride[0], ky, pad[0], x.height),
                            inside(column, stride[1], kx, pad[1], x.width),
                        ) else {
                            continue;
                        };
                        for c in 0..x.channels {
                            let code = input[at(x, in_row, in_column, c)];
                            let w = weights.codes
                                [((channel * kernel_height + ky) * kernel_width + kx) * x.channels + c];
                            acc += (code - x.zero_point) * i32::from(w);
                        }
                    }
                }
                out[at(y, row, column, channel)] = y.clip(weights.requant[channel].apply(acc));
            }
        }
    }
    out
}

fn linear(weights: &Weights, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    weights
        .codes
        .chunks_exact(x.len())
        .zip(&weights.requant)
        .map(|(row, q)| {
            let acc = input.iter().zip(row).map(|(code, w)| (code - x.zero_point) * i32::from(*w)).sum();
            y.clip(q.apply(acc))
        })
        .collect()
}

fn depthwise(l: &Convolution, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let Convolution { window: Window { kernel: [kernel_height, kernel_width], stride, pad }, weights } = l;
    let mut out = vec![0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut acc = 0i32;
                for ky in 0..*kernel_height {
                    for kx in 0..*kernel_width {
                        let (Some(in_row), Some(in_column)) = (
                            inside(row, stride[0], ky, pad[0], x.height),
                            inside(column, stride[1], kx, pad[1], x.width),
                        ) else {
                            continue;
                        };
                        let w = weights.codes[(channel * kernel_height + ky) * kernel_width + kx];
                        acc += (input[at(x, in_row, in_column, channel)] - x.zero_point) * i32::from(w);
                    }
                }
                out[at(y, row, column, channel)] = y.clip(weights.requant[channel].apply(acc));
            }
        }
    }
    out
}

fn max_pool(window: &Window, x: &Tensor, y: &Tensor, input: &[i32]) -> Vec<i32> {
    let mut out = vec![x.range().0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for ky in 0..window.kernel[0] {
                for kx in 0..window.kernel[1] {
                    let (Some(in_row), Some(in_column)) = (
                        inside(row, window.stride[0], ky, window.pad[0], x.height),
                        inside(column, window.stride[1], kx, window.pad[1], x.width),
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
    let Window { kernel, stride, .. } = l.window;
    let mut out = vec![0; y.len()];
    for row in 0..y.height {
        for column in 0..y.width {
            for channel in 0..y.channels {
                let mut sum = 0;
                for ky in 0..kernel[0] {
                    for kx in 0..kernel[1] {
                        sum += input[at(x, row * stride[0] + ky, column * stride[1] + kx, channel)]
                            - x.zero_point;
                    }
                }
                out[at(y, row, column, channel)] = y.clip(l.requant.apply(sum));
            }
        }
    }
    out
}

fn add(l: &Add, [a, b]: [&Tensor; 2], y: &Tensor, [left, right]: [&[i32]; 2]) -> Vec<i32> {
    left.iter()
        .zip(right)
        .map(|(p, q)| {
            let sum = (p - a.zero_point) * l.kappa[0] + (q - b.zero_point) * l.kappa[1] + l.lambda;
            y.clip(sum >> l.shift)
        })
        .collect()
}
