#!/bin/sh
# The short-budget check on real CIFAR-10: 10 epochs of warm-up, then 6 of search and 3 of fine-tuning for every
# point, in batches of 128. Channel-wise and layer-wise, by cycles and by size, against fixed widths.
# usage: benches/cifar.sh DATA FOLDER [THREADS]     (DATA: the official binary layout; after an interruption, call it again: it goes
# on where it was. BIN: folder of the programs, target/release unless set)
set -eu
data=$1 out=$2 threads=${3:-2}
bin=${BIN:-target/release}
mkdir -p "$out"
if [ ! -f "$out/lut.json" ]; then
    "$bin/nas-search" shapes --model resnet8 -o "$out/shapes.json"
    "$bin/mpic-kernels" lut --shapes "$out/shapes.json" -o "$out/lut.json"
fi

run() { # NAME OPTIONS...
    name=$1; shift
    if [ -f "$out/$name/config.json" ]; then
        "$bin/nas-search" --resume "$out/$name"
    else
        "$bin/nas-search" --task ic --data "$data" --cost "$out/lut.json" --epochs 10/6/3 --threads "$threads" --out "$out/$name" "$@"
    fi
}

run channel-cycles --weights 0,2,4,8 --lambda 0.3,1.5
run channel-size --weights 0,2,4,8 --objective size --lambda 0.3,1.5,4 --warm-start "$out/channel-cycles"
run channel-target --weights 0,2,4,8 --target size=16300 --warm-start "$out/channel-cycles"
run layer-cycles --granularity layer --lambda 0.5 --warm-start "$out/channel-cycles"
run layer-size --granularity layer --objective size --lambda 0.5 --warm-start "$out/channel-cycles"
run fixed --granularity fixed --fixed w4a8,w2a8,w8a8 --warm-start "$out/channel-cycles"
"$bin/nas-search" report "$out/channel-cycles" "$out/channel-size" "$out/channel-target" "$out/layer-cycles" "$out/layer-size" "$out/fixed" --out "$out/report"
