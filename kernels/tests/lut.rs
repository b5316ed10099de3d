//! The measured table: what it predicts, and what it says when it cannot.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use mpic_kernels::lut::{Lut, LutError, queries};
use mpic_kernels::{deploy, measure, random, simulate};
use predicates::prelude::*;
use predicates::str::contains;
use rand::SeedableRng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

fn table(path: &Path) -> Lut {
    let net = random::fashion(&mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n]);
    let mut lut = Lut::default();
    measure::complete(&mut lut, &measure::targets(&net), path).expect("measured");
    lut
}

/// Predicted against simulated cycles of whole networks with random channel mixes.
#[test]
fn predicts_random_mixes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lut = table(&dir.path().join("lut.json"));
    let errors: Vec<f64> = (0..30)
        .map(|seed| {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let a = *[2, 4, 8].choose(rng).expect("widths");
            let net = random::fashion(rng, a, &mut random::mix);
            let x = random::input(rng, &net);
            let deployed = deploy::deploy(&net, &x).expect("fits");
            let run = simulate::run(&deployed, &[x], true).expect("runs").swap_remove(0);
            let simulated: f64 = run.layers.iter().map(|c| c.cycles).sum();
            let predicted: f64 = queries(&net).iter().map(|q| lut.cost(q).expect("measured").cycles).sum();
            (predicted - simulated).abs() / simulated
        })
        .collect();
    let (mean, worst) = (errors.iter().sum::<f64>() / 30.0, errors.iter().copied().fold(0.0, f64::max));
    println!("30 random mixes: mean error {:.3} %, worst {:.3} %", 100.0 * mean, 100.0 * worst);
    assert!(mean < 0.01 && worst < 0.03, "mean {mean}, worst {worst}");
}

#[test]
fn is_read_back_as_it_was_measured() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let lut = table(&path);
    assert!(Lut::load(&path).expect("loads") == lut, "the file says what was measured");
    // Nothing is missing, so nothing is measured again.
    let net = random::fashion(&mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n]);
    assert_eq!(measure::complete(&mut lut.clone(), &measure::targets(&net), &path).expect("measured"), 0);
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
    let stale = text.replacen(&deploy::kernels_hash(), "0123456789abcdef", 1);
    let message = told(&stale);
    assert!(
        message.contains("0123456789abcdef") && message.contains("refresh it with: mpic-kernels lut"),
        "{message}"
    );
    assert!(matches!(Lut::load(Path::new("no/such.json")), Err(LutError::Read(..))));
    let mut q = queries(&random::fashion(&mut ChaCha8Rng::seed_from_u64(0), 8, &mut |_, n| vec![8; n]))
        .swap_remove(0);
    q.geometry.stride = [7, 7];
    assert!(lut.cost(&q).expect_err("not measured").to_string().contains("mpic-kernels lut --shapes"));
}

fn kernels(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-kernels").expect("built");
    c.args(args);
    c
}

#[test]
fn command_line_deploys_runs_and_checks() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let net = random::fashion(rng, 4, &mut random::mix);
    net.save(&at("network.json")).expect("saved");
    let codes: Vec<u8> = (0..3).flat_map(|_| random::input(rng, &net)).map(|c| c as u8).collect();
    fs::write(at("inputs.bin"), codes).expect("written");
    kernels(&["deploy"]).arg(at("network.json")).arg("-o").arg(at("net.elf")).assert().code(0);
    kernels(&["run"])
        .arg(at("network.json"))
        .arg("--inputs")
        .arg(at("inputs.bin"))
        .arg("--check")
        .arg(at("net.elf"))
        .assert()
        .code(0)
        .stderr(contains("3 of 3 outputs equal"));
    kernels(&["run"])
        .arg(at("network.json"))
        .arg("--inputs")
        .arg(at("network.json"))
        .assert()
        .code(125)
        .stderr(contains("no multiple of an input's 196 codes"));
    fs::write(at("bad.json"), "{}").expect("written");
    kernels(&["deploy"])
        .arg(at("bad.json"))
        .arg("-o")
        .arg(at("x.elf"))
        .assert()
        .code(125)
        .stderr(contains("not a network.json").and(contains("panicked").not()));
    kernels(&["lut", "--shapes"]).arg(at("bad.json")).assert().code(125).stderr(contains("bad.json"));
    kernels(&["list"]).assert().code(0).stdout(contains("conv2d").and(contains("8x2")));
}
