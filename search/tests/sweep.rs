//! Sweeps: whatever happens to workers, the result is that of an undisturbed run.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_cmd::Command as Checked;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Eight cells and two warm-ups, an epoch of everything.
const SPEC: &str = r#"
name = "small"

[options]
task = "fashion"
epochs = "1/1/1"
simulate = 2
seed = [1, 2]

[[search]]
granularity = "channel"
weights = "0,2,4,8"
target = "cycles=500k,400k"

[[search]]
granularity = "layer"
lambda = "1"

[[search]]
granularity = "fixed"
fixed = ["w2a4", "w8a8"]
"#;

fn nas_search(dir: &Path) -> Checked {
    let mut command = Checked::cargo_bin("nas-search").expect("it is built");
    command.current_dir(dir);
    command
}

fn plan(dir: &Path, spec: &str) {
    fs::write(dir.join("spec.toml"), spec).expect("written");
    nas_search(dir).args(["plan", "spec.toml", "--out", "sweep"]).assert().success();
}

fn worker(dir: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("nas-search"));
    command
        .args(["work", "sweep"])
        .args(args)
        .current_dir(dir)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// The files of the report.
fn report(dir: &Path) -> Vec<Vec<u8>> {
    nas_search(dir).args(["report", "sweep", "--out", "report"]).assert().success();
    ["pareto.json", "pareto.csv", "pareto.svg"]
        .map(|f| fs::read(dir.join("report").join(f)).expect("written"))
        .into()
}

