#!/usr/bin/env python3
"""rules_model.py against the RTL: golden.json, corners/corners.json and waitstates.json.

usage: check_model.py [MOST_CYCLES]      leaves out runs that take more; without it, none
"""
import json
import multiprocessing
import os
import sys

import rules_model
from check_programs import FROM_RESET

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# They use SIMD instructions, or formats, that the model lacks.
LACKED = {"micro_simd", "mpc_func", "mpc_corner", "f18_vector_false_dependence", "f19_shuffle_immediate_forms", "f22_bitrev_radix3"}


def read(name):
    with open(os.path.join(GOLDEN, name)) as file:
        return json.load(file)


def name_of(elf):
    return os.path.splitext(os.path.basename(elf))[0]


def pairs(model):
    """Cycles and instructions between each two markers."""
    events = model["events"]
    return [[b[1] - a[1], b[2] - a[2]] for a, b in zip(events[::2], events[1::2])]


def total(model):
    return model["t"] + 1 - FROM_RESET


def program(p, model):
    regions = [[r["cycles"], r["instructions"]] for r in p["regions"]]
    return (pairs(model), model["results"], model["n"], total(model)) == (regions, p["results"], p["total_instructions"], p["total_cycles"])


def micro(group, model):
    by_case = {}
    for number, cycle, before in model["events"]:
        by_case.setdefault(number, []).append((cycle, before))
    def between(case):
        (first, start), (last, end) = by_case[case["id"]]
        return last - first, end - start
    return all(between(case) == (case["cycles"], case["instructions"]) for case in group["cases"])


def corner(rtl, model):
    if not rtl["ended"]:
        return model is None
    got = total(model), model["n"], [cycles for cycles, _ in pairs(model)], model["results"]
    return got == (rtl["cycles"], rtl["instructions"], rtl["regions"], rtl["results"])


def corner_late(late, model):
    return (total(model), model["results"]) == (late["cycles"], late["results"])


def late(want, model):
    # Micro programs number their markers by case; what lies between them is in the cases only.
    regions = [cycles for cycles, _ in pairs(model)] if want["regions"] else []
    return (total(model), model["n"], regions) == (want["total_cycles"], want["instructions"], want["regions"])


def runs():
    """(what, ELF, cycles to expect, how the core is set up, comparison, what it compares with)"""
    golden = read("golden.json")
    for p in golden["programs"]:
        yield p["name"], p["elf"], p["total_cycles"], {}, program, p
    for group in golden["micro"]:
        yield group["group"], group["elf"], sum(case["cycles"] for case in group["cases"]), {}, micro, group
    for p in read("corners/corners.json")["programs"]:
        elf, rtl = "corners/" + p["elf"], p["rtl"]
        pins = [(cycle + FROM_RESET - 1, number) for cycle, number in p["irq_at"]]
        yield p["name"], elf, rtl["cycles"] if rtl["ended"] else 0, {"interrupts": pins}, corner, rtl
        if "rtl_data_rvalid_one_cycle_late" in p:
            expected = p["rtl_data_rvalid_one_cycle_late"]
            yield p["name"] + ", late", elf, expected["cycles"], {"answers": (0, 1)}, corner_late, expected
    waits = read("waitstates.json")
    for name, measured in waits["programs"].items():
        for key, want in measured.items():
            n = waits["configs"][key].get
            shared = ("instructions" if n("ifirst") else "data") if n("shared") else None
            core = {"grants": (n("igw", 0), n("dgw", 0)), "answers": (n("irw", 0), n("drw", 0)), "shared": shared}
            yield f"{name}, {key}", f"elf/{name}.elf", want["total_cycles"], core, late, want


def check(run):
    what, elf, _, core, compare, expected = run
    try:
        model = rules_model.run(os.path.join(GOLDEN, elf), cycles=1000000 if compare is not corner else 20000, **core)
    except TimeoutError:
        model = None
    return None if compare(expected, model) else f"{what}: {model and (total(model), model['n'], pairs(model)[:8])}"


def main():
    most = int(sys.argv[1]) if len(sys.argv) > 1 else sys.maxsize
    chosen = [run for run in runs() if run[2] <= most and name_of(run[1]) not in LACKED]
    with multiprocessing.Pool() as pool:
        different = [what for what in pool.map(check, chosen, chunksize=1) if what]
    print("\n".join(different + [f"{len(chosen)} runs, {len(different)} different"]))
    return 1 if different or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
