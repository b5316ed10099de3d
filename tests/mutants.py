#!/usr/bin/env python3
"""Breaks rules of the simulator one at a time and checks that its tests notice.

usage: mutants.py [TEXT]      all of them, or those whose description holds TEXT
       mutants.py --check     only whether each still applies

Works on a copy of the sources in `target/mutants`. All breakages are built into it at once, each behind a question whether it
is the one that a variable of the environment names, so that there is one build and not one for each. The tests of one crate run
until one fails: first those that are quick and notice most, then all of them. Exit status 1 if a mutant survives or no longer
applies.
"""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

# The variable that names the mutant, by its place in the list, and what asks for it.
VARIABLE = "MUTANT"
QUESTION = """
/// Whether the rule of this number is the one to be broken.
pub(crate) fn mutant(number: usize) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var("%s").ok().and_then(|n| n.parse().ok()));
    *CHOSEN == Some(number)
}
""" % VARIABLE

# Arguments of `cargo test`, and what is set besides, in the order in which they are tried. A broken engine is noticed where it
# is held against the reference; what all engines share, only where it is held against what was measured.
SHARED = [
    (["--test", "vectors", "--test", "encodings", "--test", "system"], {}),
    (["--test", "golden"], {}),
    (["--test", "measured"], {}),
    (["--test", "rules_model", "--", "the_hardest_classes"], {"RULES_PROGRAMS": "40"}),
]
ENGINES = [
    (["--test", "engines", "--", "hot_code", "random_programs", "measured_programs"], {"ENGINE_PROGRAMS": "20"}),
    (["--test", "engines"], {"ENGINE_PROGRAMS": "400"}),
]
ALL = [([], {})]

# Tests do not end if one process of them takes so many times the processor time that all of them take while nothing is broken, and
# some seconds more; or if they take as many seconds in all, however little is done meanwhile.
TIMES, MORE, LONGEST = 5, 10, 3600

