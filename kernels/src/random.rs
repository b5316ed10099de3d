//! Seeded random layers and networks that always validate: for tests, and for building a layer to measure.

mod networks;

use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::net::{
    Add, AvgPool, Conv2d, Depthwise, IntLayer, IntNet, Linear, MaxPool, Requant, Tensor, TensorId,
};

pub use networks::{Widths, built_in, of};

const WIDTHS: [u8; 3] = [2, 4, 8];

/// Shape of a convolution.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pad: [usize; 4],
    /// Weight bits of each output channel.
    pub weight_bits: Vec<u8>,
    /// Bits of the output.
    pub out_bits: u8,
}

impl Shape {
    /// Output height and width for an input.
    fn out_size(&self, x: &Tensor) -> [usize; 2] {
        let Self { kernel, stride, pad, .. } = self;
        [
            (x.height + pad[0] + pad[2] - kernel[0]) / stride[0] + 1,
            (x.width + pad[1] + pad[3] - kernel[1]) / stride[1] + 1,
        ]
    }
}

/// A network under construction.
#[derive(Debug)]
pub struct Builder {
    net: IntNet,
}

impl Builder {
    /// Starts with an input of the given height, width, channels and bits.
    #[must_use]
    pub fn new(name: &str, shape: [usize; 3], bits: u8) -> Self {
        let net = IntNet {
            format: IntNet::FORMAT.into(),
            version: IntNet::VERSION,
            name: name.into(),
            tensors: Vec::new(),
            layers: Vec::new(),
            input: 0,
            output: 0,
        };
        let mut b = Self { net };
        b.tensor(shape, bits, true);
        b
    }

    /// Adds a tensor; behind a `ReLU` the zero point is the smallest code, else 0.
    fn tensor(&mut self, [height, width, channels]: [usize; 3], bits: u8, relu: bool) -> TensorId {
        let id = self.net.tensors.len();
        let zero_point = if relu && bits < 32 { -(1 << (bits - 1)) } else { 0 };
        self.net.tensors.push(Tensor {
            name: format!("t{id}"),
            height,
            width,
            channels,
            bits,
            zero_point,
            scale: 1.0,
        });
        id
    }

    fn name(&self) -> String {
        format!("layer{}", self.net.layers.len())
    }

    /// A convolution with random weights; returns its output.
    pub fn conv2d(&mut self, rng: &mut ChaCha8Rng, input: TensorId, shape: &Shape) -> TensorId {
        let Shape { kernel, stride, pad, ref weight_bits, out_bits } = *shape;
        let weight_bits = weight_bits.clone();
        let x = self.net.tensors[input].clone();
        let [height, width] = shape.out_size(&x);
        let relu = rng.random();
        let output = self.tensor([height, width, weight_bits.len()], out_bits, relu);
        let k = kernel[0] * kernel[1] * x.channels;
        let (weights, requant) = weights(rng, &weight_bits, k, &x, &self.net.tensors[output]);
        let name = self.name();
        let layer = Conv2d { name, input, output, kernel, stride, pad, weight_bits, weights, requant };
        self.net.layers.push(IntLayer::Conv2d(layer));
        output
    }

    /// A depthwise convolution with random weights, one weight width per input channel; returns its output.
    pub fn depthwise(&mut self, rng: &mut ChaCha8Rng, input: TensorId, shape: &Shape) -> TensorId {
        let Shape { kernel, stride, pad, ref weight_bits, out_bits } = *shape;
        let weight_bits = weight_bits.clone();
        let x = self.net.tensors[input].clone();
        let [height, width] = shape.out_size(&x);
        let relu = rng.random();
        let output = self.tensor([height, width, x.channels], out_bits, relu);
        let k = kernel[0] * kernel[1];
        let (weights, requant) = weights(rng, &weight_bits, k, &x, &self.net.tensors[output]);
        let name = self.name();
        let layer = Depthwise { name, input, output, kernel, stride, pad, weight_bits, weights, requant };
        self.net.layers.push(IntLayer::Depthwise(layer));
        output
    }

    /// A max pooling (the weight bits and output bits of `shape` are not used); returns its output.
    pub fn max_pool(&mut self, input: TensorId, shape: &Shape) -> TensorId {
        let Shape { kernel, stride, pad, .. } = *shape;
        let x = self.net.tensors[input].clone();
        let [height, width] = shape.out_size(&x);
        let output = self.tensor([height, width, x.channels], x.bits, x.zero_point < 0);
        let name = self.name();
        self.net.layers.push(IntLayer::MaxPool(MaxPool { name, input, output, kernel, stride, pad }));
        output
    }

