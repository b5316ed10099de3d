//! Seeded random layers and networks that always validate: for tests, and for building a layer to measure.

mod networks;

use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::net::{
    Add, AvgPool, Convolution, IntNet, Layer, LayerKind, Op, Requant, Tensor, TensorId, Weights,
};
use crate::width::Width;
use crate::window::Window;

pub use networks::{Widths, built_in, of};

/// What a layer is made from; each kind takes what it has.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The window; an average has its kernel and stride alone.
    pub window: Window,
    /// Weight bits of each output channel.
    pub weight_bits: Vec<u8>,
    /// Bits of the output; a maximum has those of its input.
    pub out_bits: u8,
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

    /// Adds a layer with random numbers; returns its output.
    ///
    /// # Panics
    /// If the window does not fit, or there are other than [`LayerKind::reads`] inputs.
    pub fn layer(
        &mut self,
        rng: &mut ChaCha8Rng,
        kind: LayerKind,
        inputs: &[TensorId],
        shape: Shape,
    ) -> TensorId {
        assert_eq!(inputs.len(), kind.reads(), "a layer of kind {kind} has as many inputs");
        let Shape { window, weight_bits, out_bits } = shape;
        let x = self.net.tensors[inputs[0]].clone();
        let window = if kind.pads() { window } else { Window { pad: [0; 4], ..window } };
        let over = |channels: usize| {
            let [height, width] = window.output([x.height, x.width]).expect("the window fits");
            [height, width, channels]
        };
        let rectified = x.zero_point < 0;
        let (output, op) = match kind {
            LayerKind::Conv2d => {
                let output = self.tensor(over(weight_bits.len()), out_bits, rng.random());
                let weights = self.weights(rng, weight_bits, window.taps() * x.channels, &x, output);
                (output, Op::Conv2d(Convolution { window, weights }))
            }
            LayerKind::Depthwise => {
                let output = self.tensor(over(x.channels), out_bits, rng.random());
                let weights = self.weights(rng, weight_bits, window.taps(), &x, output);
                (output, Op::Depthwise(Convolution { window, weights }))
            }
            LayerKind::Linear => {
                let output = self.tensor([1, 1, weight_bits.len()], out_bits, false);
                (output, Op::Linear(self.weights(rng, weight_bits, x.len(), &x, output)))
            }
            LayerKind::MaxPool => (self.tensor(over(x.channels), x.bits, rectified), Op::MaxPool(window)),
            LayerKind::AvgPool => {
                let output = self.tensor(over(x.channels), out_bits, rectified);
                let requant = spread((window.taps() as i64) << x.bits, &self.net.tensors[output], 0);
                (output, Op::AvgPool(AvgPool { window, requant }))
            }
            LayerKind::Add => {
                let output = self.tensor([x.height, x.width, x.channels], out_bits, rng.random());
                let y = &self.net.tensors[output];
                let shift = 10;
                let kappa = [0, 1].map(|i| {
                    let bits = self.net.tensors[inputs[i]].bits;
                    let step = 1 << (shift + out_bits).saturating_sub(bits + 1);
                    rng.random_range(step / 2..=step.max(2))
                });
                let lambda = (y.zero_point << shift) + (1 << (shift - 1));
                (output, Op::Add(Add { kappa, lambda, shift }))
            }
        };
        let name = format!("layer{}", self.net.layers.len());
        self.net.layers.push(Layer { name, inputs: inputs.to_vec(), output, op });
        output
    }

    /// Random weights, `k` of each output channel.
    fn weights(
        &self,
        rng: &mut ChaCha8Rng,
        bits: Vec<u8>,
        k: usize,
        x: &Tensor,
        output: TensorId,
    ) -> Weights {
        let (codes, requant) = weights(rng, &bits, k, x, &self.net.tensors[output]);
        Weights { bits, codes, requant }
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

/// Bits of one of the widths.
fn one_width(rng: &mut ChaCha8Rng) -> u8 {
    Width::ALL.choose(rng).expect("there are widths").bits()
}

/// Bits of an output that may have 32.
fn out_width(rng: &mut ChaCha8Rng) -> u8 {
    let bits: Vec<u8> = Width::ALL.map(Width::bits).into_iter().chain([32]).collect();
    *bits.choose(rng).expect("there are widths")
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
    let one = one_width(rng);
    let mixed = rng.random_bool(0.6);
    (0..n).map(|_| if mixed { one_width(rng) } else { one }).collect()
}

/// A network of one random layer.
pub fn layer(rng: &mut ChaCha8Rng, kind: LayerKind) -> IntNet {
    let (largest, most) = *[(3, 5), (3, 20), (6, 5), (6, 20)].choose(rng).expect("four");
    let kernel = [rng.random_range(1..=largest), rng.random_range(1..=largest)];
    let size = |rng: &mut ChaCha8Rng, k: usize| rng.random_range(k..=k + 9);
    let (height, columns) = (size(rng, kernel[0]), size(rng, kernel[1]));
    let channels = rng.random_range(1..=most);
    let mut b = Builder::new(kind.name(), [height, columns, channels], one_width(rng));
    let stride = [rng.random_range(1..=3), rng.random_range(1..=3)];
    let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
    let outputs = if kind == LayerKind::Depthwise { channels } else { rng.random_range(1..=21) };
    let weight_bits = pruned_mix(rng, outputs);
    let mut shape = Shape { window: Window { kernel, stride, pad }, weight_bits, out_bits: one_width(rng) };
    if kind.writes_wide() {
        shape.out_bits = out_width(rng);
    }
    let out = b.layer(rng, kind, &vec![0; kind.reads()], shape);
    b.finish(out)
}

/// A random small network with every kind of layer: convolutions, depthwise layers, maxima, perhaps a residual block, pooling, a
/// linear layer; some with pruned channels.
pub fn network(rng: &mut ChaCha8Rng) -> IntNet {
    let shape = [rng.random_range(1..=9), rng.random_range(1..=11), rng.random_range(1..=9)];
    let bits = one_width(rng);
    let mut b = Builder::new("random", shape, bits);
    let mut last = 0;
    for _ in 0..rng.random_range(1..=3) {
        let x = b.net.tensors[last].clone();
        let largest = if rng.random_bool(0.2) { 5 } else { 3 };
        let kernel =
            [rng.random_range(1..=x.height.min(largest)), rng.random_range(1..=x.width.min(largest))];
        let stride = [rng.random_range(1..=2), rng.random_range(1..=2)];
        let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
        let kind = [LayerKind::Conv2d, LayerKind::Conv2d, LayerKind::Depthwise, LayerKind::MaxPool]
            [rng.random_range(0..4)];
        let channels = if kind.by_channel() { x.channels } else { rng.random_range(1..=13) };
        let weight_bits = pruned_mix(rng, channels);
        let shape = Shape { window: Window { kernel, stride, pad }, weight_bits, out_bits: one_width(rng) };
        last = b.layer(rng, kind, &[last], shape);
    }
    if rng.random_bool(0.5) {
        let x = b.net.tensors[last].clone();
        let branch = |b: &mut Builder, rng: &mut ChaCha8Rng, size: usize| {
            let window = Window { kernel: [size; 2], stride: [1, 1], pad: [size / 2; 4] };
            let weight_bits = pruned_mix(rng, x.channels);
            let shape = Shape { window, weight_bits, out_bits: one_width(rng) };
            let kind = if rng.random_bool(0.3) { LayerKind::Depthwise } else { LayerKind::Conv2d };
            b.layer(rng, kind, &[last], shape)
        };
        let (left, right) = (branch(&mut b, rng, 3), branch(&mut b, rng, 1));
        let shape = Shape { window: Window::ONE, weight_bits: Vec::new(), out_bits: one_width(rng) };
        last = b.layer(rng, LayerKind::Add, &[left, right], shape);
    }
    if rng.random_bool(0.5) {
        let x = b.net.tensors[last].clone();
        let window = Window { kernel: [x.height, x.width], ..Window::ONE };
        let shape = Shape { window, weight_bits: Vec::new(), out_bits: one_width(rng) };
        last = b.layer(rng, LayerKind::AvgPool, &[last], shape);
    }
    if rng.random_bool(0.7) {
        let outputs = rng.random_range(1..=21);
        let (weight_bits, out_bits) = (pruned_mix(rng, outputs), out_width(rng));
        last = b.layer(rng, LayerKind::Linear, &[last], Shape { window: Window::ONE, weight_bits, out_bits });
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
