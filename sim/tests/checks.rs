//! The checks for silent mistakes: a program for each that triggers it, and none that is triggered by programs without the mistake.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn sim(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-sim").expect("built");
    c.args(args);
    c
}

/// The warnings of a program in C (or assembly if it is named `.S`) that ends with exit code 0.
fn warnings(name: &str, source: &str, options: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join(name), source).expect("written");
    sim(&["cc", name, "-o", "k.elf"]).current_dir(&dir).assert().success();
    let out =
        sim(&["run", "--json", "--max-cycles", "10M", "k.elf"]).args(options).current_dir(&dir).output();
    let out = out.expect("runs");
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(report["status"], "exited", "{report}");
    report["warnings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|w| w.as_str().expect("text").to_owned())
        .collect()
}

/// Exactly one warning, with these words.
#[track_caller]
fn warned(name: &str, source: &str, options: &[&str], words: &[&str]) {
    let warnings = warnings(name, source, options);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for word in words {
        assert!(warnings[0].contains(word), "'{word}' is not in: {}", warnings[0]);
    }
}

/// A program with a loop, at the label `looping`.
fn looping(body: &str) -> String {
    format!(
        "#include \"mpic.h\"\n.globl main\nmain:\n li t2, 9\n li a0, 0\nlooping:\n{body}\n li a0, 0\n ret\n"
    )
}

#[test]
fn loops_whose_end_is_never_met() {
    // lp_setup takes the last instruction to be four bytes long, and here it is compressed.
    let body = " .balign 4\n lp_setup 0, t2, 1f\n add a1, a1, a2\n mul a1, a1, a2\n addi a1, a1, 1\n1:";
    warned("loop.S", &looping(body), &[], &["the body runs once", "looping", "loop.S:"]);
    let backwards = " .option norvc\n li t1, 5\n .word 0x0000007b | 64 << 20\n .word 0x0000107b\n lp_count 0, t2\n nop\n nop";
    warned("loop.S", &looping(backwards), &[], &["ends before it begins", "looping"]);
}

#[test]
fn loops_that_the_core_does_not_support() {
    let one = " lp_begin 0, t2\n addi a1, a1, 1\n lp_end 0";
    warned("loop.S", &looping(one), &[], &["has one instruction", "looping", "loop.S:"]);
    let branch = " lp_begin 0, t2\n addi a1, a1, 1\n bnez zero, looping\n lp_end 0";
    warned("loop.S", &looping(branch), &[], &["ends with a branch", "looping"]);
    let unasked = warnings("loop.S", &looping(one), &["--checks", "off"]);
    assert!(unasked.is_empty(), "{unasked:?}");
    // In a function that has run before, with one pass, which is right whatever the body.
    let later = "#include \"mpic.h\"\n.globl main\nmain:\n mv s1, ra\n li s0, 6\n1: srli t2, s0, 1\n addi t2, t2, -1\n call f\n addi s0, s0, -1\n bnez s0, 1b\n \
                 li a0, 0\n jr s1\nf: lp_begin 0, t2\n addi a1, a1, 1\n lp_end 0\n ret\n";
    warned("later.S", later, &[], &["has one instruction", " f"]);
}

