#!/usr/bin/env bash
# Descent (channel-wise, layer-wise, one width with pruned channels) against the regulariser over three seeds: fronts side by side.
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
    search "$out/channel$seed" --weights 0,2,4,8 --points 8 --seed $seed
    search "$out/layer$seed" --granularity layer --points 8 --seed $seed --warm-start "$out/channel$seed"
    search "$out/width$seed" --granularity width --fixed w2a4,w4a4 --points 4 --seed $seed --warm-start "$out/channel$seed"
    search "$out/regulariser$seed" --weights 0,2,4,8 --lambda 0.03,0.1,0.5,1,2 --seed $seed --warm-start "$out/channel$seed"
    runs+=("$out/channel$seed" "$out/layer$seed" "$out/width$seed" "$out/regulariser$seed")
done
"$BIN/nas-search" report "${runs[@]}" --out "$out"
