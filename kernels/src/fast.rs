//! The reference again, fast: the outputs of [`crate::golden`] for many inputs. Property tests hold it to that.
//!
//! Tensors hold centred codes (code minus zero point) of 16 bits, so that padding is 0 and dot products are sums of 16 by 16
//! bit products, which compilers turn into vector instructions. Windows are gathered into rows of contiguous codes.

use rayon::prelude::*;

use crate::net::{Add, AvgPool, Convolution, IntNet, Layer, Op, Tensor, Weights};
use crate::window::Window;

/// Codes that a dot product takes at once: rows are filled up with zeros to a multiple.
const LANES: usize = 16;

/// A network prepared to be run many times.
#[derive(Debug)]
pub struct Fast<'a> {
    net: &'a IntNet,
    layers: Vec<(&'a Layer, Prepared<'a>)>,
}

#[derive(Debug)]
enum Prepared<'a> {
    Windows(Windows<'a>),
    /// Weights by tap and channel.
    Depthwise(&'a Convolution, Vec<i16>),
    AvgPool(&'a AvgPool),
    MaxPool(&'a Window),
    Add(&'a Add),
}

/// A convolution, or a linear layer as the convolution whose kernel is the whole input.
#[derive(Debug)]
struct Windows<'a> {
    window: Window,
    weights: &'a Weights,
    /// Codes by output channel, each filled up to `row` codes.
    codes: Vec<i16>,
    row: usize,
}

impl<'a> Fast<'a> {
    /// Prepares a [valid](IntNet::validate) network.
    #[must_use]
    pub fn new(net: &'a IntNet) -> Self {
        let layers = net.layers.iter().map(|layer| (layer, prepare(net, layer))).collect();
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
        for (layer, prepared) in &self.layers {
            let (x, y) = (&net.tensors[layer.input()], &net.tensors[layer.output]);
            let input = &values[layer.input()];
            values[layer.output] = match prepared {
                Prepared::Windows(l) => {
                    let codes = l.run(x, y, input);
                    let narrow = centred(y, codes.iter().copied());
                    if y.bits == 32 {
                        wide = codes;
                    }
                    narrow
                }
                Prepared::Depthwise(l, weights) => depthwise(l, weights, x, y, input),
                Prepared::AvgPool(l) => avg_pool(l, x, y, input),
                Prepared::MaxPool(window) => max_pool(window, x, y, input),
                Prepared::Add(l) => add(l, y, [input, &values[layer.inputs[1]]]),
            };
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

fn prepare<'a>(net: &'a IntNet, layer: &'a Layer) -> Prepared<'a> {
    match &layer.op {
        Op::Conv2d(l) => Prepared::Windows(Windows::new(l.window, &l.weights)),
        Op::Linear(weights) => {
            let x = &net.tensors[layer.input()];
            let whole = Window { kernel: [x.height, x.width], ..Window::ONE };
            Prepared::Windows(Windows::new(whole, weights))
        }
        Op::Depthwise(l) => {
            let (taps, channels) = (l.window.taps(), l.weights.bits.len());
            let weight = |i: usize| i16::from(l.weights.codes[i % channels * taps + i / channels]);
            Prepared::Depthwise(l, (0..taps * channels).map(weight).collect())
        }
        Op::AvgPool(l) => Prepared::AvgPool(l),
        Op::MaxPool(window) => Prepared::MaxPool(window),
        Op::Add(l) => Prepared::Add(l),
    }
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
    fn new(window: Window, weights: &'a Weights) -> Self {
        let k = weights.codes.len() / weights.bits.len();
        let row = k.next_multiple_of(LANES);
        let mut codes = vec![0; weights.bits.len() * row];
        for (to, from) in codes.chunks_exact_mut(row).zip(weights.codes.chunks_exact(k)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = i16::from(from));
        }
        Self { window, weights, codes, row }
    }

    fn run(&self, x: &Tensor, y: &Tensor, input: &[i16]) -> Vec<i32> {
        let mut out = vec![0; y.len()];
        let mut windows = vec![0i16; y.width * self.row];
        for (row, out) in out.chunks_exact_mut(y.width * y.channels).enumerate() {
            self.gather(x, input, row, &mut windows);
            for channel in 0..y.channels {
                let weights = &self.codes[channel * self.row..][..self.row];
                let (pruned, q) = (self.weights.bits[channel] == 0, self.weights.requant[channel]);
                for (window, out) in
                    windows.chunks_exact(self.row).zip(out[channel..].iter_mut().step_by(y.channels))
                {
                    let acc = if pruned { 0 } else { dot(window, weights) };
                    *out = y.clip(q.apply(acc));
                }
            }
        }
        out
    }

    /// The windows of a row of outputs, each as one row of codes; what lies in the padding is 0.
    fn gather(&self, x: &Tensor, input: &[i16], row: usize, windows: &mut [i16]) {
        let Window { kernel: [kernel_height, kernel_width], stride, pad } = self.window;
        let span = kernel_width * x.channels;
        for (column, window) in windows.chunks_exact_mut(self.row).enumerate() {
            let first = column * stride[1];
            // Columns of the window that lie in the input.
            let from = pad[1].saturating_sub(first);
            let to = kernel_width.min((x.width + pad[1]).saturating_sub(first));
            for (ky, part) in window[..kernel_height * span].chunks_exact_mut(span).enumerate() {
                part.fill(0);
                let in_row = (row * stride[0] + ky).checked_sub(pad[0]).filter(|&r| r < x.height);
                if let Some(in_row) = in_row {
                    let at = (in_row * x.width + first + from - pad[1]) * x.channels;
                    let n = (to - from) * x.channels;
                    part[from * x.channels..][..n].copy_from_slice(&input[at..at + n]);
                }
            }
        }
    }
}

/// Calls `visit` with each output pixel and each position of its window that lies in the input: pixel, position in the window,
/// pixel of the input.
fn each_window(x: &Tensor, y: &Tensor, window: &Window, mut visit: impl FnMut(usize, usize, usize)) {
    let Window { kernel, stride, pad } = window;
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

fn depthwise(l: &Convolution, weights: &[i16], x: &Tensor, y: &Tensor, input: &[i16]) -> Vec<i16> {
    let n = y.channels;
    let mut sums = vec![0i32; y.len()];
    each_window(x, y, &l.window, |pixel, tap, from| {
        let codes = input[from * n..][..n].iter().zip(&weights[tap * n..][..n]);
        for (sum, (&code, &w)) in sums[pixel * n..][..n].iter_mut().zip(codes) {
            *sum += i32::from(code) * i32::from(w);
        }
    });
    centred(y, sums.iter().enumerate().map(|(i, &sum)| y.clip(l.weights.requant[i % n].apply(sum))))
}

fn avg_pool(l: &AvgPool, x: &Tensor, y: &Tensor, input: &[i16]) -> Vec<i16> {
    let n = y.channels;
    let mut sums = vec![0i32; y.len()];
    each_window(x, y, &l.window, |pixel, _, from| {
        for (sum, &code) in sums[pixel * n..][..n].iter_mut().zip(&input[from * n..][..n]) {
            *sum += i32::from(code);
        }
    });
    centred(y, sums.iter().map(|&sum| y.clip(l.requant.apply(sum))))
}

fn max_pool(window: &Window, x: &Tensor, y: &Tensor, input: &[i16]) -> Vec<i16> {
    let n = y.channels;
    let mut out = vec![i16::MIN; y.len()];
    each_window(x, y, window, |pixel, _, from| {
        for (best, &code) in out[pixel * n..][..n].iter_mut().zip(&input[from * n..][..n]) {
            *best = (*best).max(code);
        }
    });
    out
}

fn add(l: &Add, y: &Tensor, [a, b]: [&[i16]; 2]) -> Vec<i16> {
    let codes = a.iter().zip(b).map(|(&a, &b)| {
        let sum = i32::from(a) * l.kappa[0] + i32::from(b) * l.kappa[1] + l.lambda;
        y.clip(sum >> l.shift)
    });
    centred(y, codes)
}

fn centred(y: &Tensor, codes: impl Iterator<Item = i32>) -> Vec<i16> {
    codes.map(|code| (code - y.zero_point) as i16).collect()
}
