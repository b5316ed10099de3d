//! Whole networks of the field, deployed: bit-exact, and what they cost.

use mpic_kernels::lut::queries;
use mpic_kernels::net::{IntLayer, IntNet};
use mpic_kernels::random::{self, NETWORKS};
use mpic_kernels::{deploy, golden, simulate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Multiply-accumulates as the network has them, pruned channels included.
fn macs(net: &IntNet) -> u64 {
    let of = |l: &IntLayer| {
        let y = &net.tensors[l.output()];
        match l {
            IntLayer::Conv2d(l) => (y.height * y.width * l.weights.len()) as u64,
            IntLayer::Depthwise(l) => (y.height * y.width * l.weights.len()) as u64,
            IntLayer::Linear(l) => l.weights.len() as u64,
            IntLayer::AvgPool(_) | IntLayer::MaxPool(_) | IntLayer::Add(_) => 0,
        }
    };
    net.layers.iter().map(of).sum()
}

/// MACs of the network, simulated cycles; panics unless the outputs are those of the reference.
#[track_caller]
fn check(name: &str, net: &IntNet, seed: u64, quirks: bool) -> (u64, simulate::Run, deploy::MemoryUse) {
    net.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
    let x = random::input(&mut ChaCha8Rng::seed_from_u64(seed), net);
    let deployed = deploy::deploy(net, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
    let run = simulate::run(&deployed, std::slice::from_ref(&x), quirks)
        .unwrap_or_else(|e| panic!("{name}: {e}"))
        .swap_remove(0);
    assert_eq!(run.output, golden::run(net, &x).swap_remove(net.output), "{name}");
    assert!(run.warnings.is_empty(), "{name}: {:?}", run.warnings);
    assert_eq!(run.layers.len(), net.layers.len(), "{name}");
    (macs(net), run, deployed.memory)
}

/// Every network at four uniform precisions and in mixes with pruned channels.
#[test]
fn mlperf_tiny_is_bit_exact() {
    for (name, build) in NETWORKS {
        for (a, w) in [(8, 8), (8, 4), (4, 4), (2, 2), (8, 0), (4, 0)] {
            let rng = &mut ChaCha8Rng::seed_from_u64(u64::from(a + w));
            let net = match w {
                0 => build(rng, a, &mut random::pruned_mix),
                w => build(rng, a, &mut |_, n| vec![w; n]),
            };
            let (macs, run, memory) = check(name, &net, 5, w != 4);
            println!(
                "{name:<12} a{a} w{w}: {:>8} cycles {:.2} MAC/cycle {:>7.2} uJ, flash {:>6} + code {} RAM {:>6}",
                run.cycles,
                macs as f64 / run.cycles as f64,
                run.energy_pj[0] / 1e6,
                memory.flash(),
                memory.code,
                memory.buffers
            );
            if std::env::var_os("BY_LAYER").is_some() {
                for q in queries(&net) {
                    println!(
                        "    {:<10} {:?} {:?} {}",
                        q.name, q.kind, q.groups, run.layers[q.region].cycles
                    );
                }
            }
        }
    }
}
