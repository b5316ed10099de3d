//! Programs measured on the RTL: cycles, instructions, results and traces must be equal (`tests/golden/README.md`).

use std::fs;
use std::path::PathBuf;

use mpic_sim::trace::{Trace, TraceFormat, Window};
use mpic_sim::{Config, Image, Limits, Machine, Outcome, Status};
use serde_json::Value;

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(file)
}

fn measured() -> Value {
    serde_json::from_str(&fs::read_to_string(golden("golden.json")).expect("golden.json")).expect("JSON")
}

fn machine(elf: &str) -> Machine {
    let image = Image::parse(&fs::read(golden(elf)).expect("golden ELF")).expect("a program");
    Machine::new(&image, &Config::default()).expect("fits into memory")
}

fn run(elf: &str) -> Outcome {
    machine(elf).run(Limits { instructions: 50_000_000, ..Limits::default() })
}

fn list<'a>(v: &'a Value, key: &str) -> &'a Vec<Value> {
    v[key].as_array().unwrap_or_else(|| panic!("golden.json has no list {key}"))
}

fn check_identity(name: &str, o: &Outcome) {
    let lost: u64 = o.stalls.iter().map(|s| s.1).sum();
    assert_eq!(
        o.cycles,
        o.instructions + lost,
        "{name}: cycles are instructions plus named stalls: {:?}",
        o.stalls
    );
}

#[test]
fn programs_are_exact() {
    let mut bad = Vec::new();
    for p in list(&measured(), "programs") {
        let name = p["name"].as_str().expect("name");
        let o = run(p["elf"].as_str().expect("elf"));
        let mut check = |what: &str, got: Value, want: &Value| {
            if got != *want {
                bad.push(format!("{name}: {what} {got}, measured {want}"));
            }
        };
        let Status::Exited(code) = o.status else { panic!("{name}: {:?}", o.status) };
        check("exit code", code.into(), &p["exit_code"]);
        check("results", o.results.clone().into(), &p["results"]);
        check("cycles", o.cycles.into(), &p["total_cycles"]);
        check("instructions", o.instructions.into(), &p["total_instructions"]);
        let measured_regions = list(p, "regions");
        assert_eq!(o.regions.len(), measured_regions.len(), "{name}: regions");
        for (r, want) in o.regions.iter().zip(measured_regions) {
            check("region cycles", r.cycles.into(), &want["cycles"]);
            check("region instructions", r.instructions.into(), &want["instructions"]);
        }
        check_identity(name, &o);
    }
    assert!(bad.is_empty(), "{} differences:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn micro_cases_are_exact() {
    let (mut bad, mut cases) = (Vec::new(), 0);
    for group in list(&measured(), "micro") {
        let name = group["group"].as_str().expect("group");
        let o = run(group["elf"].as_str().expect("elf"));
        if !matches!(o.status, Status::Exited(0)) {
            bad.push(format!("{name}: {:?}", o.status));
        }
        check_identity(name, &o);
        for case in list(group, "cases") {
            // One-instruction hardware loops, which the core does not support.
            if case["unspecified"] == true {
                continue;
            }
            cases += 1;
            let marks: Vec<_> = o.events.iter().filter(|e| e.id == case["id"]).collect();
            let got = match marks[..] {
                [a, b] => (Value::from(b.cycle - a.cycle), Value::from(b.instructions - a.instructions)),
                _ => (Value::Null, Value::Null),
            };
            if got != (case["cycles"].clone(), case["instructions"].clone()) {
                bad.push(format!(
                    "{name}/{}: {got:?}, measured {}, {}",
                    case["name"], case["cycles"], case["instructions"]
                ));
            }
        }
        let total = (Value::from(o.cycles), Value::from(o.instructions));
        let unspecified = list(group, "cases").iter().any(|c| c["unspecified"] == true);
        if !unspecified && total != (group["total_cycles"].clone(), group["total_instructions"].clone()) {
            bad.push(format!(
                "{name}: total {total:?}, measured {}, {}",
                group["total_cycles"], group["total_instructions"]
            ));
        }
    }
    assert!(bad.is_empty(), "{} of {cases} differ:\n{}", bad.len(), bad.join("\n"));
    assert!(cases > 400, "only {cases} cases compared");
}

#[test]
fn traces_are_exact() {
    let mut bad = Vec::new();
    for entry in fs::read_dir(golden("trace")).expect("traces") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().expect("name").to_string_lossy().into_owned();
        let want = fs::read_to_string(&path).expect("trace");
        let mut got = Vec::new();
        let mut trace = Trace::new(&mut got, TraceFormat::Csv, Window::default());
        machine(&format!("elf/{name}.elf")).run_with(Limits::default(), &mut trace);
        trace.finish().expect("in memory");
        let got = String::from_utf8(got).expect("text");
        let differs = got.lines().zip(want.lines()).position(|(g, w)| g != w);
        if let Some(n) = differs {
            let at = |t: &str| t.lines().nth(n).unwrap_or_default().to_owned();
            bad.push(format!("{name} line {}: {} measured {}", n + 1, at(&got), at(&want)));
        } else if got.lines().count() < want.lines().count() {
            bad.push(format!("{name}: {} lines, measured {}", got.lines().count(), want.lines().count()));
        }
    }
    assert!(bad.is_empty(), "{} traces differ:\n{}", bad.len(), bad.join("\n"));
}
