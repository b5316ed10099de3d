//! The `mpic-sim` command from outside: what a person types, the sentence and the exit status that come back.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf").join(name)
}

fn sim(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-sim").expect("built");
    c.args(args);
    c
}

/// Runs a file with the given bytes and expects a sentence and exit status 125.
#[track_caller]
fn refused(bytes: &[u8], sentence: &str) {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("bad.elf");
    fs::write(&path, bytes).expect("write");
    sim(&["run"])
        .arg(&path)
        .assert()
        .code(125)
        .stderr(contains(sentence).and(contains("bad.elf")).and(contains("panicked").not()));
}

fn elf() -> Vec<u8> {
    fs::read(golden("k_mm8.elf")).expect("golden ELF")
}

#[test]
fn files_that_are_no_programs() {
    refused(b"", "the file is empty");
    refused(b"hello", "not an ELF file");
    refused(&elf()[..40], "truncated or damaged");
    for cut in [52, 100, 300, 1000, 3000] {
        refused(&elf()[..cut], "truncated or damaged");
    }
    let with = |at: usize, value: u8| {
        let mut e = elf();
        e[at] = value;
        e
    };
    refused(&with(4, 2), "64-bit ELF");
    refused(&with(5, 2), "big-endian");
    refused(&with(18, 40), "this ELF is for ARM");
    refused(&with(16, 1), "not an executable");
}

#[test]
fn paths_that_are_no_files() {
    sim(&["run", "no/such/file.elf"]).assert().code(125).stderr(contains("cannot read no/such/file.elf"));
    if cfg!(target_os = "linux") {
        sim(&["run", "/dev/zero"]).assert().code(125).stderr(contains("more than 256 MiB"));
        sim(&["run", "--load", "_start=/dev/zero"])
            .arg(golden("k_mm8.elf"))
            .assert()
            .code(125)
            .stderr(contains("more than 256 MiB"));
        for command in ["run --json", "profile", "disasm"] {
            let full = fs::File::create("/dev/full").expect("a device");
            let words: Vec<&str> = command.split(' ').collect();
            let out = std::process::Command::new(sim(&[]).get_program())
                .args(words)
                .arg(golden("k_mm8.elf"))
                .stdout(full)
                .output()
                .expect("runs");
            assert_eq!(out.status.code(), Some(125), "{command}");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(said.contains("cannot write to standard output: No space left"), "{command}: {said}");
        }
    }
    sim(&["run", env!("CARGO_MANIFEST_DIR")]).assert().code(125).stderr(contains("is a directory"));
    sim(&["run"]).assert().code(125).stderr(contains("<ELF>"));
}

#[test]
fn a_segment_outside_memory_names_the_option() {
    sim(&["run", "--ram", "0x20000000:64K"])
        .arg(golden("k_mm8.elf"))
        .assert()
        .code(125)
        .stderr(contains("lies outside memory").and(contains("--ram 0x1c0")));
    let twice = ["--ram", "0x1C000000:2M", "--ram", "0x1C1FF000:2M"];
    sim(&["run"]).args(twice).arg(golden("k_mm8.elf")).assert().code(125).stderr(contains("overlap"));
    sim(&["run", "--ram", "0x10000000:256M"])
        .arg(golden("k_mm8.elf"))
        .assert()
        .code(125)
        .stderr(contains("hides the host device"));
    for bad in ["here", "0x1C000000", "0x1C000001:4K", "0:0", "0xFFFFF000:2M", "0:4G"] {
        sim(&["run", "--ram", bad]).arg(golden("k_mm8.elf")).assert().code(125).stderr(contains(bad));
    }
}

