"""The blocks of docs/python.md, one after the other."""

import re
import shutil

import mpic
import numpy as np

from conftest import GOLDEN, MODELS, ROOT


def test_every_block_of_the_page_works(tmp_path, monkeypatch, by_hand):
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOLDEN / "elf" / "k_mm_a8w4.elf", "kernel.elf")
    shutil.copy(MODELS / "keywords.onnx", "net.onnx")
    shutil.copy(by_hand[0] / "network.json", "network.json")
    page = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    random = np.random.default_rng(1)
    images = {f"x_{s}": random.integers(0, 256, (8, 6, 5, 3), np.uint8) for s in ("train", "test")}
    # What net.onnx reads: 49 x 10 features.
    features = {f"x_{s}": random.random((64, 49, 10), np.float32) for s in ("train", "test")}
    classes = {f"y_{s}": np.arange(64) % 4 for s in ("train", "test")}
    names = {}
    for block in blocks:
        names |= {**features, **classes} if "mpic.arrays" in block else images
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(names["frame"]) == 3 and isinstance(names["best"], mpic.Network)
