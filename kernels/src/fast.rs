//! The reference again, fast: the outputs of [`crate::golden`] for many inputs. Property tests hold it to that.
//!
//! Tensors hold centred codes (code minus zero point) of 16 bits, so that padding is 0 and dot products are sums of 16 by 16
//! bit products, which compilers turn into vector instructions. Windows are gathered into rows of contiguous codes.

use rayon::prelude::*;

use crate::net::{Add, AvgPool, Depthwise, IntLayer, IntNet, MaxPool, Requant, Tensor};

/// Codes that a dot product takes at once: rows are filled up with zeros to a multiple.
const LANES: usize = 16;

/// A network prepared to be run many times.
#[derive(Debug)]
pub struct Fast<'a> {
    net: &'a IntNet,
    layers: Vec<Prepared<'a>>,
}

#[derive(Debug)]
enum Prepared<'a> {
    Windows(Windows<'a>),
    /// Weights by tap and channel.
    Depthwise(&'a Depthwise, Vec<i16>),
    AvgPool(&'a AvgPool),
    MaxPool(&'a MaxPool),
    Add(&'a Add),
}

/// A convolution, or a linear layer as the convolution whose kernel is the whole input.
#[derive(Debug)]
struct Windows<'a> {
    input: usize,
    output: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 4],
    weight_bits: &'a [u8],
    requant: &'a [Requant],
    /// By output channel, filled up to `row` codes.
    weights: Vec<i16>,
    row: usize,
}

impl<'a> Fast<'a> {
    /// Prepares a [valid](IntNet::validate) network.
    #[must_use]
    pub fn new(net: &'a IntNet) -> Self {
        let layers = net.layers.iter().map(|layer| prepare(net, layer)).collect();
        Self { net, layers }
    }

    /// Output codes for one input (height x width x channels).
    ///
    /// # Panics
    /// If `input` has another length than the input tensor.
    #[must_use]
    pub fn run(&self, input: &[i32]) -> Vec<i32> {
        let net = self.net;
        let x = &net.tensors[net.input];
        assert_eq!(input.len(), x.len(), "the input has the size of tensor '{}'", x.name);
        let mut values: Vec<Vec<i16>> = vec![Vec::new(); net.tensors.len()];
        values[net.input] = input.iter().map(|code| (code - x.zero_point) as i16).collect();
        let mut wide = Vec::new();
        for layer in &self.layers {
            match layer {
                Prepared::Windows(l) => {
                    let y = &net.tensors[l.output];
                    let codes = l.run(&net.tensors[l.input], y, &values[l.input]);
                    values[l.output] = codes.iter().map(|code| (code - y.zero_point) as i16).collect();
                    if y.bits == 32 {
                        wide = codes;
                    }
                }
                Prepared::Depthwise(l, weights) => {
                    values[l.output] = depthwise(net, l, weights, &values[l.input]);
                }
                Prepared::AvgPool(l) => values[l.output] = avg_pool(net, l, &values[l.input]),
                Prepared::MaxPool(l) => values[l.output] = max_pool(net, l, &values[l.input]),
                Prepared::Add(l) => values[l.output] = add(net, l, &values),
            }
        }
        let y = &net.tensors[net.output];
        if y.bits == 32 {
            return wide;
        }
        values[net.output].iter().map(|&v| i32::from(v) + y.zero_point).collect()
    }

    /// Output codes for many inputs, over all cores of the host.
    #[must_use]
    pub fn run_all(&self, inputs: &[Vec<i32>]) -> Vec<Vec<i32>> {
        inputs.par_iter().map(|x| self.run(x)).collect()
    }
}

fn prepare<'a>(net: &'a IntNet, layer: &'a IntLayer) -> Prepared<'a> {
    match layer {
        IntLayer::Conv2d(l) => Prepared::Windows(Windows::new(
            [l.input, l.output],
            l.kernel,
            l.stride,
            l.pad,
            (&l.weight_bits, &l.weights, &l.requant),
        )),
        IntLayer::Linear(l) => {
            let x = &net.tensors[l.input];
            let parts = (l.weight_bits.as_slice(), l.weights.as_slice(), l.requant.as_slice());
            Prepared::Windows(Windows::new([l.input, l.output], [x.height, x.width], [1, 1], [0; 4], parts))
        }
        IntLayer::Depthwise(l) => {
            let taps = l.kernel[0] * l.kernel[1];
            let channels = l.weight_bits.len();
            let weight = |i: usize| i16::from(l.weights[i % channels * taps + i / channels]);
            Prepared::Depthwise(l, (0..taps * channels).map(weight).collect())
        }
        IntLayer::AvgPool(l) => Prepared::AvgPool(l),
        IntLayer::MaxPool(l) => Prepared::MaxPool(l),
        IntLayer::Add(l) => Prepared::Add(l),
    }
}

fn requantise(q: Requant, acc: i32, y: &Tensor) -> i32 {
    let (low, high) = y.range();
    q.apply(acc).clamp(low, high)
}

fn dot(a: &[i16], b: &[i16]) -> i32 {
    let mut sums = [0i32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for i in 0..LANES {
            sums[i] = sums[i].wrapping_add(i32::from(a[i]) * i32::from(b[i]));
        }
    }
    sums.iter().fold(0, |a, &b| a.wrapping_add(b))
}

impl<'a> Windows<'a> {
    fn new(
        [input, output]: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        pad: [usize; 4],
        (weight_bits, codes, requant): (&'a [u8], &[i8], &'a [Requant]),
    ) -> Self {
        let k = codes.len() / weight_bits.len();
        let row = k.next_multiple_of(LANES);
        let mut weights = vec![0; weight_bits.len() * row];
        for (to, from) in weights.chunks_exact_mut(row).zip(codes.chunks_exact(k)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = i16::from(from));
        }
        Self { input, output, kernel, stride, pad, weight_bits, requant, weights, row }
    }

    fn run(&self, x: &Tensor, y: &Tensor, input: &[i16]) -> Vec<i32> {
        let mut out = vec![0; y.len()];
        let mut windows = vec![0i16; y.width * self.row];
        for (row, out) in out.chunks_exact_mut(y.width * y.channels).enumerate() {
            self.gather(x, input, row, &mut windows);
            for channel in 0..y.channels {
                let weights = &self.weights[channel * self.row..][..self.row];
                let (pruned, q) = (self.weight_bits[channel] == 0, self.requant[channel]);
                for (window, out) in
                    windows.chunks_exact(self.row).zip(out[channel..].iter_mut().step_by(y.channels))
                {
                    let acc = if pruned { 0 } else { dot(window, weights) };
                    *out = requantise(q, acc, y);
                }
            }
        }
        out
    }

    /// The windows of a row of outputs, each as one row of codes; what lies in the padding is 0.
    fn gather(&self, x: &Tensor, input: &[i16], row: usize, windows: &mut [i16]) {
        let [kernel_height, kernel_width] = self.kernel;
        let span = kernel_width * x.channels;
        for (column, window) in windows.chunks_exact_mut(self.row).enumerate() {
            let first = column * self.stride[1];
            // Columns of the window that lie in the input.
            let from = self.pad[1].saturating_sub(first);
            let to = kernel_width.min((x.width + self.pad[1]).saturating_sub(first));
            for (ky, part) in window[..kernel_height * span].chunks_exact_mut(span).enumerate() {
                part.fill(0);
                let in_row = (row * self.stride[0] + ky).checked_sub(self.pad[0]).filter(|&r| r < x.height);
                if let Some(in_row) = in_row {
                    let at = (in_row * x.width + first + from - self.pad[1]) * x.channels;
                    let n = (to - from) * x.channels;
                    part[from * x.channels..][..n].copy_from_slice(&input[at..at + n]);
                }
            }
        }
    }
}

/// Calls `visit` with each output pixel and each position of its window that lies in the input: pixel, position in the window,
/// pixel of the input.
fn each_window(
    x: &Tensor,
    y: &Tensor,
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 4],
    mut visit: impl FnMut(usize, usize, usize),
) {
    for pixel in 0..y.height * y.width {
        let (row, column) = (pixel / y.width, pixel % y.width);
        for ky in 0..kernel[0] {
            let in_row = (row * stride[0] + ky).checked_sub(pad[0]).filter(|&r| r < x.height);
            for kx in 0..kernel[1] {
                let in_column = (column * stride[1] + kx).checked_sub(pad[1]).filter(|&c| c < x.width);
                if let (Some(r), Some(c)) = (in_row, in_column) {
                    visit(pixel, ky * kernel[1] + kx, r * x.width + c);
                }
            }
        }
    }
}

