#!/bin/sh
# Sets up what the project needs beyond Rust: Debian packages and libtorch.
# Usage: ./setup.sh [packages|torch|browser|slurm|venv]...   (default: packages torch; only the tests need the others).
# Safe to run again; does nothing when all is there.
set -eu
cd "$(dirname "$0")"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# command -> Debian package that brings it
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }

packages() {
    missing=""
    need cc gcc
    need c++ g++
    need python3 python3
    need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
    need qemu-riscv32 qemu-user
    need gdb-multiarch gdb-multiarch
    if command -v python3 >/dev/null 2>&1; then
        python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip"
    else
        missing="$missing python3-pip"
    fi
    install_missing "Debian packages"
}

# In which the tests look at report.html.
browser() {
    missing=""
    command -v google-chrome-stable >/dev/null 2>&1 || need chromium chromium
    install_missing "browser"
}

# Under which the tests run a sweep.
slurm() {
    missing=""
    PATH="$PATH:/usr/sbin" need slurmctld slurm-wlm
    PATH="$PATH:/usr/sbin" need munged munge
    install_missing "Slurm"
}

# In which the tests try the Python package; maturin builds it there.
venv() {
    missing=""
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing=" python3-venv"
    install_missing "Python's venv"
    [ -x .venv/bin/pip ] || python3 -m venv .venv
    .venv/bin/pip install -q --disable-pip-version-check "maturin>=1.9,<2" matplotlib numpy pandas pytest ||
        die "pip could not install what the Python tests need; check the network (or the pip index) and repeat."
}

# Installs the packages in $missing, which are for "$1".
install_missing() {
    if [ -z "$missing" ]; then say "$1: all there"; return; fi
    install="apt-get install -y --no-install-recommends$missing"
    command -v apt-get >/dev/null 2>&1 ||
        die "these Debian packages (or your system's equivalents) are missing:$missing. On Debian 12 run: sudo $install"
    if [ "$(id -u)" = 0 ]; then run=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then run="sudo"
    else die "packages are missing and this is not root. Run: sudo apt-get update && sudo $install    then repeat."
    fi
    say "installing$missing"
    $run apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive $run $install >/dev/null
}

# The CPU part of the PyPI wheel: 545 MB to download, 500 MB on disk, linked by rpath (see .cargo/config.toml).
torch() {
    if [ -f .torch/torch/build-version ]; then say "libtorch: ready in .torch/"; return; fi
    say "libtorch 2.11.0: fetching the wheel (545 MB) and unpacking its CPU part into .torch/ ..."
    tmp=.torch.tmp
    rm -rf "$tmp" .torch
    mkdir -p "$tmp/wheels"
    python3 -m pip download -q --no-deps --no-cache-dir --only-binary=:all: \
        --python-version 3.12 --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -d "$tmp/wheels" torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 ||
        die "pip could not download libtorch; check the network (or the pip index) and repeat."
    python3 - "$tmp" <<'PY'
import glob, os, re, sys, zipfile
out = sys.argv[1]
keep = re.compile(r'torch/(include/|lib/lib(torch_cpu|c10)\.so$|lib/libgomp)|nvidia/cu13/lib/lib(cudart|cupti)\.so'
                  r'|.*/licenses/LICENSE$|.*/License\.txt$')
for wheel in glob.glob(out + '/wheels/*.whl'):
    with zipfile.ZipFile(wheel) as z:
        z.extractall(out, [n for n in z.namelist() if keep.match(n)])
# libtorch.so of the wheel is a stub that asks for CUDA; the CPU library takes its place.
os.symlink('libtorch_cpu.so', out + '/torch/lib/libtorch.so')
PY
    rm -rf "$tmp/wheels"
    echo 2.11.0 > "$tmp/torch/build-version"
    mv "$tmp" .torch
    say "libtorch: ready in .torch/"
}

command -v cargo >/dev/null 2>&1 || die "cargo is missing: install Rust 1.89 or later with rustup, then repeat."
[ "$(uname -m)" = x86_64 ] || die "libtorch is set up for x86_64 only; this machine is $(uname -m)."
[ $# -gt 0 ] || set -- packages torch
for step in "$@"; do
    case $step in
        packages | torch | browser | slurm | venv) "$step" ;;
        *) die "unknown step '$step'; steps are: packages torch browser slurm venv" ;;
    esac
done
