#!/bin/sh
# Puts libtorch 2.11.0 (the CPU part of the PyPI wheel, about 500 MB on disk, 545 MB to download) into .torch/.
# Needs python3 with pip. Safe to run again; an interrupted run leaves nothing half done.
set -eu
cd "$(dirname "$0")"
if [ -f .torch/torch/build-version ]; then echo "libtorch: ready in .torch/"; exit 0; fi
echo "libtorch: fetching the 2.11.0 wheel (545 MB) and unpacking its CPU part into .torch/ ..."
tmp=.torch.tmp
rm -rf "$tmp" .torch
mkdir -p "$tmp/wheels"
python3 -m pip download -q --no-deps --no-cache-dir --only-binary=:all: \
  --python-version 3.12 --implementation cp \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
  -d "$tmp/wheels" torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
python3 - "$tmp" <<'PY'
import glob, os, re, sys, zipfile
out = sys.argv[1]
keep = re.compile(r'torch/(include/|lib/lib(torch_cpu|c10)\.so$|lib/libgomp)|nvidia/cu13/lib/lib(cudart|cupti)\.so'
                  r'|.*/licenses/LICENSE$|.*/License\.txt$')
for wheel in glob.glob(out + '/wheels/*.whl'):
    with zipfile.ZipFile(wheel) as z:
        z.extractall(out, [n for n in z.namelist() if keep.match(n)])
# libtorch.so of the wheel is a stub that asks for CUDA; the CPU library takes its place.
os.symlink('libtorch_cpu.so', out + '/torch/lib/libtorch.so')
PY
rm -rf "$tmp/wheels"
echo 2.11.0 > "$tmp/torch/build-version"
mv "$tmp" .torch
echo "libtorch: ready in .torch/"
