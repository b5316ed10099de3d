#!/usr/bin/env python3
"""Fresh random programs (gen_rand.py) on the simulator against rules_model.py: markers, cycles, instructions, results.

usage: check_random.py MPIC_SIM FIRST_SEED PROGRAMS      (needs riscv64-unknown-elf-gcc)
"""
import json, os, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import gen_rand, rules_model

sim, first, programs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
gcc = ["riscv64-unknown-elf-gcc", "-march=rv32imc_zicsr_zifencei", "-mabi=ilp32", "-nostdlib", "-nostartfiles", "-static",
       "-I", here, "-T", os.path.join(here, "link.ld")]
different = 0
with tempfile.TemporaryDirectory() as folder:
    kinds = list(gen_rand.CFG)
    for n in range(programs):
        seed, kind = first + n, kinds[n % len(kinds)]
        source, elf = os.path.join(folder, "p.S"), os.path.join(folder, "p.elf")
        gen_rand.write(source, seed, kind, 160)
        subprocess.run(gcc + ["-o", elf, source], check=True)
        model = rules_model.run(elf)
        run = subprocess.run([sim, "run", elf, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        report = json.loads(run.stdout)
            # The model counts cycles from reset (the first instruction issues in 4, its store is out one later) and the
        # instructions before a marker.
        ours = [(e["id"], e["cycle"] + 4, e["instructions"] - 1) for e in report["events"]]
        theirs = [tuple(e[:3]) for e in model["events"]]
        if ours != theirs or report["results"] != model["results"] or report["instructions"] != model["n"]:
            different += 1
            print(f"seed {seed} ({kind}): simulator {ours} {report['instructions']}, model {theirs} {model['n']}")
print(f"{programs} programs, {different} different")
sys.exit(1 if different else 0)
