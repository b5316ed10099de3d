//! A kernel of one's own: the compiler driver, the project to start from, and the C functions and assembler macros for instructions
//! that compilers do not know.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use mpic_sim::{Config, Image, Limits, Machine, Status, cores, decode, manual};
use predicates::prelude::*;
use predicates::str::contains;

fn sim(args: &[&str]) -> Command {
    let mut c = Command::cargo_bin("mpic-sim").expect("built");
    c.args(args);
    c
}

/// Compiles `source` (C, or assembly if it is named so) with `options`.
fn compiled(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let elf = folder.join(name).with_extension("elf");
    fs::write(folder.join(name), source).expect("written");
    let made = sim(&["cc", name, "-o"]).current_dir(folder).arg(&elf).args(options).output().expect("runs");
    assert!(
        made.status.success(),
        "{} (if the cross compiler is missing, run ./setup.sh packages)",
        String::from_utf8_lossy(&made.stderr)
    );
    elf
}

/// Compiles and runs; the program checks itself.
#[track_caller]
fn exits_with_0(name: &str, source: &str, options: &[&str]) -> Machine {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path(), name, source, options);
    let image = Image::parse(&fs::read(elf).expect("linked")).expect("a program");
    let mut machine = Machine::new(&image, &Config::default()).expect("fits");
    let outcome = machine.run(Limits { cycles: 10_000_000, ..Limits::default() });
    let said = String::from_utf8_lossy(&outcome.console).into_owned();
    assert!(matches!(outcome.status, Status::Exited(0)), "{:?} {options:?}: {said}", outcome.status);
    let warned: Vec<_> = outcome.warnings.iter().map(|w| w.what.to_string()).collect();
    assert!(warned.is_empty(), "{warned:?}");
    machine
}

/// `UPDATE_INSTRUCTIONS=1 cargo test -p mpic-sim --test own_kernel` writes both anew.
#[test]
fn header_and_page_are_made_from_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in
        [("firmware/include/xpulp.h", manual::header()), ("docs/instructions.md", manual::page())]
    {
        let path = root.join(path);
        if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
            fs::write(&path, &text).expect("written");
        }
        let there = fs::read_to_string(&path).expect("committed");
        assert!(
            there == text,
            "{} is not what the instruction table says: run UPDATE_INSTRUCTIONS=1 cargo test -p mpic-sim --test own_kernel",
            path.display()
        );
    }
}

/// Every assembler macro of the header with its operands.
fn macros() -> Vec<(String, Vec<String>)> {
    let header = manual::header();
    let lines = header.lines().filter_map(|l| l.strip_prefix(".macro ")).filter(|l| !l.starts_with("mpic_"));
    lines
        .map(|l| {
            let (name, operands) = l.split_once(' ').expect("operands");
            (name.to_owned(), operands.split(", ").map(str::to_owned).collect())
        })
        .collect()
}

/// Row names as identifiers; the second is what the header makes of post-increment and register forms.
fn identifiers(name: &str) -> [String; 2] {
    let plain = name.replace('.', "_");
    let long = name.replace(".r!", "_rpost").replace('!', "_post").replace('.', "_");
    [plain, long]
}

