//! The scalar reference against other ways to say the same, and what validation refuses.

use mpic_kernels::fast::Fast;
use mpic_kernels::net::{Convolution, IntNet, LayerKind, Op, Requant, Weights};
use mpic_kernels::random::{self, Builder, Shape};
use mpic_kernels::window::Window;
use mpic_kernels::{golden, graph};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn shape(rng: &mut ChaCha8Rng, channels: usize, out_bits: u8) -> Shape {
    let kernel = [rng.random_range(1..=4), rng.random_range(1..=4)];
    let pad = [0, 1, 0, 1].map(|axis| rng.random_range(0..kernel[axis]));
    let stride = [rng.random_range(1..=2), rng.random_range(1..=3)];
    let window = Window { kernel, stride, pad };
    Shape { window, weight_bits: random::pruned_mix(rng, channels), out_bits }
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
        let out = b.layer(rng, LayerKind::Depthwise, &[0], shape);
        let net = b.finish(out);
        net.validate().expect("valid");
        let mut full = net.clone();
        let Op::Depthwise(l) = net.layers[0].op.clone() else { panic!("a depthwise layer") };
        let taps = l.window.taps();
        let mut codes = vec![0; channels * taps * channels];
        for c in 0..channels {
            for tap in 0..taps {
                codes[(c * taps + tap) * channels + c] = l.weights.codes[c * taps + tap];
            }
        }
        full.layers[0].op = Op::Conv2d(Convolution { weights: Weights { codes, ..l.weights }, ..l });
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
        let out = b.layer(rng, LayerKind::MaxPool, &[0], s.clone());
        let net = b.finish(out);
        net.validate().expect("valid");
        let x = random::input(rng, &net);
        let y = golden::run(&net, &x).swap_remove(net.output);
        let t = &net.tensors[net.output];
        for (n, got) in y.into_iter().enumerate() {
            let Window { kernel, stride, pad } = s.window;
            let rows = (n / t.width * stride[0], pad[0], kernel[0], height);
            let columns = (n % t.width * stride[1], pad[1], kernel[1], width);
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
    let shape = Shape { window: Window::ONE, weight_bits: vec![4, 0], out_bits: 4 };
    let out = b.layer(rng, LayerKind::Conv2d, &[0], shape);
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
    let change = |f: fn(&mut Weights)| {
        let mut net = pruned().0;
        f(net.layers[0].op.weights_mut().expect("a convolution has weights"));
        net
    };
    refused(
        &change(|l| l.codes[3] = 1),
        "output channel 1: it has 0 bits, that is, it is pruned, but a weight of 1",
    );
    refused(
        &change(|l| l.requant[1] = Requant { kappa: 1, lambda: 5, shift: 0 }),
        "lambda >> shift must be the zero point",
    );
    refused(&change(|l| l.requant[1].shift = 40), "shift 40 is not 0..=31");
    refused(&change(|l| l.bits[0] = 3), "3 weight bits; 0 (pruned), 2, 4 or 8 are possible");
}

#[test]
fn a_maximum_keeps_the_number_format() {
    let mut b = Builder::new("max_pool", [4, 4, 1], 8);
    let window = Window { kernel: [2, 2], stride: [2, 2], pad: [0; 4] };
    let shape = Shape { window, weight_bits: Vec::new(), out_bits: 8 };
    let out = b.layer(&mut ChaCha8Rng::seed_from_u64(1), LayerKind::MaxPool, &[0], shape);
    let mut net = b.finish(out);
    net.tensors[out].zero_point = 0;
    refused(&net, "a maximum keeps the number format");
}

#[test]
fn layers_read_as_many_tensors_as_their_kind_does() {
    let mut net = random::layer(&mut random::seeded(1), LayerKind::Add);
    net.layers[0].inputs.pop();
    refused(&net, "reads 1 tensors; layers of kind add read 2");
    let text = |f: fn(&mut serde_json::Value)| {
        let mut file = serde_json::to_value(pruned().0).expect("JSON");
        f(&mut file["layers"][0]);
        IntNet::parse(file.to_string().as_bytes(), "n.json").expect_err("refused").to_string()
    };
    let said = text(|layer| layer["inputs"] = vec![0, 0].into());
    assert!(said.contains("layer 'layer0' of kind conv2d has no 'input' with a tensor"), "{said}");
    let said = text(|layer| layer["pad"] = serde_json::Value::Null);
    assert!(said.contains("n.json is not a network.json"), "{said}");
}

#[test]
fn an_average_has_no_padding() {
    let mut net = random::layer(&mut random::seeded(1), LayerKind::AvgPool);
    let window = net.layers[0].op.window_mut().expect("an average has a window");
    // One column more than the input lacks, so that the output keeps its size.
    (window.kernel[1], window.pad[1]) = (window.kernel[1] + 1, 1);
    refused(&net, "an average has no padding");
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
        for kind in LayerKind::ALL {
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
