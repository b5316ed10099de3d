//! Networks with rows and columns exchanged. The kernels take four neighbours of a row at a time, so a map of 25 rows of 5 is
//! better stored as 5 rows of 25.

use super::parts;
use crate::net::{IntNet, Layer};

/// Share of the work that exchanging must save.
const WORTH: f64 = 0.03;

/// About what a pixel costs alone, beside one of a block of four.
const ALONE: f64 = 1.5;

/// Whether exchanged rows and columns are less work. Depends on shapes only, not on precisions or pruning.
pub(super) fn is_better(net: &IntNet) -> bool {
    // Convolutions alone: they do most of the work, and the other kernels take pixels one by one.
    let convolutions = || {
        let convolution = |l: &&Layer| !l.kind().by_channel() && l.kind().windowed();
        let weights = |l: &Layer| l.op.weights().map_or(0, |w| w.codes.len());
        net.layers.iter().filter(convolution).map(move |l| (&net.tensors[l.output], weights(l)))
    };
    let work = |sizes: fn((usize, usize)) -> (usize, usize)| -> f64 {
        convolutions()
            .map(|(y, weights)| {
                let (height, width) = sizes((y.height, y.width));
                let (fours, alone) = parts(width);
                weights as f64 * height as f64 * (fours.next_multiple_of(4) as f64 + ALONE * alone as f64)
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
    for layer in &mut out.layers {
        let x = &net.tensors[layer.inputs[0]];
        // Weights lie by row and column of their kernel, those of a linear layer of its whole input.
        let kernel = layer.op.window().map_or([x.height, x.width], |w| w.kernel);
        if let Some(weights) = layer.op.weights_mut() {
            let per_output = weights.codes.len() / weights.bits.len();
            turn_weights(&mut weights.codes, kernel, per_output);
        }
        if let Some(window) = layer.op.window_mut() {
            *window = window.turned();
        }
    }
    out
}

/// `[output, row, column, channel]` to `[output, column, row, channel]`, with `per_output` weights for each output.
fn turn_weights(weights: &mut [i8], [height, width]: [usize; 2], per_output: usize) {
    let channels = per_output / (height * width);
    for window in weights.chunks_exact_mut(per_output) {
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
