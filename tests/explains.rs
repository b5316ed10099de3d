//! The simulator explains a compiled program: profiles, coverage, traces of a function, many programs at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mpic_firmware::Toolchain;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::sim;

/// `leaf` runs ten times, `never` not at all.
const PROGRAM: &str = "\
volatile unsigned sink;
__attribute__((noinline)) unsigned leaf(unsigned n) {
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += sink * i;
    return sum;
}
__attribute__((noinline)) unsigned never(unsigned n) {
    return n + sink;
}
__attribute__((noinline)) unsigned work(unsigned n) {
    unsigned sum = 0;
    for (unsigned i = 0; i < 10; i++)
        sum += leaf(n + i);
    if (sum == 12345)
        sum = never(sum);
    return sum;
}
int main(void) {
    sink = 3;
    return work(20) == 0;
}
";

pub(crate) fn compile(folder: &Path, source: &str) -> PathBuf {
    let (c, elf) = (folder.join("program.c"), folder.join("program.elf"));
    fs::write(&c, source).expect("written");
    Toolchain::find().and_then(|t| t.debug_info().link(&[c], &elf)).expect("compiles");
    elf
}

fn report(args: &[&str], elf: &Path) -> Value {
    let out = sim(args).arg("--json").arg(elf).assert().code(0).get_output().stdout.clone();
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn profiles_add_up_and_name_functions_and_calls() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compile(dir.path(), PROGRAM);
    let out = dir.path().join("callgrind.out");
    let report = report(&["run", "--profile", &out.display().to_string()], &elf);
    let text = fs::read_to_string(&out).expect("written");

    let numbers = |line: &str| line.split(' ').filter_map(|w| w.parse().ok()).collect::<Vec<u64>>();
    let (mut own, mut calls) = ([0; 2], BTreeMap::new());
    let (mut callee, mut inclusive, mut totals) = (String::new(), false, Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            name.clone_into(&mut callee);
        } else if let Some(n) = line.strip_prefix("calls=") {
            let n = n.split(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a number");
            *calls.entry(callee.clone()).or_insert(0) += n;
            inclusive = true;
        } else if let Some(t) = line.strip_prefix("totals: ") {
            totals = numbers(t);
        } else if line.starts_with("0x") && !std::mem::take(&mut inclusive) {
            // line number, cycles, instructions, ...
            let n = numbers(line);
            own = [own[0] + n[1], own[1] + n[2]];
        }
    }
    assert_eq!(own.map(Some), [report["cycles"].as_u64(), report["instructions"].as_u64()]);
    assert_eq!(totals[..2], own);
    assert_eq!(calls.get("leaf"), Some(&10), "{calls:?}");
    assert_eq!(calls.get("work"), Some(&1), "{calls:?}");
    assert!(!calls.contains_key("never") && text.contains("program.c"), "{text}");
    assert!(report["stack_bytes"].as_u64().is_some_and(|n| (16..256).contains(&n)), "{report}");
    assert!(report["written_bytes"].as_u64().is_some_and(|n| n >= 64 && n % 64 == 0), "{report}");
}

#[test]
fn flame_graphs_show_call_paths() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compile(dir.path(), PROGRAM);
    let svg = dir.path().join("flame.svg");
    sim(&["run", "--profile"]).arg(&svg).arg(&elf).assert().code(0);
    let text = fs::read_to_string(svg).expect("written");
    assert!(text.starts_with("<?xml") && text.contains("leaf") && text.trim_end().ends_with("</svg>"));
}

#[test]
fn coverage_counts_source_lines() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compile(dir.path(), PROGRAM);
    let info = dir.path().join("lcov.info");
    sim(&["run", "--coverage"]).arg(&info).arg(&elf).assert().code(0);
    let text = fs::read_to_string(info).expect("written");
    let file =
        text.split("SF:").find(|f| f.lines().next().is_some_and(|n| n.ends_with("program.c"))).expect("file");
    let runs = |text: &str| {
        let line = PROGRAM.lines().position(|l| l.contains(text)).expect("a line of the program") + 1;
        let row = file.lines().find_map(|l| l.strip_prefix(&format!("DA:{line},")));
        row.unwrap_or_else(|| panic!("line {line} is missing in {file}")).parse::<u64>().expect("a number")
    };
    assert_eq!(runs("return n + sink"), 0);
    assert_eq!(runs("unsigned leaf("), 10);
    // 20 + 21 + ... + 29 passes
    assert_eq!(runs("sum += sink * i"), 245);
}

#[test]
fn the_profile_command_shows_hot_loops_first() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compile(dir.path(), PROGRAM);
    let out = sim(&["profile"]).arg(&elf).assert().code(0).get_output().stdout.clone();
    let text = String::from_utf8(out).expect("text");
    let first = text.lines().nth(1).expect("a hot loop");
    assert!(first.contains(" 245 ") && first.contains("leaf"), "{text}");
    assert!(
        text.contains("program.c:") && text.contains("load_use") && text.contains("taken_branch"),
        "{text}"
    );
    sim(&["profile", "--min-share", "101"])
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("between 0 and 100"));
}

