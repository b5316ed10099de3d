//! Whole networks of the field, deployed: bit-exact, and what they cost.

use mpic_kernels::graph::BUILT_IN;
use mpic_kernels::lut::queries;
use mpic_kernels::net::{IntNet, Weights};
use mpic_kernels::{deploy, golden, random, simulate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// MAC/cycle of the published table for activations and weights of 8, 4 and 2 bits.
fn published(a: u8, w: u8) -> f64 {
    match (a, w) {
        (8 | 4, 8) => 2.1,
        (8, 4) => 2.3,
        (8, 2) => 2.5,
        (4, 4) => 3.5,
        (4, 2) => 3.9,
        (2, 8) => 2.2,
        (2, 4) => 4.0,
        (2, 2) => 6.5,
        (..) => panic!("a{a} w{w} is not in the table"),
    }
}

/// Multiply-accumulates of the network, and cycles by the published table: those of channels that are not pruned, each at the
/// rate of its widths.
fn macs(net: &IntNet) -> (f64, f64) {
    let mut sum = (0.0, 0.0);
    for layer in &net.layers {
        let (y, x) = (&net.tensors[layer.output], &net.tensors[layer.input()]);
        let Some(Weights { bits, codes, .. }) = layer.op.weights() else { continue };
        let each = (y.height * y.width * codes.len() / bits.len()) as f64;
        sum.0 += each * bits.len() as f64;
        sum.1 += bits.iter().filter(|&&w| w > 0).map(|&w| each / published(x.bits, w)).sum::<f64>();
    }
    sum
}

/// A simulated run and the memory it takes; panics unless the outputs are those of the reference.
#[track_caller]
fn check(name: &str, net: &IntNet, seed: u64) -> (simulate::Run, deploy::MemoryUse) {
    net.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
    let x = random::input(&mut ChaCha8Rng::seed_from_u64(seed), net);
    let deployed = deploy::deploy(net, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
    let want = golden::run(net, &x).swap_remove(net.output);
    let [run, _] = [true, false].map(|quirks| {
        let mut runs = simulate::run(&deployed, std::slice::from_ref(&x), quirks)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let run = runs.swap_remove(0);
        assert_eq!(run.output, want, "{name}, quirks {quirks}");
        assert!(run.warnings.is_empty(), "{name}: {:?}", run.warnings);
        assert_eq!(run.layers.len(), net.layers.len(), "{name}");
        run
    });
    (run, deployed.memory)
}

/// Every network at four uniform precisions and in mixes with pruned channels.
#[test]
fn mlperf_tiny_is_bit_exact() {
    for (name, _) in BUILT_IN {
        for (a, w) in [(8, 8), (8, 4), (4, 4), (2, 2), (8, 0), (4, 0)] {
            let rng = &mut ChaCha8Rng::seed_from_u64(u64::from(a + w));
            let net = match w {
                0 => random::built_in(name, rng, a, &mut random::pruned_mix),
                w => random::built_in(name, rng, a, &mut |_, n| vec![w; n]),
            };
            let (run, memory) = check(name, &net, 5);
            let (macs, by_table) = macs(&net);
            let cycles: f64 = run.layers.iter().map(|c| c.cycles).sum();
            let energy: f64 = run.layers.iter().map(|c| c.energy_pj).sum();
            let widths = if w == 0 { format!("a{a}, mix with pruning") } else { format!("a{a} w{w}") };
            println!(
                "| {name} | {widths} | {:.0} | {:.2} | {:.1} | {:.0} | {} | {} |",
                cycles / 1e3,
                macs / cycles,
                energy / 1e6,
                by_table / 1e3,
                memory.flash(),
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
