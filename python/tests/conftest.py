"""What the tests share: the project's own programs, networks and search program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import mpic

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
MODELS = ROOT / "tests" / "models"


@pytest.fixture(scope="session", autouse=True)
def program():
    """The search program: what NAS_SEARCH names, or as `cargo test` builds it."""
    named = os.environ.setdefault("NAS_SEARCH", str(ROOT / "target" / "debug" / "nas-search"))
    assert Path(named).exists(), f"{named} is not there: build it with `cargo build -p nas-search`"


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory):
    """A network.json, inputs and outputs that other code wrote from docs/formats.md: folder, codes, outputs."""
    folder = tmp_path_factory.mktemp("by_hand")
    subprocess.run([sys.executable, ROOT / "kernels/tests/network_by_hand.py", folder], check=True)
    codes = np.fromfile(folder / "inputs.bin", np.int8).reshape(-1, 6, 5, 3)
    outputs = np.loadtxt(folder / "outputs.txt", dtype=np.int32)
    return folder, codes, outputs


@pytest.fixture(scope="session")
def network(by_hand):
    return mpic.Network.load(by_hand[0] / "network.json")


@pytest.fixture(scope="session")
def strokes(tmp_path_factory):
    """Arrays of a small task: whether a stroke lies or stands, 12 x 12 pixels; folder."""
    random = np.random.default_rng(5)

    def draw(n):
        y = random.integers(0, 2, n)
        x = random.integers(0, 60, (n, 1, 12, 12), np.uint8)
        for image, stands, at in zip(x[:, 0], y, random.integers(1, 11, n)):
            if stands:
                image[1:11, at] = 220
            else:
                image[at, 1:11] = 220
        return x, y

    data = {}
    for split, n in [("train", 400), ("test", 100)]:
        data[f"x_{split}"], data[f"y_{split}"] = draw(n)
    return mpic.arrays(tmp_path_factory.mktemp("strokes"), **data)


#: A network for strokes.
STROKES = """
name = "strokes"
input = [12, 12, 1]

[[node]]
name = "stem"
op = "conv"
channels = 8
kernel = 3
stride = 2
relu = true

[[node]]
name = "look"
op = "conv"
channels = 8
kernel = 3
relu = true

[[node]]
name = "largest"
op = "max_pool"
kernel = 6

[[node]]
name = "classifier"
op = "linear"
channels = 2
"""


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """The network for strokes, and what it costs: paths of net.toml and lut.json."""
    folder = tmp_path_factory.mktemp("table")
    model = folder / "net.toml"
    model.write_text(STROKES)
    heard = []
    mpic.lut.measure(model, path=folder / "lut.json", progress=lambda *p: heard.append(p))
    assert heard and heard[-1][1] == heard[-1][2] > 0, "the last layer is told of"
    return model, folder / "lut.json"


@pytest.fixture(scope="session")
def found(tmp_path_factory, strokes, table):
    """A finished search."""
    model, lut = table
    out = tmp_path_factory.mktemp("runs") / "strokes"
    search = mpic.search(
        model=model, data=strokes, cost=lut, out=out, points=2, epochs="20/6/4", simulate=3, threads=1, weights=[0, 2, 4, 8]
    )
    events = list(search)
    return search.run(), events


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    """Whatever started the tests in the background may have had Ctrl-C ignored, which processes inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