#[test]
fn every_assembler_macro_is_its_instruction() {
    let mut source = String::from("#include \"mpic.h\"\n.globl main\n.option norvc\nmain:\n");
    for (name, operands) in macros() {
        let values = operands.iter().map(|o| match o.as_str() {
            "rd" => "a0",
            "rs1" => "a1",
            "rs2" => "a2",
            "rs3" => "a3",
            "to" => "main",
            "imm" if name.starts_with("pv_") => "5",
            "imm" => "-4",
            "width" => "9",
            "lsb" | "shift" => "6",
            "radix" => "1",
            "n" => "7",
            other => panic!("{name} has an operand {other} that this test does not know"),
        });
        let _ = writeln!(source, "    {name} {}", values.collect::<Vec<_>>().join(", "));
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path(), "all.S", &source, &[]);
    let image = Image::parse(&fs::read(elf).expect("linked")).expect("a program");
    let machine = Machine::new(&image, &Config::default()).expect("fits");
    let start = image.symbol("main").expect("main");
    let mut seen = BTreeSet::new();
    for (n, (name, operands)) in macros().into_iter().enumerate() {
        let pc = start + 4 * n as u32;
        let inst = decode::fetch(&cores::MPIC, machine.memory(), pc, true).expect("code");
        assert!(identifiers(inst.row.name).contains(&name), "{name} is {}", inst.row.name);
        let text = mpic_sim::trace::disassemble(&inst, pc);
        for (operand, register) in [("rs1", "a1"), ("rs3", "a3")] {
            assert!(!operands.iter().any(|o| o == operand) || text.contains(register), "{name}: {text}");
        }
        assert!(!operands.iter().any(|o| o == "rs2") || inst.rs2 == 12, "{name}: {text}");
        assert!(!operands.iter().any(|o| o == "rd") || inst.rd == 10, "{name}: {text}");
        let imm = match operands.last().map(String::as_str) {
            Some("imm") => Some(5),
            Some("lsb") => Some(8),
            Some("shift") => Some(1),
            Some("n") if inst.row.form != mpic_sim::isa::Form::Shamt => Some(7),
            _ => None,
        };
        assert!(imm.is_none_or(|i| inst.imm == i), "{name}: {text}");
        seen.insert(inst.row.name);
    }
    let own = mpic_sim::isa::rows().filter(|r| manual::extension(r) != manual::Extension::Base);
    let without: BTreeSet<_> = own.map(|r| r.name).filter(|n| !seen.contains(n)).collect();
    // Loops are in mpic.h; the others are encodings that the core takes though there is no such instruction.
    let known = "lp.starti lp.endi lp.count lp.counti lp.setup lp.setupi pv.abs.sc pv.abs.sci pv.shuffle.sc pv.shuffleI1.v \
                 pv.shuffleI2.v pv.shuffleI3.v pv.shuffleI1.sc pv.shuffleI2.sc pv.shuffleI3.sc";
    assert_eq!(without, known.split_whitespace().collect());
}

/// Every C function and macro of the header compiles, optimised or not, to its instruction.
#[test]
fn every_c_function_is_its_instruction() {
    let header = manual::header();
    let c = header.split("#else\n").nth(1).expect("the C part");
    let mut names = Vec::new();
    let mut body = String::new();
    for line in c.lines() {
        let call = if let Some(rest) = line.strip_prefix("#define ") {
            rest.split_once(") ").map(|c| c.0)
        } else {
            line.strip_prefix("MPIC_INLINE ").and_then(|l| l.split_once(") {")).map(|c| c.0)
        };
        let Some((name, operands)) = call.and_then(|c| c.split_once('(')) else { continue };
        let name = name.rsplit(' ').next().expect("a name");
        let stores = name.starts_with("p_s") && operands.contains("value");
        let values = operands.split(", ").map(|o| match o.rsplit([' ', '*']).next().unwrap_or(o) {
            "p" | "base" => "p",
            "step" if name.ends_with("_rpost") => "v",
            "imm" | "step" | "n" => "5",
            "width" => "9",
            "lsb" | "shift" => "6",
            "radix" => "1",
            "acc" | "rd" | "rs1" | "rs2" | "offset" | "value" => "v",
            other => panic!("{name} has an operand {other} that this test does not know"),
        });
        let call = format!("{name}({})", values.collect::<Vec<_>>().join(", "));
        let _ = writeln!(body, "    {}{call};", if stores { "" } else { "v = " });
        names.push(name.to_owned());
    }
    // All but the two branches.
    assert_eq!(names.len() + 2, macros().len());
    let source = format!(
        "#include \"mpic.h\"\nint main(void) {{\n    volatile int v = 4;\n    char *p = (char *)&v;\n{body}    return v;\n}}\n"
    );
    let dir = tempfile::tempdir().expect("tempdir");
    for level in ["-O0", "-O2"] {
        let elf = compiled(dir.path(), "all.c", &source, &[level]);
        let out = sim(&["disasm"]).arg(&elf).assert().code(0).get_output().stdout.clone();
        let text = String::from_utf8(out).expect("text");
        let listed: BTreeSet<String> = text
            .lines()
            .filter_map(|l| l.split_whitespace().nth(2))
            .map(|mnemonic| mnemonic.replace('.', "_"))
            .collect();
        for name in &names {
            let plain = name.trim_end_matches("_rpost").trim_end_matches("_post");
            assert!(listed.contains(plain), "{name} is not in the program compiled with {level}");
        }
    }
}

