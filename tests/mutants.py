#!/usr/bin/env python3
"""Breaks rules of the simulator one at a time and checks that its tests notice.

usage: mutants.py [TEXT]      all of them, or those whose description holds TEXT

Works on a copy of the sources in a scratch folder; each takes a build and the tests of one crate. Exit status 1 if a mutant
survives or no longer applies.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

# (what, file below sim/src, text that stands there once, text that breaks it)
MUTANTS = [
    ("mulh takes 4 cycles", "timing/rules.rs", "Unit::Mulh => (5,", "Unit::Mulh => (4,"),
    ("a division by a negative number costs one more", "timing/rules.rs", "2 + u64::from((!divisor)", "3 + u64::from((!divisor)"),
    ("ustatus does not flush", "timing/rules.rs", "0x300 | 0x000 | 0x041", "0x300 | 0x041"),
    ("a taken branch fetches a cycle earlier", "timing/pipeline.rs", "self.redirect(t + 2, Stall::TakenBranch);", "self.redirect(t + 1, Stall::TakenBranch);"),
    ("mret ends like ecall", "timing/pipeline.rs", "flush_end + u64::from(inst.row.unit == Unit::Mret)", "flush_end"),
    ("jalr waits a cycle less behind a load", "timing/pipeline.rs", "self.jump_ready[rd] = after + 1;", "self.jump_ready[rd] = after;"),
    ("no stall for writing a register that is being loaded", "timing/pipeline.rs", "cycle = cycle.max(self.loading.1);", ""),
    ("the FIFO asks with three words stored", "timing/pipeline.rs", "let asks = self.stored <= 2;", "let asks = self.stored <= 3;"),
    ("a loop's end is never seen late", "timing/pipeline.rs", "let late = self.redirected && first && at_half;", "let late = false;"),
    ("a killed division is issued once", "timing/pipeline.rs", "                until += length;\n", ""),
    ("wfi wakes a cycle early", "timing/pipeline.rs", "if enabled { 4 } else { 2 }", "if enabled { 3 } else { 2 }"),
    ("rem by zero gives 0", "isa/rv32m.rs", "if b == 0 { a } else { (a as i32)", "if b == 0 { 0 } else { (a as i32)"),
    ("bit fields one bit short", "isa/xpulp_alu.rs", "wrapping_shl(self.width_minus_1)) << self.lsb", "wrapping_shl(self.width_minus_1) | 1) << self.lsb"),
    ("signed lanes of dot products unsigned", "isa/mpic_dot.rs", "if signed { (top as i32 >> (32 - bits)) as u32 }", "if signed && A > 2 { (top as i32 >> (32 - bits)) as u32 }"),
    ("unsigned lane average rounds up", "isa/simd.rs", "|l: Lane| l.sum() >> 1;", "|l: Lane| (l.sum() + 1) >> 1;"),
    ("a hardware loop runs once more", "hart.rs", "self.loops[l].count > 1 && self.loops[l].start != pc", "self.loops[l].count > 0 && self.loops[l].start != pc"),
]


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    survivors = []
    chosen = [m for m in MUTANTS if len(sys.argv) < 2 or sys.argv[1] in m[0]]
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "copy"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("target", "corpus", ".git", ".torch", "runs", "demo-run"))
        test = ["cargo", "test", "--locked", "-q", "-p", "mpic-sim", "--target-dir", scratch + "/target"]
        if subprocess.run(test, cwd=copy, stdout=subprocess.DEVNULL).returncode != 0:
            print("the tests fail before anything is broken")
            return 1
        for what, name, old, new in chosen:
            file = copy / "sim/src" / name
            text = file.read_text()
            if text.count(old) != 1:
                print(f"no longer applies: {what} ({name} holds {text.count(old)} times: {old.strip()})")
                survivors.append(what)
                continue
            file.write_text(text.replace(old, new))
            done = subprocess.run([*test, "--no-fail-fast"], cwd=copy, capture_output=True, text=True)
            file.write_text(text)
            out = done.stdout + done.stderr
            if "error[E" in out or "error: could not compile" in out:
                verdict = "does not compile"
            elif done.returncode == 0:
                verdict = "SURVIVED"
            else:
                failed = sorted({l.split()[1] for l in out.splitlines() if l.startswith("---- ")})
                verdict = "caught by " + ", ".join(failed)
            if not verdict.startswith("caught"):
                survivors.append(what)
            print(f"{what}: {verdict}", flush=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} caught")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
