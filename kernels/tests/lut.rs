//! The measured table: what it predicts, and what it says when it cannot.

use std::fs;
use std::path::Path;

use mpic_kernels::graph::BUILT_IN;
use mpic_kernels::lut::{Lut, LutError, queries};
use mpic_kernels::net::IntNet;
use mpic_kernels::{deploy, measure, random, simulate};
use rand::SeedableRng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn fashion() -> IntNet {
    random::built_in("fashion", &mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n])
}

fn table(path: &Path) -> Lut {
    let mut lut = Lut::default();
    measure::complete(&mut lut, &measure::targets(&fashion()), path, &measure::silent).expect("measured");
    lut
}

/// Random mixes of each network in the suite; `MIXES=50` for more.
fn mixes() -> u64 {
    std::env::var("MIXES").map_or(8, |n| n.parse().expect("MIXES is a number"))
}

/// Predicted against simulated cycles of whole networks with random channel mixes and pruned channels.
#[test]
fn predicts_random_mixes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let start = std::time::Instant::now();
    let mut lut = Lut::default();
    for (name, _) in BUILT_IN {
        let net = random::built_in(name, &mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n]);
        measure::complete(&mut lut, &measure::targets(&net), &path, &measure::silent).expect("measured");
    }
    let bytes = fs::metadata(&path).expect("written").len();
    println!("{} entries, {bytes} bytes, {:.0} s", lut.entries().count(), start.elapsed().as_secs_f64());
    assert!(bytes < 5_000_000, "the table has {bytes} bytes");
    for (name, _) in BUILT_IN {
        let errors: Vec<f64> = (0..mixes())
            .into_par_iter()
            .map(|seed| {
                let rng = &mut ChaCha8Rng::seed_from_u64(seed);
                let a = *[2, 4, 8].choose(rng).expect("widths");
                let net = random::built_in(name, rng, a, &mut random::pruned_mix);
                let x = random::input(rng, &net);
                let deployed = deploy::deploy(&net, &x).expect("fits");
                let run = simulate::run(&deployed, &[x], true).expect("runs").swap_remove(0);
                let simulated: f64 = run.layers.iter().map(|c| c.cycles).sum();
                let predicted: f64 = queries(&net)
                    .iter()
                    .map(|q| lut.cost(q).unwrap_or_else(|e| panic!("{name}: {e}")).cycles)
                    .sum();
                (predicted - simulated).abs() / simulated
            })
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = errors.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<12} {} random mixes: mean error {:.3} %, worst {:.3} %",
            errors.len(),
            100.0 * mean,
            100.0 * worst
        );
        assert!(mean < 0.01 && worst < 0.03, "{name}: mean {mean}, worst {worst}");
    }
}

/// A table of the guarded kernels predicts those, and is not read as one of the others.
#[test]
fn predicts_guarded_kernels() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let guard = deploy::Guard::LateData;
    let mut lut = Lut::new(guard);
    measure::complete(&mut lut, &measure::targets(&fashion()), &path, &measure::silent).expect("measured");
    assert!(Lut::load_of(&path, guard).expect("loads") == lut);
    assert!(Lut::load(&path).expect("loads") == lut, "the file says which kernels it is of");
    assert!(matches!(Lut::load_of(&path, deploy::Guard::None), Err(LutError::Guard { .. })));
    let mut differs = false;
    for seed in 0..4 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let a = *[2, 4, 8].choose(rng).expect("widths");
        let net = random::built_in("fashion", rng, a, &mut random::pruned_mix);
        let x = random::input(rng, &net);
        let cycles = |guard| -> f64 {
            let deployed = deploy::deploy_with(&net, &x, deploy::Options { guard }).expect("fits");
            let run = simulate::run(&deployed, std::slice::from_ref(&x), true).expect("runs").swap_remove(0);
            run.layers.iter().map(|c| c.cycles).sum()
        };
        let predicted: f64 = queries(&net).iter().map(|q| lut.cost(q).expect("measured").cycles).sum();
        let simulated = cycles(guard);
        assert!((predicted - simulated).abs() < 0.02 * simulated, "seed {seed}: {predicted} for {simulated}");
        differs |= cycles(deploy::Guard::None) < simulated;
    }
    assert!(differs, "the guard costs something");
}

#[test]
fn is_read_back_as_it_was_measured() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let lut = table(&path);
    assert!(Lut::load(&path).expect("loads") == lut, "the file says what was measured");
    // Nothing is missing, so nothing is measured again.
    assert_eq!(
        measure::complete(&mut lut.clone(), &measure::targets(&fashion()), &path, &measure::silent)
            .expect("measured"),
        0
    );
}

#[test]
fn refuses_what_it_cannot_answer() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let lut = table(&path);
    let text = fs::read_to_string(&path).expect("written");
    let told = |content: &str| {
        fs::write(&path, content).expect("write");
        Lut::load(&path).expect_err("refused").to_string()
    };
    assert!(told(&text[..text.len() / 2]).contains("measure it again with: mpic-kernels lut"));
    assert!(told("").contains("not a complete lut.json"));
    // Widths that no kernel has, and a convolution without weights.
    let said = told(&text.replacen("\"a_bits\":8", "\"a_bits\":3", 1));
    assert!(said.contains("a layer of activations of 3 and weights of "), "{said}");
    let said = told(&text.replacen("\"w_bits\":8", "\"w_bits\":0", 1));
    assert!(said.contains(" and weights of 0 bits"), "{said}");
    let stale = text.replacen(&deploy::kernels_hash(deploy::Guard::None), "0123456789abcdef", 1);
    let message = told(&stale);
    assert!(
        message.contains("0123456789abcdef") && message.contains("refresh it with: mpic-kernels lut"),
        "{message}"
    );
    assert!(matches!(Lut::load(Path::new("no/such.json")), Err(LutError::Read(..))));
    let mut q =
        queries(&random::built_in("fashion", &mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n]))
            .swap_remove(0);
    q.geometry.stride = [7, 7];
    assert!(lut.cost(&q).expect_err("not measured").to_string().contains("mpic-kernels lut --network"));
}