#[test]
fn traces_are_limited_to_a_function() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compile(dir.path(), PROGRAM);
    let file = dir.path().join("trace");
    let trace = |window: &str, format: &str| {
        sim(&["run", "--trace-window", window, "--trace-format", format, "--trace"])
            .arg(&file)
            .arg(&elf)
            .assert()
            .code(0);
        fs::read_to_string(&file).expect("trace")
    };
    let leaf = trace("leaf", "text");
    assert_eq!(leaf.lines().filter(|l| l.contains("jalr zero, 0(ra)")).count(), 10, "{leaf}");
    assert!(leaf.contains(" load_use:1") && !leaf.contains("jal ra"), "{leaf}");
    let core = trace("leaf", "ri5cy");
    let mut lines = core.lines();
    assert_eq!(lines.next(), Some("                Time          Cycles PC       Instr    Mnemonic"));
    // As `riscv_tracer.sv` prints: written registers with =, read ones with :, the address behind PA.
    assert!(
        lines.any(|l| l.contains("mul              x") && l.contains('=') && l.matches(':').count() == 2),
        "{core}"
    );
    assert!(core.lines().any(|l| l.contains("lw               x") && l.contains("  PA:1c0")), "{core}");
    assert_eq!(core.lines().count(), leaf.lines().count() + 1);
    sim(&["run", "--trace-window", "nothing", "--trace"])
        .arg(&file)
        .arg(&elf)
        .assert()
        .code(125)
        .stderr(contains("nor a function"));
}

#[test]
fn batches_keep_the_order_whatever_the_threads() {
    let dir = tempfile::tempdir().expect("tempdir");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/elf");
    let mut elves: Vec<PathBuf> =
        fs::read_dir(golden).expect("golden").map(|e| e.expect("entry").path()).collect();
    elves.sort();
    elves.insert(3, "no/such.elf".into());
    let list = dir.path().join("list");
    let lines: Vec<String> = elves.iter().map(|p| p.display().to_string()).collect();
    fs::write(&list, format!("# programs\n\n{}\n", lines.join("\n"))).expect("written");
    let run = |threads: &str| -> Vec<Value> {
        let out = sim(&["batch", "--max-cycles", "200000", "--threads", threads])
            .arg(&list)
            .assert()
            .code(125)
            .get_output()
            .stdout
            .clone();
        let lines = String::from_utf8(out).expect("text");
        lines
            .lines()
            .map(|l| {
                let mut v: Value = serde_json::from_str(l).expect("a JSON object per line");
                v["wall_seconds"].take();
                v["host_mips"].take();
                v
            })
            .collect()
    };
    let one = run("1");
    assert_eq!(one.iter().map(|v| v["elf"].as_str().expect("name").to_owned()).collect::<Vec<_>>(), lines);
    assert_eq!(one[3]["status"], "error");
    assert!(one[3]["error"].as_str().is_some_and(|e| e.contains("cannot read no/such.elf")));
    assert!(one.iter().filter(|v| v["status"] == "exited").count() > 15);
    assert_eq!(one, run("2"));
    sim(&["batch", "no/list"]).assert().code(125).stderr(contains("cannot read no/list"));
    sim(&["batch", "-"]).write_stdin("").assert().code(0).stdout(predicate::str::is_empty());
}

/// Programs made for riscv-tests end through `tohost`, print through requests and leave a signature.
#[test]
fn programs_for_riscv_tests_run() {
    const SOURCE: &str = "\
volatile unsigned long long tohost __attribute__((aligned(64)));
volatile unsigned long long fromhost __attribute__((aligned(64)));
volatile unsigned begin_signature[3] = {1, 0xabcdef01, 3};
__asm__(\".globl end_signature; .set end_signature, begin_signature + 12\");
static volatile unsigned long long request[8] __attribute__((aligned(64)));
int main(void) {
    static const char text[] = \"hello\\n\";
    request[0] = 64;
    request[1] = 1;
    request[2] = (unsigned)text;
    request[3] = sizeof text - 1;
    tohost = (unsigned)request;
    while (fromhost == 0) {}
    fromhost = 0;
    begin_signature[2] = 0x55;
    for (;;) tohost = CODE << 1 | 1;
}
";
    let dir = tempfile::tempdir().expect("tempdir");
    let signature = dir.path().join("signature");
    for code in [0, 5] {
        let elf = compile(dir.path(), &SOURCE.replace("CODE", &code.to_string()));
        sim(&["run", "--max-cycles", "100000", "--signature"])
            .arg(&signature)
            .arg(&elf)
            .assert()
            .code(code)
            .stdout("hello\n");
        let words = fs::read_to_string(&signature).expect("written");
        assert_eq!(words, "00000001\nabcdef01\n00000055\n");
    }
}