# (what, file below sim/src, text that stands there once and in it «what is broken», what stands there then): an expression, or
# whole statements.
MUTANTS = [
    ("mulh takes 4 cycles", "timing/rules.rs", "Unit::Mulh => («5»,", "4"),
    ("a division by a negative number costs one more", "timing/rules.rs", "«2» + u64::from((!divisor)", "3"),
    ("an mret jumps a cycle early", "timing/controller.rs", "d.restore();\n                        «o.next = Control::ReturnJump;»\n", "o.jump = Some(d.resume(s.pc, &inst));"),
    ("an interrupt is not flushed for", "timing/controller.rs", "o.next = «Control::InterruptTaken»;", "Control::Decode"),
    ("wfi wakes a cycle early", "timing/controller.rs", "                    o.next = «Control::FirstFetch»;\n                } else {", "Control::Decode"),
    ("a CSR access that flushes lets the next in", "timing/controller.rs", "                «o.halts_if = true;»\n                o.next = Control::FlushEx;\n                s.reason = Stall::CsrFlush;", ""),
    ("the FIFO asks with three words stored", "timing/fetch.rs", "let room = self.stored <= «2»;", "3"),
    ("a loop's end at a half word is never awaited", "timing/fetch.rs", "} else if «at_half && !p.valid» {", "false"),
    ("a loop's start does not replace what was stored", "timing/fetch.rs", "                replaces = «true»;\n", "false"),
    ("a straddling instruction needs one word", "timing/fetch.rs", "«if straddles { self.stored >= 2 || self.stored >= 1 && arrives } else { any }»", "any"),
    ("loops count from the value of the hart", "hart.rs", "let waits = «u32::from(pending >> l & 1)»;", "0"),
    ("a hardware loop runs once more", "hart.rs", "self.loops[l].count > «1»)", "0"),
    ("rem by zero gives 0", "isa/op.rs", "                if b == 0 {\n                    «a»\n                } else {\n                    sa.wrapping_rem(sb) as u32", "0"),
    ("bit fields one bit short", "isa/xpulp_alu.rs", "!(«0xFFFF_FFFEu32».wrapping_shl(self.width_minus_1)) << self.lsb", "0xFFFF_FFFFu32"),
    ("a clip tests the lower side first", "isa/xpulp_alu.rs", "    if «a as i32 > bound as i32» {\n        bound\n    } else if !signed", "a as i32 > bound as i32 && !below"),
    ("signed lanes of dot products unsigned", "isa/mpic_dot.rs", "if «signed» { (top as i32 >> (32 - bits)) as u32 }", "signed && A > 2"),
    ("the sub-group wraps one late", "isa/mpic_dot.rs", "u32::from(simd.group) >= «wide / narrow - 1»", "wide / narrow"),
    ("SKIP counts one more", "isa/mpic_dot.rs", "«simd.skip_count + 1 < simd.skip»", "simd.skip_count < simd.skip"),
    ("a loaded rs1 keeps its new address", "isa/op.rs", "    «if let Some(base) = base {\n        c.hart.set(i.rs1, base);\n    }»\n    let unused", ""),
    ("halfwords across words are not split", "memory/mod.rs", "        self.split = (address & 3) + BYTES > «4»;\n        self.at_device = self.uneven && self.first.load::<1>(address).is_none();\n        self.last = address;\n        if let", "5"),
    ("a store over code goes unseen", "memory/mod.rs", "if «!code.is_empty()» {", "false"),
    ("a format write is not counted on from", "timing/precision.rs", "            Content::FormatWrite => «self.operand & 7»,", "simd.group"),
    ("a dot product forgets what the one before it counted", "timing/precision.rs", "            Content::Dot => «self.next»,", "simd.group"),
    ("a late sub-group is not multiplied with", "timing/precision.rs", "«if held && self.writes { self.next } else { group }»", "group"),
    ("a loop's compressed end at a half word is not dropped", "timing/fetch.rs", "let drops = «self.looping == Looping::Compressed»;", "false"),
    ("a stale division does not run", "timing/stages.rs", "} else if «leaves && !killed && self.quirks» {", "false"),
    ("clearing bits of a counter is plain", "isa/csr.rs", "CsrOp::Clear if counters && h.quirks => «w.operand & !old»,", "old & !w.operand"),
    ("what a marker's store waits counts behind it", "system/record.rs", "let mut before = «then.late»;", "0"),
    ("prices forget which loop jumps back", "engine/blocks/table.rs", "(p.exit, p.kind, «p.back», p.splits) == (exit, kind, back, splits)", "back"),
    ("prices forget split accesses", "engine/blocks/table.rs", "(p.exit, p.kind, p.back, «p.splits») == (exit, kind, back, splits)", "splits"),
    ("entries forget whether dot products count", "engine/blocks/table.rs", "«u64::from(simd.counts()) << 40»", "0"),
    ("a wrapped loop count stays in blocks", "engine/blocks/mod.rs", "exec.has_stale_code() || «exec.cpu.hart.count_wraps()»", "false"),
    ("a block's loop end is not counted down", "engine/blocks/mod.rs", "                    «l.count -= 1;»\n", ""),
    ("corners are told by blocks as soon as by the pipeline", "engine/blocks/mod.rs", "if «block.simd && block.ran & format == 0» {", "false"),
    ("a killed multiplication is valid in EX", "timing/cycle.rs", "valid: «done && !s.ex.nothing»", "done"),
    ("compiled: a word of lanes is not cut", "engine/compiled/dots.rs", "let word = «self.b.ins().band_imm(word, (1 << (4 * bits)) - 1)»;", "word"),
    ("compiled: lanes of 2 bits lose their sign", "engine/compiled/dots.rs", "if «signed && bits < 8» {", "signed && bits < 8 && bits != 2"),
    ("compiled: the sub-group stands still", "engine/compiled/plan.rs", "Self { group: «simd.group»,", "group"),
    ("compiled: code runs in any phase", "engine/blocks/mod.rs", "room > 0 && «phase != compiled.region.phase»", "false"),
    ("compiled: no look at the limits", "engine/compiled/ways.rs", "if «edge.to > n» {", "true"),
    ("compiled: trips are not counted where a block is left", "engine/compiled/lower.rs", "        «self.count_trips(n);»\n        self.store_phase(self.phase);", ""),
    ("compiled: stores to fresh memory are plain", "engine/compiled/operation.rs", "        «self.only_if(written, n, k);»\n    }", ""),
    ("compiled: the multiplier forgets", "engine/compiled/lower.rs", "let Some((word, operands)) = «self.multiplied» else { return };", "self.multiplied.filter(|m| m.0 == 0)"),
    ("compiled: a loaded base loses its increment", "engine/compiled/operation.rs", "        «if let Some(base) = base {\n            self.set(i.rs1, base);\n        }»\n        self.set(i.rd, value);", ""),
    ("compiled: split accesses go unseen", "engine/compiled/operation.rs", "        «self.b.def_var(splits, after);»\n", ""),
    ("compiled: sums in vectors begin at 0", "engine/compiled/sums.rs", "let so_far = «self.peek(r)»;", "self.number(0)"),
    ("compiled: sums in vectors are lost where a block is left", "engine/compiled/sums.rs", "        «self.end_sums(n);»\n        self.b.ins().jump", ""),
]


def plain(marked: str) -> str:
    """The text as it stands in the source."""
    return marked.replace("«", "").replace("»", "")


