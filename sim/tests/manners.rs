//! How `mpic-sim` behaves towards pipes, files and people.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf").join(name)
}

fn sim(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-sim").expect("built");
    c.args(args);
    c
}

fn process(args: &[&str]) -> std::process::Command {
    let mut c = std::process::Command::new(assert_cmd::cargo::cargo_bin("mpic-sim"));
    c.args(args);
    c
}

/// Compiles C in a folder.
fn compiled(folder: &Path, source: &str) -> PathBuf {
    fs::write(folder.join("k.c"), source).expect("written");
    sim(&["cc", "k.c", "-o", "k.elf"]).current_dir(folder).assert().success();
    folder.join("k.elf")
}

#[cfg(unix)]
#[test]
fn closed_pipes_end_quietly() {
    let elf = golden("k_mm8.elf").display().to_string();
    let commands = [
        vec!["run", &elf],
        vec!["run", "--json", &elf],
        vec!["run", "--trace", "-", &elf],
        vec!["profile", &elf],
        vec!["disasm", &elf],
        vec!["isa"],
        vec!["completions", "bash"],
        vec!["--help"],
        vec!["no-such-command"],
    ];
    for command in commands {
        // Both ends go at once, before anything is read.
        let mut child =
            process(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        let status = child.wait().expect("ends");
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{command:?}: {said}");
        assert!(matches!(status.code(), Some(0 | 125)), "{command:?}: {status}");
        let mut child =
            process(&command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stderr.take());
        assert!(matches!(child.wait().expect("ends").code(), Some(0 | 125)), "{command:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_batch_writes_as_it_goes_and_stops_when_asked() {
    let dir = tempfile::tempdir().expect("tempdir");
    let endless = compiled(dir.path(), "int main(void) { for (;;) {} }\n");
    let mut child = process(&["batch", "--threads", "1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let list = [golden("k_mm8.elf"), endless, golden("k_dot8.elf")].map(|p| p.display().to_string());
    child.stdin.take().expect("piped").write_all(list.join("\n").as_bytes()).expect("written");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next =
        || -> Option<Value> { lines.next().map(|l| serde_json::from_str(&l.expect("text")).expect("JSON")) };
    // The first line is there while the second program runs, or this waits for ever.
    assert_eq!(next().expect("a line")["status"], "exited");
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    assert_eq!(next().expect("a line")["status"], "interrupted");
    assert!(next().is_none(), "nothing is begun after Ctrl-C");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
}

#[test]
fn counts_and_files_as_people_write_them() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = golden("k_mm8.elf");
    sim(&["run", "--max-cycles", "1k"]).arg(&elf).assert().code(124);
    sim(&["run", "--max-cycles", "1M", "--max-instructions", "0x100000"]).arg(&elf).assert().code(0);
    sim(&["run", "--max-cycles", "many"]).arg(&elf).assert().code(125).stderr(contains("600k, 20M or 1G"));
    sim(&["run", "--json", "r.json"])
        .arg(&elf)
        .current_dir(&dir)
        .assert()
        .code(0)
        .stdout(contains("mpic-report").not());
    let report = fs::read_to_string(dir.path().join("r.json")).expect("written");
    assert!(report.contains("mpic-report"));
    sim(&["run", "--trace", "-", "--trace-format", "csv"])
        .arg(&elf)
        .current_dir(&dir)
        .assert()
        .code(0)
        .stdout(predicate::str::starts_with("cycle,pc,insn,compressed\n4,0x1c008080,"));
    assert!(!dir.path().join("-").exists());
    sim(&["run", "--trace", "-", "--json"])
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("give one of them a file"));
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_run() {
    let dir = tempfile::tempdir().expect("tempdir");
    // It would run for ever.
    let elf = compiled(dir.path(), "volatile int table[16]; int main(void) { for (;;) table[0] = 1; }\n");
    for output in [
        "--json=no/such/f",
        "--trace=no/such/f",
        "--profile=no/such/f",
        "--coverage=no/such/f",
        "--stdout=no/such/f",
    ] {
        sim(&["run", output]).arg(&elf).assert().code(125).stderr(contains("cannot write no/such/f"));
    }
    sim(&["run", "--dump", "table:64=no/such/f"])
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("cannot write"));
    sim(&["run", "--dump", "tible:64=f"]).arg(&elf).assert().code(125).stderr(contains("no symbol 'tible'"));
    sim(&["run", "--signature", "f"]).arg(&elf).assert().code(125).stderr(contains("begin_signature"));
    fs::write(dir.path().join("data"), [0; 65]).expect("written");
    sim(&["run", "--load", "table=data"])
        .arg(&elf)
        .current_dir(&dir)
        .assert()
        .code(125)
        .stderr(contains("data has 65 bytes, 'table' only 64"));
}

#[test]
fn exit_codes_are_shown_as_the_program_means_them() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path(), "int main(void) { return -1; }\n");
    sim(&["run"]).arg(&elf).assert().code(1).stderr(contains("exited with code -1 (0xffffffff)"));
}

const REGIONS: &str = "#include \"host.h\"\n\
    __attribute__((noinline)) int work(int n) { volatile int x = n; int s = 0; while (x--) s += x; return s; }\n\
    int main(void) { region_begin(1, \"short work\"); work(3); region_end(1);\n\
        region_begin(3, \"long work\"); work(30); region_end(3); host_marker(5); host_marker(6); return 0; }\n";

#[test]
fn regions_have_names_and_say_what_they_lost() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path(), REGIONS);
    let out = sim(&["run", "--json"]).arg(&elf).assert().code(0).get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    let regions = report["regions"].as_array().expect("a list");
    let names: Vec<_> = regions.iter().map(|r| r["name"].as_str()).collect();
    assert_eq!(names, [Some("short work"), Some("long work"), None]);
    for r in regions {
        let number = |key: &str| r[key].as_u64().expect("a number");
        let lost: u64 = r["stalls"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
        assert_eq!(number("cycles"), number("instructions") + lost, "{r}");
    }
    assert!(regions[1]["stalls"]["taken_branch"].as_u64() > regions[0]["stalls"]["taken_branch"].as_u64());
    sim(&["run"])
        .arg(&elf)
        .assert()
        .code(0)
        .stderr(contains("region long work").and(contains("taken_branch")));
}

