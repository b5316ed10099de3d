//! `docs/formats.md` and its schemas against real files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use assert_cmd::Command;
use mpic_kernels::graph;
use mpic_kernels::lut::Lut;
use mpic_kernels::net::LayerKind;
use mpic_kernels::{measure, random};
use predicates::str::contains;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").into()
}

fn schema(name: &str) -> jsonschema::Validator {
    let path = root().join("docs/schemas").join(format!("{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON");
    jsonschema::meta::validate(&schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    jsonschema::validator_for(&schema).expect("a schema")
}

#[track_caller]
fn holds(schema: &jsonschema::Validator, file: &Value) {
    let wrong: Vec<String> =
        schema.iter_errors(file).map(|e| format!("{}: {e}", e.instance_path())).take(3).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn networks_are_as_the_schema_says() {
    let schema = schema("network");
    let path = root().join("docs/schemas/network.schema.json");
    let text: Value = serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON");
    let alternatives = text["properties"]["layers"]["items"]["oneOf"].as_array().expect("a list");
    let kinds: Vec<_> = alternatives.iter().map(|a| a["properties"]["kind"]["const"].clone()).collect();
    for kind in &kinds {
        let listed = LayerKind::ALL.iter().filter(|k| *kind == k.name()).count();
        assert_eq!((listed, kinds.len()), (1, LayerKind::ALL.len()), "{kind}");
    }
    for seed in 0..40 {
        let rng = &mut random::seeded(seed);
        let nets =
            [random::network(rng)].into_iter().chain(LayerKind::ALL.map(|kind| random::layer(rng, kind)));
        for net in nets.collect::<Vec<_>>() {
            let mut file = serde_json::to_value(&net).expect("JSON");
            holds(&schema, &file);
            file["layers"][0]["kind"] = "conv3d".into();
            assert!(!schema.is_valid(&file), "another kind is none");
        }
    }
}

#[test]
fn tables_and_network_files_are_as_the_schemas_say() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("lut.json");
    let rng = &mut random::seeded(3);
    let targets = measure::targets(&random::network(rng));
    measure::complete(&mut Lut::default(), &targets, &path, &measure::silent).expect("measured");
    let mut file: Value = serde_json::from_slice(&fs::read(&path).expect("written")).expect("JSON");
    holds(&schema("lut"), &file);
    assert!(file.get("guard").is_none());
    file["guard"] = "late-data".into();
    holds(&schema("lut"), &file);
    file["entries"][0]["layer"] = "pool".into();
    assert!(!schema("lut").is_valid(&file));
    for (name, text) in graph::BUILT_IN {
        let written = graph::to_toml(&graph::built_in(name).expect("listed"));
        for text in [text, &written] {
            holds(&schema("model"), &toml::from_str::<Value>(text).expect("TOML"));
        }
    }
}

/// A network written from the page by other code is understood, and gives the outputs that the page says.
#[test]
fn a_network_written_by_hand_computes_what_the_page_says() {
    let dir = tempfile::tempdir().expect("tempdir");
    let script = root().join("kernels/tests/network_by_hand.py");
    let made =
        process::Command::new("python3").arg(script).arg(dir.path()).output().expect("python3 is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file: Value =
        serde_json::from_slice(&fs::read(dir.path().join("network.json")).expect("written")).expect("JSON");
    holds(&schema("network"), &file);
    let kernels = |line: &str| {
        let mut c = Command::cargo_bin("mpic-kernels").expect("built");
        c.current_dir(dir.path()).args(line.split(' ')).assert().code(0)
    };
    kernels("deploy network.json -o network.elf");
    let want = fs::read_to_string(dir.path().join("outputs.txt")).expect("written");
    kernels("run network.json --inputs inputs.bin --check network.elf")
        .stdout(want)
        .stderr(contains("8 of 8 outputs equal"));
}
