//! `nas-search` from outside: whole small runs, and what it says to wrong input.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn nas(folder: &Path, args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("nas-search").expect("built");
    c.current_dir(folder).args(args);
    c
}

/// Whoever reads what is printed may stop reading.
#[cfg(unix)]
#[test]
fn closed_pipes_end_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let commands: [&[&str]; 6] = [
        &["tasks"],
        &["model", "fashion"],
        &["data", "ic"],
        &["completions", "bash"],
        &["--help"],
        &[
            "--epochs",
            "0/0/0",
            "--granularity",
            "fixed",
            "--fixed",
            "w8a8",
            "--simulate",
            "1",
            "--out",
            "run",
        ],
    ];
    for command in commands {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("nas-search"))
            .args(command)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let out = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{command:?}: {said}");
        assert!(out.status.success(), "{command:?}: {}: {said}", out.status);
    }
    assert!(folder.path().join("run/pareto.json").exists(), "a run goes on without a reader");
}

fn lut(folder: &Path) {
    let net = nas_search::export::skeleton(
        &nas_search::model::fashion(),
        &nas_search::space::Assignment::uniform(&nas_search::model::fashion(), 8, 8),
    );
    let mut lut = mpic_kernels::lut::Lut::default();
    let path = folder.join("lut.json");
    mpic_kernels::measure::complete(
        &mut lut,
        &mpic_kernels::measure::targets(&net),
        &path,
        &mpic_kernels::measure::silent,
    )
    .expect("measured");
}

const SMALL: [&str; 9] =
    ["--cost", "lut.json", "--epochs", "1/1/1", "--simulate", "3", "--threads", "1", "--lambda=0.2,2"];

/// The points of a run, without what names the run.
fn points(folder: &Path) -> Value {
    let text = fs::read(folder.join("pareto.json")).expect("pareto.json");
    let mut json: Value = serde_json::from_slice(&text).expect("JSON");
    for p in json["points"].as_array_mut().expect("points") {
        p["run"] = Value::Null;
    }
    json["points"].take()
}

#[test]
fn a_run_leaves_every_file_and_repeats_itself_even_when_killed() {
    let dir = tempfile::tempdir().expect("tempdir");
    lut(dir.path());
    let mut args = SMALL.to_vec();
    args.extend(["--out", "one"]);
    nas(dir.path(), &args).assert().success().stdout(contains("channel-0.2").and(contains("3 of 3")));
    let one = dir.path().join("one");
    for file in ["config.json", "pareto.json", "pareto.csv", "pareto.svg", "report.html"] {
        assert!(fs::metadata(one.join(file)).expect(file).len() > 100, "{file} is written");
    }
    let found = points(&one);
    assert_eq!(found.as_array().expect("points").len(), 2);
    for p in found.as_array().expect("points") {
        assert_eq!(p["bit_exact"], true);
        assert!(p["accuracy"].as_f64().expect("number") > 30.0, "better than chance: {}", p["accuracy"]);
        let (c, q) = (p["cycles"].as_f64().expect("number"), p["predicted_cycles"].as_f64().expect("number"));
        assert!((c - q).abs() < 0.03 * c, "predicted {q}, simulated {c}");
        let point = one.join("points").join(p["id"].as_str().expect("id"));
        let network = mpic_kernels::net::IntNet::load(&point.join("network.json")).expect("a valid network");
        assert_eq!(network.name, "fashion");
        assert!(fs::read(point.join("network.elf")).expect("ELF").starts_with(b"\x7fELF"));
        for state in ["state.safetensors", "tuning.safetensors"] {
            assert!(!point.join(state).exists(), "a complete point leaves no checkpoint");
        }
    }

    // Killed somewhere in the middle, resumed, killed again, and so on: the same result.
    *args.last_mut().expect("out") = "two";
    let exe = assert_cmd::cargo::cargo_bin("nas-search");
    let mut resume = vec!["--resume", "two"];
    for (n, patience) in [3000, 4500, 2500].into_iter().enumerate() {
        let now = if n == 0 { &args } else { &resume };
        let mut child = std::process::Command::new(&exe)
            .current_dir(dir.path())
            .args(now)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(patience) && child.try_wait().expect("status").is_none()
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        child.wait().expect("ended");
    }
    assert!(dir.path().join("two/config.json").exists(), "the first kill came after the start");
    resume.push("--threads=1");
    nas(dir.path(), &resume[..2]).assert().success();
    assert_eq!(points(&dir.path().join("two")), found);

    // Merged, and warm-started from it.
    nas(dir.path(), &["report", "one", "two", "--out", "both"])
        .assert()
        .success()
        .stdout(contains("one/channel-2").and(contains("two/channel-0.2")));
    assert_eq!(points(&dir.path().join("both")).as_array().expect("points").len(), 4);
    let fixed = ["--granularity", "fixed", "--fixed", "w4a8", "--warm-start", "one", "--out", "fixed"];
    nas(dir.path(), &[&SMALL[..8], &fixed[..]].concat()).assert().success().stdout(contains("fixed-w4a8"));
    let p = points(&dir.path().join("fixed"));
    assert_eq!(p[0]["accuracy_float"], found[0]["accuracy_float"], "the same warm-up");
    assert_eq!(p[0]["lambda"], Value::Null);
    nas(dir.path(), &args)
        .assert()
        .code(125)
        .stderr(contains("already holds a run").and(contains("--resume two")));
    fs::write(dir.path().join("two/config.json"), "{}").expect("written");
    nas(dir.path(), &["--resume", "two"]).assert().code(125).stderr(contains("config.json is damaged"));
}

