# What the studies on `fashion` share, to be sourced by them: `out`, the folder of their runs, with its cost table; `BIN`, the folder
# of the programs, built into target/release unless set; and `search`. A study that is called again goes on where it stopped.
# usage of a study: benches/STUDY.sh [FOLDER]     (runs/STUDY unless told otherwise)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-runs/$(basename "$0" .sh)}
mkdir -p "$out"
if [ -z "${BIN:-}" ]; then
    cargo build --locked --release -q -p mpic-kernels -p nas-search
    BIN=target/release
fi
[ -f "$out/lut.json" ] || "$BIN/mpic-kernels" lut --network fashion -o "$out/lut.json"
search() { # folder, arguments of a new run, which has one thread
    local folder=$1
    shift
    if [ -f "$folder/config.json" ]; then
        "$BIN/nas-search" --resume "$folder"
    else
        "$BIN/nas-search" --threads 1 --cost "$out/lut.json" --out "$folder" "$@"
    fi
}
