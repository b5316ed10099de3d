//! MAC/cycle of the layers that the field measures, everything included, beside what others reach. `-- --nocapture` prints the
//! tables of `docs/kernels.md`.

use mpic_kernels::net::{IntNet, LayerKind};
use mpic_kernels::pack::Pair;
use mpic_kernels::random::{self, Builder, Shape};
use mpic_kernels::width::Width;
use mpic_kernels::window::Window;
use mpic_kernels::{deploy, golden, simulate};

/// Published for the reference layer, a8, a4, a2 with w8, w4, w2.
const PUBLISHED: [f64; 9] = [2.1, 2.3, 2.5, 2.1, 3.5, 3.9, 2.2, 4.0, 6.5];
/// A study of the same loops without networks around them.
const STUDY: [f64; 9] = [2.52, 2.73, 2.85, 2.73, 4.76, 5.14, 2.85, 5.14, 8.60];

/// Cycles of each layer; panics unless the outputs are those of the reference.
#[track_caller]
fn cycles(net: &IntNet) -> Vec<f64> {
    net.validate().expect("valid");
    let x = random::input(&mut random::seeded(3), net);
    let deployed = deploy::deploy(net, &x).expect("fits");
    let run = simulate::run(&deployed, std::slice::from_ref(&x), true).expect("runs").swap_remove(0);
    assert_eq!(run.output, golden::run(net, &x).swap_remove(net.output), "{}", net.name);
    run.layers.iter().map(|c| c.cycles).collect()
}

fn square(kernel: usize, weight_bits: Vec<u8>, out_bits: u8) -> Shape {
    let window = Window { kernel: [kernel; 2], stride: [1, 1], pad: [kernel / 2; 4] };
    Shape { window, weight_bits, out_bits }
}

/// 16x16x32 to 64, 3x3, into the bordered input of a next convolution.
fn reference_layer(a: u8, weight_bits: Vec<u8>) -> f64 {
    let rng = &mut random::seeded(7);
    let mut b = Builder::new("reference", [16, 16, 32], a);
    let out = b.layer(rng, LayerKind::Conv2d, &[0], square(3, weight_bits, a));
    let out = b.layer(rng, LayerKind::Conv2d, &[out], square(3, vec![2; 4], a));
    cycles(&b.finish(out))[0]
}

#[test]
fn reference_layer_is_faster_than_the_study() {
    const MACS: f64 = 4_718_592.0;
    for ((pair, published), study) in Pair::all().zip(PUBLISHED).zip(STUDY) {
        let speed = MACS / reference_layer(pair.a.bits(), vec![pair.w.bits(); 64]);
        println!("| a{} w{} | {speed:.2} | {study:.2} | {published} |", pair.a, pair.w);
        assert!(speed >= study - 0.005, "{pair:?}: {speed:.2} MAC/cycle, the study {study}");
    }
}

/// A layer with three widths costs what its parts cost.
#[test]
fn a_mix_costs_its_parts() {
    for a in [8, 4, 2] {
        let mix: Vec<u8> = (0..64).map(|c| [2, 4, 8, 8][c / 16]).collect();
        let mixed = reference_layer(a, mix);
        let parts = 0.25 * reference_layer(a, vec![2; 64])
            + 0.25 * reference_layer(a, vec![4; 64])
            + 0.5 * reference_layer(a, vec![8; 64]);
        println!("| a{a} | {mixed} | {parts} | {:+.2} % |", 100.0 * (mixed / parts - 1.0));
        assert!(mixed < 1.01 * parts, "a{a}: {mixed} cycles, its parts {parts}");
    }
}

#[test]
fn pointwise_layer() {
    for (pair, published) in Pair::all().zip(PUBLISHED) {
        let mut b = Builder::new("pointwise", [25, 5, 64], pair.a.bits());
        let out = b.layer(
            &mut random::seeded(7),
            LayerKind::Conv2d,
            &[0],
            square(1, vec![pair.w.bits(); 64], pair.a.bits()),
        );
        let speed = 512_000.0 / cycles(&b.finish(out))[0];
        println!("| a{} w{} | {speed:.2} | {published} |", pair.a, pair.w);
        assert!(speed > 2.0, "{pair:?}: {speed:.2} MAC/cycle");
    }
}

#[test]
fn linear_layer() {
    for pair in Pair::all() {
        let mut b = Builder::new("linear", [1, 1, 640], pair.a.bits());
        let out = b.layer(
            &mut random::seeded(7),
            LayerKind::Linear,
            &[0],
            square(1, vec![pair.w.bits(); 128], pair.a.bits()),
        );
        let speed = 81_920.0 / cycles(&b.finish(out))[0];
        println!("| a{} w{} | {speed:.2} |", pair.a, pair.w);
        let study = match (pair.a, pair.w) {
            (Width::Two, Width::Two) => 6.49,
            _ => 1.74,
        };
        assert!(speed > study, "{pair:?}: {speed:.2} MAC/cycle, the study {study}");
    }
}

/// Depthwise alone, and with the pointwise layers around it: the one before stores planes for it.
#[test]
fn depthwise_layer_and_its_pair() {
    for a in [8, 4, 2] {
        let rng = &mut random::seeded(7);
        let mut b = Builder::new("depthwise", [16, 16, 64], a);
        let first = b.layer(rng, LayerKind::Conv2d, &[0], square(1, vec![a; 64], a));
        let depthwise = b.layer(rng, LayerKind::Depthwise, &[first], square(3, vec![a; 64], a));
        let last = b.layer(rng, LayerKind::Conv2d, &[depthwise], square(1, vec![a; 64], a));
        let c = cycles(&b.finish(last));
        let (dw, pw) = (147_456.0, 1_048_576.0);
        let pair = (dw + pw) / (c[1] + c[2]);
        println!(
            "| a{a} | depthwise {:.2} | pointwise into planes {:.2}, into pixels {:.2} | depthwise + pointwise {pair:.2} |",
            dw / c[1],
            pw / c[0],
            pw / c[2]
        );
        assert!(dw / c[1] > if a == 8 { 1.08 } else { 0.8 }, "a{a}: {} cycles", c[1]);
    }
}
