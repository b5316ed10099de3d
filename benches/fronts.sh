#!/usr/bin/env bash
# Channel-wise (with and without pruning) against layer-wise search over three seeds (about 10 minutes on two cores):
# the table of docs/search.md.
# The runs stay in runs/fronts (or FOLDER); run it again to continue where it stopped. BIN: folder of the programs,
# built into target/release unless set.
# usage: benches/fronts.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/fronts}
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
        "$BIN/nas-search" --cost "$out/lut.json" --out "$folder" "$@"
    fi
}
runs=()
for seed in 1 2 3; do
    search "$out/channel$seed" --granularity channel --seed $seed
    search "$out/layer$seed" --granularity layer --seed $seed --warm-start "$out/channel$seed"
    search "$out/pruned$seed" --granularity channel --weights 0,2,4,8 --seed $seed --warm-start "$out/channel$seed"
    runs+=("$out/channel$seed" "$out/layer$seed" "$out/pruned$seed")
done
"$BIN/nas-search" report "${runs[@]}" --out "$out"
