#!/usr/bin/env bash
# Ten budgets (cycles, size, both at once, RAM) on `fashion`, each met by descents and by the regulariser with the same warm-up
# and epochs: what each network may cost, what it costs, and its accuracy.
# usage: benches/targets.sh [FOLDER]     (see fashion.sh)
source "$(dirname "$0")/fashion.sh"
all=(--seed 1 --weights 0,2,4,8)
search "$out/descent" "${all[@]}" --target cycles=600k,450k,350k,250k --target size=16k,12k,9k --target cycles=400k,size=10k --target ram=7k,6k
search "$out/regulariser" "${all[@]}" --method regulariser --warm-start "$out/descent" \
    --target cycles=600k --target cycles=450k --target cycles=350k --target cycles=250k \
    --target size=16k --target size=12k --target size=9k --target cycles=400k,size=10k --target ram=7k --target ram=6k
"$BIN/nas-search" report "$out/descent" "$out/regulariser" --out "$out"