/// The numbers are those of the loop registers: start, end and count of loop 0.
#[test]
fn loops_that_csrs_set_up() {
    let looping_by = |end: &str| {
        let body = format!(
            " .option norvc\n la t0, 1f\n csrw 0x7C0, t0\n la t0, {end}\n csrw 0x7C1, t0\nset: csrw 0x7C2, t2\n nop\n nop\n\
            1: addi a1, a1, 1\n addi a1, a1, 1\n2: bnez zero, looping\n3: addi a1, a1, 1\n"
        );
        looping(&body)
    };
    for engine in ["auto", "reference"] {
        let options = ["--engine", engine];
        warned("loop.S", &looping_by("2f"), &options, &["ends with a branch", "set", "loop.S:"]);
        warned("loop.S", &looping_by("2f + 2"), &options, &["the body runs once", "set"]);
        let good = warnings("loop.S", &looping_by("3f"), &options);
        assert!(good.is_empty(), "{good:?}");
    }
    // Start and end that follow the count are not known yet.
    let count_first = " .option norvc\n csrw 0x7C2, t2\n la t0, 1f\n csrw 0x7C0, t0\n la t0, 2f\n csrw 0x7C1, t0\n nop\n nop\n\
                       1: addi a1, a1, 1\n2: addi a1, a1, 1\n";
    let found = warnings("loop.S", &looping(count_first), &[]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_stack_that_grows_into_the_data() {
    let source = "volatile int table[20000], sink;\n\
        __attribute__((noinline)) int deep(int n) { volatile char frame[200]; frame[0] = n; return n ? deep(n - 1) + frame[0] : 0; }\n\
        int main(void) { sink = deep(400); return table[0] * 0; }\n";
    warned("stack.c", source, &[], &["stack has grown into", "deep", "stack.c:2"]);
    let enough = warnings("stack.c", &source.replace("400", "100"), &[]);
    assert!(enough.is_empty(), "{enough:?}");
    let unasked = warnings("stack.c", source, &["--checks", "off"]);
    assert!(unasked.is_empty(), "{unasked:?}");
}

/// A stack that a program takes from its data is none that has grown.
#[test]
fn other_stacks_are_no_mistake() {
    let source = ".globl main\nmain: mv t0, sp\n la sp, own + 512\n addi sp, sp, -32\n sw t0, 0(sp)\n lw t0, 0(sp)\n mv sp, t0\n li a0, 0\n ret\n\
                  .bss\n.balign 16\nown: .space 512\n";
    let found = warnings("stacks.S", source, &[]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn undefined_formats() {
    let source = "#include \"mpic.h\"\nint main(void) { volatile int f = 31; mpic_format(f); mpic_format(MPIC_FMT_8); return 0; }\n";
    warned("format.c", source, &[], &["undefined SIMD format", "main", "format.c:2"]);
    let unset = "#include \"mpic.h\"\nint main(void) { return pv_dotsp(0, 0) * 0; }\n";
    warned("unset.c", unset, &[], &["format 0", "main", "xpulp.h:"]);
}

/// A function that writes an instruction into another one and calls it, some times.
fn patching(fence: &str) -> String {
    format!(
        "#include <stdint.h>\n\
        extern volatile uint32_t patched[];\n\
        __asm__(\".text\\n.balign 4\\n.option push\\n.option norvc\\npatched: addi a0, zero, 1\\nret\\n.option pop\");\n\
        int main(void) {{ int sum = 0; for (int i = 0; i < 20; i++) {{\n\
            patched[0] = i << 20 | 0x513;\n            {fence};\n            sum += ((int (*)(void))patched)(); }}\n\
            return sum - 190; }}\n"
    )
}

#[test]
fn code_that_is_written_and_runs_without_a_fence() {
    // The first pass writes before the code was ever fetched, which is no news to the fetch side.
    let found = warnings("patch.c", &patching(""), &[]);
    assert!(
        found.iter().any(|w| w.contains("no fence.i came before it") && w.contains("patched")),
        "{found:?}"
    );
    let found = warnings("patch.c", &patching(""), &["--checks", "off"]);
    assert!(!found.iter().any(|w| w.contains("no fence.i came before it")), "{found:?}");
    let found = warnings("patch.c", &patching("__asm__ volatile(\"fence.i\")"), &[]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn memory_that_was_never_written() {
    let source = "#define UNKNOWN (*(volatile int *)0x1c100000)\n\
        __attribute__((noinline)) int leaves(void) { volatile int a[4]; a[0] = 7; return a[0]; }\n\
        __attribute__((noinline)) int takes(void) { volatile int a[4]; return a[0]; }\n\
        int zero, filled[4] = {1};\n\
        int main(void) { volatile int local = 3; return (UNKNOWN + leaves() + takes() + zero + filled[1] + local) * 0; }\n";
    let found = warnings("reads.c", source, &["--check-uninitialised"]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("never written") && found[0].contains("main"), "{found:?}");
    assert!(found[1].contains("takes") && found[1].contains("reads.c:3"), "{found:?}");
    assert!(warnings("reads.c", source, &[]).is_empty());
}

fn golden() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf");
    let mut all: Vec<_> = fs::read_dir(folder).expect("golden").map(|e| e.expect("entry").path()).collect();
    all.sort();
    all
}

/// The words by which the checks begin.
const CHECKS: [&str; 4] =
    ["the hardware loop", "the stack has", "an undefined SIMD", "this instruction was written"];

#[test]
fn golden_programs_are_not_warned_of() {
    let list: Vec<String> = golden().iter().map(|p| p.display().to_string()).collect();
    let out =
        sim(&["batch", "--threads", "1", "-"]).write_stdin(list.join("\n")).output().expect("runs").stdout;
    let text = String::from_utf8(out).expect("text");
    assert_eq!(text.lines().count(), golden().len());
    for line in text.lines() {
        let report: Value = serde_json::from_str(line).expect("JSON");
        let warnings = report["warnings"].to_string();
        // Three of them measured what the core makes of such mistakes, and must be told so.
        let elf = report["elf"].as_str().expect("a path");
        let meant = [
            ("micro_hwlp.elf", "has one instruction", 3),
            ("mpc_corner.elf", "an undefined SIMD", 1),
            ("mpc_func.elf", "an undefined SIMD", 1),
        ];
        let meant = meant.into_iter().find(|m| elf.ends_with(m.0));
        let told: usize = CHECKS.iter().map(|c| warnings.matches(c).count()).sum();
        assert_eq!(told, meant.map_or(0, |m| warnings.matches(m.1).count()), "{elf}: {warnings}");
        assert_eq!(told, meant.map_or(0, |m| m.2), "{elf}: {warnings}");
    }
}
