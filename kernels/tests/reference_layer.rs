//! The reference layer of the field: 16x16x32 input, 64 filters 3x3, stride 1, padding 1.

use mpic_kernels::pack::Pair;
use mpic_kernels::random::{self, Builder, Shape};
use mpic_kernels::{deploy, golden, simulate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// MACs of the layer.
const MACS: f64 = 4_718_592.0;

/// MAC/cycle of the published table for a8, a4, a2 with w8, w4, w2.
const PUBLISHED: [f64; 9] = [2.1, 2.3, 2.5, 2.1, 3.5, 3.9, 2.2, 4.0, 6.5];

/// Every pair of widths is exact, and at least as fast as the published kernels.
#[test]
fn beats_the_published_table() {
    for (pair, published) in Pair::ALL.into_iter().zip(PUBLISHED) {
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        let mut b = Builder::new("reference", [16, 16, 32], pair.a);
        let shape = Shape {
            kernel: [3, 3],
            stride: [1, 1],
            pad: [1; 4],
            weight_bits: vec![pair.w; 64],
            out_bits: pair.a,
        };
        let out = b.conv2d(rng, 0, &shape);
        let net = b.finish(out);
        let x = random::input(rng, &net);
        let deployed = deploy::deploy(&net, &x).expect("fits");
        let run = simulate::run(&deployed, std::slice::from_ref(&x), true).expect("runs").swap_remove(0);
        assert_eq!(run.output, golden::run(&net, &x).swap_remove(net.output), "{pair:?}");
        let speed = MACS / run.layers[0].cycles;
        println!(
            "a{} w{}: {} cycles, {speed:.2} MAC/cycle, published {published}",
            pair.a, pair.w, run.layers[0].cycles
        );
        assert!(speed > published, "{pair:?}: {speed:.2} MAC/cycle, published {published}");
    }
}