#[test]
fn a_time_line_has_functions_regions_and_stalls() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path(), REGIONS);
    let run = |args: &[&str]| -> Vec<Value> {
        let out =
            sim(&["run", "--trace-format", "perfetto", "--trace", "-"]).args(args).arg(&elf).assert().code(0);
        let line: Value = serde_json::from_slice(&out.get_output().stdout).expect("JSON");
        line["traceEvents"].as_array().expect("events").clone()
    };
    let events = run(&[]);
    let of = |row: u64, name: &str| -> Vec<u64> {
        let wanted = events.iter().filter(|e| e["tid"] == row && e["name"] == name && e["ph"] == "X");
        wanted.map(|e| e["dur"].as_u64().expect("a length")).collect()
    };
    assert_eq!((of(1, "work").len(), of(1, "main").len(), of(1, "_start").len()), (2, 1, 1));
    let out = sim(&["run", "--json"]).arg(&elf).assert().code(0).get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(of(2, "long work"), [report["regions"][1]["cycles"].as_u64().expect("a number")]);
    let taken: u64 = of(3, "taken_branch").iter().sum();
    assert_eq!(Some(taken), report["stalls"]["taken_branch"].as_u64());
    // Cut to a window.
    let ends = run(&["--trace-window", "20:60"]);
    let within = |e: &Value| {
        e["ts"].as_u64() >= Some(20)
            && e["ts"].as_u64().zip(e["dur"].as_u64()).is_some_and(|(t, d)| t + d <= 60)
    };
    assert!(ends.iter().filter(|e| e["ph"] == "X").all(within), "{ends:?}");
    sim(&["run", "--trace-format", "perfetto", "--trace-window", "main", "--trace", "-"])
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("limited to cycles"));
}
