#!/usr/bin/env bash
# Descent (channel-wise, layer-wise, one width with pruned channels), the regulariser and fixed widths over three seeds: fronts
# side by side, with their hypervolumes, with one thread each. Then each budget of the descent of seed 1 by a descent of its own (FOLDER/apart).
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
        "$BIN/nas-search" --threads 1 --cost "$out/lut.json" --out "$folder" "$@"
    fi
}
runs=()
for seed in 1 2 3; do
    search "$out/channel$seed" --weights 0,2,4,8 --points 8 --seed $seed
    search "$out/layer$seed" --granularity layer --points 8 --seed $seed --warm-start "$out/channel$seed"
    search "$out/width$seed" --granularity width --fixed w2a4,w4a4 --points 4 --seed $seed --warm-start "$out/channel$seed"
    search "$out/regulariser$seed" --weights 0,2,4,8 --lambda 0.03,0.1,0.5,1,2 --seed $seed --warm-start "$out/channel$seed"
    search "$out/fixed$seed" --granularity fixed --fixed w8a8,w4a8,w4a4,w2a4,w2a2 --seed $seed --warm-start "$out/channel$seed"
    for kind in channel layer width regulariser fixed; do
        runs+=("$out/$kind$seed")
    done
done
"$BIN/nas-search" report "${runs[@]}" --out "$out"

runs=("$out/channel1")
for point in "$out"/channel1/points/*; do
    budget=cycles=${point##*-}
    search "$out/apart-${point##*-}" --weights 0,2,4,8 --target "$budget" --seed 1 --warm-start "$out/channel1"
    runs+=("$out/apart-${point##*-}")
done
"$BIN/nas-search" report "${runs[@]}" --out "$out/apart"