/// One of every shape of operands, with results by hand.
#[test]
fn c_functions_give_what_the_instructions_give() {
    let source = r#"
#include "host.h"
#include "mpic.h"
#define IS(what, want) if ((what) != (want)) { host_puts(#what "\n"); wrong++; }
static const signed char bytes[8] = {1, -2, 3, -4, 5, -6, 7, -8};
static short halves[4];
int main(void) {
    int wrong = 0;
    volatile int minus = -5, seven = 7;
    IS(p_max(minus, seven), 7)
    IS(p_min(minus, seven), -5)
    IS(p_abs(minus), 5)
    IS(p_cnt(seven), 3u)
    IS(p_clip(minus * 100, 8), -128)
    IS(p_clipu(minus, 8), 0)
    IS(p_mac(10, minus, seven), -25)
    IS(p_msu(10, minus, seven), 45)
    IS(p_extract(seven << 4, 3, 4), -1)
    IS(p_extractu(seven << 4, 3, 4), 7u)
    IS(p_insert(0u, seven, 3, 8), 0x700u)
    IS(p_bset(seven, 2, 8), 0x307u)
    IS(p_bitrev(seven, 0, 0), 0xE0000000u)
    IS(p_addRN(minus, seven + 1, 1), 2)
    IS(p_mulsN(minus, seven, 1), -18)
    IS(p_macsN(100, minus, seven, 0), 65)
    IS(p_addNr(100, minus, 1), 47)
    mpic_format(MPIC_FMT_8);
    const signed char *p = bytes;
    unsigned x = p_lw_post(p, 4), y = p_lw_post(p, 4);
    IS(p - bytes, 8)
    IS(pv_dotsp(x, y), 1 * 5 + 2 * 6 + 3 * 7 + 4 * 8)
    IS(pv_sdotsp(1000, x, y), 1070)
    IS(pv_dotsp_sc(x, y), 5 * (1 - 2 + 3 - 4))
    IS(pv_sdotsp_sci(7, x, -3), 7 + 6)
    IS(pv_dotusp(x, y), 5 - 6 * 254 + 7 * 3 - 8 * 252)
    IS(pv_dotup(0x01010101u, 0xFFFFFFFFu), 4 * 255u)
    IS(pv_add_sci(x, -3), 0xF900FBFEu)
    IS(pv_extract(x, 3), -4)
    IS(pv_extractu(x, 3), 252u)
    IS(pv_insert(0u, 0x12u, 2), 0x120000u)
    IS(pv_shuffleI0(0x44332211u, 0x1B), 0x11223344u & 0x00FFFFFF | 0x11000000u)
    p = bytes;
    IS(p_lb_rpost(p, seven), 1)
    IS(*p, -8)
    IS(p_lb(bytes, seven), -8)
    short *h = halves;
    p_sh_post(minus, h, 4);
    IS(h - halves, 2)
    p_sh_rpost(seven, h, -4);
    p_sh(12, halves, 6);
    IS(halves[0], -5)
    IS(halves[2], 7)
    IS(halves[3], 12)
    mpic_format(MPIC_FMT_8x4);
    mpic_group(0);
    /* Four lanes of 8 bits with the lower, then the upper four of eight lanes of 4 bits. */
    int sum = pv_sdotsp(0, 0x01010101u, 0x8000F321u);
    IS(sum, 1 + 2 + 3 - 1)
    sum = pv_sdotsp(sum, 0x01010101u, 0x8000F321u);
    IS(sum, 5 - 8)
    int n = 37, total = 0;
    __asm__ volatile(MPIC_LOOP("0", "%[n]", "addi %[t], %[t], 2\naddi %[t], %[t], 1\n") : [t] "+r"(total) : [n] "r"(n));
    IS(total, 111)
    return wrong;
}
"#;
    for level in ["-O0", "-O1", "-O2", "-Os"] {
        exits_with_0("shapes.c", source, &[level]);
    }
}

