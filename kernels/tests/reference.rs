//! The scalar reference against other ways to say the same, and what validation refuses.

use mpic_kernels::fast::Fast;
use mpic_kernels::net::{Conv2d, IntLayer, IntNet, Requant};
use mpic_kernels::random::{self, Builder, Shape};
use mpic_kernels::{golden, graph};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn shape(rng: &mut ChaCha8Rng, channels: usize, out_bits: u8) -> Shape {
    let kernel = [rng.random_range(1..=4), rng.random_range(1..=4)];
    let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
    let stride = [rng.random_range(1..=2), rng.random_range(1..=3)];
    Shape { kernel, stride, pad, weight_bits: random::pruned_mix(rng, channels), out_bits }
}

/// A depthwise convolution is a convolution whose other weights are 0.
#[test]
fn depthwise_is_a_diagonal_convolution() {
    for seed in 0..40 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let channels = rng.random_range(1..=5);
        let mut b =
            Builder::new("depthwise", [rng.random_range(4..=8), rng.random_range(4..=8), channels], 4);
        let shape = shape(rng, channels, 8);
        let out = b.depthwise(rng, 0, &shape);
        let net = b.finish(out);
        net.validate().expect("valid");
        let mut full = net.clone();
        let IntLayer::Depthwise(l) = net.layers[0].clone() else { panic!("a depthwise layer") };
        let taps = l.kernel[0] * l.kernel[1];
        let mut weights = vec![0; channels * taps * channels];
        for c in 0..channels {
            for tap in 0..taps {
                weights[(c * taps + tap) * channels + c] = l.weights[c * taps + tap];
            }
        }
        full.layers[0] = IntLayer::Conv2d(Conv2d {
            name: l.name,
            input: l.input,
            output: l.output,
            kernel: l.kernel,
            stride: l.stride,
            pad: l.pad,
            weight_bits: l.weight_bits,
            weights,
            requant: l.requant,
        });
        full.validate().expect("valid");
        let x = random::input(rng, &net);
        assert_eq!(golden::run(&net, &x), golden::run(&full, &x), "seed {seed}");
    }
}

/// The maximum of a window is what a sorted list of its codes ends with.
#[test]
fn max_pool_takes_the_largest_code_of_the_input() {
    for seed in 0..40 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (height, width) = (rng.random_range(4..=8), rng.random_range(4..=8));
        let mut b = Builder::new("max_pool", [height, width, 1], 8);
        let s = shape(rng, 1, 8);
        let out = b.max_pool(0, &s);
        let net = b.finish(out);
        net.validate().expect("valid");
        let x = random::input(rng, &net);
        let y = golden::run(&net, &x).swap_remove(net.output);
        let t = &net.tensors[net.output];
        for (n, got) in y.into_iter().enumerate() {
            let rows = (n / t.width * s.stride[0], s.pad[0], s.kernel[0], height);
            let columns = (n % t.width * s.stride[1], s.pad[1], s.kernel[1], width);
            let span = |(at, pad, k, size): (usize, usize, usize, usize)| {
                at.saturating_sub(pad)..(at + k).saturating_sub(pad).min(size)
            };
            let mut codes: Vec<i32> =
                span(rows).flat_map(|r| x[r * width..][span(columns)].to_vec()).collect();
            codes.sort_unstable();
            assert_eq!(Some(&got), codes.last(), "seed {seed}, output {n}");
        }
    }
}

/// A convolution of two channels, the second pruned.
fn pruned() -> (IntNet, usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let mut b = Builder::new("pruned", [3, 3, 2], 8);
    let shape = Shape { kernel: [1, 1], stride: [1, 1], pad: [0; 4], weight_bits: vec![4, 0], out_bits: 4 };
    let out = b.conv2d(rng, 0, &shape);
    (b.finish(out), out)
}

#[test]
fn a_pruned_channel_is_zero_everywhere() {
    let (net, out) = pruned();
    net.validate().expect("valid");
    let y = golden::run(&net, &random::input(&mut ChaCha8Rng::seed_from_u64(2), &net)).swap_remove(out);
    assert!(y.chunks_exact(2).all(|pixel| pixel[1] == net.tensors[out].zero_point), "{y:?}");
}

#[track_caller]
fn refused(net: &IntNet, says: &str) {
    let message = net.validate().expect_err("refused").to_string();
    assert!(message.contains(says), "{message}");
}

#[test]
fn says_what_is_wrong_with_a_pruned_channel() {
    let change = |f: fn(&mut Conv2d)| {
        let mut net = pruned().0;
        let IntLayer::Conv2d(l) = &mut net.layers[0] else { panic!("a convolution") };
        f(l);
        net
    };
    refused(
        &change(|l| l.weights[3] = 1),
        "output channel 1: it has 0 bits, that is, it is pruned, but a weight of 1",
    );
    refused(
        &change(|l| l.requant[1] = Requant { kappa: 1, lambda: 5, shift: 0 }),
        "lambda >> shift must be the zero point",
    );
    refused(&change(|l| l.requant[1].shift = 40), "shift 40 is not 0..=31");
    refused(&change(|l| l.weight_bits[0] = 3), "3 weight bits; 0 (pruned), 2, 4 or 8 are possible");
}

#[test]
fn a_maximum_keeps_the_number_format() {
    let mut b = Builder::new("max_pool", [4, 4, 1], 8);
    let shape = Shape { kernel: [2, 2], stride: [2, 2], pad: [0; 4], weight_bits: Vec::new(), out_bits: 8 };
    let out = b.max_pool(0, &shape);
    let mut net = b.finish(out);
    net.tensors[out].zero_point = 0;
    refused(&net, "a maximum keeps the number format");
}

/// The fast reference says what the scalar one says.
#[track_caller]
fn check_fast(net: &IntNet, rng: &mut ChaCha8Rng) {
    let inputs: Vec<_> = (0..2).map(|_| random::input(rng, net)).collect();
    let want: Vec<_> = inputs.iter().map(|x| golden::run(net, x).swap_remove(net.output)).collect();
    assert_eq!(Fast::new(net).run_all(&inputs), want, "{}", net.name);
}

#[test]
fn the_fast_reference_is_the_reference() {
    for seed in 0..400 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let net = random::network(rng);
        check_fast(&net, rng);
        for kind in random::KINDS {
            let net = random::layer(rng, kind);
            check_fast(&net, rng);
        }
    }
    for (name, _) in graph::BUILT_IN {
        let rng = &mut ChaCha8Rng::seed_from_u64(9);
        let net = random::built_in(name, rng, 8, &mut random::pruned_mix);
        check_fast(&net, rng);
    }
}
