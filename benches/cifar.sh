#!/bin/sh
# The short-budget check on real CIFAR-10: 10 epochs of warm-up, then 6 of search and 3 of fine-tuning for every
# network, in batches of 128. Descents by size and by cycles, channel-wise, layer-wise and with one width and pruned channels, against
# the regulariser and fixed widths.
# usage: benches/cifar.sh DATA FOLDER [THREADS]     (DATA: the official binary layout; after an interruption, call it again: it goes
# on where it was. BIN: folder of the programs, target/release unless set)
set -eu
data=$1 out=$2 threads=${3:-2}
bin=${BIN:-target/release}
mkdir -p "$out"
[ -f "$out/lut.json" ] || "$bin/mpic-kernels" lut --network resnet8 -o "$out/lut.json"

run() { # NAME OPTIONS...
    name=$1; shift
    if [ -f "$out/$name/config.json" ]; then
        "$bin/nas-search" --resume "$out/$name"
    else
        "$bin/nas-search" --task ic --data "$data" --cost "$out/lut.json" --epochs 10/6/3 --augment shift=0.1,mirror --threads "$threads" --out "$out/$name" "$@"
    fi
}

run fixed --granularity fixed --fixed w2a8,w4a8,w8a8
run channel-size --weights 0,2,4,8 --activations 8 --target size=20.2k,16.2k,9.6k --warm-start "$out/fixed"
run channel-cycles --weights 0,2,4,8 --target cycles=3.3M,1.6M,1.5M --warm-start "$out/fixed"
run width-size --granularity width --fixed w2a8 --target size=20.2k,16.2k,9.6k --warm-start "$out/fixed"
run layer-cycles --granularity layer --target cycles=3.3M,1.6M --warm-start "$out/fixed"
run regulariser --weights 0,2,4,8 --lambda 0.3,1.5 --warm-start "$out/fixed"
"$bin/nas-search" report "$out/fixed" "$out/channel-size" "$out/channel-cycles" "$out/width-size" "$out/layer-cycles" "$out/regulariser" --out "$out/report"