#[test]
fn limits_end_with_124() {
    let dir = tempfile::tempdir().expect("tempdir");
    let json = dir.path().join("r.json");
    sim(&["run", "--max-cycles", "1000", &format!("--json={}", json.display())])
        .arg(golden("p_sort.elf"))
        .assert()
        .code(124)
        .stderr(contains("limit reached at pc 0x1c00"));
    let report: Value = serde_json::from_str(&fs::read_to_string(json).expect("written")).expect("JSON");
    assert_eq!(report["status"], "limit");
    assert_eq!(report["exit_code"], Value::Null);
    assert!(report["cycles"].as_u64().is_some_and(|c| (1000..1040).contains(&c)));
    sim(&["run", "--max-instructions", "10"]).arg(golden("p_sort.elf")).assert().code(124);
}

#[test]
fn json_alone_is_on_stdout() {
    let out = sim(&["run", "--json"]).arg(golden("k_mm8.elf")).assert().code(0).get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&out).expect("stdout holds the JSON and nothing else");
    for key in [
        "format",
        "version",
        "status",
        "cycles",
        "instructions",
        "stalls",
        "events",
        "regions",
        "results",
        "energy",
    ] {
        assert!(!report[key].is_null(), "the report lacks {key}");
    }
    let lost: u64 = report["stalls"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
    assert_eq!(report["cycles"].as_u64(), report["instructions"].as_u64().map(|i| i + lost));
    let energy = |k: &str| report["energy"][k].as_f64().expect("a number");
    assert!(energy("low_pj") < energy("nominal_pj") && energy("nominal_pj") < energy("high_pj"));
    let parts = report["energy"]["by_component"].as_object().expect("by component");
    let sum: f64 = parts.values().filter_map(Value::as_f64).sum();
    assert!((sum - energy("nominal_pj")).abs() < 1e-6 * sum);
    // What people read has the parts too.
    let text = sim(&["run"]).arg(golden("k_mm8.elf")).assert().code(0).get_output().stderr.clone();
    let text = String::from_utf8(text).expect("text");
    for part in ["leakage", "fetch", "dot_product"] {
        assert!(text.lines().any(|l| l.trim_start().starts_with(part) && l.contains('%')), "{part}: {text}");
    }
    assert!((energy("constant_model_pj") - report["cycles"].as_f64().expect("cycles") * 21.53).abs() < 1.0);
}

/// A program of the given words at the entry point, as an ELF made from a golden one.
fn program(words: &[u32]) -> Vec<u8> {
    let mut e = elf();
    let at = |i: usize, e: &[u8]| u32::from_le_bytes([e[i], e[i + 1], e[i + 2], e[i + 3]]) as usize;
    let (phoff, entry) = (at(28, &e), at(24, &e));
    let (offset, address) = (at(phoff + 4, &e), at(phoff + 12, &e));
    for (i, w) in words.iter().enumerate() {
        let p = offset + entry - address + 4 * i;
        e[p..p + 4].copy_from_slice(&w.to_le_bytes());
    }
    e
}

#[track_caller]
fn faults(words: &[u32], sentences: &[&str]) {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("fault.elf");
    fs::write(&path, program(words)).expect("write");
    let mut check = sim(&["run", "--max-cycles", "100000"]).arg(&path).assert().code(126);
    for s in sentences {
        check = check.stderr(contains(*s));
    }
}

#[test]
fn faults_say_what_where_and_what_to_do() {
    // lw a0, 0(zero)
    faults(
        &[0x0000_2503],
        &[
            "load of 4 bytes at 0x00000000",
            "RAM is 0x1c000000..0x1c200000",
            "pc 0x1c008080 in _start",
            "lw a0, 0(zero)",
        ],
    );
    // lui a0, 0x20000; sw a0, 4(a0)
    faults(&[0x2000_0537, 0x00A5_2223], &["store of 4 bytes at 0x20000004", "--ram"]);
    // jalr zero, 0(zero)
    faults(&[0x0000_0067], &["fetch of 2 bytes at 0x00000000"]);
    // wfi
    faults(&[0x1050_0073], &["sleeps (wfi)"]);
}

#[test]
fn an_illegal_instruction_goes_to_the_vector_and_is_shown() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("illegal.elf");
    fs::write(&path, program(&[0xFFFF_FFFF])).expect("write");
    // The golden program's vectors end it with 0xBAD, which is no exit status.
    sim(&["run"]).arg(&path).assert().code(1).stderr(contains("illegal instruction at pc 0x1c008080"));
}

