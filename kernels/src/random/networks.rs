//! Networks people deploy, with random weights: the four of MLPerf Tiny, and that of the `fashion` task.

use rand_chacha::ChaCha8Rng;

use super::{Builder, Shape};
use crate::net::{IntNet, TensorId};

/// Weight bits of a layer's `n` output channels.
pub type Widths<'a> = dyn FnMut(&mut ChaCha8Rng, usize) -> Vec<u8> + 'a;

/// Makes a network with the given activation bits (input 8, logits 32) and weight bits.
pub type Builds = fn(&mut ChaCha8Rng, u8, &mut Widths<'_>) -> IntNet;

/// Every network by name, layer by layer those that `nas-search` knows under it.
pub const NETWORKS: [(&str, Builds); 5] = [
    ("fashion", fashion),
    ("resnet8", resnet8),
    ("dscnn", ds_cnn),
    ("mobilenet", mobilenet),
    ("autoencoder", autoencoder),
];

/// Padding of a 3x3 kernel with stride 1, and with stride 2 on an image of even sides as TensorFlow does it.
const SAME: [usize; 4] = [1; 4];
const SAME_HALVING: [usize; 4] = [0, 0, 1, 1];

/// A network under construction, with what its layers have in common.
struct Layers<'a, 'w> {
    b: Builder,
    rng: &'a mut ChaCha8Rng,
    a: u8,
    widths: &'a mut Widths<'w>,
}

impl Layers<'_, '_> {
    fn shape(&mut self, kernel: [usize; 2], stride: usize, pad: [usize; 4], n: usize) -> Shape {
        let weight_bits = (self.widths)(self.rng, n);
        Shape { kernel, stride: [stride; 2], pad, weight_bits, out_bits: self.a }
    }

    fn pointwise(&mut self, x: TensorId, stride: usize, n: usize) -> TensorId {
        let shape = self.shape([1, 1], stride, [0; 4], n);
        self.b.conv2d(self.rng, x, &shape)
    }

    /// A 3x3 convolution of stride 1.
    fn conv(&mut self, x: TensorId, n: usize) -> TensorId {
        let shape = self.shape([3, 3], 1, SAME, n);
        self.b.conv2d(self.rng, x, &shape)
    }

    /// Depthwise 3x3 and pointwise, from `channels` to `n`.
    fn separable(&mut self, x: TensorId, stride: usize, channels: usize, n: usize) -> TensorId {
        let pad = if stride == 2 { SAME_HALVING } else { SAME };
        let shape = self.shape([3, 3], stride, pad, channels);
        let x = self.b.depthwise(self.rng, x, &shape);
        self.pointwise(x, 1, n)
    }

    /// A residual block: two 3x3 convolutions beside the input itself.
    fn residual(&mut self, x: TensorId, n: usize) -> TensorId {
        let main = self.conv(x, n);
        let main = self.conv(main, n);
        self.b.add(self.rng, [x, main], self.a)
    }

    /// A residual block that halves the image: the first convolution has stride 2, and a pointwise one is beside it.
    fn halving(&mut self, x: TensorId, pad: [usize; 4], n: usize) -> TensorId {
        let shape = self.shape([3, 3], 2, pad, n);
        let main = self.b.conv2d(self.rng, x, &shape);
        let main = self.conv(main, n);
        let side = self.pointwise(x, 2, n);
        self.b.add(self.rng, [side, main], self.a)
    }

    fn linear(&mut self, x: TensorId, n: usize, out_bits: u8) -> TensorId {
        let bits = (self.widths)(self.rng, n);
        self.b.linear(self.rng, x, bits, out_bits)
    }

    /// Global average and classifier.
    fn head(mut self, x: TensorId, window: [usize; 2], classes: usize) -> IntNet {
        let pooled = self.b.avg_pool(x, window, [1, 1], self.a);
        let logits = self.linear(pooled, classes, 32);
        self.b.finish(logits)
    }
}

/// The small residual network of the `fashion` task: 14x14x1 input, two residual blocks, 10 classes.
pub fn fashion(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("fashion", [14, 14, 1], 8), rng, a, widths };
    let x = l.conv(0, 16);
    let x = l.residual(x, 16);
    let x = l.halving(x, SAME, 32);
    l.head(x, [7, 7], 10)
}

/// MLPerf Tiny image classification: ResNet-8 for 32x32x3.
pub fn resnet8(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("resnet8", [32, 32, 3], 8), rng, a, widths };
    let x = l.conv(0, 16);
    let x = l.residual(x, 16);
    let x = l.halving(x, SAME_HALVING, 32);
    let x = l.halving(x, SAME_HALVING, 64);
    l.head(x, [8, 8], 10)
}

/// MLPerf Tiny keyword spotting: DS-CNN for 49x10x1.
pub fn ds_cnn(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("dscnn", [49, 10, 1], 8), rng, a, widths };
    let stem = l.shape([10, 4], 2, [4, 1, 5, 1], 64);
    let mut x = l.b.conv2d(l.rng, 0, &stem);
    for _ in 0..4 {
        x = l.separable(x, 1, 64, 64);
    }
    l.head(x, [25, 5], 12)
}

/// MLPerf Tiny visual wake words: MobileNetV1 0.25 for 96x96x3.
pub fn mobilenet(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("mobilenet", [96, 96, 3], 8), rng, a, widths };
    let stem = l.shape([3, 3], 2, SAME_HALVING, 8);
    let mut x = l.b.conv2d(l.rng, 0, &stem);
    let mut channels = 8;
    let pairs = [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128)]
        .into_iter()
        .chain([(1, 128); 5])
        .chain([(2, 256), (1, 256)]);
    for (stride, n) in pairs {
        x = l.separable(x, stride, channels, n);
        channels = n;
    }
    l.head(x, [3, 3], 2)
}

/// MLPerf Tiny anomaly detection: an autoencoder of ten linear layers for 640 values.
pub fn autoencoder(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("autoencoder", [1, 1, 640], 8), rng, a, widths };
    let mut x = 0;
    for n in [128, 128, 128, 128, 8, 128, 128, 128, 128] {
        x = l.linear(x, n, a);
    }
    let out = l.linear(x, 640, 32);
    l.b.finish(out)
}
