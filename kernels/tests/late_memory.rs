//! The guarded kernels on memory that answers late, against the scalar reference; and that those without a guard need one.

use mpic_kernels::deploy::{self, Guard, Options};
use mpic_kernels::graph::BUILT_IN;
use mpic_kernels::net::{IntNet, LayerKind};
use mpic_kernels::pack::Pair;
use mpic_kernels::random::{self, Builder, Shape};
use mpic_kernels::window::Window;
use mpic_kernels::{golden, simulate};
use mpic_sim::Config;
use mpic_sim::timing::{Latency, MemoryTiming, Priority};
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const fn late(grant: u16, answer: u16) -> Latency {
    Latency { grant, answer }
}

const fn data(grant: u16, answer: u16) -> MemoryTiming {
    MemoryTiming {
        instructions: Latency::IDEAL,
        data: late(grant, answer),
        shared: None,
        regions: Vec::new(),
    }
}

/// Ideal memory, and memories whose data are late, each way that the simulator knows but regions.
fn memories() -> Vec<MemoryTiming> {
    let some = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 3), (3, 2), (5, 0), (0, 7)];
    let mut all = vec![MemoryTiming::default()];
    all.extend(some.iter().map(|&(g, r)| data(g, r)));
    all.extend(some.iter().map(|&(g, r)| MemoryTiming { instructions: late(1, 1), ..data(g, r) }));
    for first in [Priority::Data, Priority::Instructions] {
        for (instructions, (grant, answer)) in [
            (Latency::IDEAL, (0, 0)),
            (Latency::IDEAL, (0, 1)),
            (late(0, 1), (0, 0)),
            (late(1, 0), (1, 0)),
            (late(2, 1), (1, 2)),
            (late(0, 3), (4, 0)),
        ] {
            all.push(MemoryTiming { instructions, shared: Some(first), ..data(grant, answer) });
        }
    }
    all
}

/// One of the memories, in some cases with a region of another timing somewhere in the program.
fn memory(rng: &mut ChaCha8Rng) -> MemoryTiming {
    let mut memory = memories().choose(rng).expect("a list").clone();
    if rng.random_bool(0.3) {
        let base = 0x1C00_8000 + 64 * rng.random_range(0..0x200);
        let latency = late(rng.random_range(0..=2), rng.random_range(0..=2));
        memory.regions.push((base, 16 * rng.random_range(1..0x1000), latency));
    }
    memory
}

/// A simulated run with the RTL's corners, and how many of its outputs are not the reference's.
#[track_caller]
fn run(net: &IntNet, guard: Guard, x: &[i32], want: &[i32], memory: &MemoryTiming) -> (simulate::Run, usize) {
    let deployment = deploy::deploy_with(net, x, Options { guard }).expect("deploys");
    let config = Config { quirks: true, memory: memory.clone(), ..Config::default() };
    let mut simulator = simulate::Simulator::on(&deployment, &config).expect("loads");
    let run = simulator.run(&[x.to_vec()]).expect("runs").swap_remove(0);
    assert_eq!(run.output.len(), want.len());
    let wrong = run.output.iter().zip(want).filter(|(a, b)| a != b).count();
    (run, wrong)
}

/// Runs guarded kernels, which must be right and meet no corner of the core, and perhaps the others; whether those were wrong.
#[track_caller]
fn check(what: &str, net: &IntNet, rng: &mut ChaCha8Rng, memory: &MemoryTiming, others: bool) -> bool {
    let x = random::input(rng, net);
    let want = golden::run(net, &x).swap_remove(net.output);
    let (guarded, wrong) = run(net, Guard::LateData, &x, &want, memory);
    assert_eq!(wrong, 0, "{what}: outputs that are wrong on {memory:?}");
    assert!(guarded.warnings.is_empty(), "{what} on {memory:?}: {:?}", guarded.warnings);
    others && run(net, Guard::None, &x, &want, memory).1 > 0
}

/// A layer of one pair of widths: 0 a convolution four pixels at a time, 1 with pixels left over, 2 one pixel at a time, 3 a
/// pointwise and 4 a linear one.
fn layer(rng: &mut ChaCha8Rng, pair: Pair, form: usize) -> IntNet {
    let (a, w) = (pair.a.bits(), pair.w.bits());
    let ([height, width], kernel) =
        [([3, 4], [3, 3]), ([2, 5], [3, 2]), ([4, 2], [2, 2]), ([1, 8], [1, 1]), ([1, 1], [1, 1])][form];
    let (inputs, outputs) = (rng.random_range(1..=24), rng.random_range(1..=13));
    let mut b = Builder::new("layer", [height, width, inputs], a);
    let pad = [kernel[0] / 2, kernel[1] / 2, (kernel[0] - 1) / 2, (kernel[1] - 1) / 2];
    let shape =
        Shape { window: Window { kernel, stride: [1, 1], pad }, weight_bits: vec![w; outputs], out_bits: 8 };
    let kind = if form == 4 { LayerKind::Linear } else { LayerKind::Conv2d };
    let out = b.layer(rng, kind, &[0], shape);
    b.finish(out)
}

