#!/usr/bin/env python3
"""Breaks rules of the simulator one at a time and checks that its tests notice.

usage: mutants.py [TEXT]      all of them, or those whose description holds TEXT
       mutants.py --check     only whether each still applies

Works on a copy of the sources in a scratch folder; each takes a build and the tests of one crate. Exit status 1 if a mutant
survives or no longer applies.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

# Seconds after which the tests do not end: several times what they take.
LONGEST = 1200

# (what, file below sim/src, text that stands there once, text that breaks it)
MUTANTS = [
    ("mulh takes 4 cycles", "timing/rules.rs", "Unit::Mulh => (5,", "Unit::Mulh => (4,"),
    ("a division by a negative number costs one more", "timing/rules.rs", "2 + u64::from((!divisor)", "3 + u64::from((!divisor)"),
    ("an mret jumps a cycle early", "timing/controller.rs", "                        o.next = Control::ReturnJump;\n", "                        o.jump = Some(d.resume(s.pc, &inst));\n"),
    ("an interrupt is not flushed for", "timing/controller.rs", "o.next = Control::InterruptTaken;", "o.next = Control::Decode;"),
    ("wfi wakes a cycle early", "timing/controller.rs", "                    o.next = Control::FirstFetch;\n                } else {", "                    o.next = Control::Decode;\n                } else {"),
    ("a CSR access that flushes lets the next in", "timing/controller.rs", "                o.halts_if = true;\n                o.next = Control::FlushEx;\n                s.reason = Stall::CsrFlush;", "                o.next = Control::FlushEx;\n                s.reason = Stall::CsrFlush;"),
    ("the FIFO asks with three words stored", "timing/fetch.rs", "let room = self.stored <= 2;", "let room = self.stored <= 3;"),
    ("a loop's end at a half word is never awaited", "timing/fetch.rs", "} else if at_half && !p.valid {", "} else if false {"),
    ("a loop's start does not replace what was stored", "timing/fetch.rs", "                replaces = true;\n", "                replaces = false;\n"),
    ("a straddling instruction needs one word", "timing/fetch.rs", "if straddles { self.stored >= 2 || self.stored >= 1 && arrives } else { any }", "any"),
    ("loops count from the value of the hart", "hart.rs", "let waits = u32::from(pending >> l & 1);", "let waits = 0 * u32::from(pending >> l & 1);"),
    ("a hardware loop runs once more", "hart.rs", "self.loops[l].count > 1)", "self.loops[l].count > 0)"),
    ("rem by zero gives 0", "isa/op.rs", "                if b == 0 {\n                    a\n                } else {\n                    sa.wrapping_rem(sb) as u32", "                if b == 0 {\n                    0\n                } else {\n                    sa.wrapping_rem(sb) as u32"),
    ("bit fields one bit short", "isa/xpulp_alu.rs", "!(0xFFFF_FFFEu32.wrapping_shl(self.width_minus_1)) << self.lsb", "!(0xFFFF_FFFFu32.wrapping_shl(self.width_minus_1)) << self.lsb"),
    ("a clip tests the lower side first", "isa/xpulp_alu.rs", "    if a as i32 > bound as i32 {\n        bound\n    } else if !signed", "    if below {\n        !bound\n    } else if a as i32 > bound as i32 {\n        bound\n    } else if !signed"),
    ("signed lanes of dot products unsigned", "isa/mpic_dot.rs", "if signed { (top as i32 >> (32 - bits)) as u32 }", "if signed && A > 2 { (top as i32 >> (32 - bits)) as u32 }"),
    ("the sub-group wraps one late", "isa/mpic_dot.rs", "u32::from(simd.group) >= wide / narrow - 1", "u32::from(simd.group) >= wide / narrow"),
    ("SKIP counts one more", "isa/mpic_dot.rs", "simd.skip_count + 1 < simd.skip", "simd.skip_count < simd.skip"),
    ("a loaded rs1 keeps its new address", "isa/op.rs", "    if let Some(base) = base {\n        c.hart.set(i.rs1, base);\n    }\n    let unused", "    let unused"),
    ("halfwords across words are not split", "memory/mod.rs", "        self.split = (address & 3) + BYTES > 4;\n        self.at_device = self.uneven && self.first.load::<1>(address).is_none();\n        self.last = address;\n        if let", "        self.split = (address & 3) + BYTES > 5;\n        self.at_device = self.uneven && self.first.load::<1>(address).is_none();\n        self.last = address;\n        if let"),
    ("a store over code goes unseen", "memory/mod.rs", "if !code.is_empty() {", "if false {"),
    ("a format write is not counted on from", "timing/precision.rs", "            Content::FormatWrite => self.operand & 7,", "            Content::FormatWrite => simd.group,"),
    ("a dot product forgets what the one before it counted", "timing/precision.rs", "            Content::Dot => self.next,", "            Content::Dot => simd.group,"),
    ("a late sub-group is not multiplied with", "timing/precision.rs", "if held && self.writes { self.next } else { group }", "group"),
    ("a loop's compressed end at a half word is not dropped", "timing/fetch.rs", "let drops = self.looping == Looping::Compressed;", "let drops = false;"),
    ("a stale division does not run", "timing/stages.rs", "} else if leaves && !killed && self.quirks {", "} else if false {"),
    ("clearing bits of a counter is plain", "isa/csr.rs", "CsrOp::Clear if counters && h.quirks => w.operand & !old,", "CsrOp::Clear if counters && h.quirks => old & !w.operand,"),
    ("what a marker's store waits counts behind it", "system/record.rs", "let mut before = then.late;", "let mut before = 0;"),
    ("prices forget which loop jumps back", "engine/blocks/table.rs", "(p.exit, p.kind, p.back, p.splits) == (exit, kind, back, splits)", "(p.exit, p.kind, p.splits) == (exit, kind, splits)"),
    ("prices forget split accesses", "engine/blocks/table.rs", "(p.exit, p.kind, p.back, p.splits) == (exit, kind, back, splits)", "(p.exit, p.kind, p.back) == (exit, kind, back)"),
    ("entries forget whether dot products count", "engine/blocks/table.rs", "u64::from(simd.counts()) << 40", "0"),
    ("a wrapped loop count stays in blocks", "engine/blocks/mod.rs", "exec.has_stale_code() || exec.cpu.hart.count_wraps()", "exec.has_stale_code()"),
    ("a block's loop end is not counted down", "engine/blocks/mod.rs", "                    l.count -= 1;\n", ""),
    ("corners are not told in the middle of blocks", "engine/blocks/mod.rs", "            s.tell_quirks(pc);\n            let insts", "            let insts"),
    ("a killed multiplication is valid in EX", "timing/cycle.rs", "valid: done && !s.ex.nothing", "valid: done"),
    ("compiled: a word of lanes is not cut", "engine/compiled/dots.rs", "let word = self.b.ins().band_imm(word, (1 << (4 * bits)) - 1);", "let _ = bits;"),
    ("compiled: lanes of 2 bits lose their sign", "engine/compiled/dots.rs", "if signed && bits < 8 {", "if signed && bits < 8 && bits != 2 {"),
    ("compiled: the sub-group stands still", "engine/compiled/plan.rs", "Self { group: simd.group,", "Self { group,"),
    ("compiled: code runs in any phase", "engine/blocks/mod.rs", "room > 0 && phase != compiled.region.phase", "room > 0 && phase != phase"),
    ("compiled: no look at the limits", "engine/compiled/ways.rs", "if edge.to > n {", "if edge.to != usize::MAX {"),
    ("compiled: trips are not counted where a block is left", "engine/compiled/lower.rs", "        self.count_trips(n);\n        self.store_phase(self.phase);", "        self.store_phase(self.phase);"),
    ("compiled: stores to fresh memory are plain", "engine/compiled/operation.rs", "        self.only_if(written, n, k);\n    }", "        let _ = (written, n, k);\n    }"),
    ("compiled: the multiplier forgets", "engine/compiled/lower.rs", "let Some((word, operands)) = self.multiplied else { return };", "let Some((word, operands)) = self.multiplied.filter(|m| m.0 == 0) else { return };"),
    ("compiled: a loaded base loses its increment", "engine/compiled/operation.rs", "        if let Some(base) = base {\n            self.set(i.rs1, base);\n        }\n        self.set(i.rd, value);", "        self.set(i.rd, value);"),
    ("compiled: split accesses go unseen", "engine/compiled/operation.rs", "        self.b.def_var(splits, after);\n", ""),
    ("compiled: sums in vectors begin at 0", "engine/compiled/sums.rs", "let so_far = self.peek(r);", "let so_far = self.number(u32::from(r) & 0);"),
    ("compiled: sums in vectors are lost where a block is left", "engine/compiled/sums.rs", "        self.end_sums(n);\n        self.b.ins().jump", "        self.b.ins().jump"),
]


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--check"]:
        stale = [m for m in MUTANTS if (root / "sim/src" / m[1]).read_text().count(m[2]) != 1]
        for what, name, old, _ in stale:
            print(f"no longer applies: {what} ({name} does not hold exactly once: {old.strip()})")
        return 1 if stale else 0
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
            done = subprocess.Popen(test, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    start_new_session=True)
            hangs = False
            try:
                out = done.communicate(timeout=LONGEST)[0]
            except subprocess.TimeoutExpired:
                hangs = True
                os.killpg(done.pid, signal.SIGKILL)
                out = done.communicate()[0]
            file.write_text(text)
            if "error[E" in out or "error: could not compile" in out:
                verdict = "does not compile"
            elif hangs:
                verdict = "caught by a test that does not end"
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
