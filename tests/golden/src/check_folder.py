#!/usr/bin/env python3
"""Every ELF of a folder on the simulator against rules_model.py: markers, cycles, instructions, results.

usage: check_folder.py MPIC_SIM FOLDER
"""
import json, os, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules_model

sim, folder = sys.argv[1], sys.argv[2]
elves = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".elf"))
with tempfile.NamedTemporaryFile("w", suffix=".list") as names:
    names.write("\n".join(elves))
    names.flush()
    run = subprocess.run([sim, "batch", "--max-instructions", "1000000", names.name], stdout=subprocess.PIPE, text=True)
reports = [json.loads(line) for line in run.stdout.splitlines()]
different = instructions = 0
for elf, report in zip(elves, reports, strict=True):
    model = rules_model.run(elf)
    # The model counts cycles from reset (the first instruction issues in 4, its store is out one later) and the instructions
    # before a marker.
    ours = ([(e["id"], e["cycle"] + 4, e["instructions"] - 1) for e in report["events"]], report["results"],
            report["instructions"], report["cycles"])
    theirs = ([tuple(e[:3]) for e in model["events"]], model["results"], model["n"], model["t"] - 3)
    instructions += model["n"]
    if ours != theirs:
        different += 1
        print(f"{elf}: simulator {ours}, model {theirs}")
print(f"{len(elves)} programs, {instructions} instructions, {different} different")
sys.exit(1 if different or not elves else 0)
