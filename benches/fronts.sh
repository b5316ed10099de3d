#!/usr/bin/env bash
# Descent (channel-wise, layer-wise, one width with pruned channels), the regulariser and fixed widths over three seeds: fronts
# side by side, with their hypervolumes. Then each budget of the descent of seed 1 by a descent of its own (FOLDER/apart).
# usage: benches/fronts.sh [FOLDER]     (see fashion.sh)
source "$(dirname "$0")/fashion.sh"
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
