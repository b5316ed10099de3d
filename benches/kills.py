#!/usr/bin/env python3
"""Whether a run survives: a `fashion` run is killed (kill -9) at ten random moments and resumed each time; its points must be those of
a run that nobody disturbed, and it must not have computed much twice. Prints both; exits with 1 if points differ.

usage: benches/kills.py [SEED]      (target/release/nas-search and mpic-kernels must be built; about four minutes)
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAS, KERNELS = (str(ROOT / "target/release" / name) for name in ("nas-search", "mpic-kernels"))
KILLS = 10


def points(run):
    """The points of a run, without its name."""
    return [{**p, "run": None} for p in json.loads((run / "pareto.json").read_text())["points"]]


def main():
    rng = random.Random(int(sys.argv[1]) if sys.argv[1:] else 1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([KERNELS, "lut", "--network", "fashion", "-o", "lut.json"], check=True, **quiet)
        search = [NAS, "--cost", "lut.json", "--weights", "0,2,4,8", "--lambda", "0.2,1", "--threads", "1", "--simulate", "5"]
        start = time.time()
        subprocess.run([*search, "--out", "whole"], check=True, **quiet)
        whole = time.time() - start
        print(f"undisturbed: {whole:.0f} s", flush=True)
        # Kills are spread over the time the run takes, so that every phase is hit.
        spent, killed = 0.0, 0
        while killed < KILLS:
            patience = rng.uniform(0.3, 1.7) * whole / (KILLS + 1)
            command = [NAS, "--resume", "broken"] if (folder / "broken/config.json").exists() else [*search, "--out", "broken"]
            run = subprocess.Popen(command, **quiet)
            try:
                run.wait(patience)
                print("the run ended before it could be killed", flush=True)
                break
            except subprocess.TimeoutExpired:
                os.kill(run.pid, signal.SIGKILL)
                run.wait()
                spent, killed = spent + patience, killed + 1
                print(f"killed after {patience:.1f} s", flush=True)
        start = time.time()
        subprocess.run([NAS, "--resume", "broken"], check=True, **quiet)
        spent += time.time() - start
        same = points(folder / "whole") == points(folder / "broken")
        print(f"killed {killed} times: {spent:.0f} s in all, {spent / whole:.2f} of the undisturbed run; points are "
              f"{'the same' if same else 'DIFFERENT'}")
        return 0 if same and killed == KILLS else 1


if __name__ == "__main__":
    sys.exit(main())