def stale(sources: pathlib.Path, chosen: list) -> list:
    """What to say of those that no longer apply."""
    return [f"no longer applies: {what} ({name} does not hold exactly once: {plain(marked).strip()})"
            for what, name, marked, _ in chosen if (sources / name).read_text().count(plain(marked)) != 1]


def build_in(sources: pathlib.Path) -> None:
    """Writes all mutants into the sources."""
    places = {}
    for number, (_, name, marked, new) in enumerate(MUTANTS):
        text = (sources / name).read_text()
        begin = text.index(plain(marked)) + marked.index("«")
        old = marked[marked.index("«") + 1:marked.index("»")]
        choice = f"if crate::mutant({number}) {{ {new} }} else {{ {old} }}"
        # An expression may stand where a statement would begin.
        statements = old.endswith((";", "}")) and (not new or new.endswith(";"))
        places.setdefault(name, []).append((begin, begin + len(old), choice if statements else f"({choice})"))
    for name, changes in places.items():
        text = (sources / name).read_text()
        # The last first, so that the places of the others stay what they are.
        for begin, end, choice in sorted(changes, reverse=True):
            text = text[:begin] + choice + text[end:]
        (sources / name).write_text(text)
    with (sources / "lib.rs").open("a") as file:
        file.write(QUESTION)


class Tests:
    """The tests of the copy, with a mutant or without."""

    def __init__(self, copy: pathlib.Path):
        self.copy = copy
        self.most = {}

    def run(self, step: tuple, mutant: int | None, most: int | None) -> tuple:
        """The exit status of a step and what it printed, each of its processes given so many seconds of processor time."""
        arguments, more = step
        env = {**os.environ, "RUST_BACKTRACE": "0", **more}
        env.pop(VARIABLE, None)
        if mutant is not None:
            env[VARIABLE] = str(mutant)
        build = str(self.copy.parent / "build")
        command = ["cargo", "test", "--locked", "-q", "-p", "mpic-sim", "--target-dir", build, *arguments]
        limit = most and (lambda: resource.setrlimit(resource.RLIMIT_CPU, (most, most)))
        # A process group of its own, so that what the tests have started is stopped with them.
        done = subprocess.Popen(command, cwd=self.copy, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace", process_group=0, preexec_fn=limit)
        try:
            out = done.communicate(timeout=LONGEST)[0]
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)
            return done.wait(), done.communicate()[0] + "signal: 9"
        except BaseException:
            os.killpg(done.pid, signal.SIGKILL)
            raise
        return done.returncode, out

    def time(self, step: tuple) -> int:
        """How much processor time a step may take: it has run once while nothing was broken."""
        if str(step) not in self.most:
            self.run((["--no-run"] + step[0], step[1]), None, None)
            began = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            status, out = self.run(step, None, None)
            if status != 0:
                sys.exit(f"the tests fail before anything is broken:\n{out}")
            took = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - began
            self.most[str(step)] = round(TIMES * took + MORE)
        return self.most[str(step)]

    def verdict(self, mutant: int) -> str:
        """What becomes of a mutant."""
        engine = MUTANTS[mutant][1].startswith("engine/")
        for step in (ENGINES + SHARED if engine else SHARED + ENGINES) + ALL:
            status, out = self.run(step, mutant, self.time(step))
            if status != 0:
                # Killed by one of the two limits.
                if "signal: 9" in out or "signal: 24" in out:
                    return "caught by a test that does not end"
                failed = sorted({l.split()[1] for l in out.splitlines() if l.startswith("---- ")})
                # Those that abort, of a stack that overflows for example, name no test.
                return "caught by " + (", ".join(failed) or "tests that end at once")
        return "SURVIVED"


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--check"]:
        said = stale(root / "sim/src", MUTANTS)
        print("\n".join(said), end="\n" if said else "")
        return 1 if said else 0
    if said := stale(root / "sim/src", MUTANTS):
        print("\n".join(said))
        return 1
    copy = root / "target/mutants/copy"
    shutil.rmtree(copy, ignore_errors=True)
    # Files get the time of the copy, so that cargo takes nothing built the time before for built from them.
    shutil.copytree(root, copy, copy_function=shutil.copy,
                    ignore=shutil.ignore_patterns("target", "corpus", ".git", ".torch", "runs", "demo-run"))
    build_in(copy / "sim/src")
    tests = Tests(copy)
    chosen = [n for n, m in enumerate(MUTANTS) if len(sys.argv) < 2 or sys.argv[1] in m[0]]
    caught = 0
    for number in chosen:
        began = time.monotonic()
        became = tests.verdict(number)
        caught += became.startswith("caught")
        print(f"{MUTANTS[number][0]}: {became} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{caught} of {len(chosen)} caught")
    return 0 if chosen and caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
