//! Nothing of the user's is overwritten, no folder is worked on twice at once, and what is missing is said with the way to it.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;

/// A run of one network that is not trained.
const RUN: &str = "--granularity fixed --fixed w8a8 --epochs 0/0/0 --simulate 1 --threads 1 --out run";

fn search(folder: &Path, line: &str) -> Assert {
    let mut c = Command::cargo_bin("nas-search").expect("built");
    c.current_dir(folder).args(line.split(' ')).assert()
}

#[test]
fn a_run_is_worked_on_by_one_process() {
    let dir = tempfile::tempdir().expect("tempdir");
    search(dir.path(), RUN).code(0);
    let resume = "--resume run";
    search(dir.path(), resume).code(0);
    let lock = fs::File::options().append(true).open(dir.path().join("run/.lock")).expect("there");
    lock.lock().expect("free");
    search(dir.path(), resume).code(125).stderr(contains("another process is working on run"));
    drop(lock);
    search(dir.path(), resume).code(0);
    // What was asked for stays as it was.
    search(dir.path(), "--resume run --lambda 5")
        .code(125)
        .stderr(contains("--lambda cannot change that").and(contains("--warm-start")));
    search(dir.path(), "--resume=run").code(0);
}

#[test]
fn files_of_others_stay() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    for folder in ["run", "out"] {
        fs::create_dir(at(folder)).expect("created");
        fs::write(at(folder).join("report.html"), "mine").expect("written");
    }
    search(dir.path(), RUN).code(125).stderr(contains("run/report.html is of no run of this program"));
    fs::remove_dir_all(at("run")).expect("removed");
    search(dir.path(), RUN).code(0);
    search(dir.path(), "report run --out out").code(125).stderr(contains("--force"));
    assert_eq!(fs::read(at("out/report.html")).expect("there"), b"mine");
    search(dir.path(), "report run --out out --force").code(0);
    search(dir.path(), "report run --out out").code(0);
    fs::write(at("own.toml"), "mine").expect("written");
    search(dir.path(), "model resnet8 -o own.toml").code(125).stderr(contains("--force replaces it"));
    search(dir.path(), "model resnet8 -o new.toml").code(0).stdout(contains("77360"));
    search(dir.path(), "model new.toml").code(0);
}

#[test]
fn a_table_that_lacks_layers_names_two_commands() {
    let dir = tempfile::tempdir().expect("tempdir");
    let own = "name = \"own\"\ninput = [1, 1, 4]\n[[node]]\nname = \"out\"\nop = \"linear\"\nchannels = 2\n";
    fs::write(dir.path().join("own.toml"), own).expect("written");
    let table = dir.path().join("tables.json");
    let mut lut = mpic_kernels::lut::Lut::default();
    let graph =
        mpic_kernels::graph::load(&dir.path().join("own.toml").display().to_string()).expect("a network");
    let net =
        mpic_kernels::random::of(&graph, &mut mpic_kernels::random::seeded(0), 8, &mut |_, n| vec![8; n]);
    mpic_kernels::measure::complete(
        &mut lut,
        &mpic_kernels::measure::targets(&net),
        &table,
        &mpic_kernels::measure::silent,
    )
    .expect("measured");
    search(dir.path(), &format!("{RUN} --cost tables.json")).code(125).stderr(
        contains("mpic-kernels lut --network fashion -o tables.json")
            .and(contains("nas-search --granularity fixed"))
            .and(contains("layer 'stem' (3x3 convolution from 14x14x"))
            .and(contains("Geometry").not()),
    );
    assert!(!dir.path().join("run").exists(), "nothing is begun");
}

/// What a run writes is what `docs/formats.md` says.
#[test]
fn files_of_a_run_are_as_the_schemas_say() {
    let dir = tempfile::tempdir().expect("tempdir");
    search(dir.path(), RUN).code(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let json = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON")
    };
    for (schema, file) in [
        ("pareto", "pareto.json"),
        ("assignment", "points/fixed-w8a8/assignment.json"),
        ("network", "points/fixed-w8a8/network.json"),
    ] {
        let schema = json(&root.join("docs/schemas").join(format!("{schema}.schema.json")));
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let mut file = json(&dir.path().join("run").join(file));
        let wrong: Vec<String> =
            schema.iter_errors(&file).map(|e| format!("{}: {e}", e.instance_path())).take(3).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let (key, _) = file.as_object_mut().expect("a record").iter_mut().next().expect("a key");
        let key = key.clone();
        file.as_object_mut().expect("a record").remove(&key);
        assert!(!schema.is_valid(&file), "{key} is needed");
    }
}

/// A search with the table of guarded kernels deploys those.
#[test]
fn networks_are_deployed_with_the_guard_of_the_table() {
    let dir = tempfile::tempdir().expect("tempdir");
    let net = mpic_kernels::random::of(
        &mpic_kernels::graph::fashion(),
        &mut mpic_kernels::random::seeded(0),
        8,
        &mut |_, n| vec![4; n],
    );
    for guard in mpic_kernels::deploy::Guard::ALL {
        let mut lut = mpic_kernels::lut::Lut::new(guard);
        let targets = mpic_kernels::measure::targets(&net);
        let path = dir.path().join(format!("{guard}.json"));
        mpic_kernels::measure::complete(&mut lut, &targets, &path, &mpic_kernels::measure::silent)
            .expect("measured");
    }
    let run = |table: &str| {
        let line = RUN
            .replace("w8a8", "w4a8")
            .replace("--out run", &format!("--out run-{table} --cost {table}.json"));
        let said = search(dir.path(), &line).code(0).get_output().clone();
        let said = [said.stdout, said.stderr].concat();
        let report = dir.path().join(format!("run-{table}/points/fixed-w4a8/report.json"));
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(report).expect("there")).expect("JSON");
        assert_eq!(report["bit_exact"], true);
        let [simulated, predicted] =
            ["cycles", "predicted_cycles"].map(|k| report[k].as_f64().expect("a number"));
        assert!(
            (simulated - predicted).abs() < 0.005 * simulated,
            "{table}: {simulated}, predicted {predicted}"
        );
        (String::from_utf8(said).expect("text"), simulated)
    };
    let ((plain, less), (guarded, more)) = (run("none"), run("late-data"));
    assert!(
        !plain.contains("--guard") && guarded.contains("deployed with --guard late-data"),
        "{plain}{guarded}"
    );
    assert!((1.02..1.06).contains(&(more / less)), "the guard costs {less} to {more} cycles");
}