#[test]
fn hardware_loops_take_register_names_and_force_what_the_hardware_needs() {
    let source = "
#include \"mpic.h\"
    .globl main
main:
    li t2, 5
    li s0, 3
    li a0, -45
    c.nop
    lp_begin 1, s0
    mv t0, t2
    lp_begin 0, t0
    addi a0, a0, 1
    addi a0, a0, 2          /* compressible, and last */
    lp_end 0
    addi t1, t1, 1
    addi t1, t1, 1
    lp_end 1
    beqz a0, 1f
    li a0, 1
1:  ret
";
    exits_with_0("loops.S", source, &[]);
}

#[test]
fn programs_that_need_more_than_the_core_link() {
    let source = r#"
#include <stdint.h>
#include <string.h>
#include "host.h"
struct big { int32_t words[40]; } from, to;
const int32_t table[12000] = {1, 2, 3};
volatile float f = 2;
volatile int64_t q = 700000000000, step = 3;
volatile int n = 11999;
int main(void) {
    memset(&from, 1, sizeof from);
    to = from;
    return (int)(f * 3.5f) + (int)(q / 100000000000 / step) - 9 + (to.words[39] != 0x01010101) + table[n] + memcmp(&to, &from, sizeof to);
}
"#;
    exits_with_0("more.c", source, &[]);
    // The headers stand alone, without -ffreestanding too.
    let hosted = "#include \"host.h\"\n#include \"mpic.h\"\nint main(void) { host_puts(\"x\"); return 0; }\n";
    exits_with_0("hosted.c", hosted, &["-fhosted", "-std=c99", "-O1"]);
}

#[test]
fn the_driver_is_a_compiler_like_any_other() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("two.c"), "int two(void) { return VALUE; }\n").expect("written");
    fs::write(dir.path().join("main.c"), "int two(void); int main(void) { return two(); }\n")
        .expect("written");
    sim(&["cc", "-c", "-DVALUE=2", "two.c", "-o", "two.o"]).current_dir(&dir).assert().code(0);
    sim(&["cc", "main.c", "two.o", "-o", "k.elf"]).current_dir(&dir).assert().code(0);
    sim(&["run", "k.elf"]).current_dir(&dir).assert().code(2);
    sim(&["cc", "missing.c"]).current_dir(&dir).assert().code(1).stderr(contains("missing.c"));
    sim(&["cc", "main.c"]).env("MPIC_CC", "no-such-gcc").assert().code(125).stderr(contains("no-such-gcc"));
    sim(&["cc", "main.c"])
        .env("PATH", "")
        .assert()
        .code(125)
        .stderr(contains("apt-get install gcc-riscv64-unknown-elf"));
    sim(&["cc", "--help"]).assert().code(0).stdout(contains("mpic-sim cc main.c kernel.S -o k.elf"));
    sim(&["cc", "--support", "files"]).current_dir(&dir).assert().code(0);
    assert!(dir.path().join("files/include/xpulp.h").is_file() && dir.path().join("files/link.ld").is_file());
    // Nothing of where the support files were for the moment is left in the ELF.
    let elf = fs::read(dir.path().join("k.elf")).expect("linked");
    assert!(!elf.windows(10).any(|w| w == b"/tmp/mpic-"), "the ELF names a temporary folder");
}

#[test]
fn a_new_project_builds_runs_and_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("tempdir");
    let program = assert_cmd::cargo::cargo_bin("mpic-sim");
    sim(&["new", "dot"]).current_dir(&dir).assert().code(0).stdout(contains("cd dot && make test"));
    let make = |target: &str| {
        Command::new("make")
            .args([target, &format!("SIM={}", program.display())])
            .current_dir(dir.path().join("dot"))
            .assert()
    };
    make("test").success().stdout(contains("dot_asm  ").and(contains("WRONG").not()));
    make("profile").success().stdout(contains("dot.S:"));
    sim(&["new", "dot"]).current_dir(&dir).assert().code(125).stderr(contains("not overwritten"));
}

#[test]
fn the_table_of_instructions_is_searched_by_name() {
    sim(&["isa", "sdotsp.sc"]).assert().code(0).stdout(contains("pv.sdotsp.sci rd, rs1, imm6"));
    sim(&["isa", "nothing"]).assert().code(125).stderr(contains("'nothing'"));
}