    /// A fully connected layer with random weights; returns its output.
    pub fn linear(
        &mut self,
        rng: &mut ChaCha8Rng,
        input: TensorId,
        weight_bits: Vec<u8>,
        out_bits: u8,
    ) -> TensorId {
        let x = self.net.tensors[input].clone();
        let output = self.tensor([1, 1, weight_bits.len()], out_bits, false);
        let (weights, requant) = weights(rng, &weight_bits, x.len(), &x, &self.net.tensors[output]);
        let name = self.name();
        self.net.layers.push(IntLayer::Linear(Linear { name, input, output, weight_bits, weights, requant }));
        output
    }

    /// An average pooling; returns its output.
    pub fn avg_pool(
        &mut self,
        input: TensorId,
        kernel: [usize; 2],
        stride: [usize; 2],
        out_bits: u8,
    ) -> TensorId {
        let x = self.net.tensors[input].clone();
        let shape =
            [(x.height - kernel[0]) / stride[0] + 1, (x.width - kernel[1]) / stride[1] + 1, x.channels];
        let output = self.tensor(shape, out_bits, x.zero_point < 0);
        let n = (kernel[0] * kernel[1]) as i64;
        let requant = spread(n << x.bits, &self.net.tensors[output], 0);
        let name = self.name();
        self.net.layers.push(IntLayer::AvgPool(AvgPool { name, input, output, kernel, stride, requant }));
        output
    }

    /// The sum of two tensors of one shape; returns its output.
    pub fn add(&mut self, rng: &mut ChaCha8Rng, inputs: [TensorId; 2], out_bits: u8) -> TensorId {
        let x = self.net.tensors[inputs[0]].clone();
        let relu = rng.random();
        let output = self.tensor([x.height, x.width, x.channels], out_bits, relu);
        let y = &self.net.tensors[output];
        let shift = 10;
        let kappa = inputs.map(|id| {
            let step = 1 << (shift + out_bits).saturating_sub(self.net.tensors[id].bits + 1);
            rng.random_range(step / 2..=step.max(2))
        });
        let lambda = (y.zero_point << shift) + (1 << (shift - 1));
        let name = self.name();
        self.net.layers.push(IntLayer::Add(Add { name, inputs, output, kappa, lambda, shift }));
        output
    }

    /// The network, with the given output.
    #[must_use]
    pub fn finish(mut self, output: TensorId) -> IntNet {
        self.net.output = output;
        self.net
    }
}

/// Requantisation that spreads accumulators of magnitude `worst` over the output's codes.
fn spread(worst: i64, y: &Tensor, bias: i64) -> Requant {
    // kappa * worst stays below 2^29, the rest leaves room for lambda.
    let kappa = ((1i64 << 29) / worst.max(1)).clamp(1, 255) as i32;
    if y.bits == 32 {
        return Requant { kappa, lambda: 1 << 3, shift: 4 };
    }
    let shift =
        (64 - (worst.max(1) * i64::from(kappa)).leading_zeros() as u8).saturating_sub(y.bits + 1).min(24);
    let half = if shift > 0 { 1i64 << (shift - 1) } else { 0 };
    let centre = i64::from(y.zero_point) << shift;
    Requant { kappa, lambda: (centre + half + bias) as i32, shift }
}

fn weights(rng: &mut ChaCha8Rng, bits: &[u8], k: usize, x: &Tensor, y: &Tensor) -> (Vec<i8>, Vec<Requant>) {
    let (mut codes, mut requant) = (Vec::with_capacity(bits.len() * k), Vec::new());
    for &b in bits {
        let row: Vec<i8> = match b {
            0 => vec![0; k],
            b => {
                let half = 1i16 << (b - 1);
                (0..k).map(|_| rng.random_range(-half..half) as i8).collect()
            }
        };
        let sum: i64 = row.iter().map(|w| i64::from(w.unsigned_abs())).sum();
        let worst = sum << x.bits;
        // A quarter of the bound: random sums stay far from the worst case.
        let mut q = spread((worst / 4).max(1), y, 0);
        while worst * i64::from(q.kappa) + i64::from(q.lambda).abs() >= 1 << 31 && q.kappa > 1 {
            q.kappa /= 2;
            q.shift = q.shift.saturating_sub(1);
            q.lambda /= 2;
        }
        codes.extend(row);
        requant.push(q);
    }
    (codes, requant)
}

/// Weight bits of `n` channels as [`mix`], in one of four layers with channels pruned at random.
pub fn pruned_mix(rng: &mut ChaCha8Rng, n: usize) -> Vec<u8> {
    let mut bits = mix(rng, n);
    if rng.random_bool(0.25) {
        let share = rng.random_range(0.1..0.9);
        bits.iter_mut().filter(|_| rng.random_bool(share)).for_each(|b| *b = 0);
    }
    bits
}

/// Weight bits of `n` channels: one width, or a random mix.
pub fn mix(rng: &mut ChaCha8Rng, n: usize) -> Vec<u8> {
    let one = *WIDTHS.choose(rng).expect("three widths");
    let mixed = rng.random_bool(0.6);
    (0..n).map(|_| if mixed { *WIDTHS.choose(rng).expect("three widths") } else { one }).collect()
}

