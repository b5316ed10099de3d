#!/usr/bin/env python3
"""What mpic-sim costs as a process, as Markdown tables: user and system CPU seconds, the median of five.

usage: benches/processes.py [BASELINE]      (target/release/mpic-sim must be built; BASELINE is another mpic-sim to compare with)
"""
import json
import os
import pathlib
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIM = str(ROOT / "target/release/mpic-sim")
GOLDEN = ROOT / "tests/golden/elf"
# Source and how often it repeats its work: a fraction of a second to a few, depending on the engine.
PROGRAMS = {"matmul_loops.S": 6000, "matmul.c": 2400, "convolution.c": 1200, "crc.c": 6000, "crc_branches.c": 6000}
FLAGS = ("-march=rv32imc_zicsr_zifencei -mabi=ilp32 -O2 -ffreestanding -fno-builtin -fno-tree-loop-distribute-patterns "
         "-nostdlib -nostartfiles -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments").split()


def cpu(command, times=1):
    """CPU seconds of a command, its output thrown away."""
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(times):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / times
    return statistics.median(once() for _ in range(5))


def piped(command):
    """CPU seconds of a command whose output a pipe takes."""
    def once():
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        reader = subprocess.Popen(["cat"], stdin=run.stdout, stdout=subprocess.DEVNULL)
        run.stdout.close()
        used = os.wait4(run.pid, 0)[2]
        reader.wait()
        return used.ru_utime + used.ru_stime
    return statistics.median(once() for _ in range(5))


def main():
    baseline = sys.argv[1:2]
    with tempfile.TemporaryDirectory() as folder:
        elves = {}
        for name in PROGRAMS:
            elves[name] = os.path.join(folder, name + ".elf")
            firmware = ROOT / "firmware"
            subprocess.run(["riscv64-unknown-elf-gcc", *FLAGS, "-T", firmware / "link.ld", "-I", firmware / "include", "-o",
                            elves[name], firmware / "crt0.S", ROOT / "benches/programs" / name, "-lgcc"], check=True)

        def command(sim, name, repeat, *more):
            count = os.path.join(folder, "repeat")
            pathlib.Path(count).write_bytes(struct.pack("<I", repeat))
            return [sim, "run", "--load", f"repeat={count}", *more, elves[name]]

        def instructions(name, repeat):
            out = subprocess.run(command(SIM, name, repeat, "--json"), capture_output=True, check=True).stdout
            return json.loads(out)["instructions"]

        print("| program | M instructions/s | with `--profile` | `--engine threaded` |" + (" before |" if baseline else ""))
        print("|---|---|---|---|" + ("---|" if baseline else ""))
        for name, repeat in PROGRAMS.items():
            n = instructions(name, repeat) / 1e6
            row = [n / cpu(command(SIM, name, repeat)),
                   n / cpu(command(SIM, name, repeat, "--profile", os.path.join(folder, "profile"))),
                   n / cpu(command(SIM, name, repeat, "--engine", "threaded"))]
            row += [n / cpu(command(sim, name, repeat)) for sim in baseline]
            print(f"| `{name}` | " + " | ".join(f"{speed:.0f}" for speed in row) + " |", flush=True)

        # The same file for both, which ends by ecall: qemu-riscv32 knows no time.
        print("\n| program | of the speed of qemu-riscv32 | with `--profile` |\n|---|---|---|")
        for name, repeat in PROGRAMS.items():
            if name.endswith(".S"):
                continue
            source = (ROOT / "benches/programs" / name).read_text()
            mine = os.path.join(folder, name)
            pathlib.Path(mine).write_text(re.sub(r"repeat = \d+;", f"repeat = {repeat};", source))
            user = ROOT / "benches/programs/user"
            elf = os.path.join(folder, name + ".user.elf")
            subprocess.run(["riscv64-unknown-elf-gcc", *FLAGS, "-I", user, "-o", elf, user / "start.S", mine, "-lgcc"], check=True)
            qemu = cpu(["qemu-riscv32", elf])
            run = [SIM, "run", "--semihosting", "--ram", "0x10000:1M", elf]
            row = [qemu / cpu(run), qemu / cpu([*run, "--profile", os.path.join(folder, "profile")])]
            print(f"| `{name}` | " + " | ".join(f"{speed:.2f}" for speed in row) + " |", flush=True)

        print("\n| what | measured |\n|---|---|")
        for form in ("csv", "text", "ri5cy"):
            n = instructions("matmul.c", 6) / 1e6
            speed = n / piped(command(SIM, "matmul.c", 6, "--trace", "/dev/stdout", "--trace-format", form))
            print(f"| `--trace-format {form}` to a pipe | {speed:.1f} M lines/s |", flush=True)
        tiny = str(GOLDEN / "k_dot8.elf")
        start = time.time()
        subprocess.run([SIM, "run", tiny], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        walls = []
        for _ in range(50):
            start = time.time()
            subprocess.run([SIM, "run", tiny], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            walls.append(time.time() - start)
        print(f"| a process with a 1335-instruction ELF (`k_dot8`) | {1e3 * cpu([SIM, 'run', tiny], 50):.1f} ms CPU, "
              f"{1e3 * min(walls):.1f} ms wall |")
        peak = subprocess.run([sys.executable, "-c", "import resource, subprocess, sys; subprocess.run(sys.argv[1:], "
                               "capture_output=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                               SIM, "run", tiny], capture_output=True, text=True, check=True).stdout
        print(f"| its peak memory | {int(peak) / 1024:.1f} MiB |")
        names = os.path.join(folder, "list")
        pathlib.Path(names).write_text((tiny + "\n") * 8000)
        for threads in sorted({1, os.cpu_count() or 1}):
            batch = [SIM, "batch", "--threads", str(threads), names]
            used = cpu(batch) / 8000
            start = time.time()
            subprocess.run(batch, stdout=subprocess.DEVNULL, check=True)
            wall = (time.time() - start) / 8000
            print(f"| `batch --threads {threads}`, for each of 8000 of it | {1e6 * used:.0f} us CPU, {1e6 * wall:.0f} us wall |", flush=True)


if __name__ == "__main__":
    main()