#[test]
fn the_json_has_the_parts_of_a_fault_and_the_first_trap() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("fault.elf");
    let report = |words: &[u32], status: i32| -> Value {
        fs::write(&path, program(words)).expect("write");
        let out = sim(&["run", "--json"]).arg(&path).assert().code(status).get_output().stdout.clone();
        serde_json::from_slice(&out).expect("JSON")
    };
    // jal ra, 8; nop; lw a0, 4(zero)
    let fault = report(&[0x0080_00EF, 0x13, 0x0040_2503], 126)["fault"].take();
    assert_eq!(
        (&fault["kind"], &fault["address"], &fault["pc"]),
        (&"load".into(), &4.into(), &0x1C00_8088.into())
    );
    assert_eq!((&fault["symbol"], &fault["instruction"]), (&"kbad".into(), &"lw a0, 4(zero)".into()));
    assert_eq!(fault["backtrace"][0]["pc"], 0x1C00_8084);
    // ecall: the golden program's vectors end it with 0xBAD
    let trapped = report(&[0x73], 1);
    assert_eq!((&trapped["fault"], &trapped["exit_code"]), (&Value::Null, &0xBAD.into()));
    assert_eq!(
        (&trapped["first_trap"]["cause"], &trapped["first_trap"]["pc"]),
        (&"ecall".into(), &0x1C00_8080.into())
    );
}

/// What it prints, stores as results and marks without end is kept up to a bound, and the report says so.
#[test]
fn a_runaway_program_does_not_fill_the_memory() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("runaway.elf");
    for (store, sentence, most) in [
        (0x00AF_A623, "4194304 results", 14_000_000), // sw a0, 12(t6)
        (0x00AF_A223, "262144 markers", 1_000_000),   // sw a0, 4(t6)
    ] {
        // lui t6, 0x1a10f; 1: the store; j 1b
        fs::write(&path, program(&[0x1A10_FFB7, store, 0xFFDF_F06F])).expect("write");
        sim(&["run", "--max-instructions", &most.to_string()])
            .arg(&path)
            .assert()
            .code(124)
            .stderr(contains(sentence));
    }
}

/// Ctrl-C ends the run, not the report.
#[cfg(unix)]
#[test]
fn an_interrupted_run_reports() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (path, trace) = (dir.path().join("loop.elf"), dir.path().join("trace"));
    fs::write(&path, program(&[0x0000_006F])).expect("write");
    let mut child = std::process::Command::new(sim(&[]).get_program())
        .args(["run", "--json", "--max-cycles", "1000000000", "--trace-window", "0:100", "--trace"])
        .args([&trace, &path])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    // The trace file is made right before the run.
    while !trace.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let out = child.wait_with_output().expect("ends");
    assert_eq!(out.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&out.stderr).contains("interrupted at pc 0x1c008080 in _start"));
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(report["status"], "interrupted");
}

#[test]
fn an_endless_loop_meets_its_limit() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("loop.elf");
    fs::write(&path, program(&[0x0000_006F])).expect("write");
    sim(&["run", "--max-cycles", "5000"]).arg(&path).assert().code(124);
}

#[test]
fn semihosting_exits_and_writes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("exit.elf");
    // li a7, 93; li a0, 7; ecall
    fs::write(&path, program(&[0x05D0_0893, 0x0070_0513, 0x0000_0073])).expect("write");
    sim(&["run", "--semihosting"]).arg(&path).assert().code(7);
}

