//! Networks with rows and columns exchanged. The kernels take four neighbours of a row at a time, so a map of 25 rows of 5 is
//! better stored as 5 rows of 25.

use super::parts;
use crate::net::{Conv2d, Depthwise, IntLayer, IntNet, Linear};

/// Share of the work that exchanging must save.
const WORTH: f64 = 0.03;

/// About what a pixel costs alone, beside one of a block of four.
const ALONE: f64 = 1.5;

/// Whether exchanged rows and columns are less work. Depends on shapes only, not on precisions or pruning.
pub(super) fn is_better(net: &IntNet) -> bool {
    let work = |sizes: fn((usize, usize)) -> (usize, usize)| -> f64 {
        net.layers
            .iter()
            .map(|l| match l {
                IntLayer::Conv2d(l) => {
                    let y = &net.tensors[l.output];
                    let (height, width) = sizes((y.height, y.width));
                    let (fours, alone) = parts(width);
                    l.weights.len() as f64
                        * height as f64
                        * (fours.next_multiple_of(4) as f64 + ALONE * alone as f64)
                }
                IntLayer::Depthwise(_)
                | IntLayer::Linear(_)
                | IntLayer::AvgPool(_)
                | IntLayer::MaxPool(_)
                | IntLayer::Add(_) => 0.0,
            })
            .sum()
    };
    work(|(height, width)| (width, height)) < (1.0 - WORTH) * work(|s| s)
}

/// The network with rows and columns exchanged: the same outputs in exchanged order.
pub(super) fn turned(net: &IntNet) -> IntNet {
    let mut out = net.clone();
    for t in &mut out.tensors {
        (t.height, t.width) = (t.width, t.height);
    }
    let pad = [1, 0, 3, 2]; // left, top, right, bottom
    for layer in &mut out.layers {
        match layer {
            IntLayer::Conv2d(Conv2d { kernel, stride, pad: p, weights, weight_bits, .. })
            | IntLayer::Depthwise(Depthwise { kernel, stride, pad: p, weights, weight_bits, .. }) => {
                let [height, width] = *kernel;
                let channels = weights.len() / (weight_bits.len() * height * width);
                turn_weights(weights, height, width, channels);
                (*kernel, *stride, *p) = (swap(*kernel), swap(*stride), pad.map(|i| p[i]));
            }
            IntLayer::Linear(Linear { input, weights, .. }) => {
                let t = &net.tensors[*input];
                turn_weights(weights, t.height, t.width, t.channels);
            }
            IntLayer::AvgPool(l) => (l.kernel, l.stride) = (swap(l.kernel), swap(l.stride)),
            IntLayer::MaxPool(l) => {
                (l.kernel, l.stride, l.pad) = (swap(l.kernel), swap(l.stride), pad.map(|i| l.pad[i]));
            }
            IntLayer::Add(_) => {}
        }
    }
    out
}

fn swap([a, b]: [usize; 2]) -> [usize; 2] {
    [b, a]
}

/// `[.., row, column, channel]` to `[.., column, row, channel]`.
fn turn_weights(weights: &mut [i8], height: usize, width: usize, channels: usize) {
    for window in weights.chunks_exact_mut(height * width * channels) {
        let from = window.to_vec();
        for (i, to) in window.iter_mut().enumerate() {
            let (column, row, channel) = (i / channels / height, i / channels % height, i % channels);
            *to = from[(row * width + column) * channels + channel];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{golden, random};

    #[test]
    fn a_turned_network_gives_turned_outputs() {
        let mut several = 0;
        for seed in 0..200 {
            let rng = &mut random::seeded(seed);
            let net = random::network(rng);
            let turned = turned(&net);
            turned.validate().expect("valid");
            let exchange = |codes: &[i32], height: usize, width: usize, channels: usize| -> Vec<i32> {
                let at = |i: usize| {
                    let (column, row, c) = (i / channels / height, i / channels % height, i % channels);
                    codes[(row * width + column) * channels + c]
                };
                (0..codes.len()).map(at).collect()
            };
            let (x, y) = (&net.tensors[net.input], &net.tensors[net.output]);
            let input = random::input(rng, &net);
            let want = golden::run(&net, &input).swap_remove(net.output);
            let got = golden::run(&turned, &exchange(&input, x.height, x.width, x.channels));
            several += usize::from(y.height * y.width > 1);
            assert_eq!(got[net.output], exchange(&want, y.height, y.width, y.channels), "seed {seed}");
        }
        assert!(several > 25, "only {several} networks have outputs of several pixels");
    }
}
