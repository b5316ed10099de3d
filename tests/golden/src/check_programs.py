#!/usr/bin/env python3
"""rules_model.py against what is expected of programs: cycles and results, markers and instructions where they are known.

usage: check_programs.py LIST.json

The list, beside its ELFs: {elf, interrupts: [[cycle, number]], grants and answers: [of instructions, of data], shared: null or the
port that goes first, most_cycles, expected: {cycles, results (FNV-1a of the words), instructions, markers: [[id, cycle,
instructions]]}, "endless", or "outside" for a program that goes where no memory is}. Cycles are as in reports.
"""
import json
import multiprocessing
import os
import sys

import rules_model

# Reports count cycles from where the first instruction would be in EX: that many after reset.
FROM_RESET = 4
SAME, DIFFERENT, LACKS = range(3)


def digest(results):
    h = 0x811c9dc5
    for result in results:
        for byte in result.to_bytes(4, "little"):
            h = (h ^ byte) * 0x01000193 & 0xffffffff
    return h


def check(work):
    folder, program = work
    # A pin rises in the cycle after the one that reports name.
    interrupts = [(cycle + FROM_RESET - 1, number) for cycle, number in program["interrupts"]]
    try:
        model = rules_model.run(os.path.join(folder, program["elf"]), cycles=program["most_cycles"], interrupts=interrupts,
                                grants=program["grants"], answers=program["answers"], shared=program["shared"])
    except NotImplementedError as lacks:
        return LACKS, f"{program['elf']}: the model lacks {lacks}"
    except TimeoutError:
        got = "endless"
    except LookupError:
        got = "outside"
    else:
        # A report's markers count the store that makes them.
        got = {"cycles": model["t"] + 1 - FROM_RESET, "instructions": model["n"], "results": digest(model["results"]),
               "markers": [[number, cycle - FROM_RESET, before + 1] for number, cycle, before in model["events"]]}
    expected = program["expected"]
    if isinstance(got, dict) and isinstance(expected, dict):
        got = {key: got[key] for key in expected}
    return (SAME, None) if got == expected else (DIFFERENT, f"{program}: {got}")


def main():
    folder = os.path.dirname(os.path.abspath(sys.argv[1]))
    with open(sys.argv[1]) as file:
        programs = json.load(file)
    with multiprocessing.Pool() as pool:
        done = pool.map(check, [(folder, program) for program in programs], chunksize=8)
    for _, what in done:
        if what:
            print(what)
    count = [verdict for verdict, _ in done].count
    # Behind memory that answers late the RTL splices instructions of two halves, which can be any.
    print(f"{count(SAME)} programs agree, {count(DIFFERENT)} different, {count(LACKS)} with an instruction that the model lacks")
    return 1 if count(DIFFERENT) or count(LACKS) * 50 > len(programs) else 0


if __name__ == "__main__":
    sys.exit(main())