#[test]
fn loads_dumps_and_traces() {
    let dir = tempfile::tempdir().expect("tempdir");
    let trace = dir.path().join("t.csv");
    let elf = golden("k_dot8.elf");
    sim(&["run", "--trace-format", "csv", "--trace-window", "4:20", "--trace"])
        .arg(&trace)
        .arg(&elf)
        .assert()
        .code(0);
    let text = fs::read_to_string(&trace).expect("trace");
    assert!(text.starts_with("cycle,pc,insn,compressed\n4,0x1c008080,"), "{text}");
    assert!(
        text.lines().skip(1).all(|l| l
            .split(',')
            .next()
            .and_then(|c| c.parse().ok())
            .is_some_and(|c: u64| c <= 20))
    );
    sim(&["run", "--dump", "nowhere:4=/dev/null"])
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("no symbol 'nowhere'"));
    sim(&["run", "--load", "_start=no/such"]).arg(&elf).assert().code(125).stderr(contains("no/such"));
    let dump = dir.path().join("d.bin");
    sim(&["run", "--dump", &format!("_start:16={}", dump.display())]).arg(&elf).assert().code(0);
    assert_eq!(fs::read(dump).expect("dumped").len(), 16);
}

#[test]
fn disassembly_names_every_instruction_of_the_kernels() {
    let out = sim(&["disasm"]).arg(golden("k_mm_a8w4.elf")).assert().code(0).get_output().stdout.clone();
    let text = String::from_utf8(out).expect("text");
    assert!(
        text.contains("pv.sdotusp")
            && text.contains("lp.")
            && text.contains("p.lw t4, 4(a4!)")
            && text.contains("<_start>:"),
        "{text}"
    );
}

/// What `batch --inputs` says of an input is what `run --load` says of it, and a file that does not fit is told.
#[test]
fn one_elf_runs_on_many_inputs() {
    let dir = tempfile::tempdir().expect("tempdir");
    let source = "#include \"host.h\"\nvolatile unsigned n[2] = {1, 1};\nint main(void) {\n    unsigned s = 0;\n    \
                  for (unsigned i = 0; i < n[0]; i++) s = s * 5 + i;\n    host_result(s);\n    return n[1];\n}\n";
    fs::write(dir.path().join("sum.c"), source).expect("written");
    sim(&["cc", "sum.c", "-o", "sum.elf"]).current_dir(&dir).assert().success();
    let inputs: [[u32; 2]; 5] = [[5000, 0], [3, 0], [0, 0], [100_000, 0], [7, 9]];
    let mut list = Vec::new();
    for (k, words) in inputs.iter().enumerate() {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        fs::write(dir.path().join(format!("in{k}")), bytes).expect("written");
        list.push(format!("in{k}"));
    }
    fs::write(dir.path().join("long"), [0; 9]).expect("written");
    list.extend(["long".into(), "missing".into()]);
    fs::write(dir.path().join("list"), list.join("\n")).expect("written");
    for threads in ["1", "2"] {
        let mut batch = sim(&["batch", "sum.elf", "--threads", threads, "--inputs", "n=list"]);
        let out = batch.current_dir(&dir).assert().code(125).get_output().stdout.clone();
        let lines: Vec<Value> = String::from_utf8(out)
            .expect("text")
            .lines()
            .map(|l| serde_json::from_str(l).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), list.len());
        for (k, (line, words)) in lines.iter().zip(inputs).enumerate() {
            let load = format!("n=in{k}");
            let mut run = sim(&["run", "sum.elf", "--load", &load, "--json"]);
            let one = run.current_dir(&dir).assert().code(words[1] as i32).get_output().stdout.clone();
            let one: Value = serde_json::from_slice(&one).expect("JSON");
            assert_eq!((&line["elf"], &line["input"]), (&"sum.elf".into(), &list[k].as_str().into()));
            for key in ["status", "exit_code", "cycles", "instructions", "results", "stalls", "warnings"] {
                assert_eq!(line[key], one[key], "{key} of input {k}");
            }
        }
        assert!(lines[5]["error"].to_string().contains("9 bytes"), "{}", lines[5]);
        assert_eq!((&lines[6]["status"], &lines[6]["input"]), (&"error".into(), &"missing".into()));
    }
    sim(&["batch", "sum.elf", "--inputs", "m=list"])
        .current_dir(&dir)
        .assert()
        .code(125)
        .stderr(contains("no symbol 'm'"));
}
