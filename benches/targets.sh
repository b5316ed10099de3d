#!/usr/bin/env bash
# Ten budgets (cycles, size, both at once, RAM) on `fashion`, each met by descents and by the regulariser with the same warm-up
# and epochs: what each network may cost, what it costs, and its accuracy.
# The runs stay in runs/targets (or FOLDER); run it again to continue where it stopped. BIN: folder of the programs,
# built into target/release unless set.
# usage: benches/targets.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/targets}
mkdir -p "$out"
if [ -z "${BIN:-}" ]; then
    cargo build --locked --release -q -p mpic-kernels -p nas-search
    BIN=target/release
fi
[ -f "$out/lut.json" ] || "$BIN/mpic-kernels" lut --network fashion -o "$out/lut.json"
search() { # folder, arguments of a new run
    local folder=$1
    shift
    if [ -f "$folder/config.json" ]; then
        "$BIN/nas-search" --resume "$folder"
    else
        "$BIN/nas-search" --threads 1 --cost "$out/lut.json" --out "$folder" --seed 1 --weights 0,2,4,8 "$@"
    fi
}
search "$out/descent" --target cycles=600k,450k,350k,250k --target size=16k,12k,9k --target cycles=400k,size=10k --target ram=7k,6k
search "$out/regulariser" --method regulariser --warm-start "$out/descent" \
    --target cycles=600k --target cycles=450k --target cycles=350k --target cycles=250k \
    --target size=16k --target size=12k --target size=9k --target cycles=400k,size=10k --target ram=7k --target ram=6k
"$BIN/nas-search" report "$out/descent" "$out/regulariser" --out "$out"
