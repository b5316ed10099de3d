//! Networks people deploy, with random weights: the four of MLPerf Tiny, and that of the `fashion` task.

use rand_chacha::ChaCha8Rng;

use super::{Builder, Shape};
use crate::net::{IntNet, TensorId};

/// Weight bits of a layer's `n` output channels.
pub type Widths<'a> = dyn FnMut(&mut ChaCha8Rng, usize) -> Vec<u8> + 'a;

/// Makes a network with the given activation bits (input 8, logits 32) and weight bits.
pub type Builds = fn(&mut ChaCha8Rng, u8, &mut Widths<'_>) -> IntNet;

/// Every network by name.
pub const NETWORKS: [(&str, Builds); 5] = [
    ("fashion", fashion),
    ("resnet8", resnet8),
    ("ds-cnn", ds_cnn),
    ("mobilenet", mobilenet),
    ("autoencoder", autoencoder),
];

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

    fn conv(&mut self, x: TensorId, kernel: usize, stride: usize, n: usize) -> TensorId {
        let shape = self.shape([kernel; 2], stride, [kernel / 2; 4], n);
        self.b.conv2d(self.rng, x, &shape)
    }

    /// Depthwise 3x3 and pointwise, from `channels` to `n`; with stride 2 padded as TensorFlow does.
    fn separable(&mut self, x: TensorId, stride: usize, channels: usize, n: usize) -> TensorId {
        let pad = if stride == 2 { [0, 0, 1, 1] } else { [1; 4] };
        let shape = self.shape([3, 3], stride, pad, channels);
        let x = self.b.depthwise(self.rng, x, &shape);
        self.conv(x, 1, 1, n)
    }

    /// A residual block: two 3x3 convolutions beside the input itself, or a pointwise one where the shape changes.
    fn residual(&mut self, x: TensorId, stride: usize, n: usize) -> TensorId {
        let main = self.conv(x, 3, stride, n);
        let main = self.conv(main, 3, 1, n);
        let side = if stride == 1 { x } else { self.conv(x, 1, stride, n) };
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
    let x = l.conv(0, 3, 1, 16);
    let x = l.residual(x, 1, 16);
    let x = l.residual(x, 2, 32);
    l.head(x, [7, 7], 10)
}

/// MLPerf Tiny image classification: ResNet-8 for 32x32x3.
pub fn resnet8(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("resnet8", [32, 32, 3], 8), rng, a, widths };
    let x = l.conv(0, 3, 1, 16);
    let x = l.residual(x, 1, 16);
    let x = l.residual(x, 2, 32);
    let x = l.residual(x, 2, 64);
    l.head(x, [8, 8], 10)
}

/// MLPerf Tiny keyword spotting: DS-CNN for 49x10x1.
pub fn ds_cnn(rng: &mut ChaCha8Rng, a: u8, widths: &mut Widths<'_>) -> IntNet {
    let mut l = Layers { b: Builder::new("ds-cnn", [49, 10, 1], 8), rng, a, widths };
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
    let stem = l.shape([3, 3], 2, [0, 0, 1, 1], 8);
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
