//! A session with a real gdb.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = "\
#include \"mpic.h\"
#include \"host.h\"
volatile int sink;
volatile int table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
__attribute__((noinline)) int looped(int n) {
    int sum = 0;
    __asm__ volatile(\".globl body\\n.globl behind\\n\"
        MPIC_LOOP(\"0\", \"%[n]\", \"body: addi %[s], %[s], 1\\naddi %[s], %[s], 2\\n\") \"behind:\"
        : [s] \"+r\"(sum) : [n] \"r\"(n));
    return sum;
}
int main(void) {
    host_puts(\"begun\\n\");
    mpic_format(MPIC_FMT_8x4);
    int sum = looped(5);
    sink = sum;
    table[3] = sum + 1;
    host_puts(\"done\\n\");
    return sum;
}
";

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("mpic-sim")
}

fn compiled(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("k.c"), PROGRAM).expect("written");
    let made = Command::new(program()).args(["cc", "k.c", "-o", "k.elf"]).current_dir(folder).status();
    assert!(made.expect("runs").success());
    folder.join("k.elf")
}

/// What gdb says to these commands, and what the simulator has said and printed when it is done.
fn session(elf: &Path, commands: &[&str]) -> (String, String) {
    let mut server = Command::new(program())
        .args(["gdb", "--port", "0"])
        .arg(elf)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut said = BufReader::new(server.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("text");
    let port = line.trim_end().trim_end_matches('\'').rsplit(':').next().expect("a port").to_owned();
    let mut gdb = Command::new("gdb-multiarch");
    gdb.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off"]);
    gdb.arg("-ex").arg(format!("target remote :{port}"));
    for command in commands {
        gdb.arg("-ex").arg(command);
    }
    let out = gdb.arg(elf).output().unwrap_or_else(|e| {
        let _ = server.kill();
        panic!("cannot run gdb-multiarch ({e}): install the Debian package gdb-multiarch, or run ./setup.sh packages")
    });
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    let mut printed = String::new();
    server.stdout.take().expect("piped").read_to_string(&mut printed).expect("text");
    server.wait().expect("ends");
    (
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        rest + &printed,
    )
}

#[test]
fn a_session_with_gdb() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path());
    let (gdb, ours) = session(
        &elf,
        &[
            "break looped",
            "continue",
            "backtrace",
            "printf \"format %d\\n\", $simd_fmt",
            "break *body",
            "continue",
            "printf \"passes %d\\n\", $lpcount0",
            "printf \"end %d\\n\", $lpend0 == $pc + 4",
            // Through the end of the loop, back to its start.
            "stepi",
            "stepi",
            "printf \"again %d passes %d\\n\", $pc == (unsigned)&body, $lpcount0",
            "reverse-stepi",
            "printf \"back %d\\n\", $pc == (unsigned)&body + 4",
            "delete",
            "break *&behind",
            "continue",
            "printf \"behind, passes %d\\n\", $lpcount0",
            "delete",
            "watch sink",
            "continue",
            "printf \"sink %d\\n\", sink",
            "delete",
            "monitor cycles",
            "monitor stalls",
            "monitor nothing",
            "rwatch table[3]",
            "watch table[3]",
            "continue",
            "printf \"table %d\\n\", table[3]",
            "delete",
            "break looped",
            "reverse-continue",
            "printf \"n %d\\n\", $a0",
            "delete",
            "continue",
        ],
    );
    for part in [
        "#0  looped",
        "#1  0x",
        "format 8",
        "passes 5",
        "end 1",
        "again 1 passes 4",
        "back 1",
        "behind, passes 1",
        "Hardware watchpoint",
        "sink 15",
        " cycles, ",
        "jump ",
        "there is no 'nothing'",
        "table 16",
        "n 5",
        "[Inferior 1 (process 1) exited with code 017]",
    ] {
        assert!(gdb.contains(part), "'{part}' is not in:\n{gdb}\n{ours}");
    }
    // What it printed before it was taken back is not printed again.
    assert!(ours.contains("begun\ndone\n"), "{ours}");
    let run = Command::new(program()).args(["run", "--json"]).arg(&elf).output().expect("runs");
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let cycles = format!("{} cycles, {} instructions", report["cycles"], report["instructions"]);
    assert!(ours.contains(&cycles), "{cycles} are not in: {ours}");
}

#[test]
fn what_gdb_changes_is_changed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let elf = compiled(dir.path());
    let (gdb, ours) = session(
        &elf,
        &[
            "break looped",
            "continue",
            "set $a0 = 7",
            "set table[0] = 99",
            "printf \"table %d\\n\", table[0]",
            "set $simd_fmt = 2",
            "printf \"format %d\\n\", $simd_fmt",
            "reverse-stepi",
            "delete",
            "continue",
        ],
    );
    for part in ["table 99", "format 2", "No more reverse-execution history", "exited with code 025"] {
        assert!(gdb.contains(part), "'{part}' is not in:\n{gdb}\n{ours}");
    }
}

#[test]
fn a_debugger_that_goes_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (_, ours) = session(&compiled(dir.path()), &["break looped", "continue", "kill"]);
    assert!(ours.contains(" cycles, "), "{ours}");
}