/// Interruptions of the disturbed sweep; `MPIC_INTERRUPTIONS` asks for more.
fn interruptions() -> usize {
    std::env::var("MPIC_INTERRUPTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

#[test]
fn killed_workers_change_nothing() {
    let [calm, disturbed] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    for dir in [&calm, &disturbed] {
        plan(dir.path(), SPEC);
    }
    nas_search(calm.path()).args(["work", "sweep", "--jobs", "2"]).assert().success();

    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut workers = [0, 1].map(|_| worker(disturbed.path(), &["--lease", "2s"]));
    for n in 0..interruptions() {
        std::thread::sleep(Duration::from_millis(rng.random_range(300..2500)));
        let which = &mut workers[n % 2];
        // Without a warning.
        let _ = which.kill();
        which.wait().expect("it ended");
        *which = worker(disturbed.path(), &["--lease", "2s"]);
    }
    for mut worker in workers {
        assert!(worker.wait().expect("it ends").success());
    }
    assert!(report(calm.path()) == report(disturbed.path()), "the reports differ");
    let files = fs::read_dir(disturbed.path().join("sweep/queue"))
        .expect("read")
        .map(|f| f.expect("read").file_name());
    // Who is killed may leave the file behind by which it read the clock.
    let states: Vec<_> = files.filter(|f| !f.to_string_lossy().starts_with(".clock-")).collect();
    assert_eq!(states.len(), 10, "every cell has one state: {states:?}");
}

#[test]
fn an_interrupted_worker_lets_go_and_another_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    plan(
        dir,
        "name = \"one\"\n[options]\nepochs = \"30/1/1\"\nsimulate = 1\n[[search]]\ngranularity = \"fixed\"\nfixed = \"w8a8\"\n",
    );
    let mut first = worker(dir, &[]);
    while !dir.join("sweep/cells/warm-up-1/warmup.safetensors").exists() {
        assert!(first.try_wait().expect("asked").is_none(), "the worker ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(first.id()).expect("a number")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to end");
    assert_eq!(first.wait().expect("it ends").code(), Some(130));
    assert!(dir.join("sweep/queue/warm-up-1.planned").exists(), "it waits for another");

    // A time limit does the same, in order.
    nas_search(dir).args(["work", "sweep", "--until", "1s"]).assert().code(130);
    let status = nas_search(dir).args(["status", "sweep", "--json"]).assert().success();
    let status: serde_json::Value = serde_json::from_slice(&status.get_output().stdout).expect("JSON");
    assert_eq!((&status["done"], &status["planned"], &status["epochs"]), (&0.into(), &2.into(), &32.into()));
}

#[test]
fn who_died_elsewhere_is_missed_after_a_while() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    plan(
        dir,
        "name = \"one\"\n[options]\nepochs = \"0/0/0\"\nsimulate = 1\n[[search]]\ngranularity = \"fixed\"\nfixed = \"w8a8\"\n",
    );
    let queue = dir.join("sweep/queue");
    let claimed = queue.join("run.claimed.elsewhere-00000000-17-0.1");
    fs::rename(queue.join("run.planned"), &claimed).expect("claimed");
    // Nothing to claim as long as the other may live.
    nas_search(dir).args(["work", "sweep", "--lease", "1h", "--idle"]).assert().success();
    assert!(claimed.exists());
    nas_search(dir).args(["work", "sweep", "--lease", "1s"]).assert().success();
    assert!(queue.join("run.done").exists() && !claimed.exists());
}

#[test]
fn a_folder_may_be_away_for_a_while() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    plan(
        dir,
        "name = \"one\"\n[options]\nepochs = \"8/1/1\"\nsimulate = 1\n[[search]]\ngranularity = \"fixed\"\nfixed = \"w8a8\"\n",
    );
    let mut worker = worker(dir, &["--lease", "60s"]);
    while !dir.join("sweep/cells/warm-up-1/warmup.safetensors").exists() {
        assert!(worker.try_wait().expect("asked").is_none(), "the worker ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::rename(dir.join("sweep"), dir.join("away")).expect("moved");
    // Longer than an epoch, so that a state cannot be saved meanwhile.
    std::thread::sleep(Duration::from_secs(4));
    fs::rename(dir.join("away"), dir.join("sweep")).expect("moved back");
    assert!(worker.wait().expect("it ends").success());
    assert!(dir.join("sweep/queue/run.done").exists());
}

/// Files that may not grow beyond 4 KiB stand for a disk that is full: states of a training are larger, states of cells are not.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_only_time() {
    let [calm, full] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let spec = "name = \"one\"\n[options]\nepochs = \"1/1/1\"\nsimulate = 1\n[[search]]\ngranularity = \"fixed\"\nfixed = \"w8a8\"\n";
    for dir in [&calm, &full] {
        plan(dir.path(), spec);
    }
    nas_search(calm.path()).args(["work", "sweep"]).assert().success();

    let dir = full.path();
    let limited = Checked::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" work sweep --lease 2s"])
        .arg(assert_cmd::cargo::cargo_bin("nas-search"))
        .current_dir(dir)
        .assert()
        .failure();
    let said = String::from_utf8_lossy(&limited.get_output().stderr).into_owned();
    assert!(
        said.contains("trying again") && said.contains("warmup") && said.contains("cell warm-up-1"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    let waits = |cell: &str| dir.join(format!("sweep/queue/{cell}.planned")).exists();
    assert!(waits("warm-up-1") && waits("run"), "both wait for a worker that has room");
    nas_search(dir).args(["work", "sweep"]).assert().success();
    assert!(report(calm.path()) == report(dir), "the reports differ");
}

#[test]
fn what_fails_is_said_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let spec = "name = \"two\"\n[options]\nepochs = \"0/0/0\"\nsimulate = 1\n[[search]]\ngranularity = \"fixed\"\nfixed = [\"w8a8\", \"w4a4\"]\n";
    plan(dir, spec);
    let config = dir.join("sweep/cells/w4a4/config.json");
    fs::write(&config, fs::read_to_string(&config).expect("read").replace("nas-run", "another"))
        .expect("written");
    nas_search(dir).args(["work", "sweep"]).assert().code(1);
    let status = nas_search(dir).args(["status", "sweep"]).assert().success();
    let text = String::from_utf8_lossy(&status.get_output().stdout).into_owned();
    assert!(
        text.contains("1 done") && text.contains("failed   w4a4") && text.contains("says 'another'"),
        "{text}"
    );
}

#[test]
fn a_plan_is_checked_as_a_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let wrong = |spec: &str| {
        fs::write(dir.join("spec.toml"), spec).expect("written");
        let run = nas_search(dir).args(["plan", "spec.toml", "--out", "sweep"]).assert().code(125);
        assert!(!dir.join("sweep").exists(), "nothing is left");
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    let text = wrong("name = \"a\"\n[[search]]\ngranularity = [\"layer\", \"rows\"]\n");
    assert!(text.contains("rows: invalid value 'rows' for '--granularity"), "{text}");
    let text = wrong("name = \"a\"\n[options]\nstrength = 1\n");
    assert!(text.contains("unexpected argument '--strength'"), "{text}");
    let text = wrong("name = \"a\"\n[options]\ntarget = \"cycles=1\"\n");
    assert!(text.contains("cannot be reached"), "{text}");
    let text = wrong("name = \"a\"\n[options]\ncost = \"none.json\"\n");
    assert!(text.contains("none.json"), "{text}");
}
