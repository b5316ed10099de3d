//! The kernels on the simulator against the scalar reference, bit for bit.

use mpic_kernels::net::{IntNet, LayerKind};
use mpic_kernels::{deploy, golden, random, simulate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Random layers of each kind.
const LAYERS: u64 = 300;

/// Deploys `net`, runs two inputs with and without RTL quirks, and compares with the reference.
#[track_caller]
fn check(name: &str, net: &IntNet, rng: &mut ChaCha8Rng) {
    net.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
    let inputs: Vec<_> = (0..2).map(|_| random::input(rng, net)).collect();
    let deployment = deploy::deploy(net, &inputs[0]).unwrap_or_else(|e| panic!("{name}: {e}"));
    let expected: Vec<_> = inputs.iter().map(|x| golden::run(net, x).swap_remove(net.output)).collect();
    for quirks in [true, false] {
        let runs = simulate::run(&deployment, &inputs, quirks).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (run, want) in runs.iter().zip(&expected) {
            assert_eq!(run.output, *want, "{name}, quirks {quirks}:\n{}", describe(net));
            assert!(run.warnings.is_empty(), "{name}: a kernel met a corner of the core: {:?}", run.warnings);
            assert_eq!(run.layers.len(), net.layers.len());
        }
    }
}

fn describe(net: &IntNet) -> String {
    let tensors = net.tensors.iter().map(|t| {
        format!("{} {}x{}x{} a{} zp {}", t.name, t.height, t.width, t.channels, t.bits, t.zero_point)
    });
    let layers = net.layers.iter().map(|l| {
        let mut text = format!("{l:?}");
        text.truncate(250);
        text
    });
    tensors.chain(layers).collect::<Vec<_>>().join("\n")
}

#[test]
fn random_layers() {
    for kind in LayerKind::ALL {
        for seed in 0..LAYERS {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let net = random::layer(rng, kind);
            check(&format!("{kind}, seed {seed}"), &net, rng);
        }
    }
}

#[test]
fn random_networks() {
    for seed in 0..400 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let net = random::network(rng);
        check(&format!("seed {seed}"), &net, rng);
    }
}

/// Outputs must not all be equal (as far as pruning leaves any), or equality would say nothing.
#[test]
fn random_networks_have_varied_outputs() {
    let varied = (0..100)
        .filter(|&seed| {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let net = random::network(rng);
            let outputs = [0; 2].map(|_| {
                let x = random::input(rng, &net);
                golden::run(&net, &x).swap_remove(net.output)
            });
            outputs[0] != outputs[1] || outputs[0].iter().any(|v| *v != outputs[0][0])
        })
        .count();
    assert!(varied > 70, "only {varied} of 100 networks have outputs that vary");
}
