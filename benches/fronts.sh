#!/usr/bin/env bash
# Channel-wise against layer-wise search over three seeds (about 20 minutes on two cores): the table of docs/results.md.
# The runs stay in runs/fronts; run it again to continue where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
out=runs/fronts
mkdir -p "$out"
cargo build --locked --release -q -p mpic-kernels -p nas-search
[ -f "$out/lut.json" ] || target/release/mpic-kernels lut -o "$out/lut.json"
search() { # folder, arguments of a new run
    local folder=$1
    shift
    if [ -f "$folder/config.json" ]; then
        target/release/nas-search --resume "$folder"
    else
        target/release/nas-search --cost "$out/lut.json" --out "$folder" "$@"
    fi
}
runs=()
for seed in 1 2 3; do
    search "$out/channel$seed" --granularity channel --seed $seed
    search "$out/layer$seed" --granularity layer --seed $seed --warm-start "$out/channel$seed"
    runs+=("$out/channel$seed" "$out/layer$seed")
done
target/release/nas-search report "${runs[@]}" --out "$out"