fn depthwise(net: &IntNet, l: &Depthwise, weights: &[i16], input: &[i16]) -> Vec<i16> {
    let (x, y) = (&net.tensors[l.input], &net.tensors[l.output]);
    let n = y.channels;
    let mut sums = vec![0i32; y.len()];
    each_window(x, y, l.kernel, l.stride, l.pad, |pixel, tap, from| {
        let codes = input[from * n..][..n].iter().zip(&weights[tap * n..][..n]);
        for (sum, (&code, &w)) in sums[pixel * n..][..n].iter_mut().zip(codes) {
            *sum += i32::from(code) * i32::from(w);
        }
    });
    centred(y, sums.iter().enumerate().map(|(i, &sum)| requantise(l.requant[i % n], sum, y)))
}

fn avg_pool(net: &IntNet, l: &AvgPool, input: &[i16]) -> Vec<i16> {
    let (x, y) = (&net.tensors[l.input], &net.tensors[l.output]);
    let n = y.channels;
    let mut sums = vec![0i32; y.len()];
    each_window(x, y, l.kernel, l.stride, [0; 4], |pixel, _, from| {
        for (sum, &code) in sums[pixel * n..][..n].iter_mut().zip(&input[from * n..][..n]) {
            *sum += i32::from(code);
        }
    });
    centred(y, sums.iter().map(|&sum| requantise(l.requant, sum, y)))
}

fn max_pool(net: &IntNet, l: &MaxPool, input: &[i16]) -> Vec<i16> {
    let (x, y) = (&net.tensors[l.input], &net.tensors[l.output]);
    let n = y.channels;
    let mut out = vec![i16::MIN; y.len()];
    each_window(x, y, l.kernel, l.stride, l.pad, |pixel, _, from| {
        for (best, &code) in out[pixel * n..][..n].iter_mut().zip(&input[from * n..][..n]) {
            *best = (*best).max(code);
        }
    });
    out
}

fn add(net: &IntNet, l: &Add, values: &[Vec<i16>]) -> Vec<i16> {
    let y = &net.tensors[l.output];
    let (low, high) = y.range();
    let codes = values[l.inputs[0]].iter().zip(&values[l.inputs[1]]).map(|(&a, &b)| {
        let sum = i32::from(a) * l.kappa[0] + i32::from(b) * l.kappa[1] + l.lambda;
        (sum >> l.shift).clamp(low, high)
    });
    centred(y, codes)
}

fn centred(y: &Tensor, codes: impl Iterator<Item = i32>) -> Vec<i16> {
    codes.map(|code| (code - y.zero_point) as i16).collect()
}