/// Every pair of widths in every loop body on every memory. Without a guard each mixed pair goes wrong, and no uniform one.
#[test]
fn every_pair_of_widths_is_right() {
    let wrong: Vec<(Pair, usize)> = Pair::all()
        .map(|pair| {
            let wrong = (0..5).into_par_iter().map(|form| {
                let on = |(n, memory): (usize, &MemoryTiming)| {
                    let rng = &mut ChaCha8Rng::seed_from_u64(n as u64);
                    let net = layer(rng, pair, form);
                    check(&format!("a{} w{}, form {form}", pair.a, pair.w), &net, rng, memory, n % 3 == 1)
                };
                memories().iter().enumerate().filter(|&m| on(m)).count()
            });
            (pair, wrong.sum())
        })
        .collect();
    println!("wrong without a guard: {wrong:?}");
    for (pair, wrong) in wrong {
        assert_eq!(wrong > 0, pair.a != pair.w, "a{} w{}: {wrong} wrong without a guard", pair.a, pair.w);
    }
}

/// Random layers and networks of every kind, channels of several widths and pruned ones in them.
#[test]
fn random_networks_are_right() {
    let wrong = (0..300u64).into_par_iter().filter(|&seed| {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let kind = *LayerKind::ALL.choose(rng).expect("there are kinds");
        let net = if seed % 2 == 0 { random::network(rng) } else { random::layer(rng, kind) };
        let memory = memory(rng);
        check(&format!("seed {seed}"), &net, rng, &memory, true)
    });
    let wrong = wrong.count();
    assert!(wrong > 40, "only {wrong} of 300 need the guard");
}

/// What the guard costs, and what it mends. `NETWORKS=all` for every built-in network, not only the smallest two.
#[test]
fn what_the_guard_costs() {
    let all = std::env::var("NETWORKS").is_ok_and(|n| n == "all");
    let inputs: u32 = if all { 3 } else { 1 };
    for (name, _) in BUILT_IN {
        if !all && !matches!(name, "fashion" | "autoencoder") {
            continue;
        }
        for (a, w) in [(8, 8), (8, 4), (8, 2), (4, 2), (4, 8), (8, 0)] {
            let rng = &mut ChaCha8Rng::seed_from_u64(u64::from(a + w));
            let net = match w {
                0 => random::built_in(name, rng, a, &mut random::mix),
                w => random::built_in(name, rng, a, &mut |_, n| vec![w; n]),
            };
            let x: Vec<_> = (0..inputs).map(|_| random::input(rng, &net)).collect();
            let want: Vec<_> = x.par_iter().map(|x| golden::run(&net, x).swap_remove(net.output)).collect();
            // Random weights of few bits may give outputs that no input changes: those cannot go wrong.
            let outputs = net.tensors[net.output].len();
            let vary = (0..outputs).filter(|&i| want.iter().any(|y| y[i] != want[0][i])).count();
            // Cycles of all layers and wrong outputs, of all inputs.
            let sum = |guard: Guard, memory: &MemoryTiming| {
                let each = x.par_iter().zip(&want).map(|(x, want)| {
                    let (run, wrong) = run(&net, guard, x, want, memory);
                    (run.layers.iter().map(|c| c.cycles as u64).sum(), wrong)
                });
                each.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
            };
            let (ideal, late) = (MemoryTiming::default(), data(0, 1));
            let [plain, guarded] = [Guard::None, Guard::LateData].map(|g| sum(g, &ideal));
            let [plain_late, guarded_late] = [Guard::None, Guard::LateData].map(|g| sum(g, &late));
            let widths = if w == 0 { format!("a{a}, mix by channel") } else { format!("a{a} w{w}") };
            let kilo = |cycles: u64| cycles as f64 / 1e3 / f64::from(inputs);
            let ratio = |a: u64, b: u64| a as f64 / b as f64;
            println!(
                "| {name} | {widths} | {:.0} | {:.3} | {:.0} | {:.3} | {} of {} | {vary} of {outputs} |",
                kilo(plain.0),
                ratio(guarded.0, plain.0),
                kilo(plain_late.0),
                ratio(guarded_late.0, plain_late.0),
                plain_late.1,
                inputs as usize * outputs
            );
            assert_eq!([plain.1, guarded.1, guarded_late.1], [0; 3], "{name}, {widths}");
            assert!(ratio(guarded.0, plain.0) < 1.07, "{name}, {widths}: {guarded:?} for {plain:?}");
        }
    }
}