/// Kinds of layer that [`layer`] makes.
pub const KINDS: [&str; 6] = ["conv2d", "depthwise", "linear", "max_pool", "avg_pool", "add"];

/// A network of one random layer of a kind in [`KINDS`].
pub fn layer(rng: &mut ChaCha8Rng, kind: &str) -> IntNet {
    let width = |rng: &mut ChaCha8Rng| *WIDTHS.choose(rng).expect("three widths");
    let (largest, most) = *[(3, 5), (3, 20), (6, 5), (6, 20)].choose(rng).expect("four");
    let kernel = [rng.random_range(1..=largest), rng.random_range(1..=largest)];
    let size = |rng: &mut ChaCha8Rng, k: usize| rng.random_range(k..=k + 9);
    let (height, columns) = (size(rng, kernel[0]), size(rng, kernel[1]));
    let channels = rng.random_range(1..=most);
    let mut b = Builder::new(kind, [height, columns, channels], width(rng));
    let stride = [rng.random_range(1..=3), rng.random_range(1..=3)];
    let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
    let outputs = if kind == "depthwise" { channels } else { rng.random_range(1..=21) };
    let shape = Shape { kernel, stride, pad, weight_bits: pruned_mix(rng, outputs), out_bits: width(rng) };
    let out = match kind {
        "conv2d" => b.conv2d(rng, 0, &shape),
        "depthwise" => b.depthwise(rng, 0, &shape),
        "linear" => {
            let bits = *[2, 4, 8, 32].choose(rng).expect("four widths");
            b.linear(rng, 0, shape.weight_bits, bits)
        }
        "max_pool" => b.max_pool(0, &shape),
        "avg_pool" => b.avg_pool(0, kernel, stride, shape.out_bits),
        "add" => b.add(rng, [0, 0], shape.out_bits),
        other => panic!("no layer of kind '{other}'"),
    };
    b.finish(out)
}

/// A random small network with every kind of layer: convolutions, depthwise layers, maxima, perhaps a residual block, pooling, a
/// linear layer; some with pruned channels.
pub fn network(rng: &mut ChaCha8Rng) -> IntNet {
    let width = |rng: &mut ChaCha8Rng| *WIDTHS.choose(rng).expect("three widths");
    let shape = [rng.random_range(1..=9), rng.random_range(1..=11), rng.random_range(1..=9)];
    let bits = width(rng);
    let mut b = Builder::new("random", shape, bits);
    let mut last = 0;
    for _ in 0..rng.random_range(1..=3) {
        let x = b.net.tensors[last].clone();
        let largest = if rng.random_bool(0.2) { 5 } else { 3 };
        let kernel =
            [rng.random_range(1..=x.height.min(largest)), rng.random_range(1..=x.width.min(largest))];
        let stride = [rng.random_range(1..=2), rng.random_range(1..=2)];
        let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
        let kind = rng.random_range(0..4);
        let channels = if kind < 2 { rng.random_range(1..=13) } else { x.channels };
        let shape =
            Shape { kernel, stride, pad, weight_bits: pruned_mix(rng, channels), out_bits: width(rng) };
        last = match kind {
            0 | 1 => b.conv2d(rng, last, &shape),
            2 => b.depthwise(rng, last, &shape),
            _ => b.max_pool(last, &shape),
        };
    }
    if rng.random_bool(0.5) {
        let x = b.net.tensors[last].clone();
        let branch = |b: &mut Builder, rng: &mut ChaCha8Rng, size: usize| {
            let pad = [size / 2; 4];
            let weight_bits = pruned_mix(rng, x.channels);
            let shape = Shape { kernel: [size; 2], stride: [1, 1], pad, weight_bits, out_bits: width(rng) };
            if rng.random_bool(0.3) { b.depthwise(rng, last, &shape) } else { b.conv2d(rng, last, &shape) }
        };
        let (left, right) = (branch(&mut b, rng, 3), branch(&mut b, rng, 1));
        let out = width(rng);
        last = b.add(rng, [left, right], out);
    }
    if rng.random_bool(0.5) {
        let x = b.net.tensors[last].clone();
        let out = width(rng);
        last = b.avg_pool(last, [x.height, x.width], [1, 1], out);
    }
    if rng.random_bool(0.7) {
        let outputs = rng.random_range(1..=21);
        let (bits, out) = (pruned_mix(rng, outputs), *[2, 4, 8, 32].choose(rng).expect("four widths"));
        last = b.linear(rng, last, bits, out);
    }
    b.finish(last)
}

/// A generator that always gives the same sequence for a seed.
#[must_use]
pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Random codes for the network's input.
pub fn input(rng: &mut ChaCha8Rng, net: &IntNet) -> Vec<i32> {
    let t = &net.tensors[net.input];
    let (low, high) = t.range();
    (0..t.len()).map(|_| rng.random_range(low..=high)).collect()
}