#[test]
fn wrong_input_gets_a_sentence() {
    let dir = tempfile::tempdir().expect("tempdir");
    let says = |args: &[&str], what: &str| {
        nas(dir.path(), args).assert().code(125).stderr(contains(what).and(contains("panicked").not()));
    };
    says(&["--cost", "none.json"], "cannot read none.json");
    fs::write(dir.path().join("half.json"), r#"{"format": "mpic-lut""#).expect("written");
    says(&["--cost", "half.json"], "measure it again with: mpic-kernels lut -o half.json");
    says(&["--task", "cats"], "there is no task 'cats'; there are: fashion");
    says(&["--weights", "2,3"], "'3' is not a width of the kernels: 2, 4 or 8");
    says(&["--granularity", "fixed"], "for example --fixed w4a8");
    says(&["--fixed", "w4a8"], "--fixed needs --granularity fixed");
    says(&["--granularity", "fixed", "--fixed", "4x8"], "write for example w4a8");
    says(&["--lambda=-1"], "is not a strength");
    says(&["--lambda", "-1"], "is not a strength");
    says(&["--lambda", "1,1"], "names a value twice");
    says(&["--lambda", "nan"], "is not a strength");
    says(&["--epochs", "3"], "WARMUP/SEARCH/FINETUNE");
    says(&["--simulate", "0"], "at least 1");
    says(&["--resume", "nowhere"], "nowhere holds no run");
    says(&["report", "nowhere"], "nowhere holds no run");
    says(&["--warm-start", "nowhere"], "nowhere holds no run");
    says(&["--data", "nowhere", "--out", "data"], "nowhere/fashion14_train4000_x_u8.bin");
    assert!(!dir.path().join("runs").exists(), "nothing is started on wrong input");
    // A table that lacks a layer of the task.
    let net = nas_search::model::fashion();
    let mut a = nas_search::export::skeleton(&net, &nas_search::space::Assignment::uniform(&net, 8, 8));
    a.layers.truncate(1);
    a.output = a.layers[0].output;
    a.tensors.truncate(a.output + 1);
    let path = dir.path().join("part.json");
    let mut lut = mpic_kernels::lut::Lut::default();
    mpic_kernels::measure::complete(
        &mut lut,
        &mpic_kernels::measure::targets(&a),
        &path,
        &mpic_kernels::measure::silent,
    )
    .expect("measured");
    says(&["--cost", "part.json", "--out", "part"], "no measurement for layer 'block1.conv1'");
    says(&["--model", "resnet8", "--out", "unfit"], "resnet8");
    let size = ["--target", "size=1k", "--out", "small"];
    says(
        &[&size[..], &["--weights", "2,4"]].concat(),
        "size=1000 cannot be reached: the narrowest network of",
    );
    says(&size, "cannot be reached");
    says(&["--device", "gpu"], "[possible values: cpu, cuda]");
    if !tch::Cuda::is_available() {
        says(&["--device", "cuda", "--out", "cuda"], "this libtorch finds no CUDA device");
    }
    for folder in ["data", "part", "unfit", "small", "cuda"] {
        assert!(!dir.path().join(folder).exists(), "no run is begun that cannot go on: {folder}");
    }
}
